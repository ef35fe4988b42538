/* node.h - the two things of this node that are neither IPVS nor packets: where its default route goes, and one
 * switch of the kernel's. */
#ifndef IPVS_NODE_H
#define IPVS_NODE_H

#include <stdbool.h>

#define NODE_IFNAME 16

/* node_default_interface - of the default route with the lowest metric, IPv4 before IPv6; out "" and false: none. */
bool node_default_interface(char out[NODE_IFNAME]);
/* node_route_default - the same from the kernel's texts, /proc/net/route and /proc/net/ipv6_route. Pure. */
bool node_route_default(const char *v4, const char *v6, char out[NODE_IFNAME]);
/* node_templates - whether IPVS brings clients that persistence knows to servers at weight 0
 * (net.ipv4.vs.expire_quiescent_template). 0 or -errno; -ENOENT: no ip_vs yet. */
int node_templates(bool stay);

#endif
