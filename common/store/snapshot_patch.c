/* The usual way to a new snapshot: the one before and a delta. Rows that differ are made in a small layer of
 * their own; arrays share all pages that no edit touches. When the layers are many, the small ones are joined
 * at the price of what they brought; when they brought a good part of the whole, the whole is copied once. */
#include "base/mem.h"
#include "base/must.h"
#include "store/delta.h"
#include "store/snapshot_priv.h"

#include <errno.h>
#include <string.h>

#define LAYER_CHUNK 1024
#define LARGE_CHUNK (64 * 1024)
#define WASTE_MIN 4096 /* edits that never make a copy of the whole worth while */

struct edit {
	uint32_t id;
	const void *old, *new; /* NULL: added, deleted */
};

struct patch {
	struct snapshot *s; /* in the making: tables are still those of base */
	struct arena *a;
	struct edit *e; /* of the kind in hand */
	uint32_t n, cap;
	struct page_edit *pe;
	struct mark *mark;
	uint32_t marks, mark_cap;
	struct err *err;
};

static void
add_mark(struct patch *p, uint8_t kind, bool kids, uint32_t id)
{
	if (p->marks == p->mark_cap) {
		p->mark_cap = p->mark_cap > 0 ? p->mark_cap * 2 : 16;
		p->mark = mem_grow(p->mark, p->mark_cap * sizeof(*p->mark));
	}
	p->mark[p->marks++] = (struct mark){ kind, kids, id };
}

static int
unfit(struct patch *p, const struct object *o, uint32_t id, const char *why)
{
	return err_set(p->err, ERR_CONFLICT, "%s with id %u: the delta does not fit: %s", o->name,
	    (unsigned)id, why);
}

static int
make_row(struct patch *p, const struct object *o, const struct delta_row *d, struct edit *e)
{
	uint32_t *new = arena_alloc(p->a, o->size);

	if (e->old != NULL)
		memcpy(new, e->old, o->size);
	else
		object_defaults(o, p->a, new);
	*new = d->id;
	e->new = new;
	for (unsigned i = 0; i < d->n; i++) {
		const struct field *f = field_by_tag(o, d->f[i].tag);

		if (f != NULL && value_load(f, &d->f[i].new, p->a, new) != 0)
			return err_field(p->err, ERR_INVALID, o->name, f->name,
			    "a value that this version does not know (id %u)", (unsigned)d->id);
	}
	return 0;
}

static int
take_row(struct patch *p, const struct object *o, const struct delta_row *d)
{
	struct edit *e;

	if (p->n == p->cap) {
		p->cap = p->cap > 0 ? p->cap * 2 : 16;
		p->e = mem_grow(p->e, p->cap * sizeof(*p->e));
	}
	e = &p->e[p->n++];
	*e = (struct edit){ .id = d->id, .old = snapshot_find(p->s, d->kind, d->id) };
	if ((e->old == NULL) != (d->op == DELTA_ADD))
		return unfit(p, o, d->id, e->old == NULL ? "it does not exist" : "it exists");
	if (d->op == DELTA_DEL)
		return 0;
	add_mark(p, o->kind, false, d->id);
	return make_row(p, o, d, e);
}

