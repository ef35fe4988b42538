/* Conflicts of a join: kept, listed, handed to the peer, and settled by a person. A record holds one row of a
 * delta, which is what taking it does: the field is set, the row added or deleted, whatever stands there now; the
 * whole is checked as in every commit. Records are no configuration: they have no revision and are not rolled back. */
#include "base/must.h"
#include "store/store_priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static int
no_record(uint64_t id, struct err *err)
{
	return err_set(err, ERR_UNKNOWN, "there is no conflict %016llx", (unsigned long long)id);
}

void
replica_conflict_words(const struct conflict *c, struct conflict_words *out)
{
	static const char *const why[] = { [CONFLICT_FIELD] = "both changed it",
		[CONFLICT_GONE] = "deleted on the other node",
		[CONFLICT_KEPT] = "deleted there, changed or used here",
		[CONFLICT_NAME] = "the name is taken",
		[CONFLICT_REFERENCE] = "it names what does not exist",
		[CONFLICT_FOREIGN] = "of a newer version" };
	const struct object *o = object_of(c->kind);
	const struct field *f = o != NULL && c->tag != 0 ? field_by_tag(o, c->tag) : NULL;

	(void)snprintf(out->id, sizeof(out->id), "%016" PRIx64, c->id);
	out->kind = o != NULL ? o->name : "?";
	out->field = f != NULL ? f->name : c->tag != 0 ? "?" : "";
	out->why = c->what == CONFLICT_REFUSED			      ? c->reason
		   : c->what < ARRAY_LEN(why) && why[c->what] != NULL ? why[c->what]
								      : "?";
}

int
conflict_add(struct store *st, const struct conflict *c, struct err *err)
{
	sqlite3_stmt *q =
	    store_query(st, "INSERT OR IGNORE INTO conflict(id, record, delta) VALUES(?1,?2,?3)");
	struct buf record = { 0 };
	int rc;

	replica_conflict_encode(c, &record);
	(void)sqlite3_bind_int64(q, 1, (int64_t)c->id);
	(void)sqlite3_bind_blob(q, 2, record.p, (int)record.len, SQLITE_STATIC);
	(void)sqlite3_bind_blob(q, 3, c->delta, (int)c->len, SQLITE_STATIC);
	rc = store_run(st, q, err);
	buf_fini(&record);
	st->touched = true;
	return rc;
}

int
replica_conflict_put(struct store *st, const struct conflict *c, struct err *err)
{
	must(st->writer);
	return conflict_add(st, c, err);
}

int
replica_conflicts(struct store *st, conflict_fn fn, void *arg)
{
	sqlite3_stmt *q = store_query(st, "SELECT record FROM conflict ORDER BY seq");
	struct conflict c;
	int rc = q != NULL ? 0 : ERR_STORE, step = SQLITE_DONE;

	while (rc == 0 && (step = sqlite3_step(q)) == SQLITE_ROW)
		if (replica_conflict_decode(
			sqlite3_column_blob(q, 0), (size_t)sqlite3_column_bytes(q, 0), &c) == 0)
			rc = fn(arg, &c); /* else one of another build */
	if (rc == 0 && step != SQLITE_DONE)
		rc = ERR_STORE;
	(void)sqlite3_finalize(q);
	return rc;
}

static int
drop(struct store *st, uint64_t id, struct err *err)
{
	sqlite3_stmt *q = store_query(st, "DELETE FROM conflict WHERE id=?1");
	int rc;

	(void)sqlite3_bind_int64(q, 1, (int64_t)id);
	rc = store_run(st, q, err);
	return rc == 0 && sqlite3_changes(st->db) == 0 ? no_record(id, err) : rc;
}

int
replica_conflict_drop(struct store *st, uint64_t id, struct err *err)
{
	must(st->writer);
	return drop(st, id, err);
}

/* ---- taking the losing value -------------------------------------------------------------------- */

struct taking {
	struct store *st;
	const struct object *o;
	const struct delta_row *d;
	struct err *err;
};

static int
is_gone(struct taking *t, const char *what)
{
	return err_set(
	    t->err, ERR_UNKNOWN, "%s with id %u: %s", t->o->name, (unsigned)t->d->id, what);
}

