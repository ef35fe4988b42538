/* The words for why a probe ended as it did, from reasons.def. Numbers without a row have no
 * text: ask below REASONS, and expect NULL in a gap. */
#include "msg/msg.h"

#define REASON(number, name, text) [number] = text,
const char *const reason_text[REASONS] = {
#include "msg/reasons.def"
};
#undef REASON
