/* The hash chain: each revision's hash covers the one before, so one number in a heartbeat says whether two nodes
 * have the same history. It covers the bytes of the delta as they came, not what this build understood of them, so
 * two builds agree. Where the oldest kept revision begins the chain of an upgraded file, it begins with 0; the
 * nodes of a pair agree all the same, since pairing copies number and hash. */
#include "store/store_priv.h"

#include <errno.h>
#include <string.h>

static void
put_text(struct buf *b, const char *text)
{
	size_t n = strnlen(text, REPLICA_TEXT_MAX - 1);

	buf_put_be(b, n, 4);
	buf_put(b, text, n);
}

uint64_t
chain_hash(uint64_t before, const struct replica_revision *r)
{
	struct buf head = { 0 };
	uint64_t hash;

	buf_put_be(&head, before, 8);
	buf_put_be(&head, r->scope, 1);
	buf_put_be(&head, r->n, 4);
	buf_put_be(&head, r->node, 1);
	buf_put_be(&head, (uint64_t)r->at, 8);
	put_text(&head, r->who);
	put_text(&head, r->origin);
	put_text(&head, r->why);
	buf_put_be(&head, r->delta != NULL, 1);
	buf_put_be(&head, r->len, 8);
	hash = secret_sum64(head.p, head.len, r->delta, r->len);
	buf_fini(&head);
	return hash;
}

void
replica_take_row(sqlite3_stmt *q, struct replica_revision *out)
{
	*out = (struct replica_revision){
		.scope = (enum scope)sqlite3_column_int(q, 0),
		.n = (uint32_t)sqlite3_column_int64(q, 1),
		.at = sqlite3_column_int64(q, 2),
		.who = (const char *)sqlite3_column_text(q, 3),
		.origin = (const char *)sqlite3_column_text(q, 4),
		.why = (const char *)sqlite3_column_text(q, 5),
		.node = (unsigned)sqlite3_column_int(q, 6),
		.hash = (uint64_t)sqlite3_column_int64(q, 7),
		.delta = sqlite3_column_blob(q, 8),
		.len = (size_t)sqlite3_column_bytes(q, 8),
	};
	if (out->delta == NULL && sqlite3_column_type(q, 8) == SQLITE_BLOB)
		out->delta = ""; /* an empty one: SQLite gives no pointer */
}

static int
fill_one(struct store *st, const struct replica_revision *r, uint64_t hash, struct err *err)
{
	sqlite3_stmt *q = store_query(st, "UPDATE revision SET hash=?3 WHERE scope=?1 AND n=?2");

	(void)sqlite3_bind_int(q, 1, (int)r->scope);
	(void)sqlite3_bind_int64(q, 2, r->n);
	(void)sqlite3_bind_int64(q, 3, (int64_t)hash);
	return store_run(st, q, err);
}

int
chain_fill(struct store *st, struct err *err)
{
	sqlite3_stmt *q = store_query(st, "SELECT scope, n, at, who, origin, why, node, hash, delta"
					  " FROM revision ORDER BY scope, n");
	struct replica_revision r;
	uint64_t before = 0;
	int rc = q != NULL ? 0 : store_fault(st, err), step = SQLITE_DONE, scope = -1;

	while (rc == 0 && (step = sqlite3_step(q)) == SQLITE_ROW) {
		replica_take_row(q, &r);
		before = (int)r.scope == scope ? before : 0;
		scope = (int)r.scope;
		if (sqlite3_column_type(q, 7) == SQLITE_NULL) {
			r.hash = chain_hash(before, &r);
			rc = fill_one(st, &r, r.hash, err);
		}
		before = r.hash;
	}
	if (rc == 0 && step != SQLITE_DONE)
		rc = store_fault(st, err);
	(void)sqlite3_finalize(q);
	return rc;
}

/* The newest revision up to n; -EAGAIN: an older build wrote it, without a hash. */
static int
look_up(struct store *st, enum scope scope, uint32_t upto, uint32_t *n_out, uint64_t *hash_out)
{
	sqlite3_stmt *q = store_query(
	    st, "SELECT n, hash FROM revision WHERE scope=?1 AND n<=?2 ORDER BY n DESC LIMIT 1");
	int rc = 0, step = SQLITE_ERROR;

	(void)sqlite3_bind_int(q, 1, (int)scope);
	(void)sqlite3_bind_int64(q, 2, upto);
	if (q != NULL)
		step = sqlite3_step(q);
	*n_out = 0;
	*hash_out = 0;
	if (step == SQLITE_ROW) {
		*n_out = (uint32_t)sqlite3_column_int64(q, 0);
		*hash_out = (uint64_t)sqlite3_column_int64(q, 1);
		if (sqlite3_column_type(q, 1) == SQLITE_NULL)
			rc = -EAGAIN;
	} else if (step != SQLITE_DONE) {
		rc = ERR_STORE;
	}
	(void)sqlite3_finalize(q);
	return rc;
}

int
chain_before(struct store *st, enum scope scope, uint32_t n, uint64_t *hash_out, struct err *err)
{
	uint32_t found;
	int rc = n > 0 ? look_up(st, scope, n - 1, &found, hash_out) : ERR_STORE;

	if (rc == -EAGAIN) {
		rc = chain_fill(st, err);
		return rc != 0 ? rc : look_up(st, scope, n - 1, &found, hash_out);
	}
	return rc == 0 ? 0 : store_fault(st, err);
}

/* As look_up, but a hash that is missing is made first. */
static int
look_up_made(struct store *st, enum scope scope, uint32_t upto, uint32_t *n, uint64_t *hash)
{
	int rc = look_up(st, scope, upto, n, hash);

	if (rc != -EAGAIN)
		return rc;
	rc = store_exec(st, "SAVEPOINT chain", NULL);
	if (rc == 0)
		rc = chain_fill(st, NULL);
	(void)store_exec(st, rc == 0 ? "RELEASE chain" : "ROLLBACK TO chain; RELEASE chain", NULL);
	return rc == 0 ? look_up(st, scope, upto, n, hash) : ERR_STORE;
}

int
replica_head(struct store *st, enum scope scope, uint32_t *n_out, uint64_t *hash_out)
{
	return look_up_made(st, scope, UINT32_MAX, n_out, hash_out);
}

int
replica_hash_at(struct store *st, enum scope scope, uint32_t n, uint64_t *hash_out)
{
	uint64_t hash;
	uint32_t found;
	int rc = n > 0 ? look_up_made(st, scope, n, &found, &hash) : 0;

	if (n == 0)
		hash = found = 0;
	if (rc == 0 && (found != n || (n == 0 && scope == SCOPE_SHARED)))
		return -ENOENT;
	if (rc == 0)
		*hash_out = hash;
	return rc;
}
