/* What is in a certificate, for people: names, times, fingerprints. The file's texts come from somebody who may write
 * the configuration, and are shown on terminals and pages: characters that are no text are escaped by libcrypto. */
#include "store/x509_priv.h"

#include "base/must.h"

#include <errno.h>
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#define NAME_FORM (XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB)

/* A key is never asked for on a terminal. */
int
x509_no_password(char *buf, int size, int rwflag, void *arg)
{
	(void)buf, (void)size, (void)rwflag, (void)arg;
	return -1;
}

void
x509_hex(const uint8_t *p, size_t n, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		out[2 * i] = digits[p[i] >> 4];
		out[2 * i + 1] = digits[p[i] & 15];
	}
	out[2 * n] = '\0';
}

void
x509_digest(const void *p, size_t n, char out[X509_HEX])
{
	uint8_t sum[SHA256_DIGEST_LENGTH];

	must(EVP_Digest(p, n, sum, NULL, EVP_sha256(), NULL) == 1);
	x509_hex(sum, sizeof(sum), out);
}

void
x509_spki(EVP_PKEY *key, char out[X509_HEX])
{
	uint8_t *der = NULL, sum[SHA256_DIGEST_LENGTH];
	int n = i2d_PUBKEY(key, &der);

	out[0] = '\0';
	if (n > 0 && EVP_Digest(der, (size_t)n, sum, NULL, EVP_sha256(), NULL) == 1)
		x509_hex(sum, sizeof(sum), out);
	OPENSSL_free(der);
}

STACK_OF(X509) * x509_read_pem(const char *pem, size_t len)
{
	STACK_OF(X509) *all = sk_X509_new_null();
	BIO *in = BIO_new_mem_buf(pem, (int)len);
	X509 *x;

	must(all != NULL && in != NULL);
	while ((x = PEM_read_bio_X509(in, NULL, x509_no_password, NULL)) != NULL)
		must(sk_X509_push(all, x) > 0);
	/* Anything but the end of the text is a block that cannot be read. */
	if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) {
		sk_X509_pop_free(all, X509_free);
		all = NULL;
	}
	ERR_clear_error();
	BIO_free(in);
	return all;
}

static void
take_bio(BIO *b, char *out, size_t room)
{
	char *p = NULL;
	long n = BIO_get_mem_data(b, &p);

	(void)snprintf(out, room, "%.*s", (int)(n > 0 ? n : 0), p != NULL ? p : "");
	(void)BIO_reset(b);
}

void
x509_name_text(const X509_NAME *name, char *out, size_t room)
{
	BIO *b = BIO_new(BIO_s_mem());

	must(b != NULL);
	(void)X509_NAME_print_ex(b, name, 0, NAME_FORM);
	take_bio(b, out, room);
	BIO_free(b);
}

int64_t
x509_time(const ASN1_TIME *t)
{
	struct tm tm = { 0 };

	return t != NULL && ASN1_TIME_to_tm(t, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

static void
add_name(const char *text, size_t n, struct x509_face *out)
{
	size_t at = strlen(out->names), room = sizeof(out->names);

	/* Only what a host can be called; nothing that could be taken for more than one name. */
	for (size_t i = 0; i < n; i++)
		if (text[i] <= ' ' || text[i] == ',' || (uint8_t)text[i] >= 0x7f)
			return;
	if (n > 0 && at + n + 2 < room)
		(void)snprintf(
		    out->names + at, room - at, "%s%.*s", at > 0 ? "," : "", (int)n, text);
	else
		out->more |= n > 0;
}

static void
add_address(const ASN1_OCTET_STRING *ip, struct x509_face *out)
{
	struct addr a = { .family = ASN1_STRING_length(ip) == 4 ? 4 : 6 };
	char text[ADDR_TEXT];
	int n = ASN1_STRING_length(ip);

	if (n != 4 && n != 16)
		return;
	memcpy(a.b, ASN1_STRING_get0_data(ip), (size_t)n);
	a.len = (uint8_t)(n * 8);
	addr_format(&a, ADDR_HOST, text);
	add_name(text, strlen(text), out);
}

static void
add_cn(X509 *x, struct x509_face *out)
{
	const X509_NAME *name = X509_get_subject_name(x);
	int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
	const ASN1_STRING *s;

	if (at < 0)
		return;
	s = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at));
	add_name((const char *)ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s), out);
}

static void
names_of(X509 *x, struct x509_face *out)
{
	GENERAL_NAMES *all = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);

	for (int i = 0; all != NULL && i < sk_GENERAL_NAME_num(all); i++) {
		const GENERAL_NAME *g = sk_GENERAL_NAME_value(all, i);

		if (g->type == GEN_DNS)
			add_name((const char *)ASN1_STRING_get0_data(g->d.dNSName),
			    (size_t)ASN1_STRING_length(g->d.dNSName), out);
		else if (g->type == GEN_IPADD)
			add_address(g->d.iPAddress, out);
	}
	GENERAL_NAMES_free(all);
	if (out->names[0] == '\0')
		add_cn(x, out);
}

