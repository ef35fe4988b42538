/* What a join does not take, in words for people and in bytes for whoever takes it after all. A record says what
 * was wanted, what stands, whose it was and why it lost; its number follows from revision, row and field, so both
 * nodes of a pair make and keep the same ones. Values of secrets are not repeated. */
#include "store/store_join_priv.h"

#include <stdio.h>
#include <string.h>

/* ---- words for people --------------------------------------------------------------------------- */

static const char *name_of_id(struct join *j, const struct object *o, uint32_t id);

const char *
loss_text(struct join *j, const struct field *f, const struct cell *c)
{
	struct buf b = { 0 };
	const char *text;

	if (f == NULL && c->s == NULL)
		buf_printf(&b, "%lld", (long long)c->i);
	else if (f == NULL)
		buf_put(&b, c->s, c->len);
	else if (f->type == VT_SECRET)
		buf_puts(&b, c->i != 0 ? "(secret)" : "");
	else if (f->type == VT_REF && c->i != 0)
		buf_puts(&b, name_of_id(j, object_of(f->ref), (uint32_t)c->i));
	else
		value_short(f, c, &j->st->names, &b);
	text = arena_text(j->a, b.len > 0 ? buf_text(&b) : "none", b.len > 0 ? b.len : 4);
	buf_fini(&b);
	return text;
}

/* "name=a address=10.0.0.1": the fields of an addition that say something. */
static const char *
row_text(struct join *j)
{
	struct buf b = { 0 };
	const char *text;

	for (unsigned i = 0; i < j->d->n; i++) {
		const struct field *f = j->o != NULL ? field_by_tag(j->o, j->d->f[i].tag) : NULL;
		struct cell def = { .s = "" };

		if (f != NULL && f->def != NULL)
			value_default(f, j->a, &def);
		else if (f != NULL && field_is_int(f))
			def = (struct cell){ 0 };
		if (f != NULL && !cell_same(&def, &j->d->f[i].new))
			buf_printf(&b, "%s%s=%s", b.len > 0 ? " " : "", f->name,
			    loss_text(j, f, &j->d->f[i].new));
	}
	text = arena_text(j->a, buf_text(&b), b.len);
	buf_fini(&b);
	return text;
}

const struct cell *
delta_key(const struct object *o, const struct delta_row *d, bool old)
{
	const struct cell *c = d->n > 0 ? (old ? &d->f[0].old : &d->f[0].new) : NULL;

	return c != NULL && o != NULL && d->f[0].tag == o->f[0].tag && c->s != NULL ? c : NULL;
}

/* The name of a row that has its key in this delta. */
static const char *
path_of_delta(struct join *j, const struct object *o, const struct delta_row *d, bool old)
{
	const struct cell *key = delta_key(o, d, old);
	char path[2 * NAME_TEXT];
	int64_t parent = 0;

	for (unsigned i = 0; (o->flags & O_CHILD) != 0 && i < d->n; i++)
		if (d->f[i].tag == o->f[o->parent_ref].tag)
			parent = old ? d->f[i].old.i : d->f[i].new.i;
	if (parent != 0)
		(void)snprintf(path, NAME_TEXT, "%s/%s",
		    name_of_id(j, object_of(o->parent), (uint32_t)parent), key->s);
	else
		(void)snprintf(path, NAME_TEXT, "%s", key->s);
	return arena_text(j->a, path, strlen(path));
}

/* The name that a row had before this delta, which deletes it (or renames it, when that counts too); else NULL. */
static const char *
name_in(struct join *j, struct rd delta, const struct object *o, uint32_t id, bool renamed)
{
	struct delta_row row;

	while (delta_next(&delta, &row))
		if (row.kind == o->kind && row.id == id && delta_key(o, &row, true) != NULL &&
		    (row.op == DELTA_DEL || (row.op == DELTA_EDIT && renamed)))
			return path_of_delta(j, o, &row, true);
	return NULL;
}

/* The name that a row had when it was deleted here, if that is among the last revisions; else NULL. */
static const char *
name_before(struct join *j, const struct object *o, uint32_t id)
{
	sqlite3_stmt *q =
	    store_query(j->st, "SELECT delta FROM revision WHERE scope=?1 AND length(delta)<1000000"
			       " ORDER BY n DESC LIMIT 100");
	const char *name = NULL;

	(void)sqlite3_bind_int(q, 1, o->scope);
	while (name == NULL && q != NULL && sqlite3_step(q) == SQLITE_ROW)
		name = name_in(j,
		    (struct rd){ .p = sqlite3_column_blob(q, 0),
			.left = (size_t)sqlite3_column_bytes(q, 0) },
		    o, id, false);
	(void)sqlite3_finalize(q);
	return name;
}

static const char *
name_of_id(struct join *j, const struct object *o, uint32_t id)
{
	const char *name = j->st->names.name(j->st, o->kind, id);
	const struct replica_revision *rev = j->how->rev;
	const char *before = NULL;
	char text[24];

	if (name != NULL && name[0] == '#') /* it gave up its name for a while */
		before = name_in(j, (struct rd){ .p = rev->delta, .left = rev->len }, o, id, true);
	if (before != NULL)
		return before;
	if (name != NULL)
		return arena_text(j->a, name, strlen(name));
	name = name_before(j, o, id);
	if (name != NULL)
		return name;
	(void)snprintf(text, sizeof(text), "with id %u", (unsigned)id);
	return arena_text(j->a, text, strlen(text));
}

