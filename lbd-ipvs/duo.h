/* duo.h - the link to lbd-ha: whether this node is one of a pair, and where the other one is. */
#ifndef IPVS_DUO_H
#define IPVS_DUO_H

#include "daemon/daemon.h"
#include "packet/packet.h"
#include "sys/netlink.h"

struct duo {
	struct bus_link *link;
	uint64_t cluster;  /* number of the pair; 0: alone, or not known yet */
	struct addr peer;  /* family 0: not known */
	struct addr at[2]; /* its first address of IPv4 and of IPv6 */
	struct duo_group {
		bool known, hold, given; /* given: as planned, by a node that works on */
		mono_t since;
	} group[PACKET_GROUPS];
	void (*changed)(void *arg);
	void *arg;
};
/* duo_init - changed is called from the loop whenever cluster, peer or a group is another. */
void duo_init(struct duo *u, struct daemon *d, void (*changed)(void *arg), void *arg);
void duo_fini(struct duo *u); /* fine on a zeroed one */
/* duo_pair - what the packet path needs to know of the other node. Its address of a family is the one by which it is known,
 * else that of a carrier. Setting ha_keep of s counts. Returns the time after which it will be something else by itself; 0: never. Pure. */
dur_t duo_pair(const struct duo *u, const struct snapshot *s, mono_t now, struct packet_pair *out);
/* duo_interface - in whose subnet the other node is; "" and false: in none, or it is not known. */
bool duo_interface(const struct duo *u, char out[IFNAME_MAX]);

#endif
