/* A connection to a server that carries streams, and the streams as connections.
 *
 * A turn reads what arrived, lets each stream that has news go on, and writes what all of them have to say by one send, as for clients
 * (h2.c). Before the first request goes out the server has shown by its SETTINGS that it speaks HTTP/2, and how many streams it takes; so
 * nothing is lost to one that does not. With server_http auto that is agreed on by ALPN: a server that takes HTTP/1.1 is not
 * asked again for a while, and whoever waited for the handshake tries again.
 *
 * While streams are open, a server that is silent is pinged, and given up when it does not answer. A connection without streams is kept as long
 * as any idle one. When the socket has gone, streams whose answer has arrived already are read to their end; the rest of it stays so long. A connection
 * holds its service, so that it has a view to look at. */
#include "h2_back.h"

#include "base/must.h"

#include "h2_session.h"
#include "net/worker.h"
#include "pool/backend.h"
#include "tls/tls.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define H2_BACK_MAGIC 0x48324bac
#define H2_TURN (64 * 1024) /* read, and written, of one connection before others have their turn */
#define ASK_AGAIN DUR_S(60) /* a server that took HTTP/1.1 may have learned HTTP/2 */

enum waits { WAITS_NOT, WAITS_UP, WAITS_SEND, WAITS_LIVE, WAITS_IDLE };
struct h2_back {
	uint32_t magic;
	struct conn *c; /* NULL: the socket has gone */
	struct h2_session *h;
	struct list link; /* of the worker */
	unsigned owned;	  /* streams that somebody has */
	uint32_t unsent, served;
	mono_t heard; /* when bytes came */
	bool turning; /* what streams write is sent at the end of it */
	bool more;    /* and they wrote after that */
	bool begun;   /* the preface was sent */
	bool up;      /* the server's SETTINGS came */
	bool failed;  /* what it sent cannot be followed */
	bool going;   /* it takes no more streams */
	bool alone;   /* nor, ever, a second one */
	bool pinged;
	bool pooled;   /* counted as such */
	uint8_t waits; /* enum waits: what the timer is for */
};

static struct h2_back *
carrier_of(const struct conn *stream)
{
	return h2_session_host(h2_stream_session(stream->h2));
}

static const struct view *
view_of(const struct h2_back *x)
{
	return x->c->srv->svc->view;
}

static void
set_pooled(struct h2_back *x, bool pooled)
{
	if (x->pooled == pooled)
		return;
	x->pooled = pooled;
	COUNT_ADD(x->c->srv->n->pooled, pooled ? 1 : -1);
}

/* The socket goes, and with it what it held. */
static void
sever(struct h2_back *x, bool reset)
{
	struct conn *c = x->c;
	struct wsvc *svc;

	must(c != NULL);
	svc = c->srv->svc;
	set_pooled(x, false);
	list_del(&x->link);
	x->c = NULL;
	c->task = NULL;
	if (reset)
		conn_reset(c);
	else
		conn_close(c);
	svc->clients--;
	local_release_svc(svc);
}

/* Without a socket and without anybody it is of no use. */
static void
release(struct h2_back *x)
{
	if (x->c != NULL || x->owned > 0 || x->turning)
		return;
	h2_session_free(x->h);
	x->magic = 0;
	free(x);
}

static void
run_news(struct h2_back *x)
{
	struct h2_stream *stream;

	while ((stream = h2_session_news(x->h)) != NULL) {
		struct conn *s = h2_stream_owner(stream);

		if (s == NULL)
			continue;
		s->can_read = true;
		s->hup = h2_stream_gone(stream);
		s->unseen = h2_stream_refused(stream);
		if (s->hup &&
		    x->c != NULL) /* the server's doing, not that of a connection that had gone */
			s->reused = false;
		s->ops->event(s, IO_READ | IO_WRITE);
	}
}

/* In a turn: streams end, as those of a server that broke. */
static void
broke(struct h2_back *x, bool reset)
{
	h2_session_lose(x->h);
	sever(x, reset);
	run_news(x);
}

/* In a turn: nobody needs it any more. */
static void
goodbye(struct h2_back *x)
{
	struct conn *c = x->c;
	ssize_t n;

	if (x->begun && !conn_unsent(c)) {
		h2_session_goaway(x->h);
		n = h2_session_out(x->h, c->w->out, H2_TURN + H2_FRAME_ROOM, c->w->now);
		if (n > 0)
			(void)conn_send(c, c->w->out, (size_t)n); /* it need not hear it */
	}
	sever(x, false);
}

