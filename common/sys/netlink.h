/* netlink.h - the node's addresses, macvlan and ipvlan links, through libnl-3. Reads everywhere; only lbd-ha changes. */
#ifndef SYS_NETLINK_H
#define SYS_NETLINK_H

#include "base/addr.h"
#include "base/err.h"

#include <stdbool.h>

#define IFNAME_MAX 16
struct iface_addr {
	char name[IFNAME_MAX];
	int index;
	struct addr addr; /* with prefix length */
	bool up, loopback,
	    ours; /* ours: carries lbd-ha's mark (IFA_PROTO 0x6c, or the label "IF:lbd" for IPv4) */
	uint8_t mac[6];
	uint32_t carriers; /* how often the interface's carrier came up so far */
};
struct iface_list {
	unsigned n;
	struct iface_addr *a;
};
/* netlink_addresses - all addresses of all interfaces, in order of index and address. */
int netlink_addresses(struct iface_list *out, struct err *err);
void iface_list_fini(struct iface_list *l);
/* The entry that has this host address; NULL. Floating addresses of ours are skipped unless with_ours. */
const struct iface_addr *iface_list_find(
    const struct iface_list *l, const struct addr *host, bool with_ours);
/* The entry in whose subnet host lies (longest prefix, up, not a host prefix, not ours); NULL. */
const struct iface_addr *iface_list_subnet(const struct iface_list *l, const struct addr *host);

/* netlink_address_add - prefix length of a; IPv6 without DAD (IFA_F_NODAD), not used as source for new
 * connections of the node (IPv6: preferred lifetime 0). Adding what is there, or deleting what is not, is 0.
 * Returns 0 or -errno (-EPERM without CAP_NET_ADMIN). */
int netlink_address_add(const char *ifname, const struct addr *a);
int netlink_address_del(const char *ifname, const struct addr *a);

/* netlink_link_get - one interface by name; -ENODEV. kind is "" for hardware, "macvlan", "veth", ... */
struct link_info {
	int index, parent; /* parent: 0 none */
	bool up;
	char kind[16];
	uint8_t mac[6];
};
int netlink_link_get(const char *ifname, struct link_info *out);
/* netlink_macvlan_add - a macvlan in mode bridge on parent, down. 0 or -errno; -EEXIST when there is an interface of
 * that name. */
int netlink_macvlan_add(const char *ifname, int parent, const uint8_t mac[6]);
/* netlink_ipvlan_add - an ipvlan in mode L2 on parent, down, with the parent's MAC. As above; -EOPNOTSUPP: the kernel has
 * none, -EBUSY: the parent has macvlans, or is a port of a bridge or a bond. All ipvlans of a parent get that mode. */
int netlink_ipvlan_add(const char *ifname, int parent);
int netlink_link_up(int index, bool up);  /* 0 or -errno */
int netlink_link_del(const char *ifname); /* what is not there is 0 */

/* netlink_watch - a descriptor that becomes readable when addresses or links change; drain with
 * netlink_watch_drain. -errno. */
int netlink_watch(void);
void netlink_watch_drain(int fd);

#endif
