/* Files by digest, 0600, in a folder that nobody else may enter.
 *
 * A file is written beside its place, synced, moved there, and the folder synced: after a loss of power it is there
 * whole or not at all. */
#include "digest_dir.h"

#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FILE_ROOM (X509_HEX + 16)

struct digest_dir {
	int dir;
	const char *suffix, *what;
	char path[300];
};

static int
fault(const struct digest_dir *k, const char *what, struct err *err)
{
	int code = -errno;

	return err_set(err, code, "%s: %s: %s", k->path, what, strerror(-code));
}

static int
fault_write(const struct digest_dir *k, struct err *err)
{
	int code = -errno;

	return err_set(
	    err, code, "%s: %s cannot be written: %s", k->path, k->what, strerror(-code));
}

int
digest_dir_open(const char *state, const char *folder, const char *suffix, const char *what,
    struct digest_dir **out, struct err *err)
{
	struct digest_dir *k = mem_alloc(sizeof(*k));
	struct stat sb = { 0 };
	int rc = 0;

	(void)snprintf(k->path, sizeof(k->path), "%s/%s", state, folder);
	k->suffix = suffix;
	k->what = what;
	k->dir = -1;
	if (mkdir(k->path, 0700) == -1 && errno != EEXIST)
		rc = fault(k, "cannot be made", err);
	if (rc == 0)
		k->dir = open(k->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (rc == 0 && (k->dir == -1 || fstat(k->dir, &sb) == -1))
		rc = fault(k, "cannot be opened", err);
	if (rc == 0 && ((sb.st_mode & 077) != 0 || sb.st_uid != geteuid()))
		rc = err_set(err, -EPERM,
		    "%s: has mode %04o and belongs to user %u; allowed is 0700 of user %u", k->path,
		    (unsigned)sb.st_mode & 07777, (unsigned)sb.st_uid, (unsigned)geteuid());
	if (rc == 0)
		*out = k;
	else
		digest_dir_close(k);
	return rc;
}

void
digest_dir_close(struct digest_dir *k)
{
	if (k == NULL)
		return;
	if (k->dir != -1)
		(void)close(k->dir);
	free(k);
}

static void
file_of(const struct digest_dir *k, const char *name, char out[FILE_ROOM])
{
	(void)snprintf(out, FILE_ROOM, "%.64s%.8s", name, k->suffix);
}

bool
digest_dir_has(const struct digest_dir *k, const char *name)
{
	char file[FILE_ROOM];
	struct stat sb;

	file_of(k, name, file);
	return x509_key_is_name(name) && fstatat(k->dir, file, &sb, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISREG(sb.st_mode) && sb.st_size > 0;
}

static int
write_all(int fd, const uint8_t *p, size_t n)
{
	while (n > 0) {
		ssize_t done = write(fd, p, n);

		if (done == -1 && errno == EINTR)
			continue;
		if (done == -1)
			return -1;
		p += done;
		n -= (size_t)done;
	}
	return fsync(fd);
}

int
digest_dir_write(struct digest_dir *k, const char *name, const struct buf *bytes, struct err *err)
{
	char file[FILE_ROOM], fresh[FILE_ROOM + 4];
	int fd, rc = 0;

	file_of(k, name, file);
	(void)snprintf(fresh, sizeof(fresh), "%s.new", file);
	(void)unlinkat(k->dir, fresh, 0);
	fd = openat(k->dir, fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd == -1)
		return fault_write(k, err);
	if (write_all(fd, bytes->p, bytes->len) == -1)
		rc = fault_write(k, err);
	(void)close(fd);
	if (rc == 0 && (renameat(k->dir, fresh, k->dir, file) == -1 || fsync(k->dir) == -1))
		rc = fault_write(k, err);
	if (rc != 0)
		(void)unlinkat(k->dir, fresh, 0);
	return rc;
}

int
digest_dir_read(const struct digest_dir *k, const char *name, size_t most, struct buf *out)
{
	char file[FILE_ROOM];
	struct stat sb = { .st_size = 0 };
	size_t at = 0;
	ssize_t n = 1;
	uint8_t *p;
	int fd, rc = 0;

	if (!x509_key_is_name(name))
		return -ENOENT;
	file_of(k, name, file);
	fd = openat(k->dir, file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1 || fstat(fd, &sb) == -1)
		rc = -errno;
	else if ((uint64_t)sb.st_size > most)
		rc = -EFBIG;
	if (rc != 0) {
		if (fd != -1)
			(void)close(fd);
		return rc;
	}
	p = mem_alloc((size_t)sb.st_size + 1);
	while (n > 0 && at < (size_t)sb.st_size) {
		n = read(fd, p + at, (size_t)sb.st_size - at);
		if (n > 0)
			at += (size_t)n;
		else if (n == -1 && errno == EINTR)
			n = 1;
		else if (n == -1)
			rc = -errno;
	}
	(void)close(fd);
	if (rc == 0)
		buf_put(out, p, at);
	explicit_bzero(p, at);
	free(p);
	return rc;
}

void
digest_dir_each(
    const struct digest_dir *k, bool (*fn)(void *arg, const char *name, int64_t age), void *arg)
{
	int fd = openat(k->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd != -1 ? fdopendir(fd) : NULL;
	const struct dirent *e;
	char name[X509_HEX];
	struct stat sb;
	bool on = true;

	if (d == NULL && fd != -1)
		(void)close(fd);
	while (d != NULL && on && (e = readdir(d)) != NULL) {
		size_t n = strlen(e->d_name);

		if (n != X509_HEX - 1 + strlen(k->suffix) ||
		    strcmp(e->d_name + X509_HEX - 1, k->suffix) != 0 ||
		    fstatat(k->dir, e->d_name, &sb, AT_SYMLINK_NOFOLLOW) == -1)
			continue;
		(void)snprintf(name, sizeof(name), "%.64s", e->d_name);
		if (x509_key_is_name(name))
			on = fn(arg, name, (int64_t)time(NULL) - (int64_t)sb.st_mtime);
	}
	if (d != NULL)
		(void)closedir(d);
}

void
digest_dir_forget(struct digest_dir *k, const char *name)
{
	char file[FILE_ROOM];

	if (!x509_key_is_name(name))
		return;
	file_of(k, name, file);
	(void)unlinkat(k->dir, file, 0);
}

void
digest_dir_touch(struct digest_dir *k, const char *name)
{
	char file[FILE_ROOM];

	if (!x509_key_is_name(name))
		return;
	file_of(k, name, file);
	(void)utimensat(k->dir, file, NULL, AT_SYMLINK_NOFOLLOW);
}
