/* A doc into rows: finding what a path names, checking and writing each field, in the order of the items. An
 * item that needs what a later one makes (or that deletes what a later one lets go of) is put off until the
 * others are done; when nothing moves any more, its reason is the error. The text of a SECRET goes to the
 * secrets file first, and the row gets its number. Whether the whole is allowed is decided at the commit. */
#include "base/must.h"
#include "store/store_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LATER 1		      /* try again when the other items are done; err holds the reason */
#define DRY_SECRET UINT32_MAX /* stands for a secret that a dry run does not keep */

struct edit {
	struct store *st;
	struct arena *a;
	bool dry;
	struct err *err;
	const struct doc_item *it;
	uint32_t parent; /* id, for a CHILD */
	const char *name;
};

/* Where the item's object is: e->name and e->parent are set, and its id returned, 0 when there is none. */
static int
resolve(struct edit *e, uint32_t *id_out)
{
	const struct object *o = e->it->o;
	const char *slash = strchr(e->it->path, '/');
	char parent[NAME_TEXT];

	*id_out = 0;
	e->parent = 0;
	e->name = e->it->path;
	if ((o->flags & O_CHILD) != 0) {
		must(slash != NULL);
		(void)snprintf(
		    parent, sizeof(parent), "%.*s", (int)(slash - e->it->path), e->it->path);
		e->name = slash + 1;
		e->parent = rows_find(e->st, object_of(o->parent), 0, parent);
		if (e->parent == 0) {
			(void)err_field(e->err, ERR_UNKNOWN, NULL, NULL, "%s %s does not exist",
			    object_of(o->parent)->name, parent);
			return LATER;
		}
	}
	*id_out = rows_find(e->st, o, e->parent, e->name);
	return 0;
}

static const char *
nearest_name(struct edit *e)
{
	const struct object *o = e->it->o;
	uint32_t n = 0;
	const void *const *row = NULL;
	const char **word, *near;

	if ((o->flags & O_CHILD) != 0)
		row = snapshot_children(e->st->base, o->kind, e->parent, &n);
	else
		row = snapshot_by_name(e->st->base, o->kind, &n);
	word = arena_alloc(e->a, (n + 1) * sizeof(*word));
	for (uint32_t i = 0; i < n; i++)
		word[i] =
		    *(const char *const *)(const void *)((const char *)row[i] + o->f[0].offset);
	near = words_nearest(word, n, e->name);
	return near;
}

static int
unknown(struct edit *e)
{
	const char *near = nearest_name(e);

	if (near != NULL)
		return err_field(
		    e->err, ERR_UNKNOWN, NULL, NULL, "does not exist; did you mean %s?", near);
	return err_field(e->err, ERR_UNKNOWN, NULL, NULL, "does not exist");
}

/* Length and use of a new secret; its text is never repeated. */
static int
check_secret(const struct field *f, const char *text, struct err *err)
{
	int64_t n = (int64_t)strlen(text);

	if (n >= f->min && n <= f->max)
		return 0;
	return err_field(err, ERR_INVALID, NULL, f->name,
	    "is %lld bytes long; allowed are %lld to %lld", (long long)n, (long long)f->min,
	    (long long)f->max);
}

static int
put_secret(struct edit *e, const struct field *f, const char *text, struct cell *c)
{
	struct secrets *s;
	uint32_t n = DRY_SECRET;
	int rc;

	if (text[0] == '\0' || text[0] == '@') {
		struct cell named;

		rc = value_parse(f, text, &e->st->names, e->a, &named, e->err);
		if (rc != 0 || named.i == 0 || named.i == c->i) {
			*c = rc == 0 ? named : *c;
			return rc;
		}
		rc = store_secrets(e->st, &s, e->err);
		if (rc == 0 && !secret_exists(s, (uint32_t)named.i))
			rc = err_field(e->err, ERR_INVALID, NULL, f->name,
			    "is no secret that is kept here; a text must not begin with @");
		*c = rc == 0 ? named : *c;
		return rc;
	}
	rc = check_secret(f, text, e->err);
	if (rc == 0)
		rc = store_secrets(e->st, &s, e->err);
	if (rc == 0 && c->i != 0 && secret_verify(s, (uint32_t)c->i, text))
		return 0; /* the one it has */
	if (rc == 0 && !e->dry)
		rc = secret_put(s, f, text, &n, e->err);
	if (rc == 0)
		*c = (struct cell){ .i = n };
	return rc;
}

