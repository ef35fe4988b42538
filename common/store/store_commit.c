/* A transaction from begin to commit. A session records what happened to the rows, however it was made; its
 * changeset becomes one delta for each scope; the base is patched with them and checked as a whole; deltas and
 * rows are committed together, so none can exist without the other. A scope in which nothing differs gets no
 * revision. What kept revisions name is kept: secrets, and the base of a trial. */
#include "base/mem.h"
#include "base/must.h"
#include "store/store_priv.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static void
cell_of(sqlite3_value *v, struct cell *out)
{
	*out = (struct cell){ 0 };
	if (v != NULL && sqlite3_value_type(v) == SQLITE_TEXT) {
		out->s = (const char *)sqlite3_value_text(v);
		out->len = (uint32_t)sqlite3_value_bytes(v);
	} else if (v != NULL) {
		out->i = sqlite3_value_int64(v);
	}
}

static void
take_change(const struct store *st, sqlite3_changeset_iter *it, const struct object *o,
    struct delta_row *row)
{
	const char *table;
	int columns, op, indirect;

	(void)sqlite3changeset_op(it, &table, &columns, &op, &indirect);
	row->kind = o->kind;
	row->op = op == SQLITE_INSERT ? DELTA_ADD : op == SQLITE_DELETE ? DELTA_DEL : DELTA_EDIT;
	row->n = 0;
	for (int c = 0; c < columns && c < COLUMNS_MAX; c++) {
		struct delta_field *f = &row->f[row->n];
		sqlite3_value *old = NULL, *new = NULL;

		if (op != SQLITE_INSERT)
			(void)sqlite3changeset_old(it, c, &old);
		if (op != SQLITE_DELETE)
			(void)sqlite3changeset_new(it, c, &new);
		if (c == 0)
			row->id = (uint32_t)sqlite3_value_int64(old != NULL ? old : new);
		if (st->col[o->kind - 1][c] == NO_FIELD || (old == NULL && new == NULL))
			continue;
		f->tag = o->f[st->col[o->kind - 1][c]].tag;
		cell_of(old, &f->old);
		cell_of(new, &f->new);
		row->n++;
	}
}

static const struct object *
object_of_table(const char *table)
{
	for (unsigned k = 0; k < KINDS; k++)
		if (strcmp(objects[k].cname, table) == 0)
			return &objects[k];
	return NULL;
}

int
delta_from_changeset(
    struct store *st, const void *cs, int len, struct buf out[SCOPES], struct err *err)
{
	sqlite3_changeset_iter *it;
	struct delta_row row;
	const char *table;
	int columns, op, indirect;

	if (len == 0)
		return 0;
	must(sqlite3changeset_start(&it, len, (void *)(uintptr_t)cs) == SQLITE_OK);
	while (sqlite3changeset_next(it) == SQLITE_ROW) {
		const struct object *o;

		(void)sqlite3changeset_op(it, &table, &columns, &op, &indirect);
		o = object_of_table(table);
		must(o != NULL && o->scope < SCOPES);
		take_change(st, it, o, &row);
		delta_put(&out[o->scope], &row);
	}
	if (sqlite3changeset_finalize(it) != SQLITE_OK)
		return err_set(
		    err, ERR_STORE, "%s: the record of the changes cannot be read", st->path);
	return 0;
}

static int
start_session(struct store *st, struct err *err)
{
	int rc = sqlite3session_create(st->db, "main", &st->session);

	for (unsigned k = 0; rc == SQLITE_OK && k < KINDS; k++)
		if (objects[k].scope < SCOPES)
			rc = sqlite3session_attach(st->session, objects[k].cname);
	return rc == SQLITE_OK ? 0 : store_fault(st, err);
}

