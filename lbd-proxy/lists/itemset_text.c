/* Entries as text: read strictly, with the line of what is wrong; written in one form, so that the same entries are the
 * same bytes on every node and their digest names them. */
#include "itemset_priv.h"

#include "base/mem.h"
#include "base/must.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEAD "# entries of kind "

struct piece {
	char at[ITEM_MOST + 1];
	size_t len;
};

static bool
is_space(char c)
{
	return c == ' ' || c == '\t';
}

static int
put_byte(struct piece *w, char c, struct err *err)
{
	if (w->len == ITEM_MOST)
		return err_set(err, ERR_INVALID, "is longer than %d bytes", ITEM_MOST);
	w->at[w->len++] = c;
	return 0;
}

/* In quotes; *p behind the first one. */
static int
read_quoted(const char **p, const char *end, struct piece *w, struct err *err)
{
	for (; *p < end; ++*p) {
		if (**p == '"') {
			++*p;
			return *p == end || is_space(**p)
				   ? 0
				   : err_set(err, ERR_INVALID,
					 "has something right behind a closing quote");
		}
		if (**p == '\t')
			return err_set(err, ERR_INVALID,
			    "has a tab within quotes, where only spaces are allowed");
		if (**p == '\\' && (*p + 1 == end || ((*p)[1] != '"' && (*p)[1] != '\\')))
			return err_set(err, ERR_INVALID,
			    "has a \\ within quotes that neither \" nor \\ follows");
		if (**p == '\\')
			++*p;
		if (put_byte(w, **p, err) != 0)
			return ERR_INVALID;
	}
	return err_set(err, ERR_INVALID, "has a quote that is not closed");
}

/* One word, or with all set everything to the comment or the end. */
static int
read_plain(const char **p, const char *end, bool all, struct piece *w, struct err *err)
{
	for (; *p < end && (all || !is_space(**p)); ++*p) {
		if (**p == '#' && w->len > 0 && is_space((*p)[-1]))
			break;
		if (put_byte(w, **p == '\t' ? ' ' : **p, err) != 0)
			return ERR_INVALID;
	}
	while (w->len > 0 && w->at[w->len - 1] == ' ')
		w->len--;
	return 0;
}

static void
skip_space(const char **p, const char *end)
{
	while (*p < end && is_space(**p))
		++*p;
}

/* 1: the line has an entry, 0: it has none, ERR_INVALID. */
static int
read_line(const char *p, const char *end, struct piece *key, struct piece *value, struct err *err)
{
	key->len = value->len = 0;
	for (const char *c = p; c < end; c++)
		if (((uint8_t)*c < ' ' && *c != '\t') || *c == 0x7f)
			return err_set(err, ERR_INVALID,
			    "has a control character (%02x), which is not allowed", (uint8_t)*c);
	skip_space(&p, end);
	if (p == end || *p == '#')
		return 0;
	if (*p == '"' ? (++p, read_quoted(&p, end, key, err)) != 0
		      : read_plain(&p, end, false, key, err) != 0)
		return err_prefix(err, "the entry ");
	if (key->len == 0)
		return err_set(err, ERR_INVALID, "the entry is empty");
	skip_space(&p, end);
	if (p == end || *p == '#')
		return 1;
	if (*p == '"' ? (++p, read_quoted(&p, end, value, err)) != 0
		      : read_plain(&p, end, true, value, err) != 0)
		return err_prefix(err, "its value ");
	skip_space(&p, end);
	return p == end || *p == '#'
		   ? 1
		   : err_set(err, ERR_INVALID,
			 "something follows the value: one that begins with a quote ends with one");
}

/* ---- keys of each kind ------------------------------------------------------------------------------------------- */

static int
key_address(struct piece *w, struct err *err)
{
	struct addr a;

	w->at[w->len] = '\0';
	if (strlen(w->at) != w->len || addr_parse(w->at, ADDR_NET, &a) != 0 || a.family == 0)
		return err_set(err, ERR_INVALID,
		    "%.100s: allowed are addresses and networks, as 192.0.2.1 and 2001:db8::/32, "
		    "without bits behind the prefix",
		    w->at);
	w->at[0] = (char)a.family;
	memcpy(w->at + 1, a.b, 16);
	w->at[ITEM_ADDR - 1] = (char)a.len;
	w->len = ITEM_ADDR;
	return 0;
}

static void
lower(struct piece *w)
{
	for (size_t i = 0; i < w->len; i++)
		if (w->at[i] >= 'A' && w->at[i] <= 'Z')
			w->at[i] = (char)(w->at[i] + 32);
}

