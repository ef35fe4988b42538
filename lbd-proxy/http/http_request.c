/* A request's way to a server.
 *
 * The head is rewritten once, into memory of the stream, together with what came with it of the body; so it can be
 * sent again when a server fails it (http_retry.c). The rest of a body streams
 * from socket to socket. */
#include "http_priv.h"

#include "base/must.h"
#include "sys/sock.h"

#include "h2/h2_back.h"
#include "h2/websocket.h"
#include "http_tell.h"
#include "retry.h"
#include "mirror.h"
#include "rules/rules_http.h"
#include "schema/error_rules.h"
#include "tls/tls.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* How much of the n bytes behind the head belongs to the body; -1: the body is refused. */
static ssize_t
body_here(struct http *h, const char *p, size_t n)
{
	const struct h1_head *head = &h->head;
	size_t used = 0;

	switch (head->framing) {
	case H1_LENGTH:
		used = n < head->body_length ? n : (size_t)head->body_length;
		h->up.left = head->body_length - used;
		h->up_over = h->up.left == 0;
		return (ssize_t)used;
	case H1_CHUNKED:
		h->up_chunk = (struct h1_chunk){ 0 };
		switch (h1_chunk_scan(&h->up_chunk, p, n, &used)) {
		case H1_DONE: h->up_over = true; break;
		case H1_MORE: break;
		case H1_BAD: return -1;
		}
		return (ssize_t)used;
	default: h->up_over = true; return 0;
	}
}

/* What the server is told beside X-Forwarded-For; false: nothing. */
static bool
tell(struct http *h, const struct http_request_policy *p, struct http_tell *t,
    char by[HTTP_CLIENT_TEXT])
{
	const struct conn *c = h->c;
	const struct view *v = c->svc->view, *pool = http_pool(h);

	if (!pool->x_forwarded && !pool->forwarded_field && !pool->via &&
	    v->request_id == request_id_off && !v->client_headers && !p->distrust)
		return false;
	t->x_forwarded = pool->x_forwarded;
	t->forwarded = pool->forwarded_field;
	t->via = pool->via;
	t->h2 = c->h2 != NULL && !c->h3;
	t->h3 = c->h3;
	t->policy = pool->forwarded;
	t->distrust = p->distrust;
	t->request_id = v->request_id;
	t->port = c->port;
	t->scheme = c->tls != NULL ? "https" : "http";
	t->client = p->client;
	t->client_len = p->client_len;
	t->client_v6 = c->addr.family == 6;
	t->by = by;
	t->by_len = pool->forwarded_field ? (uint8_t)http_client_text(&v->address, by) : 0;
	t->by_v6 = v->address.family == 6;
	t->id = h->id;
	t->id_len = h->id_len;
	t->id_kept = false;
	t->seen = 0;
	t->used = 0;
	t->ssl_client = v->client_headers;
	t->lines_len = 0;
	if (v->client_headers && c->tls != NULL) {
		size_t n;

		t->lines = tls_client_lines(c->tls, &n);
		t->lines_len = (uint32_t)n;
	}
	return true;
}

/* TE names trailers (RFC 9110 section 10.1.4): what a server of HTTP/2 is told of it. */
static bool
takes_trailers(const char *buf, const struct h1_head *head)
{
	const struct h1_header *f;
	const char *s, *end;
	size_t n;

	if ((head->seen & H1_BIT(H1_TE)) == 0)
		return false;
	f = h1_find(head, H1_TE);
	for (s = buf + f->value_off, end = s + f->value_len; s < end; s += n) {
		while (s < end && (*s == ',' || *s == ' ' || *s == '\t'))
			s++;
		for (n = 0; s + n < end && s[n] != ',' && s[n] != ' ' && s[n] != '\t'; n++)
			;
		if (n == 8 && strncasecmp(s, "trailers", 8) == 0)
			return true;
	}
	return false;
}

/* The request as it goes to the server. 0, or the status to answer. */
static unsigned
compose(struct http *h, const char *buf, size_t len)
{
	struct conn *c = h->c;
	const char *body = buf + h->head.length;
	size_t rest = len - h->head.length;
	ssize_t here = body_here(h, body, rest);
	const struct view *v = c->svc->view, *pool = http_pool(h);
	char client[HTTP_CLIENT_TEXT], by[HTTP_CLIENT_TEXT];
	struct http_tell told;
	struct http_request_policy policy = {
		.client = client,
		.forwarded = pool->forwarded,
		.distrust = view_distrusts(v, &c->addr),
		.edits = h->edited ? &c->w->rules->edits : NULL,
		.cut = h->cut,
		.absolute = v->tunnels,
	};

	if (here < 0)
		return h->up_chunk.error->status;
	if (v->body_max > 0 && h->head.framing == H1_CHUNKED && h->up_chunk.total > v->body_max)
		return 413;
	if (pool->server_http != server_http_1) {
		h->trailers = takes_trailers(buf, &h->head);
		h->tunnel = websocket_asked(buf, &h->head);
	}
	if (pool->forwarded != forwarded_off)
		policy.client_len = (uint8_t)http_client_text(&c->addr, client);
	if (tell(h, &policy, &told, by))
		policy.tell = &told;
	persist_request(h->seat.svc->view, &policy);
	http_plan_request(&c->w->plan, buf, &h->head, &policy);
	h->out_len = c->w->plan.out_len + (uint32_t)here;
	h->out = h->out_len <= HTTP_ROOM ? h->room : malloc(h->out_len);
	if (h->out == NULL ||
	    (rest > (size_t)here && conn_keep(c, body + here, rest - (size_t)here) != 0))
		return 500;
	http_plan_write(&c->w->plan, buf, h->out);
	if (here > 0)
		memcpy(h->out + c->w->plan.out_len, body, (size_t)here);
	return 0;
}

