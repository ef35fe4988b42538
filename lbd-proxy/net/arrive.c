/* What comes before a client's stream.
 *
 * Without TLS nothing does. With it, no server is looked for and no byte is taken for a request until the handshake is
 * complete, within the time that a request's head may take. A handshake that fails is the client's matter: counted, and the
 * connection closed after the alert. One client too many is told so by HTTP, but not before a handshake: that would cost
 * what the limit is to save, so with TLS it is reset. */
#include "arrive.h"

#include "http/http_stream.h"
#include "stream/tcp_stream.h"
#include "tls/tls.h"
#include "worker.h"

static void
begin(struct conn *c)
{
	bool http = c->svc->view->mode == mode_http;

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
	if (v->front == NULL) {
		begin(c);
		return;
	}
	c->ops = &shaking;
	if (tls_begin(c, v->front, NULL) != 0) {
		COUNT(c->svc->n->refused_total);
		conn_reset(c);
		return;
	}
	conn_timer(c, v->request);
	shake(c);
}
