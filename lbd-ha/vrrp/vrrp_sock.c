/* vrrp_sock.c - the sockets of VRRP.
 *
 * Two of them for an interface and a family. The one for receiving is bound to the interface, so that the kernel joins
 * and delivers there; a filter of three instructions also drops what came by another one, between the moment it was
 * made and the moment it was bound, or by a macvlan that got its own copy of a multicast packet. The one for sending
 * takes source address and interface with each packet, because a virtual MAC is another interface, and receives
 * nothing. What is sent is never looped back.
 *
 * DSCP CS6 and priority 7 put advertisements before the traffic that they protect. Over IPv6 the source is an address
 * of the parent although the packet leaves by the macvlan, which the kernel allows with IPV6_FREEBIND only. */
#include "vrrp/vrrp_sock.h"

#include "base/buf.h"
#include "base/must.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define DSCP_CS6 0xc0
#define SEND_PRIORITY 7
#define RECEIVE_BYTES (1 << 20)
#ifndef IPV6_FREEBIND
#define IPV6_FREEBIND 78 /* linux/in6.h, which cannot stand beside netinet/in.h */
#endif

struct option {
	int level, name, value;
};

static int
set_all(int fd, const struct option *o, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (setsockopt(fd, o[i].level, o[i].name, &o[i].value, sizeof(o[i].value)) == -1)
			return -errno;
	return 0;
}

/* ifindex 0: nothing passes. */
static int
filter(int fd, int ifindex, uint8_t family)
{
	struct sock_filter only[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_IFINDEX)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)ifindex, 0, 3),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 9), /* the protocol, in the header of IPv4 */
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, VRRP_PROTO, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog prog = { .len = ARRAY_LEN(only), .filter = only };

	if (family == 6) /* data begins after the header, and the socket has the protocol */
		only[2] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0xffffffff);
	if (ifindex == 0) {
		prog.filter = &only[5];
		prog.len = 1;
	}
	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)) == -1 ? -errno : 0;
}

static int
join(int fd, int ifindex, uint8_t family)
{
	struct ip_mreqn m4 = { .imr_ifindex = ifindex };
	struct ipv6_mreq m6 = { .ipv6mr_interface = (unsigned)ifindex };
	int rc;

	memcpy(&m4.imr_multiaddr, vrrp_group4.b, 4);
	memcpy(&m6.ipv6mr_multiaddr, vrrp_group6.b, 16);
	if (family == 4)
		rc = setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m4, sizeof(m4));
	else
		rc = setsockopt(fd, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &m6, sizeof(m6));
	return rc == -1 ? -errno : 0;
}

static int
open_raw(uint8_t family)
{
	int fd = socket(
	    family == 4 ? AF_INET : AF_INET6, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, VRRP_PROTO);

	return fd == -1 ? -errno : fd;
}

static int
open_rx(const struct vrrp_sock *s, const char *ifname)
{
	static const struct option v4[] = {
		{ SOL_SOCKET, SO_RCVBUF, RECEIVE_BYTES },
		{ IPPROTO_IP, IP_PKTINFO, 1 },
		{ IPPROTO_IP, IP_MULTICAST_ALL, 0 },
	};
	static const struct option v6[] = {
		{ SOL_SOCKET, SO_RCVBUF, RECEIVE_BYTES },
		{ IPPROTO_IPV6, IPV6_RECVPKTINFO, 1 },
		{ IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1 },
	};
	int fd = open_raw(s->family), code;

	if (fd < 0)
		return fd;
	code = filter(fd, s->ifindex, s->family);
	if (code == 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, ifname, (socklen_t)strlen(ifname)) == -1)
		code = -errno;
	if (code == 0)
		code = s->family == 4 ? set_all(fd, v4, ARRAY_LEN(v4))
				      : set_all(fd, v6, ARRAY_LEN(v6));
	if (code == 0)
		code = join(fd, s->ifindex, s->family);
	if (code == 0)
		return fd;
	(void)close(fd);
	return code;
}

