/* wire.c - raw sockets: three that listen (ARP, IPv4, IPv6), two that send whole IP packets, two that hold the port.
 *
 * A filter in the kernel lets through only what may be an answer: TCP and UDP to the doctor's port, errors of ICMP,
 * neighbour advertisements, ARP. So the traffic of a busy node costs nothing here. The port is held by TCP sockets that
 * are bound and do nothing else: no connection of this node can come by it, and the kernel resets what a server accepted.
 *
 * What is sent and what an answer means is not decided here. */
#include "doctor/wire.h"

#include "base/mem.h"
#include "base/must.h"
#include "sys/netlink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_TURN 64 /* packets read in one turn of the loop */
#define PORT_TRIES 16
#define SNAP 512

enum { EAR_ARP, EAR_4, EAR_6, EARS };
static const uint16_t ear_types[EARS] = { ETH_P_ARP, ETH_P_IP, ETH_P_IPV6 };

struct ear {
	struct wire *wire;
	int fd;
	struct loop_fd watch;
};
struct wire {
	struct ear ears[EARS];
	int raw[2], hold[2]; /* IPv4, IPv6; -1: this node has none of it */
	uint16_t port;
	wire_fn fn;
	void *arg;
};

/* clang-format off */
#define LOAD8(at)	BPF_STMT(BPF_LD | BPF_B | BPF_ABS, at)
#define LOAD16(at)	BPF_STMT(BPF_LD | BPF_H | BPF_ABS, at)
#define LOAD8_X(at)	BPF_STMT(BPF_LD | BPF_B | BPF_IND, at)
#define LOAD16_X(at)	BPF_STMT(BPF_LD | BPF_H | BPF_IND, at)
#define HEAD_LEN(at)	BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, at)
#define WHEN(k, t, f)	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, k, t, f)
#define BITS(k, t, f)	BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, k, t, f)
#define TAKE		BPF_STMT(BPF_RET | BPF_K, SNAP)
#define DROP		BPF_STMT(BPF_RET | BPF_K, 0)
/* clang-format on */

static int
listen_only(int fd, struct sock_filter *f, unsigned short n)
{
	struct sock_fprog prog = { .len = n, .filter = f };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog));
}

static int
filter4(int fd, uint16_t port)
{
	/* clang-format off */
	struct sock_filter f[] = {
		/* 0 */	 LOAD16(6), BITS(0x1fff, 13, 0), /* not the first fragment: 15 */
		/* 2 */	 LOAD8(9), WHEN(IPPROTO_TCP, 3, 0), WHEN(IPPROTO_UDP, 2, 0), /* 7 */
		/* 5 */	 WHEN(IPPROTO_ICMP, 4, 0), DROP, /* 10 */
		/* 7 */	 HEAD_LEN(0), LOAD16_X(2), WHEN(port, 4, 5),
		/* 10 */ HEAD_LEN(0), LOAD8_X(0), WHEN(3, 1, 0), WHEN(11, 0, 1),
		/* 14 */ TAKE, DROP,
	};
	/* clang-format on */

	return listen_only(fd, f, ARRAY_LEN(f));
}

static int
filter6(int fd, uint16_t port)
{
	/* clang-format off */
	struct sock_filter f[] = {
		/* 0 */	 LOAD8(6), WHEN(IPPROTO_TCP, 3, 0), WHEN(IPPROTO_UDP, 2, 0), /* 5 */
		/* 3 */	 WHEN(IPPROTO_ICMPV6, 3, 0), DROP, /* 7 */
		/* 5 */	 LOAD16(42), WHEN(port, 4, 5),
		/* 7 */	 LOAD8(40), WHEN(1, 2, 0), WHEN(3, 1, 0), WHEN(136, 0, 1),
		/* 11 */ TAKE, DROP,
	};
	/* clang-format on */

	return listen_only(fd, f, ARRAY_LEN(f));
}

