/* tls_identity.c - the key of this node and the certificate around it.
 *
 * The other node accepts exactly this certificate and nothing else, so nobody signs it but itself, its name is only
 * for people, and its dates do not matter (nobody looks at them: two nodes whose clocks differ still find each other).
 * It is made at the first use and stays for the life of the node. Of its two files the key is written first; when
 * only one is there, somebody took the other, and a person is asked rather than the identity changed behind the
 * other node's back.
 *
 * The fingerprint is over the public key, so that it stays the same when a certificate is made anew for a key. */
#include "tls_identity.h"

#include "cluster_file.h"

#include "base/mem.h"
#include "base/must.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <string.h>

#define DAYS 36500
#define PEM_MOST 4096
#define KEY_FILE "node.key"
#define CERT_FILE "node.crt"

struct tls_identity {
	EVP_PKEY *key;
	X509 *cert;
	uint8_t *der;
	size_t der_len;
	uint8_t print[FINGERPRINT_BYTES];
};

void
tls_random_bytes(void *p, size_t len)
{
	must(RAND_bytes(p, (int)len) == 1); /* without randomness there is no secret */
}

bool
tls_equal(const void *a, const void *b, size_t len)
{
	return CRYPTO_memcmp(a, b, len) == 0;
}

void
tls_code_key(const uint8_t bits[PAIR_CODE_BYTES], uint8_t out[TLS_CODE_KEY])
{
	static const uint8_t salt[] = "lbd pair 1", info[] = "tls external psk";
	EVP_PKEY_CTX *k = EVP_PKEY_CTX_new_id(EVP_PKEY_HKDF, NULL);
	size_t len = TLS_CODE_KEY;

	must(k != NULL && EVP_PKEY_derive_init(k) == 1 &&
	     EVP_PKEY_CTX_set_hkdf_md(k, EVP_sha384()) == 1 &&
	     EVP_PKEY_CTX_set1_hkdf_salt(k, salt, sizeof(salt) - 1) == 1 &&
	     EVP_PKEY_CTX_set1_hkdf_key(k, bits, PAIR_CODE_BYTES) == 1 &&
	     EVP_PKEY_CTX_add1_hkdf_info(k, info, sizeof(info) - 1) == 1 &&
	     EVP_PKEY_derive(k, out, &len) == 1 && len == TLS_CODE_KEY);
	EVP_PKEY_CTX_free(k);
}

static bool
print_of(X509 *x, uint8_t out[FINGERPRINT_BYTES])
{
	uint8_t *spki = NULL;
	int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &spki);
	unsigned n = 0;
	bool good = len > 0 && EVP_Digest(spki, (size_t)len, out, &n, EVP_sha256(), NULL) == 1 &&
		    n == FINGERPRINT_BYTES;

	OPENSSL_free(spki);
	return good;
}

bool
tls_cert_print(const void *der, size_t len, uint8_t out[FINGERPRINT_BYTES])
{
	const uint8_t *p = der;
	X509 *x = len <= CLUSTER_CERT ? d2i_X509(NULL, &p, (long)len) : NULL;
	bool good = x != NULL && p == (const uint8_t *)der + len && X509_get0_pubkey(x) != NULL &&
		    EVP_PKEY_get_base_id(X509_get0_pubkey(x)) == EVP_PKEY_ED25519;

	good = good && print_of(x, out);
	X509_free(x);
	return good;
}

static bool
fill(X509 *x, EVP_PKEY *k, const char *name)
{
	X509_NAME *subject = X509_get_subject_name(x);
	uint8_t serial[16];
	BIGNUM *n;
	bool ok;

	tls_random_bytes(serial, sizeof(serial));
	serial[0] &= 0x7f;
	n = BN_bin2bn(serial, sizeof(serial), NULL);
	ok = n != NULL && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(x)) != NULL &&
	     X509_set_version(x, X509_VERSION_3) == 1 &&
	     X509_gmtime_adj(X509_getm_notBefore(x), -86400) != NULL &&
	     X509_time_adj_ex(X509_getm_notAfter(x), DAYS, 0, NULL) != NULL &&
	     X509_set_pubkey(x, k) == 1 &&
	     X509_NAME_add_entry_by_txt(
		 subject, "O", MBSTRING_ASC, (const uint8_t *)"lbd pair", -1, -1, 0) == 1 &&
	     X509_NAME_add_entry_by_txt(
		 subject, "CN", MBSTRING_UTF8, (const uint8_t *)name, -1, -1, 0) == 1 &&
	     X509_set_issuer_name(x, subject) == 1 && X509_sign(x, k, NULL) > 0;
	BN_free(n);
	return ok;
}