static int
set_field(struct edit *e, unsigned i, struct cell *c)
{
	const struct field *f = &e->it->o->f[i];
	const char *text = e->it->text[i];
	int rc;

	if (text == DOC_UNSET) {
		value_default(f, e->a, c);
		return 0;
	}
	if (f->type == VT_SECRET)
		return put_secret(e, f, text, c);
	rc = value_parse(f, text, &e->st->names, e->a, c, e->err);
	return rc != 0 && f->type == VT_REF ? LATER : rc;
}

/* All fields of the item into the row. fresh: what is absent gets its default. */
static int
fill_row(struct edit *e, bool fresh, struct row *row)
{
	const struct object *o = e->it->o;
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < o->n; i++) {
		const struct field *f = &o->f[i];

		if ((f->flags & F_KEY) != 0)
			row->c[i] = (struct cell){ .s = e->name, .len = (uint32_t)strlen(e->name) };
		else if ((f->flags & F_PARENT) != 0)
			row->c[i] = (struct cell){ .i = e->parent };
		else if (e->it->text[i] != NULL)
			rc = set_field(e, i, &row->c[i]);
		else if (fresh && (f->flags & F_REQUIRED) != 0)
			rc = err_field(e->err, ERR_INVALID, NULL, f->name, "is required");
		else if (fresh)
			value_default(f, e->a, &row->c[i]);
	}
	return rc;
}

/* A server that comes back under its name comes back as itself: orders that were given for it still hold. */
static uint32_t
orphan_id(struct edit *e)
{
	const struct object *o = e->it->o;
	struct buf sql = { 0 };
	sqlite3_stmt *q;
	uint32_t id = 0;

	for (unsigned k = 0; k < KINDS; k++) {
		const struct object *of = &objects[k];

		if ((of->flags & O_NAMELESS) == 0 || of->parent != o->kind ||
		    snapshot_count(e->st->base, of->kind) == 0)
			continue;
		sql.len = 0;
		buf_printf(&sql,
		    "SELECT id FROM \"%s\" WHERE \"%s\"=?1 AND id NOT IN (SELECT id FROM \"%s\")"
		    " ORDER BY id DESC LIMIT 1",
		    of->cname, of->f[0].name, o->cname);
		q = store_query(e->st, buf_text(&sql));
		(void)sqlite3_bind_text(q, 1, e->it->path, -1, SQLITE_STATIC);
		if (q != NULL && sqlite3_step(q) == SQLITE_ROW)
			id = (uint32_t)sqlite3_column_int64(q, 0);
		(void)sqlite3_finalize(q);
	}
	buf_fini(&sql);
	return id;
}

static int
write_item(struct edit *e, uint32_t id, bool fresh)
{
	const struct object *o = e->it->o;
	struct row row = { .id = 0 };
	int rc;

	if (id != 0 && !rows_get(e->st, o, id, &row))
		return store_fault(e->st, e->err);
	rc = fill_row(e, fresh, &row);
	if (rc != 0)
		return rc;
	if (id != 0)
		return rows_update(e->st, o, &row, e->err);
	row.id = orphan_id(e);
	return rows_insert(e->st, o, &row, e->err);
}

static int
rename_item(struct edit *e, uint32_t id)
{
	const struct object *o = e->it->o;
	struct row row;
	int rc;

	if (e->it->text[0] == NULL)
		return err_field(
		    e->err, ERR_INVALID, NULL, o->f[0].name, "the new name is missing");
	if (!rows_get(e->st, o, id, &row))
		return store_fault(e->st, e->err);
	rc = value_parse(&o->f[0], e->it->text[0], &e->st->names, e->a, &row.c[0], e->err);
	return rc != 0 ? rc : rows_update(e->st, o, &row, e->err);
}

static int
delete_children(struct edit *e, uint32_t id)
{
	int rc = 0;

	for (unsigned k = 0; rc == 0 && k < KINDS; k++) {
		const struct object *child = &objects[k];
		uint32_t n, *ids;

		if ((child->flags & O_CHILD) == 0 || child->parent != e->it->o->kind)
			continue;
		ids = rows_children(e->st, child, id, &n);
		for (uint32_t i = 0; rc == 0 && i < n; i++)
			rc = rows_delete(e->st, child, ids[i], e->err);
		free(ids);
	}
	return rc;
}

