/* Where connections of QUIC begin: the UDP socket beside a listener.
 *
 * What comes here is a client's first packet, one that came before its own socket was there, or of a connection that is no more. The
 * last is told so (stateless reset), by a packet that is smaller. Versions that we do not speak are answered with those that we do. When
 * many handshakes are going on, a client first has to show that it has its address (Retry), which costs no memory. */
#include "h3_priv.h"

#include "base/must.h"
#include "sys/log.h"
#include "sys/sock.h"

#include "net/conn.h"
#include "net/listener.h"
#include "net/worker.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NS(us) ((ngtcp2_tstamp)(us)*1000)
#define TOKEN_LIFE (10 * NGTCP2_SECONDS)
#define SHORTEST \
	43 /* bytes: what is shorter is not answered with a reset, so that two ends cannot do so without end */

static socklen_t
length_of(const struct sockaddr_storage *a)
{
	return a->ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
}

/* Its port; 0: it is no address of IP. */
static uint16_t
address_of(const struct sockaddr_storage *a, struct addr *out)
{
	uint16_t port;

	*out = (struct addr){ 0 };
	return addr_from_sockaddr((const struct sockaddr *)a, out, &port) == 0 ? port : 0;
}

static bool
is_same(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	struct addr one, other;

	return address_of(a, &one) == address_of(b, &other) && addr_same_host(&one, &other);
}

unsigned
h3_bucket(const struct sockaddr_storage *from)
{
	struct addr a;
	uint32_t h = address_of(from, &a);

	for (unsigned i = 0; i < sizeof(a.b); i++)
		h = (h ^ a.b[i]) * 0x01000193u;
	return (h ^ h >> 16) % H3_BUCKETS;
}

int
h3_socket(struct listener *l, const struct sockaddr_storage *from)
{
	const struct view *v = l->svc->view;
	int fd, code = 0;

	if (v->max_conns > 0 &&
	    atomic_load_explicit(&l->svc->svc->conns, memory_order_relaxed) >= v->max_conns)
		code = -EUSERS;
	if (code != 0 || !proxy_client_take(l->w->px)) {
		COUNT(l->svc->n->refused_total);
		return -EUSERS;
	}
	fd = sock_bind_udp(&v->address, l->port);
	if (fd >= 0 && connect(fd, (const struct sockaddr *)from, length_of(from)) == 0)
		return fd;
	if (fd >= 0)
		(void)close(fd);
	proxy_client_give(l->w->px);
	COUNT(l->svc->n->refused_total);
	return -EADDRNOTAVAIL;
}

static void
answer(struct h3_door *d, const uint8_t *p, ngtcp2_ssize n, const struct sockaddr_storage *to)
{
	if (n > 0)
		(void)sendto(io_fd(&d->io), p, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL,
		    (const struct sockaddr *)to, length_of(to));
}

static void
tell_versions(
    struct h3_door *d, const ngtcp2_version_cid *vc, size_t n, const struct sockaddr_storage *from)
{
	static const uint32_t ours[] = { NGTCP2_PROTO_VER_V1 };
	uint8_t out[600], random;

	if (n < 1200)
		return;
	h3_random(&random, 1);
	answer(d, out,
	    ngtcp2_pkt_write_version_negotiation(out, sizeof(out), random, vc->scid, vc->scidlen,
		vc->dcid, vc->dcidlen, ours, ARRAY_LEN(ours)),
	    from);
}

static void
tell_gone(
    struct h3_door *d, const ngtcp2_version_cid *vc, size_t n, const struct sockaddr_storage *from)
{
	uint8_t out[SHORTEST], token[NGTCP2_STATELESS_RESET_TOKENLEN],
	    random[SHORTEST - NGTCP2_STATELESS_RESET_TOKENLEN];
	ngtcp2_cid cid;

	if (n <= SHORTEST || vc->dcidlen != H3_CID)
		return;
	ngtcp2_cid_init(&cid, vc->dcid, vc->dcidlen);
	if (ngtcp2_crypto_generate_stateless_reset_token(
		token, d->secret, sizeof(d->secret), &cid) != 0)
		return;
	h3_random(random, sizeof(random));
	answer(d, out,
	    ngtcp2_pkt_write_stateless_reset(out, sizeof(out), token, random, sizeof(random)),
	    from);
}

static void
retry(struct h3_door *d, const ngtcp2_pkt_hd *hd, const struct sockaddr_storage *from)
{
	uint8_t token[NGTCP2_CRYPTO_MAX_RETRY_TOKENLEN], out[600];
	ngtcp2_cid ours = { .datalen = H3_CID };
	ngtcp2_ssize n;

	h3_random(ours.data, ours.datalen);
	n = ngtcp2_crypto_generate_retry_token(token, d->secret, sizeof(d->secret), hd->version,
	    (const struct sockaddr *)from, length_of(from), &ours, &hd->dcid, NS(d->l->w->now));
	if (n > 0)
		answer(d, out,
		    ngtcp2_crypto_write_retry(out, sizeof(out), hd->version, &hd->scid, &ours,
			&hd->dcid, token, (size_t)n),
		    from);
}

