/* The whole of a store as one run of bytes, and taking it: what two nodes do that have no common history, or whose
 * copies differ. The slave's rows become the peer's in one transaction; LOCAL stays. What was there before is kept as
 * a copy of the file: that costs the live file nothing, holds rows and history, and store_restore looks through it
 * before it takes it. A revision of the differences would not do, since the numbers from here on are the peer's.
 * Bytes, big-endian: version, node, the last number of a secret, then number and hash of SHARED and of OPER, then the next id of each kind, then
 * the rows of either as a delta of additions. */
#include "base/must.h"
#include "store/snapshot_priv.h"
#include "store/store_priv.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define DUMP_VERSION 1
#define TRIES 5 /* another process commits between copy and transaction */

static const enum scope travelling[] = { SCOPE_SHARED, SCOPE_OPER };

struct part {
	uint32_t n;
	uint64_t hash;
	const void *rows;
	size_t len;
};
struct dump {
	unsigned node;
	uint32_t secret; /* the last number of one */
	struct part part[ARRAY_LEN(travelling)];
	struct rd next; /* ids */
};

/* ---- giving ------------------------------------------------------------------------------------- */

static int
put_row(void *arg, const struct object *o, const struct row *row)
{
	struct delta_row d = { .kind = o->kind, .op = DELTA_ADD, .id = row->id, .n = o->n };

	for (unsigned i = 0; i < o->n; i++)
		d.f[i] = (struct delta_field){ .tag = o->f[i].tag, .new = row->c[i] };
	delta_put(arg, &d);
	return 0;
}

static int
put_rows(struct store *st, enum scope scope, struct buf *out, struct err *err)
{
	size_t at = out->len;
	int rc = 0;

	buf_put_be(out, 0, 4);
	for (unsigned k = 0; rc == 0 && k < KINDS; k++)
		if (objects[k].scope == scope && st->has[k][0])
			rc = rows_each(st, &objects[k], put_row, out, err);
	if (rc == 0 && out->len - at - 4 > INT32_MAX)
		rc = err_set(err, ERR_STORE, "%s: too much for one copy", st->path);
	buf_patch_be(out, at, out->len - at - 4, 4);
	return rc;
}

static int
put_all(struct store *st, struct buf *out, struct err *err)
{
	struct secrets *s;
	int rc = rows_sequences(st, err);

	buf_put_be(out, DUMP_VERSION, 1);
	buf_put_be(out, st->node, 1);
	buf_put_be(out, store_secrets(st, &s, NULL) == 0 ? secret_last(s) : 0, 4);
	for (unsigned i = 0; rc == 0 && i < ARRAY_LEN(travelling); i++) {
		uint32_t n;
		uint64_t hash;

		if (replica_head(st, travelling[i], &n, &hash) != 0)
			return store_fault(st, err);
		buf_put_be(out, n, 4);
		buf_put_be(out, hash, 8);
	}
	buf_put_be(out, KINDS, 1);
	for (unsigned k = 0; k < KINDS; k++)
		buf_put_be(out, st->next[k], 4);
	for (unsigned i = 0; rc == 0 && i < ARRAY_LEN(travelling); i++)
		rc = put_rows(st, travelling[i], out, err);
	return rc;
}

int
replica_dump(struct store *st, struct buf *out, struct err *err)
{
	size_t at = out->len;
	int rc = 0;

	if (st->db == NULL || store_replaced(st))
		rc = store_reopen(st, err);
	if (rc == 0)
		rc = store_exec(st, "SAVEPOINT dump", err);
	if (rc != 0)
		return rc;
	st->fault = 0;
	rc = put_all(st, out, err);
	rows_reset(st);
	(void)store_exec(st, "RELEASE dump", NULL);
	if (rc != 0)
		out->len = at;
	return rc;
}

/* ---- reading ------------------------------------------------------------------------------------ */

/* Additions only, each of its scope. */
static bool
sound(const struct part *p, enum scope scope, bool *skips)
{
	struct rd r = { .p = p->rows, .left = p->len };
	struct delta_row row;
	bool more;

	while (delta_next(&r, &row))
		if (row.op != DELTA_ADD || row.id == 0)
			return false;
	if (replica_fits(p->rows, p->len, scope, &more, NULL) != 0)
		return false;
	*skips = *skips || more;
	return !r.bad;
}