static int
by_id(const void *a, const void *b)
{
	const struct edit *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

static struct edit *
find_edit(struct patch *p, uint32_t id)
{
	struct edit key = { .id = id };

	return bsearch(&key, p->e, p->n, sizeof(key), by_id);
}

static void
replace(struct pages **slot, struct page_edit *pe, uint32_t n)
{
	struct pages *next;

	if (n == 0)
		return;
	next = pages_splice(*slot, pe, n);
	pages_unref(*slot);
	*slot = next;
}

static bool
moves_rows(const struct patch *p)
{
	for (uint32_t i = 0; i < p->n; i++)
		if (p->e[i].old == NULL || p->e[i].new == NULL)
			return true;
	return false;
}

/* Lists of children stand at the places of their parents: parents that come and go move them. */
static void
shift_kids(struct patch *p, const struct object *child, const struct pages *old_rows)
{
	struct pages **slot = &p->s->t[child->kind - 1].kids;
	uint32_t n = 0;

	for (uint32_t i = 0; i < p->n; i++) {
		const struct edit *e = &p->e[i];
		uint32_t pos = table_position(old_rows, e->id);

		if ((e->old == NULL) != (e->new == NULL))
			p->pe[n++] =
			    (struct page_edit){ pos, e->new == NULL, e->old == NULL, NULL };
	}
	replace(slot, p->pe, n);
}

static void
patch_rows(struct patch *p, const struct object *o)
{
	struct table *t = &p->s->t[o->kind - 1];
	struct pages *old = pages_ref(t->rows);

	for (uint32_t i = 0; i < p->n; i++) {
		const struct edit *e = &p->e[i];

		p->pe[i] = (struct page_edit){ table_position(old, e->id), e->old != NULL,
			e->new != NULL, e->new };
	}
	replace(&t->rows, p->pe, p->n);
	for (unsigned k = 0; k < KINDS && moves_rows(p); k++)
		if ((objects[k].flags & O_CHILD) != 0 && objects[k].parent == o->kind)
			shift_kids(p, &objects[k], old);
	pages_unref(old);
}

static int
by_pos(const void *a, const void *b, void *arg)
{
	const struct page_edit *x = a, *y = b;
	int order;

	if (x->pos != y->pos)
		return x->pos < y->pos ? -1 : 1;
	if (x->removes != y->removes)
		return x->removes ? 1 : -1;
	if (!x->inserts || !y->inserts)
		return 0;
	order = strcmp(row_name(arg, x->v), row_name(arg, y->v));
	return order != 0 ? order : row_id(x->v) < row_id(y->v) ? -1 : row_id(x->v) > row_id(y->v);
}

/* Place of a row in the array by name; a NAMELESS kind may have one name several times. */
static uint32_t
place_of(const struct object *o, const struct pages *names, const void *row)
{
	uint32_t at = name_position(o, names, row_name(o, row));

	while (pages_at(names, at) != row)
		at++;
	return at;
}

/* Where a new row goes: by name, then id, as in a snapshot that is loaded whole. */
static uint32_t
place_for(const struct object *o, const struct pages *names, const void *row)
{
	uint32_t at = name_position(o, names, row_name(o, row));

	while (at < pages_count(names) && row_id(pages_at(names, at)) < row_id(row) &&
	       strcmp(row_name(o, pages_at(names, at)), row_name(o, row)) == 0)
		at++;
	return at;
}

static void
patch_names(struct patch *p, const struct object *o)
{
	struct table *t = &p->s->t[o->kind - 1];
	struct pages *names = t->names;
	uint32_t n = 0;
	union {
		const void *c;
		void *p;
	} arg = { .c = o };

	for (uint32_t i = 0; i < p->n; i++) {
		const struct edit *e = &p->e[i];
		bool same = e->old != NULL &&
			    e->new != NULL &&strcmp(row_name(o, e->old), row_name(o, e->new)) == 0;

		if (e->old != NULL)
			p->pe[n++] = (struct page_edit){ place_of(o, names, e->old), true, same,
				same ? e->new : NULL };
		if (e->new != NULL && !same)
			p->pe[n++] =
			    (struct page_edit){ place_for(o, names, e->new), false, true, e->new };
	}
	qsort_r(p->pe, n, sizeof(*p->pe), by_pos, arg.p);
	replace(&t->names, p->pe, n);
}

/* Rows that were made, sorted by parent, then id. */
struct fresh {
	const struct object *o;
	const void **row;
	uint32_t n;
};

static int
by_parent(const void *a, const void *b, void *arg)
{
	const void *x = *(const void *const *)a, *y = *(const void *const *)b;
	uint32_t p = row_parent(arg, x), q = row_parent(arg, y);

	return p != q ? (p < q ? -1 : 1) : row_id(x) < row_id(y) ? -1 : row_id(x) > row_id(y);
}

static void
fresh_init(struct fresh *f, const struct patch *p, const struct object *o)
{
	union {
		const void *c;
		void *p;
	} arg = { .c = o };

	*f = (struct fresh){ .o = o, .row = mem_alloc((p->n + 1) * sizeof(*f->row)) };
	for (uint32_t i = 0; i < p->n; i++)
		if (p->e[i].new != NULL)
			f->row[f->n++] = p->e[i].new;
	qsort_r(f->row, f->n, sizeof(*f->row), by_parent, arg.p);
}

static uint32_t
fresh_first(const struct fresh *f, uint32_t parent)
{
	uint32_t lo = 0, hi = f->n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (row_parent(f->o, f->row[mid]) < parent)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* The children of one parent after the edits: those that stay, merged with those that are made. */
static const struct kids *
new_kids(struct patch *p, const struct fresh *f, const struct kids *old, uint32_t parent)
{
	uint32_t at = fresh_first(f, parent), stay = 0, i = 0, upto;
	struct kids *k;

	for (upto = at; upto < f->n && row_parent(f->o, f->row[upto]) == parent;)
		upto++;
	for (uint32_t j = 0; old != NULL && j < old->n; j++)
		stay += find_edit(p, row_id(old->row[j])) == NULL;
	if (stay + upto - at == 0)
		return NULL;
	k = arena_alloc(p->a, sizeof(*k) + (stay + upto - at) * sizeof(k->row[0]));
	while (at < upto || (old != NULL && i < old->n)) {
		if (old == NULL || i == old->n ||
		    (at < upto && row_id(f->row[at]) <= row_id(old->row[i])))
			k->row[k->n++] = f->row[at++];
		else if (find_edit(p, row_id(old->row[i])) == NULL)
			k->row[k->n++] = old->row[i++];
		else
			i++;
	}
	return k;
}

static int
by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static void
patch_kids(struct patch *p, const struct object *o)
{
	const struct pages *parents = p->s->t[o->parent - 1].rows;
	struct pages **slot = &p->s->t[o->kind - 1].kids;
	uint32_t *id = mem_alloc(2 * p->n * sizeof(*id)), ids = 0, n = 0;
	struct fresh fresh;

	fresh_init(&fresh, p, o);
	for (uint32_t i = 0; i < p->n; i++) {
		if (p->e[i].old != NULL)
			id[ids++] = row_parent(o, p->e[i].old);
		if (p->e[i].new != NULL)
			id[ids++] = row_parent(o, p->e[i].new);
	}
	qsort(id, ids, sizeof(*id), by_number);
	for (uint32_t i = 0; i < ids; i++) {
		uint32_t pos = table_position(parents, id[i]);

		if ((i > 0 && id[i] == id[i - 1]) || pos == pages_count(parents) ||
		    row_id(pages_at(parents, pos)) != id[i])
			continue;
		p->pe[n++] = (struct page_edit){ pos, true, true,
			new_kids(p, &fresh, pages_at(*slot, pos), id[i]) };
		add_mark(p, o->kind, true, id[i]);
	}
	replace(slot, p->pe, n);
	free(fresh.row);
	free(id);
}

static int
patch_kind(struct patch *p, const struct object *o, const void *delta, size_t len)
{
	struct rd r = { .p = delta, .left = len };
	struct delta_row d;
	int rc = 0;

	p->n = 0;
	while (rc == 0 && delta_next(&r, &d))
		if (d.kind == o->kind)
			rc = take_row(p, o, &d);
	if (rc != 0 || p->n == 0)
		return rc;
	qsort(p->e, p->n, sizeof(*p->e), by_id);
	for (uint32_t i = 1; i < p->n; i++)
		if (p->e[i].id == p->e[i - 1].id)
			return unfit(p, o, p->e[i].id, "it stands there twice");
	p->pe = mem_grow(p->pe, 2 * p->n * sizeof(*p->pe));
	patch_rows(p, o);
	if ((o->flags & O_CHILD) != 0)
		patch_kids(p, o);
	else
		patch_names(p, o);
	p->s->edits += p->n;
	return 0;
}

/* A snapshot that shares all of base. */
static struct snapshot *
share(const struct snapshot *base)
{
	struct snapshot *s = snapshot_new();

	memcpy(s->revision, base->revision, sizeof(s->revision));
	s->incarnation = base->incarnation;
	s->edits = base->edits;
	s->layers = base->layers;
	for (unsigned i = 0; i < s->layers; i++) {
		s->layer[i] = base->layer[i];
		(void)arena_ref(s->layer[i].a);
	}
	for (unsigned k = 0; k < KINDS; k++) {
		s->t[k].rows = pages_ref(base->t[k].rows);
		if (base->t[k].names != NULL)
			s->t[k].names = pages_ref(base->t[k].names);
		if (base->t[k].kids != NULL)
			s->t[k].kids = pages_ref(base->t[k].kids);
	}
	return s;
}

static void
push_layer(struct snapshot *s, struct arena *a, const struct mark *mark, uint32_t n)
{
	struct mark *kept = arena_alloc(a, (n + 1) * sizeof(*kept));

	if (n > 0)
		memcpy(kept, mark, n * sizeof(*kept));
	must(s->layers < LAYERS_MAX);
	s->layer[s->layers++] = (struct layer){ .a = a, .mark = kept, .n = n };
}

static int
by_mark(const void *a, const void *b)
{
	const struct mark *x = a, *y = b;

	if (x->kids != y->kids)
		return x->kids ? 1 : -1;
	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return x->id < y->id ? -1 : x->id > y->id;
}

/* All marks of the small layers, each once; rows before lists, so that lists find the copied rows. */
static struct mark *
small_marks(const struct snapshot *s, uint32_t *n_out)
{
	struct mark *m;
	uint32_t n = 0, kept = 0;

	for (unsigned i = 1; i < s->layers; i++)
		n += s->layer[i].n;
	m = mem_alloc((n + 1) * sizeof(*m));
	n = 0;
	for (unsigned i = 1; i < s->layers; n += s->layer[i].n, i++)
		if (s->layer[i].n > 0)
			memcpy(m + n, s->layer[i].mark, s->layer[i].n * sizeof(*m));
	qsort(m, n, sizeof(*m), by_mark);
	for (uint32_t i = 0; i < n; i++)
		if (i == 0 || by_mark(&m[i], &m[kept - 1]) != 0)
			m[kept++] = m[i];
	*n_out = kept;
	return m;
}

/* Rows of one kind, marks in order of id, copied into the new layer. */
static void
move_rows(
    struct snapshot *s, const struct object *o, const struct mark *m, uint32_t n, struct arena *a)
{
	struct page_edit *rows = mem_alloc(n * sizeof(*rows)),
			 *names = mem_alloc(n * sizeof(*names));
	struct table *t = &s->t[o->kind - 1];
	union {
		const void *c;
		void *p;
	} arg = { .c = o };
	uint32_t k = 0;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t pos = table_position(t->rows, m[i].id);
		const void *row = pos < pages_count(t->rows) ? pages_at(t->rows, pos) : NULL, *new;

		if (row == NULL || row_id(row) != m[i].id)
			continue; /* deleted since */
		new = row_copy(o, row, a);
		rows[k] = (struct page_edit){ pos, true, true, new };
		if (t->names != NULL)
			names[k] =
			    (struct page_edit){ place_of(o, t->names, row), true, true, new };
		k++;
	}
	replace(&t->rows, rows, k);
	if (t->names != NULL) {
		qsort_r(names, k, sizeof(*names), by_pos, arg.p);
		replace(&t->names, names, k);
	}
	free(rows);
	free(names);
}

static void
move_kids(
    struct snapshot *s, const struct object *o, const struct mark *m, uint32_t n, struct arena *a)
{
	struct pages **slot = &s->t[o->kind - 1].kids, *parents = s->t[o->parent - 1].rows;
	struct page_edit *e = mem_alloc(n * sizeof(*e));
	uint32_t k = 0;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t pos = table_position(parents, m[i].id);
		const struct kids *old;
		struct kids *new;

		if (pos == pages_count(parents) || row_id(pages_at(parents, pos)) != m[i].id ||
		    (old = pages_at(*slot, pos)) == NULL)
			continue;
		new = arena_alloc(a, sizeof(*new) + old->n * sizeof(new->row[0]));
		new->n = old->n;
		for (uint32_t j = 0; j < old->n; j++)
			new->row[j] = snapshot_find(s, o->kind, row_id(old->row[j]));
		e[k++] = (struct page_edit){ pos, true, true, new };
	}
	replace(slot, e, k);
	free(e);
}

