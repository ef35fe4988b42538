/* The connection: opening, pragmas, statements made by hand, and what a fault of SQLite is called for people.
 * WAL, and PERSIST_WAL in every writer: a reader with read permission only may not make the -wal and -shm
 * files, so the last writer must leave them behind. A file that somebody replaced (a restore) is found by its
 * inode and opened anew. Nothing here knows what the rows mean. */
#include "base/mem.h"
#include "base/must.h"
#include "store/store_priv.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define QUICK_CHECK_MAX \
	(384 * 1024) /* takes 1 ms; larger files are not looked through at opening */

static const char *
way_back(struct store *st, int code, char *out, size_t n)
{
	char copy[STORE_PATH_MAX];

	switch (code & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED: return "another process holds it; nothing was changed, try again";
	case SQLITE_FULL: return "nothing was changed; make room on the disk and try again";
	case SQLITE_IOERR:
		return "nothing was changed; see the disk's messages in the journal (dmesg)";
	case SQLITE_READONLY:
	case SQLITE_PERM:
	case SQLITE_AUTH:
	case SQLITE_CANTOPEN:
		return "root and members of group lbd-admin may change it; when the file's rights are"
		       " right, is the disk mounted read-only?";
	case SQLITE_NOMEM: return "nothing was changed";
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_ERROR:
	case SQLITE_SCHEMA: break;
	default: return "nothing was changed";
	}
	if (file_last_copy(st->dir, copy, sizeof(copy)))
		(void)snprintf(out, n, "the last good copy is %s: lbctl config restore", copy);
	else
		(void)snprintf(
		    out, n, "%s/backup has no copy of it: lbctl config restore FILE", st->dir);
	return out;
}

static int
fault_code(struct store *st, int code, const char *what, struct err *err)
{
	char back[STORE_PATH_MAX + 64];

	if (st->fault == 0)
		st->fault = code;
	return err_set(
	    err, ERR_STORE, "%s: %s; %s", st->path, what, way_back(st, code, back, sizeof(back)));
}

int
store_fault(struct store *st, struct err *err)
{
	int code = st->db != NULL ? sqlite3_extended_errcode(st->db) : SQLITE_CANTOPEN;

	if (code == SQLITE_OK || code == SQLITE_ROW || code == SQLITE_DONE)
		code = st->fault != 0 ? st->fault : SQLITE_ERROR;
	return fault_code(st, code, sqlite3_errstr(code & 0xff), err);
}

int
store_exec(struct store *st, const char *sql, struct err *err)
{
	if (st->db != NULL && sqlite3_exec(st->db, sql, NULL, NULL, NULL) == SQLITE_OK)
		return 0;
	return store_fault(st, err);
}

int
store_execf(struct store *st, struct err *err, const char *fmt, ...)
{
	va_list ap;
	char *sql;
	int rc;

	va_start(ap, fmt);
	sql = sqlite3_vmprintf(fmt, ap);
	va_end(ap);
	must(sql != NULL);
	rc = store_exec(st, sql, err);
	sqlite3_free(sql);
	return rc;
}

sqlite3_stmt *
store_query(struct store *st, const char *sql)
{
	sqlite3_stmt *q = NULL;
	int rc = st->db != NULL ? sqlite3_prepare_v2(st->db, sql, -1, &q, NULL) : SQLITE_CANTOPEN;

	if (rc != SQLITE_OK && st->fault == 0)
		st->fault = rc;
	return q;
}

int64_t
store_number(struct store *st, const char *sql)
{
	sqlite3_stmt *q = store_query(st, sql);
	int64_t n = 0;
	int rc = q != NULL ? sqlite3_step(q) : SQLITE_ERROR;

	if (rc == SQLITE_ROW)
		n = sqlite3_column_int64(q, 0);
	else if (rc != SQLITE_DONE && st->fault == 0)
		st->fault = rc;
	(void)sqlite3_finalize(q);
	return n;
}

int
store_run(struct store *st, sqlite3_stmt *q, struct err *err)
{
	int rc = 0;

	if (q == NULL || sqlite3_step(q) != SQLITE_DONE)
		rc = store_fault(st, err);
	(void)sqlite3_finalize(q);
	return rc;
}

/* A database of another program, or one that lost its head, must not be taken for an empty store. */
static int
look_through(struct store *st, struct err *err)
{
	struct stat sb;
	sqlite3_stmt *q;
	int rc = 0;

	st->fault = 0;
	if (store_number(st, "SELECT count(*) FROM sqlite_master WHERE name='revision'") == 0)
		return st->fault != 0 ? store_fault(st, err)
				      : fault_code(st, SQLITE_NOTADB, "is no store of lbd", err);
	if (stat(st->path, &sb) == 0 && sb.st_size > QUICK_CHECK_MAX)
		return 0;
	q = store_query(st, "PRAGMA quick_check(1)");
	if (q == NULL || sqlite3_step(q) != SQLITE_ROW)
		rc = store_fault(st, err);
	else if (strcmp((const char *)sqlite3_column_text(q, 0), "ok") != 0)
		rc = fault_code(st, SQLITE_CORRUPT, sqlite3_errstr(SQLITE_CORRUPT), err);
	(void)sqlite3_finalize(q);
	return rc;
}

static int
settings(struct store *st, struct err *err)
{
	int persist = 1, rc;

	(void)sqlite3_extended_result_codes(st->db, 1);
	(void)sqlite3_busy_timeout(st->db, BUSY_MS);
	rc = store_exec(st, "PRAGMA foreign_keys=ON; PRAGMA trusted_schema=OFF", err);
	if (rc != 0 || !st->writer)
		return rc;
	if (sqlite3_db_readonly(st->db, "main") == 1)
		return fault_code(st, SQLITE_READONLY, "may not be written", err);
	(void)sqlite3_file_control(st->db, "main", SQLITE_FCNTL_PERSIST_WAL, &persist);
	return store_exec(st,
	    "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA journal_size_limit=4194304",
	    err);
}

