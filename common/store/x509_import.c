/* What people have, into a chain and a key: PEM with anything around it, DER, PKCS#12; the key in the same file or in
 * another, encrypted or not.
 *
 * The first certificate is the one that the key belongs to, or without a key the one that is no authority's; then each
 * that has signed the one before, as far as the file goes. A root is left out: clients have it, or do not trust it.
 * What is left over is counted. */
#include "store/x509_priv.h"

#include "base/must.h"

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/x509v3.h>
#include <string.h>

#define CERTS_MOST 200
#define ROUNDS_MOST 10000000

static bool
has_text(const void *p, size_t len, const char *text)
{
	return memmem(p, len, text, strlen(text)) != NULL;
}

/* ---- the kinds of files -------------------------------------------------------------------------------------------- */

static int
from_pem(const void *file, size_t len, const char *pass, STACK_OF(X509) * all, EVP_PKEY **key,
    struct err *err)
{
	STACK_OF(X509) *found = x509_read_pem(file, len);

	if (found == NULL)
		return err_set(err, ERR_INVALID, "a certificate in it cannot be read");
	while (sk_X509_num(found) > 0)
		must(sk_X509_push(all, sk_X509_shift(found)) > 0);
	sk_X509_free(found);
	if (*key != NULL || !has_text(file, len, "PRIVATE KEY-----"))
		return 0;
	*key = x509_key_read(file, len, pass, err);
	return *key != NULL ? 0 : err != NULL ? err->code : ERR_INVALID;
}

/* Whether the file can be tried in a time that somebody waits for: how often a password is hashed stands in it. */
static bool
is_quick(const PKCS12 *p)
{
	const ASN1_INTEGER *rounds = NULL;

	PKCS12_get0_mac(NULL, NULL, NULL, &rounds, p);
	return rounds == NULL ||
	       (ASN1_INTEGER_get(rounds) > 0 && ASN1_INTEGER_get(rounds) <= ROUNDS_MOST);
}

static int
from_p12(PKCS12 *p, const char *pass, STACK_OF(X509) * all, EVP_PKEY **key, struct err *err)
{
	STACK_OF(X509) *others = NULL;
	EVP_PKEY *k = NULL;
	X509 *x = NULL;
	bool open = false;

	if (PKCS12_mac_present(p) != 1 || !is_quick(p))
		return err_set(err, ERR_INVALID, "the PKCS#12 file has %s",
		    PKCS12_mac_present(p) != 1 ? "no sum by which a password could be checked"
					       : "a password that is hashed too often");
	/* Without a password there are two ways to say so. */
	if (pass != NULL)
		open = PKCS12_verify_mac(p, pass, -1) == 1;
	else
		open = PKCS12_verify_mac(p, NULL, 0) == 1 || PKCS12_verify_mac(p, "", 0) == 1;
	if (!open)
		return err_set(err, pass == NULL ? ERR_DENIED : ERR_INVALID, "%s",
		    pass == NULL ? "the file is encrypted: it needs a password"
				 : "the file is encrypted, and the password is another");
	if (PKCS12_parse(p, pass != NULL ? pass : "", &k, &x, &others) != 1)
		return err_set(err, ERR_INVALID,
		    "the PKCS#12 file cannot be read; a cipher of before 2000 can be converted by "
		    "openssl pkcs12 -legacy");
	if (x != NULL)
		must(sk_X509_push(all, x) > 0);
	while (others != NULL && sk_X509_num(others) > 0)
		must(sk_X509_push(all, sk_X509_shift(others)) > 0);
	sk_X509_free(others);
	if (*key == NULL)
		*key = k;
	else
		EVP_PKEY_free(k);
	return 0;
}

/* DER: a certificate or PKCS#12. */
static int
from_der(const void *file, size_t len, const char *pass, STACK_OF(X509) * all, EVP_PKEY **key,
    struct err *err)
{
	const unsigned char *p = file;
	X509 *x = d2i_X509(NULL, &p, (long)len);
	PKCS12 *p12;
	int rc;

	if (x != NULL) {
		must(sk_X509_push(all, x) > 0);
		return 0;
	}
	p = file;
	p12 = d2i_PKCS12(NULL, &p, (long)len);
	if (p12 == NULL)
		return err_set(err, ERR_INVALID,
		    "is neither PEM nor DER nor PKCS#12; a Java keystore is converted by keytool "
		    "-importkeystore -deststoretype pkcs12");
	rc = from_p12(p12, pass, all, key, err);
	PKCS12_free(p12);
	return rc;
}

/* ---- the order ----------------------------------------------------------------------------------------------------- */

static bool
is_authority(X509 *x)
{
	return (X509_get_extension_flags(x) & EXFLAG_CA) != 0 && X509_check_ca(x) > 0;
}

