/* Certificates that sign themselves, and requests to an authority. Names become subjectAltName, which is what clients
 * look at; the CN is for people. */
#include "store/x509_priv.h"

#include "base/addr.h"
#include "base/must.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#define SAN_MOST 100
#define SKEW 3600 /* seconds: clocks of clients may be late */

static bool
is_host(const char *s)
{
	size_t n = strlen(s);

	if (strncmp(s, "*.", 2) == 0)
		s += 2;
	return n > 0 && n <= 253 && s[0] != '.' && s[0] != '-' && s[0] != '\0' &&
	       s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_")] ==
		   '\0' &&
	       strstr(s, "..") == NULL;
}

static bool
is_text(const char *s, size_t most)
{
	for (const char *p = s; *p != '\0'; p++)
		if ((uint8_t)*p < ' ' || *p == 0x7f)
			return false;
	return s[0] != '\0' && strlen(s) <= most;
}

static int
add_san(GENERAL_NAMES *all, const char *text, struct err *err)
{
	GENERAL_NAME *g = GENERAL_NAME_new();
	struct addr a;

	must(g != NULL);
	if (addr_parse(text, ADDR_HOST, &a) == 0) {
		ASN1_OCTET_STRING *ip = ASN1_OCTET_STRING_new();

		must(ip != NULL && ASN1_OCTET_STRING_set(ip, a.b, a.family == 4 ? 4 : 16) == 1);
		GENERAL_NAME_set0_value(g, GEN_IPADD, ip);
	} else if (is_host(text)) {
		ASN1_IA5STRING *dns = ASN1_IA5STRING_new();

		must(dns != NULL && ASN1_STRING_set(dns, text, -1) == 1);
		GENERAL_NAME_set0_value(g, GEN_DNS, dns);
	} else {
		GENERAL_NAME_free(g);
		return err_set(err, ERR_INVALID,
		    "san: \"%.100s\" is not allowed: names of hosts, as www.example.org or "
		    "*.example.org, and addresses",
		    text);
	}
	must(sk_GENERAL_NAME_push(all, g) > 0);
	return 0;
}

static int
make_san(const struct x509_wish *w, GENERAL_NAMES **out, struct err *err)
{
	const char *list = w->san != NULL && w->san[0] != '\0' ? w->san : w->cn;
	GENERAL_NAMES *all = GENERAL_NAMES_new();
	char one[256];
	int rc = 0;

	must(all != NULL);
	while (rc == 0 && *list != '\0') {
		size_t n = strcspn(list, ",");

		(void)snprintf(one, sizeof(one), "%.*s", n < 255 ? (int)n : 255, list);
		rc = sk_GENERAL_NAME_num(all) < SAN_MOST
			 ? add_san(all, one + strspn(one, " "), err)
			 : err_set(err, ERR_INVALID, "san: allowed are at most %d names", SAN_MOST);
		list += n + (list[n] == ',');
	}
	if (rc != 0)
		GENERAL_NAMES_free(all);
	else
		*out = all;
	return rc;
}

static int
check_wish(const struct x509_wish *w, struct err *err)
{
	if (!is_text(w->cn, 64))
		return err_set(
		    err, ERR_INVALID, "cn: \"%.100s\" is not allowed: 1 to 64 characters", w->cn);
	if (w->org != NULL && !is_text(w->org, 64))
		return err_set(
		    err, ERR_INVALID, "org: \"%.100s\" is not allowed: 1 to 64 characters", w->org);
	return 0;
}

static void
put_name(X509_NAME *name, const struct x509_wish *w)
{
	if (w->org != NULL)
		must(X509_NAME_add_entry_by_NID(name, NID_organizationName, MBSTRING_UTF8,
			 (const unsigned char *)w->org, -1, -1, 0) == 1);
	must(X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8,
		 (const unsigned char *)w->cn, -1, -1, 0) == 1);
}

int
x509_wish_again(const char *name, const char *chain, struct x509_wish *w, struct x509_face *f,
    char first[65], struct err *err)
{
	bool all = w->cn == NULL && w->san == NULL;
	size_t n;

	if (x509_face(chain, 0, f) == 0) {
		if (all && f->more)
			return err_field(err, ERR_INVALID, NULL, "san",
			    "is required: the certificate has more names than are read");
		n = strcspn(f->names, ",");
		if (w->cn == NULL && n > 0 && n < 65) {
			(void)snprintf(first, 65, "%.*s", (int)n, f->names);
			w->cn = first;
		}
		if (all)
			w->san = f->names;
	}
	if (w->cn == NULL)
		w->cn = name;
	return 0;
}

