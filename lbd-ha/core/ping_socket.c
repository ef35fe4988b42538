/* ping_socket.c - the sockets of the ping nodes.
 *
 * Linux has sockets that may send nothing but echoes, without rights; who may have them is a setting of the system
 * (net.ipv4.ping_group_range). Where it does not let us, a raw socket does the same with CAP_NET_RAW; a filter in the
 * kernel keeps away all but echo replies, since a raw socket would see each ICMP message of the machine.
 *
 * A raw socket of IPv4 delivers the IP header too; all others begin with ICMP's. */
#include "core/ping_socket.h"

#include "base/must.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/icmp.h> /* after the C library's, which it must not define again */

#define FOUR 0
#define SIX 1
#define TURN 64

/* Only echo replies come up. */
static int
filter(int fd, int which)
{
	struct icmp_filter four = { .data = ~(1U << ICMP_ECHOREPLY) };
	struct icmp6_filter six;
	int rc;

	if (which == FOUR) {
		rc = setsockopt(fd, IPPROTO_RAW, ICMP_FILTER, &four, sizeof(four));
	} else {
		ICMP6_FILTER_SETBLOCKALL(&six);
		ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &six);
		rc = setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &six, sizeof(six));
	}
	return rc == 0 ? 0 : -errno;
}

static int
open_one(struct ping_socket *s, int which)
{
	static const int family[] = { AF_INET, AF_INET6 };
	static const int protocol[] = { IPPROTO_ICMP, IPPROTO_ICMPV6 };
	const int flags = SOCK_CLOEXEC | SOCK_NONBLOCK;
	int rc;

	s->fd[which] = socket(family[which], SOCK_DGRAM | flags, protocol[which]);
	if (s->fd[which] != -1)
		return 0;
	s->fd[which] = socket(family[which], SOCK_RAW | flags, protocol[which]);
	if (s->fd[which] == -1)
		return -errno;
	s->raw[which] = true;
	rc = filter(s->fd[which], which);
	if (rc != 0) {
		(void)close(s->fd[which]);
		s->fd[which] = -1;
	}
	return rc;
}

int
ping_socket_open(struct ping_socket *s, struct err *err)
{
	int four, six;

	*s = (struct ping_socket){ .fd = { -1, -1 } };
	four = open_one(s, FOUR);
	six = open_one(s, SIX);
	if (four == 0 || six == 0)
		return 0;
	return err_set(err, four, "ping nodes cannot be asked: %s", strerror(-four));
}

void
ping_socket_close(struct ping_socket *s)
{
	for (int i = 0; i < 2; i++) {
		if (s->fd[i] != -1)
			(void)close(s->fd[i]);
		s->fd[i] = -1;
	}
}

/* The interface goes along with each packet: targets of several share a socket. */
struct by {
	size_t len;
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(struct in6_pktinfo))];
	} u;
};

static void
by_interface(struct by *b, int which, int index)
{
	struct in_pktinfo four = { .ipi_ifindex = index };
	struct in6_pktinfo six = { .ipi6_ifindex = (unsigned)index };
	size_t n = which == FOUR ? sizeof(four) : sizeof(six);

	memset(b, 0, sizeof(*b));
	b->u.head.cmsg_level = which == FOUR ? IPPROTO_IP : IPPROTO_IPV6;
	b->u.head.cmsg_type = which == FOUR ? IP_PKTINFO : IPV6_PKTINFO;
	b->u.head.cmsg_len = CMSG_LEN(n);
	memcpy(CMSG_DATA(&b->u.head), which == FOUR ? (void *)&four : (void *)&six, n);
	b->len = CMSG_SPACE(n);
}

static int
send_one(const struct ping_socket *s, const struct ping_conf *conf, uint8_t packet[PING_LEN])
{
	int which = conf->addr.family == 4 ? FOUR : SIX;
	unsigned index = conf->ifname[0] != '\0' ? if_nametoindex(conf->ifname) : 0;
	struct iovec iov = { packet, PING_LEN };
	struct sockaddr_storage to;
	struct by by;
	struct msghdr m = { .msg_name = &to,
		.msg_namelen = addr_sockaddr(&conf->addr, 0, &to),
		.msg_iov = &iov,
		.msg_iovlen = 1 };

	if (s->fd[which] == -1)
		return -EAFNOSUPPORT;
	if (conf->ifname[0] != '\0' && index == 0)
		return -ENODEV;
	if (index != 0) {
		by_interface(&by, which, (int)index);
		m.msg_control = &by.u;
		m.msg_controllen = by.len;
	}
	return sendmsg(s->fd[which], &m, MSG_DONTWAIT | MSG_NOSIGNAL) == PING_LEN ? 0 : -errno;
}

void
ping_socket_send(struct ping_socket *s, struct ping *p, mono_t now)
{
	uint8_t packet[PING_LEN];
	int i;

	while ((i = ping_due(p, now)) != -1) {
		ping_packet(p, (unsigned)i, packet);
		ping_sent(p, (unsigned)i, now, send_one(s, &p->target[i].conf, packet));
	}
}

/* Where ICMP begins; len is made shorter by what is before it. */
static const uint8_t *
skip_head(bool head, const uint8_t *bytes, size_t *len)
{
	size_t n = head && *len > 0 ? (size_t)(bytes[0] & 15) * 4 : 0;

	if (n > *len)
		n = *len;
	*len -= n;
	return bytes + n;
}

uint32_t
ping_socket_read(struct ping_socket *s, struct ping *p, mono_t now)
{
	uint32_t mask = 0;

	for (unsigned i = 0; i < 2 * TURN; i++) {
		int which = i < TURN ? FOUR : SIX, target;
		struct sockaddr_storage ss = { 0 };
		socklen_t ss_len = sizeof(ss);
		uint8_t bytes[128];
		const uint8_t *icmp;
		struct addr from;
		uint16_t port;
		size_t len;
		ssize_t n = -1;

		if (s->fd[which] != -1)
			n = recvfrom(s->fd[which], bytes, sizeof(bytes), MSG_DONTWAIT,
			    (struct sockaddr *)&ss, &ss_len);
		if (n == -1) {
			i = which == FOUR ? TURN - 1 : 2 * TURN;
			continue;
		}
		len = (size_t)n;
		icmp = skip_head(which == FOUR && s->raw[FOUR], bytes, &len);
		if (addr_from_sockaddr((struct sockaddr *)&ss, &from, &port) != 0)
			continue;
		target = ping_answer(p, icmp, len, &from, now);
		if (target >= 0)
			mask |= 1U << target;
	}
	return mask;
}