/* The priority comes last: the type of service sets it too. */
static int
open_tx(const struct vrrp_sock *s)
{
	static const struct option v4[] = {
		{ IPPROTO_IP, IP_MULTICAST_LOOP, 0 },
		{ IPPROTO_IP, IP_MULTICAST_TTL, VRRP_TTL },
		{ IPPROTO_IP, IP_TTL, VRRP_TTL },
		{ IPPROTO_IP, IP_FREEBIND, 1 },
		{ IPPROTO_IP, IP_TOS, DSCP_CS6 },
		{ IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT },
		{ SOL_SOCKET, SO_BROADCAST, 1 },
	};
	static const struct option v6[] = {
		{ IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 0 },
		{ IPPROTO_IPV6, IPV6_MULTICAST_HOPS, VRRP_TTL },
		{ IPPROTO_IPV6, IPV6_UNICAST_HOPS, VRRP_TTL },
		{ IPPROTO_IPV6, IPV6_FREEBIND, 1 },
		{ IPPROTO_IPV6, IPV6_TCLASS, DSCP_CS6 },
	};
	static const struct option priority = { SOL_SOCKET, SO_PRIORITY, SEND_PRIORITY };
	int fd = open_raw(s->family), code;

	if (fd < 0)
		return fd;
	code = filter(fd, 0, s->family);
	if (code == 0)
		code = s->family == 4 ? set_all(fd, v4, ARRAY_LEN(v4))
				      : set_all(fd, v6, ARRAY_LEN(v6));
	(void)set_all(fd, &priority, 1); /* without CAP_NET_ADMIN that of CS6 has to do */
	if (code == 0)
		return fd;
	(void)close(fd);
	return code;
}

int
vrrp_sock_open(struct vrrp_sock *s, const char *ifname, uint8_t family, struct err *err)
{
	struct vrrp_sock new = { .rx = -1, .tx = -1, .family = family };
	int code = 0;

	must(family == 4 || family == 6);
	*s = new;
	new.ifindex = (int)if_nametoindex(ifname);
	if (new.ifindex == 0)
		return err_set(err, -ENODEV, "interface %s: it does not exist", ifname);
	new.rx = open_rx(&new, ifname);
	new.tx = open_tx(&new);
	if (new.rx < 0 || new.tx < 0) {
		code = new.rx < 0 ? new.rx : new.tx;
		vrrp_sock_close(&new);
		return err_set(
		    err, code, "interface %s: VRRP for IPv%u: %s", ifname, family, strerror(-code));
	}
	*s = new;
	return 0;
}

void
vrrp_sock_close(struct vrrp_sock *s)
{
	if (s->rx >= 0)
		(void)close(s->rx);
	if (s->tx >= 0)
		(void)close(s->tx);
	s->rx = s->tx = -1;
}

/* ---- sending ---- */

union control {
	char bytes[CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(int)) * 2];
	struct cmsghdr align;
};

static void
put_source(struct msghdr *m, int ifindex, const struct addr *src)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(m);
	struct in_pktinfo p4 = { .ipi_ifindex = ifindex };
	struct in6_pktinfo p6 = { .ipi6_ifindex = (unsigned)ifindex };

	must(c != NULL);
	memcpy(&p4.ipi_spec_dst, src->b, 4);
	memcpy(&p6.ipi6_addr, src->b, 16);
	c->cmsg_level = src->family == 4 ? IPPROTO_IP : IPPROTO_IPV6;
	c->cmsg_type = src->family == 4 ? IP_PKTINFO : IPV6_PKTINFO;
	c->cmsg_len = CMSG_LEN(src->family == 4 ? sizeof(p4) : sizeof(p6));
	if (src->family == 4)
		memcpy(CMSG_DATA(c), &p4, sizeof(p4));
	else
		memcpy(CMSG_DATA(c), &p6, sizeof(p6));
	m->msg_controllen = CMSG_SPACE(src->family == 4 ? sizeof(p4) : sizeof(p6));
}