static void
on_packet(void *arg, unsigned ready)
{
	struct ear *e = arg;
	struct sockaddr_ll from = { 0 };
	struct packet_in in;
	uint8_t bytes[SNAP];
	struct hop hop;

	(void)ready;
	for (unsigned i = 0; i < READ_TURN; i++) {
		socklen_t len = sizeof(from);
		ssize_t n = recvfrom(
		    e->fd, bytes, sizeof(bytes), MSG_DONTWAIT, (struct sockaddr *)&from, &len);

		if (n == -1)
			return;
		if (from.sll_pkttype == PACKET_OUTGOING)
			continue;
		packet_parse(ntohs(from.sll_protocol), bytes, (size_t)n, &in);
		if (in.kind == PACKET_OTHER)
			continue;
		hop = (struct hop){ .index = from.sll_ifindex };
		if (from.sll_halen == MAC_LEN)
			memcpy(hop.mac, from.sll_addr, MAC_LEN);
		e->wire->fn(e->wire->arg, &in, &hop);
	}
}

/* The filter is in force before the first packet can come: the socket gets its protocol by bind. */
static int
open_ear(struct wire *w, struct loop *l, unsigned i)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_protocol = htons(ear_types[i]) };
	struct ear *e = &w->ears[i];

	e->wire = w;
	e->fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (e->fd == -1)
		return -errno;
	if ((i == EAR_4 && filter4(e->fd, w->port) == -1) ||
	    (i == EAR_6 && filter6(e->fd, w->port) == -1) ||
	    bind(e->fd, (struct sockaddr *)&at, sizeof(at)) == -1)
		return -errno;
	loop_fd_init(&e->watch, l, e->fd, on_packet, e);
	loop_fd_want(&e->watch, LOOP_READ);
	return 0;
}

/* One port for both families; a node without IPv6 holds it for IPv4 alone. */
static int
hold_port(struct wire *w)
{
	struct sockaddr_in any4 = { .sin_family = AF_INET };
	struct sockaddr_in6 any6 = { .sin6_family = AF_INET6 };
	socklen_t len = sizeof(any4);
	int one = 1;

	w->hold[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (w->hold[0] == -1 || bind(w->hold[0], (struct sockaddr *)&any4, sizeof(any4)) == -1 ||
	    getsockname(w->hold[0], (struct sockaddr *)&any4, &len) == -1)
		return -errno;
	w->port = ntohs(any4.sin_port);
	w->hold[1] = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	any6.sin6_port = any4.sin_port;
	if (w->hold[1] == -1)
		return 0;
	if (setsockopt(w->hold[1], IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) == -1 ||
	    bind(w->hold[1], (struct sockaddr *)&any6, sizeof(any6)) == -1)
		return errno == EADDRINUSE ? -EAGAIN : 0;
	return 0;
}

static void
release_port(struct wire *w)
{
	for (unsigned i = 0; i < 2; i++) {
		if (w->hold[i] != -1)
			(void)close(w->hold[i]);
		w->hold[i] = -1;
	}
}

static int
open_all(struct wire *w, struct loop *l)
{
	static const int families[2] = { AF_INET, AF_INET6 };
	int one = 1, rc = -EAGAIN;

	for (unsigned i = 0; rc == -EAGAIN && i < PORT_TRIES; i++) {
		release_port(w);
		rc = hold_port(w);
	}
	for (unsigned i = 0; rc == 0 && i < 2; i++) {
		w->raw[i] =
		    socket(families[i], SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_RAW);
		if (w->raw[i] == -1 && errno != EAFNOSUPPORT)
			rc = -errno;
		else if (w->raw[i] != -1 &&
			 setsockopt(w->raw[i], i ? IPPROTO_IPV6 : IPPROTO_IP,
			     i ? IPV6_HDRINCL : IP_HDRINCL, &one, sizeof(one)) == -1)
			rc = -errno;
	}
	for (unsigned i = 0; rc == 0 && i < EARS; i++)
		rc = open_ear(w, l, i);
	return rc;
}

int
wire_open(struct loop *l, wire_fn fn, void *arg, struct wire **out, struct err *err)
{
	struct wire *w = mem_alloc(sizeof(*w));
	int rc;

	*w = (struct wire){ .raw = { -1, -1 }, .hold = { -1, -1 }, .fn = fn, .arg = arg };
	for (unsigned i = 0; i < EARS; i++)
		w->ears[i].fd = -1;
	rc = open_all(w, l);
	if (rc == 0) {
		*out = w;
		return 0;
	}
	wire_close(w);
	if (rc == -EPERM || rc == -EACCES)
		return err_set(err, -EPERM,
		    "lbd-check may not send packets of its own (it lacks CAP_NET_RAW)");
	return err_set(err, rc, "packets cannot be sent or seen: %s", strerror(-rc));
}

void
wire_close(struct wire *w)
{
	if (!w)
		return;
	for (unsigned i = 0; i < EARS; i++) {
		loop_fd_fini(&w->ears[i].watch);
		if (w->ears[i].fd != -1)
			(void)close(w->ears[i].fd);
	}
	for (unsigned i = 0; i < 2; i++)
		if (w->raw[i] != -1)
			(void)close(w->raw[i]);
	release_port(w);
	free(w);
}

uint16_t
wire_port(const struct wire *w)
{
	return w->port;
}

int
wire_send_hop(struct wire *w, const struct hop *to, uint16_t type, const struct packet_out *p)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET,
		.sll_protocol = htons(type),
		.sll_ifindex = to->index,
		.sll_halen = MAC_LEN };

	memcpy(at.sll_addr, to->mac, MAC_LEN);
	if (sendto(w->ears[EAR_ARP].fd, p->b, p->len, 0, (struct sockaddr *)&at, sizeof(at)) == -1)
		return -errno;
	return 0;
}

