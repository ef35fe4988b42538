/* One store follows another: revisions are read for the peer, taken from it as the very next of ours, and undone
 * when the other node's history is the one that stands. What is followed keeps the bytes it came in, so a build
 * that does not know all of it still sends it on and computes the same hash. Who of the two is right is not decided
 * here, nor how bytes travel. Fields that both changed are the matter of store_join.c. */
#include "base/must.h"
#include "store/store_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SUPERSEDED_KEEP 1000 /* revisions */
#define AGAIN UINT32_MAX     /* no separation: one superseded revision is done again */

unsigned
replica_read_node(struct store *st)
{
	int fault = st->fault;
	unsigned node = (unsigned)store_number(st, "SELECT value FROM meta WHERE name='node'");

	st->fault = fault; /* a file of an older build */
	return node <= 2 ? node : 0;
}

unsigned
replica_node(struct store *st)
{
	return replica_read_node(st);
}

int
replica_set_node(struct store *st, unsigned node, struct err *err)
{
	must(st->writer && (node == 1 || node == 2));
	return store_execf(st, err, "INSERT OR REPLACE INTO meta VALUES('node', %u)", node);
}

int
replica_set_cluster(struct store *st, uint64_t id, struct err *err)
{
	must(st->writer);
	return store_execf(
	    st, err, "INSERT OR REPLACE INTO meta VALUES('cluster', %lld)", (long long)(int64_t)id);
}

bool
replica_is_foreign(struct store *st, unsigned node, uint64_t id)
{
	uint64_t is = (uint64_t)store_number(st, "SELECT value FROM meta WHERE name='cluster'");

	if (node != 2)
		return false;
	/* A pair of before the file knew has its configuration already. */
	return is != 0 ? is != id : replica_node(st) != node;
}

/* ---- reading ------------------------------------------------------------------------------------ */

int
replica_read(struct store *st, enum scope scope, uint32_t n, struct replica_revision *out)
{
	sqlite3_stmt *q = store_query(st, "SELECT scope, n, at, who, origin, why, node, hash, delta"
					  " FROM revision WHERE scope=?1 AND n=?2");
	struct replica_revision row;
	struct buf own = { 0 };
	uint64_t hash;
	int rc = replica_hash_at(st, scope, n, &hash), step = SQLITE_ERROR;

	if (rc == 0 && q != NULL) {
		(void)sqlite3_bind_int(q, 1, (int)scope);
		(void)sqlite3_bind_int64(q, 2, n);
		step = sqlite3_step(q);
	}
	if (step == SQLITE_ROW) {
		replica_take_row(q, &row);
		trial_say(st, &row);
		replica_encode(&row, &own);
		rc = replica_decode(own.p, own.len, out) == 0 ? 0 : ERR_STORE;
	} else if (rc == 0) {
		rc = step == SQLITE_DONE ? -ENOENT : ERR_STORE;
	}
	(void)sqlite3_finalize(q);
	if (rc == 0)
		out->own = own;
	else
		buf_fini(&own);
	return rc;
}

/* ---- following ---------------------------------------------------------------------------------- */

static bool
knows_row(const struct delta_row *row)
{
	const struct object *o = object_of(row->kind);

	for (unsigned i = 0; o != NULL && i < row->n; i++)
		if (field_by_tag(o, row->f[i].tag) == NULL)
			return false;
	return o != NULL;
}

int
replica_fits(const void *delta, size_t len, enum scope scope, bool *skips_out, struct err *err)
{
	struct rd r = { .p = delta, .left = len };
	struct delta_row row;

	*skips_out = false;
	if (delta == NULL)
		return err_set(err, ERR_CONFLICT,
		    "what the revision changed is not known: the whole must be copied");
	while (delta_next(&r, &row)) {
		const struct object *o = object_of(row.kind);

		if (o != NULL && o->scope != scope)
			return err_set(
			    err, ERR_PROTO, "a change of a %s does not belong here", o->name);
		*skips_out = *skips_out || !knows_row(&row);
	}
	return r.bad ? err_set(err, ERR_PROTO, "the delta cannot be read") : 0;
}

int
replica_note_skipped(struct store *st, bool skipped, struct err *err)
{
	return store_execf(st, err, "INSERT OR REPLACE INTO meta VALUES('skipped', %u)",
	    skipped ? schema_version() : 0);
}

/* The version of the build that skipped something; 0: nothing was. */
static unsigned
skipped_by(struct store *st)
{
	int64_t v = store_number(st, "SELECT value FROM meta WHERE name='skipped'");

	return v > 0 ? (unsigned)v : 0;
}

