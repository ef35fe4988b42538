/* Types whose cell is text for its own sake: NAME, TEXT, LINES, TCHAR, LABELS and ENUM.
 *
 * NAME is what never needs quoting anywhere: not in YAML, a shell, a path or a URL. TEXT is any UTF-8 without
 * control characters (a stray line end in a header or a log line is an attack, not a comment). LINES is TEXT that
 * may have line ends, which become LF, and tabs: a page. TCHAR is the token of RFC 9110. LABELS are kept sorted by key, so that two spellings of one set are equal bytes. An ENUM
 * is its word in a cell and its number in a struct: numbers may differ between builds, words may not.
 *
 * Rows of ops only; value.c calls them. */
#include "schema/value_priv.h"
#include "schema/utf8.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LABEL_MAX 63 /* bytes of a key, and of a value */
#define LABELS_MAX 32

static bool
is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

void
value_text_cell(const char *s, size_t n, struct arena *a, struct cell *out)
{
	*out = (struct cell){ .s = n > 0 ? arena_text(a, s, n) : "", .len = (uint32_t)n };
}

bool
value_length_ok(const struct field *f, size_t n)
{
	return (int64_t)n >= f->min && (int64_t)n <= f->max;
}

int
value_load_text(const struct field *f, const struct cell *c, struct arena *a, void *member)
{
	(void)f;
	*(const char **)member = c->len > 0 ? arena_text(a, c->s, c->len) : "";
	return 0;
}

void
value_save_text(const struct field *f, const void *member, struct arena *a, struct cell *out)
{
	const char *s = *(const char *const *)member;

	(void)f, (void)a;
	*out = (struct cell){ .s = s != NULL ? s : "" };
	out->len = (uint32_t)strlen(out->s);
}

