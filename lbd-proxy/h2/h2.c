/* A client's connection that carries streams, and the streams as connections.
 *
 * A turn of the connection reads what arrived, lets each stream that has news go on, and then writes what all of them have to say by
 * one send. What a stream writes at other times (its server has answered) waits for the connection's next turn, which comes once the
 * other events of this round had theirs: so answers that arrive together leave together. While the socket takes no more, nothing is
 * read from it either.
 *
 * When its service ends or the other node is active, the client is asked to go elsewhere (GOAWAY); requests that were on
 * their way then are served still, for a second. */
#include "h2.h"

#include "base/must.h"
#include "sys/sock.h"

#include "h2_back.h"
#include "h2_front.h"
#include "h2_session.h"
#include "h3/h3.h"
#include "http/http_stream.h"
#include "net/unsent.h"
#include "net/worker.h"
#include "tls/tls.h"

#include "net/conn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define H2_TURN (64 * 1024) /* read, and written, of one connection before others have their turn */

static const char preface[24] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

static void turn(struct h2_conn *x);

bool
h2_front_is_last(const struct conn *c)
{
	return c->svc->gone || c->w->stopping || proxy_away(c->w->px, c->svc->view->group);
}

static struct h2_conn *
carrier_of(const struct conn *stream)
{
	return h2_session_host(h2_stream_session(stream->h2));
}

static void
wake(struct h2_conn *x)
{
	if (!x->turning)
		conn_again(x->c);
}

/* Streams end, as those of a client that has gone. */
void
h2_front_lose(struct h2_conn *x)
{
	struct conn *s;

	x->turning = true;
	while ((s = h2_next(x->c, NULL)) != NULL) {
		h2_stream_lose(s->h2);
		s->can_read = s->hup = true;
		s->ops->event(s, IO_READ | IO_CLOSED);
		if (s->magic != CONN_MAGIC)
			continue;
		if (s->task != NULL)
			s->ops->cut(s);
		else
			conn_reset(s);
	}
}

static struct conn *
let_go(struct h2_conn *x)
{
	struct conn *c = x->c;

	h2_session_free(x->h);
	c->task = NULL;
	x->magic = 0;
	free(x);
	return c;
}

static void
broke(struct h2_conn *x)
{
	h2_front_lose(x);
	conn_reset(let_go(x));
}

/* Nothing more comes of it; what is to be sent is sent. */
static void
over(struct h2_conn *x)
{
	h2_front_lose(x);
	conn_finish(let_go(x), true);
}

/* A request: it gets a connection of its own. */
static void
born(struct h2_conn *x, struct h2_stream *stream)
{
	struct conn *c = x->c, *s = conn_new(c->w, -1, &http_client_ops);

	if (s == NULL) {
		COUNT(c->svc->n->refused_total);
		h2_stream_close(stream, true);
		return;
	}
	s->client = true;
	s->svc = c->svc;
	s->h2 = stream;
	s->h3 = c->h3;
	s->tls = c->tls; /* borrowed: what is said of the client's TLS */
	s->addr = c->addr;
	s->peer_port = c->peer_port;
	s->port = c->port;
	s->since_s = c->since_s;
	s->requests = c->requests++;
	s->can_read = true;
	c->svc->clients++;
	c->w->clients++;
	h2_stream_own(stream, s);
	http_begin(s);
}

void
h2_front_news(struct h2_conn *x)
{
	struct h2_stream *stream;

	while ((stream = h2_session_news(x->h)) != NULL) {
		struct conn *s = h2_stream_owner(stream);

		if (s == NULL) {
			born(x, stream);
			continue;
		}
		s->can_read = true;
		s->hup = h2_stream_gone(stream);
		s->ops->event(s, IO_READ | IO_WRITE);
	}
}

/* False: it is over. */
static bool
read_in(struct h2_conn *x)
{
	struct conn *c = x->c;
	ssize_t n;

	if (conn_unsent(c) || (!c->can_read && conn_kept(c) == 0))
		return true;
	n = conn_recv(c, c->w->in, H2_TURN);
	if (n < 0) {
		if (h2_session_streams(x->h) > 0 && n != -ENODATA)
			COUNT(c->svc->n->client_aborts);
		broke(x);
		return false;
	}
	if (n > 0 && h2_session_in(x->h, c->w->in, (size_t)n, c->w->now) != 0)
		COUNT(c->svc->n->bad_requests);
	if (c->can_read || conn_kept(c) > 0)
		conn_again(c);
	return true;
}

