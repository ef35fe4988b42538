/* What the cert commands share. Keys go by a message to lbd-proxy and are wiped behind it. */
#include "cert.h"

#include "msg/client.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static int
on_key(void *arg, const struct msg_row *row, const union msg_any *m)
{
	struct buf *names = arg;

	if (row->number == MSG_KEY_IS) {
		buf_put(names, m->key_is.name.p, m->key_is.name.len);
		buf_puts(names, " ");
	}
	return 0;
}

int
cert_put_key(struct ctl *c, struct evp_pkey_st *key, struct err *err)
{
	struct msg_key_put m = { 0 };
	struct client *k = NULL;
	struct buf pem = { 0 };
	int rc = client_open(&c->paths, "lbd-proxy", &k, err);

	if (rc != 0)
		return rc == ERR_AWAY
			   ? err_prefix(err, "private keys are with lbd-proxy, which must run: ")
			   : rc;
	x509_key_write(key, &pem);
	m.key = (struct span){ pem.p, pem.len };
	rc = client_call(k, MSG_KEY_PUT, &m, NULL, NULL, CTL_ANSWER, err);
	x509_wipe(&pem);
	client_close(k);
	return rc;
}

const char *
cert_keys(struct ctl *c)
{
	const struct msg_keys_ask all = { .name = { .len = 0 } };
	struct client *k = NULL;
	struct buf names = { 0 };
	const char *out = NULL;

	if (client_open(&c->paths, "lbd-proxy", &k, NULL) != 0)
		return NULL;
	if (client_call(k, MSG_KEYS, &all, on_key, &names, CTL_ANSWER, NULL) == 0)
		out = arena_text(c->arena, buf_text(&names), names.len);
	buf_fini(&names);
	client_close(k);
	return out;
}

static int
on_request(void *arg, const struct msg_row *row, const union msg_any *m)
{
	struct buf *out = arg;

	if (row->number == MSG_KEY_IS)
		buf_put(out, m->key_is.request.p, m->key_is.request.len);
	return 0;
}

int
cert_ask_request(
    struct ctl *c, const char *key, const struct x509_wish *w, struct buf *out, struct err *err)
{
	struct msg_keys_ask m = { .name = SPAN(key), .cn = SPAN(w->cn) };
	struct client *k = NULL;
	int rc = client_open(&c->paths, "lbd-proxy", &k, err);

	if (rc != 0)
		return rc == ERR_AWAY
			   ? err_prefix(err, "private keys are with lbd-proxy, which must run: ")
			   : rc;
	if (w->san != NULL)
		m.san = SPAN(w->san);
	if (w->org != NULL)
		m.org = SPAN(w->org);
	rc = client_call(k, MSG_KEYS, &m, on_request, out, CTL_ANSWER, err);
	client_close(k);
	if (rc == 0 && out->len == 0)
		return err_set(err, ERR_PROTO, "lbd-proxy is of a version that signs no requests");
	return rc;
}

bool
cert_use(struct ctl *c, uint32_t id, unsigned nth, char out[CERT_USE])
{
	char path[160];

	for (uint32_t i = 0; i < snapshot_count(c->snap, KIND_tls); i++) {
		const struct tls *t = snapshot_at(c->snap, KIND_tls, i);

		if (t->cert != id || nth-- > 0)
			continue;
		(void)snprintf(out, CERT_USE, "tls %s", t->name);
		return true;
	}
	for (uint32_t i = 0; i < snapshot_count(c->snap, KIND_sni); i++) {
		const struct sni *s = snapshot_at(c->snap, KIND_sni, i);

		if (s->cert != id || nth-- > 0)
			continue;
		(void)snprintf(
		    out, CERT_USE, "sni %s", snapshot_path(c->snap, KIND_sni, s->id, path));
		return true;
	}
	return false;
}

struct staples_ask {
	struct ctl *c;
	struct cert_staple *last;
};

static int
on_staple(void *arg, const struct msg_row *row, const union msg_any *m)
{
	struct staples_ask *a = arg;
	const struct msg_staple_is *is = &m->staple_is;
	struct cert_staple *s;

	if (row->number != MSG_STAPLE_IS)
		return 0;
	s = arena_alloc(a->c->arena, sizeof(*s));
	*s = (struct cert_staple){ .next = a->last,
		.cert = is->cert,
		.made = is->made,
		.until = is->until,
		.state = arena_text(a->c->arena, (const char *)is->state.p, is->state.len),
		.url = arena_text(a->c->arena, (const char *)is->url.p, is->url.len),
		.fault = arena_text(a->c->arena, (const char *)is->fault.p, is->fault.len) };
	a->last = s;
	return 0;
}

const struct cert_staple *
cert_staples(struct ctl *c)
{
	const struct msg_empty none = { 0 };
	struct staples_ask a = { .c = c };
	struct client *k = NULL;

	if (client_open(&c->paths, "lbd-proxy", &k, NULL) != 0)
		return NULL;
	(void)client_call(k, MSG_STAPLES, &none, on_staple, &a, CTL_ANSWER, NULL);
	client_close(k);
	return a.last;
}

const struct cert_staple *
cert_staple_of(const struct cert_staple *all, uint32_t cert)
{
	while (all != NULL && all->cert != cert)
		all = all->next;
	return all;
}

const struct cert *
cert_by_name(struct ctl *c, const char *name)
{
	return snapshot_find_path(c->snap, KIND_cert, name);
}

int
cert_save(struct ctl *c, const char *name, const char *chain, const char *key, struct err *err)
{
	const struct object *o = object_of(KIND_cert);
	struct doc_item *it;
	struct doc d;
	int rc;

	doc_init(&d);
	rc = doc_add(
	    &d, cert_by_name(c, name) != NULL ? DOC_MERGE : DOC_CREATE, o, name, 0, &it, err);
	if (rc == 0 && chain != NULL)
		rc = doc_set(&d, it, "chain", chain, err);
	if (rc == 0)
		rc = doc_set(&d, it, "key", key, err);
	if (rc == 0)
		rc = ctl_commit(c, &d, NULL, err);
	doc_fini(&d);
	return rc;
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

void
cert_left(int64_t until, int64_t now, char out[40])
{
	int64_t s = until > now ? until - now : now - until, n = s / 86400;
	const char *unit = "day";

	if (n == 0) {
		n = s / 3600;
		unit = "hour";
	}
	(void)snprintf(out, 40, "%s%" PRId64 " %s%s%s", until > now ? "in " : "", n, unit,
	    n == 1 ? "" : "s", until > now ? "" : " ago");
}