/* A token of ours, that came with the address it was for. */
static bool
is_verified(struct h3_door *d, const ngtcp2_pkt_hd *hd, const struct sockaddr_storage *from,
    ngtcp2_cid *odcid)
{
	return hd->token.len > 0 && hd->token.base[0] == NGTCP2_CRYPTO_TOKEN_MAGIC_RETRY &&
	       ngtcp2_crypto_verify_retry_token(odcid, hd->token.base, hd->token.len, d->secret,
		   sizeof(d->secret), hd->version, (const struct sockaddr *)from, length_of(from),
		   &hd->dcid, TOKEN_LIFE, NS(d->l->w->now)) == 0;
}

/* Who is blocked is not told. */
static bool
is_barred(const struct h3_door *d, const struct sockaddr_storage *from)
{
	struct addr a;

	return address_of(from, &a) != 0 && view_bars(d->l->svc->view, &a);
}

static void
packet(struct h3_door *d, const uint8_t *p, size_t n, const struct sockaddr_storage *from)
{
	ngtcp2_version_cid vc;
	ngtcp2_cid odcid;
	ngtcp2_pkt_hd hd;
	struct list *it;
	uint8_t how = d->l->svc->view->http3_retry;
	bool verified;
	int code = ngtcp2_pkt_decode_version_cid(&vc, p, n, H3_CID);

	if (code == NGTCP2_ERR_VERSION_NEGOTIATION) {
		tell_versions(d, &vc, n, from);
		return;
	}
	if (code != 0)
		return;
	list_each(it, &d->conns[h3_bucket(from)])
	{
		struct h3_conn *x = container_of(it, struct h3_conn, link);

		if (is_same(&x->remote, from)) {
			h3_packet(x, p, n);
			return;
		}
	}
	if ((p[0] & 0x80) == 0) {
		tell_gone(d, &vc, n, from);
		return;
	}
	if (ngtcp2_accept(&hd, p, n) != 0 || hd.type != NGTCP2_PKT_INITIAL || n < 1200)
		return;
	if (is_barred(d, from)) {
		COUNT(d->l->svc->n->refused_total);
		return;
	}
	verified = is_verified(d, &hd, from, &odcid);
	if (!verified &&
	    (how == http3_retry_always || (how == http3_retry_auto && d->half >= H3_HALF_OPEN)))
		retry(d, &hd, from);
	else if (d->half < H3_HALF_OPEN_MAX && !d->l->svc->gone && !d->l->w->stopping)
		h3_begin(d, &hd, p, n, from, verified ? &odcid : NULL);
}

static void
on_ready(struct io *io, unsigned ready)
{
	struct h3_door *d = container_of(io, struct h3_door, io);

	(void)ready;
	for (unsigned i = 0; i < H3_READS; i++) {
		struct sockaddr_storage from = { 0 };
		struct addr who;
		socklen_t len = sizeof(from);
		ssize_t n = recvfrom(io_fd(&d->io), d->l->w->in, SCRATCH, MSG_DONTWAIT,
		    (struct sockaddr *)&from, &len);

		if (n == -1 && errno == EAGAIN)
			return;
		if (n > 0 && address_of(&from, &who) != 0)
			packet(d, d->l->w->in, (size_t)n, &from);
	}
}

void
h3_door_close(struct listener *l)
{
	struct h3_door *d = l->door;

	if (d == NULL)
		return;
	for (unsigned i = 0; i < H3_BUCKETS; i++)
		while (!list_empty(&d->conns[i])) {
			struct h3_conn *x = container_of(d->conns[i].next, struct h3_conn, link);

			list_del(&x->link);
			x->door = NULL;
		}
	io_close(&d->io, &l->w->poller);
	proxy_fd_give(l->w->px, 1);
	free(d);
	l->door = NULL;
}

static void
open_door(struct listener *l)
{
	struct h3_door *d;
	int fd;

	if (!proxy_fd_take(l->w->px, 1))
		return;
	d = calloc(1, sizeof(*d));
	fd = d == NULL ? -ENOMEM : sock_bind_udp(&l->svc->view->address, l->port);
	if (fd < 0) {
		log_warn("vip %s: no HTTP/3 on UDP port %u: %s", l->svc->view->name, l->port,
		    strerror(-fd));
		free(d);
		proxy_fd_give(l->w->px, 1);
		return;
	}
	d->l = l;
	h3_random(d->secret, sizeof(d->secret));
	for (unsigned i = 0; i < H3_BUCKETS; i++)
		list_init(&d->conns[i]);
	io_init(&d->io, fd);
	l->door = d;
	if (io_watch_read(&d->io, &l->w->poller, on_ready) != 0)
		h3_door_close(l);
}

void
h3_door_set(struct listener *l)
{
	bool wanted = l->svc != NULL && l->svc->view->http3 && l->svc->view->front != NULL;

	if (wanted == (l->door != NULL))
		return;
	if (wanted)
		open_door(l);
	else
		h3_door_close(l);
}