/* "*.example.org" is written ".example.org". */
static int
key_domain(struct piece *w, struct err *err)
{
	size_t label = 0, at;
	bool good = w->len > 0;

	w->at[w->len] = '\0';
	if (w->len > 2 && w->at[0] == '*' && w->at[1] == '.')
		memmove(w->at, w->at + 1, w->len--);
	if (w->len > 1 && w->at[w->len - 1] == '.')
		w->len--;
	for (at = w->at[0] == '.'; good && at < w->len; at++) {
		uint8_t c = (uint8_t)w->at[at];

		good = c == '.' ? label > 0
				: (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '-' ||
				      c == '_';
		label = c == '.' ? 0 : label + 1;
	}
	if (!good || label == 0 || w->len > 254)
		return err_set(err, ERR_INVALID,
		    "%.100s: allowed are names as example.org, .example.org and *.example.org",
		    w->at);
	return 0;
}

static int
make_key(unsigned kind, struct piece *w, struct err *err)
{
	if (kind == list_kind_address)
		return key_address(w, err);
	if (kind == list_kind_word_nocase || kind == list_kind_suffix)
		lower(w);
	return kind == list_kind_suffix ? key_domain(w, err) : 0;
}

/* ---- order ------------------------------------------------------------------------------------------------------- */

static int
by_key(const void *a, const void *b, void *of)
{
	const struct itemset *s = of;
	int c = item_compare(s, a, s, b);
	uint32_t x = ((const struct item *)a)->line, y = ((const struct item *)b)->line;

	return c != 0 ? c : x < y ? -1 : x > y;
}

static void
sort(struct itemset *s)
{
	uint32_t i = 1;

	while (i < s->n && item_compare(s, &s->item[i - 1], s, &s->item[i]) < 0)
		i++;
	if (i < s->n) /* a text of ours is in order */
		qsort_r(s->item, s->n, sizeof(*s->item), by_key, s);
}

static int
drop_twice(struct itemset *s, struct err *err)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < s->n; i++) {
		const struct item *a = n > 0 ? &s->item[n - 1] : NULL, *b = &s->item[i];

		if (a == NULL || item_compare(s, a, s, b) != 0)
			s->item[n++] = *b;
		else if (a->value_len != b->value_len ||
			 memcmp(item_key(s, a) + a->key_len, item_key(s, b) + b->key_len,
			     a->value_len) != 0)
			return err_set(err, ERR_INVALID,
			    "line %u: the same entry has another value in line %u", b->line,
			    a->line);
	}
	s->n = n;
	return 0;
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

static int
read_lines(struct itemset *s, const char *text, size_t len, struct err *err)
{
	const char *p = text, *end = text + len, *eol;
	struct piece key, value;
	uint32_t line = 0;

	for (; p < end; p = eol + 1) {
		int rc;

		line++;
		eol = memchr(p, '\n', (size_t)(end - p));
		if (eol == NULL)
			eol = end;
		rc = read_line(p, eol > p && eol[-1] == '\r' ? eol - 1 : eol, &key, &value, err);
		if (rc == 1 && (rc = make_key(s->kind, &key, err)) == 0 &&
		    !itemset_put(s, key.at, key.len, value.at, value.len, line))
			rc = err_set(err, ERR_INVALID,
			    "is one entry too many: a list has at most %d", ITEMS_MOST);
		if (rc < 0)
			return err_prefix(err, "line %u: ", line);
	}
	return 0;
}

static struct itemset *
finish(struct itemset *s, int rc)
{
	if (rc == 0) {
		itemset_index(s);
		return s;
	}
	itemset_unref(s);
	return NULL;
}

struct itemset *
itemset_read(unsigned kind, const char *text, size_t len, struct err *err)
{
	struct itemset *s;
	int rc;

	if (len > ITEMS_TEXT_MOST) {
		(void)err_set(err, ERR_INVALID,
		    "the text is %zu bytes long; allowed are at most %u", len, ITEMS_TEXT_MOST);
		return NULL;
	}
	s = itemset_begin(kind);
	rc = read_lines(s, text, len, err);
	if (rc == 0) {
		sort(s);
		rc = drop_twice(s, err);
	}
	return finish(s, rc);
}