static const EVP_MD *
digest_of(EVP_PKEY *key)
{
	int id = EVP_PKEY_get_base_id(key);

	return id == EVP_PKEY_ED25519 || id == EVP_PKEY_ED448 ? NULL : EVP_sha256();
}

static void
take(BIO *b, struct buf *out)
{
	char *p = NULL;
	long n = BIO_get_mem_data(b, &p);

	must(n > 0);
	buf_put(out, p, (size_t)n);
	BIO_free(b);
}

static void
add_text(X509 *x, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *e;

	X509V3_set_ctx(&ctx, x, x, NULL, NULL, 0);
	X509V3_set_ctx_nodb(&ctx);
	e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	must(e != NULL && X509_add_ext(x, e, -1) == 1);
	X509_EXTENSION_free(e);
}

static void
put_serial(X509 *x)
{
	uint8_t bytes[16];
	BIGNUM *n;

	must(RAND_bytes(bytes, sizeof(bytes)) == 1);
	bytes[0] &= 0x7f;
	n = BN_bin2bn(bytes, sizeof(bytes), NULL);
	must(n != NULL && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(x)) != NULL);
	BN_free(n);
}

int
x509_self_signed(
    struct evp_pkey_st *key, const struct x509_wish *w, struct buf *out, struct err *err)
{
	GENERAL_NAMES *san = NULL;
	BIO *b;
	X509 *x;
	int rc = check_wish(w, err);

	if (rc == 0)
		rc = make_san(w, &san, err);
	if (rc != 0)
		return rc;
	x = X509_new();
	b = BIO_new(BIO_s_mem());
	must(x != NULL && b != NULL && X509_set_version(x, X509_VERSION_3) == 1);
	put_serial(x);
	must(X509_gmtime_adj(X509_getm_notBefore(x), -SKEW) != NULL &&
	     X509_time_adj_ex(X509_getm_notAfter(x), (int)w->days, 0, NULL) != NULL);
	put_name(X509_get_subject_name(x), w);
	must(
	    X509_set_issuer_name(x, X509_get_subject_name(x)) == 1 && X509_set_pubkey(x, key) == 1);
	add_text(x, NID_basic_constraints, "critical,CA:FALSE");
	add_text(x, NID_key_usage,
	    EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA ? "critical,digitalSignature,keyEncipherment"
						      : "critical,digitalSignature");
	add_text(x, NID_ext_key_usage, "serverAuth");
	add_text(x, NID_subject_key_identifier, "hash");
	must(X509_add1_ext_i2d(x, NID_subject_alt_name, san, 0, X509V3_ADD_DEFAULT) == 1);
	must(X509_sign(x, key, digest_of(key)) > 0 && PEM_write_bio_X509(b, x) == 1);
	take(b, out);
	X509_free(x);
	GENERAL_NAMES_free(san);
	return 0;
}

int
x509_request(struct evp_pkey_st *key, const struct x509_wish *w, struct buf *out, struct err *err)
{
	STACK_OF(X509_EXTENSION) *ext = NULL;
	GENERAL_NAMES *san = NULL;
	X509_REQ *q;
	BIO *b;
	int rc = check_wish(w, err);

	if (rc == 0)
		rc = make_san(w, &san, err);
	if (rc != 0)
		return rc;
	q = X509_REQ_new();
	b = BIO_new(BIO_s_mem());
	must(q != NULL && b != NULL && X509_REQ_set_version(q, X509_REQ_VERSION_1) == 1);
	put_name(X509_REQ_get_subject_name(q), w);
	must(X509V3_add1_i2d(&ext, NID_subject_alt_name, san, 0, X509V3_ADD_DEFAULT) == 1 &&
	     X509_REQ_add_extensions(q, ext) == 1);
	must(X509_REQ_set_pubkey(q, key) == 1 && X509_REQ_sign(q, key, digest_of(key)) > 0 &&
	     PEM_write_bio_X509_REQ(b, q) == 1);
	take(b, out);
	sk_X509_EXTENSION_pop_free(ext, X509_EXTENSION_free);
	X509_REQ_free(q);
	GENERAL_NAMES_free(san);
	return 0;
}
