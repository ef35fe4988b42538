/* The certificate that the panel shows when nobody gave it another one: made once at the first start, self-signed,
 * and kept in the state folder. A key of an elliptic curve, because it is made in a millisecond and every browser
 * takes it. It names the host and the addresses that the machine has at that moment, so that a user who trusts it
 * once is not warned again. It is never replaced while it is there: to have a new one, delete both files.
 * The library that serves TLS (GnuTLS) is inside libmicrohttpd; this file only makes PEM texts. */
#include "tls_cert.h"
#include "sys/netlink.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DAYS 3650
#define PEM_MAX 65536

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
write_pem(const char *path, struct buf *pem, struct err *err)
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

static bool
extension(X509 *x, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *e;
	bool ok;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, x, x, NULL, NULL, 0);
	e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	ok = e != NULL && X509_add_ext(x, e, -1) == 1;
	X509_EXTENSION_free(e);
	return ok;
}

static bool
plain_name(const char *s)
{
	return *s != '\0' &&
	       s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-")] ==
		   '\0';
}

static void
alt_names(const char *hostname, const struct iface_list *l, struct buf *out)
{
	char text[ADDR_TEXT];

	buf_puts(out, "DNS:localhost,IP:127.0.0.1,IP:::1");
	if (plain_name(hostname) && strcmp(hostname, "localhost") != 0)
		buf_printf(out, ",DNS:%s", hostname);
	for (unsigned i = 0; l != NULL && i < l->n && i < 64; i++) {
		if (l->a[i].loopback || l->a[i].ours)
			continue;
		addr_format(&l->a[i].addr, ADDR_HOST, text);
		buf_printf(out, ",IP:%s", text);
	}
}

static bool
fill(X509 *x, EVP_PKEY *k, const char *hostname, const struct iface_list *l)
{
	const char *cn = plain_name(hostname) && strlen(hostname) <= 64 ? hostname : "lbd";
	X509_NAME *name = X509_get_subject_name(x);
	struct buf alt = { 0 };
	uint8_t serial[16];
	BIGNUM *n;
	bool ok;

	tls_random(serial, sizeof(serial));
	serial[0] &= 0x7f;
	n = BN_bin2bn(serial, sizeof(serial), NULL);
	alt_names(hostname, l, &alt);
	ok =
	    n != NULL && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(x)) != NULL &&
	    X509_set_version(x, 2) == 1 && X509_gmtime_adj(X509_getm_notBefore(x), -3600) != NULL &&
	    X509_time_adj_ex(X509_getm_notAfter(x), DAYS, 0, NULL) != NULL &&
	    X509_set_pubkey(x, k) == 1 &&
	    X509_NAME_add_entry_by_txt(
		name, "O", MBSTRING_ASC, (const uint8_t *)"lbd", -1, -1, 0) == 1 &&
	    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const uint8_t *)cn, -1, -1, 0) ==
		1 &&
	    X509_set_issuer_name(x, name) == 1 &&
	    extension(x, NID_basic_constraints, "critical,CA:FALSE") &&
	    extension(x, NID_key_usage, "critical,digitalSignature") &&
	    extension(x, NID_ext_key_usage, "serverAuth") &&
	    extension(x, NID_subject_alt_name, buf_text(&alt)) && X509_sign(x, k, EVP_sha256()) > 0;
	BN_free(n);
	buf_fini(&alt);
	return ok;
}

static void
take_bio(BIO *bio, struct buf *out)
{
	char *p;
	long n = BIO_get_mem_data(bio, &p);

	buf_put(out, p, n > 0 ? (size_t)n : 0);
}

static int
make(const char *hostname, const struct iface_list *l, struct buf *cert, struct buf *key,
    struct err *err)
{
	EVP_PKEY *k = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	BIO *c = BIO_new(BIO_s_mem()), *b = BIO_new(BIO_s_mem());
	bool ok = k != NULL && x != NULL && c != NULL && b != NULL && fill(x, k, hostname, l) &&
		  PEM_write_bio_X509(c, x) == 1 &&
		  PEM_write_bio_PKCS8PrivateKey(b, k, NULL, NULL, 0, NULL, NULL) == 1;

	if (ok) {
		take_bio(c, cert);
		take_bio(b, key);
	}
	BIO_free(c);
	BIO_free(b);
	X509_free(x);
	EVP_PKEY_free(k);
	return ok ? 0 : err_set(err, -EIO, "no certificate could be made for the panel");
}

int
tls_cert_load(const char *dir, const char *hostname, const struct iface_list *addresses,
    struct buf *cert, struct buf *key, bool *made, struct err *err)
{
	char c[320], k[320];
	int rc, rk;

	(void)snprintf(c, sizeof(c), "%s/panel-cert.pem", dir);
	(void)snprintf(k, sizeof(k), "%s/panel-key.pem", dir);
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
	rc = make(hostname, addresses, cert, key, err);
	if (rc == 0)
		rc = write_pem(k, key, err);
	if (rc == 0)
		rc = write_pem(c, cert, err);
	*made = rc == 0;
	return rc;
}