/* All that is to be said, by one send. False: it is over. */
static bool
write_out(struct h2_conn *x)
{
	struct conn *c = x->c;
	ssize_t n;
	int code;

	if (conn_unsent(c))
		return true;
	n = h2_session_out(x->h, c->w->out, H2_TURN + H2_FRAME_ROOM, c->w->now);
	COUNT_ADD(c->svc->n->bad_requests, h2_session_malformed(x->h));
	code = n > 0 ? conn_send(c, c->w->out, (size_t)n) : (int)n;
	if (code < 0) {
		COUNT(c->svc->n->client_aborts);
		broke(x);
		return false;
	}
	if (n > H2_TURN && code == 0)
		conn_again(c);
	return true;
}

static uint8_t
waits_for(const struct h2_conn *x)
{
	if (conn_unsent(x->c))
		return WAITS_SEND;
	if (x->noticed && !x->going)
		return WAITS_LAST;
	if (h2_session_opening(x->h))
		return WAITS_HEAD;
	if (h2_session_streams(x->h) > 0)
		return WAITS_NOT;
	return x->c->requests == 0 ? WAITS_HEAD : WAITS_IDLE;
}

/* The timer goes on while it is for the same thing, and that does not move. */
static void
set_timer(struct h2_conn *x)
{
	struct conn *c = x->c;
	const struct view *v = c->svc->view;
	uint8_t waits = waits_for(x);
	uint32_t unsent = c->out == NULL ? 0 : c->out->len - c->out->off;

	if (waits == x->waits && unsent == x->unsent)
		return;
	x->waits = waits;
	x->unsent = unsent;
	switch (waits) {
	case WAITS_SEND: conn_timer(c, v->client); break;
	case WAITS_LAST: conn_timer(c, LAST_CALL); break;
	case WAITS_HEAD: conn_timer(c, v->request); break;
	case WAITS_IDLE: conn_timer(c, v->keep); break;
	default: conn_timer_off(c); break;
	}
}

static void
turn(struct h2_conn *x)
{
	struct conn *c = x->c;

	if (conn_flush(c) < 0) {
		COUNT(c->svc->n->client_aborts);
		broke(x);
		return;
	}
	x->turning = true;
	if (!read_in(x))
		return;
	h2_front_news(x);
	if (!x->noticed && h2_front_is_last(c)) {
		x->noticed = true;
		h2_session_notice(x->h);
	}
	x->turning = false;
	if (!write_out(x))
		return;
	h2_front_news(x); /* those whose bytes have gone */
	if (h2_session_over(x->h)) {
		over(x);
		return;
	}
	if (!conn_watch(c)) {
		broke(x);
		return;
	}
	set_timer(x);
}

static void
on_event(struct conn *c, unsigned ready)
{
	struct h2_conn *x = c->task;

	(void)ready;
	must_obj(x, H2_MAGIC);
	turn(x);
}

static void
on_timeout(struct conn *c)
{
	struct h2_conn *x = c->task;
	uint8_t waits = x->waits;

	must_obj(x, H2_MAGIC);
	x->waits = WAITS_NOT;
	if (waits == WAITS_SEND) {
		COUNT(c->svc->n->client_aborts);
		broke(x);
		return;
	}
	x->noticed = x->going = true;
	h2_session_goaway(x->h);
	if (waits == WAITS_LAST) {
		turn(x);
		return;
	}
	if (waits == WAITS_HEAD && c->requests > 0)
		COUNT(c->svc->n->client_aborts); /* a head that does not come to an end */
	if (write_out(x))
		over(x);
}

void
h2_front_cut(struct h2_conn *x)
{
	struct conn *s;

	x->turning = true;
	while ((s = h2_next(x->c, NULL)) != NULL) {
		if (s->task != NULL)
			s->ops->cut(s);
		else
			conn_reset(s);
	}
}

static void
on_cut(struct conn *c)
{
	struct h2_conn *x = c->task;

	must_obj(x, H2_MAGIC);
	h2_front_cut(x);
	conn_reset(let_go(x));
}

static void
show(const struct conn *c, struct conn_view *out)
{
	(void)c;
	*out = (struct conn_view){ .state = "http2" };
}

static const struct conn_ops h2_ops = {
	.show = show,
	.event = on_event,
	.timeout = on_timeout,
	.cut = on_cut,
};

