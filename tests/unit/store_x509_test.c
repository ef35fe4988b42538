/* Certificates and keys: what a commit refuses of them, what an import makes of files, how keys are named. All is made
 * here, by libcrypto. */
#include "store_help.h"
#include "store/x509.h"

#include <errno.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/x509v3.h>
#include <time.h>

enum { ROOT, MIDDLE, LEAF, OTHER, STRANGER, CERTS };
static EVP_PKEY *key[CERTS];
static X509 *cert[CERTS];
static char pem[CERTS][4096], name[CERTS][X509_HEX], crl_good[4096], crl_bad[4096];

static X509 *
make(const char *cn, EVP_PKEY *own, X509 *issuer, EVP_PKEY *by, bool authority)
{
	X509 *x = X509_new();
	X509V3_CTX ctx;
	X509_EXTENSION *e;

	assert_non_null(x);
	assert_int_equal(X509_set_version(x, X509_VERSION_3), 1);
	assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(x), 7), 1);
	assert_non_null(X509_gmtime_adj(X509_getm_notBefore(x), -60));
	assert_non_null(X509_gmtime_adj(X509_getm_notAfter(x), 86400 * 20));
	assert_int_equal(X509_NAME_add_entry_by_NID(X509_get_subject_name(x), NID_commonName,
			     MBSTRING_UTF8, (const unsigned char *)cn, -1, -1, 0),
	    1);
	assert_int_equal(
	    X509_set_issuer_name(x, X509_get_subject_name(issuer != NULL ? issuer : x)), 1);
	assert_int_equal(X509_set_pubkey(x, own), 1);
	X509V3_set_ctx(&ctx, x, x, NULL, NULL, 0);
	e = X509V3_EXT_conf_nid(NULL, &ctx, NID_basic_constraints,
	    authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
	assert_non_null(e);
	assert_int_equal(X509_add_ext(x, e, -1), 1);
	X509_EXTENSION_free(e);
	assert_true(X509_sign(x, by, EVP_sha256()) > 0);
	return x;
}

static void
take(BIO *b, char *out, size_t room)
{
	char *p = NULL;
	long n = BIO_get_mem_data(b, &p);

	assert_true(n > 0 && (size_t)n < room);
	memcpy(out, p, (size_t)n);
	out[n] = '\0';
	BIO_free(b);
}

static void
make_crl(X509 *issuer, EVP_PKEY *by, char *out, size_t room)
{
	X509_CRL *l = X509_CRL_new();
	ASN1_TIME *t = X509_gmtime_adj(NULL, 0);
	BIO *b = BIO_new(BIO_s_mem());

	assert_int_equal(X509_CRL_set_issuer_name(l, X509_get_subject_name(issuer)), 1);
	assert_int_equal(X509_CRL_set1_lastUpdate(l, t), 1);
	assert_int_equal(X509_CRL_set1_nextUpdate(l, t), 1);
	assert_true(X509_CRL_sign(l, by, EVP_sha256()) > 0);
	assert_int_equal(PEM_write_bio_X509_CRL(b, l), 1);
	take(b, out, room);
	ASN1_TIME_free(t);
	X509_CRL_free(l);
}

static int
make_all(void **state)
{
	(void)state;
	for (unsigned i = 0; i < CERTS; i++) {
		key[i] = x509_key_make("p256", NULL);
		x509_key_name(key[i], name[i]);
	}
	cert[ROOT] = make("root", key[ROOT], NULL, key[ROOT], true);
	cert[MIDDLE] = make("middle", key[MIDDLE], cert[ROOT], key[ROOT], true);
	cert[LEAF] = make("www.example.org", key[LEAF], cert[MIDDLE], key[MIDDLE], false);
	cert[OTHER] = make("other.example.org", key[OTHER], cert[MIDDLE], key[MIDDLE], false);
	/* Says that middle has signed it, and is wrong. */
	cert[STRANGER] = make("forged", key[STRANGER], cert[MIDDLE], key[STRANGER], false);
	for (unsigned i = 0; i < CERTS; i++) {
		BIO *b = BIO_new(BIO_s_mem());

		assert_int_equal(PEM_write_bio_X509(b, cert[i]), 1);
		take(b, pem[i], sizeof(pem[i]));
	}
	make_crl(cert[ROOT], key[ROOT], crl_good, sizeof(crl_good));
	make_crl(cert[ROOT], key[OTHER], crl_bad, sizeof(crl_bad));
	return 0;
}

