/* One revision of the other node onto rows that went on without it, field by field. A field that still is what the
 * other saw is taken; anything else stands as it is, and what the other wanted becomes a record that a person can
 * take instead. Once both have changed a field it is contested for the rest of this separation, so an edit that
 * happens to meet the value it expects does not undo what was done here. The order: rows that go give up their
 * names, rows that are renamed give up theirs, names are settled, rows are added (parents first), fields are set, and
 * what is to go goes (children first) unless something here uses it. '#' cannot be in a name that a person gave, so
 * a row without a name needs no other mark. Whether the whole is allowed is decided at the commit. */
#include "base/must.h"
#include "store/store_join_priv.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* ---- what rows are here ------------------------------------------------------------------------- */

static bool
is_nameless(const struct object *o)
{
	return (o->flags & O_NAMELESS) != 0;
}

static bool
is_parked(const struct row *row)
{
	return row->c[0].s != NULL && row->c[0].s[0] == '#';
}

static uint32_t
parent_of(const struct object *o, const struct row *row)
{
	return (o->flags & O_CHILD) != 0 ? (uint32_t)row->c[o->parent_ref].i : 0;
}

static bool
exists(struct join *j, const struct field *f, const struct cell *c)
{
	struct row row;

	return f->type != VT_REF || c->i == 0 ||
	       rows_get(j->st, object_of(f->ref), (uint32_t)c->i, &row);
}

/* The row as it is here, with texts of its own: those of the statement do not last. */
static bool
get(struct join *j, struct row *row)
{
	if (!rows_get(j->st, j->o, j->d->id, row))
		return false;
	for (unsigned i = 0; i < j->o->n; i++)
		if (row->c[i].s != NULL)
			row->c[i].s = arena_text(j->a, row->c[i].s, row->c[i].len);
	return true;
}

static int
set_name(struct join *j, uint32_t id, const char *name)
{
	sqlite3_stmt *q;
	struct buf sql = { 0 };

	buf_printf(&sql, "UPDATE \"%s\" SET \"%s\"=?2 WHERE id=?1", j->o->cname, j->o->f[0].name);
	q = store_query(j->st, buf_text(&sql));
	buf_fini(&sql);
	(void)sqlite3_bind_int64(q, 1, id);
	(void)sqlite3_bind_text(q, 2, name, -1, SQLITE_STATIC);
	return store_run(j->st, q, j->err);
}

static int
park(struct join *j, uint32_t id)
{
	char name[16];

	(void)snprintf(name, sizeof(name), "#%u", (unsigned)id);
	return set_name(j, id, name);
}

/* The name, or the first of name-2, name-3 that nobody has. */
static const char *
free_name(struct join *j, uint32_t parent, const char *name)
{
	int room = (int)j->o->f[0].max;
	char text[NAME_TEXT];

	(void)snprintf(text, sizeof(text), "%.*s", room, name);
	for (unsigned i = 2; rows_find(j->st, j->o, parent, text) != 0; i++)
		(void)snprintf(text, sizeof(text), "%.*s-%u", room - 11, name, i);
	return arena_text(j->a, text, strlen(text));
}

/* A field of a deleted row that was changed here: it is not what the other deleted, or both had made it so. */
static const struct delta_field *
changed_since(struct join *j, const struct row *row)
{
	for (unsigned i = 0; i < j->d->n; i++) {
		const struct field *f = field_by_tag(j->o, j->d->f[i].tag);

		if (f != NULL && (!cell_same(&row->c[f - j->o->f], &j->d->f[i].old) ||
				     loss_is_contested(j, f->tag)))
			return &j->d->f[i];
	}
	return NULL;
}

static int
keep_changed(struct join *j, const struct row *row, const struct delta_field *df)
{
	const struct field *f = field_by_tag(j->o, df->tag);
	char text[NAME_TEXT];

	(void)snprintf(
	    text, sizeof(text), "%s=%.120s", f->name, loss_text(j, f, &row->c[f - j->o->f]));
	return loss_note(
	    j, row, &(struct loss){ CONFLICT_KEPT, NULL, text, "it was changed here" });
}

/* ---- the steps ---------------------------------------------------------------------------------- */

static int
park_deleted(struct join *j)
{
	const struct delta_field *df;
	struct row row;

	if (!get(j, &row))
		return loss_contest(j, 0); /* both deleted it */
	if (is_nameless(j->o))
		return 0;
	df = changed_since(j, &row);
	return df != NULL ? keep_changed(j, &row, df) : park(j, j->d->id);
}