static int
delete_item(struct edit *e, uint32_t id)
{
	char user[NAME_TEXT + 32];
	int rc = e->it->cascade ? delete_children(e, id) : 0;

	if (rc != 0)
		return rc;
	if (rows_user(e->st, e->it->o, id, user)) {
		(void)err_field(
		    e->err, ERR_CONFLICT, NULL, NULL, "cannot be deleted: %s uses it", user);
		return LATER;
	}
	return rows_delete(e->st, e->it->o, id, e->err);
}

static int
apply_item(struct edit *e)
{
	enum doc_op op = e->it->op;
	uint32_t id;
	int rc = resolve(e, &id);

	if (rc != 0)
		return rc;
	switch (op) {
	case DOC_CREATE:
		if (id != 0)
			return err_field(e->err, ERR_CONFLICT, NULL, NULL, "exists already");
		return write_item(e, 0, true);
	case DOC_REPLACE: return write_item(e, id, true);
	case DOC_MERGE: return id == 0 ? unknown(e) : write_item(e, id, false);
	case DOC_DELETE: return id == 0 ? unknown(e) : delete_item(e, id);
	case DOC_RENAME: return id == 0 ? unknown(e) : rename_item(e, id);
	}
	must(op <= DOC_RENAME);
	return 0;
}

/* Items that were put off, in their order. */
struct waiting {
	const struct doc_item **it;
	unsigned n;
};

/* An item about an object whose making was put off must wait for it too. */
static bool
waits_for(const struct waiting *w, const struct doc_item *it)
{
	for (unsigned i = 0; i < w->n; i++)
		if (w->it[i]->o == it->o && strcmp(w->it[i]->path, it->path) == 0)
			return true;
	return false;
}

static int
try_item(struct edit *e, struct waiting *later, struct err *why)
{
	struct err reason = { 0 };
	int rc;

	e->err = &reason;
	rc = apply_item(e);
	e->err = NULL;
	if (rc == ERR_UNKNOWN && waits_for(later, e->it))
		rc = LATER;
	if (rc == 0)
		return 0;
	(void)doc_item_err(e->it, e->it->line, &reason);
	if (rc != LATER || later->n == 0)
		*why = reason;
	if (rc != LATER)
		return rc;
	later->it[later->n++] = e->it;
	return 0;
}

int
edit_doc(struct store *st, const struct doc *d, const struct commit_info *info, struct err *err)
{
	struct edit e = { .st = st, .a = arena_new(64 * 1024), .dry = info->dry_run };
	const struct doc_item **list = arena_alloc(e.a, 2 * (d->n + 1) * sizeof(*list));
	struct waiting now = { .it = list }, later = { .it = list + d->n + 1 }, swap;
	struct err why = { 0 };
	int rc = 0;

	for (const struct doc_item *it = d->first; it != NULL; it = it->next)
		now.it[now.n++] = it;
	while (rc == 0 && now.n > 0) {
		later.n = 0;
		for (unsigned i = 0; rc == 0 && i < now.n; i++) {
			e.it = now.it[i];
			rc = try_item(&e, &later, &why);
		}
		if (rc == 0 && later.n == now.n)
			rc = why.code;
		swap = now;
		now = later;
		later = swap;
	}
	if (rc != 0 && err != NULL)
		*err = why;
	arena_unref(e.a);
	return rc;
}

int
store_edit(struct store *st, const struct doc *d, const struct commit_info *info,
    struct commit_result *result, struct err *err)
{
	int rc = txn_begin(st, info, err);

	if (rc != 0)
		return rc;
	rc = edit_doc(st, d, info, err);
	if (rc == 0)
		return txn_commit(st, info, result, err);
	txn_abort(st);
	return rc;
}

int
edit_seal(struct store *st, const struct doc *d, struct err *err)
{
	struct secrets *s;
	char number[16];
	uint32_t n;
	int rc = 0;

	for (struct doc_item *it = d->first; rc == 0 && it != NULL; it = it->next)
		for (unsigned i = 0; rc == 0 && i < it->o->n; i++) {
			const struct field *f = &it->o->f[i];
			const char *text = it->text[i];

			if (f->type != VT_SECRET || text == NULL || text == DOC_UNSET ||
			    text[0] == '\0' || text[0] == '@')
				continue;
			rc = check_secret(f, text, err);
			if (rc == 0)
				rc = store_secrets(st, &s, err);
			if (rc == 0)
				rc = secret_put(s, f, text, &n, err);
			if (rc != 0) {
				(void)doc_item_err(it, it->line, err);
				return rc;
			}
			(void)snprintf(number, sizeof(number), "@%u", (unsigned)n);
			it->text[i] = arena_text(d->a, number, strlen(number));
		}
	return rc;
}