static int
free_all(void **state)
{
	(void)state;
	for (unsigned i = 0; i < CERTS; i++) {
		X509_free(cert[i]);
		EVP_PKEY_free(key[i]);
	}
	return 0;
}

/* ---- commits ----------------------------------------------------------------------------------------------------- */

static int
put_row(unsigned kind, const char *row, const char *a, const char *a_text, const char *b,
    const char *b_text)
{
	struct doc_item *it;
	struct doc d;
	int rc;

	doc_init(&d);
	rc = doc_add(&d, DOC_REPLACE, object_of(kind), row, 0, &it, &err);
	if (rc == 0)
		rc = doc_set(&d, it, a, a_text, &err);
	if (rc == 0)
		rc = doc_set(&d, it, b, b_text, &err);
	if (rc == 0)
		rc = store_edit(st, &d, &by_test, NULL, &err);
	doc_fini(&d);
	return rc;
}

static const struct {
	int chain[4]; /* of cert, ends with CERTS */
	int key;      /* CERTS: none */
	const char *words;
} chains[] = {
	{ { LEAF, MIDDLE, CERTS }, LEAF, NULL },
	{ { LEAF, MIDDLE, ROOT, CERTS }, LEAF, NULL },
	{ { LEAF, CERTS }, LEAF, NULL },
	{ { ROOT, CERTS }, ROOT, NULL }, /* alone, as openssl req -x509 makes it */
	{ { CERTS }, LEAF, NULL },	 /* a request */
	{ { CERTS }, CERTS, "cert c: chain: is required" },
	{ { LEAF, MIDDLE, CERTS }, OTHER, "is not the key of certificate 1 (CN=www.example.org)" },
	{ { LEAF, CERTS }, CERTS, "cert c: key: \"\" is not the key" },
	{ { MIDDLE, LEAF, CERTS }, MIDDLE, "certificate 1 (CN=middle) is that of an authority" },
	{ { LEAF, ROOT, CERTS }, LEAF,
	    "certificate 1 (CN=www.example.org) is not signed by certificate 2 (CN=root)" },
	{ { LEAF, MIDDLE, OTHER, CERTS }, LEAF, "certificate 2 (CN=middle) is not signed by" },
	{ { STRANGER, MIDDLE, CERTS }, STRANGER, "certificate 1 (CN=forged) is not signed by" },
};

static void
join(const int *list, char *out)
{
	out[0] = '\0';
	for (; *list != CERTS; list++)
		strcat(out, pem[*list]);
}

static void
test_chains(void **state)
{
	char text[16384];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(chains); i++) {
		const char *k = chains[i].key != CERTS ? name[chains[i].key] : "";
		uint32_t head = store_head(st, SCOPE_SHARED);

		join(chains[i].chain, text);
		if (chains[i].words == NULL) {
			assert_good(put_row(KIND_cert, "c", "chain", text, "key", k));
			continue;
		}
		assert_bad(
		    put_row(KIND_cert, "c", "chain", text, "key", k), ERR_INVALID, chains[i].words);
		assert_int_equal(store_head(st, SCOPE_SHARED), head);
	}
	assert_bad(
	    put_row(KIND_cert, "c", "chain", pem[LEAF], "key", "ABC"), ERR_INVALID, "64 digits");
	assert_bad(put_row(KIND_cert, "c", "chain",
		       "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "key",
		       name[LEAF]),
	    ERR_INVALID, "has a block that is no certificate");
	/* What was there before does not keep anybody from another change. */
	assert_good(edit("create vip web address=10.0.0.1 ports=80"));
}

