/* The configuration as text: kinds in the order of objects.def, rows by name, fields by tag, children within
 * their parents, defaults left out. Reading it back (yaml_parse, json_parse) and applying it changes nothing, and
 * exporting that again gives the same bytes. A secret is its number. A row of a CHILD alone stands under its kind
 * by its whole path, so that it can be applied without its parent. */
#include "base/must.h"
#include "schema/json.h"
#include "schema/yaml.h"
#include "store/snapshot_priv.h"

#include <string.h>

struct exporter {
	const struct snapshot *s;
	struct names names;
	struct arena *a;
	bool full;
	enum export_form form;
	struct json_writer j;
	struct yaml_writer y;
	struct cell def[KINDS][FIELDS_MAX];
};

static void
open_map(struct exporter *e, const char *key)
{
	if (e->form == EXPORT_JSON)
		jw_object(&e->j, key);
	else
		yaml_map_begin(&e->y, key);
}

static void
close_map(struct exporter *e)
{
	if (e->form == EXPORT_JSON)
		jw_end(&e->j);
	else
		yaml_map_end(&e->y);
}

static void
put_cell(struct exporter *e, const struct field *f, const struct cell *c)
{
	struct buf text = { 0 };

	if (e->form == EXPORT_JSON) {
		jw_cell(&e->j, f->name, f, c, &e->names);
		return;
	}
	value_format(f, c, &e->names, &text);
	yaml_scalar(&e->y, f->name, f, buf_text(&text));
	buf_fini(&text);
}

static void
put_fields(struct exporter *e, const struct object *o, const void *row)
{
	struct cell c;

	for (unsigned i = 0; i < o->n; i++) {
		const struct field *f = &o->f[i];

		if ((f->flags & (F_KEY | F_PARENT)) != 0)
			continue; /* said by the path */
		value_save(f, row, e->a, &c);
		if (e->full || (f->flags & F_REQUIRED) != 0 ||
		    !cell_same(&c, &e->def[o->kind - 1][i]))
			put_cell(e, f, &c);
	}
}

static void
put_children(struct exporter *e, const struct object *child, uint32_t parent)
{
	const struct kids *k = snapshot_kids(e->s, child, parent);
	const void **row;

	if (k == NULL || k->n == 0)
		return;
	row = arena_alloc(e->a, k->n * sizeof(*row));
	memcpy(row, k->row, k->n * sizeof(*row));
	rows_sort(child, row, k->n);
	open_map(e, child->plural);
	for (uint32_t i = 0; i < k->n; i++) {
		open_map(e, row_name(child, row[i]));
		put_fields(e, child, row[i]);
		close_map(e);
	}
	close_map(e);
}

static void
put_row(struct exporter *e, const struct object *o, const char *key, const void *row)
{
	const struct object *child = NULL;
	struct arena *all = e->a;

	e->a = arena_new(4096); /* what one row needs, freed with it */
	open_map(e, key);
	put_fields(e, o, row);
	while ((child = object_child(o, child)) != NULL)
		put_children(e, child, row_id(row));
	close_map(e);
	arena_unref(e->a);
	e->a = all;
}

/* The key of a row at the top: an order is named by its server, and left out when that was deleted. */
static const char *
key_of(struct exporter *e, const struct object *o, const void *row, char buf[160])
{
	unsigned kind = (o->flags & O_NAMELESS) != 0 ? o->parent : o->kind;

	if (snapshot_find(e->s, kind, row_id(row)) == NULL)
		return NULL;
	return snapshot_path(e->s, kind, row_id(row), buf);
}

static void
put_kind(struct exporter *e, const struct object *o, const void *only)
{
	uint32_t n;
	const void *const *row = snapshot_by_name(e->s, o->kind, &n);
	char buf[160];

	if (n == 0)
		return;
	if ((o->flags & O_SINGLE) != 0) {
		put_row(e, o, o->name, row[0]);
		return;
	}
	open_map(e, o->name);
	for (uint32_t i = 0; i < n; i++) {
		const char *key = only == NULL || row[i] == only ? key_of(e, o, row[i], buf) : NULL;

		if (key != NULL)
			put_row(e, o, key, row[i]);
	}
	close_map(e);
}

static void
exporter_init(struct exporter *e, const struct snapshot *s, enum export_form form, struct buf *out)
{
	*e = (struct exporter){ .s = s, .form = form, .a = arena_new(4096) };
	snapshot_names(s, &e->names);
	if (form == EXPORT_JSON) {
		jw_init(&e->j, out, 2);
		jw_object(&e->j, NULL);
	} else {
		yaml_writer_init(&e->y, out);
	}
	for (unsigned k = 0; k < KINDS; k++)
		for (unsigned i = 0; i < objects[k].n; i++)
			value_default(&objects[k].f[i], e->a, &e->def[k][i]);
}

static void
exporter_fini(struct exporter *e)
{
	if (e->form == EXPORT_JSON) {
		jw_end(&e->j);
		jw_finish(&e->j);
	} else {
		yaml_writer_finish(&e->y);
	}
	arena_unref(e->a);
}

int
snapshot_export(const struct snapshot *s, enum export_form form, unsigned kind, const char *path,
    bool full, struct buf *out, struct err *err)
{
	const void *only = NULL;
	struct exporter e;

	if (kind != 0 && path != NULL) {
		only = snapshot_find_path(s, kind, path);
		if (only == NULL)
			return err_set(
			    err, ERR_UNKNOWN, "%s %s: does not exist", object_of(kind)->name, path);
	}
	exporter_init(&e, s, form, out);
	e.full = full;
	for (unsigned k = 0; k < KINDS; k++) {
		const struct object *o = object_of(object_order[k]);

		if (kind != 0 ? o->kind != kind
			      : o->scope >= SCOPE_OPER || (o->flags & O_CHILD) != 0)
			continue;
		put_kind(&e, o, only);
	}
	exporter_fini(&e);
	return 0;
}

void
snapshot_export_row(
    const struct snapshot *s, const struct object *o, const void *row, struct buf *out)
{
	struct arena *a = arena_new(1024);
	struct json_writer w;
	struct names names;
	struct cell c;

	snapshot_names(s, &names);
	jw_init(&w, out, 0);
	jw_object(&w, NULL);
	for (unsigned i = 0; i < o->n; i++) {
		value_save(&o->f[i], row, a, &c);
		jw_cell(&w, o->f[i].name, &o->f[i], &c, &names);
	}
	jw_end(&w);
	jw_finish(&w);
	arena_unref(a);
}