static bool
read_dump(const void *bytes, size_t len, struct dump *out, bool *skips)
{
	struct rd r = { .p = bytes, .left = len };
	bool good;

	*out = (struct dump){ 0 };
	*skips = false;
	good = rd_be(&r, 1) == DUMP_VERSION;
	out->node = (unsigned)rd_be(&r, 1);
	out->secret = (uint32_t)rd_be(&r, 4);
	for (unsigned i = 0; i < ARRAY_LEN(travelling); i++) {
		out->part[i].n = (uint32_t)rd_be(&r, 4);
		out->part[i].hash = rd_be(&r, 8);
	}
	out->next = rd_sub(&r, 4 * (size_t)rd_be(&r, 1));
	for (unsigned i = 0; i < ARRAY_LEN(travelling); i++) {
		struct part *p = &out->part[i];

		p->len = (size_t)rd_be(&r, 4);
		p->rows = rd_bytes(&r, p->len);
		good = good && !r.bad && sound(p, travelling[i], skips);
	}
	return good && !r.bad && out->node <= 2 && out->part[0].n > 0;
}

uint32_t *
replica_dump_secrets(const void *bytes, size_t len, uint32_t *n_out)
{
	struct dump d;
	bool skips;

	*n_out = 0;
	return read_dump(bytes, len, &d, &skips)
		   ? replica_secrets_of(d.part[0].rows, d.part[0].len, n_out)
		   : NULL;
}

/* ---- taking ------------------------------------------------------------------------------------- */

static int
clear_rows(struct store *st, struct err *err)
{
	int rc = 0;

	for (unsigned k = 0; rc == 0 && k < KINDS; k++)
		if (objects[k].scope == SCOPE_SHARED || objects[k].scope == SCOPE_OPER)
			rc = store_execf(st, err, "DELETE FROM \"%s\"", objects[k].cname);
	return rc;
}

/* Ids that were used on either node come never again. */
static void
raise_sequences(struct store *st, struct rd next)
{
	for (unsigned k = 0; k < KINDS && next.left >= 4; k++) {
		uint32_t n = (uint32_t)rd_be(&next, 4);

		n += (n & 1) != (uint32_t)st->odd;
		if (n > st->next[k])
			st->next[k] = n;
	}
}

/* In place of another history: one revision that has the peer's number and hash, and no way back. */
static int
put_head(struct store *st, enum scope scope, const struct part *p, unsigned node,
    const struct commit_info *info, struct err *err)
{
	sqlite3_stmt *q;
	uint64_t hash;
	uint32_t n;
	int rc = replica_head(st, scope, &n, &hash);

	if (rc == 0 && n == p->n && hash == p->hash)
		return 0; /* the same history; what an older build skipped of it comes with the rows */
	rc = store_execf(st, err, "DELETE FROM revision WHERE scope=%d", (int)scope);
	if (rc != 0 || p->n == 0)
		return rc;
	q = store_query(st, "INSERT INTO revision(scope,n,at,who,origin,why,changes,node,hash)"
			    " VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9)");
	(void)sqlite3_bind_int(q, 1, (int)scope);
	(void)sqlite3_bind_int64(q, 2, p->n);
	(void)sqlite3_bind_int64(q, 3, (int64_t)time(NULL));
	(void)sqlite3_bind_text(q, 4, info->who, -1, SQLITE_STATIC);
	(void)sqlite3_bind_text(
	    q, 5, info->origin != NULL ? info->origin : "pair", -1, SQLITE_STATIC);
	(void)sqlite3_bind_text(
	    q, 6, info->why != NULL ? info->why : "copied from the other node", -1, SQLITE_STATIC);
	(void)sqlite3_bind_int64(q, 7, delta_rows(p->rows, p->len));
	(void)sqlite3_bind_int(q, 8, (int)node);
	(void)sqlite3_bind_int64(q, 9, (int64_t)p->hash);
	return store_run(st, q, err);
}

static int
put_parts(struct store *st, const struct dump *d, bool skips, const struct commit_info *info,
    struct err *err)
{
	int rc = clear_rows(st, err);

