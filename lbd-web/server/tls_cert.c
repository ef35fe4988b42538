/* The certificate that the panel shows when nobody gave it another one: made at the first start, self-signed, and kept in the
 * state folder. A key of an elliptic curve, because it is made in a millisecond and every browser takes it. It names the host and
 * the addresses that the machine has at that moment, so that a user who trusts it once is not warned again.
 *
 * It lasts 397 days, the most that browsers take, and is made anew when less than 30 are left, by the same key: then one file is
 * replaced in one step and cannot be without the other, and who has pinned the key is not cut off. To have another key, delete both
 * files. What somebody else put there is never touched. Also here: the hashes and random numbers that sessions need. */
#include "tls_cert.h"
#include "sys/netlink.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DAY 86400
#define DAYS 396 /* and the hour that x509_make.c allows for late clocks */
#define DAYS_MOST 397
#define DAYS_LEFT 30
#define PEM_MAX 65536
#define ADDRESSES_MOST 64
#define NAMES_ALWAYS "localhost,127.0.0.1,::1"

void
tls_sha256(const void *p, size_t len, uint8_t out[SHA256_LEN])
{
	(void)SHA256(p, len, out);
}

void
tls_random(void *p, size_t len)
{
	if (RAND_bytes(p, (int)len) != 1)
		abort(); /* without randomness no session may begin */
}

bool
tls_same(const void *a, const void *b, size_t len)
{
	return CRYPTO_memcmp(a, b, len) == 0;
}

static int
read_pem(const char *path, struct buf *out, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), saved;
	uint8_t piece[4096];
	ssize_t n = 0;

	if (fd == -1 && errno == ENOENT)
		return -ENOENT;
	while (fd != -1 && out->len <= PEM_MAX && (n = read(fd, piece, sizeof(piece))) > 0)
		buf_put(out, piece, (size_t)n);
	saved = errno;
	if (fd != -1)
		(void)close(fd);
	if (fd == -1 || n == -1)
		return err_set(err, ERR_STORE, "%s: %s", path, strerror(saved));
	return 0;
}

static int
write_pem(const char *path, const struct buf *pem, struct err *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600), saved;
	bool ok = fd != -1 && write(fd, pem->p, pem->len) == (ssize_t)pem->len && fsync(fd) == 0;

	saved = errno;
	if (fd != -1)
		(void)close(fd);
	if (ok)
		return 0;
	if (fd != -1)
		(void)unlink(path);
	return err_set(err, ERR_STORE, "%s: %s", path, strerror(saved));
}

/* In one step; what is left of an attempt that was cut off is in nobody's way. */
static int
replace_pem(const char *path, const struct buf *pem, struct err *err)
{
	char part[330];
	int rc;

	(void)snprintf(part, sizeof(part), "%s.part", path);
	(void)unlink(part);
	rc = write_pem(part, pem, err);
	if (rc == 0 && rename(part, path) == -1) {
		rc = err_set(err, ERR_STORE, "%s: %s", path, strerror(errno));
		(void)unlink(part);
	}
	return rc;
}

static bool
plain_name(const char *s)
{
	return *s != '\0' &&
	       s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-")] ==
		   '\0';
}

static void
put_names(const struct tls_cert_place *at, struct buf *out)
{
	const struct iface_list *l = at->addresses;
	char text[ADDR_TEXT];

	buf_puts(out, NAMES_ALWAYS);
	if (plain_name(at->hostname) && strcmp(at->hostname, "localhost") != 0)
		buf_printf(out, ",%s", at->hostname);
	for (unsigned i = 0; l != NULL && i < l->n && i < ADDRESSES_MOST; i++) {
		if (l->a[i].loopback || l->a[i].ours)
			continue;
		addr_format(&l->a[i].addr, ADDR_HOST, text);
		buf_printf(out, ",%s", text);
	}
}

static int
make(const struct tls_cert_place *at, struct evp_pkey_st *key, struct buf *cert, struct err *err)
{
	bool fits = plain_name(at->hostname) && strlen(at->hostname) <= 64;
	struct x509_wish w = { .cn = fits ? at->hostname : "lbd", .org = "lbd", .days = DAYS };
	struct buf names = { 0 };
	int rc;

	put_names(at, &names);
	w.san = buf_text(&names);
	rc = x509_self_signed(key, &w, cert, err);
	buf_fini(&names);
	return rc;
}