static int
park_renamed(struct join *j)
{
	struct row row;

	if (is_nameless(j->o) || delta_key(j->o, j->d, true) == NULL || !get(j, &row) ||
	    !cell_same(&row.c[0], &j->d->f[0].old) || loss_is_contested(j, j->d->f[0].tag))
		return 0;
	return park(j, j->d->id);
}

static int
settle_name(struct join *j)
{
	const struct delta_field *df = &j->d->f[0];
	const char *back;
	struct row row;
	int rc;

	if (is_nameless(j->o) || delta_key(j->o, j->d, false) == NULL || !get(j, &row))
		return 0;
	if (cell_same(&row.c[0], &df->new))
		return loss_contest(j, df->tag); /* both gave it the same name */
	if (!is_parked(&row))
		return loss_note_field(j, &row, CONFLICT_FIELD, df, &row.c[0], NULL);
	if (rows_find(j->st, j->o, parent_of(j->o, &row), df->new.s) == 0)
		return set_name(j, j->d->id, df->new.s);
	back = free_name(j, parent_of(j->o, &row), df->old.s);
	rc = set_name(j, j->d->id, back);
	if (rc != 0 || !get(j, &row))
		return rc;
	return loss_note_field(j, &row, CONFLICT_NAME, df, &row.c[0], "another has this name here");
}

static int
add_missing(struct join *j)
{
	struct row row = { .id = j->d->id };
	const struct delta_field *name = NULL;
	int rc = 0;

	for (unsigned i = 0; i < j->o->n; i++)
		value_default(&j->o->f[i], j->a, &row.c[i]);
	for (unsigned i = 0; rc == 0 && i < j->d->n; i++) {
		const struct delta_field *df = &j->d->f[i];
		const struct field *f = field_by_tag(j->o, df->tag);

		if (f == NULL)
			continue;
		name = (f->flags & F_KEY) != 0 ? df : name;
		if (exists(j, f, &df->new))
			row.c[f - j->o->f] = df->new;
		else if ((f->flags & F_REQUIRED) != 0)
			return loss_note(j, NULL,
			    &(struct loss){ CONFLICT_REFERENCE, NULL, "not added",
				"what it belongs to is not here" });
		else
			rc = loss_note_field(j, NULL, CONFLICT_REFERENCE, df, &row.c[f - j->o->f],
			    "what it names is not here");
	}
	if (rc == 0 && !is_nameless(j->o)) {
		const char *text = free_name(j, parent_of(j->o, &row), row.c[0].s);

		row.c[0] = (struct cell){ .s = text, .len = (uint32_t)strlen(text) };
		if (name != NULL && !cell_same(&row.c[0], &name->new))
			rc = loss_note_field(
			    j, &row, CONFLICT_NAME, name, &row.c[0], "another has this name here");
	}
	return rc == 0 ? rows_insert(j->st, j->o, &row, j->err) : rc;
}

/* Both brought back the same row: what differs stands as it is here. */
static int
add_again(struct join *j, const struct row *row)
{
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < j->d->n; i++) {
		const struct field *f = field_by_tag(j->o, j->d->f[i].tag);
		const struct cell *now = f != NULL ? &row->c[f - j->o->f] : NULL;

		if (f != NULL)
			rc = cell_same(now, &j->d->f[i].new)
				 ? loss_contest(j, f->tag)
				 : loss_note_field(j, row, CONFLICT_FIELD, &j->d->f[i], now, NULL);
	}
	return rc;
}

static int
add_row(struct join *j)
{
	struct row row;

	if (get(j, &row))
		return add_again(j, &row);
	if (loss_is_contested(j, 0))
		return loss_note(j, NULL,
		    &(struct loss){ CONFLICT_GONE, NULL, "deleted", "it was deleted here too" });
	return add_missing(j);
}

/* One field of a row that is here; the name of a row is settled already. */
static int
set_field(struct join *j, const struct delta_field *df, struct row *row)
{
	const struct field *f = field_by_tag(j->o, df->tag);
	struct cell *now = f != NULL ? &row->c[f - j->o->f] : NULL;

	if (f == NULL || ((f->flags & F_KEY) != 0 && !is_nameless(j->o)))
		return 0;
	if (cell_same(now, &df->new))
		return cell_same(now, &df->old) ? 0 : loss_contest(j, df->tag);
	if (!cell_same(now, &df->old) || loss_is_contested(j, df->tag))
		return loss_note_field(j, row, CONFLICT_FIELD, df, now, NULL);
	if (!exists(j, f, &df->new))
		return loss_note_field(
		    j, row, CONFLICT_REFERENCE, df, now, "what it names is not here");
	if ((f->flags & F_PARENT) != 0 &&
	    rows_find(j->st, j->o, (uint32_t)df->new.i, row->c[0].s) != 0)
		return loss_note_field(
		    j, row, CONFLICT_NAME, df, now, "another has this name there");
	*now = df->new;
	return 0;
}