/* A row that is not here has the name of the delta, or the one that it had. */
static const char *
name_of_row(struct join *j, const struct row *now)
{
	const struct delta_row *d = j->d;
	bool old = d->op == DELTA_DEL || (d->op == DELTA_EDIT && now == NULL);
	char path[NAME_TEXT];

	if (now != NULL && now->c[0].s[0] != '#') {
		rows_path(j->st, j->o, now, path);
		return arena_text(j->a, path, strlen(path));
	}
	if (j->o != NULL && delta_key(j->o, d, old) != NULL)
		return path_of_delta(j, j->o, d, old);
	if (j->o != NULL)
		return name_of_id(j, j->o, d->id);
	(void)snprintf(path, sizeof(path), "with id %u", (unsigned)d->id);
	return arena_text(j->a, path, strlen(path));
}

/* ---- records ------------------------------------------------------------------------------------ */

/* The same for a revision, row and field whenever and wherever it is made. */
static uint64_t
id_of(const struct join *j, uint16_t tag)
{
	struct buf b = { 0 };
	uint64_t id;

	buf_put_be(&b, j->how->rev->hash, 8);
	buf_put_be(&b, j->d->kind, 1);
	buf_put_be(&b, j->d->id, 4);
	buf_put_be(&b, tag, 2);
	id = secret_sum64(b.p, b.len, NULL, 0);
	buf_fini(&b);
	return id;
}

/* now is the row as it is here, or NULL. */
int
loss_note(struct join *j, const struct row *now, const struct loss *l)
{
	const struct replica_revision *rev = j->how->rev;
	const struct field *f = j->o != NULL && l->f != NULL ? field_by_tag(j->o, l->f->tag) : NULL;
	struct delta_row one = *j->d;
	struct buf delta = { 0 };
	struct conflict c = {
		.what = j->how->refused != NULL ? CONFLICT_REFUSED : l->what,
		.scope = rev->scope,
		.kind = j->d->kind,
		.object = j->d->id,
		.node = rev->node,
		.n = rev->n,
		.at = rev->at,
		.who = rev->who,
		.origin = rev->origin,
		.standing = l->standing != NULL ? l->standing : "",
		.reason = j->how->refused != NULL ? j->how->refused
			  : l->reason != NULL	  ? l->reason
						  : "",
	};
	int rc;

	if (l->f != NULL) {
		c.tag = l->f->tag;
		one.op = DELTA_EDIT;
		one.n = 1;
		one.f[0] = *l->f;
		c.losing = loss_text(j, f, &l->f->new);
	} else {
		c.losing = one.op == DELTA_DEL ? "deleted" : row_text(j);
	}
	c.id = id_of(j, c.tag);
	c.name = name_of_row(j, now);
	delta_put(&delta, &one);
	c.delta = delta.p;
	c.len = delta.len;
	rc = conflict_add(j->st, &c, j->err);
	j->how->conflicts += rc == 0;
	buf_fini(&delta);
	return rc;
}

/* What this build has no column or table for. */
int
loss_note_foreign(struct join *j)
{
	struct row row;
	int rc = 0;

	if (j->o == NULL)
		return loss_note(j, NULL,
		    &(struct loss){
			CONFLICT_FOREIGN, NULL, NULL, "a kind that this version does not know" });
	for (unsigned i = 0; rc == 0 && j->d->op != DELTA_DEL && i < j->d->n; i++) {
		if (field_by_tag(j->o, j->d->f[i].tag) != NULL)
			continue;
		rc = loss_note(j, rows_get(j->st, j->o, j->d->id, &row) ? &row : NULL,
		    &(struct loss){ CONFLICT_FOREIGN, &j->d->f[i], NULL,
			"a field that this version does not know" });
	}
	return rc;
}

int
loss_note_field(struct join *j, const struct row *now, enum conflict_what what,
    const struct delta_field *df, const struct cell *standing, const char *reason)
{
	const struct field *f = field_by_tag(j->o, df->tag);
	const char *text = standing != NULL ? loss_text(j, f, standing) : "deleted";
	int rc = what == CONFLICT_FIELD ? loss_contest(j, df->tag) : 0;

	return rc == 0 ? loss_note(j, now, &(struct loss){ what, df, text, reason }) : rc;
}

/* ---- what both changed -------------------------------------------------------------------------- */

static sqlite3_stmt *
contested(const struct join *j, const char *sql, uint16_t tag)
{
	sqlite3_stmt *q = store_query(j->st, sql);

	(void)sqlite3_bind_int(q, 1, (int)j->how->rev->scope);
	(void)sqlite3_bind_int64(q, 2, j->how->common);
	(void)sqlite3_bind_int(q, 3, j->d->kind);
	(void)sqlite3_bind_int64(q, 4, j->d->id);
	(void)sqlite3_bind_int(q, 5, tag);
	return q;
}

int
loss_contest(const struct join *j, uint16_t tag)
{
	return store_run(j->st,
	    contested(j, "INSERT OR IGNORE INTO contested VALUES(?1,?2,?3,?4,?5)", tag), j->err);
}

bool
loss_is_contested(const struct join *j, uint16_t tag)
{
	sqlite3_stmt *q = contested(j,
	    "SELECT 1 FROM contested WHERE scope=?1 AND common=?2 AND kind=?3 AND object=?4 AND tag=?5",
	    tag);
	bool found = q != NULL && sqlite3_step(q) == SQLITE_ROW;

	(void)sqlite3_finalize(q);
	return found;
}
