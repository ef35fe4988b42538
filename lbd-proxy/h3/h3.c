/* How a connection of QUIC lives: as h2.c has it for TCP.
 *
 * Each has a socket of its own, bound as the door is and connected to its client: the kernel brings its packets there, and so to its
 * worker and its process, also while another process takes over. A turn reads datagrams, lets streams go on, and sends what ngtcp2
 * makes of all that they have to say. One timer is for both, the protocol's and ours. */
#include "h3_priv.h"

#include "base/must.h"
#include "sys/sock.h"

#include "net/conn.h"
#include "net/listener.h"
#include "net/worker.h"
#include "tls/tls.h"
#include "tls/tls_quic.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct h3_conn *
of(const struct conn *c)
{
	struct h3_conn *x = c->task;

	must_obj(&x->front, H2_MAGIC);
	return x;
}

static void
complete(struct h3_conn *x)
{
	if (!x->half)
		return;
	x->half = false;
	if (x->door != NULL)
		x->door->half--;
}

/* All that it has goes; its streams have gone before. */
static struct conn *
let_go(struct h3_conn *x)
{
	struct conn *c = x->front.c;

	complete(x);
	list_del(&x->link);
	h3_quic_free(x);
	h2_session_free(x->front.h);
	tls_free(c->tls);
	c->tls = NULL;
	c->task = NULL;
	x->front.magic = 0;
	free(x);
	return c;
}

/* Datagrams are sent whole or not at all. */
static bool
send_one(struct h3_conn *x, const uint8_t *p, size_t n)
{
	ssize_t sent = io_send(&x->front.c->io, p, n, false);

	if (sent == -EAGAIN || sent == -ENOBUFS) {
		memcpy(x->packet, p, n);
		x->kept = (uint16_t)n;
		return false;
	}
	if (sent > 0)
		conn_count_out(x->front.c, n);
	return true; /* what else fails is lost, as packets may be */
}

static void
broke(struct h3_conn *x)
{
	h2_front_lose(&x->front);
	conn_reset(let_go(x));
}

/* Says why, and ends. */
static void
bye(struct h3_conn *x)
{
	struct conn *c = x->front.c;
	ssize_t n = h3_quic_bye(x, c->w->out, H3_PACKET, c->w->now);

	if (n > 0)
		(void)io_send(&c->io, c->w->out, (size_t)n, false);
	broke(x);
}

static void
fail(struct h3_conn *x, int code)
{
	struct conn *c = x->front.c;

	if (!x->up)
		COUNT(c->svc->n->tls_failed);
	else if (code == -EPROTO)
		COUNT(c->svc->n->bad_requests);
	if (code == -EPROTO)
		bye(x);
	else
		broke(x);
}

/* Datagrams that wait. False: it is over. */
static bool
read_in(struct h3_conn *x)
{
	struct conn *c = x->front.c;
	int code;

	for (unsigned i = 0; c->can_read && i < H3_READS; i++) {
		ssize_t n = io_recv(&c->io, c->w->in, SCRATCH);

		if (n == -EAGAIN) {
			c->can_read = false;
			break;
		}
		if (n < 0)
			continue; /* what ICMP told of one that was sent before */
		conn_count_in(c, (size_t)n);
		code = n == 0 ? 0 : h3_quic_in(x, c->w->in, (size_t)n, c->w->now);
		if (code != 0) {
			fail(x, code);
			return false;
		}
	}
	if (c->can_read)
		conn_again(c);
	return true;
}

static bool
write_out(struct h3_conn *x)
{
	struct conn *c = x->front.c;
	unsigned i;

	if (x->kept > 0) {
		ssize_t sent = io_send(&c->io, x->packet, x->kept, false);

		if (sent == -EAGAIN || sent == -ENOBUFS)
			return true;
		x->kept = 0;
	}
	for (i = 0; i < H3_WRITES; i++) {
		ssize_t n = h3_quic_out(x, c->w->out, H3_PACKET, c->w->now);

		if (n < 0) {
			fail(x, (int)n);
			return false;
		}
		if (n == 0 || !send_one(x, c->w->out, (size_t)n))
			break;
	}
	if (i == H3_WRITES)
		conn_again(c);
	COUNT_ADD(c->svc->n->bad_requests, h2_session_malformed(x->front.h));
	return true;
}