static int
set_fields(struct taking *t, struct row *row)
{
	struct row other;

	for (unsigned i = 0; i < t->d->n; i++) {
		const struct field *f = field_by_tag(t->o, t->d->f[i].tag);
		const struct cell *new = &t->d->f[i].new;

		if (f == NULL)
			return is_gone(t, "a field that this version does not know");
		if (f->type == VT_REF && new->i != 0 &&
		    !rows_get(t->st, object_of(f->ref), (uint32_t) new->i, &other))
			return err_field(t->err, ERR_CONFLICT, NULL, f->name,
			    "the %s that it names does not exist any more",
			    object_of(f->ref)->name);
		row->c[f - t->o->f] = *new;
	}
	return 0;
}

static int
take_edit(struct taking *t)
{
	struct row row;
	int rc;

	if (!rows_get(t->st, t->o, t->d->id, &row))
		return is_gone(t, "is deleted");
	rc = set_fields(t, &row);
	return rc == 0 ? rows_update(t->st, t->o, &row, t->err) : rc;
}

static int
take_add(struct taking *t)
{
	struct arena *a = arena_new(1024);
	struct row row = { .id = t->d->id };
	bool here = rows_get(t->st, t->o, t->d->id, &row);
	int rc;

	for (unsigned i = 0; !here && i < t->o->n; i++)
		value_default(&t->o->f[i], a, &row.c[i]);
	rc = set_fields(t, &row);
	if (rc == 0)
		rc = here ? rows_update(t->st, t->o, &row, t->err)
			  : rows_insert(t->st, t->o, &row, t->err);
	arena_unref(a);
	return rc;
}

static int
take_deletion(struct taking *t)
{
	char user[NAME_TEXT + 32];
	struct row row;

	if (!rows_get(t->st, t->o, t->d->id, &row))
		return 0;
	if (rows_user(t->st, t->o, t->d->id, user))
		return err_set(t->err, ERR_CONFLICT, "%s with id %u: cannot be deleted: %s uses it",
		    t->o->name, (unsigned)t->d->id, user);
	return rows_delete(t->st, t->o, t->d->id, t->err);
}

static int
take_row(struct store *st, const struct conflict *c, struct err *err)
{
	struct rd r = { .p = c->delta, .left = c->len };
	struct delta_row row;
	struct taking t = { .st = st, .d = &row, .err = err };

	if (!delta_next(&r, &row))
		return err_set(err, ERR_STORE, "%s: a conflict that cannot be read", st->path);
	t.o = object_of(row.kind);
	if (t.o == NULL || t.o->scope != c->scope)
		return err_set(err, ERR_UNKNOWN, "a kind that this version does not know");
	return row.op == DELTA_ADD   ? take_add(&t)
	       : row.op == DELTA_DEL ? take_deletion(&t)
				     : take_edit(&t);
}

static int
find(struct store *st, uint64_t id, struct buf *out, struct err *err)
{
	sqlite3_stmt *q = store_query(st, "SELECT record FROM conflict WHERE id=?1");
	int step = SQLITE_ERROR;

	(void)sqlite3_bind_int64(q, 1, (int64_t)id);
	if (q != NULL)
		step = sqlite3_step(q);
	if (step == SQLITE_ROW)
		buf_put(out, sqlite3_column_blob(q, 0), (size_t)sqlite3_column_bytes(q, 0));
	(void)sqlite3_finalize(q);
	if (step == SQLITE_DONE)
		return no_record(id, err);
	return step == SQLITE_ROW ? 0 : store_fault(st, err);
}

int
replica_conflict_take(struct store *st, uint64_t id, const struct commit_info *info,
    struct commit_result *result, struct err *err)
{
	struct buf record = { 0 };
	struct conflict c;
	int rc = txn_begin(st, info, err);

	if (rc != 0)
		return rc;
	rc = find(st, id, &record, err);
	if (rc == 0 && replica_conflict_decode(record.p, record.len, &c) != 0)
		rc = err_set(err, ERR_STORE, "%s: a conflict that cannot be read", st->path);
	if (rc == 0)
		rc = take_row(st, &c, err);
	if (rc == 0)
		rc = drop(st, id, err);
	if (rc == 0) {
		st->touched = true;
		rc = txn_commit(st, info, result, err);
	} else {
		txn_abort(st);
	}
	buf_fini(&record);
	return rc;
}