static int
connect_file(struct store *st, struct err *err)
{
	struct stat sb;
	int rc;

	st->fault = 0;
	if (stat(st->path, &sb) == -1)
		return errno == ENOENT
			   ? err_set(err, -ENOENT, "%s: there is no store yet", st->path)
			   : err_set(err, ERR_STORE, "%s: %s", st->path, strerror(errno));
	if (sb.st_size == 0 && !st->making)
		return fault_code(st, SQLITE_CORRUPT, "is empty (0 bytes)", err);
	if (access(st->path, R_OK) == -1)
		return err_set(err, ERR_STORE, "%s: %s", st->path, strerror(errno));
	st->dev = sb.st_dev;
	st->ino = sb.st_ino;
	rc = sqlite3_open_v2(st->path, &st->db,
	    (st->writer ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY) | SQLITE_OPEN_NOMUTEX,
	    NULL);
	if (rc != SQLITE_OK)
		return fault_code(st, rc, sqlite3_errstr(rc), err);
	rc = settings(st, err);
	if (st->making)
		return rc;
	if (rc == 0)
		rc = look_through(st, err);
	if (rc == 0)
		rc = ddl_columns(st, err);
	if (rc == 0 && st->fault != 0)
		rc = store_fault(st, err);
	return rc;
}

static void
disconnect(struct store *st)
{
	rows_fini(st);
	if (st->session != NULL)
		sqlite3session_delete(st->session);
	st->session = NULL;
	snapshot_unref(st->base);
	st->base = NULL;
	(void)sqlite3_close(st->db);
	st->db = NULL;
}

int
store_open_path(
    const char *path, enum path_use use, struct store **out, int *fault_out, struct err *err)
{
	struct store *st = mem_alloc(sizeof(*st));
	const char *slash = strrchr(path, '/');
	int rc = 0;

	st->writer = use != PATH_READ;
	st->making = use == PATH_MAKE;
	rows_names_init(st);
	if (strlen(path) >= sizeof(st->path) || slash == NULL ||
	    (size_t)(slash - path) >= sizeof(st->dir))
		rc = err_set(err, ERR_STORE, "%s: the path is too long", path);
	else
		(void)snprintf(st->path, sizeof(st->path), "%s", path);
	if (rc == 0) {
		(void)snprintf(st->dir, sizeof(st->dir), "%.*s", (int)(slash - path), path);
		rc = connect_file(st, err);
	}
	if (fault_out != NULL)
		*fault_out = st->fault;
	if (rc == 0)
		*out = st;
	else
		store_close(st);
	return rc;
}

int
store_open(const char *dir, int flags, struct store **out, struct err *err)
{
	bool write = (flags & STORE_WRITE) != 0, odd = (flags & STORE_ODD) != 0;
	char path[STORE_PATH_MAX];
	struct store *st;
	int rc;

	if (snprintf(path, sizeof(path), "%s/config.db", dir) >= (int)sizeof(path) - 16)
		return err_set(err, ERR_STORE, "%s: the path is too long", dir);
	rc = write ? file_create(dir, odd, err) : 0;
	if (rc == 0)
		rc = store_open_path(path, write ? PATH_WRITE : PATH_READ, &st, NULL, err);
	if (rc != 0)
		return rc;
	st->odd = st->odd_asked = odd;
	if (write && !ddl_is_current(st)) {
		file_copy_revision(st, store_head(st, SCOPE_SHARED));
		rc = ddl_upgrade(st, err);
	}
	if (rc != 0) {
		store_close(st);
		return rc;
	}
	(void)store_moved(st);
	*out = st;
	return 0;
}

void
store_close(struct store *st)
{
	if (st == NULL)
		return;
	disconnect(st);
	secrets_close(st->secrets);
	free(st->local.a);
	free(st);
}

bool
store_replaced(const struct store *st)
{
	struct stat sb;

	return stat(st->path, &sb) == 0 && (sb.st_ino != st->ino || sb.st_dev != st->dev);
}

int
store_reopen(struct store *st, struct err *err)
{
	disconnect(st);
	return connect_file(st, err);
}

bool
store_moved(struct store *st)
{
	int64_t before = st->data_version;

	if (store_replaced(st) && store_reopen(st, NULL) == 0)
		before = -1;
	if (st->db == NULL)
		return true;
	st->data_version = store_number(st, "PRAGMA data_version");
	return st->data_version != before;
}

int
store_secrets(struct store *st, struct secrets **out, struct err *err)
{
	int rc = 0;

	if (st->secrets == NULL)
		rc = secrets_open(st->dir, st->writer, &st->secrets, err);
	if (rc == 0)
		secrets_set_node(st->secrets, replica_read_node(st));
	*out = st->secrets;
	return rc;
}

void
store_set_values(struct store *st, map_values_fn fn, void *arg)
{
	st->values = fn;
	st->values_arg = arg;
}

void
store_set_local(struct store *st, const struct iface_list *local)
{
	FREE(st->local.a);
	st->local = (struct iface_list){ 0 };
	st->check_local = local != NULL;
	if (local == NULL || local->n == 0)
		return;
	st->local.n = local->n;
	st->local.a = mem_alloc(local->n * sizeof(*local->a));
	memcpy(st->local.a, local->a, local->n * sizeof(*local->a));
}
