/* address.h - which floating addresses should be where, and what to change for it. Pure. */
#ifndef HA_ADDRESS_H
#define HA_ADDRESS_H

#include "store/snapshot.h"
#include "sys/netlink.h"

/* One address that should be here. Two are in order by address. */
struct floating {
	struct addr addr; /* full prefix, but for a manual one with another */
	char ifname[IFNAME_MAX];
	uint32_t services; /* enabled ones that use it, and rules of translation */
	uint8_t group;	   /* 1 or 2: whose node has it, in a pair */
	uint32_t router;   /* row of the virtual router that it moves with; 0: none */
	bool advertised;   /* by that */
	bool manual;	   /* asked for by hand */
	bool held;	   /* it is there */
	char fault[120];   /* why it cannot be; "" */
};
/* An address at a place. */
struct place {
	char ifname[IFNAME_MAX];
	struct addr addr;
};
struct places {
	struct place *a; /* { 0 } is empty; sorted by place_compare */
	uint32_t n;
};
struct address_plan {
	struct floating *want;
	uint32_t n;
	struct places add; /* where they are to be put */
	struct places del; /* of ours that are not wanted there (any more) */
};

int floating_compare(const void *a, const void *b); /* by address, prefix ignored */
int place_compare(const void *a, const void *b);
bool places_have(const struct places *p, const char *ifname, const struct addr *a);
void places_fini(struct places *p);

/* address_plan - the difference between the configuration and the node.
 *
 * kernel:  all addresses of the node; borrowed.
 * mine:    those that this daemon has put anywhere and not taken away. Others that carry the mark belong to
 *          another instance on this machine: they are left alone.
 * out:     owned by the caller: address_plan_fini.
 *
 * Wanted are all addresses of each enabled service, the outside address of each enabled rule of translation, and every
 * fip. An address goes to the interface its fip names,
 * else for loopback addresses to lo, else to the one in whose subnet it lies (one that is up before one that is
 * down), else to the node's, else to lo. One that an interface has as its own is a fault and is not touched.
 *
 * A group that an enabled virtual router has moves with it: what is of its family on its interface with the one of that,
 * the rest with the group's first. With virtual_mac or ipvlan the address goes to the device of that (vrrp/vmac.h), as a
 * host.
 *
 * While another program holds the addresses (setting ha_roles) nothing is put, and held says that it has. */
void address_plan(const struct snapshot *s, const struct iface_list *kernel,
    const struct places *mine, struct address_plan *out);
void address_plan_fini(struct address_plan *p);

#endif