static int
edit_row(struct join *j)
{
	struct row row;
	int rc = 0;

	if (!get(j, &row)) {
		for (unsigned i = 0; rc == 0 && i < j->d->n; i++)
			if (field_by_tag(j->o, j->d->f[i].tag) != NULL)
				rc = loss_note_field(
				    j, NULL, CONFLICT_GONE, &j->d->f[i], NULL, NULL);
		return rc;
	}
	for (unsigned i = 0; rc == 0 && i < j->d->n; i++)
		rc = set_field(j, &j->d->f[i], &row);
	return rc == 0 ? rows_update(j->st, j->o, &row, j->err) : rc;
}

static int
give_name_back(struct join *j, struct row *row, const char *user)
{
	const struct cell *key = delta_key(j->o, j->d, true);
	const char *name = free_name(j, parent_of(j->o, row), key != NULL ? key->s : "kept");
	int rc = set_name(j, j->d->id, name);

	if (rc == 0 && !get(j, row))
		rc = store_fault(j->st, j->err);
	return rc == 0 ? loss_note(j, row, &(struct loss){ CONFLICT_KEPT, NULL, name, user }) : rc;
}

static int
delete_row(struct join *j)
{
	char user[NAME_TEXT + 32], text[NAME_TEXT + 48];
	const uint32_t id = j->d->id;
	const struct delta_field *df;
	struct row row;

	if (!get(j, &row) || (!is_nameless(j->o) && !is_parked(&row)))
		return 0;
	df = is_nameless(j->o) ? changed_since(j, &row) : NULL;
	if (df != NULL)
		return keep_changed(j, &row, df);
	if (!rows_user(j->st, j->o, id, user))
		return rows_delete(j->st, j->o, id, j->err);
	(void)snprintf(text, sizeof(text), "%s uses it", user);
	return give_name_back(j, &row, text);
}

/* ---- a revision that is not allowed ------------------------------------------------------------- */

static int
refuse_fields(struct join *j, const struct row *row)
{
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < j->d->n; i++) {
		const struct field *f = field_by_tag(j->o, j->d->f[i].tag);
		const struct cell *now = f != NULL && row != NULL ? &row->c[f - j->o->f] : NULL;

		if (now != NULL && (j->d->op == DELTA_ADD || !cell_same(now, &j->d->f[i].old)))
			rc = loss_contest(j, f->tag);
		if (rc == 0 && f != NULL && (now == NULL || !cell_same(now, &j->d->f[i].new)))
			rc = loss_note_field(j, row, CONFLICT_REFUSED, &j->d->f[i], now, NULL);
	}
	return rc;
}

static int
refuse_row(struct join *j)
{
	struct row row;
	bool here = get(j, &row);

	if (j->d->op == DELTA_EDIT || (j->d->op == DELTA_ADD && here))
		return refuse_fields(j, here ? &row : NULL);
	if (j->d->op == DELTA_DEL && !here)
		return loss_contest(j, 0);
	return loss_note(j, here ? &row : NULL,
	    &(struct loss){ CONFLICT_REFUSED, NULL, here ? "kept" : "not added", NULL });
}

/* ---- all of it ---------------------------------------------------------------------------------- */

struct step {
	uint8_t op;   /* 0: any */
	bool falling; /* children before parents */
	int (*fn)(struct join *j);
};
static const struct step steps[] = {
	{ DELTA_DEL, true, park_deleted },
	{ DELTA_EDIT, false, park_renamed },
	{ DELTA_EDIT, false, settle_name },
	{ DELTA_ADD, false, add_row },
	{ DELTA_EDIT, false, edit_row },
	{ DELTA_DEL, true, delete_row },
};
static const struct step refusal[] = { { 0, false, refuse_row } };

