/* Keys as files NAME.key, PKCS#8 in PEM, 0600, in a folder that nobody else may enter.
 *
 * A file is written beside its place, synced, moved there, and the folder synced: after a loss of power a key is there
 * whole or not at all. What is read is checked against its name, so a damaged or exchanged file is no key. Bytes of keys
 * are wiped as soon as libcrypto has them. */
#include "keystore.h"

#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SUFFIX ".key"
#define FILE_ROOM (X509_HEX + 8)

struct keystore {
	int dir;
	char path[300];
};

static int
fault(const struct keystore *k, const char *what, struct err *err)
{
	int code = -errno;

	return err_set(err, code, "%s: %s: %s", k->path, what, strerror(-code));
}

int
keystore_open(const char *state, struct keystore **out, struct err *err)
{
	struct keystore *k = mem_alloc(sizeof(*k));
	struct stat sb = { 0 };
	int rc = 0;

	(void)snprintf(k->path, sizeof(k->path), "%s/keys", state);
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
		keystore_close(k);
	return rc;
}

void
keystore_close(struct keystore *k)
{
	if (k == NULL)
		return;
	if (k->dir != -1)
		(void)close(k->dir);
	free(k);
}

static void
file_of(const char *name, char out[FILE_ROOM])
{
	(void)snprintf(out, FILE_ROOM, "%.64s" SUFFIX, name);
}

bool
keystore_has(const struct keystore *k, const char *name)
{
	char file[FILE_ROOM];
	struct stat sb;

	file_of(name, file);
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

static int
write_file(struct keystore *k, const char *name, const struct buf *pem, struct err *err)
{
	char file[FILE_ROOM], fresh[FILE_ROOM + 4];
	int fd, rc = 0;

	file_of(name, file);
	(void)snprintf(fresh, sizeof(fresh), "%s.new", file);
	(void)unlinkat(k->dir, fresh, 0);
	fd = openat(k->dir, fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd == -1)
		return fault(k, "a key cannot be written", err);
	if (write_all(fd, pem->p, pem->len) == -1)
		rc = fault(k, "a key cannot be written", err);
	(void)close(fd);
	if (rc == 0 && (renameat(k->dir, fresh, k->dir, file) == -1 || fsync(k->dir) == -1))
		rc = fault(k, "a key cannot be written", err);
	if (rc != 0)
		(void)unlinkat(k->dir, fresh, 0);
	return rc;
}

int
keystore_put(struct keystore *k, const void *bytes, size_t len, const char *pass,
    char name_out[X509_HEX], struct err *err)
{
	struct err own = { 0 };
	struct evp_pkey_st *key = x509_key_read(bytes, len, pass, &own), *kept;
	struct buf pem = { 0 };
	char name[X509_HEX];
	int rc = 0;

	if (key == NULL)
		return err_set(err, own.code, "%s", own.text);
	x509_key_name(key, name);
	kept = keystore_get(k, name);
	if (kept == NULL) {
		x509_key_write(key, &pem);
		rc = pem.len <= X509_KEY_MOST
			 ? write_file(k, name, &pem, err)
			 : err_set(err, ERR_INVALID,
			       "the key is %zu bytes long; allowed are at most %d", pem.len,
			       X509_KEY_MOST);
		x509_wipe(&pem);
	}
	x509_key_free(kept);
	x509_key_free(key);
	if (rc == 0)
		memcpy(name_out, name, X509_HEX);
	return rc;
}

int
keystore_read(struct keystore *k, const char *name, struct buf *out)
{
	static uint8_t bytes[X509_KEY_MOST];
	char file[FILE_ROOM];
	ssize_t n = 0, more;
	int fd, rc = 0;

	if (!x509_key_is_name(name))
		return -ENOENT;
	file_of(name, file);
	fd = openat(k->dir, file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1)
		return -errno;
	while ((more = read(fd, bytes + n, sizeof(bytes) - (size_t)n)) > 0)
		n += more;
	if (more == -1)
		rc = -errno;
	(void)close(fd);
	if (rc == 0)
		buf_put(out, bytes, (size_t)n);
	explicit_bzero(bytes, sizeof(bytes));
	return rc;
}

struct evp_pkey_st *
keystore_get(struct keystore *k, const char *name)
{
	struct evp_pkey_st *key = NULL;
	struct buf pem = { 0 };
	char is[X509_HEX];

	if (keystore_read(k, name, &pem) == 0)
		key = x509_key_read(pem.p, pem.len, NULL, NULL);
	x509_wipe(&pem);
	if (key == NULL)
		return NULL;
	x509_key_name(key, is);
	if (strcmp(is, name) == 0)
		return key;
	x509_key_free(key);
	return NULL;
}

void
keystore_each(
    const struct keystore *k, bool (*fn)(void *arg, const char *name, int64_t age), void *arg)
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

		if (n != X509_HEX - 1 + strlen(SUFFIX) ||
		    strcmp(e->d_name + X509_HEX - 1, SUFFIX) != 0 ||
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
keystore_forget(struct keystore *k, const char *name)
{
	char file[FILE_ROOM];

	if (!x509_key_is_name(name))
		return;
	file_of(name, file);
	(void)unlinkat(k->dir, file, 0);
}