struct itemset *
itemset_load(const char *text, size_t len, struct err *err)
{
	const struct words *w = &list_kind_list;

	for (unsigned i = 0; i < w->n; i++) {
		size_t n = strlen(w->w[i].text), head = sizeof(HEAD) - 1;

		if (len > head + n && memcmp(text, HEAD, head) == 0 &&
		    memcmp(text + head, w->w[i].text, n) == 0 && text[head + n] == '\n')
			return itemset_read((unsigned)w->w[i].number, text, len, err);
	}
	(void)err_set(
	    err, ERR_INVALID, "the first line does not say of which kind the entries are");
	return NULL;
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

static void
write_word(struct buf *out, const char *p, size_t n, bool value)
{
	bool quote = p[0] == '"' || p[0] == ' ' || p[n - 1] == ' ' || memchr(p, '#', n) != NULL ||
		     (!value && memchr(p, ' ', n) != NULL);

	if (!quote) {
		buf_put(out, p, n);
		return;
	}
	buf_put(out, "\"", 1);
	for (size_t i = 0; i < n; i++) {
		if (p[i] == '"' || p[i] == '\\')
			buf_put(out, "\\", 1);
		buf_put(out, p + i, 1);
	}
	buf_put(out, "\"", 1);
}

static void
write_address(struct buf *out, const uint8_t *key)
{
	struct addr a = { .family = key[0], .len = key[ITEM_ADDR - 1] };
	char text[ADDR_TEXT];

	memcpy(a.b, key + 1, 16);
	addr_format(&a, a.len == (a.family == 4 ? 32 : 128) ? ADDR_HOST : ADDR_NET, text);
	buf_puts(out, text);
}

void
itemset_write_key(const struct itemset *s, const struct item *i, struct buf *out)
{
	if (s->kind == list_kind_address)
		write_address(out, item_key(s, i));
	else
		buf_put(out, item_key(s, i), i->key_len);
}

void
itemset_write(const struct itemset *s, struct buf *out)
{
	buf_puts(out, HEAD);
	for (unsigned i = 0; i < list_kind_list.n; i++)
		if (list_kind_list.w[i].number == s->kind)
			buf_puts(out, list_kind_list.w[i].text);
	buf_puts(out, "\n");
	for (uint32_t k = 0; k < s->n; k++) {
		const struct item *i = &s->item[k];
		const uint8_t *key = item_key(s, i);

		if (s->kind == list_kind_address)
			write_address(out, key);
		else
			write_word(out, (const char *)key, i->key_len, false);
		if (i->value_len > 0) {
			buf_puts(out, " ");
			write_word(out, (const char *)key + i->key_len, i->value_len, true);
		}
		buf_puts(out, "\n");
	}
}

/* ---- changing ---------------------------------------------------------------------------------------------------- */

static bool
copy(struct itemset *to, const struct itemset *s, const struct item *i)
{
	const uint8_t *key = item_key(s, i);

	return itemset_put(to, key, i->key_len, key + i->key_len, i->value_len, 0);
}

struct itemset *
itemset_add(const struct itemset *base, const struct itemset *more, struct err *err)
{
	struct itemset *s = itemset_begin(more->kind);
	uint32_t a = 0, b = 0, n = base != NULL ? base->n : 0;
	bool room = true;

	must(base == NULL || base->kind == more->kind);
	while (room && (a < n || b < more->n)) {
		int c = a == n	       ? 1
			: b == more->n ? -1
				       : item_compare(base, &base->item[a], more, &more->item[b]);

		room = c < 0 ? copy(s, base, &base->item[a]) : copy(s, more, &more->item[b]);
		a += c <= 0;
		b += c >= 0;
	}
	if (!room)
		(void)err_set(err, ERR_INVALID, "a list has at most %d entries", ITEMS_MOST);
	return finish(s, room ? 0 : ERR_INVALID);
}

struct itemset *
itemset_take(const struct itemset *base, const struct itemset *less, struct err *err)
{
	struct itemset *s = itemset_begin(less->kind);
	uint32_t a = 0, n = base != NULL ? base->n : 0;

	must(base == NULL || base->kind == less->kind);
	for (uint32_t b = 0; b < less->n; b++, a++) {
		int c = 1;

		while (a < n && (c = item_compare(base, &base->item[a], less, &less->item[b])) < 0)
			(void)copy(s, base, &base->item[a++]);
		if (a == n || c != 0) {
			(void)err_set(err, ERR_INVALID, "line %u: that entry is not in the list",
			    less->item[b].line);
			return finish(s, ERR_INVALID);
		}
	}
	for (; a < n; a++)
		(void)copy(s, base, &base->item[a]);
	return finish(s, 0);
}
