/* Reading a snapshot: by id, by path, by place, children of a row, and what follows from rows (an order, the
 * check of a server, its weight). All tables are sorted, so finding is binary search. Nothing here changes a
 * snapshot but the counter of references and the array by path, which is made by the first who asks. */
#include "store/snapshot.h"
#include "base/mem.h"
#include "base/must.h"
#include "store/snapshot_priv.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define PATH_MAX_TEXT 160

struct snapshot *
snapshot_new(void)
{
	struct snapshot *s = mem_alloc(sizeof(*s));

	atomic_init(&s->refs, 1);
	return s;
}

struct snapshot *
snapshot_ref(struct snapshot *s)
{
	(void)atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
	return s;
}

void
snapshot_unref(struct snapshot *s)
{
	if (s == NULL || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) > 1)
		return;
	for (unsigned k = 0; k < KINDS; k++) {
		pages_unref(s->t[k].rows);
		pages_unref(s->t[k].names);
		pages_unref(s->t[k].kids);
		free(atomic_load(&s->t[k].flat));
	}
	for (unsigned i = 0; i < s->layers; i++)
		arena_unref(s->layer[i].a);
	free(s);
}

uint32_t
snapshot_revision(const struct snapshot *s, enum scope scope)
{
	must((unsigned)scope < SCOPES);
	return s->revision[scope];
}

size_t
snapshot_bytes(const struct snapshot *s)
{
	size_t n = sizeof(*s);

	for (unsigned k = 0; k < KINDS; k++) {
		const struct table *t = &s->t[k];

		n += pages_bytes(t->rows);
		n += t->names != NULL ? pages_bytes(t->names) : 0;
		n += t->kids != NULL ? pages_bytes(t->kids) : 0;
	}
	for (unsigned i = 0; i < s->layers; i++)
		n += arena_bytes(s->layer[i].a);
	return n;
}

static const struct table *
table_of(const struct snapshot *s, unsigned kind)
{
	must(kind >= 1 && kind <= KINDS);
	return &s->t[kind - 1];
}

uint32_t
snapshot_count(const struct snapshot *s, unsigned kind)
{
	return pages_count(table_of(s, kind)->rows);
}

const void *
snapshot_at(const struct snapshot *s, unsigned kind, uint32_t at)
{
	return pages_at(table_of(s, kind)->rows, at);
}

