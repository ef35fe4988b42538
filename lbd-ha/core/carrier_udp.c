/* carrier_udp.c - the sockets of heartbeats.
 *
 * The socket is not connected: a route that is missing at the start may come. So the source is compared here, and what is
 * not the peer's costs a comparison before anything is reckoned. ICMP errors are asked for: they tell that the peer's
 * machine lives and nobody listens there; they must not come back as failures of later sendings, so those are repeated.
 *
 * When a frame arrived is told by the kernel's stamp, not by the moment at which it is read: after an own stall the
 * difference decides whether the peer is alive. The stamp is wall time; it is carried over to the monotonic clock by both
 * clocks' readings now. A step of wall time in between could put it anywhere, so it is kept between the last time the
 * socket was seen empty and now.
 *
 * Everything that a call needs stands in the struct; nothing is allocated. */
#include "core/carrier_udp.h"

#include "base/must.h"

#include <errno.h>
#include <linux/errqueue.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CS6 0xc0 /* RFC 2474 section 4.2.2.2: network control, in its place in the octet */
#define QUEUE (256 * 1024)

static int
set(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) == 0 ? 0 : -errno;
}

static int
fault(const struct carrier_udp_conf *conf, const char *what, int code, struct err *err)
{
	char text[ADDR_TEXT] = "";

	if (conf->group.family != 0 || conf->peer.family != 0)
		addr_format(conf->group.family != 0 ? &conf->group : &conf->peer, ADDR_HOST, text);
	return err_set(err, code, "carrier to %s%s%s: %s: %s", text, conf->ifname[0] ? " on " : "",
	    conf->ifname, what, strerror(-code));
}

/* IP_TOS changes the socket's priority, so that comes after it. Without the right to 7 the highest free one. */
static void
prefer(int fd, bool four)
{
	if (four)
		(void)set(fd, IPPROTO_IP, IP_TOS, CS6);
	else
		(void)set(fd, IPPROTO_IPV6, IPV6_TCLASS, CS6);
	if (set(fd, SOL_SOCKET, SO_PRIORITY, 7) != 0)
		(void)set(fd, SOL_SOCKET, SO_PRIORITY, 6);
	if (set(fd, SOL_SOCKET, SO_RCVBUFFORCE, QUEUE) != 0)
		(void)set(fd, SOL_SOCKET, SO_RCVBUF, QUEUE);
}

static int
set_hops(int fd, const struct carrier_udp_conf *conf, bool four)
{
	bool group = conf->group.family != 0;
	int hops = conf->hops != 0 ? conf->hops : group ? 1 : 64;

	if (four)
		return set(fd, IPPROTO_IP, group ? IP_MULTICAST_TTL : IP_TTL, hops);
	return set(fd, IPPROTO_IPV6, group ? IPV6_MULTICAST_HOPS : IPV6_UNICAST_HOPS, hops);
}

static int
join4(int fd, const struct carrier_udp_conf *conf, int index)
{
	struct ip_mreqn m = { .imr_ifindex = index };
	int rc;

	memcpy(&m.imr_multiaddr, conf->group.b, 4);
	if (conf->local.family == 4)
		memcpy(&m.imr_address, conf->local.b, 4); /* the source of what we send */
	if (setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m, sizeof(m)) == -1 ||
	    setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &m, sizeof(m)) == -1)
		return -errno;
	rc = set(fd, IPPROTO_IP, IP_MULTICAST_ALL, 0);
	return rc != 0 ? rc : set(fd, IPPROTO_IP, IP_MULTICAST_LOOP, conf->loop);
}

static int
join6(int fd, const struct carrier_udp_conf *conf, int index)
{
	struct ipv6_mreq m = { .ipv6mr_interface = (unsigned)index };
	int rc;

	memcpy(&m.ipv6mr_multiaddr, conf->group.b, 16);
	if (setsockopt(fd, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &m, sizeof(m)) == -1)
		return -errno;
	rc = set(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, index);
	return rc != 0 ? rc : set(fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, conf->loop);
}

static bool
link_local(const struct addr *a)
{
	return a->family == 6 && a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80;
}

/* A link's own addresses mean something only with the link; others must not be given one. */
static socklen_t
place(const struct addr *a, uint16_t port, int index, struct sockaddr_storage *out)
{
	socklen_t len = addr_sockaddr(a, port, out);
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)out;

	if (link_local(a) || (a->family == 6 && a->b[0] == 0xff))
		six->sin6_scope_id = (uint32_t)index;
	return len;
}

