/* route.c - one rule and one route for each address family, so that answers of servers to clients' addresses end
 * here: rules.c marks those that belong to a socket of lbd-proxy.
 *
 * The marked packet is looked up in a table of its own, in which everything is local. Written message by message:
 * four of them need no library, and the answer of the kernel is awaited, so that the order with nft's rules is kept.
 * Nothing is read: adding what is there and deleting what is not are told by the kernel's answer. */
#include "packet/route.h"

#include "base/must.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LO_INDEX 1 /* of the loopback, in every network namespace */

bool
route_wanted(const struct snapshot *s)
{
	for (uint32_t i = 0; i < snapshot_count(s, KIND_service); i++) {
		const struct service *v = snapshot_at(s, KIND_service, i);

		if (v->enabled && v->transparent && service_layer(v) == 7)
			return true;
	}
	return false;
}

struct request {
	struct nlmsghdr h;
	union {
		struct rtmsg route;
		struct fib_rule_hdr rule;
	};
	char attrs[64];
};
_Static_assert(
    sizeof(struct rtmsg) == sizeof(struct fib_rule_hdr), "both begin attributes at the same place");

static void
put_u32(struct request *r, unsigned short type, uint32_t v)
{
	struct rtattr *a = (void *)((char *)r + NLMSG_ALIGN(r->h.nlmsg_len));

	must(NLMSG_ALIGN(r->h.nlmsg_len) + RTA_LENGTH(sizeof(v)) <= sizeof(*r));
	a->rta_type = type;
	a->rta_len = RTA_LENGTH(sizeof(v));
	memcpy(RTA_DATA(a), &v, sizeof(v));
	r->h.nlmsg_len = NLMSG_ALIGN(r->h.nlmsg_len) + a->rta_len;
}

static int
ask(int fd, struct request *r)
{
	struct {
		struct nlmsghdr h;
		struct nlmsgerr e;
		char more[512];
	} answer;
	ssize_t n;

	r->h.nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
	if (send(fd, r, r->h.nlmsg_len, 0) == -1)
		return -errno;
	do
		n = recv(fd, &answer, sizeof(answer), 0);
	while (n == -1 && errno == EINTR);
	if (n == -1)
		return -errno;
	if ((size_t)n < sizeof(answer.h) + sizeof(answer.e) || answer.h.nlmsg_type != NLMSG_ERROR)
		return -EPROTO;
	return answer.e.error;
}

static int
set_route(int fd, int family, bool wanted)
{
	struct request r = { .h.nlmsg_len = NLMSG_LENGTH(sizeof(r.route)) };

	r.h.nlmsg_type = wanted ? RTM_NEWROUTE : RTM_DELROUTE;
	r.h.nlmsg_flags = wanted ? NLM_F_CREATE | NLM_F_REPLACE : 0;
	r.route = (struct rtmsg){ .rtm_family = (unsigned char)family,
		.rtm_protocol = ROUTE_PROTOCOL,
		.rtm_scope = family == AF_INET ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE,
		.rtm_type = RTN_LOCAL };
	put_u32(&r, RTA_TABLE, ROUTE_TABLE);
	put_u32(&r, RTA_OIF, LO_INDEX);
	return ask(fd, &r);
}

static int
set_rule(int fd, int family, bool wanted)
{
	struct request r = { .h.nlmsg_len = NLMSG_LENGTH(sizeof(r.rule)) };
	struct rtattr *a;

	r.h.nlmsg_type = wanted ? RTM_NEWRULE : RTM_DELRULE;
	r.h.nlmsg_flags = wanted ? NLM_F_CREATE | NLM_F_EXCL : 0;
	r.rule = (struct fib_rule_hdr){ .family = (unsigned char)family, .action = FR_ACT_TO_TBL };
	put_u32(&r, FRA_PRIORITY, ROUTE_PRIORITY);
	put_u32(&r, FRA_FWMARK, ROUTE_MARK);
	put_u32(&r, FRA_TABLE, ROUTE_TABLE);
	a = (void *)((char *)&r + NLMSG_ALIGN(r.h.nlmsg_len));
	a->rta_type = FRA_PROTOCOL;
	a->rta_len = RTA_LENGTH(1);
	*(uint8_t *)RTA_DATA(a) = ROUTE_PROTOCOL;
	r.h.nlmsg_len = NLMSG_ALIGN(r.h.nlmsg_len) + RTA_ALIGN(a->rta_len);
	return ask(fd, &r);
}

/* The code of what is as it should be, or cannot be otherwise, is 0. */
static int
good(int rc, int family, bool wanted)
{
	if (family == AF_INET6 && (rc == -EAFNOSUPPORT || rc == -EOPNOTSUPP))
		return 0;
	if (wanted)
		return rc == -EEXIST ? 0 : rc;
	return rc == -ENOENT || rc == -ESRCH || rc == -ENODEV ? 0 : rc;
}

int
route_divert(bool wanted, struct err *err)
{
	static const int families[] = { AF_INET, AF_INET6 };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), rc = 0;

	if (fd == -1)
		return err_set(err, -errno, "routes cannot be set: %s", strerror(errno));
	for (unsigned i = 0; rc == 0 && i < 2; i++) {
		int f = families[i];

		/* The rule last, and away first: never a rule without its table. */
		if (wanted)
			rc = good(set_route(fd, f, true), f, true);
		if (rc == 0)
			rc = good(set_rule(fd, f, wanted), f, wanted);
		if (rc == 0 && !wanted)
			rc = good(set_route(fd, f, false), f, false);
	}
	(void)close(fd);
	if (rc != 0)
		return err_set(err, rc,
		    "the route of transparent services (table %d) cannot be %s: %s", ROUTE_TABLE,
		    wanted ? "set" : "taken away", strerror(-rc));
	return 0;
}