static int
find_leaf(STACK_OF(X509) * all, EVP_PKEY *key)
{
	for (int i = 0; key != NULL && i < sk_X509_num(all); i++) {
		EVP_PKEY *own = X509_get0_pubkey(sk_X509_value(all, i));

		if (own != NULL && EVP_PKEY_eq(own, key) == 1)
			return i;
	}
	for (int i = 0; key == NULL && i < sk_X509_num(all); i++)
		if (!is_authority(sk_X509_value(all, i)))
			return i;
	return key == NULL && sk_X509_num(all) == 1 ? 0 : -1;
}

static X509 *
take_issuer(STACK_OF(X509) * all, X509 *of)
{
	for (int i = 0; i < sk_X509_num(all); i++)
		if (x509_signed_by(of, sk_X509_value(all, i)))
			return sk_X509_delete(all, i);
	return NULL;
}

static void
put_chain(STACK_OF(X509) * all, int leaf, struct x509_import *out)
{
	BIO *b = BIO_new(BIO_s_mem());
	X509 *x = sk_X509_delete(all, leaf), *next;
	char *p = NULL;
	long n;

	must(b != NULL);
	x509_spki(X509_get0_pubkey(x), out->name);
	x509_name_text(X509_get_subject_name(x), out->subject, sizeof(out->subject));
	must(PEM_write_bio_X509(b, x) == 1);
	while (X509_self_signed(x, 1) != 1 && (next = take_issuer(all, x)) != NULL) {
		X509_free(x);
		x = next;
		if (X509_self_signed(x, 1) != 1)
			must(PEM_write_bio_X509(b, x) == 1);
	}
	X509_free(x);
	n = BIO_get_mem_data(b, &p);
	buf_put(&out->chain, p, (size_t)(n > 0 ? n : 0));
	BIO_free(b);
	out->left = (unsigned)sk_X509_num(all);
}

/* Two names for one key, in an error: the key is another. */
static int
mismatch(STACK_OF(X509) * all, EVP_PKEY *key, struct err *err)
{
	char name[X509_HEX], other[X509_HEX] = "?", subject[160];
	X509 *x = sk_X509_value(all, 0);

	x509_spki(key, name);
	x509_name_text(X509_get_subject_name(x), subject, sizeof(subject));
	if (X509_get0_pubkey(x) != NULL)
		x509_spki(X509_get0_pubkey(x), other);
	return err_set(err, ERR_INVALID,
	    "the key %s does not belong to the certificate (%s), whose key is %s", name, subject,
	    other);
}

static int
arrange(STACK_OF(X509) * all, EVP_PKEY *key, struct x509_import *out, struct err *err)
{
	int leaf;

	if (sk_X509_num(all) == 0)
		return err_set(err, ERR_INVALID, "there is no certificate in it");
	if (sk_X509_num(all) > CERTS_MOST)
		return err_set(err, ERR_INVALID, "has %d certificates; allowed are at most %d",
		    sk_X509_num(all), CERTS_MOST);
	leaf = find_leaf(all, key);
	if (leaf < 0 && key != NULL)
		return mismatch(all, key, err);
	if (leaf < 0 || X509_get0_pubkey(sk_X509_value(all, leaf)) == NULL)
		return err_set(err, ERR_INVALID,
		    "has only certificates of authorities; allowed is that of a server with them");
	put_chain(all, leaf, out);
	return 0;
}

int
x509_import(const void *file, size_t len, const void *key, size_t key_len, const char *pass,
    struct x509_import *out, struct err *err)
{
	STACK_OF(X509) *all = sk_X509_new_null();
	int rc = 0;

	must(all != NULL);
	*out = (struct x509_import){ 0 };
	if (len == 0 || len > X509_FILE_MOST)
		rc = err_set(err, ERR_INVALID, "is %zu bytes long; allowed are 1 to %u", len,
		    X509_FILE_MOST);
	if (rc == 0 && key != NULL) {
		out->key = x509_key_read(key, key_len, pass, err);
		if (out->key == NULL)
			rc = err != NULL ? err->code : ERR_INVALID;
	}
	if (rc == 0)
		rc = (has_text(file, len, "-----BEGIN ") ? from_pem : from_der)(
		    file, len, pass, all, &out->key, err);
	if (rc == 0)
		rc = arrange(all, out->key, out, err);
	sk_X509_pop_free(all, X509_free);
	ERR_clear_error();
	if (rc != 0)
		x509_import_fini(out);
	return rc;
}

void
x509_import_fini(struct x509_import *i)
{
	buf_fini(&i->chain);
	x509_key_free(i->key);
	*i = (struct x509_import){ 0 };
}