/* The address from which the routes of now send to the peer; family 0: there is no way. */
static struct addr
source_to(const struct sockaddr *to, socklen_t len)
{
	struct sockaddr_storage ss;
	socklen_t room = sizeof(ss);
	struct addr a = { 0 };
	uint16_t port;
	int fd = socket(to->sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd == -1)
		return a;
	if (connect(fd, to, len) == -1 || getsockname(fd, (struct sockaddr *)&ss, &room) == -1 ||
	    addr_from_sockaddr((const struct sockaddr *)&ss, &a, &port) != 0)
		a = (struct addr){ 0 };
	(void)close(fd);
	return a;
}

/* Where it listens: a group at its own address, so that nothing else arrives. Without one of its own at the address
 * from which the peer is reached, so that several carriers can have the same port. */
static int
listen_at(int fd, const struct carrier_udp_conf *conf, int index, uint8_t family)
{
	static const struct addr any4 = { .family = 4, .len = 32 };
	static const struct addr any6 = { .family = 6, .len = 128 };
	const struct addr *a = conf->group.family != 0	 ? &conf->group
			       : conf->local.family != 0 ? &conf->local
			       : family == 4		 ? &any4
							 : &any6;
	struct sockaddr_storage ss;
	socklen_t len;
	struct addr source = { 0 };

	if (a == &any4 || a == &any6) {
		len = place(&conf->peer, conf->port, index, &ss);
		source = source_to((struct sockaddr *)&ss, len);
		if (source.family != 0)
			a = &source;
	}
	len = place(a, conf->port, index, &ss);
	return bind(fd, (struct sockaddr *)&ss, len) == 0 ? 0 : -errno;
}

static int
bind_link(int fd, const struct carrier_udp_conf *conf, int *index_out)
{
	*index_out = 0;
	if (conf->ifname[0] == '\0')
		return 0;
	*index_out = (int)if_nametoindex(conf->ifname);
	if (*index_out == 0)
		return -errno;
	return setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, conf->ifname,
		   (socklen_t)strlen(conf->ifname) + 1) == 0
		   ? 0
		   : -errno;
}

