/* What is told of content rules: how often each held, and what one would do. */
#include "status.h"

#include "base/mem.h"

#include "control.h"
#include "rules/rules.h"
#include "rules/trial.h"

#include <stdio.h>
#include <string.h>

#define COUNTS_STEP 2048 /* rules in one message: 20 bytes each */
#define ROWS_STEP 64	 /* rows a turn */

/* ---- counts --------------------------------------------------------------------------------------- */

static void
put_counts(struct buf *b, const struct rule *r)
{
	struct rule_counts n;

	rule_hits_sum(r->hits, &n);
	buf_put_be(b, r->id, 4);
	buf_put_be(b, n.held, 8);
	buf_put_be(b, n.unknown, 8);
}

void
status_rules(const struct ctl_service *c, const struct bus_request *rq)
{
	const struct rules *x = c->view == NULL ? NULL : c->view->rules;
	uint32_t n = x == NULL ? 0 : x->requests + x->answers;
	struct buf b = { 0 };

	for (uint32_t i = 0; i < n; i++) {
		struct msg_rule_is m = { .service = c->id };

		put_counts(&b, i < x->requests ? &x->request[i] : &x->answer[i - x->requests]);
		if (i + 1 < n && (i + 1) % COUNTS_STEP != 0)
			continue;
		m.counts = (struct span){ b.p, b.len };
		(void)bus_reply(rq, MSG_RULE_IS, &m);
		b.len = 0;
	}
	buf_fini(&b);
}

void
status_rules_flush(const struct ctl_service *c)
{
	const struct rules *x = c->view == NULL ? NULL : c->view->rules;

	for (uint32_t i = 0; x != NULL && i < x->requests; i++)
		rule_hits_flush(x->request[i].hits);
	for (uint32_t i = 0; x != NULL && i < x->answers; i++)
		rule_hits_flush(x->answer[i].hits);
}

/* ---- trials --------------------------------------------------------------------------------------- */

struct said {
	struct said *next;
	uint32_t rule;
	char *what, *text;
};
struct answer {
	uint32_t service;
	struct said *first, **last, *at;
};

static void
answer_fini(void *state)
{
	struct answer *a = state;
	struct said *s;

	while ((s = a->first) != NULL) {
		a->first = s->next;
		free(s->what);
		free(s->text);
		free(s);
	}
	free(a);
}

static void
keep(void *arg, uint32_t rule, const char *what, const char *text, size_t len)
{
	struct answer *a = arg;
	struct said *s = mem_alloc(sizeof(*s));

	s->next = NULL;
	s->rule = rule;
	s->what = mem_text(what);
	s->text = mem_alloc(len + 1);
	memcpy(s->text, text, len);
	s->text[len] = '\0';
	*a->last = s;
	a->last = &s->next;
}

static bool
answer_step(void *state, const struct bus_request *rq)
{
	struct answer *a = state;

	for (unsigned rows = 0; a->at != NULL && rows < ROWS_STEP; rows++, a->at = a->at->next) {
		const struct msg_rule_is m = { .service = a->service,
			.rule = a->at->rule,
			.what = SPAN(a->at->what),
			.text = SPAN(a->at->text) };

		(void)bus_reply(rq, MSG_RULE_IS, &m);
	}
	return a->at == NULL;
}

/* The port that clients of it come to, unless it is said. */
static uint16_t
port_of(const struct control *k, const struct msg_rule_try *m)
{
	const struct service *row = snapshot_find(k->seen, KIND_service, m->service);

	if (m->port != 0 || row == NULL || row->ports == NULL || row->ports->n == 0)
		return m->port;
	return row->ports->r[0].lo;
}

static int
run(const struct control *k, const struct view *v, const struct msg_rule_try *m, struct answer *a,
    struct err *err)
{
	char client[ADDR_TEXT + 1], *method = span_dup(m->method), *url = span_dup(m->url),
				    *headers = span_dup(m->headers), *sni = span_dup(m->sni),
				    *alpn = span_dup(m->alpn);
	struct trial t = { .method = method,
		.url = url,
		.headers = headers,
		.sni = sni,
		.alpn = alpn,
		.body = m->body.p,
		.body_len = m->body.len,
		.port = port_of(k, m) };
	int rc = 0;

	span_text(m->client, client, sizeof(client));
	if (addr_parse(client[0] == '\0' ? "0.0.0.0" : client, ADDR_HOST, &t.client) != 0)
		rc = err_set(err, ERR_INVALID,
		    "client: \"%s\" is no address; allowed is one, as 192.0.2.1 or 2001:db8::1",
		    client);
	else
		rc = trial_run(v, &t, mono_now(), keep, a, err);
	free(method);
	free(url);
	free(headers);
	free(sni);
	free(alpn);
	return rc;
}

void
status_on_rule_try(void *arg, const struct bus_request *rq, const union msg_any *m)
{
	const struct control *k = arg;
	const struct ctl_service *c = idmap_get(&k->services, m->rule_try.service);
	struct answer *a;
	struct err err = { 0 };
	int rc;

	if (c == NULL || c->view == NULL) {
		bus_result(rq, ERR_INVALID,
		    "it is not served by lbd-proxy now; allowed are enabled services of the modes http and tcp");
		return;
	}
	a = mem_alloc(sizeof(*a));
	*a = (struct answer){ .service = c->id, .last = &a->first };
	rc = run(k, c->view, &m->rule_try, a, &err);
	if (rc != 0) {
		answer_fini(a);
		bus_result(rq, rc, err.text);
		return;
	}
	a->at = a->first;
	bus_pump(rq, answer_step, answer_fini, a);
}
