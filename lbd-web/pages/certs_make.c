/* The forms of the page of certificates: import, a key of its own with a certificate or a request, a request by the key that a
 * certificate has, delete. What held a key or a password is wiped. */
#include "cert_save.h"
#include "certs.h"
#include "live/follow.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAYS 365

struct making {
	struct cert_saving s; /* first: what done gets is this */
	struct buf request;   /* PEM; shown when it is saved */
};

static void
making_free(struct making *m)
{
	x509_import_fini(&m->s.got);
	buf_fini(&m->request);
	free(m);
}

static void
saved(struct cert_saving *s, int rc, const struct err *err, struct commit_result *r, bool created)
{
	struct making *m = (struct making *)s;

	(void)r;
	(void)created;
	if (rc != 0)
		reply_error(s->c, 0, err);
	else if (m->request.len > 0)
		certs_request_page(s->c, s->name, buf_text(&m->request));
	else
		reply_redirect(s->c, "/certs");
	making_free(m);
}

/* ---- import --------------------------------------------------------------------------------------------------------- */

/* PEM as it is; anything else is base64, with line ends where people have them. */
static int
file_of(const char *text, struct buf *out, const char *name, struct err *err)
{
	struct buf plain = { 0 };
	int rc;

	if (strstr(text, "-----BEGIN") != NULL) {
		buf_puts(out, text);
		return 0;
	}
	for (const char *p = text; *p != '\0'; p++)
		if (strchr(" \t\r\n", *p) == NULL)
			buf_put(&plain, p, 1);
	rc = plain.len > 0 ? base64_parse(buf_text(&plain), out) : 0;
	x509_wipe(&plain);
	return rc == 0 ? 0 : err_field(err, ERR_INVALID, NULL, name, "is neither PEM nor base64");
}

/* What the form had, once it is read. */
static void
wipe(struct call *c)
{
	for (unsigned i = 0; i < c->form.n; i++)
		explicit_bzero((char *)(uintptr_t)c->form.v[i].value, strlen(c->form.v[i].value));
	if (c->rq->body.p != NULL)
		explicit_bzero(c->rq->body.p, c->rq->body.len);
}

static int
read_import(struct making *m, struct err *err)
{
	struct call *c = m->s.c;
	struct buf file = { 0 }, key = { 0 };
	const char *password = call_form(c, "password");
	int rc = file_of(call_form(c, "file"), &file, "file", err);

	if (rc == 0)
		rc = file_of(call_form(c, "key"), &key, "key", err);
	if (rc == 0 && file.len == 0)
		rc = err_field(err, ERR_INVALID, NULL, "file", "is required");
	if (rc == 0)
		rc = x509_import(file.p, file.len, key.len > 0 ? key.p : NULL, key.len,
		    password[0] != '\0' ? password : NULL, &m->s.got, err);
	if (rc == ERR_DENIED) /* not the user, the file */
		err->code = rc = ERR_INVALID;
	x509_wipe(&file);
	x509_wipe(&key);
	return rc;
}

/* ---- a new key -------------------------------------------------------------------------------------------------------- */

static const char *
or_null(const char *text)
{
	return text[0] != '\0' ? text : NULL;
}

static int
make(struct making *m, bool request, struct err *err)
{
	struct call *c = m->s.c;
	const char *kind = call_form(c, "kind"), *cn = call_form(c, "cn");
	const struct x509_wish w = { .cn = cn[0] != '\0' ? cn : m->s.name,
		.san = or_null(call_form(c, "san")),
		.org = or_null(call_form(c, "org")),
		.days = DAYS };

	if (snapshot_find_path(daemon_snapshot(c->w->d), KIND_cert, m->s.name) != NULL)
		return err_set(err, ERR_CONFLICT, "cert %s: exists already", m->s.name);
	if (strcmp(kind, "rsa4096") == 0) /* seconds, in which nobody else would be answered */
		return err_field(err, ERR_INVALID, NULL, "kind",
		    "rsa4096: is made by lbctl cert new or csr; allowed here are p256, p384 and rsa2048");
	m->s.got.key = x509_key_make(kind[0] != '\0' ? kind : "p256", err);
	if (m->s.got.key == NULL)
		return err->code;
	x509_key_name(m->s.got.key, m->s.got.name);
	return request ? x509_request(m->s.got.key, &w, &m->request, err)
		       : x509_self_signed(m->s.got.key, &w, &m->s.got.chain, err);
}