int
txn_begin(struct store *st, const struct commit_info *info, struct err *err)
{
	uint32_t head;
	int rc = 0;

	must(info != NULL && info->who != NULL && st->writer);
	if (st->db == NULL || (!st->making && store_replaced(st)))
		rc = store_reopen(st, err);
	if (rc != 0)
		return rc;
	st->fault = 0;
	rows_reset(st);
	rc = store_exec(st, "BEGIN IMMEDIATE", err);
	if (rc != 0)
		return rc;
	rc = store_refresh(st, err);
	head = rc == 0 ? snapshot_revision(st->base, SCOPE_SHARED) : 0;
	if (rc == 0 && info->base != 0 && info->base != head)
		rc = err_set(err, ERR_CONFLICT,
		    "the configuration is at revision %u, not at %u as expected: look at what changed and "
		    "try again",
		    (unsigned)head, (unsigned)info->base);
	if (rc == 0)
		rc = rows_sequences(st, err);
	if (rc == 0)
		rc = start_session(st, err);
	if (rc != 0)
		txn_abort(st);
	return rc;
}

void
txn_abort(struct store *st)
{
	rows_reset(st);
	if (st->session != NULL)
		sqlite3session_delete(st->session);
	st->session = NULL;
	(void)sqlite3_exec(st->db, "ROLLBACK", NULL, NULL, NULL);
}

static int
record(struct store *st, enum scope scope, uint32_t n, const struct commit_info *info,
    const struct buf *delta, struct err *err)
{
	sqlite3_stmt *q = store_query(st,
	    "INSERT INTO revision(scope,n,at,who,origin,why,delta,changes) VALUES(?1,?2,?3,?4,?5,?6,?7,?8)");

	(void)sqlite3_bind_int(q, 1, (int)scope);
	(void)sqlite3_bind_int64(q, 2, n);
	(void)sqlite3_bind_int64(q, 3, (int64_t)time(NULL));
	(void)sqlite3_bind_text(q, 4, info->who, -1, SQLITE_STATIC);
	(void)sqlite3_bind_text(q, 5, info->origin != NULL ? info->origin : "", -1, SQLITE_STATIC);
	(void)sqlite3_bind_text(q, 6, info->why != NULL ? info->why : "", -1, SQLITE_STATIC);
	(void)sqlite3_bind_blob(q, 7, delta->p, (int)delta->len, SQLITE_STATIC);
	(void)sqlite3_bind_int64(q, 8, delta_rows(delta->p, delta->len));
	return store_run(st, q, err);
}

/* Revisions that are too old go; those after the base of a waiting trial stay, since they are its way back. */
static int
prune(struct store *st, enum scope scope, uint32_t head, uint32_t keep, struct err *err)
{
	uint32_t upto = head > keep ? head - keep : 0, base = trial_base(st, scope);

	if (base != 0 && upto > base)
		upto = base;
	return upto == 0 ? 0
			 : store_execf(st, err, "DELETE FROM revision WHERE scope=%d AND n<=%u",
			       (int)scope, (unsigned)upto);
}

/* The base with the deltas of this transaction, numbered and allowed as a whole. */
static int
make_candidate(struct store *st, const struct buf delta[SCOPES], uint32_t n[SCOPES],
    struct snapshot **out, struct err *err)
{
	struct snapshot *s = snapshot_ref(st->base), *next;
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < SCOPES; i++) {
		if (delta[i].len == 0)
			continue;
		if (delta[i].len > INT32_MAX)
			rc = err_set(err, ERR_INVALID,
			    "too much at once: the change is %zu bytes long", delta[i].len);
		n[i] = snapshot_revision(st->base, (enum scope)i) + 1;
		if (rc == 0)
			rc = snapshot_patch(
			    s, (enum scope)i, n[i], delta[i].p, delta[i].len, &next, err);
		if (rc == 0) {
			snapshot_unref(s);
			s = next;
		}
	}
	if (rc == 0)
		rc = snapshot_check_change(st->base, s, st->check_local ? &st->local : NULL, err);
	if (rc == 0)
		*out = s;
	else
		snapshot_unref(s);
	return rc;
}