static void
bad_body(struct http *h, unsigned status)
{
	if (status != 413)
		COUNT(h->c->svc->n->bad_requests);
	h->keep = false;
	story_ended(&h->story, status == 500 ? 'R' : 'P', h->state == HTTP_SEAT ? 'R' : 'H');
	http_fail(h, status);
}

/* A stream of a connection that others share; *out NULL: the server speaks HTTP/1.1. */
static int
open_stream(struct http *h, struct conn **out)
{
	const struct h2_back_how how = {
		.trailers = h->trailers,
		.both = h->c->h2 != NULL,
		.tunnel = h->tunnel,
		.alone = h->rate_up != 0,
	};

	return h2_back_open(&h->seat, h->c, &how, &http_server_ops, out);
}

/* Upgrades and CONNECT go by HTTP/1.1, but for a WebSocket. */
static bool
goes_by_stream(const struct http *h)
{
	if (http_pool(h)->server_http == server_http_1)
		return false;
	return h->tunnel || (!h->head.upgrade && h->head.method != H1_M_CONNECT);
}

/* A connection of the pool, or a new one. */
static void
attach(struct http *h)
{
	struct conn *c = h->c, *s = NULL;
	int code = 0;

	story_phase(&h->story, PHASE_QUEUE, c->w->now);
	story_server(&h->story, &h->seat);
	if (goes_by_stream(h))
		code = open_stream(h, &s);
	if (s == NULL && code == 0 && !h->fresh)
		s = backend_idle(&h->seat, c, !h->sure, &http_server_ops);
	if (s == NULL && code == 0) {
		code = backend_connect(&h->seat, c, &http_server_ops, &s);
		if (code == 0)
			COUNT(h->seat.srv->n->conns_total);
	}
	if (code == -EMFILE || code == -ENOMEM) {
		COUNT(c->svc->n->refused_total);
		story_ended(&h->story, 'R', 'C');
		http_fail(h, 503);
		return;
	}
	h->s = s;
	h->slow = h->up_stop = false;
	h->out_off = 0;
	if (code != 0) {
		http_server_lost(h);
		return;
	}
	if (h->rate_up != 0)
		conn_pace(s, h->rate_up);
	s->task = h;
	s->requests++;
	h->up.to = s;
	h->state = HTTP_SEND;
	conn_timer_off(c);
	(void)http_send_out(h);
}

void
http_seated(struct http *h, enum seat_result r)
{
	struct conn *c = h->c;

	switch (r) {
	case SEAT_OK: attach(h); break;
	case SEAT_WAIT:
		h->state = HTTP_SEAT;
		h->story.queue =
		    atomic_load_explicit(&h->seat.svc->svc->waiting, memory_order_relaxed) - 1;
		conn_timer(c, http_pool(h)->queue);
		if (!conn_watch(c)) {
			http_ended(h, 'R');
			http_abort(h, true);
		}
		break;
	case SEAT_NONE:
		if (h->broke)
			COUNT(c->svc->n->server_aborts);
		else
			COUNT(c->svc->n->no_server);
		story_ended(&h->story, h->slow ? 's' : 'S', h->broke ? 'H' : 'C');
		h->own = h->broke ? 0 : ERROR_UNAVAILABLE;
		http_fail(h, h->broke ? 502 : 503);
		break;
	case SEAT_REFUSED:
		COUNT(c->svc->n->refused_total);
		http_ended(h, 'P');
		http_fail(h, 503);
		break;
	}
}

static void
ready(struct seat *s)
{
	http_seated(container_of(s, struct http, seat), SEAT_OK);
}

static void
failed(struct seat *s)
{
	http_seated(container_of(s, struct http, seat), SEAT_NONE);
}

/* Every request of the service is sent elsewhere; what comes of its body is thrown away. */
static void
redirect(struct http *h, const char *buf)
{
	struct worker *w = h->c->w;
	unsigned status = h->c->svc->view->redirect;
	size_t n = http_redirect_answer(status, buf, &h->head, (char *)w->out);

	h->keep = false;
	if (n == 0)
		http_fail(h, 400);
	else
		http_tell(h, status, (char *)w->out, n);
}

