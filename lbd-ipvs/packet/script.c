/* script.c - from the table as it is to the table as it should be, in one transaction.
 *
 * The kernel takes a new set of ranges quickly, and a single element more or less too, but emptying one of 15,000
 * elements costs it ten seconds. So elements are compared line by line and only the difference is sent; when very many
 * go, or when it is not known what is there, the set is deleted and made again in the same transaction, for which no
 * rule may hold it: then all rules are flushed and written anew, which is cheap. So it goes with every set that is no
 * map, since its elements may overlap (addresses of services).
 *
 * Order in a transaction: rules go first, then elements and maps that hold chains, then chains, sets and counters that
 * nobody wants any more; then everything that is wanted is added, which changes nothing where it is there. */
#include "packet/script.h"

#include "base/mem.h"
#include "base/must.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TABLE "inet lbd"
#define BLOCK "add element " TABLE " "
#define HEAD_LINES 6 /* add and flush inet lbd, add and delete ip lbd and ip6 lbd */

/* Deleting so many elements of so many is slower than making the set again. */
static bool
too_many(uint32_t gone, uint32_t all)
{
	return gone > 16 + all / 32;
}

/* ---- lines -------------------------------------------------------------------------------- */

struct lines {
	char *text; /* their ends are NUL */
	uint32_t n;
	const char **l;
};

static int
compare_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorted; the tab before and the comma behind an element are left out. */
static void
lines_of(const char *text, size_t len, struct lines *out)
{
	char *save = NULL;

	*out = (struct lines){ .text = mem_alloc(len + 1) };
	if (len > 0)
		memcpy(out->text, text, len);
	for (char *w = strtok_r(out->text, "\n", &save); w != NULL;
	     w = strtok_r(NULL, "\n", &save)) {
		size_t n = strlen(w);

		if (n > 0 && w[n - 1] == ',')
			w[n - 1] = '\0';
		if ((out->n & (out->n - 1)) == 0)
			out->l = mem_grow(out->l, (out->n > 0 ? 2 * out->n : 1) * sizeof(*out->l));
		out->l[out->n++] = w[0] == '\t' ? w + 1 : w;
	}
	if (out->n > 0)
		qsort(out->l, out->n, sizeof(*out->l), compare_text);
}

static bool
lines_have(const struct lines *l, const char *line)
{
	return l->n > 0 && bsearch(&line, l->l, l->n, sizeof(*l->l), compare_text) != NULL;
}

static void
lines_fini(struct lines *l)
{
	free(l->l);
	free(l->text);
}

/* The lines of a that b does not have; the pointers are a's. */
static void
lines_minus(const struct lines *a, const struct lines *b, struct lines *out)
{
	uint32_t k = 0;

	*out = (struct lines){ .l = mem_alloc((a->n + 1) * sizeof(*out->l)) };
	for (uint32_t i = 0; i < a->n; i++) {
		int cmp = 1;

		while (k < b->n && (cmp = strcmp(b->l[k], a->l[i])) < 0)
			k++;
		if (k == b->n || cmp != 0)
			out->l[out->n++] = a->l[i];
	}
}

static void
put_elements(const char *verb, const char *set, const struct lines *l, struct buf *out)
{
	if (l->n == 0)
		return;
	buf_printf(out, "%s element " TABLE " %s {\n", verb, set);
	for (uint32_t i = 0; i < l->n; i++)
		buf_printf(out, "\t%s%s\n", l->l[i], i + 1 < l->n ? "," : "");
	buf_puts(out, "}\n");
}

/* ---- names -------------------------------------------------------------------------------- */

static const char *const kinds[] = { "map", "chain", "set",
	"counter" }; /* in the order in which they can go */

/* "KIND NAME" when the line makes or shows an object: "add KIND inet lbd NAME ...", or a tab and "KIND NAME {". */
static void
name_in(const char *line, struct buf *out)
{
	for (unsigned k = 0; k < ARRAY_LEN(kinds); k++)
		for (unsigned f = 0; f < 2; f++) {
			char start[40];
			int n = snprintf(
			    start, sizeof(start), f == 0 ? "add %s " TABLE " " : "\t%s ", kinds[k]);

			if (strncmp(line, start, (size_t)n) == 0)
				buf_printf(out, "%s %.*s\n", kinds[k],
				    (int)strcspn(line + n, " \n"), line + n);
		}
}