static int
write_revisions(struct store *st, const struct commit_info *info, const struct buf delta[SCOPES],
    const uint32_t n[SCOPES], const struct snapshot *now, struct err *err)
{
	uint32_t before[SCOPES];
	int rc = rows_save_sequences(st, err);

	for (unsigned i = 0; i < SCOPES; i++)
		before[i] = snapshot_revision(st->base, (enum scope)i);
	for (unsigned i = 0; rc == 0 && i < SCOPES; i++)
		if (n[i] != 0)
			rc = record(st, (enum scope)i, n[i], info, &delta[i], err);
	if (rc == 0)
		rc = trial_record(st, info, before, n, err);
	for (unsigned i = 0; rc == 0 && i < SCOPES; i++)
		if (n[i] != 0)
			rc = prune(st, (enum scope)i, n[i], snapshot_setting(now)->history, err);
	if (rc == 0 && st->fault != 0)
		rc = store_fault(st, err);
	return rc;
}

static int
changes(struct store *st, struct buf delta[SCOPES], struct err *err)
{
	void *cs = NULL;
	int len = 0, rc = 0;

	rows_reset(st);
	if (st->fault != 0)
		return store_fault(st, err);
	if (sqlite3session_changeset(st->session, &len, &cs) != SQLITE_OK)
		return store_fault(st, err);
	rc = delta_from_changeset(st, cs, len, delta, err);
	sqlite3_free(cs);
	return rc;
}

static void
give_result(struct commit_result *r, struct store *st, struct buf delta[SCOPES],
    const uint32_t n[SCOPES], struct snapshot *now)
{
	if (r == NULL)
		return;
	*r = (struct commit_result){ .old = snapshot_ref(st->base), .now = snapshot_ref(now) };
	memcpy(r->revision, n, sizeof(r->revision));
	memcpy(r->delta, delta, sizeof(r->delta));
	memset(delta, 0, sizeof(r->delta));
}

/* After the commit, when the rows are safe: what may fail without harm. */
static void
tidy(struct store *st, const uint32_t n[SCOPES], bool secrets)
{
	if (st->making)
		return;
	if (secrets)
		collect_secrets(st);
	if (n[SCOPE_SHARED] != 0)
		file_copy_revision(st, n[SCOPE_SHARED]);
}

int
txn_commit(
    struct store *st, const struct commit_info *info, struct commit_result *result, struct err *err)
{
	struct buf delta[SCOPES] = { 0 };
	uint32_t n[SCOPES] = { 0 };
	struct snapshot *now = NULL;
	bool secrets = false, write = !info->dry_run;
	int rc = changes(st, delta, err);

	if (rc == 0 && delta[SCOPE_SHARED].len + delta[SCOPE_LOCAL].len > 0)
		rc = trial_allows(st, info, err);
	if (delta[SCOPE_SHARED].len + delta[SCOPE_LOCAL].len + delta[SCOPE_OPER].len == 0)
		write = write && trial_extends(st, info); /* else nothing differs: leave no trace */
	for (unsigned i = 0; i < SCOPES; i++)
		secrets = secrets || delta_has_secret(delta[i].p, delta[i].len);
	if (rc == 0)
		rc = make_candidate(st, delta, n, &now, err);
	if (rc == 0 && write)
		rc = write_revisions(st, info, delta, n, now, err);
	if (rc == 0 && write)
		rc = store_exec(st, "COMMIT", err);
	if (rc == 0)
		give_result(result, st, delta, n, now);
	if (rc != 0 || !write) {
		txn_abort(st);
	} else {
		sqlite3session_delete(st->session);
		st->session = NULL;
		snapshot_unref(st->base);
		st->base = now;
		now = NULL;
		tidy(st, n, secrets);
	}
	snapshot_unref(now);
	for (unsigned i = 0; i < SCOPES; i++)
		buf_fini(&delta[i]);
	return rc;
}

void
commit_result_fini(struct commit_result *r)
{
	for (unsigned i = 0; i < SCOPES; i++)
		buf_fini(&r->delta[i]);
	snapshot_unref(r->old);
	snapshot_unref(r->now);
	*r = (struct commit_result){ 0 };
}
