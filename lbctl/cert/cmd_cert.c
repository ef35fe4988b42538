/* cert list and cert show: what is in certificates, when they end, and whether their keys are here. */
#include "cert.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
	CERT_NAME,
	CERT_STATUS,
	CERT_UNTIL,
	CERT_LEFT,
	CERT_NAMES,
	CERT_KIND,
	CERT_ISSUER,
	CERT_KEY,
	CERT_OCSP,
	CERT_OCSP_UNTIL,
	CERT_COLUMNS
};
static const struct column cert_columns[] = {
	[CERT_NAME] = { "name", NULL, COL_TEXT, COL_SHOW },
	[CERT_STATUS] = { "status", NULL, COL_STATUS, COL_SHOW },
	[CERT_UNTIL] = { "until", NULL, COL_TIME, COL_SHOW },
	[CERT_LEFT] = { "ends", NULL, COL_TEXT, COL_SHOW },
	[CERT_NAMES] = { "hosts", NULL, COL_TEXT, COL_SHOW },
	[CERT_KIND] = { "kind", NULL, COL_TEXT, COL_WIDE },
	[CERT_ISSUER] = { "issuer", NULL, COL_TEXT, COL_WIDE },
	[CERT_KEY] = { "key", NULL, COL_TEXT, COL_WIDE },
	[CERT_OCSP] = { "ocsp", NULL, COL_TEXT, COL_WIDE },
	[CERT_OCSP_UNTIL] = { "ocsp_until", NULL, COL_TIME, COL_WIDE },
};

/* keys NULL: nobody said which there are. */
static void
put_status(struct table *t, const struct cert *k, int64_t until, int64_t now, const char *keys)
{
	if (k->chain[0] == '\0')
		table_status(t, CERT_STATUS, ST_UNK, "requested");
	else if (until <= now)
		table_status(t, CERT_STATUS, ST_DOWN, "expired");
	else if (keys != NULL && strstr(keys, k->key) == NULL)
		table_status(t, CERT_STATUS, ST_DOWN, "no key");
	else if (x509_ends(until, now) >= X509_WEEK)
		table_status(t, CERT_STATUS, ST_DOWN, "ends soon");
	else if (x509_ends(until, now) >= X509_MONTH)
		table_status(t, CERT_STATUS, ST_WARN, "ends");
	else
		table_status(t, CERT_STATUS, ST_OK, "good");
}

static void
put_cert(struct table *t, const struct cert *k, int64_t now, const char *keys,
    const struct cert_staple *staple)
{
	struct x509_face f = { 0 };
	int64_t until = x509_until(k->chain);
	char left[40];

	table_row(t);
	table_text(t, CERT_NAME, k->name);
	put_status(t, k, until, now, keys);
	table_text(t, CERT_KEY, k->key);
	if (staple != NULL)
		table_text(t, CERT_OCSP, staple->state);
	if (staple != NULL && staple->until != 0)
		table_num(t, CERT_OCSP_UNTIL, (double)staple->until);
	if (x509_face(k->chain, 0, &f) != 0)
		return;
	cert_left(until, now, left);
	table_num(t, CERT_UNTIL, (double)until);
	table_text(t, CERT_LEFT, left);
	table_text(t, CERT_NAMES, f.names);
	table_text(t, CERT_KIND, f.kind);
	table_text(t, CERT_ISSUER, f.own ? "itself" : f.issuer);
}

int
cmd_cert_list(struct ctl *c, struct err *err)
{
	int64_t now = (int64_t)time(NULL);
	const void *const *rows;
	const struct cert_staple *staples;
	const char *keys;
	struct table *t;
	uint32_t n, ending = 0;
	int rc = ctl_load(c, err);

	if (rc != 0)
		return rc;
	c->style.now = 0; /* an end is a time, not an age */
	keys = cert_keys(c);
	staples = cert_staples(c);
	t = table_new(cert_columns, CERT_COLUMNS);
	rows = snapshot_by_name(c->snap, KIND_cert, &n);
	for (uint32_t i = 0; i < n; i++) {
		const struct cert *k = rows[i];
		int64_t until = x509_until(k->chain);
		bool ends =
		    until != 0 && GIVEN(c, expiring) && until <= now + c->num[OPT_expiring] / 1000;

		ending += ends;
		if (!GIVEN(c, expiring) || ends)
			put_cert(t, k, now, keys, cert_staple_of(staples, k->id));
	}
	rc = ctl_table(c, t, err);
	return rc != 0 ? rc : ending > 0 ? EXIT_DIFFERS : 0;
}

