/* vmac.c - a device for the addresses of a virtual router.
 *
 * It exists as long as the virtual router is configured, and is up only while this node is master. A link that
 * is down sends nothing at all: no MLD report, no duplicate address detection, no router solicitation, any of which
 * would make the switch send the master's traffic to a backup. For the same reason it is lowered before its addresses
 * are deleted, since deleting makes the kernel say goodbye to their multicast groups.
 *
 * Switches of the kernel: of the parent, only addresses of the interface itself are answered and asked from, or hosts
 * would learn its MAC for the floating address; on the device, the way back need not be the way in (rp_filter 2: the
 * subnet is on the parent; the greater of this and that of "all" counts), no address made by the kernel, no
 * autoconfiguration.
 *
 * The mode of a macvlan is bridge. In mode private the kernel takes a packet whose source is the macvlan's own MAC for the
 * macvlan alone: while both nodes are master, which they must find out, neither would hear the other on the parent.
 *
 * An ipvlan is for ports where one hardware address may be: the kernel tells by the address of a packet, not by its MAC,
 * that it is the device's. Mode L2: ARP and neighbour discovery are answered as on the parent. The kernel does not let
 * both kinds be on one parent.
 *
 * A restart finds the device by its name, which is made of kind, family, number and parent, and takes it as it is. One of
 * that name that is of another kind or on another parent is not ours: it stays, and is a fault. */
#include "vrrp/vmac.h"

#include "base/buf.h"
#include "base/must.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define ARP_FRAME 60

void
vmac_mac(uint8_t family, uint8_t vrid, uint8_t out[6])
{
	const uint8_t mac[6] = { 0, 0, 0x5e, 0, family == 4 ? 1 : 2, vrid };

	memcpy(out, mac, sizeof(mac));
}

void
vmac_name(char out[IFNAME_MAX], enum vmac_kind kind, uint8_t family, uint8_t vrid, int parent)
{
	(void)snprintf(
	    out, IFNAME_MAX, "lb%c%u.%u.%d", kind == VMAC_IPVLAN ? 'i' : 'd', family, vrid, parent);
}

bool
vmac_is_name(const char *ifname)
{
	unsigned family, vrid;
	int parent, end = 0;

	return sscanf(ifname, "lb%*1[di]%1u.%3u.%d%n", &family, &vrid, &parent, &end) == 3 &&
	       ifname[end] == '\0' && (family == 4 || family == 6);
}

static int
write_sysctl(const char *family, const char *ifname, const char *name, const char *value)
{
	char path[128];
	int fd, code = 0;

	(void)snprintf(path, sizeof(path), "/proc/sys/net/%s/conf/%s/%s", family, ifname, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd == -1)
		return -errno;
	if (write(fd, value, strlen(value)) == -1)
		code = -errno;
	(void)close(fd);
	return code;
}

static int
set_switches(const char *parent, const char *ifname)
{
	static const struct {
		bool parent, must;
		const char *family, *name, *value;
	} rows[] = {
		{ true, true, "ipv4", "arp_ignore", "1" },
		{ true, true, "ipv4", "arp_announce", "2" },
		{ false, true, "ipv4", "arp_ignore", "1" },
		{ false, true, "ipv4", "arp_announce", "2" },
		{ false, true, "ipv4", "rp_filter", "2" },
		{ false, true, "ipv4", "accept_local", "1" },
		{ false, false, "ipv6", "addr_gen_mode", "1" }, /* none; IPv6 may be off */
		{ false, false, "ipv6", "accept_ra", "0" },
		{ false, false, "ipv6", "autoconf", "0" },
		{ false, false, "ipv6", "dad_transmits", "0" },
		{ false, false, "ipv6", "router_solicitations", "0" },
	};
	int code;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		code = write_sysctl(
		    rows[i].family, rows[i].parent ? parent : ifname, rows[i].name, rows[i].value);
		if (code != 0 && rows[i].must)
			return code;
	}
	return 0;
}

static const char *const kinds[] = { [VMAC_MACVLAN] = "macvlan", [VMAC_IPVLAN] = "ipvlan" };

/* By name; but is it one of ours? 0, -ENODEV: there is none (any more), -EEXIST: it is somebody else's. */
static int
find(const struct vmac *v, int parent, struct link_info *have)
{
	int code = netlink_link_get(v->name, have);

	if (code != 0)
		return code;
	if (strcmp(have->kind, kinds[v->kind]) != 0 || have->parent != parent)
		return -EEXIST;
	if (v->kind == VMAC_IPVLAN || memcmp(have->mac, v->mac, 6) == 0)
		return 0;
	code = netlink_link_del(v->name); /* somebody gave it another MAC */
	return code == 0 ? -ENODEV : code;
}

static int
make(struct vmac *v, int parent)
{
	struct link_info have;
	int code = find(v, parent, &have);

	v->adopted = code == 0;
	if (code == -ENODEV) {
		code = v->kind == VMAC_IPVLAN ? netlink_ipvlan_add(v->name, parent)
					      : netlink_macvlan_add(v->name, parent, v->mac);
		if (code == 0)
			code = netlink_link_get(v->name, &have);
	}
	if (code != 0)
		return code;
	v->index = have.index;
	v->up = have.up;
	memcpy(v->mac, have.mac, sizeof(v->mac));
	return 0;
}

static const char *
reason(const struct vmac *v, int code)
{
	if (code == -EEXIST)
		return "an interface of that name is there, and is not lbd-ha's";
	if (code == -EBUSY)
		return v->kind == VMAC_IPVLAN
			   ? "the interface has a macvlan, or is a port of a bridge or bond"
			   : "the interface has an ipvlan, or is a port of a bridge or bond";
	if (code == -EOPNOTSUPP)
		return v->kind == VMAC_IPVLAN ? "this kernel has none (module ipvlan)"
					      : "this kernel has none (module macvlan)";
	return strerror(-code);
}

