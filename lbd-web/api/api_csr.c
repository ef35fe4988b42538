/* POST /api/v1/certs/NAME/csr: a request to an authority, signed with the key that a certificate has, as lbctl cert csr makes it. The
 * key stays where it is: lbd-proxy signs, and nothing is changed. The body is {"cn", "san", "org"}; what is absent is as in the
 * certificate, and no body at all asks for its renewal. */
#include "api.h"
#include "live/follow.h"

#include "base/mem.h"
#include "store/x509.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* As lbd-proxy takes them, in the order of the body's description. */
enum { CN, SAN, ORG, FIELDS };
static const struct {
	const char *name;
	size_t room;
} fields[FIELDS] = { { "cn", 65 }, { "san", 4096 }, { "org", 65 } };

struct csr {
	struct call *c;
	char name[64], key[X509_HEX];
	char cn[65], san[4096], org[65];
	bool said[FIELDS];
	struct buf pem;
	struct err err;
};

static void
csr_free(struct csr *q)
{
	buf_fini(&q->pem);
	free(q);
}

/* ---- what is asked ---------------------------------------------------------------------------------- */

static int
on_member(void *arg, const struct json_member *m)
{
	struct csr *q = arg;
	char *const at[FIELDS] = { q->cn, q->san, q->org };

	for (unsigned i = 0; i < FIELDS; i++) {
		if (strcmp(m->name, fields[i].name) != 0)
			continue;
		q->said[i] = true;
		if (m->type == JSON_T_STRING && m->text[0] != '\0' &&
		    json_text(m, at[i], fields[i].room) == 0)
			return 0;
		return err_field(&q->err, ERR_INVALID, NULL, m->name,
		    "a text of 1 to %zu bytes belongs here", fields[i].room - 1);
	}
	return err_field(&q->err, ERR_INVALID, NULL, m->name, "unknown; known are cn, san and org");
}

/* The names that are not said are those of the certificate; f and first are room for them. */
static int
read_wish(
    struct csr *q, const char *chain, struct x509_wish *w, struct x509_face *f, char first[65])
{
	const struct buf *body = &q->c->rq->body;
	int rc =
	    body->len == 0 ? 0 : json_scan((const char *)body->p, body->len, on_member, q, &q->err);

	*w = (struct x509_wish){ .cn = q->said[CN] ? q->cn : NULL,
		.san = q->said[SAN] ? q->san : NULL,
		.org = q->said[ORG] ? q->org : NULL };
	return rc != 0 ? rc : x509_wish_again(q->name, chain, w, f, first, &q->err);
}

/* ---- the answer ------------------------------------------------------------------------------------- */

static void
on_row(void *arg, const struct msg_row *row, const union msg_any *m)
{
	struct csr *q = arg;

	if (row->number == MSG_KEY_IS)
		buf_put(&q->pem, m->key_is.request.p, m->key_is.request.len);
}

static void
answer(struct csr *q)
{
	struct json_writer w;
	struct buf b = { 0 };

	jw_init(&w, &b, 0);
	jw_object(&w, NULL);
	jw_string(&w, "name", q->name);
	jw_string(&w, "key", q->key);
	jw_string(&w, "request", buf_text(&q->pem));
	jw_end(&w);
	jw_finish(&w);
	reply_json(q->c, 200, &b);
}

/* lbd-proxy says "san: ..." of what it does not take; a key that is not there is nothing that the request could mend. */
static void
refuse(struct csr *q, int code, const char *text)
{
	const char *field = NULL;
	struct err err = { 0 };
	size_t n;

	for (unsigned i = 0; i < FIELDS && field == NULL; i++) {
		n = strlen(fields[i].name);
		if (strncmp(text, fields[i].name, n) == 0 && strncmp(text + n, ": ", 2) == 0) {
			field = fields[i].name;
			text += n + 2;
		}
	}
	(void)err_field(
	    &err, code == ERR_UNKNOWN ? ERR_CONFLICT : ERR_INVALID, NULL, field, "%s", text);
	(void)err_object(&err, "cert %s", q->name);
	reply_error(q->c, 0, &err);
}

static void
on_end(void *arg, int code, const char *text)
{
	struct csr *q = arg;
	struct call *c = q->c;

	if (code == 0 && q->pem.len > 0)
		answer(q);
	else if (code == ERR_INVALID || code == ERR_UNKNOWN)
		refuse(q, code, text);
	else
		reply_fail(c, 503, "lbd-proxy: %s",
		    code != 0 ? text : "is of a version that signs no requests");
	csr_free(q);
	call_free(c);
}

static int
ask(struct csr *q, const struct x509_wish *w)
{
	struct msg_keys_ask m = { .name = SPAN(q->key), .cn = SPAN(w->cn) };

	if (w->san != NULL)
		m.san = SPAN(w->san);
	if (w->org != NULL)
		m.org = SPAN(w->org);
	return follow_ask(q->c->w->follow, "lbd-proxy", MSG_KEYS, &m, on_row, on_end, q);
}

void
api_cert_csr(struct call *c)
{
	const struct cert *k =
	    snapshot_find_path(daemon_snapshot(c->w->d), KIND_cert, call_param(c, "cert"));
	struct x509_wish w;
	struct x509_face f;
	struct csr *q;
	char first[65];

	if (k == NULL) {
		reply_fail(c, 404, "cert %s does not exist", call_param(c, "cert"));
		return;
	}
	if (c->rq->body.len > 0 && !api_body_is(c, api_json_types))
		return;
	q = mem_alloc(sizeof(*q));
	q->c = c;
	(void)snprintf(q->name, sizeof(q->name), "%s", k->name);
	(void)snprintf(q->key, sizeof(q->key), "%s", k->key);
	if (read_wish(q, k->chain, &w, &f, first) != 0) {
		(void)err_object(&q->err, "cert %s", q->name);
		reply_error(c, 0, &q->err);
		csr_free(q);
		return;
	}
	if (ask(q, &w) != 0) {
		reply_fail(c, 503, "lbd-proxy does not run, and private keys are with it");
		csr_free(q);
		return;
	}
	c->later = true;
	http_later(c->rq);
}
