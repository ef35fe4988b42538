/* link.c - a small table of interfaces, kept by RTM_NEWLINK and RTM_DELLINK. More than LINK_MOST interfaces are not
 * remembered; the service network's are among the first on any machine that serves. A lost message makes it ask anew. */
#include "core/link.h"

#include <errno.h>
#include <linux/if.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int
ask(struct link *l)
{
	struct {
		struct nlmsghdr h;
		struct ifinfomsg m;
	} rq = { .h = { .nlmsg_len = sizeof(rq),
		     .nlmsg_type = RTM_GETLINK,
		     .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
		     .nlmsg_seq = 1 } };

	l->lost = false;
	return send(l->fd, &rq, sizeof(rq), 0) == -1 ? -errno : 0;
}

int
link_open(struct link *l)
{
	struct sockaddr_nl sa = { .nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK };
	int code;

	memset(l, 0, sizeof(*l));
	l->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	if (l->fd == -1)
		return -errno;
	code = bind(l->fd, (struct sockaddr *)&sa, sizeof(sa)) == -1 ? -errno : ask(l);
	if (code != 0)
		link_close(l);
	return code;
}

void
link_close(struct link *l)
{
	if (l->fd != -1)
		(void)close(l->fd);
	l->fd = -1;
}

static bool
set(struct link *l, int32_t index, bool up)
{
	unsigned i = 0;

	while (i < l->n && l->one[i].index != index)
		i++;
	if (i == LINK_MOST)
		return false;
	if (i == l->n)
		l->one[l->n++] = (struct link_one){ .index = index, .up = !up };
	if (l->one[i].up == up)
		return false;
	l->one[i].up = up;
	return true;
}

bool
link_parse(struct link *l, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;
	bool changed = false;

	/* NLMSG_NEXT and NLMSG_DATA would take the const away. */
	for (size_t step; len >= sizeof(struct nlmsghdr); p += step, len -= step) {
		const struct nlmsghdr *h = (const void *)p;
		const struct ifinfomsg *m = (const void *)(p + NLMSG_HDRLEN);

		if (h->nlmsg_len < sizeof(*h) || h->nlmsg_len > len)
			break;
		step = NLMSG_ALIGN(h->nlmsg_len) < len ? NLMSG_ALIGN(h->nlmsg_len) : len;
		if ((h->nlmsg_type != RTM_NEWLINK && h->nlmsg_type != RTM_DELLINK) ||
		    h->nlmsg_len < NLMSG_LENGTH(sizeof(*m)))
			continue;
		changed |= set(l, m->ifi_index,
		    h->nlmsg_type == RTM_NEWLINK && (m->ifi_flags & IFF_UP) != 0 &&
			(m->ifi_flags & IFF_LOWER_UP) != 0);
	}
	return changed;
}

bool
link_read(struct link *l)
{
	union {
		struct nlmsghdr h;
		char bytes[16384];
	} in;
	bool changed = false;
	ssize_t n;

	while ((n = recv(l->fd, in.bytes, sizeof(in.bytes), MSG_DONTWAIT)) > 0 ||
	       (n == -1 && errno == ENOBUFS)) {
		if (n == -1)
			l->lost = true;
		else
			changed |= link_parse(l, in.bytes, (size_t)n);
	}
	if (l->lost)
		(void)ask(l);
	return changed;
}

bool
link_is_up(const struct link *l, int32_t index)
{
	for (unsigned i = 0; i < l->n; i++)
		if (l->one[i].index == index)
			return l->one[i].up;
	return false;
}
