/* route.c - one message to rtnetlink and its answer. The mark (rtm_protocol) is put with each route, and asked for with
 * each deletion: the kernel compares it, so a route of an administrator or a routing daemon is never taken away.
 * Source: linux/rtnetlink.h; rtnetlink(7). */
#include "sys/route.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct request {
	struct nlmsghdr h;
	struct rtmsg m;
	char room[160];
};

static void
attribute(struct request *q, unsigned short type, const void *data, size_t len)
{
	struct rtattr *a = (struct rtattr *)(void *)((char *)q + NLMSG_ALIGN(q->h.nlmsg_len));

	a->rta_type = type;
	a->rta_len = (unsigned short)RTA_LENGTH(len);
	memcpy(RTA_DATA(a), data, len);
	q->h.nlmsg_len = (uint32_t)(NLMSG_ALIGN(q->h.nlmsg_len) + RTA_ALIGN(a->rta_len));
}

static void
put_addr(struct request *q, unsigned short type, const struct addr *a)
{
	if (a->family != 0)
		attribute(q, type, a->b, a->family == 4 ? 4 : 16);
}

/* Sends, and reads the answer: an error message, 0 in it when all is well. */
static int
ask(const struct request *q)
{
	struct {
		struct nlmsghdr h;
		struct nlmsgerr e;
		char rest[512];
	} answer;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), code = 0;

	if (fd == -1)
		return -errno;
	if (send(fd, q, q->h.nlmsg_len, 0) == -1 || recv(fd, &answer, sizeof(answer), 0) == -1)
		code = -errno;
	else if (answer.h.nlmsg_type == NLMSG_ERROR)
		code = answer.e.error;
	(void)close(fd);
	return code;
}

static int
change(const struct net_route *r, bool add)
{
	struct request q = { .h = { .nlmsg_len = NLMSG_LENGTH(sizeof(struct rtmsg)) } };
	unsigned index = r->ifname[0] != '\0' ? if_nametoindex(r->ifname) : 0;

	if (r->ifname[0] != '\0' && index == 0)
		return -ENODEV;
	q.h.nlmsg_type = add ? RTM_NEWROUTE : RTM_DELROUTE;
	q.h.nlmsg_flags =
	    (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | (add ? NLM_F_CREATE | NLM_F_EXCL : 0));
	q.m = (struct rtmsg){
		.rtm_family = r->dst.family == 4 ? AF_INET : AF_INET6,
		.rtm_dst_len = r->dst.len,
		.rtm_table = RT_TABLE_UNSPEC, /* the attribute says it */
		.rtm_protocol = ROUTE_PROTO,
		.rtm_scope =
		    r->via.family != 0 || r->dst.family == 6 ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK,
		.rtm_type = RTN_UNICAST,
	};
	if (!add && r->dst.family == 4)
		q.m.rtm_scope = RT_SCOPE_NOWHERE; /* any */
	put_addr(&q, RTA_DST, &r->dst);
	put_addr(&q, RTA_GATEWAY, &r->via);
	put_addr(&q, RTA_PREFSRC, &r->source);
	attribute(&q, RTA_TABLE, &r->table, sizeof(r->table));
	if (r->metric != 0)
		attribute(&q, RTA_PRIORITY, &r->metric, sizeof(r->metric));
	if (index != 0)
		attribute(&q, RTA_OIF, &index, sizeof(index));
	return ask(&q);
}

int
route_add(const struct net_route *r)
{
	return change(r, true);
}

int
route_del(const struct net_route *r)
{
	int code = change(r, false);

	return code == -ESRCH || code == -ENODEV ? 0 : code;
}
