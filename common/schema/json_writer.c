/* JSON as a stream: what is called is what is written, into a buf, without a tree.
 *
 * Takes care of commas, indentation and escaping (RFC 8259); whatever bytes a text holds, the output is valid
 * UTF-8 and safe to stand in a terminal or, since "</" is written "<\/", inside a script element. The order is
 * that of the calls, so equal configuration gives equal bytes. Does not check that keys differ. */
#include "schema/json.h"
#include "schema/utf8.h"
#include "base/must.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

void
jw_init(struct json_writer *w, struct buf *out, unsigned indent)
{
	*w = (struct json_writer){ .out = out, .indent = indent };
}

static void
line(struct json_writer *w)
{
	if (w->indent == 0)
		return;
	buf_puts(w->out, "\n");
	for (unsigned i = 0; i < w->depth * w->indent; i++)
		buf_put(w->out, " ", 1);
}

/* What stands in front of a value: comma, line, key. */
static void
begin(struct json_writer *w, const char *key)
{
	must((key != NULL) == (w->depth > 0 && w->close[w->depth - 1] == '}'));
	if (w->depth == 0)
		return;
	if (w->members[w->depth - 1])
		buf_put(w->out, ",", 1);
	w->members[w->depth - 1] = true;
	line(w);
	if (key == NULL)
		return;
	json_quote(w->out, key, strlen(key));
	buf_puts(w->out, w->indent > 0 ? ": " : ":");
}

static void
open_level(struct json_writer *w, const char *key, const char *mark, char close)
{
	begin(w, key);
	must(w->depth < JW_DEPTH);
	buf_puts(w->out, mark);
	w->close[w->depth] = close;
	w->members[w->depth++] = false;
}

void
jw_object(struct json_writer *w, const char *key)
{
	open_level(w, key, "{", '}');
}

void
jw_array(struct json_writer *w, const char *key)
{
	open_level(w, key, "[", ']');
}

void
jw_end(struct json_writer *w)
{
	must(w->depth > 0);
	w->depth--;
	if (w->members[w->depth])
		line(w);
	buf_put(w->out, &w->close[w->depth], 1);
}

void
jw_finish(struct json_writer *w)
{
	must(w->depth == 0);
	if (w->indent > 0)
		buf_puts(w->out, "\n");
}

/* How a character is written that cannot stand as it is: a control character of either set, a quote, a backslash,
 * and the line ends that a script would take for its own. Returns the length of esc, 0 when it is plain. */
static size_t
escape(uint32_t ch, char before, char esc[8])
{
	static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
	const char *at = ch != 0 && ch < 0x80 ? strchr(from, (int)ch) : NULL;

	esc[0] = '\\';
	esc[1] = at != NULL ? to[at - from] : '/';
	if (at != NULL || (ch == '/' && before == '<'))
		return 2;
	if (ch < 0x20 || (ch >= 0x7f && ch < 0xa0) || ch == 0x2028 || ch == 0x2029)
		return (size_t)snprintf(esc, 8, "\\u%04x", (unsigned)ch & 0xffff);
	return 0;
}

void
json_quote(struct buf *out, const char *text, size_t len)
{
	static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */
	size_t from = 0, n, esc_len;
	char esc[8];
	uint32_t ch;

	buf_put(out, "\"", 1);
	for (size_t at = 0; at < len; at += n) {
		n = utf8_next(text + at, len - at, &ch);
		esc_len = n > 0 ? escape(ch, at > 0 ? text[at - 1] : '\0', esc) : 0;
		if (n > 0 && esc_len == 0)
			continue;
		buf_put(out, text + from, at - from);
		buf_put(out, n > 0 ? esc : replacement, n > 0 ? esc_len : 3);
		n = n > 0 ? n : 1;
		from = at + n;
	}
	buf_put(out, text + from, len - from);
	buf_put(out, "\"", 1);
}

void
jw_string_n(struct json_writer *w, const char *key, const char *text, size_t len)
{
	begin(w, key);
	json_quote(w->out, text, len);
}

void
jw_string(struct json_writer *w, const char *key, const char *text)
{
	if (text == NULL)
		jw_null(w, key);
	else
		jw_string_n(w, key, text, strlen(text));
}

void
jw_int(struct json_writer *w, const char *key, int64_t v)
{
	begin(w, key);
	buf_printf(w->out, "%" PRId64, v);
}

void
jw_uint(struct json_writer *w, const char *key, uint64_t v)
{
	begin(w, key);
	buf_printf(w->out, "%" PRIu64, v);
}

void
jw_real(struct json_writer *w, const char *key, double v, unsigned decimals)
{
	char text[400]; /* the largest double has 309 digits */
	char *comma;

	begin(w, key);
	if (!isfinite(v)) {
		buf_puts(w->out, "null");
		return;
	}
	(void)snprintf(text, sizeof(text), "%.*f", decimals < 18 ? (int)decimals : 18, v);
	comma = strchr(text, ','); /* of a locale that somebody set */
	if (comma != NULL)
		*comma = '.';
	buf_puts(w->out, text);
}

void
jw_bool(struct json_writer *w, const char *key, bool v)
{
	begin(w, key);
	buf_puts(w->out, v ? "true" : "false");
}

void
jw_null(struct json_writer *w, const char *key)
{
	begin(w, key);
	buf_puts(w->out, "null");
}

void
jw_raw(struct json_writer *w, const char *key, const char *json, size_t len)
{
	begin(w, key);
	buf_put(w->out, json, len);
}

void
jw_cell(struct json_writer *w, const char *key, const struct field *f, const struct cell *c,
    const struct names *names)
{
	struct buf text = { 0 };

	if (f->type == VT_BOOL) {
		jw_bool(w, key, c->i != 0);
	} else if (f->type == VT_U16 || f->type == VT_U32 || f->type == VT_I16) {
		jw_int(w, key, c->i);
	} else if (c->s != NULL) {
		jw_string_n(w, key, c->s, c->len);
	} else {
		value_format(f, c, names, &text);
		jw_string_n(w, key, buf_text(&text), text.len);
		buf_fini(&text);
	}
}