static uint8_t
waits_for(const struct h3_conn *x)
{
	const struct h2_conn *f = &x->front;

	if (!x->up)
		return WAITS_SEND; /* ngtcp2 has that limit */
	if (f->noticed && (!f->going || h2_session_streams(f->h) == 0))
		return WAITS_LAST;
	if (h2_session_opening(f->h))
		return WAITS_HEAD;
	if (h2_session_streams(f->h) > 0)
		return WAITS_NOT;
	return f->c->requests == 0 ? WAITS_HEAD : WAITS_IDLE;
}

static void
set_timer(struct h3_conn *x)
{
	struct conn *c = x->front.c;
	const struct view *v = c->svc->view;
	uint8_t waits = waits_for(x);
	ngtcp2_tstamp expiry = ngtcp2_conn_get_expiry(x->quic);
	mono_t at = expiry == UINT64_MAX ? 0 : (mono_t)((expiry + 999) / 1000);

	if (waits != x->front.waits) {
		x->front.waits = waits;
		x->until = waits == WAITS_LAST	 ? c->w->now + LAST_CALL
			   : waits == WAITS_HEAD ? c->w->now + v->request
			   : waits == WAITS_IDLE ? c->w->now + v->keep
						 : 0;
		/* a client whose request takes long is not to think that we have gone */
		ngtcp2_conn_set_keep_alive_timeout(
		    x->quic, waits == WAITS_NOT ? 10 * NGTCP2_SECONDS : 0);
	}
	if (x->until != 0 && (at == 0 || x->until < at))
		at = x->until;
	if (at == 0)
		conn_timer_off(c);
	else
		conn_timer(c, at > c->w->now ? at - c->w->now : 1);
}

/* After what came: streams go on, and what all have to say goes out. */
static void
go_on(struct h3_conn *x)
{
	struct conn *c = x->front.c;

	if (x->up && x->half) {
		complete(x);
		COUNT(c->svc->n->tls_handshakes);
	}
	x->front.turning = true;
	h2_front_news(&x->front);
	if (!x->front.noticed && x->http != NULL && h2_front_is_last(c)) {
		x->front.noticed = true;
		(void)nghttp3_conn_submit_shutdown_notice(x->http);
	}
	x->front.turning = false;
	if (!write_out(x))
		return;
	h2_front_news(&x->front); /* those whose bytes have gone */
	if (!conn_watch(c)) {
		broke(x);
		return;
	}
	set_timer(x);
}

static void
on_event(struct conn *c, unsigned ready)
{
	struct h3_conn *x = of(c);

	(void)ready;
	c->hup = c->broken = false;
	if (read_in(x))
		go_on(x);
}

static void
on_timeout(struct conn *c)
{
	struct h3_conn *x = of(c);
	int code = h3_quic_expire(x, c->w->now);

	if (code != 0) {
		fail(x, code);
		return;
	}
	if (x->until != 0 && x->until <= c->w->now) {
		uint8_t waits = x->front.waits;

		x->front.waits = WAITS_NOT;
		x->until = 0;
		if (waits != WAITS_LAST || x->front.going) {
			ngtcp2_connection_close_error_set_application_error(
			    &x->why, NGHTTP3_H3_NO_ERROR, NULL, 0);
			bye(x);
			return;
		}
		/* From now on no request is taken; those that are here are served, and then it ends. */
		x->front.going = true;
		(void)nghttp3_conn_shutdown(x->http);
	}
	go_on(x);
}

