/* The store's file as a file: made under a lock and put in place whole, so that nobody ever sees half a store;
 * its rights; automatic good copies in DIR/backup, each made by VACUUM INTO, which reads and rebuilds all of
 * the file and so fails on a damaged one. */
#include "base/must.h"
#include "store/store_priv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define ADMIN_GROUP "lbd-admin"
#define LARGE_BYTES (8 * 1024 * 1024) /* copying this takes long enough to be done seldom */
#define LARGE_GAP_S 600

void
file_rights(const char *path, mode_t mode)
{
	struct group *g = geteuid() == 0 ? getgrnam(ADMIN_GROUP) : NULL;

	if (g != NULL)
		(void)!chown(path, (uid_t)-1, g->gr_gid); /* without the group root alone writes */
	(void)chmod(path, mode);
}

int
file_lock(const char *dir, struct err *err)
{
	char path[STORE_PATH_MAX];
	int fd;

	(void)snprintf(path, sizeof(path), "%.280s/config.lock", dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0664);
	if (fd == -1 || flock(fd, LOCK_EX) == -1) {
		int e = errno;

		if (fd != -1)
			(void)close(fd);
		return err_set(err, e == ENOENT ? -ENOENT : ERR_STORE, "%s: %s", path, strerror(e));
	}
	file_rights(path, 0664);
	return fd;
}

void
file_unlock(int fd)
{
	(void)close(fd);
}

/* The rows that every store has, as revision 1. */
static int
fill(struct store *st, struct err *err)
{
	const struct commit_info info = { .who = "lbd", .origin = "store", .why = "created" };
	int rc = txn_begin(st, &info, err);

	if (rc != 0)
		return rc;
	for (unsigned k = 0; rc == 0 && k < KINDS; k++) {
		const struct object *o = &objects[k];
		struct arena *a = arena_new(1024);
		struct row row = { .id = 1 };

		for (unsigned i = 0; i < o->n; i++)
			value_default(&o->f[i], a, &row.c[i]);
		if ((o->flags & O_SINGLE) != 0)
			rc = rows_insert(st, o, &row, err);
		arena_unref(a);
	}
	if (rc == 0)
		return txn_commit(st, &info, NULL, err);
	txn_abort(st);
	return rc;
}

/* Made beside its place, then put there whole. */
static int
make_file(const char *path, bool odd, struct err *err)
{
	char fresh[STORE_PATH_MAX + 8];
	struct store *st = NULL;
	int rc, fd;

	(void)snprintf(fresh, sizeof(fresh), "%s.new", path);
	(void)unlink(fresh);
	fd = open(fresh, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0664);
	if (fd == -1)
		return err_set(err, ERR_STORE, "%s: %s", fresh, strerror(errno));
	(void)close(fd);
	file_rights(fresh, 0664);
	rc = store_open_path(fresh, PATH_MAKE, &st, NULL, err);
	if (rc == 0) {
		st->odd = st->odd_asked = odd;
		rc = ddl_create(st, err);
	}
	if (rc == 0)
		rc = fill(st, err);
	store_close(st);
	if (rc == 0)
		rc = file_install(fresh, path, err);
	if (rc != 0)
		(void)unlink(fresh);
	return rc;
}