static struct snapshot *
copy_whole(const struct snapshot *old)
{
	struct builder b;

	builder_init(&b);
	memcpy(b.s->revision, old->revision, sizeof(old->revision));
	b.s->incarnation = old->incarnation;
	for (unsigned k = 0; k < KINDS; k++) {
		for (uint32_t i = 0; i < pages_count(old->t[k].rows); i++)
			builder_copy(&b, &objects[k], pages_at(old->t[k].rows, i));
		builder_kind(&b, &objects[k]);
	}
	return builder_end(&b);
}

/* s has no other owner yet. */
static struct snapshot *
join_layers(struct snapshot *s)
{
	uint32_t n, upto, total = 0;
	struct snapshot *whole;
	struct arena *a;
	struct mark *m;

	for (unsigned k = 0; k < KINDS; k++)
		total += pages_count(s->t[k].rows);
	if (s->edits > total / 2 + WASTE_MIN) {
		whole = copy_whole(s);
		snapshot_unref(s);
		return whole;
	}
	m = small_marks(s, &n);
	a = arena_new(LARGE_CHUNK);
	for (uint32_t i = 0; i < n; i = upto) {
		const struct object *o = object_of(m[i].kind);

		for (upto = i; upto < n && m[upto].kind == o->kind && m[upto].kids == m[i].kids;)
			upto++;
		if (m[i].kids)
			move_kids(s, o, m + i, upto - i, a);
		else
			move_rows(s, o, m + i, upto - i, a);
	}
	while (s->layers > 1)
		arena_unref(s->layer[--s->layers].a);
	push_layer(s, a, m, n);
	free(m);
	return s;
}

