/* Canonical YAML as a stream: block mappings of scalars, which is all that the configuration is.
 *
 * Decides when a scalar must be quoted: text is plain only when every reader, of YAML 1.1 or 1.2, takes it for
 * the same text. So "off", "1.5", "2027-01-31" and "1:30" are quoted where they are text (a name, a comment, a
 * word), while a number, a duration or a boolean of ours stays as it is. Quoted scalars stand on one line; PEM and LINES are
 * literal blocks, as people paste them.
 * Written by hand since canonical bytes must not depend on the release of a library; yaml.c reads it back. */
#include "schema/yaml.h"
#include "schema/utf8.h"
#include "base/must.h"

#include <string.h>
#include <strings.h>

void
yaml_writer_init(struct yaml_writer *w, struct buf *out)
{
	*w = (struct yaml_writer){ .out = out };
}

static void
begin(struct yaml_writer *w, const char *key)
{
	if (w->depth > 0 && !w->members[w->depth])
		buf_puts(w->out, "\n");
	w->members[w->depth] = true;
	for (unsigned i = 0; i < w->depth; i++)
		buf_puts(w->out, "  ");
	yaml_quote(w->out, key, true);
	buf_puts(w->out, ":");
}

void
yaml_map_begin(struct yaml_writer *w, const char *key)
{
	begin(w, key);
	must(w->depth + 1 < YAML_DEPTH);
	w->members[++w->depth] = false;
}

void
yaml_map_end(struct yaml_writer *w)
{
	must(w->depth > 0);
	if (!w->members[w->depth])
		buf_puts(w->out, " {}\n");
	w->depth--;
}

static bool
is_free(const struct field *f)
{
	return f == NULL || (f->type < VT_U16 && f->type != VT_RANGES) || f->type == VT_REF ||
	       f->type == VT_SECRET;
}

/* Each line of text, which ends with LF. */
static void
literal(struct yaml_writer *w, const char *text)
{
	buf_puts(w->out, " |\n");
	for (const char *end; (end = strchr(text, '\n')) != NULL; text = end + 1) {
		for (unsigned i = 0; *text != '\n' && i <= w->depth; i++)
			buf_puts(w->out, "  ");
		buf_put(w->out, text, (size_t)(end - text) + 1);
	}
}

static bool is_special(uint32_t ch);

/* Lines of a page: no space in front of the first, which would be taken for the depth of all, and none at the end of a
 * line or alone on it, which editors take away. */
static bool
is_literal_text(const char *text)
{
	size_t n = strlen(text), len;
	uint32_t ch, before = '\n';

	if (n < 2 || strchr(" \t\n", text[0]) != NULL || text[n - 1] != '\n' || text[n - 2] == '\n')
		return false;
	for (size_t at = 0; at < n; at += len, before = ch) {
		len = utf8_next(text + at, n - at, &ch);
		if (len == 0 || (is_special(ch) && ch != '\n' && ch != '\t') ||
		    (ch == '\n' && (before == ' ' || before == '\t')) ||
		    (ch == '\t' && before == '\n'))
			return false;
	}
	return true;
}

/* Whether it stands as it is, line by line: what a writer gives may be anything. */
static bool
is_literal(const struct field *f, const char *text)
{
	static const char known[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=- \n";
	size_t n = strlen(text);

	if (f != NULL && f->type == VT_LINES)
		return is_literal_text(text);
	return f != NULL && f->type == VT_PEM && n > 1 && text[0] == '-' && text[n - 1] == '\n' &&
	       text[n - 2] != '\n' && text[strspn(text, known)] == '\0';
}

void
yaml_scalar(struct yaml_writer *w, const char *key, const struct field *f, const char *text)
{
	begin(w, key);
	if (is_literal(f, text)) {
		literal(w, text);
		return;
	}
	buf_puts(w->out, " ");
	yaml_quote(w->out, text, is_free(f));
	buf_puts(w->out, "\n");
}

void
yaml_comment(struct yaml_writer *w, const char *line)
{
	must(w->depth == 0);
	buf_printf(w->out, "# %s\n", line);
}

void
yaml_writer_finish(struct yaml_writer *w)
{
	must(w->depth == 0);
	if (!w->members[0])
		buf_puts(w->out, "{}\n");
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* A number or a date to a reader of YAML. s begins with a digit. */
static bool
is_number_like(const char *s)
{
	size_t n = strspn(s, "0123456789_");

	if (s[0] == '0' && s[1] != '\0' && strchr("xXoObB", s[1]) != NULL)
		return s[2 + strspn(s + 2, "0123456789abcdefABCDEF_")] == '\0';
	if (n == 4 && s[4] == '-') {
		n = 5 + strspn(s + 5, "0123456789");
		return n > 5 && s[n] == '-';
	}
	if (s[n] == '.')
		n += 1 + strspn(s + n + 1, "0123456789_");
	if (s[n] == 'e' || s[n] == 'E') {
		n++;
		n += s[n] == '+' || s[n] == '-';
		n += strspn(s + n, "0123456789");
	}
	return s[n] == '\0';
}

static bool
is_word_of_yaml(const char *s)
{
	static const char *const words[] = { "y", "n", "yes", "no", "true", "false", "on", "off",
		"null" };

	for (unsigned i = 0; i < ARRAY_LEN(words); i++)
		if (strcasecmp(words[i], s) == 0)
			return true;
	return false;
}

/* Characters that YAML does not print, or takes for a line end. */
static bool
is_special(uint32_t ch)
{
	return ch < 0x20 || (ch >= 0x7f && ch < 0xa0) || ch == 0x2028 || ch == 0x2029 ||
	       ch == 0xfeff || ch == 0xfffe || ch == 0xffff;
}

static bool
is_plain(const char *s, bool free)
{
	size_t n = strlen(s), len;
	uint32_t ch;

	if (n == 0 || s[n - 1] == ' ' || strchr("-?:,[]{}#&*!|>'\"%@`~=<.+ ", s[0]) != NULL)
		return false;
	for (size_t at = 0; at < n; at += len) {
		len = utf8_next(s + at, n - at, &ch);
		if (len == 0 || is_special(ch) || ch == ':' || ch == '#')
			return false;
	}
	return !free || (!is_word_of_yaml(s) && !(is_digit(s[0]) && is_number_like(s)));
}

void
yaml_quote(struct buf *out, const char *text, bool free)
{
	size_t n = strlen(text), len;
	uint32_t ch;

	if (is_plain(text, free)) {
		buf_put(out, text, n);
		return;
	}
	buf_puts(out, "\"");
	for (size_t at = 0; at < n; at += len) {
		len = utf8_next(text + at, n - at, &ch);
		if (len == 0) {
			buf_puts(out, "\xef\xbf\xbd");
			len = 1;
		} else if (ch == '"' || ch == '\\') {
			buf_printf(out, "\\%c", (char)ch);
		} else if (is_special(ch)) {
			buf_printf(out, "\\u%04X", (unsigned)ch);
		} else {
			buf_put(out, text + at, len);
		}
	}
	buf_puts(out, "\"");
}