/* One PEM text to its file, through memory. */
static int
put_pem(const char *dir, const char *file, BIO *pem, struct err *err)
{
	char *p;
	long n = BIO_get_mem_data(pem, &p);

	return file_put(dir, file, p, n > 0 ? (size_t)n : 0, err);
}

static int
make(struct tls_identity *id, const char *dir, const char *name, struct err *err)
{
	BIO *k = BIO_new(BIO_s_secmem()), *c = BIO_new(BIO_s_mem());
	char cn[64];
	int code = 0;

	(void)snprintf(cn, sizeof(cn), "%s", name[0] != '\0' ? name : "lbd");
	id->key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	id->cert = X509_new();
	if (k == NULL || c == NULL || id->key == NULL || id->cert == NULL ||
	    !fill(id->cert, id->key, cn) ||
	    PEM_write_bio_PKCS8PrivateKey(k, id->key, NULL, NULL, 0, NULL, NULL) != 1 ||
	    PEM_write_bio_X509(c, id->cert) != 1)
		code = err_set(err, -EIO, "no key could be made for this node");
	if (code == 0)
		code = put_pem(dir, KEY_FILE, k, err);
	if (code == 0)
		code = put_pem(dir, CERT_FILE, c, err);
	BIO_free(k);
	BIO_free(c);
	return code;
}

static void
read_pem(struct tls_identity *id, const struct buf *key, const struct buf *cert)
{
	BIO *k = BIO_new_mem_buf(key->p, (int)key->len);
	BIO *c = BIO_new_mem_buf(cert->p, (int)cert->len);

	id->key = PEM_read_bio_PrivateKey(k, NULL, NULL, NULL);
	id->cert = PEM_read_bio_X509(c, NULL, NULL, NULL);
	BIO_free(k);
	BIO_free(c);
}

static int
load_or_make(struct tls_identity *id, const char *dir, const char *name, struct err *err)
{
	struct buf key = { 0 }, cert = { 0 };
	int k = file_get(dir, KEY_FILE, PEM_MOST, &key, err), c = k;

	if (k == 0 || k == -ENOENT)
		c = file_get(dir, CERT_FILE, PEM_MOST, &cert, err);
	if (k == -ENOENT && c == -ENOENT) {
		k = c = make(id, dir, name, err);
	} else if (k == 0 && c == 0) {
		read_pem(id, &key, &cert);
		if (id->key == NULL || id->cert == NULL ||
		    X509_check_private_key(id->cert, id->key) != 1)
			k = err_set(err, ERR_STORE,
			    "%s/" KEY_FILE " and " CERT_FILE
			    " do not belong together or are damaged; delete both to "
			    "have this node made anew, and pair it again",
			    dir);
	} else if (k == -ENOENT || c == -ENOENT) {
		k = err_set(err, ERR_STORE,
		    "%s/%s is there but %s is not: put it back, or delete both to have this node made anew",
		    dir, k == 0 ? KEY_FILE : CERT_FILE, k == 0 ? CERT_FILE : KEY_FILE);
	}
	if (key.p != NULL)
		OPENSSL_cleanse(key.p, key.len);
	buf_fini(&key);
	buf_fini(&cert);
	return k != 0 ? k : c;
}

int
tls_identity_load(const char *dir, const char *name, struct tls_identity **out, struct err *err)
{
	struct tls_identity *id = mem_alloc(sizeof(*id));
	int code = load_or_make(id, dir, name, err), len = 0;

	if (code == 0)
		len = i2d_X509(id->cert, &id->der);
	if (code == 0 && (len <= 0 || len > CLUSTER_CERT || !print_of(id->cert, id->print)))
		code = err_set(err, ERR_STORE, "%s/" CERT_FILE ": is of no use", dir);
	if (code != 0) {
		tls_identity_free(id);
		return code;
	}
	id->der_len = (size_t)len;
	*out = id;
	return 0;
}

void
tls_identity_free(struct tls_identity *id)
{
	if (id == NULL)
		return;
	EVP_PKEY_free(id->key);
	X509_free(id->cert);
	OPENSSL_free(id->der);
	free(id);
}

const uint8_t *
tls_identity_cert(const struct tls_identity *id, size_t *len_out)
{
	*len_out = id->der_len;
	return id->der;
}

const uint8_t *
tls_identity_print(const struct tls_identity *id)
{
	return id->print;
}

EVP_PKEY *
tls_identity_key(const struct tls_identity *id)
{
	return id->key;
}

X509 *
tls_identity_x509(const struct tls_identity *id)
{
	return id->cert;
}