static int
prepare(struct carrier_udp *u, const struct carrier_udp_conf *conf, struct err *err)
{
	const struct addr *to = conf->group.family != 0 ? &conf->group : &conf->peer;
	bool four = to->family == 4;
	int rc, index;

	prefer(u->fd, four);
	rc = bind_link(u->fd, conf, &index);
	if (rc != 0)
		return fault(conf, "interface", rc, err);
	if (!four)
		rc = set(u->fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	if (rc == 0 && conf->group.family != 0)
		rc = set(u->fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (rc == 0)
		rc = set(u->fd, SOL_SOCKET, SO_TIMESTAMPNS, 1);
	if (rc == 0)
		rc = four ? set(u->fd, IPPROTO_IP, IP_RECVERR, 1)
			  : set(u->fd, IPPROTO_IPV6, IPV6_RECVERR, 1);
	if (rc == 0)
		rc = set_hops(u->fd, conf, four);
	if (rc != 0)
		return fault(conf, "socket options", rc, err);
	if (conf->group.family != 0) {
		rc = four ? join4(u->fd, conf, index) : join6(u->fd, conf, index);
		if (rc != 0)
			return fault(conf, "group", rc, err);
	}
	rc = listen_at(u->fd, conf, index, to->family);
	if (rc != 0)
		return fault(conf, "bind", rc, err);
	u->to_len = place(to, conf->port, index, &u->to);
	return 0;
}

int
carrier_udp_open(struct carrier_udp *u, const struct carrier_udp_conf *conf, struct err *err)
{
	const struct addr *to = conf->group.family != 0 ? &conf->group : &conf->peer;
	int rc;

	memset(u, 0, sizeof(*u));
	u->fd = -1;
	if (to->family == 0 || (conf->local.family != 0 && conf->local.family != to->family) ||
	    (conf->peer.family != 0 && conf->peer.family != to->family) ||
	    (conf->ifname[0] == '\0' && (conf->group.family != 0 || link_local(to))))
		return fault(conf, "addresses", -EINVAL, err);
	u->fd = socket(
	    to->family == 4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (u->fd == -1)
		return fault(conf, "socket", -errno, err);
	u->from = conf->peer;
	u->empty_at = mono_now();
	rc = prepare(u, conf, err);
	if (rc != 0)
		carrier_udp_close(u);
	return rc;
}

void
carrier_udp_close(struct carrier_udp *u)
{
	if (u->fd != -1)
		(void)close(u->fd);
	u->fd = -1;
}

/* What ICMP said of earlier frames; read, since it would wake the loop for ever. Source: ip(7), IP_RECVERR. */
static void
read_errors(struct carrier_udp *u)
{
	union {
		struct cmsghdr align;
		char room[512];
	} control;
	struct msghdr m = { .msg_control = &control };

	for (;;) {
		m.msg_controllen = sizeof(control);
		if (recvmsg(u->fd, &m, MSG_ERRQUEUE | MSG_DONTWAIT) == -1)
			return;
		for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c != NULL; c = CMSG_NXTHDR(&m, c)) {
			struct sock_extended_err e;

			if (((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR) ||
				(c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR)) &&
			    c->cmsg_len >= CMSG_LEN(sizeof(e))) {
				memcpy(&e, CMSG_DATA(c), sizeof(e));
				if (e.ee_errno == ECONNREFUSED)
					u->refused_at = mono_now();
			}
		}
	}
}

static int
send_once(const struct carrier_udp *u, const void *bytes, size_t len)
{
	ssize_t n = sendto(u->fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL,
	    (const struct sockaddr *)&u->to, u->to_len);

	return n == (ssize_t)len ? 0 : n == -1 ? -errno : -EMSGSIZE;
}

int
carrier_udp_send(struct carrier_udp *u, const void *bytes, size_t len)
{
	int rc = send_once(u, bytes, len);

	if (rc != -ECONNREFUSED && rc != -EHOSTUNREACH && rc != -ENETUNREACH)
		return rc;
	read_errors(u); /* that may have been of an earlier frame */
	return send_once(u, bytes, len);
}

/* Both clocks at one instant: read again when something came between. */
static mono_t
both_clocks(int64_t *wall_out)
{
	mono_t before, after = mono_now();

	for (unsigned i = 0; i < 3; i++) {
		before = after;
		*wall_out = mono_wall_us();
		after = mono_now();
		if (after - before < 20)
			break;
	}
	return after;
}

/* The kernel's stamp of a datagram, on the monotonic clock; now when there is none. */
static mono_t
arrival(const struct carrier_udp *u, struct msghdr *m, mono_t now, int64_t wall)
{
	mono_t at = now;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL; c = CMSG_NXTHDR(m, c)) {
		struct timespec ts;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_TIMESTAMPNS ||
		    c->cmsg_len < CMSG_LEN(sizeof(ts)))
			continue;
		memcpy(&ts, CMSG_DATA(c), sizeof(ts));
		at = now - (wall - ((int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000));
	}
	return at > now ? now : at < u->empty_at ? u->empty_at : at;
}

/* The sender; true: it is the other node, as far as its address tells. */
static bool
from_peer(const struct carrier_udp *u, unsigned i, struct addr *from)
{
	uint16_t port;

	if (addr_from_sockaddr((const struct sockaddr *)&u->source[i], from, &port) != 0)
		from->family = 0;
	return u->from.family == 0 || (from->family != 0 && addr_same_host(from, &u->from));
}

static void
arm(struct carrier_udp *u)
{
	for (unsigned i = 0; i < CARRIER_BATCH; i++) {
		u->iov[i] = (struct iovec){ u->bytes[i], BEAT_MAX };
		u->msg[i].msg_hdr = (struct msghdr){
			.msg_name = &u->source[i],
			.msg_namelen = sizeof(u->source[i]),
			.msg_iov = &u->iov[i],
			.msg_iovlen = 1,
			.msg_control = &u->control[i],
			.msg_controllen = sizeof(u->control[i]),
		};
	}
}

int
carrier_udp_read(struct carrier_udp *u, carrier_in_fn *fn, void *arg)
{
	mono_t before = mono_now(), now;
	int64_t wall;
	int n;

	arm(u);
	n = recvmmsg(u->fd, u->msg, CARRIER_BATCH, MSG_DONTWAIT, NULL);
	if (n == -1 && errno != EAGAIN && errno != EINTR) {
		read_errors(u);
		n = recvmmsg(u->fd, u->msg, CARRIER_BATCH, MSG_DONTWAIT, NULL);
	}
	if (n == -1 && errno != EAGAIN && errno != EINTR)
		return -errno;
	now = both_clocks(&wall);
	for (int i = 0; i < n; i++) {
		struct carrier_in in = { .bytes = u->bytes[i], .len = u->msg[i].msg_len };

		if ((u->msg[i].msg_hdr.msg_flags & MSG_TRUNC) != 0) {
			u->cut++;
			continue;
		}
		in.stranger = !from_peer(u, (unsigned)i, &in.from);
		u->strangers += in.stranger;
		in.at = arrival(u, &u->msg[i].msg_hdr, now, wall);
		fn(arg, &in);
	}
	if (n < CARRIER_BATCH)
		u->empty_at = before;
	return n > 0 ? n : 0;
}