bool
replica_skipped(struct store *st)
{
	return skipped_by(st) != 0;
}

bool
replica_outgrown(struct store *st, unsigned theirs)
{
	unsigned was = skipped_by(st);

	return was != 0 && schema_version() > was && theirs > was;
}

int
replica_free_of_trial(struct store *st, enum scope scope, struct err *err)
{
	if (!trial_holds(st, scope))
		return 0;
	return err_set(err, -EBUSY,
	    "a trial waits for its confirmation on this node: lbctl confirm keeps it, lbctl rollback drops it; "
	    "until then nothing is taken from the other node");
}

/* The number, and the hash over what is here already. */
static int
is_next(struct store *st, const struct replica_revision *r, struct err *err)
{
	uint32_t head = snapshot_revision(st->base, r->scope);
	uint64_t before;
	int rc;

	if (r->n == 0 || r->n - 1 != head)
		return err_set(err, ERR_CONFLICT,
		    "revision %u does not follow revision %u, which is the last here",
		    (unsigned)r->n, (unsigned)head);
	rc = chain_before(st, r->scope, r->n, &before, err);
	if (rc == 0 && chain_hash(before, r) != r->hash)
		rc = err_set(err, ERR_CONFLICT, "revision %u has another history than the one here",
		    (unsigned)r->n);
	return rc;
}

static int
take_rows(struct store *st, const struct replica_revision *r, bool skips, struct err *err)
{
	int rc = delta_apply(st, r->delta, r->len, err);

	if (rc == 0 && txn_breaks_references(st))
		rc = err_set(err, ERR_CONFLICT, "revision %u names what does not exist here",
		    (unsigned)r->n);
	if (rc == 0 && skips)
		rc = replica_note_skipped(st, true, err);
	return rc;
}

int
replica_follow(struct store *st, const struct replica_revision *r, struct commit_result *result,
    struct err *err)
{
	const struct commit_info info = { .who = r->who, .origin = r->origin, .why = r->why };
	const struct txn_as as = { .node = r->node, .follows = r };
	bool skips;
	int rc = replica_fits(r->delta, r->len, r->scope, &skips, err);

	if (rc == 0)
		rc = txn_begin(st, &info, err);
	if (rc != 0)
		return rc;
	rc = r->trial == TRIAL_UNSAID ? replica_free_of_trial(st, r->scope, err) : 0;
	if (rc == 0)
		rc = is_next(st, r, err);
	if (rc == 0)
		rc = take_rows(st, r, skips, err);
	if (rc == 0 && r->scope == SCOPE_SHARED)
		rc = trial_follow(st, r, err);
	if (rc == 0)
		return txn_commit_as(st, &info, &as, result, err);
	txn_abort(st);
	return rc;
}

/* ---- going back --------------------------------------------------------------------------------- */

static int
supersede(struct store *st, enum scope scope, uint32_t n, struct err *err)
{
	return store_execf(st, err,
	    "INSERT INTO superseded(scope, n, at, who, origin, why, delta, node, hash)"
	    " SELECT scope, n, at, who, origin, why, delta, node, hash FROM revision"
	    " WHERE scope=%d AND n>%u ORDER BY n;"
	    "DELETE FROM revision WHERE scope=%d AND n>%u;"
	    "DELETE FROM superseded WHERE id<=(SELECT max(id) FROM superseded)-%d;"
	    "UPDATE meta SET value=random() WHERE name='incarnation'",
	    (int)scope, (unsigned)n, (int)scope, (unsigned)n, SUPERSEDED_KEEP);
}

int
replica_rewind(struct store *st, enum scope scope, uint32_t n, uint64_t hash, struct err *err)
{
	const struct commit_info info = { .who = "lbd-ha", .origin = "pair" };
	uint64_t here = 0;
	int rc;

	must(scope == SCOPE_SHARED || scope == SCOPE_OPER);
	rc = txn_begin(st, &info, err);
	if (rc != 0)
		return rc;
	rc = replica_free_of_trial(st, scope, err);
	if (rc == 0) {
		rc = replica_hash_at(st, scope, n, &here);
		if (rc == -ENOENT)
			rc = err_set(
			    err, ERR_UNKNOWN, "revision %u is not in the history", (unsigned)n);
		else if (rc != 0)
			rc = store_fault(st, err);
		else if (here != hash)
			rc = err_set(err, ERR_CONFLICT,
			    "revision %u has another history than the one here", (unsigned)n);
	}
	if (rc == 0)
		rc = history_undo(st, scope, n, err);
	if (rc == 0)
		rc = supersede(st, scope, n, err);
	if (rc == 0)
		rc = rows_save_sequences(st, err);
	if (rc != 0) {
		txn_abort(st);
		return rc;
	}
	rc = txn_commit_rows(st, err);
	if (rc == 0 && scope == SCOPE_SHARED)
		file_set_aside(st, n);
	return rc;
}