static void
paths_of(const struct tls_cert_place *at, char cert[320], char key[320])
{
	(void)snprintf(cert, 320, "%s/panel-cert.pem", at->dir);
	(void)snprintf(key, 320, "%s/panel-key.pem", at->dir);
}

static int
make_both(const struct tls_cert_place *at, struct buf *cert, struct buf *key, struct err *err)
{
	struct evp_pkey_st *k = x509_key_make("p256", err);
	char c[320], p[320];
	int rc;

	paths_of(at, c, p);
	if (k == NULL)
		return err->code;
	x509_key_write(k, key);
	rc = make(at, k, cert, err);
	if (rc == 0)
		rc = write_pem(p, key, err);
	if (rc == 0)
		rc = write_pem(c, cert, err);
	x509_key_free(k);
	return rc;
}

int
tls_cert_load(
    const struct tls_cert_place *at, struct buf *cert, struct buf *key, bool *made, struct err *err)
{
	char c[320], k[320];
	int rc, rk;

	paths_of(at, c, k);
	*made = false;
	rc = read_pem(c, cert, err);
	rk = rc == 0 || rc == -ENOENT ? read_pem(k, key, err) : rc;
	if ((rc != 0 && rc != -ENOENT) || (rk != 0 && rk != -ENOENT))
		return rc != 0 && rc != -ENOENT ? rc : rk;
	if (rc != rk)
		return err_set(err, ERR_STORE,
		    "%s is there but %s is not: delete it to have both made anew", rc == 0 ? c : k,
		    rc == 0 ? k : c);
	if (rc == 0)
		return 0;
	rc = make_both(at, cert, key, err);
	*made = rc == 0;
	return rc;
}

/* ---- renewal ---------------------------------------------------------------------------------------- */

/* Self-made: alone in its file, signed by itself, and called as make calls it. */
static bool
self_made(const struct x509_face *f, bool more)
{
	const char *org = strchr(f->subject, ',');
	size_t n = strlen(NAMES_ALWAYS);

	return !more && f->own && !f->authority && strncmp(f->subject, "CN=", 3) == 0 &&
	       org != NULL && strcmp(org, ",O=lbd") == 0 &&
	       strncmp(f->names, NAMES_ALWAYS, n) == 0 &&
	       (f->names[n] == ',' || f->names[n] == '\0');
}

const char *
tls_cert_due(const struct x509_face *f, bool more, int64_t now)
{
	if (!self_made(f, more))
		return NULL;
	if (f->until <= now)
		return "it has ended";
	if (f->until - now < DAYS_LEFT * (int64_t)DAY)
		return "it ends within 30 days";
	if (f->until - f->from > DAYS_MOST * (int64_t)DAY)
		return "it would last for more than the 397 days that browsers take";
	if (f->from > now)
		return "its time has not begun: it was made while the clock was fast";
	return NULL;
}

int
tls_cert_renew(const struct tls_cert_place *at, int64_t now, struct buf *cert,
    const struct buf *key, const char **why, struct err *err)
{
	struct x509_face f, second;
	char c[320], k[320], name[X509_HEX];
	struct evp_pkey_st *own;
	struct buf fresh = { 0 };
	int rc;

	*why = NULL;
	if (x509_face(buf_text(cert), 0, &f) != 0)
		return 0;
	*why = tls_cert_due(&f, x509_face(buf_text(cert), 1, &second) == 0, now);
	if (*why == NULL)
		return 0;
	paths_of(at, c, k);
	own = x509_key_read(key->p, key->len, NULL, err);
	if (own == NULL)
		return err_prefix(err, "%s: ", k);
	x509_key_name(own, name);
	rc = strcmp(name, f.key) == 0 ? make(at, own, &fresh, err)
				      : err_set(err, ERR_INVALID, "%s is not the key of %s", k, c);
	x509_key_free(own);
	if (rc == 0)
		rc = replace_pem(c, &fresh, err);
	if (rc == 0) {
		buf_fini(cert);
		*cert = fresh;
	} else {
		buf_fini(&fresh);
	}
	return rc;
}
