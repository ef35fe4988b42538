/* log_format.h - templates of access log lines: text with words as %ci or %{+Q}r. Read here for the check of a commit and
 * for lbd-proxy alike. */
#ifndef SCHEMA_LOG_FORMAT_H
#define SCHEMA_LOG_FORMAT_H

#include "base/addr.h"
#include "base/err.h"

#include <stdint.h>

#define WORD(name, help) LOGW_##name,
enum log_word {
	LOGW_literal,
#include "schema/log_words.def"
	LOGW_END
};
#undef WORD
struct log_word_row {
	const char *name, *help;
};
extern const struct log_word_row log_words[LOGW_END]; /* [0] is unused */

#define LOG_ITEMS_MAX 128
enum { LOG_ITEM_QUOTE = 1 }; /* %{+Q}: between double quotes */
struct log_item {
	uint8_t word, flags; /* word LOGW_literal: the text itself */
	uint16_t len;
	const char *text; /* borrowed from the template; of a literal */
};

/* log_format_parse - a template as items, at most LOG_ITEMS_MAX of them; two percent signs are one.
 * Returns how many, or ERR_INVALID with a reason that names the word and, where one is near, what may be meant; err may be
 * NULL. The text is borrowed. */
int log_format_parse(const char *text, struct log_item items[LOG_ITEMS_MAX], struct err *err);

/* Where access log lines are sent by syslog. */
#define LOG_PATH_MAX 107 /* of a Unix socket, sun_path less its end */
struct log_target {
	struct addr addr; /* of UDP; family 0: path, or nowhere when that is "" too */
	uint16_t port;
	char path[LOG_PATH_MAX + 1];
};
/* log_target_parse - "", a path, ADDRESS:PORT or [ADDRESS]:PORT. 0, or ERR_INVALID with a reason; err may be NULL. */
int log_target_parse(const char *text, struct log_target *out, struct err *err);

#endif
