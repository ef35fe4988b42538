/* duo.h - the link to lbd-ha: whether this node is one of a pair, and where the other one is. */
#ifndef IPVS_DUO_H
#define IPVS_DUO_H

#include "daemon/daemon.h"
#include "sys/netlink.h"

struct duo {
	struct bus_link *link;
	uint64_t cluster; /* number of the pair; 0: alone, or not known yet */
	struct addr peer; /* family 0: not known */
	void (*changed)(void *arg);
	void *arg;
};
/* duo_init - changed is called from the loop whenever cluster or peer is another. */
void duo_init(struct duo *u, struct daemon *d, void (*changed)(void *arg), void *arg);
void duo_fini(struct duo *u); /* fine on a zeroed one */
/* duo_interface - in whose subnet the other node is; "" and false: in none, or it is not known. */
bool duo_interface(const struct duo *u, char out[IFNAME_MAX]);

#endif
