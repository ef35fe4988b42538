/* What a commit may not bring: certificates that cannot be read, do not lead from one to the next, or whose key is
 * another; revocation lists that no authority beside them has signed. That one has expired is no fault: it is shown,
 * and somebody may be about to put another in its place.
 *
 * Only rows that differ from those in force are looked at, so a commit of something else costs nothing. */
#include "store/x509_priv.h"

#include "base/must.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

bool
x509_signed_by(X509 *x, X509 *issuer)
{
	EVP_PKEY *key = X509_get0_pubkey(issuer);
	bool good =
	    X509_check_issued(issuer, x) == X509_V_OK && key != NULL && X509_verify(x, key) == 1;

	ERR_clear_error();
	return good;
}

/* ---- cert -------------------------------------------------------------------------------------------------------- */

static int
bad(const char *kind, const char *name, const char *field, struct err *err, const char *text)
{
	char object[100];

	(void)snprintf(object, sizeof(object), "%s %s", kind, name);
	return err_field(err, ERR_INVALID, object, field, "%s", text);
}

static int
check_order(const struct cert *c, STACK_OF(X509) * all, struct err *err)
{
	char text[500], subject[160], issuer[160];

	for (int i = 0; i + 1 < sk_X509_num(all); i++) {
		X509 *x = sk_X509_value(all, i), *next = sk_X509_value(all, i + 1);

		if (x509_signed_by(x, next))
			continue;
		x509_name_text(X509_get_subject_name(x), subject, sizeof(subject));
		x509_name_text(X509_get_subject_name(next), issuer, sizeof(issuer));
		(void)snprintf(text, sizeof(text),
		    "certificate %d (%s) is not signed by certificate %d (%s); allowed is the "
		    "certificate itself, then each that has signed the one before",
		    i + 1, subject, i + 2, issuer);
		return bad("cert", c->name, "chain", err, text);
	}
	return 0;
}

static int
check_leaf(const struct cert *c, STACK_OF(X509) * all, struct err *err)
{
	X509 *x = sk_X509_value(all, 0);
	EVP_PKEY *key = X509_get0_pubkey(x);
	char text[400], subject[160], name[X509_HEX];
	bool alone = sk_X509_num(all) == 1 && X509_self_signed(x, 1) == 1;

	x509_name_text(X509_get_subject_name(x), subject, sizeof(subject));
	if (!alone && (X509_get_extension_flags(x) & EXFLAG_CA) != 0 && X509_check_ca(x) > 0) {
		(void)snprintf(text, sizeof(text),
		    "certificate 1 (%s) is that of an authority; allowed is the certificate of a "
		    "server, then those that lead to its root",
		    subject);
		return bad("cert", c->name, "chain", err, text);
	}
	if (key == NULL) {
		(void)snprintf(
		    text, sizeof(text), "certificate 1 (%s) has a key of an unknown kind", subject);
		return bad("cert", c->name, "chain", err, text);
	}
	x509_spki(key, name);
	if (strcmp(name, c->key) == 0)
		return 0;
	(void)snprintf(text, sizeof(text),
	    "\"%s\" is not the key of certificate 1 (%s), which is %s; lbctl cert import brings both",
	    c->key, subject, name);
	return bad("cert", c->name, "key", err, text);
}

static int
check_cert(const struct cert *c, struct err *err)
{
	STACK_OF(X509) * all;
	int rc = 0;

	if (c->key[0] != '\0' && !x509_key_is_name(c->key))
		return bad("cert", c->name, "key", err,
		    "is not allowed: 64 digits of 0 to 9 and a to f, the SHA-256 of the public key");
	if (c->chain[0] == '\0' && c->key[0] == '\0')
		return bad("cert", c->name, "chain", err,
		    "is required; lbctl cert import brings it with its key");
	if (c->chain[0] == '\0')
		return 0; /* its answer is awaited */
	all = x509_read_pem(c->chain, strlen(c->chain));
	if (all == NULL || sk_X509_num(all) == 0)
		rc = bad("cert", c->name, "chain", err, "has a block that is no certificate");
	if (rc == 0)
		rc = check_leaf(c, all, err);
	if (rc == 0)
		rc = check_order(c, all, err);
	sk_X509_pop_free(all, X509_free);
	return rc;
}

/* ---- ca ---------------------------------------------------------------------------------------------------------- */

