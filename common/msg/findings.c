/* The words for what can be found wrong with the way to a server, from findings.def. Numbers without a row have no
 * text: ask below FINDINGS, and expect NULL in a gap. */
#include "msg/msg.h"

#define FINDING(number, name, text) [number] = text,
const char *const finding_text[FINDINGS] = {
#include "msg/findings.def"
};
#undef FINDING
#define FINDING(number, name, text) [number] = #name,
const char *const finding_name[FINDINGS] = {
#include "msg/findings.def"
};
#undef FINDING
const char *const found_word[FOUND_END] = {
	[FOUND_RIGHT] = "right",
	[FOUND_DOUBTFUL] = "doubtful",
	[FOUND_WRONG] = "wrong",
	[FOUND_UNKNOWN] = "unknown",
};
