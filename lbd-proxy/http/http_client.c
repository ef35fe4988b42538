/* The client's side of HTTP: reading heads, and what comes after an answer.
 *
 * A client's connection is idle (no stream, no buffer), reads a head, or has one request in flight. Requests that
 * were sent ahead stay unread in the socket, or in the connection's own memory when they came together with the one
 * before, until that one has been answered. A head must be complete within the request timeout from its first byte.
 * What the parser refuses is answered and the connection closed: nothing after it can be trusted. */
#include "http_priv.h"
#include "rules/rules_http.h"

#include "error_pages.h"
#include "http_look.h"
#include "http_squeeze.h"
#include "mirror.h"

#include "base/must.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct http *
http_new(struct conn *c)
{
	struct worker *w = c->w;
	struct http *h = w->spare_http;

	if (h != NULL) {
		w->spare_http = h->spare;
		w->spare_https--;
	} else {
		h = malloc(sizeof(*h));
	}
	if (h == NULL)
		return NULL;
	memset(h, 0, offsetof(struct http, up));
	h->magic = HTTP_MAGIC;
	h->c = c;
	h->story.began = w->now;
	h->story.http = true;
	flow_init(&h->up, c, NULL, 0);
	flow_init(&h->downflow, NULL, c, 0);
	list_init(&h->seat.link);
	c->task = h;
	return h;
}

void
http_free(struct http *h)
{
	struct worker *w = h->c->w;

	must(h->s == NULL);
	if (!h->untold)
		story_end(&h->story, h->c);
	flow_fini(&h->up);
	flow_fini(&h->downflow);
	if (h->squeeze != NULL)
		squeeze_free(h->squeeze);
	if (h->mirror != NULL)
		mirror_drop(h->mirror);
	if (h->out != h->room)
		free(h->out);
	if (h->metered != NULL)
		meters_end(h->metered, w->now, h->story.status, h->c->bytes_in - h->story.in_before,
		    h->c->bytes_out - h->story.out_before + h->story.own_len);
	if (h->rules != NULL) {
		free(h->asked);
		rules_unref(h->rules);
	}
	seat_quit(&h->seat);
	h->c->task = NULL;
	h->magic = 0;
	if (w->spare_https >= SPARE_KEPT) {
		free(h);
		return;
	}
	h->spare = w->spare_http;
	w->spare_http = h;
	w->spare_https++;
}

void
http_free_spares(struct worker *w)
{
	struct http *h;

	while ((h = w->spare_http) != NULL) {
		w->spare_http = h->spare;
		free(h);
	}
}

void
http_drop_server(struct http *h)
{
	struct conn *s = h->s;

	flow_fini(&h->up);
	flow_fini(&h->downflow);
	h->s = NULL;
	if (s != NULL) {
		s->task = NULL;
		conn_close(s);
	}
	if (h->state != HTTP_HEAD)
		seat_leave(&h->seat);
}

/* After an answer: the next request. */
static void
next(struct conn *c)
{
	if (c->in != NULL || c->can_read) {
		conn_timer(c, c->svc->view->keep);
		conn_again(c); /* the next request, after the others had their turn */
		return;
	}
	if (!conn_watch(c)) {
		conn_close(c);
		return;
	}
	conn_timer(c, conn_unsent(c) ? c->svc->view->client : c->svc->view->keep);
}

void
http_own(struct http *h, unsigned status, const char *answer, size_t n)
{
	struct conn *c = h->c;

	if (!h->keep || !h->up_over || http_last(c)) {
		http_tell(h, status, answer, n);
		return;
	}
	answer = http_own_fields(h, answer, &n);
	http_drop_server(h);
	http_count_status(h, status);
	h->story.status = (uint16_t)status;
	h->story.own_len = (uint32_t)n;
	http_free(h);
	if (conn_send(c, answer, n) < 0)
		conn_close(c);
	else
		next(c);
}

void
http_complete(struct http *h)
{
	struct conn *c = h->c, *s = h->s;
	/* Whether the other node or process is to be met was decided with the head: what that promised is kept. */
	bool keep = h->keep && h->up_over && !c->svc->gone && !c->w->stopping;
	bool linger = http_sends(h) || (!keep && conn_kept(c) > 0);

	flow_fini(&h->up);
	flow_fini(&h->downflow);
	h->s = NULL;
	backend_done(s, h->down_reuse && h->up_over);
	seat_leave(&h->seat);
	http_free(h);
	if (keep)
		next(c);
	else
		conn_finish(c, linger);
}

/* The head cannot be read. */
static void
refuse_head(struct http *h)
{
	COUNT(h->c->svc->n->bad_requests);
	http_ended(h, 'P');
	http_fail(h, h->head.error->status);
}

