/* The template of an access log line.
 *
 * A word is a percent sign and letters, read as far as letters go: "%tsc" is not "%ts" and a c. Options stand between:
 * "%{+Q}r" puts the value between quotes. What is neither a word nor text is refused and named, as a commit is the last
 * moment at which somebody looks. */
#include "schema/log_format.h"

#include "base/must.h"
#include "schema/schema.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define WORD(name, help) { #name, help },
const struct log_word_row log_words[LOGW_END] = {
	{ NULL, NULL },
#include "schema/log_words.def"
};
#undef WORD

#define NAME_MOST 24

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Words are short, so most are near to each other: first comes the longest that name begins with. */
static const char *
perhaps(const char *name)
{
	const char *names[LOGW_END - 1], *best = NULL;

	for (unsigned i = 1; i < LOGW_END; i++) {
		const char *w = names[i - 1] = log_words[i].name;

		if (strncmp(w, name, strlen(w)) == 0 && (best == NULL || strlen(w) > strlen(best)))
			best = w;
	}
	return best != NULL ? best : words_nearest(names, LOGW_END - 1, name);
}

static int
unknown_word(const char *name, struct err *err)
{
	const char *near = perhaps(name);

	if (near == NULL)
		return err_set(err, ERR_INVALID,
		    "%%%s is no word of a log format; lbd.yaml(5) lists them", name);
	return err_set(err, ERR_INVALID,
	    "%%%s is no word of a log format, perhaps %%%s; lbd.yaml(5) lists them", name, near);
}

/* The word at p, behind the percent sign; *p moves behind it. */
static int
parse_word(const char **p, struct log_item *out, struct err *err)
{
	const char *s = *p, *end;
	char name[NAME_MOST + 1];
	size_t n;

	out->flags = 0;
	if (*s == '{') {
		end = strchr(s, '}');
		n = end == NULL ? strlen(s) : (size_t)(end - s) + 1;
		if (end == NULL || n != 4 || memcmp(s, "{+Q}", 4) != 0)
			return err_set(err, ERR_INVALID,
			    "%%%.*s is no option of a word; allowed is %%{+Q}",
			    (int)(n < NAME_MOST ? n : NAME_MOST), s);
		out->flags = LOG_ITEM_QUOTE;
		s += n;
	}
	for (n = 0; is_letter(s[n]); n++)
		;
	if (n == 0)
		return err_set(err, ERR_INVALID,
		    "a %% stands before no word; write %%%% for one percent sign");
	if (n > NAME_MOST)
		return err_set(
		    err, ERR_INVALID, "%%%.*s... is no word of a log format", NAME_MOST, s);
	memcpy(name, s, n);
	name[n] = '\0';
	*p = s + n;
	for (unsigned i = 1; i < LOGW_END; i++)
		if (strcmp(log_words[i].name, name) == 0) {
			out->word = (uint8_t)i;
			return 0;
		}
	return unknown_word(name, err);
}

int
log_format_parse(const char *text, struct log_item items[LOG_ITEMS_MAX], struct err *err)
{
	unsigned n = 0;

	while (*text != '\0') {
		struct log_item it = { .word = LOGW_literal, .text = text };
		size_t len = strcspn(text, "%");
		int code;

		if (len == 0 && text[1] == '%') {
			it.len = 1;
			text += 2;
		} else if (len == 0) {
			text++;
			code = parse_word(&text, &it, err);
			if (code != 0)
				return code;
		} else {
			it.len = (uint16_t)(len > UINT16_MAX ? UINT16_MAX : len);
			text += it.len;
		}
		if (n == LOG_ITEMS_MAX)
			return err_set(err, ERR_INVALID,
			    "more than %d words and texts between them", LOG_ITEMS_MAX);
		items[n++] = it;
	}
	return (int)n;
}

static int
bad_target(const char *text, struct err *err)
{
	return err_set(err, ERR_INVALID,
	    "\"%.60s\" is not allowed: the path of a socket as /dev/log, ADDRESS:PORT or [ADDRESS]:PORT",
	    text);
}

int
log_target_parse(const char *text, struct log_target *out, struct err *err)
{
	struct log_target t = { .port = 0 };
	char host[ADDR_TEXT];
	const char *colon = strrchr(text, ':');
	size_t n = colon == NULL ? 0 : (size_t)(colon - text);
	unsigned long port;
	char *end;

	if (text[0] == '\0' || text[0] == '/') {
		n = strlen(text);
		if (n == 1 || n > LOG_PATH_MAX)
			return bad_target(text, err);
		memcpy(t.path, text, n + 1);
		*out = t;
		return 0;
	}
	if (n > 2 && text[0] == '[' && text[n - 1] == ']') {
		text++;
		n -= 2;
	} else if (n == 0 || memchr(text, ':', n) != NULL) {
		return bad_target(text, err);
	}
	if (n >= sizeof(host))
		return bad_target(text, err);
	memcpy(host, text, n);
	host[n] = '\0';
	port = strtoul(colon + 1, &end, 10);
	if (colon[1] < '0' || colon[1] > '9' || *end != '\0' || port < 1 || port > 65535 ||
	    addr_parse(host, ADDR_HOST, &t.addr) != 0 || t.addr.family == 0)
		return bad_target(text, err);
	t.port = (uint16_t)port;
	*out = t;
	return 0;
}
