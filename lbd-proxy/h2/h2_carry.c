/* A connection to a server that carries streams.
 *
 * A turn reads what arrived, lets each stream that has news go on, and writes what all of them have to say by one send, as for clients
 * (h2.c). Before the first request goes out the server has shown by its SETTINGS that it speaks HTTP/2, and how many streams it takes; so
 * nothing is lost to one that does not. With server_http auto that is agreed on by ALPN: a server that takes HTTP/1.1 is not
 * asked again for a while, and whoever waited for the handshake tries again.
 *
 * While streams are open, a server that is silent is pinged, and given up when it does not answer. A connection without streams is kept as long
 * as any idle one. When the socket has gone, streams whose answer has arrived already are read to their end; the rest of it stays so long. A connection
 * holds its service, so that it has a view to look at. */
#include "h2_carry.h"

#include "base/must.h"

#include "h2_session.h"
#include "net/conn.h"
#include "net/worker.h"
#include "tls/tls.h"

#include <errno.h>
#include <stdlib.h>

#define H2_TURN (64 * 1024) /* read, and written, of one connection before others have their turn */
#define ASK_AGAIN \
	DUR_S(60) /* a server that took HTTP/1.1 may have learned HTTP/2, or WebSockets by it */

enum waits { WAITS_NOT, WAITS_UP, WAITS_SEND, WAITS_LIVE, WAITS_IDLE };

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
		s->moved = h2_stream_moved(stream);
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

bool
h2_carry_tunnels(struct h2_back *x)
{
	bool tunnels = !x->up || h2_session_connects(x->h);

	atomic_store_explicit(&x->c->srv->srv->ws_until, tunnels ? 0 : x->c->w->now + ASK_AGAIN,
	    memory_order_relaxed);
	return tunnels;
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
		(void)h2_carry_tunnels(x);
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

void
h2_carry_break(struct h2_back *x)
{
	x->turning = true;
	broke(x, true);
	x->turning = false;
	release(x);
}

static void
on_cut(struct conn *c)
{
	h2_carry_break(c->task);
}

const struct conn_ops h2_carry_ops = {
	.event = on_event,
	.timeout = on_timeout,
	.cut = on_cut,
};

void
h2_carry_leave(struct h2_back *x)
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
h2_carry_join(struct h2_back *x)
{
	x->owned++;
	set_pooled(x, false);
}

void
h2_carry_part(struct h2_back *x)
{
	x->owned--;
	release(x);
}
