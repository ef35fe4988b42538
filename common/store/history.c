/* The history: revisions listed, undone, and looked at. Going back is going forward by inverted deltas, applied
 * strictly, newest first; so a rollback is a revision of its own and can be undone too. What was ordered by an
 * operator (OPER) is never rolled back. */
#include "base/must.h"
#include "store/store_priv.h"

#include <errno.h>
#include <stdio.h>

static int
not_kept(enum scope scope, uint32_t n, struct err *err)
{
	return err_set(err, ERR_UNKNOWN, "revision %u%s is not in the history", (unsigned)n,
	    scope == SCOPE_LOCAL ? " of this node" : "");
}

int
history_inverse(struct store *st, enum scope scope, uint32_t n, struct buf *out, struct err *err)
{
	struct buf delta = { 0 };
	int rc = store_delta(st, scope, n, &delta);

	out->len = 0;
	if (rc == -ENOENT)
		rc = not_kept(scope, n, err);
	else if (rc != 0)
		rc = store_fault(st, err);
	else if (delta_invert(delta.p, delta.len, out) != 0)
		rc = err_set(err, ERR_STORE, "%s: the delta of revision %u cannot be read",
		    st->path, (unsigned)n);
	buf_fini(&delta);
	return rc;
}

int
history_undo(struct store *st, enum scope scope, uint32_t to, struct err *err)
{
	uint32_t head = snapshot_revision(st->base, scope);
	struct buf inverse = { 0 };
	int rc = 0;

	if (to > head)
		return not_kept(scope, to, err);
	for (uint32_t n = head; rc == 0 && n > to; n--) {
		rc = history_inverse(st, scope, n, &inverse, err);
		if (rc == 0)
			rc = delta_apply(st, inverse.p, inverse.len, err);
	}
	buf_fini(&inverse);
	return rc;
}

int
store_rollback(struct store *st, enum scope scope, uint32_t n, const struct commit_info *info,
    struct commit_result *result, struct err *err)
{
	struct commit_info mine = *info;
	char why[64];
	int rc;

	must(scope == SCOPE_SHARED || scope == SCOPE_LOCAL);
	(void)snprintf(why, sizeof(why), "back to revision %u", (unsigned)n);
	mine.why = info->why != NULL ? info->why : why;
	if (n == 0)
		return not_kept(scope, n, err);
	rc = txn_begin(st, &mine, err);
	if (rc != 0)
		return rc;
	rc = history_undo(st, scope, n, err);
	if (rc == 0)
		return txn_commit(st, &mine, result, err);
	txn_abort(st);
	return rc;
}

int
store_at(struct store *st, enum scope scope, uint32_t n, struct snapshot **out, struct err *err)
{
	struct buf inverse = { 0 };
	struct snapshot *s, *next;
	int rc = store_exec(st, "SAVEPOINT history", err); /* head and history of one instant */

	if (rc != 0)
		return rc;
	rc = store_refresh(st, err);
	s = rc == 0 ? snapshot_ref(st->base) : NULL;
	if (rc == 0 && (n == 0 || n > snapshot_revision(s, scope)))
		rc = not_kept(scope, n, err);
	while (rc == 0 && snapshot_revision(s, scope) > n) {
		uint32_t at = snapshot_revision(s, scope);

		rc = history_inverse(st, scope, at, &inverse, err);
		if (rc == 0)
			rc = snapshot_patch(s, scope, at - 1, inverse.p, inverse.len, &next, err);
		if (rc == 0) {
			snapshot_unref(s);
			s = next;
		}
	}
	rows_reset(st);
	(void)store_exec(st, "RELEASE history", NULL);
	buf_fini(&inverse);
	if (rc == 0)
		*out = s;
	else
		snapshot_unref(s);
	return rc;
}

int
store_history(struct store *st, enum scope scope, unsigned max, revision_fn fn, void *arg)
{
	sqlite3_stmt *q =
	    store_query(st, "SELECT scope, n, at, who, origin, why, changes FROM revision"
			    " WHERE ?1=3 OR scope=?1 ORDER BY id DESC LIMIT ?2");
	int rc = q != NULL ? 0 : ERR_STORE, step = SQLITE_DONE;

	(void)sqlite3_bind_int(q, 1, (int)scope);
	(void)sqlite3_bind_int64(q, 2, max);
	while (rc == 0 && (step = sqlite3_step(q)) == SQLITE_ROW) {
		struct revision r = {
			.scope = (enum scope)sqlite3_column_int(q, 0),
			.n = (uint32_t)sqlite3_column_int64(q, 1),
			.at = sqlite3_column_int64(q, 2),
			.who = (const char *)sqlite3_column_text(q, 3),
			.origin = (const char *)sqlite3_column_text(q, 4),
			.why = (const char *)sqlite3_column_text(q, 5),
			.changes = (unsigned)sqlite3_column_int64(q, 6),
		};

		rc = fn(arg, &r);
	}
	if (rc == 0 && step != SQLITE_DONE)
		rc = ERR_STORE;
	(void)sqlite3_finalize(q);
	return rc;
}
