/* cert new and cert csr: a key that is made here and goes to lbd-proxy; a certificate that it signs itself, or a request
 * for an authority. Until the answer comes, the row of a request has a key and no chain. */
#include "cert.h"

#include <stdio.h>

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
not_in_use(struct ctl *c, bool request, struct err *err)
{
	const struct cert *k = cert_by_name(c, c->argv[0]);
	int rc = cert_check_name(c->argv[0], err);

	if (rc != 0)
		return rc;
	if (k == NULL || (k->chain[0] == '\0' && !request))
		return 0;
	return err_set(err, ERR_CONFLICT, "cert %s: exists already%s", k->name,
	    k->chain[0] == '\0' ? ", and waits for the answer to its request" : "");
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
		rc = not_in_use(c, false, err);
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
	struct buf pem = { 0 };
	char name[X509_HEX];
	int rc = ctl_store(c, true, err);

	if (rc == 0)
		rc = ctl_load(c, err);
	if (rc == 0)
		rc = not_in_use(c, true, err);
	if (rc == 0)
		rc = make(c, true, &pem, name, err);
	if (rc == 0)
		rc = cert_save(c, c->argv[0], NULL, name, err);
	if (rc == 0)
		ctl_print(&pem);
	buf_fini(&pem);
	return rc;
}