static bool
is_signed(X509_CRL *l, STACK_OF(X509) * all)
{
	bool good = false;

	for (int i = 0; !good && i < sk_X509_num(all); i++) {
		X509 *x = sk_X509_value(all, i);
		EVP_PKEY *key = X509_get0_pubkey(x);

		good = key != NULL &&
		       X509_NAME_cmp(X509_CRL_get_issuer(l), X509_get_subject_name(x)) == 0 &&
		       X509_CRL_verify(l, key) == 1;
	}
	ERR_clear_error();
	return good;
}

static int
check_lists(const struct ca *a, STACK_OF(X509) * all, struct err *err)
{
	BIO *in = BIO_new_mem_buf(a->crl, -1);
	char text[400], issuer[160];
	X509_CRL *l;
	int rc = 0;

	must(in != NULL);
	while (rc == 0 && (l = PEM_read_bio_X509_CRL(in, NULL, x509_no_password, NULL)) != NULL) {
		if (!is_signed(l, all)) {
			x509_name_text(X509_CRL_get_issuer(l), issuer, sizeof(issuer));
			(void)snprintf(text, sizeof(text),
			    "the list of %s is not signed by any of the certificates; allowed are "
			    "lists of these authorities",
			    issuer);
			rc = bad("ca", a->name, "crl", err, text);
		}
		X509_CRL_free(l);
	}
	if (rc == 0 && ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
		rc = bad("ca", a->name, "crl", err, "has a block that is no revocation list");
	ERR_clear_error();
	BIO_free(in);
	return rc;
}

static int
check_ca(const struct ca *a, struct err *err)
{
	STACK_OF(X509) *all = x509_read_pem(a->certs, strlen(a->certs));
	int rc = 0;

	if (all == NULL || sk_X509_num(all) == 0)
		rc = bad("ca", a->name, "certs", err, "has a block that is no certificate");
	if (rc == 0 && a->crl[0] != '\0')
		rc = check_lists(a, all, err);
	sk_X509_pop_free(all, X509_free);
	return rc;
}

/* Rows that are new, or whose settings or certificate are others than those in force. */
static int
check_snis(const struct snapshot *base, const struct snapshot *s, struct err *err)
{
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < snapshot_count(s, KIND_sni); i++) {
		const struct sni *x = snapshot_at(s, KIND_sni, i), *old = NULL;
		const struct tls *t = snapshot_find(s, KIND_tls, x->tls), *old_t = NULL;
		const struct cert *c = snapshot_find(s, KIND_cert, x->cert), *old_c = NULL;

		if (base != NULL) {
			old = snapshot_find(base, KIND_sni, x->id);
			old_t = snapshot_find(base, KIND_tls, x->tls);
			old_c = snapshot_find(base, KIND_cert, x->cert);
		}
		if (old == NULL || old_t == NULL || old_c == NULL || old_t->strict != t->strict ||
		    old->cert != x->cert || strcmp(old->hosts, x->hosts) != 0 ||
		    strcmp(old_c->chain, c->chain) != 0)
			rc = x509_check_sni(x, t, c, err);
	}
	return rc;
}

/* ---- the whole --------------------------------------------------------------------------------------------------- */

int
x509_check(const struct snapshot *base, const struct snapshot *s, struct err *err)
{
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < snapshot_count(s, KIND_cert); i++) {
		const struct cert *c = snapshot_at(s, KIND_cert, i),
				  *old =
				      base != NULL ? snapshot_find(base, KIND_cert, c->id) : NULL;

		if (old == NULL || strcmp(old->chain, c->chain) != 0 ||
		    strcmp(old->key, c->key) != 0)
			rc = check_cert(c, err);
	}
	for (uint32_t i = 0; rc == 0 && i < snapshot_count(s, KIND_ca); i++) {
		const struct ca *a = snapshot_at(s, KIND_ca, i),
				*old = base != NULL ? snapshot_find(base, KIND_ca, a->id) : NULL;

		if (old == NULL || strcmp(old->certs, a->certs) != 0 ||
		    strcmp(old->crl, a->crl) != 0)
			rc = check_ca(a, err);
	}
	for (uint32_t i = 0; rc == 0 && i < snapshot_count(s, KIND_tls); i++) {
		const struct tls *t = snapshot_at(s, KIND_tls, i);

		rc = x509_check_tls(
		    t, base != NULL ? snapshot_find(base, KIND_tls, t->id) : NULL, err);
	}
	return rc != 0 ? rc : check_snis(base, s, err);
}
