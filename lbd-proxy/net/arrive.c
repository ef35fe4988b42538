/* What comes before a client's stream.
 *
 * Mostly nothing. A balancer in front that the service trusts first names the client by a PROXY header; without one, or with a bad
 * one, its connection is reset, because whose it is would be a guess. With it, no server is looked for and no byte is taken for a request until the handshake is
 * complete, within the time that a request's head may take. A handshake that fails is the client's matter: counted, and the
 * connection closed after the alert. One client too many is told so by HTTP, but not before a handshake: that would cost
 * what the limit is to save, so with TLS it is reset. */
#include "arrive.h"

#include "h2/h2.h"
#include "http/http_stream.h"
#include "stream/tcp_stream.h"
#include "pp.h"
#include "rules/rules.h"
#include "tls/tls.h"
#include "worker.h"

static void
begin(struct conn *c)
{
	bool http = c->svc->view->mode == mode_http;

	if (c->svc->view->rules != NULL && c->svc->view->rules->meters.n > 0)
		c->metered = meters_conn(&c->svc->view->rules->meters, c, !http, c->w->now);
	if (http && c->tls != NULL && tls_is_h2(c->tls)) {
		h2_begin(c);
		return;
	}
	if (http && c->tls == NULL && c->svc->view->h2c) {
		h2_sniff(c);
		return;
	}
	c->ops = http ? &http_client_ops : &tcp_ops;
	if (http)
		http_begin(c);
	else
		tcp_begin(c);
}

static void
fail(struct conn *c)
{
	COUNT(c->svc->n->tls_failed);
	if (conn_unsent(c))
		conn_finish(c, true);
	else
		conn_close(c);
}

static void
shake(struct conn *c)
{
	int code = tls_step(c);

	if (code < 0 || (code == 0 && !conn_watch(c))) {
		fail(c);
		return;
	}
	if (code == 0)
		return;
	COUNT(c->svc->n->tls_handshakes);
	if (tls_was_resumed(c->tls))
		COUNT(c->svc->n->tls_resumed);
	conn_timer_off(c);
	begin(c);
}

static void
on_event(struct conn *c, unsigned ready)
{
	(void)ready;
	shake(c);
}

static void
show(const struct conn *c, struct conn_view *out)
{
	(void)c;
	*out = (struct conn_view){ .state = "handshake" };
}

static const struct conn_ops shaking = {
	.show = show,
	.event = on_event,
	.timeout = fail,
	.cut = conn_reset,
};

/* n bytes at p came already. */
static void
secure(struct conn *c, const uint8_t *p, size_t n)
{
	const struct view *v = c->svc->view;

	if (v->front == NULL) {
		if (conn_keep(c, p, n) != 0) {
			COUNT(c->svc->n->refused_total);
			conn_reset(c);
		} else {
			begin(c);
		}
		return;
	}
	c->ops = &shaking;
	if (tls_begin(c, v->front, NULL) != 0 || tls_give(c, p, n) != 0) {
		COUNT(c->svc->n->refused_total);
		conn_reset(c);
		return;
	}
	conn_timer(c, v->request);
	shake(c);
}

static void
no_header(struct conn *c)
{
	COUNT(c->svc->n->bad_requests);
	conn_reset(c);
}

/* The client that it names is blocked; the connection is of the balancer, which is told. */
static void
turn_away(struct conn *c)
{
	COUNT(c->svc->n->refused_total);
	conn_reset(c);
}

/* The PROXY header of a balancer in front. */
static void
read_header(struct conn *c)
{
	uint8_t *p = c->w->in;
	ssize_t n = conn_recv(c, p, PP_MAX), used;
	struct pp pp;

	used = n <= 0 ? n : pp_read(p, (size_t)n, &pp);
	if (used < 0 || (used == 0 && n > 0 && conn_keep(c, p, (size_t)n) != 0)) {
		no_header(c);
		return;
	}
	if (used == 0) {
		if (c->eof || !conn_watch(c))
			no_header(c);
		return;
	}
	if (pp.known) {
		c->addr = pp.from;
		c->peer_port = pp.from_port;
	}
	conn_timer_off(c);
	if (pp.known && view_bars(c->svc->view, &c->addr)) {
		turn_away(c);
		return;
	}
	secure(c, p + used, (size_t)(n - used));
}

static void
on_header(struct conn *c, unsigned ready)
{
	(void)ready;
	read_header(c);
}

static void
show_header(const struct conn *c, struct conn_view *out)
{
	(void)c;
	*out = (struct conn_view){ .state = "header" };
}

static const struct conn_ops introducing = {
	.show = show_header,
	.event = on_header,
	.timeout = no_header,
	.cut = conn_reset,
};

void
arrive(struct conn *c, bool full)
{
	const struct view *v = c->svc->view;

	if (full) {
		COUNT(c->svc->n->refused_total);
		if (v->mode == mode_http && v->front == NULL) {
			c->ops = &http_client_ops;
			http_refuse(c);
		} else {
			conn_reset(c);
		}
		return;
	}
	if (v->proxy_from != NULL && addrs_contain(v->proxy_from, &c->addr)) {
		c->ops = &introducing;
		conn_timer(c, v->request);
		read_header(c);
		return;
	}
	secure(c, NULL, 0);
}
