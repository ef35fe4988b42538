/* route.h - the routing of transparent services, and of connections whose address is at the other node of a pair: packets
 * with ROUTE_MARK are delivered to this node, whatever their address. A rule and a table of our own, for IPv4 and IPv6, by rtnetlink (linux/rtnetlink.h, linux/fib_rules.h). */
#ifndef IPVS_PACKET_ROUTE_H
#define IPVS_PACKET_ROUTE_H

#include "base/err.h"
#include "store/snapshot.h"

#include <stdbool.h>

#define ROUTE_MARK 0x80000000u /* above every mark of a service */
#define ROUTE_TABLE 27746      /* "lb" */
#define ROUTE_PRIORITY 27746   /* of the rule: before main (32766) */
#define ROUTE_PROTOCOL 0x6c    /* who made it: as lbd-ha marks addresses */

/* route_wanted - has the configuration a transparent service? Pure. */
bool route_wanted(const struct snapshot *s);
/* route_divert - there, or not; what is as wanted already is no error. IPv6 that the kernel has not is skipped.
 * Blocks for some microseconds. 0 or -errno with err. */
int route_divert(bool wanted, struct err *err);

#endif
