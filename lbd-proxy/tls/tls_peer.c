/* What a server is told of the client's certificate. Names come from strangers: OpenSSL writes them so that nothing but printable
 * ASCII is left (RFC 2253 section 2.4), and every value has a limit. */
#include "tls_priv.h"

#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <string.h>

#define NAME_MOST 1024	/* bytes of a name */
#define CERT_MOST 12288 /* bytes of DER that are passed on, of the certificate and of its chain */

static void
put_name(BIO *out, const char *field, const X509_NAME *name)
{
	BIO *text = BIO_new(BIO_s_mem());
	char *p;
	long n;

	if (text != NULL && X509_NAME_print_ex(text, name, 0, XN_FLAG_RFC2253) >= 0) {
		n = BIO_get_mem_data(text, &p);
		(void)BIO_printf(out, "X-SSL-Client-%s: %.*s\r\n", field,
		    (int)(n < NAME_MOST ? n : NAME_MOST), p);
	}
	(void)BIO_free(text);
}

static void
put_serial(BIO *out, const X509 *x)
{
	BIGNUM *n = ASN1_INTEGER_to_BN(X509_get0_serialNumber(x), NULL);
	char *hex = n == NULL ? NULL : BN_bn2hex(n);

	if (hex != NULL)
		(void)BIO_printf(out, "X-SSL-Client-Serial: %.128s\r\n", hex);
	OPENSSL_free(hex);
	BN_free(n);
}

static void
put_digest(BIO *out, const X509 *x)
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned n = 0, i;

	if (X509_digest(x, EVP_sha256(), sum, &n) != 1)
		return;
	(void)BIO_puts(out, "X-SSL-Client-SHA256: ");
	for (i = 0; i < n; i++)
		(void)BIO_printf(out, "%02x", sum[i]);
	(void)BIO_puts(out, "\r\n");
}

static void
put_end(BIO *out, const X509 *x)
{
	ASN1_GENERALIZEDTIME *t = ASN1_TIME_to_generalizedtime(X509_get0_notAfter(x), NULL);

	if (t != NULL)
		(void)BIO_printf(out, "X-SSL-Client-Not-After: %.*s\r\n", ASN1_STRING_length(t),
		    (const char *)ASN1_STRING_get0_data(t));
	ASN1_GENERALIZEDTIME_free(t);
}

/* DER in base64, behind what introduces it; false: nothing was written, as it is too long or there is no memory. */
static bool
put_der(BIO *out, const char *before, const X509 *x, size_t *room)
{
	unsigned char *der = NULL;
	int n = i2d_X509(x, &der);
	bool fits = n > 0 && (size_t)n <= *room;
	unsigned char *text = fits ? OPENSSL_malloc((size_t)n / 3 * 4 + 8) : NULL;

	if (text != NULL) {
		(void)EVP_EncodeBlock(text, der, n);
		(void)BIO_printf(out, "%s", before);
		(void)BIO_puts(out, (const char *)text);
		*room -= (size_t)n;
	}
	fits = text != NULL;
	OPENSSL_free(text);
	OPENSSL_free(der);
	return fits;
}

static void
put_cert(BIO *out, const X509 *x)
{
	size_t room = CERT_MOST;

	if (put_der(out, "X-SSL-Client-Cert: ", x, &room))
		(void)BIO_puts(out, "\r\n");
}

/* Those between it and its root, in their order. A session that goes on has the certificate alone: of the others those are known
 * that the authorities' bundle holds. */
static void
put_chain(BIO *out, SSL *s, X509 *x)
{
	STACK_OF(X509) *made = NULL, *chain = SSL_get0_verified_chain(s);
	const char *before = "X-SSL-Client-Chain: ";
	size_t room = CERT_MOST;

	if (chain == NULL)
		chain = made = X509_build_chain(
		    x, NULL, SSL_CTX_get_cert_store(SSL_get_SSL_CTX(s)), 0, NULL, NULL);
	for (int i = 1; i < sk_X509_num(chain); i++) {
		const X509 *one = sk_X509_value(chain, i);

		if (X509_self_signed((X509 *)(uintptr_t)one, 0) == 1 ||
		    !put_der(out, before, one, &room))
			break;
		before = ", ";
	}
	if (*before == ',')
		(void)BIO_puts(out, "\r\n");
	sk_X509_pop_free(made, X509_free);
}

char *
tls_peer_lines(SSL *s)
{
	X509 *x = s == NULL ? NULL : SSL_get0_peer_certificate(s);
	BIO *out = BIO_new(BIO_s_mem());
	char *p, *copy;
	long n;

	if (out == NULL)
		return NULL;
	if (x == NULL) {
		(void)BIO_puts(out, "X-SSL-Client-Verify: NONE\r\n");
	} else {
		(void)BIO_puts(
		    out, "X-SSL-Client-Verify: SUCCESS\r\n"); /* else there was no handshake */
		put_name(out, "Subject", X509_get_subject_name(x));
		put_name(out, "Issuer", X509_get_issuer_name(x));
		put_serial(out, x);
		put_digest(out, x);
		put_end(out, x);
		put_cert(out, x);
		put_chain(out, s, x);
	}
	ERR_clear_error();
	n = BIO_get_mem_data(out, &p);
	copy = strndup(p, (size_t)n);
	(void)BIO_free(out);
	return copy;
}

bool
tls_peer_cn(SSL *s, char *out, size_t room)
{
	X509 *x = SSL_get0_peer_certificate(s);
	const X509_NAME *name = x == NULL ? NULL : X509_get_subject_name(x);
	int at = name == NULL ? -1 : X509_NAME_get_index_by_NID(name, NID_commonName, -1), n;
	unsigned char *text = NULL;

	out[0] = '\0';
	if (at >= 0) {
		n = ASN1_STRING_to_UTF8(
		    &text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
		if (n > 0 && (size_t)n < room && memchr(text, 0, (size_t)n) == NULL)
			memcpy(out, text, (size_t)n + 1);
		OPENSSL_free(text);
		ERR_clear_error();
	}
	return x != NULL;
}