int
replica_superseded(struct store *st, unsigned max, superseded_fn fn, void *arg)
{
	sqlite3_stmt *q =
	    store_query(st, "SELECT scope, n, at, who, origin, why, node, hash, delta, id"
			    " FROM superseded ORDER BY id DESC LIMIT ?1");
	struct replica_revision r;
	int rc = q != NULL ? 0 : ERR_STORE, step = SQLITE_DONE;

	(void)sqlite3_bind_int64(q, 1, max);
	while (rc == 0 && (step = sqlite3_step(q)) == SQLITE_ROW) {
		replica_take_row(q, &r);
		rc = fn(arg, (uint32_t)sqlite3_column_int64(q, 9), &r);
	}
	if (rc == 0 && step != SQLITE_DONE)
		rc = ERR_STORE;
	(void)sqlite3_finalize(q);
	return rc;
}

/* q is at its row, and keeps what the revision borrows. */
static int
redo(struct store *st, sqlite3_stmt *q, const struct commit_info *info,
    struct commit_result *result, struct err *err)
{
	struct replica_revision r;
	struct join_how how = { .rev = &r, .common = AGAIN };
	bool skips;
	int rc;

	replica_take_row(q, &r);
	rc = store_execf(st, err, "DELETE FROM contested WHERE common=%u", AGAIN);
	if (rc == 0)
		rc = replica_fits(r.delta, r.len, r.scope, &skips, err);
	if (rc == 0)
		rc = join_rows(st, &how, err);
	if (rc == 0 && txn_breaks_references(st))
		rc = err_set(err, ERR_CONFLICT, "revision %u names what does not exist any more",
		    (unsigned)r.n);
	return rc == 0 ? txn_commit(st, info, result, err) : rc;
}

int
replica_superseded_take(struct store *st, uint32_t id, const struct commit_info *info,
    struct commit_result *result, struct err *err)
{
	sqlite3_stmt *q;
	int rc = txn_begin(st, info, err);

	if (rc != 0)
		return rc;
	if (result != NULL)
		*result = (struct commit_result){ 0 };
	q = store_query(st, "SELECT scope, n, at, who, origin, why, node, hash, delta"
			    " FROM superseded WHERE id=?1");
	(void)sqlite3_bind_int64(q, 1, id);
	rc = q != NULL ? sqlite3_step(q) : SQLITE_ERROR;
	if (rc == SQLITE_ROW)
		rc = redo(st, q, info, result, err);
	else
		rc = rc == SQLITE_DONE ? err_set(err, ERR_UNKNOWN,
					     "there is no superseded revision %u", (unsigned)id)
				       : store_fault(st, err);
	(void)sqlite3_finalize(q);
	if (sqlite3_get_autocommit(st->db) == 0)
		txn_abort(st);
	return rc;
}

/* ---- secrets ------------------------------------------------------------------------------------ */

/* Rows that name secret n name the new one. */
static int
rename_secret(struct store *st, uint32_t n, uint32_t fresh, struct err *err)
{
	int rc = 0;

	for (unsigned k = 0; rc == 0 && k < KINDS; k++)
		for (unsigned i = 0; rc == 0 && i < objects[k].n; i++)
			if (objects[k].f[i].type == VT_SECRET && objects[k].scope < SCOPES)
				rc = store_execf(st, err,
				    "UPDATE \"%s\" SET \"%s\"=%u WHERE \"%s\"=%u", objects[k].cname,
				    objects[k].f[i].name, (unsigned)fresh, objects[k].f[i].name,
				    (unsigned)n);
	return rc;
}

int
replica_secret_move(struct store *st, uint32_t n, const struct commit_info *info, struct err *err)
{
	struct secrets *s;
	uint32_t fresh = 0;
	int rc = store_secrets(st, &s, err);

	if (rc == 0)
		rc = secret_again(s, n, &fresh, err);
	if (rc == 0)
		rc = txn_begin(st, info, err);
	if (rc != 0)
		return rc;
	rc = rename_secret(st, n, fresh, err);
	if (rc != 0) {
		txn_abort(st);
		return rc;
	}
	rc = txn_commit(st, info, NULL, err);
	return rc == 0 ? secret_forget(s, n, err) : rc;
}
