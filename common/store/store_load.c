/* From the file to a snapshot: the whole, or what happened since by the deltas of the history. The base of a
 * store is kept between calls, so following others costs what they changed. */
#include "base/must.h"
#include "store/snapshot_priv.h"
#include "store/store_priv.h"

#include <errno.h>
#include <string.h>

#define FOLLOW_MAX 2000 /* more revisions than this: loading whole is cheaper */

uint32_t
store_head(struct store *st, enum scope scope)
{
	static const char *const sql[SCOPES] = {
		"SELECT max(n) FROM revision WHERE scope=0",
		"SELECT max(n) FROM revision WHERE scope=1",
		"SELECT max(n) FROM revision WHERE scope=2",
	};

	must((unsigned)scope < SCOPES);
	return (uint32_t)store_number(st, sql[scope]);
}

int
store_delta(struct store *st, enum scope scope, uint32_t n, struct buf *out)
{
	sqlite3_stmt *q = store_query(st, "SELECT delta FROM revision WHERE scope=?1 AND n=?2");
	int rc = -ENOENT;

	if (q == NULL)
		return ERR_STORE;
	(void)sqlite3_bind_int(q, 1, (int)scope);
	(void)sqlite3_bind_int64(q, 2, n);
	switch (sqlite3_step(q)) {
	case SQLITE_ROW:
		if (sqlite3_column_type(q, 0) == SQLITE_NULL)
			break; /* a restore: what it changed is not known */
		out->len = 0;
		buf_put(out, sqlite3_column_blob(q, 0), (size_t)sqlite3_column_bytes(q, 0));
		rc = 0;
		break;
	case SQLITE_DONE: break;
	default: rc = ERR_STORE;
	}
	(void)sqlite3_finalize(q);
	return rc;
}

/* Another number, another line of revisions: the same number need not be the same content. */
static int64_t
store_incarnation(struct store *st)
{
	return store_number(st, "SELECT value FROM meta WHERE name='incarnation'");
}

bool
store_continues(struct store *st, const struct snapshot *s)
{
	return st->db != NULL && s->incarnation == store_incarnation(st);
}

struct load {
	struct store *st;
	struct builder b;
	struct err *err;
};

static int
load_row(void *arg, const struct object *o, const struct row *row)
{
	struct load *l = arg;
	void *object = builder_row(&l->b, o, row->id);

	for (unsigned i = 0; i < o->n; i++)
		if (value_load(&o->f[i], &row->c[i], l->b.a, object) != 0)
			return err_set(l->err, ERR_STORE,
			    "%s: %s %s: %s: \"%s\" is not known to this version (" LBD_VERSION ")",
			    l->st->path, o->name, row->c[0].s, o->f[i].name,
			    row->c[i].s != NULL ? row->c[i].s : "");
	return 0;
}

int
store_load_whole(struct store *st, struct err *err)
{
	struct load l = { .st = st, .err = err };
	int rc = 0;

	if (st->old_columns) { /* a writer may have upgraded the file since */
		rows_fini(st);
		rc = ddl_columns(st, err);
	}
	builder_init(&l.b);
	l.b.s->incarnation = store_incarnation(st);
	for (unsigned i = 0; i < SCOPES; i++)
		l.b.s->revision[i] = store_head(st, (enum scope)i);
	for (unsigned k = 0; rc == 0 && k < KINDS; k++) {
		if (objects[k].scope >= SCOPES || !st->has[k][0])
			continue; /* never stored, or newer than the file */
		rc = rows_each(st, &objects[k], load_row, &l, err);
		if (rc == 0)
			builder_kind(&l.b, &objects[k]);
	}
	if (rc != 0) {
		builder_fini(&l.b);
		return rc;
	}
	snapshot_unref(st->base);
	st->base = builder_end(&l.b);
	return 0;
}

/* False: there is a gap, or the deltas do not fit; only a whole load helps. */
static bool
follow(struct store *st)
{
	struct buf delta = { 0 };
	struct snapshot *next;
	bool fits = true;

	for (unsigned i = 0; fits && i < SCOPES; i++) {
		enum scope scope = (enum scope)i;
		uint32_t n = snapshot_revision(st->base, scope), head = store_head(st, scope);

		fits = n <= head && head - n <= FOLLOW_MAX;
		for (n++; fits && n <= head; n++) {
			fits = store_delta(st, scope, n, &delta) == 0 &&
			       snapshot_patch(
				   st->base, scope, n, delta.p, delta.len, &next, NULL) == 0;
			if (fits) {
				snapshot_unref(st->base);
				st->base = next;
			}
		}
	}
	buf_fini(&delta);
	return fits;
}

int
store_refresh(struct store *st, struct err *err)
{
	int rc = 0;

	st->fault = 0;
	if (st->base == NULL || st->base->incarnation != store_incarnation(st) || !follow(st))
		rc = store_load_whole(st, err);
	if (rc == 0 && st->fault != 0)
		rc = store_fault(st, err);
	return rc;
}

int
store_snapshot(struct store *st, struct snapshot **out, struct err *err)
{
	int rc = 0;

	if (st->db == NULL || store_replaced(st))
		rc = store_reopen(st, err);
	if (rc == 0)
		rc = store_exec(st, "SAVEPOINT load", err);
	if (rc != 0)
		return rc;
	rc = store_refresh(st, err);
	rows_reset(st);
	(void)store_exec(st, "RELEASE load", NULL);
	if (rc == 0)
		*out = snapshot_ref(st->base);
	return rc;
}