/* Everybody who waits for the handshake goes another way. */
static void
not_here(struct h2_back *x)
{
	if (view_of(x)->server_http != server_http_auto) {
		broke(x, false);
		return;
	}
	atomic_store_explicit(
	    &x->c->srv->srv->h1_until, x->c->w->now + ASK_AGAIN, memory_order_relaxed);
	h2_session_turn_away(x->h);
	sever(x, false);
	run_news(x);
}

/* Handshake and preface. 1: done, or it goes as the connect does; 0: an edge will tell; -EPROTONOSUPPORT: the server wants HTTP/1.1; else
 * -errno. */
static int
begin(struct h2_back *x)
{
	struct conn *c = x->c;
	ssize_t n;
	int code;

	if (c->tls != NULL) {
		code = tls_step(c);
		if (code <= 0)
			return code;
		if (!tls_is_h2(c->tls))
			return -EPROTONOSUPPORT;
	}
	n = h2_session_out(x->h, c->w->out, H2_FRAME_ROOM, c->w->now);
	code = n > 0 ? conn_send(c, c->w->out, (size_t)n) : (int)n;
	x->begun = true;
	return code < 0 ? code : 1;
}

/* False: the connection is of no use any more. */
static bool
read_in(struct h2_back *x)
{
	struct conn *c = x->c;
	ssize_t n;

	if (!c->can_read && conn_kept(c) == 0)
		return true;
	n = conn_recv(c, c->w->in, H2_TURN);
	if (n < 0)
		return false;
	if (n > 0) {
		x->heard = c->w->now;
		x->pinged = false;
		if (h2_session_in(x->h, c->w->in, (size_t)n, c->w->now) != 0)
			x->failed = true;
	}
	if (c->can_read || conn_kept(c) > 0)
		conn_again(c);
	if (!x->up && h2_session_greeted(x->h)) {
		x->up = true;
		atomic_store_explicit(
		    &c->srv->srv->h2_most, h2_session_most(x->h), memory_order_relaxed);
		h2_session_admit(x->h);
	}
	return true;
}

/* All that is to be said, by one send. */
static bool
write_out(struct h2_back *x)
{
	struct conn *c = x->c;
	ssize_t n;
	int code;

	x->more = false;
	if (conn_unsent(c))
		return true;
	n = h2_session_out(x->h, c->w->out, H2_TURN + H2_FRAME_ROOM, c->w->now);
	code = n > 0 ? conn_send(c, c->w->out, (size_t)n) : (int)n;
	if (n > H2_TURN && code == 0)
		x->more = true;
	return code >= 0 && !x->failed;
}

static bool
is_spent(const struct h2_back *x)
{
	return x->going || (x->alone && x->served > 0) || view_of(x)->pool == 0 ||
	       x->c->srv->svc->gone || x->c->w->stopping || h2_session_room(x->h) == 0;
}

/* The timer goes on while it is for the same thing, and that does not move. */
static void
set_timer(struct h2_back *x)
{
	struct conn *c = x->c;
	const struct view *v = view_of(x);
	uint32_t unsent = c->out == NULL ? 0 : c->out->len - c->out->off;
	uint8_t waits = !x->up		 ? WAITS_UP
			: conn_unsent(c) ? WAITS_SEND
			: x->owned == 0	 ? WAITS_IDLE
					 : WAITS_LIVE;

	set_pooled(x, waits == WAITS_IDLE);
	if (waits == x->waits && unsent == x->unsent)
		return;
	x->waits = waits;
	x->unsent = unsent;
	switch (waits) {
	case WAITS_UP: conn_timer(c, v->connect); break;
	case WAITS_SEND: conn_timer(c, v->server); break;
	case WAITS_LIVE: conn_timer(c, v->connect); break;
	default: conn_timer(c, v->pool); break;
	}
}

