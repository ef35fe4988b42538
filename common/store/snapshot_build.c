/* Building a snapshot from nothing: rows are taken kind after kind in rising order of id, then the arrays by
 * name and the lists of children are made. Also copies a row with all it points to. The patch (the usual
 * way to a new snapshot) is in snapshot_patch.c. */
#include "base/mem.h"
#include "base/must.h"
#include "store/snapshot_priv.h"

#include <string.h>

#define LOAD_CHUNK (32 * 1024)

void
builder_init(struct builder *b)
{
	*b = (struct builder){ .s = snapshot_new(), .a = arena_new(LOAD_CHUNK) };
	b->s->layer[b->s->layers++] = (struct layer){ .a = b->a };
	for (unsigned k = 0; k < KINDS; k++) {
		b->s->t[k].rows = pages_new(NULL, 0);
		if ((objects[k].flags & O_CHILD) == 0)
			b->s->t[k].names = pages_new(NULL, 0);
		else
			b->s->t[k].kids = pages_new(NULL, 0);
	}
}

void
builder_fini(struct builder *b)
{
	free(b->rows);
	snapshot_unref(b->s);
	*b = (struct builder){ 0 };
}

static void
push(struct builder *b, const void *row)
{
	if (b->n == b->cap) {
		b->cap = b->cap > 0 ? b->cap * 2 : 256;
		b->rows = mem_grow(b->rows, b->cap * sizeof(*b->rows));
	}
	must(b->n == 0 || row_id(b->rows[b->n - 1]) < row_id(row));
	b->rows[b->n++] = row;
}

void *
builder_row(struct builder *b, const struct object *o, uint32_t id)
{
	uint32_t *row = arena_alloc(b->a, o->size);

	*row = id;
	push(b, row);
	return row;
}

void
builder_copy(struct builder *b, const struct object *o, const void *row)
{
	push(b, row_copy(o, row, b->a));
}

static int
by_name(const void *a, const void *b, void *arg)
{
	const void *x = *(const void *const *)a, *y = *(const void *const *)b;
	int cmp = strcmp(row_name(arg, x), row_name(arg, y));

	return cmp != 0 ? cmp : row_id(x) < row_id(y) ? -1 : row_id(x) > row_id(y);
}

void
rows_sort(const struct object *o, const void **rows, uint32_t n)
{
	union {
		const void *c;
		void *p;
	} arg = { .c = o };

	if (n > 0)
		qsort_r(rows, n, sizeof(*rows), by_name, arg.p);
}

/* Place of the parent; rows made together have the same or the next one. */
static uint32_t
parent_place(const struct pages *parents, uint32_t id, uint32_t guess)
{
	uint32_t n = pages_count(parents);

	for (uint32_t at = guess; at < n && at < guess + 2; at++)
		if (row_id(pages_at(parents, at)) == id)
			return at;
	guess = table_position(parents, id);
	return guess < n && row_id(pages_at(parents, guess)) == id ? guess : n;
}

/* One list for each row of the parent kind, in order of id since the rows are taken in that order. */
static struct pages *
make_kids(struct builder *b, const struct object *o)
{
	const struct pages *parents = b->s->t[o->parent - 1].rows;
	uint32_t n = pages_count(parents), at = 0;
	uint32_t *place = mem_alloc((b->n + 1) * sizeof(*place)), *count;
	struct kids **list = mem_alloc((n + 1) * sizeof(*list));
	struct pages *p;

	count = mem_alloc((n + 1) * sizeof(*count));
	for (uint32_t i = 0; i < b->n; i++) {
		at = parent_place(parents, row_parent(o, b->rows[i]), at);
		place[i] = at;
		count[at]++;
	}
	for (uint32_t i = 0; i < b->n; i++) {
		struct kids **k = &list[place[i]];

		if (place[i] == n)
			continue; /* its parent does not exist: the check says so */
		if (*k == NULL)
			*k =
			    arena_alloc(b->a, sizeof(**k) + count[place[i]] * sizeof((*k)->row[0]));
		(*k)->row[(*k)->n++] = b->rows[i];
	}
	p = pages_new((const void *const *)list, n);
	free(list);
	free(count);
	free(place);
	return p;
}

void
builder_kind(struct builder *b, const struct object *o)
{
	struct table *t = &b->s->t[o->kind - 1];

	pages_unref(t->rows);
	t->rows = pages_new(b->rows, b->n);
	if ((o->flags & O_CHILD) != 0) {
		pages_unref(t->kids);
		t->kids = make_kids(b, o);
	} else {
		rows_sort(o, b->rows, b->n);
		pages_unref(t->names);
		t->names = pages_new(b->rows, b->n);
	}
	b->n = 0;
}

struct snapshot *
builder_end(struct builder *b)
{
	struct snapshot *s = b->s;

	free(b->rows);
	*b = (struct builder){ 0 };
	return s;
}

static const char *
copy_text(const char *text, struct arena *a)
{
	return text == NULL || text[0] == '\0' ? "" : arena_text(a, text, strlen(text));
}

void *
row_copy(const struct object *o, const void *row, struct arena *a)
{
	char *new = arena_alloc(a, o->size);

	memcpy(new, row, o->size);
	for (unsigned i = 0; i < o->n; i++) {
		void *m = new + o->f[i].offset;

		switch ((enum vtype)o->f[i].type) {
		case VT_NAME:
		case VT_TEXT:
		case VT_TCHAR:
		case VT_PEM:
		case VT_LINES:
		case VT_LABELS: *(const char **)m = copy_text(*(const char **)m, a); break;
		case VT_HOST:
			((struct host *)m)->text = copy_text(((struct host *)m)->text, a);
			break;
		case VT_RANGES: {
			const struct ranges *r = *(const struct ranges **)m;
			size_t n = r != NULL ? sizeof(*r) + r->n * sizeof(r->r[0]) : 0;

			if (r != NULL)
				*(const struct ranges **)m = memcpy(arena_alloc(a, n), r, n);
			break;
		}
		case VT_ADDRS: {
			const struct addrs *l = *(const struct addrs **)m;
			size_t n = l != NULL ? sizeof(*l) + l->n * sizeof(l->r[0]) : 0;

			if (l != NULL)
				*(const struct addrs **)m = memcpy(arena_alloc(a, n), l, n);
			break;
		}
		default: break; /* lies in the struct itself */
		}
	}
	return new;
}