int
wire_send_routed(struct wire *w, const struct packet_out *p)
{
	struct sockaddr_storage at = { 0 };
	struct addr to = { .family = p->b[0] >> 4 };
	int fd = w->raw[to.family == 6];
	socklen_t len;

	if (fd == -1)
		return -EAFNOSUPPORT;
	to.len = to.family == 4 ? 32 : 128;
	memcpy(to.b, p->b + (to.family == 4 ? 16 : 24), to.family == 4 ? 4 : 16);
	len = addr_sockaddr(&to, 0, &at);
	return sendto(fd, p->b, p->len, 0, (struct sockaddr *)&at, len) == -1 ? -errno : 0;
}

int
wire_source(const struct addr *to, struct addr *out)
{
	struct sockaddr_storage at = { 0 };
	socklen_t len = addr_sockaddr(to, 9, &at);
	int fd = socket(at.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0), rc = 0;
	uint16_t port;

	if (fd == -1)
		return -errno;
	if (connect(fd, (struct sockaddr *)&at, len) == -1)
		rc = -errno;
	len = sizeof(at);
	if (rc == 0 && getsockname(fd, (struct sockaddr *)&at, &len) == -1)
		rc = -errno;
	if (rc == 0)
		rc = addr_from_sockaddr((struct sockaddr *)&at, out, &port);
	(void)close(fd);
	return rc;
}

unsigned
wire_mtu(const struct iface_list *l, const struct addr *local)
{
	const struct iface_addr *a = iface_list_find(l, local, true);
	struct ifreq rq = { 0 };
	unsigned mtu = 0;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd != -1 && a != NULL) {
		(void)snprintf(rq.ifr_name, sizeof(rq.ifr_name), "%s", a->name);
		if (ioctl(fd, SIOCGIFMTU, &rq) == 0)
			mtu = (unsigned)rq.ifr_mtu;
	}
	if (fd != -1)
		(void)close(fd);
	return mtu;
}
