/* vrrp_sock.h - advertisements on one interface, of one family: raw sockets. No memory after vrrp_sock_open.
 * Source: RFC 9568 sections 5.1 and 7.2, ip(7), ipv6(7), raw(7). Needs CAP_NET_RAW. */
#ifndef VRRP_SOCK_H
#define VRRP_SOCK_H

#include "vrrp/vrrp_packet.h"

#include "base/err.h"

struct vrrp_sock {
	int rx, tx; /* poll rx; -1 closed */
	int ifindex;
	uint8_t family;
};

struct vrrp_frame {
	struct vrrp_ip ip;
	const uint8_t *p; /* from the VRRP header on; into bytes */
	size_t n;
	uint8_t bytes[VRRP_BYTES_MAX + 64]; /* IPv4: with its header */
};

/* vrrp_sock_open - joins the group of the family on the interface, receives of this interface alone. 0, or -errno with
 * err; nothing is open then. */
int vrrp_sock_open(struct vrrp_sock *s, const char *ifname, uint8_t family, struct err *err);
void vrrp_sock_close(struct vrrp_sock *s); /* twice is fine */
/* vrrp_sock_send - one advertisement from ip->src to ip->dst with TTL 255, out of an interface: s->ifindex, or a macvlan
 * on it, whose MAC is the source then; as long as the macvlan cannot send yet (a moment after its parent came up), the
 * parent sends. 0 or -errno: a firewall's -EPERM, -ENETDOWN. Never waits. */
int vrrp_sock_send(
    const struct vrrp_sock *s, int ifindex, const struct vrrp_ip *ip, const uint8_t *p, size_t n);
/* vrrp_sock_receive - the next packet that waits: 1, 0 none, -errno (-ENETDOWN when the interface went down). */
int vrrp_sock_receive(const struct vrrp_sock *s, struct vrrp_frame *out);

#endif
