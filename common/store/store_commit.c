/* A transaction from begin to commit. A session records what happened to the rows, however it was made; its
 * changeset becomes one delta for each scope; the base is patched with them and checked as a whole; deltas and
 * rows are committed together, so none can exist without the other. A scope in which nothing differs gets no
 * revision. What kept revisions name is kept: secrets, and the base of a trial. */
#include "base/mem.h"
#include "base/must.h"
#include "store/store_priv.h"
#include "store/x509.h"

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

static void
end_session(struct store *st)
{
	if (st->session != NULL)
		sqlite3session_delete(st->session);
	st->session = NULL;
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
	st->touched = false;
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
	end_session(st);
	(void)sqlite3_exec(st->db, "ROLLBACK", NULL, NULL, NULL);
}

static int
record(struct store *st, const struct replica_revision *r, struct err *err)
{
	sqlite3_stmt *q = store_query(st,
	    "INSERT INTO revision(scope,n,at,who,origin,why,delta,changes,node,hash)"
	    " VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10)");

	(void)sqlite3_bind_int(q, 1, (int)r->scope);
	(void)sqlite3_bind_int64(q, 2, r->n);
	(void)sqlite3_bind_int64(q, 3, r->at);
	(void)sqlite3_bind_text(q, 4, r->who, -1, SQLITE_STATIC);
	(void)sqlite3_bind_text(q, 5, r->origin, -1, SQLITE_STATIC);
	(void)sqlite3_bind_text(q, 6, r->why, -1, SQLITE_STATIC);
	(void)sqlite3_bind_blob(q, 7, r->delta, (int)r->len, SQLITE_STATIC);
	(void)sqlite3_bind_int64(q, 8, delta_rows(r->delta, r->len));
	(void)sqlite3_bind_int(q, 9, (int)r->node);
	(void)sqlite3_bind_int64(q, 10, (int64_t)r->hash);
	return store_run(st, q, err);
}

static int
record_scope(struct store *st, enum scope scope, uint32_t n, const struct commit_info *info,
    const struct txn_as *as, const struct buf *delta, struct err *err)
{
	struct replica_revision r = {
		.scope = scope,
		.n = n,
		.at = as->at != 0 ? as->at : (int64_t)time(NULL),
		.node = as->node,
		.who = info->who,
		.origin = info->origin != NULL ? info->origin : "",
		.why = info->why != NULL ? info->why : "",
		.delta = delta->p,
		.len = delta->len,
	};
	uint64_t before;
	int rc;

	if (as->follows != NULL)
		return record(st, as->follows, err);
	rc = chain_before(st, scope, n, &before, err);
	if (rc == 0) {
		r.hash = chain_hash(before, &r);
		rc = record(st, &r, err);
	}
	return rc;
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

static bool
is_followed(const struct txn_as *as, unsigned scope)
{
	return as->follows != NULL && as->follows->scope == scope;
}

/* The base with the deltas of this transaction, numbered and allowed as a whole. What is followed is decided alike
 * on both nodes, so the addresses of this one do not count. */
static int
make_candidate(struct store *st, const struct txn_as *as, const struct buf delta[SCOPES],
    uint32_t n[SCOPES], struct snapshot **out, struct err *err)
{
	bool local = st->check_local && as->follows == NULL && !as->undoes;
	struct snapshot *s = snapshot_ref(st->base), *next;
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < SCOPES; i++) {
		if (delta[i].len == 0 && !is_followed(as, i))
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
		rc = snapshot_check_change(st->base, s, local ? &st->local : NULL, err);
	if (rc == 0 && as->follows == NULL)
		rc = x509_check(st->base, s, err);
	if (rc == 0 && as->follows == NULL && !as->undoes && st->values != NULL)
		rc = pool_names_check(st->base, s, st->values, st->values_arg, err);
	if (rc == 0)
		*out = s;
	else
		snapshot_unref(s);
	return rc;
}

static int
write_revisions(struct store *st, const struct commit_info *info, const struct txn_as *as,
    const struct buf delta[SCOPES], const uint32_t n[SCOPES], const struct snapshot *now,
    struct err *err)
{
	uint32_t before[SCOPES];
	int rc = rows_save_sequences(st, err);

	for (unsigned i = 0; i < SCOPES; i++)
		before[i] = snapshot_revision(st->base, (enum scope)i);
	for (unsigned i = 0; rc == 0 && i < SCOPES; i++)
		if (n[i] != 0)
			rc = record_scope(st, (enum scope)i, n[i], info, as, &delta[i], err);
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

/* Who follows gets the bytes of the peer, which may hold more than this build knows. */
static void
give_bytes(const struct txn_as *as, struct buf delta[SCOPES])
{
	struct buf *d;

	if (as->follows == NULL)
		return;
	d = &delta[as->follows->scope];
	d->len = 0;
	buf_put(d, as->follows->delta, as->follows->len);
}

/* Whether this commit leaves a trace: else nothing differs, and nothing is written. */
static bool
leaves_trace(struct store *st, const struct commit_info *info, const struct txn_as *as,
    const struct buf delta[SCOPES])
{
	if (info->dry_run)
		return false;
	return delta[SCOPE_SHARED].len + delta[SCOPE_LOCAL].len + delta[SCOPE_OPER].len > 0 ||
	       as->follows != NULL || st->touched || trial_extends(st, info);
}

int
txn_commit(
    struct store *st, const struct commit_info *info, struct commit_result *result, struct err *err)
{
	return txn_commit_as(st, info, &(struct txn_as){ .node = st->node }, result, err);
}

int
txn_commit_as(struct store *st, const struct commit_info *info, const struct txn_as *as,
    struct commit_result *result, struct err *err)
{
	struct buf delta[SCOPES] = { 0 };
	uint32_t n[SCOPES] = { 0 };
	struct snapshot *now = NULL;
	bool secrets = false, write;
	int rc = changes(st, delta, err);

	if (rc == 0 && !as->joined && as->follows == NULL &&
	    delta[SCOPE_SHARED].len + delta[SCOPE_LOCAL].len > 0)
		rc = trial_allows(st, info, err);
	write = leaves_trace(st, info, as, delta);
	for (unsigned i = 0; i < SCOPES; i++)
		secrets = secrets || delta_has_secret(delta[i].p, delta[i].len);
	if (rc == 0)
		rc = make_candidate(st, as, delta, n, &now, err);
	if (rc == 0 && write)
		rc = write_revisions(st, info, as, delta, n, now, err);
	if (rc == 0 && write)
		rc = store_exec(st, "COMMIT", err);
	if (rc == 0)
		give_bytes(as, delta);
	if (rc == 0)
		give_result(result, st, delta, n, now);
	if (rc != 0 || !write) {
		txn_abort(st);
	} else {
		end_session(st);
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

int
txn_commit_rows(struct store *st, struct err *err)
{
	int rc = st->fault != 0 ? store_fault(st, err) : 0;

	rows_reset(st);
	if (rc == 0)
		rc = store_exec(st, "COMMIT", err);
	if (rc != 0)
		txn_abort(st);
	else
		end_session(st);
	snapshot_unref(st->base);
	st->base = NULL;
	return rc;
}

bool
txn_breaks_references(struct store *st)
{
	int now = 0, most = 0;

	return sqlite3_db_status(st->db, SQLITE_DBSTATUS_DEFERRED_FKS, &now, &most, 0) ==
		   SQLITE_OK &&
	       now != 0;
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