static void
put_line(struct buf *out, const char *what, const char *text)
{
	buf_printf(out, "%-12s%s\n", what, text);
}

static void
put_face(struct buf *out, const struct x509_face *f, int64_t now)
{
	char from[24], until[24], left[40];

	human_time(f->from, from);
	human_time(f->until, until);
	cert_left(f->until, now, left);
	put_line(out, "subject", f->subject);
	put_line(out, "issuer", f->own ? "itself" : f->issuer);
	put_line(out, "hosts", f->names);
	buf_printf(out, "%-12s%s to %s (ends %s)\n", "valid", from, until, left);
	put_line(out, "kind", f->kind);
	put_line(out, "serial", f->serial);
	put_line(out, "sha256", f->digest);
}

static void
put_users(struct ctl *c, uint32_t id, struct buf *out)
{
	char use[CERT_USE];

	for (unsigned n = 0; cert_use(c, id, n, use); n++)
		put_line(out, n == 0 ? "used by" : "", use);
}

/* What its responder says. */
static void
put_staple(struct ctl *c, uint32_t id, struct buf *out)
{
	const struct cert_staple *s = cert_staple_of(cert_staples(c), id);
	char made[24], until[24];

	if (s == NULL)
		return;
	human_time(s->made, made);
	human_time(s->until, until);
	if (s->made != 0)
		buf_printf(
		    out, "%-12s%s, said %s, counts until %s\n", "ocsp", s->state, made, until);
	else
		put_line(out, "ocsp", s->state);
	if (s->url[0] != '\0')
		put_line(out, "", s->url);
	if (s->fault[0] != '\0')
		put_line(out, "", s->fault);
}

static void
show(struct ctl *c, const struct cert *k, struct buf *out)
{
	int64_t now = (int64_t)time(NULL);
	const char *keys = cert_keys(c);
	struct x509_face f;

	put_line(out, "name", k->name);
	if (k->comment[0] != '\0')
		put_line(out, "comment", k->comment);
	buf_printf(out, "%-12s%s (%s)\n", "key", k->key,
	    keys == NULL		   ? "lbd-proxy does not say whether it is here"
	    : strstr(keys, k->key) != NULL ? "here"
					   : "not on this node");
	put_users(c, k->id, out);
	put_staple(c, k->id, out);
	if (k->chain[0] == '\0')
		put_line(out, "chain", "none yet: lbctl cert import FILE brings the answer");
	for (unsigned i = 0; x509_face(k->chain, i, &f) == 0; i++) {
		buf_printf(out, "\ncertificate %u\n", i + 1);
		put_face(out, &f, now);
	}
}

int
cmd_cert_show(struct ctl *c, struct err *err)
{
	bool yaml = c->style.form == FORM_YAML, json = c->style.form == FORM_JSON;
	const struct cert *k;
	struct buf out = { 0 };
	int rc = ctl_load(c, err);

	if (c->form_given && !yaml && !json && c->style.form != FORM_TABLE &&
	    c->style.form != FORM_WIDE)
		return err_set(err, ERR_USAGE, "cert show: prints text, json or yaml");
	if (rc != 0)
		return rc;
	k = cert_by_name(c, c->argv[0]);
	if (k == NULL)
		return err_set(err, ERR_UNKNOWN, "cert \"%s\" does not exist", c->argv[0]);
	if (yaml || json)
		cert_form(c, k, yaml, &out);
	else
		show(c, k, &out);
	ctl_print(&out);
	buf_fini(&out);
	return 0;
}