static int
send_by(const struct vrrp_sock *s, int ifindex, const struct vrrp_ip *ip, uint8_t *p, size_t n)
{
	struct iovec v = { .iov_base = p, .iov_len = n };
	struct sockaddr_storage to;
	union control control = { 0 };
	struct msghdr m = { .msg_name = &to, .msg_iov = &v, .msg_iovlen = 1 };

	m.msg_namelen = addr_sockaddr(&ip->dst, 0, &to);
	m.msg_control = control.bytes;
	m.msg_controllen = sizeof(control.bytes);
	put_source(&m, ifindex, &ip->src);
	if (s->family == 6 && ip->dst.b[0] == 0xfe) /* link-local needs to be told where */
		((struct sockaddr_in6 *)(void *)&to)->sin6_scope_id = (unsigned)ifindex;
	return sendmsg(s->tx, &m, MSG_DONTWAIT | MSG_NOSIGNAL) == -1 ? -errno : 0;
}

int
vrrp_sock_send(
    const struct vrrp_sock *s, int ifindex, const struct vrrp_ip *ip, const uint8_t *p, size_t n)
{
	uint8_t copy[VRRP_BYTES_MAX];
	int code;

	must(n <= sizeof(copy) && ip->src.family == s->family && ip->dst.family == s->family);
	memcpy(copy, p, n); /* iov_base is not const */
	code = send_by(s, ifindex, ip, copy, n);
	/* The kernel makes the route of the groups of IPv6 when it has noticed the carrier, up to a second late. */
	if (code == -ENETUNREACH && ifindex != s->ifindex)
		code = send_by(s, s->ifindex, ip, copy, n);
	return code;
}

/* ---- receiving ---- */

static struct addr
host(uint8_t family, const void *bytes)
{
	struct addr a = { .family = family, .len = family == 4 ? 32 : 128 };

	if (bytes != NULL)
		memcpy(a.b, bytes, family == 4 ? 4 : 16);
	return a;
}

/* RFC 791 section 3.1: the kernel hands over the header, checked and reassembled. */
static bool
split4(struct vrrp_frame *f, size_t n)
{
	struct rd r = { .p = f->bytes, .left = n };
	unsigned first = (unsigned)rd_be(&r, 1);

	(void)rd_bytes(&r, 7);
	f->ip.ttl = (uint8_t)rd_be(&r, 1);
	(void)rd_bytes(&r, 3);
	f->ip.src = host(4, rd_bytes(&r, 4));
	f->ip.dst = host(4, rd_bytes(&r, 4));
	(void)rd_bytes(&r, (first & 15) < 5 ? n + 1 : (first & 15) * 4 - 20u);
	f->p = r.p;
	f->n = r.left;
	return !r.bad && first >> 4 == 4;
}

/* Hop limit and destination come beside the packet; without them it is none of ours. */
static bool
split6(struct vrrp_frame *f, size_t n, struct msghdr *m, const struct sockaddr_in6 *from)
{
	bool ttl = false, dst = false;

	f->p = f->bytes;
	f->n = n;
	f->ip.src = host(6, &from->sin6_addr);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL; c = CMSG_NXTHDR(m, c)) {
		struct in6_pktinfo info;
		int hops;

		if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_HOPLIMIT) {
			memcpy(&hops, CMSG_DATA(c), sizeof(hops));
			f->ip.ttl = (uint8_t)hops;
			ttl = true;
		} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			memcpy(&info, CMSG_DATA(c), sizeof(info));
			f->ip.dst = host(6, &info.ipi6_addr);
			dst = true;
		}
	}
	return ttl && dst;
}

int
vrrp_sock_receive(const struct vrrp_sock *s, struct vrrp_frame *out)
{
	struct iovec v = { .iov_base = out->bytes, .iov_len = sizeof(out->bytes) };
	struct sockaddr_in6 from = { 0 };
	union control control;
	ssize_t n;

	for (;;) {
		struct msghdr m = { .msg_name = &from,
			.msg_namelen = sizeof(from),
			.msg_iov = &v,
			.msg_iovlen = 1,
			.msg_control = control.bytes,
			.msg_controllen = sizeof(control.bytes) };

		n = recvmsg(s->rx, &m, MSG_DONTWAIT);
		if (n == -1)
			return errno == EAGAIN || errno == EINTR ? 0 : -errno;
		if (s->family == 4 ? split4(out, (size_t)n) : split6(out, (size_t)n, &m, &from))
			return 1;
	}
}
