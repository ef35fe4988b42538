/* The key of a certificate to lbd-proxy, then its chain into the configuration. An existing name gets the new certificate. */
#include "cert_save.h"
#include "live/follow.h"

#include <string.h>

static int
build(struct cert_saving *i, const struct snapshot *s, struct doc *d, struct err *err)
{
	const struct object *o = object_of(KIND_cert);
	bool there = snapshot_find_path(s, KIND_cert, i->name) != NULL;
	struct doc_item *it;
	int rc = doc_add(d, there ? DOC_MERGE : DOC_CREATE, o, i->name, 0, &it, err);

	if (rc == 0 && i->got.chain.len > 0)
		rc = doc_set(d, it, "chain", buf_text(&i->got.chain), err);
	return rc != 0 ? rc : doc_set(d, it, "key", i->got.name, err);
}

int
cert_check_name(const char *name, struct err *err)
{
	struct doc_item *it;
	struct doc d;
	int rc;

	doc_init(&d);
	rc = doc_add(&d, DOC_REPLACE, object_of(KIND_cert), name, 0, &it, err);
	doc_fini(&d);
	return rc;
}

static void
commit(struct cert_saving *i)
{
	struct commit_result r = { 0 };
	struct snapshot *s = NULL;
	struct err err = { 0 };
	struct doc d;
	bool created = false;
	int rc = store_snapshot(daemon_store(i->c->w->d), &s, &err);

	doc_init(&d);
	if (rc == 0) {
		created = snapshot_find_path(s, KIND_cert, i->name) == NULL;
		rc = build(i, s, &d, &err);
	}
	if (rc == 0)
		rc = commit_doc(i->c, &d, &i->how, &r, &err);
	i->done(i, rc, &err, &r, created);
	doc_fini(&d);
	commit_result_fini(&r);
	snapshot_unref(s);
}

static void
on_row(void *arg, const struct msg_row *row, const union msg_any *m)
{
	struct cert_saving *i = arg;

	if (row->number == MSG_KEY_IS && m->key_is.name.len == X509_HEX - 1 &&
	    memcmp(m->key_is.name.p, i->got.name, X509_HEX - 1) == 0)
		i->found = true;
}

static void
on_end(void *arg, int code, const char *text)
{
	struct cert_saving *i = arg;
	struct call *c = i->c;
	struct err err = { 0 };
	int rc = 0;

	if (code != 0)
		rc = err_set(&err, ERR_AWAY, "lbd-proxy: %s", text != NULL ? text : "");
	else if (!i->found)
		rc = err_field(&err, ERR_INVALID, NULL, "key",
		    "is neither in the file nor with lbd-proxy; the certificate's is %s",
		    i->got.name);
	if (rc != 0)
		i->done(i, rc, &err, NULL, false);
	else
		commit(i);
	call_free(c);
}

/* To lbd-proxy, or whether it is there. */
int
cert_save(struct cert_saving *i, struct err *err)
{
	const struct msg_keys_ask all = { .name = { .len = 0 } };
	struct msg_key_put put = { 0 };
	struct buf pem = { 0 };
	int rc;

	i->found = i->how.dry_run && i->got.key != NULL;
	if (i->got.key == NULL || i->how.dry_run) {
		rc = follow_ask(i->c->w->follow, "lbd-proxy", MSG_KEYS, &all, on_row, on_end, i);
	} else {
		x509_key_write(i->got.key, &pem);
		put.key = (struct span){ pem.p, pem.len };
		rc = follow_ask(i->c->w->follow, "lbd-proxy", MSG_KEY_PUT, &put, on_row, on_end, i);
		x509_wipe(&pem);
	}
	if (rc != 0)
		return err_set(
		    err, ERR_AWAY, "lbd-proxy does not run, and private keys are with it");
	i->c->later = true;
	http_later(i->c->rq);
	return 0;
}