	for (unsigned i = 0; rc == 0 && i < ARRAY_LEN(d->part); i++) {
		rc = delta_apply(st, d->part[i].rows, d->part[i].len, err);
		if (rc == 0)
			rc = put_head(st, travelling[i], &d->part[i], d->node, info, err);
	}
	raise_sequences(st, d->next);
	if (rc == 0)
		rc = rows_save_sequences(st, err);
	if (rc == 0)
		rc = replica_note_skipped(st, skips, err);
	if (rc == 0)
		rc = store_exec(st, "UPDATE meta SET value=random() WHERE name='incarnation'", err);
	return rc;
}

/* What is in the rows now, allowed as a whole. It is the base when it is committed. */
static int
check_rows(struct store *st, struct err *err)
{
	int rc = store_load_whole(st, err);

	if (rc == 0 && snapshot_count(st->base, KIND_setting) != 1)
		rc = err_set(err, ERR_PROTO, "the copy holds no configuration");
	if (rc == 0)
		rc = snapshot_check(st->base, NULL, err);
	if (rc == 0 && txn_breaks_references(st))
		rc = err_set(err, ERR_PROTO, "the copy names what is not in it");
	return rc;
}

/* The copy of before must be of the state that goes; the file may move until the transaction begins. */
static int
copy_and_begin(struct store *st, const struct commit_info *info, struct err *err)
{
	int rc = -EBUSY;

	for (unsigned i = 0; i < TRIES && rc == -EBUSY; i++) {
		uint32_t shared = store_head(st, SCOPE_SHARED), oper = store_head(st, SCOPE_OPER);

		rc = file_copy_now(st, shared, err);
		if (rc == 0)
			rc = txn_begin(st, info, err);
		if (rc == 0 && (shared != snapshot_revision(st->base, SCOPE_SHARED) ||
				   oper != snapshot_revision(st->base, SCOPE_OPER))) {
			txn_abort(st);
			rc = err_set(err, -EBUSY, "%s: others write to it all the time; try again",
			    st->path);
		}
	}
	return rc;
}

/* Numbers that only the peer's history names are given on neither node again. */
static int
raise_secrets(struct store *st, const struct dump *d, struct err *err)
{
	struct secrets *s;
	int rc = d->secret > 0 ? store_secrets(st, &s, err) : 0;

	return rc == 0 && d->secret > 0 ? secret_raise(s, d->secret, err) : rc;
}

static void
tell(struct store *st, const struct dump *d, struct snapshot *old, struct commit_result *result)
{
	if (result == NULL)
		return;
	*result = (struct commit_result){ .old = snapshot_ref(old), .now = snapshot_ref(st->base) };
	for (unsigned i = 0; i < ARRAY_LEN(d->part); i++)
		result->revision[travelling[i]] = d->part[i].n;
}

int
replica_replace(struct store *st, const void *dump, size_t len, const struct commit_info *info,
    struct commit_result *result, struct err *err)
{
	struct snapshot *old;
	struct dump d;
	bool skips;
	int rc;

	if (!read_dump(dump, len, &d, &skips))
		return err_set(err, ERR_PROTO, "the copy of the other node cannot be read");
	rc = copy_and_begin(st, info, err);
	if (rc != 0)
		return rc;
	old = snapshot_ref(st->base);
	rc = raise_secrets(st, &d, err);
	sqlite3session_delete(st->session); /* what it would record is the whole */
	st->session = NULL;
	if (rc == 0)
		rc = replica_free_of_trial(st, SCOPE_SHARED, err);
	if (rc == 0)
		rc = put_parts(st, &d, skips, info, err);
	if (rc == 0)
		rc = check_rows(st, err);
	if (rc == 0 && st->fault != 0)
		rc = store_fault(st, err);
	rows_reset(st);
	if (rc == 0)
		rc = store_exec(st, "COMMIT", err);
	if (rc == 0) {
		tell(st, &d, old, result);
		file_set_aside(st, 0);
		file_copy_revision(st, d.part[0].n);
	} else {
		txn_abort(st);
		snapshot_unref(st->base); /* it may be the one that was refused */
		st->base = NULL;
	}
	snapshot_unref(old);
	return rc;
}
