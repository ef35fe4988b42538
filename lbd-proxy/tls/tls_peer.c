/* What a server is told of the client's certificate. Names come from strangers: OpenSSL writes them so that nothing but printable
 * ASCII is left (RFC 2253 section 2.4), and every value has a limit. */
#include "tls_priv.h"

#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <string.h>

#define NAME_MOST 1024	/* bytes of a name */
#define CERT_MOST 12288 /* bytes of DER that are passed on */

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

static void
put_cert(BIO *out, X509 *x)
{
	unsigned char *der = NULL;
	int n = i2d_X509(x, &der);
	unsigned char *text =
	    n > 0 && n <= CERT_MOST ? OPENSSL_malloc((size_t)n / 3 * 4 + 8) : NULL;

	if (text != NULL) {
		(void)EVP_EncodeBlock(text, der, n);
		(void)BIO_printf(out, "X-SSL-Client-Cert: ");
		(void)BIO_puts(out, (const char *)text);
		(void)BIO_puts(out, "\r\n");
	}
	OPENSSL_free(text);
	OPENSSL_free(der);
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
	}
	ERR_clear_error();
	n = BIO_get_mem_data(out, &p);
	copy = strndup(p, (size_t)n);
	(void)BIO_free(out);
	return copy;
}
