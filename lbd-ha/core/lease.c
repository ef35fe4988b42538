/* lease.c - route netlink by hand: messages of one form, thousands of them, without an allocation and without an
 * acknowledgement for each. The kernel answers only what it refuses, with our sequence number as the tag.
 *
 * The attributes are those of common/sys/netlink.c, so that both ways of putting an address make the same address; here
 * it has a lifetime. IPv6: without duplicate address detection, and never chosen as a source (preferred lifetime 0).
 * Source: linux/rtnetlink.h, linux/if_addr.h. */
#include "core/lease.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ADDRESS_PROTO 0x6c /* as in common/sys/netlink.c */
#ifndef IFA_PROTO
#define IFA_PROTO 11
#endif
#define MESSAGE_MOST 160

int
lease_open(struct lease *l)
{
	struct sockaddr_nl sa = { .nl_family = AF_NETLINK };
	int room = 4 << 20, code;

	l->len = 0;
	l->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	if (l->fd == -1)
		return -errno;
	if (bind(l->fd, (struct sockaddr *)&sa, sizeof(sa)) == -1) {
		code = -errno;
		lease_close(l);
		return code;
	}
	(void)setsockopt(l->fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	return 0;
}

void
lease_close(struct lease *l)
{
	if (l->fd != -1)
		(void)close(l->fd);
	l->fd = -1;
}

static void
attribute(struct nlmsghdr *h, unsigned short type, const void *data, size_t len)
{
	struct rtattr *a = (struct rtattr *)(void *)((char *)h + NLMSG_ALIGN(h->nlmsg_len));

	a->rta_type = type;
	a->rta_len = (unsigned short)RTA_LENGTH(len);
	memcpy(RTA_DATA(a), data, len);
	h->nlmsg_len = (uint32_t)(NLMSG_ALIGN(h->nlmsg_len) + RTA_ALIGN(a->rta_len));
}

static int
add(struct lease *l, const struct shared_addr *a, uint32_t tag, bool put)
{
	static const struct ifa_cacheinfo life[2] = {
		{ .ifa_prefered = LEASE_VALID_S, .ifa_valid = LEASE_VALID_S },
		{ .ifa_prefered = 0, .ifa_valid = LEASE_VALID_S },
	};
	bool v6 = a->addr.family == 6;
	int rc = l->len + MESSAGE_MOST > sizeof(l->bytes) ? lease_flush(l) : 0;
	struct nlmsghdr *h = (struct nlmsghdr *)(void *)(l->bytes + l->len);
	struct ifaddrmsg *m = NLMSG_DATA(h);
	const uint8_t proto = ADDRESS_PROTO;

	if (rc != 0)
		return rc;
	memset(h, 0, MESSAGE_MOST);
	h->nlmsg_len = NLMSG_LENGTH(sizeof(*m));
	h->nlmsg_type = put ? RTM_NEWADDR : RTM_DELADDR;
	h->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | (put ? NLM_F_CREATE | NLM_F_REPLACE : 0));
	h->nlmsg_seq = tag;
	m->ifa_family = v6 ? AF_INET6 : AF_INET;
	m->ifa_prefixlen = a->addr.len;
	m->ifa_flags = put && v6 ? IFA_F_NODAD : 0;
	m->ifa_index = (uint32_t)a->index;
	attribute(h, IFA_LOCAL, a->addr.b, v6 ? 16 : 4);
	attribute(h, IFA_ADDRESS, a->addr.b, v6 ? 16 : 4);
	if (put) {
		attribute(h, IFA_PROTO, &proto, 1);
		if (!v6 && a->label[0] != '\0')
			attribute(h, IFA_LABEL, a->label, strlen(a->label) + 1);
		attribute(h, IFA_CACHEINFO, &life[v6], sizeof(life[v6]));
	}
	l->len += NLMSG_ALIGN(h->nlmsg_len);
	return 0;
}

int
lease_put(struct lease *l, const struct shared_addr *a, uint32_t tag)
{
	return add(l, a, tag, true);
}

int
lease_drop(struct lease *l, const struct shared_addr *a, uint32_t tag)
{
	return add(l, a, tag, false);
}

int
lease_flush(struct lease *l)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	size_t len = l->len;

	l->len = 0;
	if (len == 0)
		return 0;
	return sendto(l->fd, l->bytes, len, 0, (struct sockaddr *)&kernel, sizeof(kernel)) == -1
		   ? -errno
		   : 0;
}

void
lease_errors(struct lease *l, void (*fn)(void *arg, uint32_t tag, int code), void *arg)
{
	union {
		struct nlmsghdr h;
		char bytes[16384];
	} in;
	ssize_t n;

	while ((n = recv(l->fd, in.bytes, sizeof(in.bytes), MSG_DONTWAIT)) > 0) {
		unsigned left = (unsigned)n;

		for (struct nlmsghdr *h = &in.h; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left)) {
			const struct nlmsgerr *e = NLMSG_DATA(h);

			if (h->nlmsg_type != NLMSG_ERROR ||
			    h->nlmsg_len < NLMSG_LENGTH(sizeof(*e)) || e->error == 0 ||
			    (e->msg.nlmsg_type == RTM_DELADDR &&
				(e->error == -EADDRNOTAVAIL || e->error == -ENODEV)))
				continue;
			fn(arg, h->nlmsg_seq, e->error);
		}
	}
}