static void
on_cut(struct conn *c)
{
	struct h3_conn *x = of(c);

	h2_front_cut(&x->front);
	ngtcp2_connection_close_error_set_application_error(&x->why, NGHTTP3_H3_NO_ERROR, NULL, 0);
	bye(x);
}

static void
show(const struct conn *c, struct conn_view *out)
{
	(void)c;
	*out = (struct conn_view){ .state = "http3" };
}

const struct conn_ops h3_ops = {
	.show = show,
	.event = on_event,
	.timeout = on_timeout,
	.cut = on_cut,
};

void
h3_packet(struct h3_conn *x, const uint8_t *p, size_t n)
{
	struct conn *c = x->front.c;
	int code = h3_quic_in(x, p, n, c->w->now);

	conn_count_in(c, n);
	if (code != 0)
		fail(x, code);
	else
		go_on(x);
}

/* A conn as net/listener.c makes one of a client. NULL: no room for it. */
static struct conn *
client(struct listener *l, int fd, const struct sockaddr_storage *from)
{
	struct wsvc *s = l->svc;
	struct conn *c = conn_new(l->w, fd, &h3_ops);

	if (c == NULL)
		return NULL;
	c->client = c->h3 = true;
	c->svc = s;
	(void)addr_from_sockaddr((const struct sockaddr *)from, &c->addr, &c->peer_port);
	c->port = l->port;
	list_push(&s->conns, &c->link);
	s->clients++;
	l->w->clients++;
	COUNT(s->n->conns);
	COUNT(s->n->conns_total);
	(void)atomic_fetch_add_explicit(&s->svc->conns, 1, memory_order_relaxed);
	return c;
}

/* Behind the conn: QUIC, and a session for its streams. */
static struct h3_conn *
behind(struct h3_door *d, struct conn *c, const struct sockaddr_storage *from)
{
	const struct view *v = c->svc->view;
	struct h2_limits limits = { .streams = v->h2_streams, .head_max = v->head_max };
	struct h3_conn *x = calloc(1, sizeof(*x));
	uint64_t random;

	if (x == NULL)
		return NULL;
	h3_random(&random, sizeof(random));
	x->front.magic = H2_MAGIC;
	x->front.c = c;
	x->front.h = h2_session_new_on(&limits, random, &h3_wire, x);
	list_init(&x->link);
	x->remote = *from;
	x->path.local = (ngtcp2_addr){ (struct sockaddr *)&x->local,
		addr_sockaddr(&v->address, c->port, &x->local) };
	x->path.remote = (ngtcp2_addr){ (struct sockaddr *)&x->remote,
		from->ss_family == AF_INET ? sizeof(struct sockaddr_in)
					   : sizeof(struct sockaddr_in6) };
	memcpy(x->secret, d->secret, sizeof(x->secret));
	c->task = x;
	return x;
}

void
h3_begin(struct h3_door *d, const ngtcp2_pkt_hd *hd, const uint8_t *p, size_t n,
    const struct sockaddr_storage *from, const ngtcp2_cid *odcid)
{
	struct listener *l = d->l;
	struct h3_conn *x;
	struct conn *c;
	int fd = h3_socket(l, from);

	if (fd < 0)
		return;
	c = client(l, fd, from);
	if (c == NULL) {
		atomic_fetch_sub_explicit(&l->w->px->conns, 1, memory_order_relaxed);
		COUNT(l->svc->n->refused_total);
		return;
	}
	x = behind(d, c, from);
	if (x == NULL) {
		COUNT(c->svc->n->refused_total);
		conn_reset(c);
		return;
	}
	list_push(&d->conns[h3_bucket(from)], &x->link);
	x->door = d;
	x->half = true;
	d->half++;
	if (x->front.h == NULL || tls_quic_begin(c, c->svc->view->front) != 0 ||
	    h3_quic_new(x, hd, odcid) != 0 || !conn_watch(c)) {
		COUNT(c->svc->n->refused_total);
		conn_reset(let_go(x));
		return;
	}
	h3_packet(x, p, n);
}