static const char *
next_line(const char *line)
{
	const char *end = strchr(line, '\n');

	return end != NULL ? end + 1 : line + strlen(line);
}

void
script_names(const char *text, struct buf *out)
{
	struct buf found = { 0 };
	struct lines l;

	for (const char *line = text; *line != '\0'; line = next_line(line))
		name_in(line, &found);
	lines_of((const char *)found.p, found.len, &l);
	for (uint32_t i = 0; i < l.n; i++)
		buf_printf(out, "%s\n", l.l[i]);
	lines_fini(&l);
	buf_fini(&found);
}

/* ---- scripts, taken apart ----------------------------------------------------------------- */

struct block {
	char set[64];
	bool map; /* its keys do not overlap */
	struct lines elements;
};
struct script {
	struct buf frame; /* without elements: of a block its first line only */
	uint32_t n;
	struct block *block; /* in order */
};

static bool
is_block(const char *line)
{
	return strncmp(line, BLOCK, strlen(BLOCK)) == 0;
}

static void
take_apart(const char *text, struct script *out)
{
	bool map = false;

	*out = (struct script){ 0 };
	for (const char *line = text, *next; *line != '\0'; line = next) {
		const char *end;
		struct block *b;

		next = next_line(line);
		buf_put(&out->frame, line, (size_t)(next - line));
		if (!is_block(line)) {
			map = strncmp(line, "add map ", 8) == 0;
			continue;
		}
		for (end = next; *end != '}' && *end != '\0';)
			end = next_line(end);
		out->block = mem_grow(out->block, (out->n + 1) * sizeof(*out->block));
		b = &out->block[out->n++];
		(void)snprintf(b->set, sizeof(b->set), "%.*s",
		    (int)strcspn(line + strlen(BLOCK), " "), line + strlen(BLOCK));
		b->map = map;
		lines_of(next, (size_t)(end - next), &b->elements);
		next = next_line(end);
	}
}

static void
script_fini(struct script *s)
{
	for (uint32_t i = 0; i < s->n; i++)
		lines_fini(&s->block[i].elements);
	free(s->block);
	buf_fini(&s->frame);
}

static const struct block *
block_of(const struct script *s, const char *set)
{
	for (uint32_t i = 0; i < s->n; i++)
		if (strcmp(s->block[i].set, set) == 0)
			return &s->block[i];
	return NULL;
}

/* ---- the difference ----------------------------------------------------------------------- */

/* One set with content: what goes and what comes. */
struct change {
	const struct block *b;
	bool anew; /* it is deleted and filled again */
	bool kept; /* it is there: not added, so that a table that somebody took away is noticed */
	struct lines gone, come;
};
struct diff {
	struct script new, old;
	bool know;	       /* old is what is in force */
	struct change *change; /* one for each block of new */
};

static void
compare(struct diff *d)
{
	static const struct lines none;

	d->change = mem_alloc((d->new.n + 1) * sizeof(*d->change));
	for (uint32_t i = 0; i < d->new.n; i++) {
		struct change *c = &d->change[i];
		const struct block *was = block_of(&d->old, d->new.block[i].set);

		c->b = &d->new.block[i];
		lines_minus(was != NULL ? &was->elements : &none, &c->b->elements, &c->gone);
		lines_minus(
		    &c->b->elements, was != NULL && d->know ? &was->elements : &none, &c->come);
		c->anew = !d->know || too_many(c->gone.n, was != NULL ? was->elements.n : 0) ||
			  (!c->b->map && was != NULL && c->gone.n + c->come.n > 0);
		c->kept = d->know && was != NULL && !c->anew;
		if (!c->anew || c->come.n == c->b->elements.n)
			continue;
		lines_fini(&c->come);
		lines_minus(&c->b->elements, &none, &c->come);
	}
}

static bool
only_elements(const struct diff *d)
{
	for (uint32_t i = 0; i < d->new.n; i++)
		if (d->change[i].anew)
			return false;
	return d->know && d->new.frame.len == d->old.frame.len &&
	       (d->new.frame.len == 0 ||
		   memcmp(d->new.frame.p, d->old.frame.p, d->new.frame.len) == 0);
}