static bool
fits(struct http *h)
{
	const struct view *v = h->c->svc->view;

	return v->body_max == 0 || h->head.framing != H1_LENGTH ||
	       h->head.body_length <= v->body_max;
}

/* The client closed, or broke, between two requests. */
static void
left(struct conn *c, struct http *h, bool error)
{
	if (h != NULL || error)
		COUNT(c->svc->n->client_aborts);
	if (h == NULL) {
		conn_close(c);
		return;
	}
	http_ended(h, 'C');
	http_abort(h, false);
}

/* Rules look at the body too. Its client may wait to be asked for it. */
static void
await_body(struct http *h, const char *buf, size_t len)
{
	struct conn *c = h->c;
	size_t n;
	const char *go = http_continue(&n);

	if (!h->whole && h->head.expect_continue && len == h->head.length &&
	    conn_send(c, go, n) < 0) {
		left(c, h, true);
		return;
	}
	h->whole = true;
	if (conn_keep(c, buf, len) != 0 || !conn_watch(c)) {
		COUNT(c->svc->n->refused_total);
		http_ended(h, 'R');
		http_abort(h, true);
		return;
	}
	if (c->can_read)
		conn_again(c);
}

/* len bytes of a request are at buf, from its first one on. */
static void
parse(struct http *h, char *buf, size_t len)
{
	struct conn *c = h->c;

	if (h->waits) {
		http_look_more(h, buf, len);
		return;
	}
	switch (h->whole ? H1_DONE : h1_head_parse(&h->head, buf, len)) {
	case H1_DONE: break;
	case H1_MORE:
		if (c->eof) {
			COUNT(c->svc->n->client_aborts);
			http_ended(h, 'C');
			http_abort(h, false);
			return;
		}
		if (conn_keep(c, buf, len) != 0 || !conn_watch(c)) {
			COUNT(c->svc->n->refused_total);
			http_ended(h, 'R');
			http_abort(h, true);
			return;
		}
		if (c->can_read)
			conn_again(c);
		return;
	case H1_BAD: refuse_head(h); return;
	}
	if (c->svc->view->rules != NULL && rules_wants_body(h, buf, len)) {
		await_body(h, buf, len);
		return;
	}
	c->requests++;
	COUNT(c->svc->n->requests_total);
	/* Behind a CONNECT that was refused stands what was meant for its tunnel, maybe, and no request. */
	h->keep = h->head.keep_alive && c->svc->view->keep > 0 && h->head.method != H1_M_CONNECT;
	story_phase(&h->story, PHASE_REQUEST, c->w->now);
	if (c->svc->view->log != NULL)
		story_head(&h->story, c, buf, &h->head);
	if (c->svc->view->request_id != request_id_off)
		http_id_give(h, buf);
	if (!fits(h)) {
		http_ended(h, 'P');
		h->state = HTTP_SEAT; /* the head is known: HEAD gets no body */
		seat_init(&h->seat, c->svc, NULL, NULL);
		http_fail(h, 413);
		return;
	}
	if (c->svc->view->looks && !http_look(h, buf, len))
		return;
	http_start(h, buf, len);
}

static void
next_request(struct conn *c)
{
	struct http *h = c->task;
	const struct view *v = c->svc->view;
	size_t had = conn_kept(c), room = HTTP_READ;
	char *buf = (char *)c->w->in;
	bool first = h == NULL;
	ssize_t n;

	if (had + HTTP_READ / 2 > room)
		room = had + HTTP_READ; /* head_max is far below SCRATCH */
	n = conn_recv(c, buf, room < SCRATCH ? room : SCRATCH);
	if (n < 0) {
		left(c, h, n < 0 && n != -ENODATA);
		return;
	}
	if (n == 0) {
		if (!conn_watch(c))
			conn_close(c);
		else if (c->timer.deadline == 0)
			conn_timer(c, v->request); /* of its first request */
		return;
	}
	if (first) {
		h = http_new(c);
		if (h == NULL) {
			COUNT(c->svc->n->refused_total);
			conn_reset(c);
			return;
		}
		h->story.in_before = c->bytes_in - (uint64_t)n;
		h->story.out_before = c->bytes_out;
		h1_head_init(&h->head, false, v->head_max);
		h->head.connect = v->tunnels;
	}
	parse(h, buf, (size_t)n);
	/* Mostly all of it was there, and no timer is needed. c is there still, even if it was closed: conn_reap comes later. */
	if (first && c->task == h && h->state == HTTP_HEAD)
		conn_timer(c, v->request);
}

void
http_begin(struct conn *c)
{
	next_request(c);
}

