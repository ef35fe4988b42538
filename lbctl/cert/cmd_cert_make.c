/* cert new and cert csr: a key that is made here and goes to lbd-proxy; a certificate that it signs itself, or a request
 * for an authority. Until the answer comes, the row of a request has a key and no chain. For a certificate that is there the
 * request is signed by lbd-proxy with the key that it has, and nothing is changed: the answer is imported over it. */
#include "cert.h"

#include <stdio.h>
#include <string.h>

#define DAYS 365

static void
wish(struct ctl *c, struct x509_wish *w)
{
	*w = (struct x509_wish){ .cn = GIVEN(c, cn) ? c->opt[OPT_cn] : c->argv[0],
		.san = c->opt[OPT_san],
		.org = c->opt[OPT_org],
		.days = GIVEN(c, days) ? (unsigned)c->num[OPT_days] : DAYS };
}

static int
not_in_use(struct ctl *c, struct err *err)
{
	const struct cert *k = cert_by_name(c, c->argv[0]);
	int rc = cert_check_name(c->argv[0], err);

	if (rc != 0)
		return rc;
	if (k == NULL || k->chain[0] == '\0')
		return 0;
	return err_set(err, ERR_CONFLICT, "cert %s: exists already", k->name);
}

/* For a certificate, or a request, that is there: with its key, and what is not said as the certificate has it. */
static int
again(struct ctl *c, const struct cert *k, struct buf *out, struct err *err)
{
	struct x509_face f;
	struct x509_wish w;
	char first[65];
	int rc;

	wish(c, &w);
	if (!GIVEN(c, cn))
		w.cn = NULL;
	if (GIVEN(c, key))
		return err_set(err, ERR_USAGE,
		    "cert csr: cert %s has a key already, which signs; --key is for a name that is not in use",
		    k->name);
	rc = x509_wish_again(k->name, k->chain, &w, &f, first, err);
	if (rc == 0)
		rc = cert_ask_request(c, k->key, &w, out, err);
	if (rc != 0)
		return err_prefix(err, "cert csr: cert %s: ", k->name);
	ctl_note(c,
	    "signed with the key that cert %s has; lbctl cert import of the answer finds it",
	    k->name);
	return 0;
}

/* Key, and what it signs, into out. */
static int
make(struct ctl *c, bool request, struct buf *out, char name[X509_HEX], struct err *err)
{
	struct evp_pkey_st *key = x509_key_make(GIVEN(c, key) ? c->opt[OPT_key] : "p256", err);
	struct x509_wish w;
	int rc = ERR_INVALID;

	if (key == NULL)
		return err_prefix(err, "%s: ", c->cmd->name);
	wish(c, &w);
	rc = request ? x509_request(key, &w, out, err) : x509_self_signed(key, &w, out, err);
	if (rc != 0)
		(void)err_prefix(err, "%s: ", c->cmd->name);
	x509_key_name(key, name);
	if (rc == 0 && !GIVEN(c, dry_run))
		rc = cert_put_key(c, key, err);
	x509_key_free(key);
	return rc;
}

int
cmd_cert_new(struct ctl *c, struct err *err)
{
	struct buf pem = { 0 };
	char name[X509_HEX];
	int rc = ctl_store(c, true, err);

	if (rc == 0)
		rc = ctl_load(c, err);
	if (rc == 0)
		rc = not_in_use(c, err);
	if (rc == 0)
		rc = make(c, false, &pem, name, err);
	if (rc == 0)
		rc = cert_save(c, c->argv[0], buf_text(&pem), name, err);
	buf_fini(&pem);
	return rc;
}

int
cmd_cert_csr(struct ctl *c, struct err *err)
{
	const struct cert *k = NULL;
	struct buf pem = { 0 };
	char name[X509_HEX];
	int rc = ctl_store(c, true, err);

	if (rc == 0)
		rc = ctl_load(c, err);
	if (rc == 0)
		k = cert_by_name(c, c->argv[0]);
	if (rc == 0 && k != NULL) {
		rc = again(c, k, &pem, err);
	} else {
		if (rc == 0)
			rc = cert_check_name(c->argv[0], err);
		if (rc == 0)
			rc = make(c, true, &pem, name, err);
		if (rc == 0)
			rc = cert_save(c, c->argv[0], NULL, name, err);
	}
	if (rc == 0)
		ctl_print(&pem);
	buf_fini(&pem);
	return rc;
}