void
http_start(struct http *h, const char *buf, size_t len)
{
	struct conn *c = h->c;
	struct mirror *copy = NULL;
	unsigned status;

	seat_init(&h->seat, c->svc, ready, failed);
	h->state = HTTP_SEAT;
	if (c->svc->view->redirect != 0) {
		redirect(h, buf);
		return;
	}
	if (c->svc->view->rules != NULL && !rules_request(h, buf, len))
		return;
	status = compose(h, buf, len);
	if (status != 0) {
		bad_body(h, status);
		return;
	}
	if (c->svc->view->mirror != NULL)
		copy = mirror_begin(h, buf, c->w->plan.out_len);
	h->sure = h->up_over && retry_idempotent(h->head.method);
	seat_key(&h->seat, c, buf, &h->head);
	if (h->seat.svc->view->source_header != NULL)
		seat_find_source(&h->seat, c, buf, &h->head);
	h->known = persist_by_head(&h->persist, h->seat.svc, c, buf, &h->head);
	h->seat.forced = h->persist.forced;
	http_seated(h, seat_take(&h->seat, h->known));
	if (copy != NULL) /* after the request itself, which may be over */
		mirror_send(copy);
}

bool
http_send_out(struct http *h)
{
	struct conn *s = h->s;
	ssize_t n;

	while (h->out_off < h->out_len) {
		n = conn_write(s, h->out + h->out_off, h->out_len - h->out_off);
		if (n == -EAGAIN) {
			conn_timer(
			    s, s->up || s->reused ? http_pool(h)->server : http_pool(h)->connect);
			if (conn_watch(s))
				return true;
		}
		if (n < 0) {
			http_server_lost(h);
			return false;
		}
		s->up = true;
		story_phase(&h->story, PHASE_CONNECT, h->c->w->now);
		h->out_off += (uint32_t)n;
	}
	h->state = HTTP_WAIT;
	http_await(h);
	if (!h->up_over && !http_pump_up(h))
		return false;
	if (!conn_watch(s)) {
		http_server_lost(h);
		return false;
	}
	http_time(h);
	return true;
}

/* How much of the next n bytes belongs to the body. */
static enum h1_result
up_scan(struct http *h, const uint8_t *p, size_t n, size_t *used_out)
{
	if (h->head.framing == H1_CHUNKED)
		return h1_chunk_scan(&h->up_chunk, (const char *)p, n, used_out);
	*used_out = n < h->up.left ? n : (size_t)h->up.left;
	h->up.left -= *used_out;
	return h->up.left == 0 ? H1_DONE : H1_MORE;
}

/* The next piece of a body that we look at: it is chunked, or copied. */
static enum flow_result
up_seen(struct http *h)
{
	struct conn *c = h->c, *s = h->s;
	const struct view *v = c->svc->view;
	uint8_t *p = c->w->in;
	int code = conn_flush(s);
	enum h1_result r;
	size_t used;
	ssize_t n;

	if (code != 0)
		return code < 0 ? FLOW_TO : FLOW_FULL;
	n = conn_recv(c, p, FLOW_COPY);
	if (n < 0)
		return FLOW_FROM;
	if (n == 0)
		return conn_watch(c) ? FLOW_EMPTY : FLOW_FROM;
	r = up_scan(h, p, (size_t)n, &used);
	if (r == H1_BAD || (v->body_max > 0 && h->up_chunk.total > v->body_max))
		return FLOW_END;
	if (conn_keep(c, p + used, (size_t)n - used) != 0)
		return FLOW_FROM;
	h->beyond = true;
	if (h->mirror != NULL)
		mirror_more(&h->mirror, p, used);
	code = conn_send(s, p, used);
	if (code < 0)
		return FLOW_TO;
	if (r == H1_DONE)
		return FLOW_DONE;
	if (code == 1)
		return FLOW_FULL;
	if (c->can_read)
		return FLOW_TURN;
	return conn_watch(c) ? FLOW_EMPTY : FLOW_FROM;
}

bool
http_pump_up(struct http *h)
{
	struct conn *c = h->c;
	bool chunked = h->head.framing == H1_CHUNKED;
	bool seen = chunked || h->mirror != NULL;
	enum flow_result r = seen ? up_seen(h) : flow_run(&h->up);

	h->beyond = h->beyond || (!seen && h->up.moved);
	switch (r) {
	case FLOW_DONE:
		h->up_over = true;
		mirror_whole(&h->mirror);
		return true;
	case FLOW_TURN: conn_again(c); return true;
	case FLOW_EMPTY:
	case FLOW_FULL: return true;
	case FLOW_TO: /* it may have answered before it closed */
		h->up_stop = true;
		h->keep = false;
		h->s->can_read = true;
		return http_pump_down(h);
	case FLOW_END:
		if (chunked) {
			bad_body(h, h->up_chunk.error != NULL ? h->up_chunk.error->status : 413);
			return false;
		}
		break;
	case FLOW_FROM: break;
	}
	http_count_left(h);
	http_ended(h, 'C');
	http_abort(h, true);
	return false;
}