bool
value_same_text(const void *x, const void *y)
{
	const char *a = *(const char *const *)x, *b = *(const char *const *)y;

	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* NAME */

/* Length of the name at the start of text, 0 when there is none. */
static size_t
scan_name(const char *text)
{
	size_t n = 0;

	while (is_alnum(text[n]) || (n > 0 && (text[n] == '.' || text[n] == '_' || text[n] == '-')))
		n++;
	return n;
}

static const char *
parse_name(const struct field *f, const char *text, struct arena *a, struct cell *out)
{
	size_t n = scan_name(text);

	if (text[n] != '\0' || !value_length_ok(f, n))
		return "";
	value_text_cell(text, n, a, out);
	return NULL;
}

static void
allowed_name(const struct field *f, struct buf *out)
{
	buf_printf(out,
	    "%d to %d letters, digits, \".\", \"_\" and \"-\", first a letter or a digit",
	    (int)f->min, (int)f->max);
}

const struct type_ops value_name_ops = { .parse = parse_name,
	.allowed = allowed_name,
	.load = value_load_text,
	.save = value_save_text,
	.same = value_same_text };

/* TEXT */

static const char *
parse_text(const struct field *f, const char *text, struct arena *a, struct cell *out)
{
	size_t n = strlen(text), at = 0;
	uint32_t ch;

	while (at < n) {
		unsigned len = utf8_next(text + at, n - at, &ch);

		if (len == 0)
			return "; it is not valid UTF-8";
		if (ch < 0x20 || (ch >= 0x7f && ch < 0xa0))
			return "; it has control characters";
		at += len;
	}
	if (!value_length_ok(f, n))
		return "";
	value_text_cell(text, n, a, out);
	return NULL;
}

static void
allowed_text(const struct field *f, struct buf *out)
{
	buf_printf(out, "%s%d bytes of UTF-8 without control characters",
	    f->min > 0 ? "1 to " : "at most ", (int)f->max);
}

const struct type_ops value_text_ops = { .parse = parse_text,
	.allowed = allowed_text,
	.load = value_load_text,
	.save = value_save_text,
	.same = value_same_text };

/* LINES */

static const char *
parse_lines(const struct field *f, const char *text, struct arena *a, struct cell *out)
{
	size_t n = strlen(text), at, len;
	struct buf lines = { 0 };
	const char *why = NULL;
	uint32_t ch;

	for (at = 0; why == NULL && at < n; at += len) {
		len = utf8_next(text + at, n - at, &ch);
		if (len == 0)
			why = "; it is not valid UTF-8";
		else if (ch == '\r' && text[at + 1] == '\n')
			continue;
		else if ((ch < 0x20 && ch != '\n' && ch != '\t') || (ch >= 0x7f && ch < 0xa0))
			why = "; it has control characters";
		else
			buf_put(&lines, text + at, len);
	}
	if (why == NULL && !value_length_ok(f, lines.len))
		why = "";
	if (why == NULL)
		value_text_cell(buf_text(&lines), lines.len, a, out);
	buf_fini(&lines);
	return why;
}

static void
allowed_lines(const struct field *f, struct buf *out)
{
	buf_printf(out, "%s%d bytes of UTF-8 without control characters but line ends and tabs",
	    f->min > 0 ? "1 to " : "at most ", (int)f->max);
}

const struct type_ops value_lines_ops = { .parse = parse_lines,
	.allowed = allowed_lines,
	.load = value_load_text,
	.save = value_save_text,
	.same = value_same_text };

/* TCHAR */

static const char *
parse_tchar(const struct field *f, const char *text, struct arena *a, struct cell *out)
{
	size_t n = 0;

	while (is_alnum(text[n]) || (text[n] != '\0' && strchr("!#$%&'*+-.^_`|~", text[n]) != NULL))
		n++;
	if (text[n] != '\0' || !value_length_ok(f, n))
		return "";
	value_text_cell(text, n, a, out);
	return NULL;
}

static void
allowed_tchar(const struct field *f, struct buf *out)
{
	buf_printf(out, "%d to %d letters, digits and !#$%%&'*+-.^_`|~", (int)f->min, (int)f->max);
}

const struct type_ops value_tchar_ops = { .parse = parse_tchar,
	.allowed = allowed_tchar,
	.load = value_load_text,
	.save = value_save_text,
	.same = value_same_text };

/* LABELS */

struct label {
	const char *key;
	size_t key_len, len; /* len: with "=value" */
};

static int
by_key(const void *x, const void *y)
{
	const struct label *a = x, *b = y;
	int d = memcmp(a->key, b->key, a->key_len < b->key_len ? a->key_len : b->key_len);

	return d != 0 ? d : (a->key_len > b->key_len) - (a->key_len < b->key_len);
}

/* "a=b" at the start of text; false when there is none. */
static bool
scan_label(const char *text, struct label *out)
{
	size_t n = scan_name(text), v;

	*out = (struct label){ .key = text, .key_len = n };
	if (n == 0 || n > LABEL_MAX || text[n] != '=')
		return false;
	v = scan_name(text + n + 1);
	out->len = n + 1 + v;
	return v <= LABEL_MAX && (text[out->len] == ',' || text[out->len] == '\0');
}

static const char *
parse_labels(const struct field *f, const char *text, struct arena *a, struct cell *out)
{
	struct label l[LABELS_MAX];
	unsigned n = 0;
	size_t total = 0;
	char *p;

	while (*text != '\0') {
		if (n == LABELS_MAX)
			return "; there are too many";
		if (!scan_label(text, &l[n]))
			return "";
		total += l[n].len + (n > 0);
		text += l[n++].len;
		if (*text == ',' && *++text == '\0')
			return "";
		text += strspn(text, " ");
	}
	if (!value_length_ok(f, total))
		return "";
	qsort(l, n, sizeof(l[0]), by_key);
	for (unsigned i = 1; i < n; i++)
		if (by_key(&l[i - 1], &l[i]) == 0)
			return "; a key is there twice";
	*out = (struct cell){ .s = "", .len = (uint32_t)total };
	if (n == 0)
		return NULL;
	out->s = p = arena_alloc(a, total + 1);
	for (unsigned i = 0; i < n; i++) {
		if (i > 0)
			*p++ = ',';
		memcpy(p, l[i].key, l[i].len);
		p += l[i].len;
	}
	return NULL;
}

static void
allowed_labels(const struct field *f, struct buf *out)
{
	buf_printf(out,
	    "at most %d words, as tier=front,site=a, of letters, digits, \".\", \"_\" and \"-\", "
	    "each at most %d long, in all %d bytes",
	    LABELS_MAX, LABEL_MAX, (int)f->max);
}

const struct type_ops value_labels_ops = { .parse = parse_labels,
	.allowed = allowed_labels,
	.load = value_load_text,
	.save = value_save_text,
	.same = value_same_text };

/* ENUM */

static const struct word *
find_word(const struct words *w, const char *text)
{
	for (unsigned i = 0; i < w->n; i++)
		if (strcmp(w->w[i].text, text) == 0)
			return &w->w[i];
	return NULL;
}

static const char *
parse_enum(const struct field *f, const char *text, struct arena *a, struct cell *out)
{
	const struct word *w = find_word(f->words, text);

	(void)a;
	if (w == NULL)
		return "";
	*out = (struct cell){ .s = w->text, .len = (uint32_t)strlen(w->text) };
	return NULL;
}

static void
allowed_enum(const struct field *f, struct buf *out)
{
	for (unsigned i = 0; i < f->words->n; i++)
		buf_printf(out, "%s%s", i > 0 ? ", " : "", f->words->w[i].text);
}

static int
load_enum(const struct field *f, const struct cell *c, struct arena *a, void *member)
{
	const struct word *w = find_word(f->words, c->s);

	(void)a;
	if (w == NULL)
		return -EINVAL;
	*(uint8_t *)member = (uint8_t)w->number;
	return 0;
}

static void
save_enum(const struct field *f, const void *member, struct arena *a, struct cell *out)
{
	const char *s = word_text(f->words, *(const uint8_t *)member);

	(void)a;
	*out = (struct cell){ .s = s, .len = (uint32_t)strlen(s) };
}

static bool
same_enum(const void *x, const void *y)
{
	return *(const uint8_t *)x == *(const uint8_t *)y;
}

const struct type_ops value_enum_ops = { .parse = parse_enum,
	.allowed = allowed_enum,
	.load = load_enum,
	.save = save_enum,
	.same = same_enum };