int
file_install(const char *fresh, const char *path, struct err *err)
{
	static const char *const beside[] = { "-wal", "-shm", "-journal" };
	char old[STORE_PATH_MAX + 16];
	int fd;

	/* What stands beside path belongs to a file that is not there any more, or that is given up. */
	for (unsigned i = 0; i < ARRAY_LEN(beside); i++) {
		(void)snprintf(old, sizeof(old), "%s%s", path, beside[i]);
		(void)unlink(old);
		(void)snprintf(old, sizeof(old), "%s%s", fresh, beside[i]);
		(void)unlink(old);
	}
	if (rename(fresh, path) == -1)
		return err_set(err, ERR_STORE, "%s: %s", path, strerror(errno));
	(void)snprintf(old, sizeof(old), "%s", path);
	*strrchr(old, '/') = '\0';
	fd = open(
	    old, O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* the name must outlive a power cut too */
	if (fd != -1) {
		(void)fsync(fd);
		(void)close(fd);
	}
	return 0;
}

int
file_create(const char *dir, bool odd, struct err *err)
{
	char path[STORE_PATH_MAX];
	struct stat sb;
	int lock, rc = 0;

	(void)snprintf(path, sizeof(path), "%.280s/config.db", dir);
	if (stat(path, &sb) == 0)
		return 0;
	if (errno != ENOENT)
		return err_set(err, ERR_STORE, "%s: %s", path, strerror(errno));
	lock = file_lock(dir, err);
	if (lock < 0)
		return lock;
	if (stat(path, &sb) == -1) /* still: nobody was faster */
		rc = make_file(path, odd, err);
	file_unlock(lock);
	return rc;
}

/* The copies there are, as PREFIX-N.db, newest last; returns how many, at most max. */
static unsigned
list_copies_as(const char *dir, const char *prefix, uint32_t *n, unsigned max)
{
	size_t skip = strlen(prefix);
	char path[STORE_PATH_MAX], *end;
	struct dirent *e;
	unsigned count = 0;
	DIR *d;

	(void)snprintf(path, sizeof(path), "%.280s/backup", dir);
	d = opendir(path);
	while (d != NULL && count < max && (e = readdir(d)) != NULL) {
		unsigned long v;
		unsigned at;

		if (strncmp(e->d_name, prefix, skip) != 0)
			continue;
		v = strtoul(e->d_name + skip, &end, 10);
		if (end == e->d_name + skip || strcmp(end, ".db") != 0 || v > UINT32_MAX)
			continue;
		for (at = count++; at > 0 && n[at - 1] > v; at--)
			n[at] = n[at - 1];
		n[at] = (uint32_t)v;
	}
	if (d != NULL)
		(void)closedir(d);
	return count;
}

#define COPIES_MAX 64

static unsigned
list_copies(const char *dir, uint32_t *n, unsigned max)
{
	return list_copies_as(dir, "config-", n, max);
}

bool
file_last_copy(const char *dir, char *out, size_t room)
{
	uint32_t n[COPIES_MAX];
	unsigned count = list_copies(dir, n, COPIES_MAX);

	if (count == 0)
		return false;
	return snprintf(out, room, "%s/backup/config-%u.db", dir, (unsigned)n[count - 1]) <
	       (int)room;
}

/* Whether it is time for another copy: a large file takes long to copy, so it waits longer. */
static bool
copy_is_due(struct store *st, uint32_t n)
{
	char path[STORE_PATH_MAX];
	uint32_t have[COPIES_MAX];
	unsigned count = list_copies(st->dir, have, COPIES_MAX);
	struct stat sb, last;

	if (count == 0)
		return true;
	if (n >= have[count - 1] && n - have[count - 1] < BACKUP_EVERY)
		return false;
	if (stat(st->path, &sb) == -1 || sb.st_size < LARGE_BYTES)
		return true;
	return !file_last_copy(st->dir, path, sizeof(path)) || stat(path, &last) == -1 ||
	       time(NULL) - last.st_mtime >= LARGE_GAP_S;
}

static void
drop_old_copies(struct store *st, const char *prefix)
{
	char path[STORE_PATH_MAX];
	uint32_t n[COPIES_MAX];
	unsigned count = list_copies_as(st->dir, prefix, n, COPIES_MAX);

	for (unsigned i = 0; i + BACKUP_KEEP < count; i++) {
		(void)snprintf(
		    path, sizeof(path), "%.256s/backup/%s%u.db", st->dir, prefix, (unsigned)n[i]);
		(void)unlink(path);
	}
}

int
file_copy_now(struct store *st, uint32_t n, struct err *err)
{
	char dir[STORE_PATH_MAX], path[STORE_PATH_MAX + 40], fresh[STORE_PATH_MAX + 64];
	int rc;

	(void)snprintf(dir, sizeof(dir), "%.256s/backup", st->dir);
	if (mkdir(dir, 0775) == 0)
		file_rights(dir, 02775);
	(void)snprintf(path, sizeof(path), "%s/config-%u.db", dir, (unsigned)n);
	(void)snprintf(fresh, sizeof(fresh), "%s.new%ld", path, (long)getpid());
	(void)unlink(fresh);
	rc = store_backup(st, fresh, err);
	if (rc == 0 && rename(fresh, path) == -1)
		rc = err_set(err, ERR_STORE, "%s: %s", path, strerror(errno));
	if (rc == 0)
		drop_old_copies(st, "config-");
	(void)unlink(fresh);
	return rc;
}

void
file_copy_revision(struct store *st, uint32_t n)
{
	int fault = st->fault;

	/* A copy that fails is no fault of the commit; the next one tries again. */
	if (copy_is_due(st, n))
		(void)file_copy_now(st, n, NULL);
	st->fault = fault;
}

void
file_set_aside(struct store *st, uint32_t above)
{
	char from[STORE_PATH_MAX], to[STORE_PATH_MAX];
	uint32_t n[COPIES_MAX];
	unsigned count = list_copies(st->dir, n, COPIES_MAX);

	for (unsigned i = 0; i < count; i++) {
		if (n[i] <= above)
			continue;
		(void)snprintf(
		    from, sizeof(from), "%.256s/backup/config-%u.db", st->dir, (unsigned)n[i]);
		(void)snprintf(
		    to, sizeof(to), "%.256s/backup/replaced-%u.db", st->dir, (unsigned)n[i]);
		(void)!rename(from, to);
	}
	drop_old_copies(st, "replaced-");
}

int
store_backup(struct store *st, const char *path, struct err *err)
{
	int rc, fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0664);
	sqlite3_stmt *q;

	if (fd == -1)
		return err_set(err, errno == EEXIST ? ERR_CONFLICT : ERR_STORE, "%s: %s", path,
		    strerror(errno));
	(void)close(fd);
	q = store_query(st, "VACUUM INTO ?1"); /* takes an empty file for a missing one */
	(void)sqlite3_bind_text(q, 1, path, -1, SQLITE_STATIC);
	rc = store_run(st, q, err);
	if (rc == 0)
		file_rights(path, 0664);
	else
		(void)unlink(path);
	return rc;
}