int
vmac_open(struct vmac *v, enum vmac_kind kind, const char *parent, uint8_t family, uint8_t vrid,
    struct err *err)
{
	int index = (int)if_nametoindex(parent), code;

	*v = (struct vmac){ .kind = kind, .fd = -1 };
	if (index == 0)
		return err_set(err, -ENODEV, "interface %s: it does not exist", parent);
	vmac_name(v->name, kind, family, vrid, index);
	vmac_mac(family, vrid, v->mac);
	code = make(v, index);
	if (code == 0)
		code = set_switches(parent, v->name);
	if (code == 0)
		v->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (code == 0 && v->fd == -1)
		code = -errno;
	if (code != 0)
		return err_set(err, code, "interface %s: %s %s: %s", parent, kinds[kind], v->name,
		    reason(v, code));
	return 0;
}

void
vmac_close(struct vmac *v)
{
	if (v->fd >= 0)
		(void)close(v->fd);
	v->fd = -1;
}

int
vmac_remove(struct vmac *v)
{
	vmac_close(v);
	v->up = false;
	return netlink_link_del(v->name);
}

int
vmac_set(struct vmac *v, bool up)
{
	struct ifreq rq = { 0 };

	memcpy(rq.ifr_name, v->name, sizeof(rq.ifr_name));
	if (ioctl(v->fd, SIOCGIFFLAGS, &rq) == -1)
		return -errno;
	rq.ifr_flags = (short)(up ? rq.ifr_flags | IFF_UP : rq.ifr_flags & ~IFF_UP);
	if (ioctl(v->fd, SIOCSIFFLAGS, &rq) == -1)
		return -errno;
	v->up = up;
	return 0;
}

/* ---- probe ---- */

/* RFC 5227 section 2.1.1: a probe, from nobody, so that no cache changes. */
static void
make_probe(uint8_t out[ARP_FRAME], const uint8_t mac[6], const struct addr *target)
{
	static const uint8_t head[] = { 0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, 1 };

	memset(out, 0, ARP_FRAME);
	memset(out, 0xff, 6);
	memcpy(out + 6, mac, 6);
	memcpy(out + 12, head, sizeof(head));
	memcpy(out + 22, mac, 6);
	memcpy(out + 38, target->b, 4);
}

int
vmac_answer(const void *frame, size_t n, const struct addr *target, const uint8_t own[6],
    const uint8_t other[6])
{
	struct rd r = { .p = frame, .left = n };
	const uint8_t *to = rd_bytes(&r, 6), *ip;

	(void)rd_bytes(&r, 6);
	if (rd_be(&r, 2) != ETHERTYPE_ARP || rd_be(&r, 6) != 0x000108000604 || rd_be(&r, 2) != 2)
		return 0;
	(void)rd_bytes(&r, 6);
	ip = rd_bytes(&r, 4);
	if (r.bad || memcmp(ip, target->b, 4) != 0)
		return 0;
	return memcmp(to, own, 6) == 0 ? 1 : memcmp(to, other, 6) == 0 ? 2 : 0;
}

static int
open_probe(int ifindex, const uint8_t other[6])
{
	struct sockaddr_ll sa = { .sll_family = AF_PACKET, .sll_ifindex = ifindex };
	struct packet_mreq also = {
		.mr_ifindex = ifindex, .mr_type = PACKET_MR_UNICAST, .mr_alen = 6
	};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), code;

	if (fd == -1)
		return -errno;
	sa.sll_protocol = htons(ETH_P_ARP);
	memcpy(also.mr_address, other, 6);
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0 &&
	    setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &also, sizeof(also)) == 0)
		return fd;
	code = -errno;
	(void)close(fd);
	return code;
}

/* Bit 0: the own MAC was answered, bit 1: the other. */
static unsigned
gather(int fd, const struct addr *target, const uint8_t own[6], const uint8_t other[6],
    mono_t deadline)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint8_t frame[128];
	unsigned got = 0;

	while (got != 3) {
		ssize_t n = recv(fd, frame, sizeof(frame), MSG_DONTWAIT);
		mono_t left = deadline - mono_now();

		if (n > 0)
			got |= (unsigned)vmac_answer(frame, (size_t)n, target, own, other);
		else if (left <= 0 || poll(&p, 1, (int)(left / 1000) + 1) == -1)
			break;
	}
	return got;
}

int
vmac_probe(const char *parent, const struct addr *target, dur_t wait, enum vmac_way *out)
{
	struct link_info link;
	uint8_t other[6], frame[ARP_FRAME];
	unsigned got;
	int code = netlink_link_get(parent, &link), fd;

	must(target->family == 4);
	if (code != 0)
		return code;
	memcpy(other, link.mac, sizeof(other));
	other[0] ^= 2; /* locally administered, and nobody else's */
	other[4] ^= 0x5e;
	fd = open_probe(link.index, other);
	if (fd < 0)
		return fd;
	make_probe(frame, link.mac, target);
	if (send(fd, frame, sizeof(frame), 0) == -1)
		code = -errno;
	make_probe(frame, other, target);
	if (code == 0 && send(fd, frame, sizeof(frame), 0) == -1)
		code = -errno;
	got = code == 0 ? gather(fd, target, link.mac, other, mono_now() + wait) : 0;
	(void)close(fd);
	if (code == 0)
		*out = got == 3 ? VMAC_PASSES : got == 1 ? VMAC_BLOCKED : VMAC_UNKNOWN;
	return code;
}