static void
kind_of(EVP_PKEY *key, char *out, size_t room)
{
	char group[24] = "";

	if (key == NULL)
		(void)snprintf(out, room, "unknown");
	else if (EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA)
		(void)snprintf(out, room, "RSA %d", EVP_PKEY_get_bits(key));
	else if (EVP_PKEY_get_base_id(key) == EVP_PKEY_EC &&
		 EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) == 1)
		(void)snprintf(out, room, "EC %s", group);
	else
		(void)snprintf(out, room, "%s %d",
		    EVP_PKEY_get0_type_name(key) != NULL ? EVP_PKEY_get0_type_name(key) : "other",
		    EVP_PKEY_get_bits(key));
}

static void
serial_of(X509 *x, char *out, size_t room)
{
	const ASN1_INTEGER *s = X509_get0_serialNumber(x);
	int n = ASN1_STRING_length(s);

	if (n > 0 && (size_t)n * 2 < room)
		x509_hex(ASN1_STRING_get0_data(s), (size_t)n, out);
	else
		(void)snprintf(out, room, "%s", n > 0 ? "long" : "0");
}

static void
face_of(X509 *x, struct x509_face *out)
{
	EVP_PKEY *key = X509_get0_pubkey(x);
	uint8_t sum[SHA256_DIGEST_LENGTH];

	*out = (struct x509_face){ 0 };
	x509_name_text(X509_get_subject_name(x), out->subject, sizeof(out->subject));
	x509_name_text(X509_get_issuer_name(x), out->issuer, sizeof(out->issuer));
	serial_of(x, out->serial, sizeof(out->serial));
	names_of(x, out);
	kind_of(key, out->kind, sizeof(out->kind));
	if (key != NULL)
		x509_spki(key, out->key);
	if (X509_digest(x, EVP_sha256(), sum, NULL) == 1)
		x509_hex(sum, sizeof(sum), out->digest);
	out->from = x509_time(X509_get0_notBefore(x));
	out->until = x509_time(X509_get0_notAfter(x));
	out->authority = X509_check_ca(x) > 0 && (X509_get_extension_flags(x) & EXFLAG_CA) != 0;
	out->own = X509_self_signed(x, 1) == 1;
	ERR_clear_error();
}

int
x509_face(const char *pem, unsigned nth, struct x509_face *out)
{
	STACK_OF(X509) *all = x509_read_pem(pem, strlen(pem));
	int code = all == NULL ? -EBADMSG : (int)nth < sk_X509_num(all) ? 0 : -ENOENT;

	if (code == 0)
		face_of(sk_X509_value(all, (int)nth), out);
	sk_X509_pop_free(all, X509_free);
	return code;
}

int64_t
x509_until(const char *chain)
{
	STACK_OF(X509) *all = x509_read_pem(chain, strlen(chain));
	int64_t first = 0;

	for (int i = 0; all != NULL && i < sk_X509_num(all); i++) {
		int64_t t = x509_time(X509_get0_notAfter(sk_X509_value(all, i)));

		if (i == 0 || t < first)
			first = t;
	}
	sk_X509_pop_free(all, X509_free);
	return first;
}

bool
x509_responder(const char *chain, char out[256])
{
	STACK_OF(X509) *all = x509_read_pem(chain, strlen(chain));
	STACK_OF(OPENSSL_STRING) *urls =
	    sk_X509_num(all) > 0 ? X509_get1_ocsp(sk_X509_value(all, 0)) : NULL;
	bool http = false;

	out[0] = '\0';
	for (int i = 0; !http && i < sk_OPENSSL_STRING_num(urls); i++) {
		const char *url = sk_OPENSSL_STRING_value(urls, i);

		http = strncmp(url, "http://", 7) == 0;
		if (http || out[0] == '\0')
			(void)snprintf(out, 256, "%s", url);
	}
	for (char *p = out; *p != '\0'; p++)
		if (*p <= ' ' || *p >= 127)
			*p = '?'; /* it is shown on terminals */
	X509_email_free(urls);
	sk_X509_pop_free(all, X509_free);
	return http;
}

enum x509_end
x509_ends(int64_t until, int64_t now)
{
	int64_t left = until - now;

	return left <= 0	    ? X509_EXPIRED
	       : left <= 86400	    ? X509_DAY
	       : left <= 7 * 86400  ? X509_WEEK
	       : left <= 30 * 86400 ? X509_MONTH
				    : X509_FAR;
}
