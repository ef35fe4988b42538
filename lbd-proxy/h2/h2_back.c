/* Streams to servers, as connections: which connection takes one, or that a new one does; and what conn.c asks of a stream.
 * How such a connection lives is in h2_carry.c. */
#include "h2_back.h"

#include "h2_carry.h"
#include "h2_head.h"
#include "h2_session.h"
#include "net/worker.h"
#include "pool/backend.h"
#include "tls/tls.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct h2_back *
carrier_of(const struct conn *stream)
{
	return h2_session_host(h2_stream_session(stream->h2));
}

/* ---- for requests ---------------------------------------------------------------------------------------------------- */

/* One with room for another stream: as far as the server's SETTINGS say, or said last. */
static struct h2_back *
find(const struct seat *s, uint16_t port)
{
	const struct view_server *at = &s->svc->view->at[s->index];
	unsigned most = atomic_load_explicit(&at->srv->h2_most, memory_order_relaxed);
	struct list *it;

	list_each(it, &s->srv->shared)
	{
		struct conn *c = container_of(it, struct conn, link);
		struct h2_back *x = c->task;
		bool full = h2_session_room(x->h) == 0 || (!x->up && most > 0 && x->owned >= most);

		if (!x->going && !x->alone && !full && c->port == port &&
		    tls_ctx_of(c->tls) == s->svc->view->back &&
		    memcmp(&c->addr, &at->addr, sizeof(c->addr)) == 0)
			return x;
	}
	return NULL;
}

/* A new connection, its connect begun. */
static int
make(const struct seat *s, const struct conn *client, struct h2_back **out)
{
	const struct view *v = s->svc->view;
	struct h2_limits limits = { .streams = v->h2_streams, .head_max = v->head_max };
	struct h2_back *x = calloc(1, sizeof(*x));
	struct conn *c;
	int code;

	if (x == NULL)
		return -ENOMEM;
	x->h = h2_session_new_back(&limits, x);
	code = x->h == NULL ? -ENOMEM : backend_connect(s, client, &h2_carry_ops, &c);
	if (code == 0 && c->tls != NULL &&
	    tls_offer_h2(c->tls, v->server_http == server_http_auto) != 0) {
		conn_close(c);
		code = -ENOMEM;
	}
	if (code != 0) {
		h2_session_free(x->h);
		free(x);
		return code;
	}
	x->magic = H2_BACK_MAGIC;
	x->c = c;
	x->heard = c->w->now;
	c->task = x;
	list_del(&c->link);
	list_push(&s->srv->shared, &c->link);
	list_push(&c->w->backs, &x->link);
	s->srv->svc->clients++;
	COUNT(s->srv->n->conns_total);
	conn_again(c);
	*out = x;
	return 0;
}

/* A stream of it, as a connection. */
static struct conn *
join(struct h2_back *x, const struct h2_back_how *how, const struct conn_ops *ops)
{
	const struct h2_ask ask = {
		.tls = x->c->tls != NULL,
		.trailers = how->trailers,
		.both = how->both,
		.tunnel = how->tunnel,
	};
	struct h2_stream *stream = h2_session_open(x->h, &ask);
	struct conn *c = x->c, *s;

	if (stream == NULL)
		return NULL;
	s = conn_new(c->w, -1, ops);
	if (s == NULL) {
		h2_stream_close(stream, true);
		return NULL;
	}
	h2_stream_own(stream, s);
	s->h2 = stream;
	s->srv = c->srv;
	s->addr = c->addr;
	s->port = c->port;
	s->reused = x->up;
	s->requests = x->served++;
	list_push(&c->srv->busy, &s->link);
	h2_carry_join(x);
	return s;
}

/* What the server said last: not by HTTP/2. */
static bool
is_past(const struct seat *s, const struct h2_back_how *how)
{
	const struct srv *srv = s->srv->srv;
	mono_t now = s->svc->w->now;

	return (s->svc->view->server_http == server_http_auto &&
		   atomic_load_explicit(&srv->h1_until, memory_order_relaxed) > now) ||
	       (how->tunnel && atomic_load_explicit(&srv->ws_until, memory_order_relaxed) > now);
}

int
h2_back_open(const struct seat *s, const struct conn *client, const struct h2_back_how *how,
    const struct conn_ops *ops, struct conn **out)
{
	const struct view *v = s->svc->view;
	uint16_t port = v->at[s->index].port != 0 ? v->at[s->index].port : client->port;
	bool alone = how->alone || view_bound(v);
	struct h2_back *x;
	int code = 0;

	*out = NULL;
	if (is_past(s, how))
		return 0;
	x = alone ? NULL : find(s, port);
	if (x != NULL && how->tunnel && !h2_carry_tunnels(x))
		return 0;
	if (x == NULL)
		code = make(s, client, &x);
	if (code != 0)
		return code;
	x->alone = alone;
	*out = join(x, how, ops);
	return *out == NULL ? -ENOMEM : 0;
}

void
h2_back_drop(struct wsrv *s)
{
	struct list *it, *next;

	s->seats++; /* stays until the walk is over */
	list_each_safe(it, next, &s->shared)
	{
		h2_carry_leave(container_of(it, struct conn, link)->task);
	}
	s->seats--;
}

void
h2_back_leave(struct wsvc *s)
{
	struct worker *w = s->w;
	struct list *it, *next;

	list_each_safe(it, next, &w->backs)
	{
		struct h2_back *x = container_of(it, struct h2_back, link);

		if (x->c->srv->svc == s)
			h2_carry_leave(x);
	}
}

unsigned
h2_back_evict(struct worker *w, unsigned most)
{
	struct list *it, *next;
	unsigned n = 0;

	list_each_safe(it, next, &w->backs)
	{
		struct h2_back *x = container_of(it, struct h2_back, link);

		if (n == most || x->owned > 0 || x->turning)
			continue;
		h2_carry_leave(x);
		n++;
	}
	return n;
}

void
h2_back_end(struct worker *w)
{
	while (!list_empty(&w->backs))
		h2_carry_break(container_of(w->backs.next, struct h2_back, link));
}

/* ---- of a stream ------------------------------------------------------------------------------------------------------- */

ssize_t
h2_back_write(struct conn *c, const void *p, size_t n)
{
	struct h2_back *x = carrier_of(c);
	int code;

	if (h2_stream_gone(c->h2))
		return -ECONNRESET;
	if (!x->up)
		return -EAGAIN;
	code = h2_stream_write(c->h2, p, n);
	if (code < 0)
		return code;
	c->held = code == 1;
	c->bytes_out += n;
	h2_back_wake(c);
	return (ssize_t)n;
}

void
h2_back_wake(struct conn *c)
{
	struct h2_back *x = carrier_of(c);

	x->more = true;
	if (!x->turning && x->c != NULL)
		conn_again(x->c);
}

void
h2_back_detach(struct conn *c, bool reset)
{
	struct h2_back *x = carrier_of(c);

	h2_back_wake(c);
	h2_stream_close(c->h2, reset);
	c->held = false;
	h2_carry_part(x);
}

int
h2_back_fd(const struct conn *c)
{
	const struct conn *carrier = carrier_of(c)->c;

	return carrier == NULL ? -1 : io_fd(&carrier->io);
}
