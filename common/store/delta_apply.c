/* A delta applied to the rows of an open transaction: deletions, then names that change are parked so that two
 * rows can swap them, then additions and edits. Strict: a field that is not what the delta expects refuses the
 * whole. References may point forward while the transaction lasts. A tag or kind of a newer build is skipped:
 * this build has no column for it. */
#include "store/delta.h"
#include "base/must.h"
#include "store/store_priv.h"

#include <stdio.h>
#include <string.h>

struct apply {
	struct store *st;
	const struct object *o;
	struct err *err;
};

static int
moved_on(struct apply *ap, const struct row *row, const struct delta_row *d, const char *what)
{
	char path[NAME_TEXT];

	if (row != NULL)
		rows_path(ap->st, ap->o, row, path);
	else
		(void)snprintf(path, sizeof(path), "with id %u", (unsigned)d->id);
	return err_set(
	    ap->err, ERR_CONFLICT, "%s %s: %s: not as the change expects", ap->o->name, path, what);
}

static int
apply_delete(struct apply *ap, const struct delta_row *d)
{
	struct row row;

	if (!rows_get(ap->st, ap->o, d->id, &row))
		return moved_on(ap, NULL, d, "is deleted already");
	for (unsigned i = 0; i < d->n; i++) {
		const struct field *f = field_by_tag(ap->o, d->f[i].tag);

		if (f != NULL && !cell_same(&row.c[f - ap->o->f], &d->f[i].old))
			return moved_on(ap, &row, d, f->name);
	}
	return rows_delete(ap->st, ap->o, d->id, ap->err);
}

/* '#' cannot be in a name that a person gave, so a parked row needs no other mark. */
static int
park_name(struct apply *ap, const struct delta_row *d)
{
	const struct field *key = &ap->o->f[0];
	struct buf sql = { 0 };
	sqlite3_stmt *q;

	if (d->n == 0 || d->f[0].tag != key->tag || d->f[0].old.s == NULL)
		return 0; /* fields stand in the order of their tags, and the key is the first */
	buf_printf(&sql, "UPDATE \"%s\" SET \"%s\"='#'||id WHERE id=?1 AND \"%s\"=?2", ap->o->cname,
	    key->name, key->name);
	q = store_query(ap->st, buf_text(&sql));
	buf_fini(&sql);
	(void)sqlite3_bind_int64(q, 1, d->id);
	(void)sqlite3_bind_text(q, 2, d->f[0].old.s, (int)d->f[0].old.len, SQLITE_STATIC);
	return store_run(ap->st, q, ap->err);
}

static int
apply_edit(struct apply *ap, const struct delta_row *d)
{
	struct row row;

	if (!rows_get(ap->st, ap->o, d->id, &row))
		return moved_on(ap, NULL, d, "is deleted");
	for (unsigned i = 0; i < d->n; i++) {
		const struct field *f = field_by_tag(ap->o, d->f[i].tag);
		struct cell *now = f != NULL ? &row.c[f - ap->o->f] : NULL;

		if (f == NULL)
			continue;
		if ((f->flags & F_KEY) != 0 && now->s[0] == '#')
			*now = d->f[i].old;
		if (!cell_same(now, &d->f[i].old))
			return moved_on(ap, &row, d, f->name);
		*now = d->f[i].new;
	}
	return rows_update(ap->st, ap->o, &row, ap->err);
}

static int
apply_add(struct apply *ap, const struct delta_row *d)
{
	struct arena *a = arena_new(1024);
	struct row row = { .id = d->id };
	int rc;

	for (unsigned i = 0; i < ap->o->n; i++)
		value_default(&ap->o->f[i], a, &row.c[i]);
	for (unsigned i = 0; i < d->n; i++) {
		const struct field *f = field_by_tag(ap->o, d->f[i].tag);

		if (f != NULL)
			row.c[f - ap->o->f] = d->f[i].new;
	}
	rc = rows_insert(ap->st, ap->o, &row, ap->err);
	arena_unref(a);
	return rc;
}

struct step {
	uint8_t op;
	int (*fn)(struct apply *ap, const struct delta_row *d);
};
static const struct step steps[] = {
	{ DELTA_DEL, apply_delete },
	{ DELTA_EDIT, park_name },
	{ DELTA_ADD, apply_add },
	{ DELTA_EDIT, apply_edit },
};

int
delta_apply(struct store *st, const void *delta, size_t len, struct err *err)
{
	struct apply ap = { .st = st, .err = err };
	struct delta_row row;
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < ARRAY_LEN(steps); i++) {
		struct rd r = { .p = delta, .left = len };

		while (rc == 0 && delta_next(&r, &row)) {
			ap.o = object_of(row.kind);
			if (ap.o != NULL && ap.o->scope < SCOPES && row.op == steps[i].op)
				rc = steps[i].fn(&ap, &row);
		}
		if (rc == 0 && r.bad)
			rc = err_set(err, ERR_PROTO, "the delta cannot be read");
	}
	return rc;
}
