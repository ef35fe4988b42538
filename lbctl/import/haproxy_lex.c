/* A line of an HAProxy configuration as words.
 *
 * Words end at a space or tab. A backslash makes the next character plain, or is \n, \r, \t or \xHH; between double
 * quotes the same holds, between single quotes nothing does. # outside of quotes begins a comment. A variable of the
 * environment stands between double quotes; its value is that of another process on another machine, so a line that
 * has one is marked and not followed. What looks like a password is not repeated in the report. Pure. */
#include "import/haproxy.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

struct lexer {
	const char *p, *end;
	char *out;
	char quote; /* 0, '"' or '\'' */
	bool variable;
};

static int
hex(char c)
{
	return c >= '0' && c <= '9'			? c - '0'
	       : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10
							: -1;
}

/* What a backslash and the next characters are; behind them. false: no escape that there is. */
static bool
take_escape(struct lexer *x)
{
	char c = x->p + 1 < x->end ? x->p[1] : '\0';
	int hi, lo;

	if (c == 'x') {
		hi = x->p + 2 < x->end ? hex(x->p[2]) : -1;
		lo = x->p + 3 < x->end ? hex(x->p[3]) : -1;
		if (hi < 0 || lo < 0 || hi + lo == 0)
			return false;
		*x->out++ = (char)(hi * 16 + lo);
		x->p += 4;
		return true;
	}
	if (c == 'n' || c == 'r' || c == 't')
		*x->out++ = c == 'n' ? '\n' : c == 'r' ? '\r' : '\t';
	else if (c != '\0' && strchr(" #\\\"'", c) != NULL)
		*x->out++ = c;
	else if (c == '$' && x->quote == '"')
		*x->out++ = c;
	else { /* of a regular expression, say */
		*x->out++ = '\\';
		x->p++;
		return true;
	}
	x->p += 2;
	return true;
}

static bool
is_variable(const struct lexer *x)
{
	char c = x->p + 1 < x->end ? x->p[1] : '\0';

	return c == '{' || (x->quote == '"' && (isalpha((unsigned char)c) || c == '_'));
}

/* One word; the lexer stands on its first character, then behind it. NULL: an escape or a quote that is not whole. */
static const char *
take_word(struct lexer *x)
{
	const char *word = x->out;

	while (x->p < x->end) {
		char c = *x->p;

		if (x->quote == 0 && (c == ' ' || c == '\t' || c == '#'))
			break;
		if (c == '\\' && x->quote != '\'') {
			if (!take_escape(x))
				return NULL;
			continue;
		}
		if (c == x->quote)
			x->quote = 0;
		else if (x->quote == 0 && (c == '"' || c == '\''))
			x->quote = c;
		else
			*x->out++ = c;
		if (c == '$' && x->quote != '\'' && is_variable(x))
			x->variable = true;
		x->p++;
	}
	*x->out++ = '\0';
	return x->quote == 0 ? word : NULL;
}

/* How much of a word may be repeated when what follows may be a password; -1: all, and what follows too. */
static int
shown_len(const char *word)
{
	static const char *const marks[] = { "auth", "passw", "secret", "insecure-", "token" };

	for (unsigned i = 0; i < sizeof(marks) / sizeof(*marks); i++)
		for (const char *p = word; *p != '\0'; p++)
			if (strncasecmp(p, marks[i], strlen(marks[i])) == 0) {
				while (isalnum((unsigned char)*p) || *p == '-' || *p == '_')
					p++;
				return (int)(p - word);
			}
	return -1;
}

static const char *
shown(struct import *im, const struct hap_line *l)
{
	struct buf b = { 0 };
	const char *text;
	int n = -1;

	for (unsigned i = 0; i < l->n && n < 0 && b.len < 400; i++) {
		n = shown_len(l->w[i]);
		buf_printf(&b, "%s%.*s", i > 0 ? " " : "", n < 0 ? 400 : n, l->w[i]);
		if (strcmp(l->w[0], "user") == 0 && i == 1)
			break;
	}
	text = arena_text(im->a, buf_text(&b), b.len);
	buf_fini(&b);
	return text;
}

int
hap_words(struct import *im, struct place at, const char *text, size_t len, struct hap_line *out,
    struct err *err)
{
	/* every word needs a NUL more than it has characters, and is followed by a space */
	struct lexer x = { .p = text, .end = text + len, .out = arena_alloc(im->a, len + 2) };
	const char *word;

	*out = (struct hap_line){ .at = at };
	for (;;) {
		while (x.p < x.end && (*x.p == ' ' || *x.p == '\t' || *x.p == '\r'))
			x.p++;
		if (x.p == x.end || *x.p == '#')
			break;
		if (out->n == IMPORT_WORDS_MAX)
			return err_set(err, ERR_INVALID, "line %u: more than %d words", at.line,
			    IMPORT_WORDS_MAX);
		word = take_word(&x);
		if (word == NULL)
			return err_set(err, ERR_INVALID, "line %u: %s", at.line,
			    x.quote != 0 ? "a quote that does not end"
					 : "\\x needs two hexadecimal digits, and not 00");
		out->w[out->n++] = word;
	}
	for (unsigned i = out->n; i <= IMPORT_WORDS_MAX; i++)
		out->w[i] = "";
	out->variable = x.variable;
	out->what = shown(im, out);
	return 0;
}

bool
hap_time(const char *s, unsigned scale, uint32_t *ms_out)
{
	static const struct {
		const char *unit;
		unsigned ms;
	} units[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 },
		{ "d", 86400000 } };
	uint64_t v = 0;

	if (!isdigit((unsigned char)*s))
		return false;
	for (; isdigit((unsigned char)*s); s++) {
		v = v * 10 + (uint64_t)(*s - '0');
		if (v >= UINT32_MAX * 1000ULL)
			return false;
	}
	if (strcmp(s, "us") == 0) {
		v /= 1000;
		s = "ms";
	}
	for (unsigned i = 0; *s != '\0' && i < sizeof(units) / sizeof(*units); i++)
		if (strcmp(s, units[i].unit) == 0) {
			scale = units[i].ms;
			s = "";
		}
	v *= scale;
	if (*s != '\0' || v >= HAP_UNSAID)
		return false;
	*ms_out = (uint32_t)v;
	return true;
}

void
hap_later(struct hap *h, struct hap_laters *to, const struct hap_line *l)
{
	struct hap_later *own = arena_alloc(h->im->a, sizeof(*own));

	own->next = NULL;
	own->l = *l;
	if (own->l.said == NULL)
		own->l.said = arena_alloc(h->im->a, sizeof(bool));
	if (to->last == NULL)
		to->last = &to->first;
	*to->last = own;
	to->last = &own->next;
}

const char *
hap_join(struct hap *h, const struct hap_line *l, unsigned i)
{
	struct buf b = { 0 };
	const char *text;

	for (unsigned from = i; i < l->n; i++)
		buf_printf(&b, "%s%s", i > from ? " " : "", l->w[i]);
	text = arena_text(h->im->a, buf_text(&b), b.len);
	buf_fini(&b);
	return text;
}