static void
test_authorities(void **state)
{
	(void)state;
	assert_good(put_row(KIND_ca, "a", "certs", pem[ROOT], "crl", crl_good));
	assert_good(put_row(KIND_ca, "a", "certs", pem[LEAF], "crl", ""));
	assert_bad(put_row(KIND_ca, "a", "certs", pem[ROOT], "crl", crl_bad), ERR_INVALID,
	    "ca a: crl: the list of CN=root is not signed by any");
	assert_bad(put_row(KIND_ca, "a", "certs", pem[MIDDLE], "crl", crl_good), ERR_INVALID,
	    "ca a: crl: the list of CN=root");
	assert_bad(put_row(KIND_ca, "a", "certs", pem[ROOT], "crl",
		       "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"),
	    ERR_INVALID, "no revocation list");
}

/* ---- looking ----------------------------------------------------------------------------------------------------- */

static void
test_face(void **state)
{
	struct x509_face f;
	char text[16384];

	(void)state;
	join((const int[]){ LEAF, MIDDLE, CERTS }, text);
	assert_int_equal(x509_face(text, 0, &f), 0);
	assert_string_equal(f.subject, "CN=www.example.org");
	assert_string_equal(f.issuer, "CN=middle");
	assert_string_equal(f.names, "www.example.org");
	assert_string_equal(f.kind, "EC prime256v1");
	assert_string_equal(f.key, name[LEAF]);
	assert_string_equal(f.serial, "07");
	assert_true(!f.authority && !f.own);
	assert_int_equal(x509_face(text, 1, &f), 0);
	assert_true(f.authority && !f.own);
	assert_int_equal(x509_face(text, 2, &f), -ENOENT);
	assert_int_equal(x509_face("", 0, &f), -ENOENT);
	assert_int_equal(
	    x509_face("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", 0, &f),
	    -EBADMSG);
	assert_int_equal(x509_until(""), 0);
	assert_in_range(
	    x509_until(text), time(NULL) + 86400 * 20 - 60, time(NULL) + 86400 * 20 + 60);
}

