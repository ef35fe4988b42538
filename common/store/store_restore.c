/* Back from a copy. A copy is trusted no more than a file that came by mail: its pages are copied, looked through,
 * upgraded, loaded and checked as a whole before anything is touched. Then the store becomes equal to it: by a
 * commit when the store can be used, else by putting the copy in its place. Orders of operators and the history
 * of a usable store stay. */
#include "base/must.h"
#include "store/snapshot_priv.h"
#include "store/store_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define RESTORE_GAP 1000 /* more revisions than a lost file can have had above its copy */

/* All pages of the source into a file of our own, by SQLite: the source may have a -wal. */
static int
copy_pages(const char *from, const char *to, struct err *err)
{
	sqlite3 *src = NULL, *dst = NULL;
	sqlite3_backup *b;
	struct stat sb;
	int rc = SQLITE_ERROR, fd;

	if (stat(from, &sb) == -1)
		return err_set(err, errno == ENOENT ? ERR_UNKNOWN : ERR_STORE, "%s: %s", from,
		    strerror(errno));
	if (sb.st_size == 0)
		return err_set(err, ERR_STORE, "%s: is empty (0 bytes)", from);
	(void)unlink(to);
	fd = open(to, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0664);
	if (fd == -1)
		return err_set(err, ERR_STORE, "%s: %s", to, strerror(errno));
	(void)close(fd);
	file_rights(to, 0664);
	if (sqlite3_open_v2(from, &src, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK &&
	    sqlite3_open_v2(to, &dst, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK) {
		(void)sqlite3_busy_timeout(src, BUSY_MS);
		b = sqlite3_backup_init(dst, "main", src, "main");
		rc = b != NULL ? sqlite3_backup_step(b, -1) : SQLITE_ERROR;
		(void)sqlite3_backup_finish(b);
	}
	(void)sqlite3_close(src);
	(void)sqlite3_close(dst);
	return rc == SQLITE_DONE ? 0 : err_set(err, ERR_STORE, "%s: %s", from, sqlite3_errstr(rc));
}

static bool
is_whole(struct store *st)
{
	sqlite3_stmt *q = store_query(st, "PRAGMA integrity_check(1)");
	bool whole = q != NULL && sqlite3_step(q) == SQLITE_ROW &&
		     strcmp((const char *)sqlite3_column_text(q, 0), "ok") == 0;

	(void)sqlite3_finalize(q);
	return whole;
}

/* The copy as a store of this build, in the file to; s_out is what it holds. */
static int
prepare(
    const char *from, const char *to, struct store **out, struct snapshot **s_out, struct err *err)
{
	struct snapshot *s = NULL;
	int rc = copy_pages(from, to, err);

	if (rc == 0 && store_open_path(to, PATH_WRITE, out, NULL, NULL) != 0)
		rc = err_set(err, ERR_STORE, "%s: is no store of lbd, or damaged", from);
	if (rc == 0 && !is_whole(*out))
		rc = err_set(err, ERR_STORE, "%s: %s", from, sqlite3_errstr(SQLITE_CORRUPT));
	if (rc == 0)
		rc = ddl_upgrade(*out, err);
	if (rc == 0)
		rc = store_snapshot(*out, &s, err);
	if (rc == 0 && snapshot_count(s, KIND_setting) != 1)
		rc = err_set(err, ERR_STORE, "%s: holds no configuration", from);
	if (rc == 0)
		rc = snapshot_check(s, NULL, err);
	if (rc == 0)
		*s_out = s;
	else
		snapshot_unref(s);
	if (rc != 0)
		(void)err_prefix(err, "nothing was changed, the copy cannot be used: ");
	return rc;
}

/* ---- into a store that can be used -------------------------------------------------------- */

struct rewrite {
	struct store *st;
	struct arena *a;
	struct err *err;
	int rc;
};

static bool
rolled_back(const struct object *o)
{
	return o->scope == SCOPE_SHARED || o->scope == SCOPE_LOCAL;
}

/* All rows that go or differ are taken out, then all that is missing is put in; the session nets it. */
static void
take_out(void *arg, const struct change *c)
{
	struct rewrite *w = arg;
	struct row row;

	if (w->rc == 0 && rolled_back(c->o) && c->old != NULL &&
	    rows_get(w->st, c->o, row_id(c->old), &row))
		w->rc = rows_delete(w->st, c->o, row_id(c->old), w->err);
}

static void
put_in(void *arg, const struct change *c)
{
	struct rewrite *w = arg;
	struct row row;

	if (w->rc != 0 || !rolled_back(c->o) || c->new == NULL ||
	    rows_get(w->st, c->o, row_id(c->new), &row))
		return;
	row.id = row_id(c->new);
	for (unsigned i = 0; i < c->o->n; i++)
		value_save(&c->o->f[i], c->new, w->a, &row.c[i]);
	w->rc = rows_insert(w->st, c->o, &row, w->err);
}

static int
commit_copy(struct store *st, const struct snapshot *copy, const struct commit_info *info,
    struct commit_result *result, struct err *err)
{
	struct rewrite w = { .st = st, .err = err };
	int rc = txn_begin(st, info, err);

	if (rc != 0)
		return rc;
	w.a = arena_new(64 * 1024);
	(void)snapshot_diff(st->base, copy, take_out, &w);
	(void)snapshot_diff(st->base, copy, put_in, &w);
	arena_unref(w.a);
	if (w.rc == 0)
		return txn_commit(st, info, result, err);
	txn_abort(st);
	return w.rc;
}

/* ---- in place of a store that cannot ------------------------------------------------------ */

/* What the lost file had above the copy is unknown, so numbers jump over all it can have had, and the revision
 * says so by having no delta. */
static int
mark_restored(struct store *st, const struct commit_info *info, struct err *err)
{
	int rc = store_exec(st,
	    "UPDATE meta SET value=random() WHERE name='incarnation';"
	    "DELETE FROM trial; DELETE FROM tx; DELETE FROM tx_edit",
	    err);

	for (unsigned i = 0; rc == 0 && i < SCOPES; i++) {
		sqlite3_stmt *q = store_query(st,
		    "INSERT INTO revision(scope,n,at,who,origin,why,changes) VALUES(?1,?2,?3,?4,?5,?6,0)");

		(void)sqlite3_bind_int(q, 1, (int)i);
		(void)sqlite3_bind_int64(q, 2, store_head(st, (enum scope)i) + RESTORE_GAP);
		(void)sqlite3_bind_int64(q, 3, (int64_t)time(NULL));
		(void)sqlite3_bind_text(q, 4, info->who, -1, SQLITE_STATIC);
		(void)sqlite3_bind_text(
		    q, 5, info->origin != NULL ? info->origin : "", -1, SQLITE_STATIC);
		(void)sqlite3_bind_text(q, 6, info->why, -1, SQLITE_STATIC);
		rc = store_run(st, q, err);
	}
	return rc == 0 ? chain_fill(st, err) : rc;
}

/* copy is closed: its file takes the place of path. */
static int
replace_file(struct store *copy, const char *path, const struct commit_info *info, struct err *err)
{
	char fresh[STORE_PATH_MAX], kept[STORE_PATH_MAX + 16];
	int rc = mark_restored(copy, info, err);

	(void)snprintf(fresh, sizeof(fresh), "%s", copy->path);
	if (rc == 0)
		rc = store_exec(copy, "PRAGMA wal_checkpoint(TRUNCATE)", err);
	store_close(copy);
	if (rc != 0)
		return rc;
	(void)snprintf(kept, sizeof(kept), "%s.damaged", path);
	(void)unlink(kept);
	(void)!link(path, kept); /* for whoever wants to look; a store that is missing has none */
	return file_install(fresh, path, err);
}

struct place {
	char path[STORE_PATH_MAX], fresh[STORE_PATH_MAX];
};

/* Whether the store in place is one that nobody can use any more. Being locked, or not ours to write, is no
 * damage: then the error stands. */
static bool
is_damaged(const char *path, int rc, int fault)
{
	int code = fault & 0xff;

	return access(path, F_OK) == -1 || code == SQLITE_CORRUPT || code == SQLITE_NOTADB ||
	       (rc == ERR_STORE && code == SQLITE_OK && access(path, R_OK | W_OK) == 0);
}

/* The store in place, when it can be used; its deltas and all of its pages. */
static int
open_place(const char *path, struct store **out, int *fault, struct err *err)
{
	struct snapshot *now = NULL;
	int rc = store_open_path(path, PATH_WRITE, out, fault, err);

	if (rc == 0 && !is_whole(*out)) {
		*fault = SQLITE_CORRUPT;
		rc = ERR_STORE;
	}
	if (rc == 0)
		rc = ddl_upgrade(*out, err);
	if (rc == 0)
		rc = store_snapshot(*out, &now, err);
	if (rc != 0 && *out != NULL && *fault == 0)
		*fault = (*out)->fault;
	snapshot_unref(now);
	return rc;
}

/* copy is taken. */
static int
put_copy(const struct place *at, struct store *copy, const struct snapshot *s,
    const struct commit_info *info, struct commit_result *result, struct err *err)
{
	struct store *st = NULL;
	int fault = 0, rc = open_place(at->path, &st, &fault, err);

	if (rc == 0) {
		rc = commit_copy(st, s, info, result, err);
	} else if (is_damaged(at->path, rc, fault)) {
		store_close(st);
		st = NULL;
		rc = 0;
		if (!info->dry_run) {
			rc = replace_file(copy, at->path, info, err);
			copy = NULL;
		}
	}
	store_close(copy);
	store_close(st);
	return rc;
}

int
store_restore(const char *dir, const char *path, const struct commit_info *info,
    struct commit_result *result, struct err *err)
{
	char newest[STORE_PATH_MAX], why[STORE_PATH_MAX + 32], beside[STORE_PATH_MAX + 8];
	struct commit_info mine = *info;
	struct snapshot *s = NULL;
	struct store *copy = NULL;
	struct place at;
	int lock, rc;

	if (result != NULL)
		*result = (struct commit_result){ 0 };
	if (path == NULL && !file_last_copy(dir, newest, sizeof(newest)))
		return err_set(err, ERR_UNKNOWN, "%s/backup: there is no copy", dir);
	path = path != NULL ? path : newest;
	(void)snprintf(at.path, sizeof(at.path), "%.280s/config.db", dir);
	(void)snprintf(at.fresh, sizeof(at.fresh), "%.280s/config.db.copy", dir);
	(void)snprintf(why, sizeof(why), "restored from %.300s", path);
	mine.why = info->why != NULL ? info->why : why;
	lock = file_lock(dir, err);
	if (lock < 0)
		return lock;
	rc = prepare(path, at.fresh, &copy, &s, err);
	if (rc == 0)
		rc = put_copy(&at, copy, s, &mine, result, err);
	else
		store_close(copy);
	snapshot_unref(s);
	(void)unlink(at.fresh);
	(void)snprintf(beside, sizeof(beside), "%s-wal", at.fresh);
	(void)unlink(beside);
	(void)snprintf(beside, sizeof(beside), "%s-shm", at.fresh);
	(void)unlink(beside);
	file_unlock(lock);
	return rc;
}
