/* vmac.h - a device of a virtual router's own on the interface, up only while it is master: a macvlan, which has the
 * virtual MAC, or an ipvlan, which has the interface's.
 * Source: RFC 9568 section 7.3. Needs CAP_NET_ADMIN; vmac_probe CAP_NET_RAW. */
#ifndef VRRP_VMAC_H
#define VRRP_VMAC_H

#include "base/addr.h"
#include "base/err.h"
#include "base/mono.h"
#include "sys/netlink.h"

enum vmac_kind { VMAC_MACVLAN, VMAC_IPVLAN };

struct vmac {
	enum vmac_kind kind;
	char name[IFNAME_MAX];
	int index, fd; /* fd: for raising and lowering without memory; -1 closed */
	uint8_t mac[6];
	bool up, adopted; /* adopted: an earlier process made it */
};

/* vmac_mac - 00:00:5e:00:01:ID for IPv4, 00:00:5e:00:02:ID for IPv6. */
void vmac_mac(uint8_t family, uint8_t vrid, uint8_t out[6]);
/* vmac_name - "lbdFAMILY.ID.PARENT", of an ipvlan "lbi...", with the parent's index. vmac_is_name - whether a name is such
 * a one. */
void vmac_name(char out[IFNAME_MAX], enum vmac_kind kind, uint8_t family, uint8_t vrid, int parent);
bool vmac_is_name(const char *ifname);
/* vmac_open - make the device of that name on the parent, down, or adopt that of an earlier process as it is (v->up).
 * Sets what ARP needs on both: the parent answers and asks for its own addresses alone from now on (arp_ignore 1,
 * arp_announce 2), also after vmac_remove. 0, or -errno with err: -EEXIST when that name is somebody else's, who keeps it;
 * -EBUSY when the parent has devices of the other kind; -EOPNOTSUPP when the kernel has none of the kind. */
int vmac_open(struct vmac *v, enum vmac_kind kind, const char *parent, uint8_t family, uint8_t vrid,
    struct err *err);
void vmac_close(struct vmac *v); /* the device stays */
int vmac_remove(struct vmac *v); /* and its addresses; closes. 0 or -errno */
/* vmac_set - up or down. Down takes its IPv6 addresses away, and nothing leaves by it any more, from this moment: lower
 * it before its addresses are deleted. No memory. 0 or -errno. */
int vmac_set(struct vmac *v, bool up);

enum vmac_way { VMAC_UNKNOWN, VMAC_PASSES, VMAC_BLOCKED };
/* vmac_probe - do the ports on the way let a second MAC address of this node pass?
 *
 * Asks target (IPv4: a neighbour on the LAN, the other node or the gateway) by ARP twice: from the interface's own MAC
 * and from another, made up for the purpose. Answered both: PASSES. The own alone: BLOCKED (a virtual switch that
 * refuses forged addresses, port security). Neither: UNKNOWN. It cannot see what a switch does with the addresses
 * 00:00:5e:... in particular, nor a limit of addresses that is not yet reached. Blocks up to wait. 0 or -errno. */
int vmac_probe(const char *parent, const struct addr *target, dur_t wait, enum vmac_way *out);
/* vmac_answer - whose question does this ARP frame answer: 1 the own MAC's, 2 the other's, 0 none. Pure. */
int vmac_answer(const void *frame, size_t n, const struct addr *target, const uint8_t own[6],
    const uint8_t other[6]);

#endif