/* Rows of one kind through one step; o NULL is all kinds that this build does not know. */
static int
run_kind(struct join *j, const struct object *o, const struct step *s, int (*fn)(struct join *j))
{
	struct rd r = { .p = j->how->rev->delta, .left = j->how->rev->len };
	struct delta_row row;
	int rc = 0;

	while (rc == 0 && delta_next(&r, &row)) {
		if (object_of(row.kind) != o || (s != NULL && s->op != 0 && row.op != s->op))
			continue;
		j->o = o;
		j->d = &row;
		j->a = arena_new(1024);
		rc = fn(j);
		arena_unref(j->a);
	}
	return rc;
}

int
join_rows(struct store *st, struct join_how *how, struct err *err)
{
	bool refused = how->refused != NULL;
	const struct step *s = refused ? refusal : steps;
	unsigned n = refused ? ARRAY_LEN(refusal) : ARRAY_LEN(steps);
	struct join j = { .st = st, .how = how, .err = err };
	int rc = store_execf(st, err, "DELETE FROM contested WHERE scope=%d AND common<>%u",
	    (int)how->rev->scope, (unsigned)how->common);

	if (rc == 0)
		rc = run_kind(&j, NULL, NULL, loss_note_foreign);
	for (unsigned k = 0; rc == 0 && k < KINDS; k++)
		rc = run_kind(&j, &objects[k], NULL, loss_note_foreign);
	for (unsigned i = 0; rc == 0 && i < n; i++)
		for (unsigned k = 0; rc == 0 && k < KINDS; k++) {
			const struct object *o =
			    object_of(object_order[s[i].falling ? KINDS - 1 - k : k]);

			if (o->scope == how->rev->scope)
				rc = run_kind(&j, o, &s[i], s[i].fn);
		}
	return rc;
}

/* ---- one revision, as a commit ------------------------------------------------------------------ */

static bool
was_joined(struct store *st, uint64_t hash)
{
	sqlite3_stmt *q = store_query(st, "SELECT 1 FROM joined WHERE hash=?1");
	bool found;

	(void)sqlite3_bind_int64(q, 1, (int64_t)hash);
	found = q != NULL && sqlite3_step(q) == SQLITE_ROW;
	(void)sqlite3_finalize(q);
	return found;
}

static int
note_joined(struct store *st, uint64_t hash, struct err *err)
{
	sqlite3_stmt *q = store_query(st, "INSERT INTO joined(hash) VALUES(?1)");

	(void)sqlite3_bind_int64(q, 1, (int64_t)hash);
	st->touched = true;
	return store_run(st, q, err);
}

/* In a transaction of its own, which a refusal ends. */
static int
join_once(struct store *st, struct join_how *how, struct commit_result *result, struct err *err)
{
	const struct replica_revision *r = how->rev;
	const struct txn_as as = { .node = r->node, .joined = true };
	char why[300];
	const struct commit_info info = { .who = r->who, .origin = "join", .why = why };
	int rc = txn_begin(st, &info, err);

	(void)snprintf(why, sizeof(why), "revision %u of node %u%s%.200s", (unsigned)r->n, r->node,
	    r->why[0] != '\0' ? ": " : "", r->why);
	how->conflicts = 0;
	if (rc != 0)
		return rc;
	rc = replica_free_of_trial(st, r->scope, err);
	if (rc == 0 && was_joined(st, r->hash)) {
		txn_abort(st);
		return 0;
	}
	if (rc == 0)
		rc = join_rows(st, how, err);
	if (rc == 0)
		rc = note_joined(st, r->hash, err);
	if (rc == 0 && txn_breaks_references(st))
		rc = err_set(err, ERR_INVALID, "something would be used that is not here");
	if (rc == 0)
		return txn_commit_as(st, &info, &as, result, err);
	txn_abort(st);
	return rc;
}

int
replica_join(struct store *st, uint32_t common, const struct replica_revision *r,
    struct commit_result *result, unsigned *conflicts_out, struct err *err)
{
	struct join_how how = { .rev = r, .common = common };
	struct err why = { 0 };
	bool skips;
	int rc = replica_fits(r->delta, r->len, r->scope, &skips, err);

	if (result != NULL)
		*result = (struct commit_result){ 0 };
	if (rc != 0)
		return rc;
	rc = join_once(st, &how, result, &why);
	if (rc == ERR_INVALID || rc == ERR_CONFLICT) { /* its set is not allowed here */
		how.refused = why.text;
		rc = join_once(st, &how, result, err);
	} else if (rc != 0 && err != NULL) {
		*err = why;
	}
	if (rc == 0 && conflicts_out != NULL)
		*conflicts_out = how.conflicts;
	return rc;
}
