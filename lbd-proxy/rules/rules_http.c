/* Content rules on requests and answers: what decide.c says is done. A request whose rules look at answers too keeps them, and its head, until its answer came: a commit
 * meanwhile does not change what it meets. */
#include "rules_http.h"

#include "base/must.h"

#include "decide.h"
#include "http/error_pages.h"
#include "http/http_look.h"
#include "http/http_msg.h"
#include "http/http_priv.h"
#include "http/reason.h"
#include "net/worker.h"
#include "runtime.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOCATION_MAX 12288

/* ---- bodies ----------------------------------------------------------------------------------- */

/* What is there of a chunked body, without its coding; *over: all of it. */
static uint32_t
unchunk(const char *p, size_t n, char out[WHEN_BODY], bool *over)
{
	struct h1_chunk k = { 0 };
	uint32_t have = 0;
	size_t used;

	for (size_t i = 0; i < n && have < WHEN_BODY && !*over; i++) {
		bool data = h1_chunk_data(&k);

		*over = h1_chunk_scan(&k, p + i, 1, &used) != H1_MORE;
		if (data)
			out[have++] = p[i];
	}
	return have;
}

/* The first bytes of the body, among those that came behind the head; out holds WHEN_BODY bytes. False: more would be
 * looked at. */
static bool
body_of(const struct http *h, const char *p, size_t n, char *out, struct subject *s)
{
	const struct h1_head *head = &h->head;
	bool over = false;
	uint64_t most;

	switch (head->framing) {
	case H1_LENGTH:
		most = head->body_length < WHEN_BODY ? head->body_length : WHEN_BODY;
		s->body = p;
		s->body_len = (uint32_t)(n < most ? n : most);
		return s->body_len == most;
	case H1_CHUNKED:
		s->body_len = unchunk(p, n, out, &over);
		s->body = out;
		return over || s->body_len == WHEN_BODY || n >= HTTP_READ / 2;
	default: return true;
	}
}

bool
rules_wants_body(const struct http *h, const char *buf, size_t len)
{
	struct rules_scratch *w;
	struct subject s;

	if ((h->c->svc->view->rules->uses & 1u << WHEN_body) == 0)
		return false;
	w = rules_scratch(h->c->w);
	return w != NULL && !h->c->eof &&
	       !body_of(h, buf + h->head.length, len - h->head.length, w->room, &s);
}

/* ---- answers of ours -------------------------------------------------------------------------- */

/* Whether the connection can go on after an answer of ours: nothing of the request is still to come. */
static bool
keeps(struct http *h, const char *buf, size_t len)
{
	const struct h1_head *head = &h->head;

	h->up_over =
	    head->framing == H1_NO_BODY || (head->framing == H1_LENGTH && head->body_length == 0);
	if (!h->up_over || conn_keep(h->c, buf + head->length, len - head->length) != 0)
		h->keep = false;
	return h->keep && !http_last(h->c);
}

static const char *
connection(const struct http *h, bool kept)
{
	return !kept		    ? "Connection: close\r\n"
	       : h->head.minor == 0 ? "Connection: keep-alive\r\n"
				    : "";
}

static void
redirect(struct edit *e, struct http *h, const struct rule *r, const struct when_groups *g,
    const char *buf, size_t len)
{
	char *out = (char *)h->c->w->out;
	size_t n;
	const char *to = edit_text(e, &r->text, g, &n);
	int all;

	if (to == NULL || n == 0 || n > LOCATION_MAX) {
		h->keep = false;
		http_fail(h, 500);
		return;
	}
	all = sprintf(out,
	    "HTTP/1.1 %u %s\r\nLocation: %.*s\r\nContent-Length: 0\r\nCache-Control: no-store\r\n%s\r\n",
	    r->status, http_reason(r->status), (int)n, to, connection(h, keeps(h, buf, len)));
	http_own(h, r->status, out, (size_t)all);
}

static void
give_text(struct http *h, const struct rule *r, const char *buf, size_t len)
{
	char *out = (char *)h->c->w->out;
	bool bodiless = r->status == 204 || r->status == 304;
	const char *more = connection(h, keeps(h, buf, len));
	int n;

	if (bodiless)
		n = sprintf(
		    out, "HTTP/1.1 %u %s\r\n%s\r\n", r->status, http_reason(r->status), more);
	else
		n = sprintf(out,
		    "HTTP/1.1 %u %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n%s\r\n%s",
		    r->status, http_reason(r->status), r->type[0] != '\0' ? r->type : "text/plain",
		    strlen(r->body), more, h->head.method == H1_M_HEAD ? "" : r->body);
	http_own(h, r->status, out, (size_t)n);
}

/* The service says what such an answer looks like. */
static bool
has_page(const struct http *h, unsigned status)
{
	const struct error_pages *p = h->c->svc->view->errors;

	return p != NULL &&
	       error_pages_answer(p, status, status, false, (char *)h->c->w->out, &status) > 0;
}

