/* Private keys: read, made, written, named. A key is known by the SHA-256 of its public half, which stands in the
 * certificate too. What held its bytes is wiped; an error says what is wrong, and never shows a byte. */
#include "store/x509_priv.h"

#include "base/mem.h"
#include "base/must.h"

#include <limits.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/decoder.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <string.h>

#define RSA_LEAST 2048

void
x509_wipe(struct buf *b)
{
	if (b->p != NULL)
		OPENSSL_cleanse(b->p, b->cap);
	buf_fini(b);
}

struct asked {
	const char *pass; /* NULL: there is none */
	bool asked;
};

static int
give_password(char *buf, int size, int rwflag, void *arg)
{
	struct asked *a = arg;
	size_t n = a->pass != NULL ? strlen(a->pass) : 0;

	(void)rwflag;
	a->asked = true;
	if (a->pass == NULL || n > (size_t)size)
		return -1;
	memcpy(buf, a->pass, n);
	return (int)n;
}

/* What a server can use. */
static int
check_kind(EVP_PKEY *key, struct err *err)
{
	int id = EVP_PKEY_get_base_id(key);

	if (id == EVP_PKEY_RSA && EVP_PKEY_get_bits(key) < RSA_LEAST)
		return err_set(err, ERR_INVALID,
		    "the key is RSA of %d bits; allowed are %d and more", EVP_PKEY_get_bits(key),
		    RSA_LEAST);
	if (id == EVP_PKEY_RSA || id == EVP_PKEY_EC || id == EVP_PKEY_ED25519 ||
	    id == EVP_PKEY_ED448)
		return 0;
	return err_set(err, ERR_INVALID,
	    "the key is of a kind that is not known; allowed are RSA, EC "
	    "and EdDSA");
}

/* Whatever else stands in the text is passed over. */
static EVP_PKEY *
read_pem(const void *bytes, size_t len, struct asked *a)
{
	BIO *in = BIO_new_mem_buf(bytes, (int)len);
	EVP_PKEY *key;

	must(in != NULL);
	key = PEM_read_bio_PrivateKey(in, NULL, give_password, a);
	BIO_free(in);
	return key;
}

static EVP_PKEY *
read_der(const void *bytes, size_t len, struct asked *a)
{
	const unsigned char *p = bytes;
	EVP_PKEY *key = NULL;
	OSSL_DECODER_CTX *d = OSSL_DECODER_CTX_new_for_pkey(
	    &key, "DER", NULL, NULL, OSSL_KEYMGMT_SELECT_KEYPAIR, NULL, NULL);

	must(d != NULL);
	(void)OSSL_DECODER_CTX_set_pem_password_cb(d, give_password, a);
	if (OSSL_DECODER_from_data(d, &p, &len) != 1) {
		EVP_PKEY_free(key);
		key = NULL;
	}
	OSSL_DECODER_CTX_free(d);
	return key;
}

struct evp_pkey_st *
x509_key_read(const void *bytes, size_t len, const char *pass, struct err *err)
{
	struct asked a = { .pass = pass };
	EVP_PKEY *key;

	if (len == 0 || len > X509_FILE_MOST) {
		(void)err_set(err, ERR_INVALID, "the key is %zu bytes long; allowed are 1 to %u",
		    len, X509_FILE_MOST);
		return NULL;
	}
	key = memmem(bytes, len, "-----BEGIN ", 11) != NULL ? read_pem(bytes, len, &a)
							    : read_der(bytes, len, &a);
	ERR_clear_error();
	if (key == NULL && a.asked)
		(void)err_set(err, pass == NULL ? ERR_DENIED : ERR_INVALID, "%s",
		    pass == NULL ? "the key is encrypted: it needs a password"
				 : "the key is encrypted, and the password is another");
	else if (key == NULL)
		(void)err_set(err, ERR_INVALID, "there is no private key that can be read");
	if (key != NULL && check_kind(key, err) != 0) {
		EVP_PKEY_free(key);
		key = NULL;
	}
	return key;
}

struct evp_pkey_st *
x509_key_make(const char *kind, struct err *err)
{
	EVP_PKEY *key;

	if (strcmp(kind, "rsa2048") == 0 || strcmp(kind, "rsa4096") == 0)
		key = EVP_RSA_gen(kind[3] == '2' ? 2048U : 4096U);
	else if (strcmp(kind, "p256") == 0 || strcmp(kind, "p384") == 0)
		key = EVP_EC_gen(kind[1] == '2' ? "P-256" : "P-384");
	else {
		(void)err_set(err, ERR_INVALID,
		    "a key of kind \"%.40s\" is not allowed: rsa2048, rsa4096, p256, p384", kind);
		return NULL;
	}
	must(key != NULL);
	return key;
}

void
x509_key_write(struct evp_pkey_st *key, struct buf *out)
{
	BIO *b = BIO_new(BIO_s_secmem());
	char *p = NULL;
	long n;

	must(b != NULL && PEM_write_bio_PKCS8PrivateKey(b, key, NULL, NULL, 0, NULL, NULL) == 1);
	n = BIO_get_mem_data(b, &p);
	must(n > 0);
	buf_put(out, p, (size_t)n);
	OPENSSL_cleanse(p, (size_t)n);
	BIO_free(b);
}

void
x509_key_name(struct evp_pkey_st *key, char out[X509_HEX])
{
	x509_spki(key, out);
}

bool
x509_key_is_name(const char *text)
{
	return strlen(text) == X509_HEX - 1 && text[strspn(text, "0123456789abcdef")] == '\0';
}

void
x509_key_free(struct evp_pkey_st *key)
{
	EVP_PKEY_free(key);
}
