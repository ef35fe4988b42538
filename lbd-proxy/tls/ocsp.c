/* OCSP (RFC 6960): one question about one certificate, without a nonce, so that responders may answer from what they have
 * signed before; and the checks that an answer must pass before clients are given it. */
#include "ocsp.h"

#include "base/mem.h"
#include "base/must.h"

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <string.h>

#define SKEW_S 300
#define ENDLESS_S 3600 /* an answer without nextUpdate */

struct ocsp {
	X509 *leaf, *issuer;
	OCSP_CERTID *id;
	char *url;
	unsigned char *request;
	int request_len;
};

void
ocsp_free(struct ocsp *o)
{
	if (o == NULL)
		return;
	X509_free(o->leaf);
	X509_free(o->issuer);
	OCSP_CERTID_free(o->id);
	OPENSSL_free(o->request);
	free(o->url);
	free(o);
}

static char *
responder_of(X509 *leaf, bool *others)
{
	STACK_OF(OPENSSL_STRING) *all = X509_get1_ocsp(leaf);
	char *out = NULL;

	for (int i = 0; out == NULL && i < sk_OPENSSL_STRING_num(all); i++)
		if (strncmp(sk_OPENSSL_STRING_value(all, i), "http://", 7) == 0)
			out = mem_text(sk_OPENSSL_STRING_value(all, i));
	*others = out == NULL && sk_OPENSSL_STRING_num(all) > 0;
	X509_email_free(all);
	return out;
}

/* The certificate of the chain that signed the leaf. */
static X509 *
issuer_of(BIO *b, X509 *leaf)
{
	X509 *x;

	while ((x = PEM_read_bio_X509(b, NULL, NULL, NULL)) != NULL) {
		if (X509_check_issued(x, leaf) == X509_V_OK)
			return x;
		X509_free(x);
	}
	return X509_check_issued(leaf, leaf) == X509_V_OK && X509_up_ref(leaf) == 1 ? leaf : NULL;
}

static bool
make_request(struct ocsp *o)
{
	OCSP_REQUEST *r = OCSP_REQUEST_new();
	OCSP_CERTID *id;

	must(r != NULL);
	o->id = OCSP_cert_to_id(EVP_sha1(), o->leaf, o->issuer); /* what every responder knows */
	id = o->id != NULL ? OCSP_CERTID_dup(o->id) : NULL;
	if (id == NULL || OCSP_request_add0_id(r, id) == NULL)
		OCSP_CERTID_free(id);
	else
		o->request_len = i2d_OCSP_REQUEST(r, &o->request);
	OCSP_REQUEST_free(r);
	return o->request_len > 0;
}

struct ocsp *
ocsp_new(const char *chain, const char **why_out)
{
	struct ocsp *o = mem_alloc(sizeof(*o));
	BIO *b = BIO_new_mem_buf(chain, -1);
	bool others = false;

	must(b != NULL);
	*why_out = NULL;
	o->leaf = PEM_read_bio_X509(b, NULL, NULL, NULL);
	if (o->leaf == NULL)
		*why_out = "the certificate cannot be read";
	else if ((o->url = responder_of(o->leaf, &others)) == NULL)
		*why_out =
		    others
			? "the certificate names no responder by http, which is how they are asked (RFC 6960 appendix A.1)"
			: "the certificate names no responder";
	else if ((o->issuer = issuer_of(b, o->leaf)) == NULL)
		*why_out = "the chain lacks the certificate of the issuer";
	else if (!make_request(o))
		*why_out = "no request can be made of the certificate";
	BIO_free(b);
	ERR_clear_error();
	if (*why_out == NULL)
		return o;
	ocsp_free(o);
	return NULL;
}

const char *
ocsp_url(const struct ocsp *o)
{
	return o->url;
}

const uint8_t *
ocsp_request(const struct ocsp *o, size_t *len_out)
{
	*len_out = (size_t)o->request_len;
	return o->request;
}

static int64_t
seconds_of(const ASN1_GENERALIZEDTIME *t)
{
	struct tm tm;

	return t != NULL && ASN1_TIME_to_tm(t, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

/* Trust is in the issuer alone, whoever signed that. */
static bool
signed_well(const struct ocsp *o, OCSP_BASICRESP *b)
{
	X509_STORE *store = X509_STORE_new();
	STACK_OF(X509) *with = sk_X509_new_null();
	bool ok;

	must(store != NULL && with != NULL);
	ok = X509_STORE_add_cert(store, o->issuer) == 1 && sk_X509_push(with, o->issuer) > 0 &&
	     X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN) == 1 &&
	     OCSP_basic_verify(b, with, store, 0) == 1;
	sk_X509_free(with);
	X509_STORE_free(store);
	return ok;
}

static const char *
read_basic(const struct ocsp *o, OCSP_BASICRESP *b, int64_t now_s, struct ocsp_word *out)
{
	ASN1_GENERALIZEDTIME *made = NULL, *until = NULL;
	int status, reason;

	if (OCSP_resp_find_status(b, o->id, &status, &reason, NULL, &made, &until) != 1)
		return "the answer is of another certificate";
	if (!signed_well(o, b))
		return "the answer is not signed by the issuer, or by whom it lets sign";
	out->made = seconds_of(made);
	out->until = until != NULL ? seconds_of(until) : now_s + ENDLESS_S;
	if (out->made == 0 || out->made > now_s + SKEW_S)
		return "the answer is of the future; look at the clock";
	if (out->until <= now_s - SKEW_S || out->until <= out->made)
		return "the answer is over; look at the clock";
	out->state = status == V_OCSP_CERTSTATUS_GOOD	   ? OCSP_GOOD
		     : status == V_OCSP_CERTSTATUS_REVOKED ? OCSP_REVOKED
							   : OCSP_UNKNOWN;
	return NULL;
}

void
ocsp_read(const struct ocsp *o, const uint8_t *p, size_t len, int64_t now_s, struct ocsp_word *out)
{
	const unsigned char *at = p;
	OCSP_RESPONSE *r = d2i_OCSP_RESPONSE(NULL, &at, (long)len);
	OCSP_BASICRESP *b = NULL;

	*out = (struct ocsp_word){ .why = "what came is no answer of a responder" };
	if (r != NULL && at != p + len)
		out->why = "there are bytes behind the answer";
	else if (r != NULL && OCSP_response_status(r) != OCSP_RESPONSE_STATUS_SUCCESSFUL)
		out->why = OCSP_response_status_str(OCSP_response_status(r));
	else if (r != NULL && (b = OCSP_response_get1_basic(r)) != NULL)
		out->why = read_basic(o, b, now_s, out);
	OCSP_BASICRESP_free(b);
	OCSP_RESPONSE_free(r);
	ERR_clear_error();
}