/* Whoever comes too often learns when to come again. */
static void
too_many(struct http *h, const struct rule *r)
{
	static const char body[] = "429 Too Many Requests\n";
	char *out = (char *)h->c->w->out;
	int n = sprintf(out,
	    "HTTP/1.1 429 Too Many Requests\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n"
	    "Retry-After: %u\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n%s",
	    sizeof(body) - 1, r->retry_s, h->head.method == H1_M_HEAD ? "" : body);

	http_tell(h, 429, out, (size_t)n);
}

/* The client waits; its answer comes by http_held when the time is over. */
static void
hold(struct http *h, const struct rule *r)
{
	h->held = r->status;
	conn_timer(h->c, r->time);
	if (conn_watch(h->c))
		return;
	http_ended(h, 'R');
	http_abort(h, true);
}

/* ---- the end of an evaluation ------------------------------------------------------------------ */

static bool
use(struct http *h, const struct svc *to)
{
	struct wsvc *pool = to == NULL ? NULL : local_find(h->c->w, to);

	if (pool != NULL && !pool->gone && pool->view != NULL) {
		seat_enter(&h->seat, pool);
		return true;
	}
	COUNT(h->c->svc->n->no_server);
	story_ended(&h->story, 'S', 'C');
	http_fail(h, 503);
	return false;
}

static bool
finish(struct edit *e, struct http *h, const struct decision *d, const char *buf, size_t len)
{
	const struct rule *r = d->end;

	switch (r->action) {
	case rule_action_allow: return true;
	case rule_action_use: return use(h, d->pool.svc);
	default: break;
	}
	if (r->action == rule_action_redirect || r->action == rule_action_return) {
		story_ended(&h->story, 'L', 'R');
	} else {
		story_ended(&h->story, 'P', r->action == rule_action_tarpit ? 'T' : 'R');
		COUNT(h->c->svc->n->refused_total);
	}
	switch (r->action) {
	case rule_action_redirect: redirect(e, h, r, &d->groups, buf, len); break;
	case rule_action_return: give_text(h, r, buf, len); break;
	case rule_action_tarpit: hold(h, r); break;
	case rule_action_drop: http_vanish(h); break;
	default:
		h->keep = false;
		if (r->status == 429 && r->retry_s > 0 && !has_page(h, r->status))
			too_many(h, r);
		else
			http_fail(h, r->status);
		break;
	}
	return false;
}

/* For its answer. */
static bool
remember(struct http *h, struct rules *x, const char *buf)
{
	if (x->answers == 0)
		return true;
	if (x->replaces) /* in a coding it could not be read */
		h->cut |= CUT_CODINGS;
	if (x->keeps_head) {
		h->asked = malloc(h->head.length);
		if (h->asked == NULL)
			return false;
		memcpy(h->asked, buf, h->head.length);
	}
	h->rules = rules_ref(x);
	return true;
}

static bool
refuse(struct http *h, unsigned status)
{
	story_ended(&h->story, status == 503 ? 'R' : 'P', 'R');
	h->keep = false;
	http_fail(h, status);
	return false;
}

bool
rules_request(struct http *h, const char *buf, size_t len)
{
	struct conn *c = h->c;
	struct rules *x = c->svc->view->rules;
	struct edit e = { .w = rules_scratch(c->w), .buf = buf, .head = &h->head };
	const struct decide_note note = { .worker = c->w->index };
	struct decision d;
	struct metering m;

	if (e.w == NULL || !remember(h, x, buf))
		return refuse(h, 503);
	if (c->paced) /* the answer before */
		conn_pace(c, 0);
	subject_request(&e.s, c, buf, &h->head);
	edit_begin(&e);
	if (x->meters.n > 0) {
		meters_begin(&x->meters, &e.s, c->w->now, &m);
		e.s.meters = &m;
		h->metered = meters_keep(&x->meters, &m);
	}
	if ((x->uses & 1u << WHEN_body) != 0) {
		(void)body_of(h, buf + h->head.length, len - h->head.length, e.w->room, &e.s);
		e.w->used = WHEN_BODY;
	}
	decide_request(x, &e, &note, &d);
	if (d.status != 0)
		return refuse(h, d.status);
	h->edited = e.any;
	h->rate_up = e.rate;
	h->seat.priority = e.priority;
	if (d.end != NULL && h->story.notes != NULL)
		logs_rule(h->story.notes, d.end->name, d.pool.name);
	return d.end == NULL || !decide_final(d.end) || finish(&e, h, &d, buf, len);
}

const struct http_edits *
rules_answer(struct http *h, const char *buf)
{
	const struct rules *x = h->rules;
	struct edit e = { .w = rules_scratch(h->c->w), .buf = buf, .head = &h->answer };
	const struct decide_note note = { .worker = h->c->w->index };
	struct decision d;

	if (e.w == NULL)
		return NULL;
	if (h->asked != NULL)
		subject_request(&e.s, h->c, h->asked, &h->head);
	else
		e.s = (struct subject){ .c = h->c, .head = &h->head, .buf = "", .url = "" };
	e.s.answer = &h->answer;
	e.s.server = h->s;
	e.s.answer_buf = buf;
	edit_begin(&e);
	decide_answer(x, &e, &note, &d);
	if (e.rate != 0)
		conn_pace(h->c, e.rate);
	return e.any ? &e.w->edits : NULL;
}