int
snapshot_patch(struct snapshot *base, enum scope scope, uint32_t revision, const void *delta,
    size_t len, struct snapshot **out, struct err *err)
{
	struct patch p = { .s = share(base), .err = err };
	struct rd r = { .p = delta, .left = len };
	bool has[KINDS] = { false };
	struct delta_row d;
	int rc = 0;

	must((unsigned)scope < SCOPES);
	p.a = arena_new(len > LARGE_CHUNK ? LARGE_CHUNK : LAYER_CHUNK);
	p.s->revision[scope] = revision;
	while (delta_next(&r, &d))
		if (object_of(d.kind) != NULL && objects[d.kind - 1].scope == scope)
			has[d.kind - 1] = true;
	if (r.bad)
		rc = err_set(
		    err, -EBADMSG, "the delta of revision %u cannot be read", (unsigned)revision);
	for (unsigned k = 0; rc == 0 && k < KINDS; k++)
		if (has[k])
			rc = patch_kind(&p, &objects[k], delta, len);
	if (rc == 0) {
		push_layer(p.s, p.a, p.mark, p.marks);
		*out = p.s->layers < LAYERS_MAX ? p.s : join_layers(p.s);
	} else {
		arena_unref(p.a);
		snapshot_unref(p.s);
	}
	free(p.e);
	free(p.pe);
	free(p.mark);
	return rc;
}