void
h2_begin(struct conn *c)
{
	const struct view *v = c->svc->view;
	struct h2_limits limits = {
		.streams = v->h2_streams, .head_max = v->head_max, .absolute = v->tunnels
	};
	struct h2_conn *x = calloc(1, sizeof(*x));
	uint64_t random = (uint64_t)c->w->now;

	(void)!getrandom(&random, sizeof(random), GRND_NONBLOCK); /* only to make keys differ */
	if (x != NULL)
		x->h = h2_session_new(&limits, random, x);
	if (x == NULL || x->h == NULL) {
		free(x);
		COUNT(c->svc->n->refused_total);
		conn_reset(c);
		return;
	}
	x->magic = H2_MAGIC;
	x->c = c;
	c->ops = &h2_ops;
	c->task = x;
	turn(x);
}

bool
h2_carries(const struct conn *c)
{
	return c->ops == &h2_ops || c->ops == &h3_ops;
}

void
h2_leave(struct conn *c)
{
	wake(c->task);
}

struct conn *
h2_next(const struct conn *carrier, const struct conn *at)
{
	const struct h2_conn *x = carrier->task;
	struct h2_stream *s = h2_session_next(x->h, at == NULL ? NULL : at->h2);

	while (s != NULL && h2_stream_owner(s) == NULL)
		s = h2_session_next(x->h, s);
	return s == NULL ? NULL : h2_stream_owner(s);
}

/* HTTP/1.1, or HTTP/2 without being asked (RFC 9113 section 3.3). */
static void
sniff(struct conn *c)
{
	uint8_t *p = c->w->in;
	ssize_t n = conn_recv(c, p, sizeof(preface));
	bool alike = n > 0 && memcmp(p, preface, (size_t)n) == 0;

	if (n < 0 || (n > 0 && conn_keep(c, p, (size_t)n) != 0)) {
		conn_close(c);
		return;
	}
	if (n == 0 || (alike && n < (ssize_t)sizeof(preface))) {
		if (c->eof || !conn_watch(c))
			conn_close(c);
		else if (c->can_read)
			conn_again(c);
		return;
	}
	conn_timer_off(c);
	if (alike) {
		h2_begin(c);
		return;
	}
	c->ops = &http_client_ops;
	http_begin(c);
}

static void
sniff_event(struct conn *c, unsigned ready)
{
	(void)ready;
	sniff(c);
}

static void
sniff_show(const struct conn *c, struct conn_view *out)
{
	(void)c;
	*out = (struct conn_view){ .state = "idle" };
}

static const struct conn_ops sniffing = {
	.show = sniff_show,
	.event = sniff_event,
	.timeout = conn_close,
	.cut = conn_reset,
};

void
h2_sniff(struct conn *c)
{
	c->ops = &sniffing;
	conn_timer(c, c->svc->view->request);
	sniff(c);
}

/* Of a stream either way: what it said, or has room for, is to go out. */
static void
wake_of(struct conn *c)
{
	if (c->client)
		wake(carrier_of(c));
	else
		h2_back_wake(c);
}

ssize_t
h2_recv(struct conn *c, void *p, size_t room)
{
	ssize_t n = h2_stream_read(c->h2, p, room);

	c->can_read = h2_stream_readable(c->h2);
	if (n == -ENODATA)
		c->eof = true;
	if (n <= 0)
		return n;
	c->bytes_in += (size_t)n;
	wake_of(c); /* there is room for more */
	return n;
}

int
h2_send(struct conn *c, const void *p, size_t n)
{
	int code = h2_stream_write(c->h2, p, n);

	c->held = code == 1;
	if (code >= 0)
		c->bytes_out += n;
	wake_of(c);
	return code;
}

int
h2_flush(struct conn *c)
{
	c->held = h2_stream_waits(c->h2);
	return h2_stream_deaf(c->h2) ? -EPIPE : c->held;
}

void
h2_shutdown(struct conn *c)
{
	h2_stream_end(c->h2);
	wake_of(c);
}

/* A rule held the connection back for this stream: it goes on as fast as it can, unless it is held back for another. */
static void
unpace(struct conn *c)
{
	struct conn *carrier = carrier_of(c)->c, *s = NULL;

	c->paced = false;
	while ((s = h2_next(carrier, s)) != NULL)
		if (s->paced)
			return;
	if (io_fd(&carrier->io) != -1 && sock_pace(io_fd(&carrier->io), 0) == 0)
		unsent_limit(io_fd(&carrier->io));
}

void
h2_detach(struct conn *c, bool reset)
{
	if (!c->client) {
		h2_back_detach(c, reset);
		return;
	}
	if (c->paced)
		unpace(c);
	wake_of(c);
	h2_stream_close(c->h2, reset);
	c->tls = NULL;
	c->held = false;
}

int
h2_fd(const struct conn *c)
{
	return c->client ? io_fd(&carrier_of(c)->c->io) : h2_back_fd(c);
}
