/* want.h - what the core is told of the configuration: carriers, groups, ping nodes, and which interfaces count. Pure. */
#ifndef HA_WANT_H
#define HA_WANT_H

#include "core/shared.h"
#include "pair/cluster_file.h"

#include "store/snapshot.h"
#include "sys/netlink.h"

#define WANT_NAME 100

/* What the places of the core's tables are called; "": not in use. */
struct want_names {
	char carrier[CARRIER_SET][WANT_NAME]; /* "eth1: udp 10.5.0.2" */
	char ping[PING_TARGETS][WANT_NAME];   /* "gateway 10.5.0.254" */
};

/* want_carriers - the enabled rows, and UDP to each address known from the pairing that no row names as its peer: so
 * the nodes go on hearing each other while only one of them has been told of another way. kernel tells which address of
 * ours is near. */
void want_carriers(struct shared_want *w, struct want_names *names, const struct cluster *c,
    const struct snapshot *s, const struct iface_list *kernel);
void want_pings(struct shared_want *w, struct want_names *names, const struct snapshot *s);
void want_groups(struct shared_want *w, const struct cluster *c, const struct snapshot *s);
/* want_counts - whether an interface that a floating address is on must have a carrier: it is not in the node's
 * ha_ignore. */
bool want_counts(const struct snapshot *s, const char *ifname);

#endif