/* ---- a request by a key that is in use ---------------------------------------------------------------------------------- */

struct asking {
	struct call *c;
	char name[64];
	struct buf pem;
};

static void
on_request(void *arg, const struct msg_row *row, const union msg_any *m)
{
	struct asking *q = arg;

	if (row->number == MSG_KEY_IS)
		buf_put(&q->pem, m->key_is.request.p, m->key_is.request.len);
}

static void
on_requested(void *arg, int code, const char *text)
{
	struct asking *q = arg;
	struct call *c = q->c;

	if (code == 0 && q->pem.len > 0)
		certs_request_page(c, q->name, buf_text(&q->pem));
	else
		reply_fail(c,
		    code == ERR_INVALID	  ? 422
		    : code == ERR_UNKNOWN ? 409
					  : 503,
		    "cert %s: %s", q->name,
		    code != 0 ? text : "lbd-proxy is of a version that signs no requests");
	buf_fini(&q->pem);
	free(q);
	call_free(c);
}

static void
request_again(struct call *c, const struct cert *k)
{
	struct asking *q = mem_alloc(sizeof(*q));
	struct msg_keys_ask m = { .name = SPAN(k->key) };
	struct x509_wish w = { 0 };
	struct x509_face f;
	struct err err = { 0 };
	char first[65];

	q->c = c;
	(void)snprintf(q->name, sizeof(q->name), "%s", k->name);
	if (x509_wish_again(k->name, k->chain, &w, &f, first, &err) != 0) {
		(void)err_object(&err, "cert %s", k->name);
		reply_error(c, 0, &err);
		free(q);
		return;
	}
	m.cn = SPAN(w.cn);
	if (w.san != NULL)
		m.san = SPAN(w.san);
	if (follow_ask(c->w->follow, "lbd-proxy", MSG_KEYS, &m, on_request, on_requested, q) != 0) {
		reply_fail(c, 503, "lbd-proxy does not run, and private keys are with it");
		free(q);
		return;
	}
	c->later = true;
	http_later(c->rq);
}

/* ---- delete -------------------------------------------------------------------------------------------------------------- */

static void delete (struct call *c, const struct cert *k)
{
	struct commit_how how = { 0 };
	struct commit_result r = { 0 };
	struct err err = { 0 };
	struct doc_item *it;
	struct doc d;
	int rc;

	if (call_form(c, "sure")[0] == '\0') {
		certs_delete_page(c, k);
		return;
	}
	doc_init(&d);
	rc = doc_add(&d, DOC_DELETE, object_of(KIND_cert), k->name, 0, &it, &err);
	if (rc == 0)
		rc = commit_doc(c, &d, &how, &r, &err);
	if (rc != 0)
		reply_error(c, 0, &err);
	else
		reply_redirect(c, "/certs");
	doc_fini(&d);
	commit_result_fini(&r);
}

/* ---- the forms -------------------------------------------------------------------------------------------------------------- */

static void
bring(struct call *c)
{
	struct making *m = mem_alloc(sizeof(*m));
	struct err err = { 0 };
	const char *name = call_form(c, "name");
	int rc = cert_check_name(name, &err);

	m->s.c = c;
	m->s.done = saved;
	(void)snprintf(m->s.name, sizeof(m->s.name), "%s", name);
	if (rc == 0 && pairs_get(&c->form, "import") != NULL)
		rc = read_import(m, &err);
	else if (rc == 0)
		rc = make(m, pairs_get(&c->form, "csr") != NULL, &err);
	wipe(c);
	if (rc == 0)
		rc = cert_save(&m->s, &err);
	if (rc == 0)
		return;
	reply_error(c, 0, &err);
	making_free(m);
}

void
certs_post(struct call *c)
{
	const struct cert *k =
	    snapshot_find_path(daemon_snapshot(c->w->d), KIND_cert, call_form(c, "name"));
	bool again = pairs_get(&c->form, "again") != NULL,
	     gone = pairs_get(&c->form, "delete") != NULL;

	if ((again || gone) && k == NULL)
		reply_fail(c, 404, "cert %.70s does not exist", call_form(c, "name"));
	else if (again)
		request_again(c, k);
	else if (gone)
		delete (c, k);
	else if (pairs_get(&c->form, "import") == NULL && pairs_get(&c->form, "csr") == NULL &&
		 pairs_get(&c->form, "new") == NULL)
		reply_fail(c, 422, "the form names no action: import, csr, new, again or delete");
	else
		bring(c);
}
