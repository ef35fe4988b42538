/* keepalived.conf as statements: a line of words, perhaps with a block behind it.
 *
 * A comment begins with ! or # outside of quotes. Braces end a statement wherever they stand; one that opens may
 * stand on the next line. A line that begins with @ is for one machine among several, and one with $ gives a text a
 * name: both are statements here, and the parser says that they are not followed. */
#include "import/keepalived.h"

#include <stdio.h>
#include <string.h>

struct lexer {
	struct import *im;
	const struct ka_events *ev;
	struct err *err;
	struct ka_line l;
	const char *p, *end, *began; /* began: of the statement */
	unsigned depth;
	bool brace_next; /* it is known that a { follows */
};

static int
emit(struct lexer *x, bool opens)
{
	const char *to = x->p, *nl;
	int rc;

	if (x->l.n == 0)
		return 0;
	while (to > x->began && strchr(" \t\r\n{}!#", to[-1]) != NULL)
		to--;
	nl = memchr(x->began, '\n', (size_t)(to - x->began));
	x->l.what = arena_text(x->im->a, x->began, (size_t)((nl != NULL ? nl : to) - x->began));
	x->l.opens = opens;
	rc = x->ev->line(x->ev->arg, &x->l, x->err);
	x->l.n = 0;
	return rc;
}

static int
on_open(struct lexer *x, unsigned line)
{
	if (x->l.n == 0)
		return err_set(x->err, ERR_INVALID, "line %u: a { without a name before it", line);
	if (++x->depth > IMPORT_DEPTH_MAX)
		return err_set(x->err, ERR_INVALID, "line %u: blocks more than %u deep", line,
		    IMPORT_DEPTH_MAX);
	return emit(x, true);
}

static int
on_close(struct lexer *x, unsigned line)
{
	int rc = emit(x, false);

	if (rc != 0)
		return rc;
	if (x->depth == 0)
		return err_set(x->err, ERR_INVALID, "line %u: a } without its {", line);
	x->depth--;
	return x->ev->close(x->ev->arg, (struct place){ x->l.at.file, line }, x->err);
}

/* One word; a quote keeps blanks, braces and comments in it, up to the end of the line. */
static int
on_word(struct lexer *x, unsigned line)
{
	const char *from = x->p;
	char quote = *from == '"' || *from == '\'' ? *from : '\0';
	size_t n;

	if (x->l.n == 0) {
		x->began = from;
		x->l.at.line = line;
	}
	if (x->l.n == IMPORT_WORDS_MAX)
		return err_set(
		    x->err, ERR_INVALID, "line %u: more than %u words", line, IMPORT_WORDS_MAX);
	if (quote != '\0') {
		for (x->p = ++from; x->p < x->end && *x->p != quote && *x->p != '\n'; x->p++)
			;
		n = (size_t)(x->p - from);
		x->p += x->p < x->end && *x->p == quote;
	} else {
		while (x->p < x->end && strchr(" \t\r\n{}\"'!#", *x->p) == NULL) {
			if (x->p[0] == '$' && x->p + 1 < x->end && x->p[1] == '{')
				while (x->p < x->end && *x->p != '}' && *x->p != '\n')
					x->p++;
			x->p += x->p < x->end && *x->p != '\n';
		}
		n = (size_t)(x->p - from);
	}
	x->l.word[x->l.n++] = arena_text(x->im->a, from, n);
	return 0;
}

/* Whether a { comes next, behind blanks, ends of lines and comments. */
static bool
brace_follows(const struct lexer *x)
{
	const char *p = x->p;

	for (; p < x->end && strchr(" \t\r\n!#", *p) != NULL; p++)
		if (*p == '!' || *p == '#')
			while (p + 1 < x->end && p[1] != '\n')
				p++;
	return p < x->end && *p == '{';
}

static int
step(struct lexer *x, unsigned *line)
{
	switch (*x->p) {
	case ' ':
	case '\t':
	case '\r': x->p++; return 0;
	case '\n':
		x->p++;
		if (++*line > IMPORT_LINES_MAX)
			return err_set(x->err, ERR_INVALID, "more than %u lines", IMPORT_LINES_MAX);
		if (x->l.n > 0 && !x->brace_next)
			x->brace_next = brace_follows(x);
		return x->brace_next ? 0 : emit(x, false);
	case '!':
	case '#':
		while (x->p < x->end && *x->p != '\n')
			x->p++;
		return 0;
	case '{':
		x->p++;
		x->brace_next = false;
		return on_open(x, *line);
	case '}': x->p++; return on_close(x, *line);
	case '\0':
		return err_set(x->err, ERR_INVALID, "line %u: a NUL has no place in a text", *line);
	default: return on_word(x, *line);
	}
}

int
ka_lex(struct import *im, const char *file, const char *text, size_t len,
    const struct ka_events *ev, struct err *err)
{
	struct lexer x = { .im = im, .ev = ev, .err = err, .p = text, .end = text + len };
	unsigned line = 1;
	int rc = 0;

	x.l.at.file = file;
	while (rc == 0 && x.p < x.end)
		rc = step(&x, &line);
	if (rc == 0)
		rc = emit(&x, false);
	if (rc == 0 && x.depth > 0)
		rc = err_set(err, ERR_INVALID, "line %u: a } is missing at the end", line);
	if (rc != 0 && file != NULL)
		(void)err_prefix(err, "%s: ", file);
	return rc;
}
