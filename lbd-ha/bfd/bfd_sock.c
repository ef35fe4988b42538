/* bfd_sock.c - one socket that hears all neighbours of a family, and one for each session to send from.
 *
 * The TTL and the interface of what arrives are asked of the kernel with each datagram; what they mean is decided by
 * others. The source address is the one that the routes give. Interfaces are named with each packet, since one that was
 * taken away comes back with another number. */
#include "bfd/bfd_sock.h"

#include "base/must.h"

#include <errno.h>
#include <linux/filter.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define DSCP_CS6 0xc0 /* network control, RFC 4594 section 3.2 */
#define PORT_TRIES 64

struct option {
	int level, name, value;
};

union control {
	char bytes[CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
};

static int
set_all(int fd, const struct option *o, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (setsockopt(fd, o[i].level, o[i].name, &o[i].value, sizeof(o[i].value)) == -1)
			return -errno;
	return 0;
}

static int
bind_any(int fd, uint8_t family, uint16_t port)
{
	const struct addr any = { .family = family, .len = family == 4 ? 32 : 128 };
	struct sockaddr_storage ss;
	socklen_t len = addr_sockaddr(&any, port, &ss);

	return bind(fd, (struct sockaddr *)&ss, len) == -1 ? -errno : 0;
}

static int
open_udp(uint8_t family)
{
	int fd =
	    socket(family == 4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	return fd == -1 ? -errno : fd;
}

/* fd, or the code and fd closed. */
static int
done(int fd, int code)
{
	if (code == 0)
		return fd;
	(void)close(fd);
	return code;
}

int
bfd_sock_listen(uint8_t family)
{
	static const struct option v4[] = {
		{ IPPROTO_IP, IP_RECVTTL, 1 },
		{ IPPROTO_IP, IP_PKTINFO, 1 },
	};
	static const struct option v6[] = {
		{ IPPROTO_IPV6, IPV6_V6ONLY, 1 },
		{ IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1 },
		{ IPPROTO_IPV6, IPV6_RECVPKTINFO, 1 },
	};
	int fd = open_udp(family), code;

	if (fd < 0)
		return fd;
	code = family == 4 ? set_all(fd, v4, ARRAY_LEN(v4)) : set_all(fd, v6, ARRAY_LEN(v6));
	if (code == 0)
		code = bind_any(fd, family, BFD_PORT);
	return done(fd, code);
}

/* Nothing comes in: what strangers send to the port takes no memory. */
static int
deaf(int fd)
{
	struct sock_filter none = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog prog = { .len = 1, .filter = &none };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)) == -1 ? -errno : 0;
}

/* RFC 5881 section 4: the same for the whole session, and no other session's. */
static int
bind_source(int fd, uint8_t family, uint32_t random)
{
	int code = -EADDRINUSE;

	for (unsigned i = 0; i < PORT_TRIES && code == -EADDRINUSE; i++)
		code = bind_any(fd, family,
		    (uint16_t)(BFD_SOURCE_LEAST + (random + i) % (65536 - BFD_SOURCE_LEAST)));
	return code;
}

int
bfd_sock_open(uint8_t family, uint32_t random)
{
	static const struct option v4[] = {
		{ IPPROTO_IP, IP_TTL, BFD_TTL },
		{ IPPROTO_IP, IP_TOS, DSCP_CS6 },
		{ SOL_SOCKET, SO_DONTROUTE, 1 },
	};
	static const struct option v6[] = {
		{ IPPROTO_IPV6, IPV6_V6ONLY, 1 },
		{ IPPROTO_IPV6, IPV6_UNICAST_HOPS, BFD_TTL },
		{ IPPROTO_IPV6, IPV6_TCLASS, DSCP_CS6 },
		{ SOL_SOCKET, SO_DONTROUTE, 1 },
	};
	int fd = open_udp(family), code;

	if (fd < 0)
		return fd;
	code = deaf(fd);
	if (code == 0)
		code =
		    family == 4 ? set_all(fd, v4, ARRAY_LEN(v4)) : set_all(fd, v6, ARRAY_LEN(v6));
	if (code == 0)
		code = bind_source(fd, family, random);
	return done(fd, code);
}

/* ---- sending ---- */

static void
put_interface(struct msghdr *m, union control *control, uint8_t family, unsigned index)
{
	const struct in_pktinfo p4 = { .ipi_ifindex = (int)index };
	const struct in6_pktinfo p6 = { .ipi6_ifindex = index };
	size_t n = family == 4 ? sizeof(p4) : sizeof(p6);
	struct cmsghdr *c;

	memset(control, 0, sizeof(*control));
	m->msg_control = control->bytes;
	m->msg_controllen = CMSG_SPACE(n);
	c = CMSG_FIRSTHDR(m);
	must(c != NULL);
	c->cmsg_level = family == 4 ? IPPROTO_IP : IPPROTO_IPV6;
	c->cmsg_type = family == 4 ? IP_PKTINFO : IPV6_PKTINFO;
	c->cmsg_len = CMSG_LEN(n);
	memcpy(CMSG_DATA(c), family == 4 ? (const void *)&p4 : (const void *)&p6, n);
}

int
bfd_sock_send(int fd, const struct addr *to, const char *ifname, const uint8_t bytes[BFD_BYTES])
{
	uint8_t copy[BFD_BYTES]; /* iov_base is not const */
	struct iovec v = { .iov_base = copy, .iov_len = sizeof(copy) };
	struct sockaddr_storage ss;
	struct msghdr m = { .msg_name = &ss, .msg_iov = &v, .msg_iovlen = 1 };
	union control control;
	unsigned index = 0;

	memcpy(copy, bytes, sizeof(copy));
	m.msg_namelen = addr_sockaddr(to, BFD_PORT, &ss);
	if (ifname[0] != '\0') {
		index = if_nametoindex(ifname);
		if (index == 0)
			return -ENODEV;
		put_interface(&m, &control, to->family, index);
	}
	if (to->family == 6)
		((struct sockaddr_in6 *)(void *)&ss)->sin6_scope_id = index;
	return sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) == -1 ? -errno : 0;
}

/* ---- receiving ---- */

/* What the kernel says beside the datagram. */
static void
take_beside(struct bfd_frame *f, const struct cmsghdr *c)
{
	struct in_pktinfo p4;
	struct in6_pktinfo p6;
	int ttl;

	if ((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TTL) ||
	    (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_HOPLIMIT)) {
		memcpy(&ttl, CMSG_DATA(c), sizeof(ttl));
		f->ttl = (unsigned)ttl;
	} else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
		memcpy(&p4, CMSG_DATA(c), sizeof(p4));
		f->ifindex = p4.ipi_ifindex;
	} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
		memcpy(&p6, CMSG_DATA(c), sizeof(p6));
		f->ifindex = (int)p6.ipi6_ifindex;
	}
}

int
bfd_sock_receive(int fd, struct bfd_frame *out)
{
	struct iovec v = { .iov_base = out->bytes, .iov_len = sizeof(out->bytes) };
	struct sockaddr_storage from;
	union control control;
	struct msghdr m = { .msg_name = &from,
		.msg_namelen = sizeof(from),
		.msg_iov = &v,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes) };
	ssize_t n = recvmsg(fd, &m, MSG_DONTWAIT);
	uint16_t port;

	if (n == -1)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (addr_from_sockaddr((struct sockaddr *)&from, &out->src, &port) != 0)
		return -EAFNOSUPPORT;
	out->n = (size_t)n;
	out->ttl = 0;
	out->ifindex = 0;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c != NULL; c = CMSG_NXTHDR(&m, c))
		take_beside(out, c);
	return 1;
}
