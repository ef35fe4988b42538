/* route.h - routes of the node that carry lbd's mark, over rtnetlink. Only lbd-ha changes them. */
#ifndef SYS_ROUTE_H
#define SYS_ROUTE_H

#include "base/addr.h"

#include "sys/netlink.h"

#define ROUTE_PROTO 108 /* rtm_protocol of ours: ip route show proto 108 */

struct net_route {
	struct addr dst;	 /* with its length */
	struct addr via, source; /* family 0: none */
	char ifname[IFNAME_MAX]; /* "": where via is */
	uint32_t metric, table;
};

/* route_add - a new one, with our mark. 0, or -errno: -EEXIST there is one to this network with this metric in this table
 * already, whosever it is; -ENETUNREACH the gateway is not reached; -ENODEV; -EINVAL source is not local. */
int route_add(const struct net_route *r);
/* route_del - only one that carries our mark; what is not there is 0. */
int route_del(const struct net_route *r);

#endif