static void
test_ends(void **state)
{
	static const struct {
		int64_t left;
		enum x509_end end;
	} rows[] = {
		{ 31 * 86400, X509_FAR },
		{ 30 * 86400, X509_MONTH },
		{ 7 * 86400 + 1, X509_MONTH },
		{ 7 * 86400, X509_WEEK },
		{ 86400, X509_DAY },
		{ 1, X509_DAY },
		{ 0, X509_EXPIRED },
		{ -5, X509_EXPIRED },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(x509_ends(1000000 + rows[i].left, 1000000), rows[i].end);
}

/* ---- imports ----------------------------------------------------------------------------------------------------- */

static void
key_pem(EVP_PKEY *k, const char *pass, char *out, size_t room)
{
	BIO *b = BIO_new(BIO_s_mem());

	assert_int_equal(
	    PEM_write_bio_PKCS8PrivateKey(b, k, pass != NULL ? EVP_aes_256_cbc() : NULL, pass,
		pass != NULL ? (int)strlen(pass) : 0, NULL, NULL),
	    1);
	take(b, out, room);
}

static int
import(const char *file, const char *key_file, const char *pass, struct x509_import *out)
{
	return x509_import(
	    file, strlen(file), key_file, key_file != NULL ? strlen(key_file) : 0, pass, out, &err);
}

static void
test_import_pem(void **state)
{
	char text[16384], k[4096], locked[4096], want[8192];
	struct x509_import i;

	(void)state;
	key_pem(key[LEAF], NULL, k, sizeof(k));
	key_pem(key[LEAF], "secret", locked, sizeof(locked));
	/* In any order, with a root and with a stranger. */
	join((const int[]){ ROOT, MIDDLE, OTHER, LEAF, CERTS }, text);
	join((const int[]){ LEAF, MIDDLE, CERTS }, want);
	assert_good(import(text, k, NULL, &i));
	buf_put(&i.chain, "", 1);
	assert_string_equal((const char *)i.chain.p, want);
	assert_string_equal(i.name, name[LEAF]);
	assert_int_equal(i.left, 1);
	assert_non_null(i.key);
	x509_import_fini(&i);
	/* In one file; encrypted. */
	strcat(text, locked);
	assert_bad(import(text, NULL, NULL, &i), ERR_DENIED, "needs a password");
	assert_bad(import(text, NULL, "wrong", &i), ERR_INVALID, "the password is another");
	assert_good(import(text, NULL, "secret", &i));
	assert_string_equal(i.name, name[LEAF]);
	x509_import_fini(&i);
	/* Without a key. */
	join((const int[]){ MIDDLE, LEAF, CERTS }, text);
	assert_good(import(text, NULL, NULL, &i));
	assert_null(i.key);
	assert_string_equal(i.subject, "CN=www.example.org");
	x509_import_fini(&i);
}

static void
test_import_refused(void **state)
{
	char k[4096];
	struct x509_import i;

	(void)state;
	key_pem(key[OTHER], NULL, k, sizeof(k));
	assert_bad(
	    import(pem[LEAF], k, NULL, &i), ERR_INVALID, "does not belong to the certificate");
	assert_non_null(strstr(err.text, name[LEAF]));
	assert_non_null(strstr(err.text, name[OTHER]));
	assert_bad(import(k, NULL, NULL, &i), ERR_INVALID, "no certificate in it");
	assert_bad(
	    import("what is this", NULL, NULL, &i), ERR_INVALID, "neither PEM nor DER nor PKCS#12");
	assert_bad(import("", NULL, NULL, &i), ERR_INVALID, "0 bytes long");
	assert_bad(
	    import(pem[LEAF], "no key", NULL, &i), ERR_INVALID, "no private key that can be read");
	join((const int[]){ ROOT, MIDDLE, CERTS }, k);
	assert_bad(import(k, NULL, NULL, &i), ERR_INVALID, "only certificates of authorities");
}

static void
test_import_p12(void **state)
{
	STACK_OF(X509) *more = sk_X509_new_null();
	unsigned char *der = NULL;
	struct x509_import i;
	PKCS12 *p;
	int n;

	(void)state;
	assert_true(sk_X509_push(more, cert[ROOT]) > 0 && sk_X509_push(more, cert[MIDDLE]) > 0);
	p = PKCS12_create("secret", "web", key[LEAF], cert[LEAF], more, 0, 0, 0, 0, 0);
	assert_non_null(p);
	n = i2d_PKCS12(p, &der);
	assert_true(n > 0);
	assert_bad(
	    x509_import(der, (size_t)n, NULL, 0, NULL, &i, &err), ERR_DENIED, "needs a password");
	assert_bad(x509_import(der, (size_t)n, NULL, 0, "x", &i, &err), ERR_INVALID, "another");
	assert_good(x509_import(der, (size_t)n, NULL, 0, "secret", &i, &err));
	assert_string_equal(i.name, name[LEAF]);
	assert_non_null(i.key);
	assert_int_equal(i.left, 0);
	x509_import_fini(&i);
	OPENSSL_free(der);
	PKCS12_free(p);
	sk_X509_free(more);
}

/* ---- keys -------------------------------------------------------------------------------------------------------- */

static void
test_keys(void **state)
{
	static const char *const kinds[] = { "rsa2048", "p256", "p384" };
	struct buf b = { 0 };
	char one[X509_HEX], two[X509_HEX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		EVP_PKEY *k = x509_key_make(kinds[i], &err), *again;

		assert_non_null(k);
		x509_key_name(k, one);
		assert_true(x509_key_is_name(one));
		x509_key_write(k, &b);
		again = x509_key_read(b.p, b.len, NULL, &err);
		assert_non_null(again);
		x509_key_name(again, two);
		assert_string_equal(one, two);
		x509_key_free(k);
		x509_key_free(again);
		x509_wipe(&b);
	}
	assert_null(x509_key_make("rsa1024", &err));
	assert_non_null(strstr(err.text, "rsa2048, rsa4096, p256, p384"));
	assert_null(x509_key_read("x", 1, NULL, &err));
	assert_false(x509_key_is_name("abc"));
}

static void
test_make(void **state)
{
	const struct x509_wish good = { .cn = "www.example.org",
		.san = "www.example.org, *.example.org,192.0.2.1,fd00::1",
		.days = 30 };
	struct x509_wish bad = good;
	struct buf b = { 0 };
	struct x509_face f;

	(void)state;
	assert_good(x509_self_signed(key[LEAF], &good, &b, &err));
	assert_int_equal(x509_face(buf_text(&b), 0, &f), 0);
	assert_string_equal(f.names, "www.example.org,*.example.org,192.0.2.1,fd00::1");
	assert_string_equal(f.key, name[LEAF]);
	assert_true(f.own && !f.authority);
	assert_good(put_row(KIND_cert, "made", "chain", buf_text(&b), "key", name[LEAF]));
	b.len = 0;
	assert_good(x509_request(key[LEAF], &good, &b, &err));
	assert_non_null(strstr(buf_text(&b), "BEGIN CERTIFICATE REQUEST"));
	bad.san = "not a host";
	assert_bad(x509_request(key[LEAF], &bad, &b, &err), ERR_INVALID, "san: \"not a host\"");
	bad = good;
	bad.cn = "";
	assert_bad(x509_self_signed(key[LEAF], &bad, &b, &err), ERR_INVALID, "cn: ");
	buf_fini(&b);
}

/* What a request for a certificate that is there asks for. */
static void
test_wish_again(void **state)
{
	static const struct {
		const char *cn, *san, *cn_out, *san_out;
	} rows[] = {
		{ NULL, NULL, "www.example.org", "www.example.org,*.example.org" },
		{ "new.example.org", NULL, "new.example.org", NULL }, /* the only name */
		{ NULL, "192.0.2.1", "www.example.org", "192.0.2.1" },
		{ "new.example.org", "192.0.2.1", "new.example.org", "192.0.2.1" },
	};
	struct x509_wish w = { .cn = "web", .san = "www.example.org,*.example.org", .days = 30 };
	struct buf chain = { 0 }, many = { 0 }, san = { 0 };
	struct x509_face f;
	char first[65];

	(void)state;
	assert_good(x509_self_signed(key[LEAF], &w, &chain, &err));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		w = (struct x509_wish){ .cn = rows[i].cn, .san = rows[i].san };
		assert_good(x509_wish_again("web", buf_text(&chain), &w, &f, first, &err));
		assert_string_equal(w.cn, rows[i].cn_out);
		if (rows[i].san_out != NULL)
			assert_string_equal(w.san, rows[i].san_out);
		else
			assert_null(w.san);
	}
	w = (struct x509_wish){ 0 };
	assert_good(x509_wish_again("asked", "", &w, &f, first, &err));
	assert_string_equal(w.cn, "asked");
	assert_null(w.san);
	for (int i = 0; i < 90; i++)
		buf_printf(&san, "%shost-number-%02d.example.org", i > 0 ? "," : "", i);
	w = (struct x509_wish){ .cn = "many", .san = buf_text(&san), .days = 30 };
	assert_good(x509_self_signed(key[LEAF], &w, &many, &err));
	w = (struct x509_wish){ 0 };
	assert_bad(x509_wish_again("m", buf_text(&many), &w, &f, first, &err), ERR_INVALID,
	    "san: is required: the certificate has more names");
	w = (struct x509_wish){ .san = "a.example.org" };
	assert_good(x509_wish_again("m", buf_text(&many), &w, &f, first, &err));
	assert_string_equal(w.cn, "host-number-00.example.org");
	buf_fini(&chain);
	buf_fini(&many);
	buf_fini(&san);
}

/* ---- what is kept ------------------------------------------------------------------------------------------------ */

static void
test_mentions(void **state)
{
	(void)state;
	assert_false(store_mentions(st, name[LEAF]));
	assert_good(put_row(KIND_cert, "c", "chain", pem[LEAF], "key", name[LEAF]));
	assert_true(store_mentions(st, name[LEAF]));
	assert_good(edit("delete cert c"));
	assert_true(store_mentions(st, name[LEAF])); /* a rollback may bring it back */
	assert_false(store_mentions(st, name[OTHER]));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(fn) cmocka_unit_test_setup_teardown(fn, open_store, drop_dir)
		T(test_chains),
		T(test_authorities),
		cmocka_unit_test(test_face),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_import_pem),
		cmocka_unit_test(test_import_refused),
		cmocka_unit_test(test_import_p12),
		cmocka_unit_test(test_keys),
		T(test_make),
		cmocka_unit_test(test_wish_again),
		T(test_mentions),
	};

	return cmocka_run_group_tests(tests, make_all, free_all);
}