static bool
made_anew(const struct diff *d, const char *set)
{
	for (uint32_t i = 0; i < d->new.n; i++)
		if (strcmp(d->change[i].b->set, set) == 0)
			return d->change[i].anew;
	return false;
}

static void
put_gone(const struct diff *d, struct buf *out)
{
	for (uint32_t i = 0; i < d->new.n; i++)
		if (!d->change[i].anew)
			put_elements("delete", d->change[i].b->set, &d->change[i].gone, out);
}

/* Objects that nobody wants any more, or that are to be made again. */
static void
put_stale(const struct diff *d, const char *text, const char *have, struct buf *out)
{
	struct buf names = { 0 };
	struct lines is, wanted;

	script_names(text, &names);
	lines_of((const char *)names.p, names.len, &wanted);
	lines_of(have, strlen(have), &is);
	for (unsigned k = 0; k < ARRAY_LEN(kinds); k++)
		for (uint32_t i = 0; i < is.n; i++) {
			size_t len = strlen(kinds[k]);

			if (strncmp(is.l[i], kinds[k], len) != 0 || is.l[i][len] != ' ')
				continue;
			if (!lines_have(&wanted, is.l[i]) || made_anew(d, is.l[i] + len + 1))
				buf_printf(out, "delete %s " TABLE "%s\n", kinds[k], is.l[i] + len);
		}
	lines_fini(&is);
	lines_fini(&wanted);
	buf_fini(&names);
}

/* The frame from line on, with what comes into the sets. */
static void
put_rest(const struct diff *d, const char *line, struct buf *out)
{
	const struct change *c = d->change;

	for (const char *next; *line != '\0'; line = next) {
		next = next_line(line);
		if (is_block(line)) {
			put_elements("add", c->b->set, &c->come, out);
			c++;
		} else if (!is_block(next) || !c->kept) {
			buf_put(out, line, (size_t)(next - line));
		}
	}
}

static void
diff_fini(struct diff *d)
{
	for (uint32_t i = 0; i < d->new.n; i++) {
		lines_fini(&d->change[i].gone);
		lines_fini(&d->change[i].come);
	}
	free(d->change);
	script_fini(&d->new);
	script_fini(&d->old);
}

void
script_next(const char *text, const char *have, const char *prev, struct buf *out)
{
	struct diff d = { .know = prev != NULL };

	if (have == NULL || text[0] == '\0') {
		buf_printf(out, "%s%s", SCRIPT_NO_TABLE, text);
		return;
	}
	take_apart(text, &d.new);
	take_apart(prev != NULL ? prev : "", &d.old);
	compare(&d);
	if (only_elements(&d)) {
		put_gone(&d, out);
		for (uint32_t i = 0; i < d.new.n; i++)
			put_elements("add", d.change[i].b->set, &d.change[i].come, out);
	} else {
		const char *rest = buf_text(&d.new.frame), *body = rest;

		for (int i = 0; i < HEAD_LINES; i++)
			body = next_line(body);
		buf_put(out, rest, (size_t)(body - rest));
		put_gone(&d, out);
		put_stale(&d, text, have, out);
		put_rest(&d, body, out);
	}
	diff_fini(&d);
}

/* ---- what nft says ------------------------------------------------------------------------ */

/* "/dev/stdin:3:1-9: Error: MESSAGE\nLINE\n^^^^": MESSAGE, and the line that it is about. */
void
script_fault(const char *text, char *out, size_t room)
{
	static const int most = 160; /* of the line */
	const char *message = strstr(text, "Error: "), *line;
	int n, len;

	message = message != NULL ? message + strlen("Error: ") : text;
	n = (int)strcspn(message, "\n");
	line = message[n] == '\n' ? message + n + 1 : "";
	len = (int)strcspn(line, "\n");
	if (n == 0)
		(void)snprintf(out, room, "nft failed without a word");
	else if (len == 0 || message == text)
		(void)snprintf(out, room, "nft: %.*s", n, message);
	else
		(void)snprintf(out, room, "nft: %.*s (%.*s%s)", n, message, len < most ? len : most,
		    line, len < most ? "" : "...");
}