/* What a turn does; the socket may have gone then. */
static void
step(struct h2_back *x)
{
	struct conn *c = x->c;
	int code = x->begun ? 1 : begin(x);

	if (code == -EPROTONOSUPPORT) {
		not_here(x);
		return;
	}
	if (code < 0 || conn_flush(c) < 0 || (x->begun && !read_in(x))) {
		broke(x, false);
		return;
	}
	run_news(x);
	if (x->begun && !write_out(x)) {
		broke(x, false);
		return;
	}
	run_news(x); /* those whose bytes have gone */
	if (x->owned == 0 && x->up && is_spent(x)) {
		goodbye(x);
		return;
	}
	if ((x->begun && h2_session_over(x->h)) || !conn_watch(c)) {
		broke(x, false);
		return;
	}
	set_timer(x);
	if (x->more)
		conn_again(c);
}

static void
turn(struct h2_back *x)
{
	x->turning = true;
	step(x);
	x->turning = false;
	release(x);
}

static void
on_event(struct conn *c, unsigned ready)
{
	struct h2_back *x = c->task;

	(void)ready;
	must_obj(x, H2_BACK_MAGIC);
	turn(x);
}

/* Streams are open: has anything been heard? False: the server does not answer. */
static bool
is_alive(struct h2_back *x)
{
	struct conn *c = x->c;
	dur_t silent = c->w->now - x->heard, most = view_of(x)->connect;

	if (silent >= most && x->pinged)
		return false;
	if (silent >= most) {
		x->pinged = true;
		h2_session_ping(x->h);
		silent = 0;
	}
	conn_timer(c, most - silent);
	x->waits = WAITS_LIVE;
	return true;
}

static void
on_timeout(struct conn *c)
{
	struct h2_back *x = c->task;
	uint8_t waits = x->waits;

	must_obj(x, H2_BACK_MAGIC);
	x->waits = WAITS_NOT;
	if (waits == WAITS_LIVE && is_alive(x)) {
		turn(x);
		return;
	}
	x->turning = true;
	if (waits == WAITS_IDLE && x->owned == 0)
		goodbye(x);
	else
		broke(x, true);
	x->turning = false;
	release(x);
}

static void
on_cut(struct conn *c)
{
	struct h2_back *x = c->task;

	x->turning = true;
	broke(x, true);
	x->turning = false;
	release(x);
}

static const struct conn_ops h2_back_ops = {
	.event = on_event,
	.timeout = on_timeout,
	.cut = on_cut,
};

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
	code = x->h == NULL ? -ENOMEM : backend_connect(s, client, &h2_back_ops, &c);
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
	struct conn *c = x->c, *s = conn_new(c->w, -1, ops);

	if (s == NULL)
		return NULL;
	s->h2 = h2_session_open(x->h, s, c->tls != NULL, how->trailers);
	s->srv = c->srv;
	s->addr = c->addr;
	s->port = c->port;
	s->reused = x->up;
	s->requests = x->served++;
	list_push(&c->srv->busy, &s->link);
	x->owned++;
	set_pooled(x, false);
	return s;
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
	if (v->server_http == server_http_auto &&
	    atomic_load_explicit(&s->srv->srv->h1_until, memory_order_relaxed) > s->svc->w->now)
		return 0;
	x = alone ? NULL : find(s, port);
	if (x == NULL)
		code = make(s, client, &x);
	if (code != 0)
		return code;
	x->alone = alone;
	*out = join(x, how, ops);
	return *out == NULL ? -ENOMEM : 0;
}

/* No more streams; without any it is closed. */
static void
leave(struct h2_back *x)
{
	x->going = true;
	if (x->owned > 0 || x->turning)
		return;
	x->turning = true;
	goodbye(x);
	x->turning = false;
	release(x);
}

void
h2_back_drop(struct wsrv *s)
{
	struct list *it, *next;

	s->seats++; /* stays until the walk is over */
	list_each_safe(it, next, &s->shared)
	{
		leave(container_of(it, struct conn, link)->task);
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
			leave(x);
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
		leave(x);
		n++;
	}
	return n;
}

void
h2_back_end(struct worker *w)
{
	while (!list_empty(&w->backs))
		on_cut(container_of(w->backs.next, struct h2_back, link)->c);
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
	x->owned--;
	release(x);
}

int
h2_back_fd(const struct conn *c)
{
	const struct conn *carrier = carrier_of(c)->c;

	return carrier == NULL ? -1 : io_fd(&carrier->io);
}