uint32_t
table_position(const struct pages *rows, uint32_t id)
{
	uint32_t lo = 0, hi = pages_count(rows);

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (row_id(pages_at(rows, mid)) < id)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

uint32_t
name_position(const struct object *o, const struct pages *names, const char *name)
{
	uint32_t lo = 0, hi = pages_count(names);

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (strcmp(row_name(o, pages_at(names, mid)), name) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

const void *
snapshot_find(const struct snapshot *s, unsigned kind, uint32_t id)
{
	const struct pages *rows = table_of(s, kind)->rows;
	uint32_t at = table_position(rows, id);

	return at < pages_count(rows) && row_id(pages_at(rows, at)) == id ? pages_at(rows, at)
									  : NULL;
}

const struct kids *
snapshot_kids(const struct snapshot *s, const struct object *o, uint32_t parent)
{
	const struct pages *rows = s->t[o->parent - 1].rows;
	uint32_t at = table_position(rows, parent);

	if (at == pages_count(rows) || row_id(pages_at(rows, at)) != parent)
		return NULL;
	return pages_at(s->t[o->kind - 1].kids, at);
}

const void *const *
snapshot_children(const struct snapshot *s, unsigned child_kind, uint32_t parent, uint32_t *n_out)
{
	const struct object *o = object_of(child_kind);
	const struct kids *k;

	must(o != NULL && (o->flags & O_CHILD) != 0);
	k = snapshot_kids(s, o, parent);
	*n_out = k != NULL ? k->n : 0;
	return k != NULL ? k->row : NULL;
}

static const void *
find_child(const struct snapshot *s, const struct object *o, const char *path)
{
	const char *slash = strchr(path, '/');
	char parent[PATH_MAX_TEXT];
	const struct kids *k = NULL;
	const void *p;

	if (slash == NULL || slash - path >= (int)sizeof(parent))
		return NULL;
	memcpy(parent, path, (size_t)(slash - path));
	parent[slash - path] = '\0';
	p = snapshot_find_path(s, o->parent, parent);
	if (p != NULL)
		k = snapshot_kids(s, o, row_id(p));
	for (uint32_t i = 0; k != NULL && i < k->n; i++)
		if (strcmp(row_name(o, k->row[i]), slash + 1) == 0)
			return k->row[i];
	return NULL;
}

const void *
snapshot_find_path(const struct snapshot *s, unsigned kind, const char *path)
{
	const struct table *t = table_of(s, kind);
	const struct object *o = object_of(kind);
	const void *row;
	uint32_t at;

	if ((o->flags & O_SINGLE) != 0)
		return pages_count(t->rows) > 0 ? pages_at(t->rows, 0) : NULL;
	if ((o->flags & O_CHILD) != 0)
		return find_child(s, o, path);
	if ((o->flags & O_NAMELESS) != 0) { /* its id is that of the row it belongs to */
		row = snapshot_find_path(s, o->parent, path);
		return row != NULL ? snapshot_find(s, kind, row_id(row)) : NULL;
	}
	at = name_position(o, t->names, path);
	if (at == pages_count(t->names))
		return NULL;
	row = pages_at(t->names, at);
	return strcmp(row_name(o, row), path) == 0 ? row : NULL;
}

const char *
snapshot_path(const struct snapshot *s, unsigned kind, uint32_t id, char *buf)
{
	const struct object *o = object_of(kind);
	const void *row = snapshot_find(s, kind, id), *parent;

	if (row == NULL)
		return strcpy(buf, "?");
	if ((o->flags & O_CHILD) == 0) {
		(void)snprintf(buf, PATH_MAX_TEXT, "%s", row_name(o, row));
		return buf;
	}
	parent = snapshot_find(s, o->parent, row_parent(o, row));
	(void)snprintf(buf, PATH_MAX_TEXT, "%s/%s",
	    parent != NULL ? row_name(object_of(o->parent), parent) : "?", row_name(o, row));
	return buf;
}

/* Children follow the order of their parents' names, then their own. */
static uint32_t
flatten_children(const struct snapshot *s, const struct object *o, const void **out)
{
	uint32_t parents, n = 0;
	const void *const *p = snapshot_by_name(s, o->parent, &parents);

	for (uint32_t i = 0; i < parents; i++) {
		const struct kids *k = snapshot_kids(s, o, row_id(p[i]));

		if (k == NULL)
			continue;
		memcpy(out + n, k->row, k->n * sizeof(*out));
		rows_sort(o, out + n, k->n);
		n += k->n;
	}
	return n;
}

const void *const *
snapshot_by_name(const struct snapshot *s, unsigned kind, uint32_t *n_out)
{
	const struct table *t = table_of(s, kind);
	const struct object *o = object_of(kind);
	const void **_Atomic *slot = (const void **_Atomic *)(uintptr_t)&t->flat;
	const void **v = atomic_load_explicit(slot, memory_order_acquire), **other = NULL;
	uint32_t n = pages_count(t->rows);

	*n_out = n;
	if (v != NULL)
		return v;
	v = mem_alloc((n + 1) * sizeof(*v));
	if ((o->flags & O_CHILD) != 0) {
		must(flatten_children(s, o, v) <= n);
	} else {
		for (uint32_t i = 0; i < n; i++)
			v[i] = pages_at(t->names, i);
	}
	if (atomic_compare_exchange_strong(slot, &other, v))
		return v;
	free(v);
	return other;
}

static uint32_t
find_id(void *arg, unsigned kind, const char *name)
{
	const void *row = snapshot_find_path(arg, kind, name);

	return row != NULL ? row_id(row) : 0;
}

static const char *
find_name(void *arg, unsigned kind, uint32_t id)
{
	static _Thread_local char buf[PATH_MAX_TEXT];

	return snapshot_find(arg, kind, id) != NULL ? snapshot_path(arg, kind, id, buf) : NULL;
}

void
snapshot_names(const struct snapshot *s, struct names *out)
{
	*out = (struct names){ find_id, find_name, (void *)(uintptr_t)s };
}

/* The rows that hold when nobody wrote one; made once and kept. */
static struct setting default_setting;
static struct node default_node;
static struct check default_check;
static struct admin default_admin;

static void
make_defaults(void)
{
	static struct arena *a;

	a = arena_new(1024);
	object_defaults(object_of(KIND_setting), a, &default_setting);
	object_defaults(object_of(KIND_node), a, &default_node);
	object_defaults(object_of(KIND_check), a, &default_check);
	object_defaults(object_of(KIND_admin), a, &default_admin);
	default_check.name = "";
	default_admin.name = "";
}

static void
need_defaults(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	must(pthread_once(&once, make_defaults) == 0);
}

const struct setting *
snapshot_setting(const struct snapshot *s)
{
	need_defaults();
	return snapshot_count(s, KIND_setting) > 0 ? snapshot_at(s, KIND_setting, 0)
						   : &default_setting;
}

const struct node *
snapshot_node(const struct snapshot *s)
{
	need_defaults();
	return snapshot_count(s, KIND_node) > 0 ? snapshot_at(s, KIND_node, 0) : &default_node;
}

const struct admin *
snapshot_admin(const struct snapshot *s, uint32_t server_id)
{
	const struct admin *a = snapshot_find(s, KIND_admin, server_id);

	need_defaults();
	return a != NULL ? a : &default_admin;
}

const struct check *
snapshot_check_of(const struct snapshot *s, const struct server *srv)
{
	const struct check *c = NULL;
	const struct service *svc;

	need_defaults();
	if (srv->check != 0)
		c = snapshot_find(s, KIND_check, srv->check);
	if (c == NULL && (svc = snapshot_find(s, KIND_service, srv->vip)) != NULL &&
	    svc->check != 0)
		c = snapshot_find(s, KIND_check, svc->check);
	return c != NULL ? c : &default_check;
}

uint32_t
snapshot_weight(const struct snapshot *s, const struct server *srv)
{
	const struct admin *a = snapshot_admin(s, srv->id);

	if (a->state != admin_state_online)
		return 0;
	return a->weighted ? a->weight : srv->weight;
}
