/* What a join does not take, in words for people and in bytes for whoever takes it after all. A record says what
 * was wanted, what stands, whose it was and why it lost; its number follows from revision, row and field, so both
 * nodes of a pair make and keep the same ones. Values of secrets are not repeated. */
#include "store/store_join_priv.h"

#include <stdio.h>
#include <string.h>

/* ---- words for people --------------------------------------------------------------------------- */

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
	else
		value_format(f, c, &j->st->names, &b);
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
		const struct field *f =
		    j->o != NULL ? field_by_tag(j->o, j->d->f[i].tag) : NULL;
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

static const char *
path_of_delta(struct join *j, const struct delta_row *d, const struct cell *key)
{
	char path[NAME_TEXT];
	struct row row = { .id = d->id };

	row.c[0] = *key;
	for (unsigned i = 0; i < d->n; i++)
		if ((j->o->flags & O_CHILD) != 0 &&
		    d->f[i].tag == j->o->f[j->o->parent_ref].tag)
			row.c[j->o->parent_ref] = d->op == DELTA_DEL ? d->f[i].old : d->f[i].new;
	rows_path(j->st, j->o, &row, path);
	return arena_text(j->a, path, strlen(path));
}

/* The name that a row had when it was deleted here; the deletion is among the last revisions, or was before. */
static const char *
name_before(struct join *j)
{
	sqlite3_stmt *q = store_query(
	    j->st, "SELECT delta FROM revision WHERE scope=?1 ORDER BY n DESC LIMIT 100");
	const char *name = NULL;
	struct delta_row row;

	(void)sqlite3_bind_int(q, 1, (int)j->how->rev->scope);
	while (name == NULL && q != NULL && sqlite3_step(q) == SQLITE_ROW) {
		struct rd r = { .p = sqlite3_column_blob(q, 0),
			.left = (size_t)sqlite3_column_bytes(q, 0) };

		while (name == NULL && delta_next(&r, &row))
			if (row.op == DELTA_DEL && row.kind == j->d->kind && row.id == j->d->id &&
			    delta_key(j->o, &row, true) != NULL)
				name = path_of_delta(j, &row, delta_key(j->o, &row, true));
	}
	(void)sqlite3_finalize(q);
	return name;
}

static const char *
name_of_row(struct join *j, const struct row *now)
{
	const struct cell *key = delta_key(j->o, j->d, j->d->op == DELTA_DEL);
	char path[NAME_TEXT];
	const char *name = NULL;

	if (now != NULL && now->c[0].s[0] != '#') {
		rows_path(j->st, j->o, now, path);
		return arena_text(j->a, path, strlen(path));
	}
	if (key == NULL && j->d->op == DELTA_EDIT)
		key = delta_key(j->o, j->d, true);
	if (key != NULL && j->o != NULL)
		return path_of_delta(j, j->d, key);
	if (j->o != NULL)
		name = name_before(j);
	if (name != NULL)
		return name;
	(void)snprintf(path, sizeof(path), "with id %u", (unsigned)j->d->id);
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
	const struct field *f =
	    j->o != NULL && l->f != NULL ? field_by_tag(j->o, l->f->tag) : NULL;
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
		.reason = j->how->refused != NULL ? j->how->refused : l->reason != NULL ? l->reason : "",
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
	int rc = 0;

	if (j->o == NULL)
		return loss_note(j, NULL, &(struct loss){ CONFLICT_FOREIGN, NULL, NULL, "a kind that this version does not know" });
	for (unsigned i = 0; rc == 0 && j->d->op != DELTA_DEL && i < j->d->n; i++)
		if (field_by_tag(j->o, j->d->f[i].tag) == NULL)
			rc = loss_note(j, NULL, &(struct loss){ CONFLICT_FOREIGN, &j->d->f[i], NULL, "a field that this version does not know" });
	return rc;
}

int
loss_note_field(struct join *j, const struct row *now, enum conflict_what what,
    const struct delta_field *df, const struct cell *standing, const char *reason)
{
	const struct field *f = field_by_tag(j->o, df->tag);
	const char *text = standing != NULL ? loss_text(j, f, standing) : "deleted";

	return loss_note(j, now, &(struct loss){ what, df, text, reason });
}