void
http_refuse(struct conn *c)
{
	size_t n, page;
	const char *answer = http_error_answer(503, false, &n);
	unsigned status = 503;

	page =
	    error_pages_answer(c->svc->view->errors, 503, 503, false, (char *)c->w->out, &status);
	if (page > 0) {
		answer = (char *)c->w->out;
		n = page;
	}
	COUNT(c->svc->n->http_5xx);
	conn_last(c, false);
	if (conn_send(c, answer, n) < 0)
		conn_close(c);
	else
		conn_finish(c, true);
}

/* What is waited for now, and for how long. */
void
http_time(struct http *h)
{
	struct conn *c = h->c, *s = h->s;
	const struct view *v = c->svc->view;
	bool body = !h->up_over && !h->up_stop && !conn_unsent(s);

	if (conn_unsent(c) || h->downflow.in_pipe > 0) { /* it does not take the answer */
		conn_timer(c, v->client);
		conn_timer_off(s);
		return;
	}
	if (body && h->up.in_pipe == 0 && h->state == HTTP_WAIT) { /* the rest of the request */
		conn_timer(c, v->client);
		conn_timer_off(s);
		return;
	}
	conn_timer_off(c);
	conn_timer(s, http_pool(h)->server);
}

/* Something happened on the client's side while its request is in flight. */
static void
in_flight(struct http *h)
{
	struct conn *c = h->c;

	if (h->state == HTTP_SEAT) {
		if (conn_gone(c)) { /* it did not want to wait any longer */
			COUNT(c->svc->n->client_aborts);
			http_ended(h, 'C');
			http_abort(h, false);
		}
		return;
	}
	if (h->state < HTTP_WAIT)
		return;
	if (!h->up_over && !h->up_stop && !http_pump_up(h))
		return;
	if (h->state == HTTP_ANSWER || (h->s->can_read && !conn_unsent(c)))
		if (!http_pump_down(h))
			return;
	http_time(h);
}

static void
on_event(struct conn *c, unsigned ready)
{
	struct http *h = c->task;

	(void)ready;
	if (c->h2 != NULL && c->hup && h != NULL &&
	    h->state != HTTP_HEAD) { /* reset: nobody waits for it */
		http_count_left(h);
		http_ended(h, 'C');
		http_abort(h, true);
		return;
	}
	if (conn_unsent(c)) {
		if (conn_flush(c) < 0) {
			COUNT(c->svc->n->client_aborts);
			if (h != NULL) {
				http_ended(h, 'C');
				http_abort(h, true);
			} else {
				conn_reset(c);
			}
			return;
		}
		if (h == NULL && !conn_unsent(c))
			conn_timer(c, c->svc->view->keep);
	}
	if (h == NULL) {
		if (!conn_unsent(c) && (c->can_read || c->in != NULL))
			next_request(c);
		return;
	}
	must_obj(h, HTTP_MAGIC);
	if (h->state != HTTP_HEAD)
		in_flight(h);
	else if (c->can_read)
		next_request(c);
}

static void
on_timeout(struct conn *c)
{
	struct http *h = c->task;

	if (h == NULL) {
		if (conn_unsent(c))
			COUNT(c->svc->n->client_aborts);
		conn_close(c);
		return;
	}
	must_obj(h, HTTP_MAGIC);
	if (h->held != 0) {
		h->keep = false;
		http_fail(h, h->held);
		return;
	}
	http_ended(h, h->state == HTTP_SEAT ? 's' : 'c');
	switch (h->state) {
	case HTTP_HEAD:
		COUNT(c->svc->n->client_aborts);
		http_fail(h, 408);
		break;
	case HTTP_SEAT:
		COUNT(c->svc->n->refused_total);
		http_fail(h, 503);
		break;
	case HTTP_WAIT:
		COUNT(c->svc->n->client_aborts);
		http_fail(h, 408);
		break;
	default:
		http_count_left(h);
		http_abort(h, true);
		break;
	}
}

static void
on_cut(struct conn *c)
{
	struct http *h = c->task;

	struct conn *s = h->s;

	must_obj(h, HTTP_MAGIC);
	http_ended(h, 'K');
	if (s != NULL) { /* the server shall notice too, and stop */
		flow_fini(&h->up);
		flow_fini(&h->downflow);
		h->s = NULL;
		s->task = NULL;
		conn_reset(s);
	}
	http_abort(h, true);
}

static void
show(const struct conn *c, struct conn_view *out)
{
	static const char *const words[] = {
		[HTTP_HEAD] = "request",
		[HTTP_SEAT] = "queue",
		[HTTP_SEND] = "connect",
		[HTTP_WAIT] = "wait",
		[HTTP_ANSWER] = "answer",
	};
	const struct http *h = c->task;

	*out = (struct conn_view){ .state = "idle" };
	if (h != NULL)
		*out = (struct conn_view){ .state = words[h->state], .server = h->s };
}

const struct conn_ops http_client_ops = {
	.show = show,
	.event = on_event,
	.timeout = on_timeout,
	.cut = on_cut,
};
