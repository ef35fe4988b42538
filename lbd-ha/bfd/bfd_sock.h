/* bfd_sock.h - control packets of BFD over one hop: UDP sockets. No memory of its own, never waits.
 * Source: RFC 5881 sections 4 and 5, ip(7), ipv6(7). Needs no capability. */
#ifndef BFD_SOCK_H
#define BFD_SOCK_H

#include "bfd/bfd_packet.h"

#include "base/addr.h"

#define BFD_PORT 3784
#define BFD_SOURCE_LEAST 49152 /* to 65535 */

struct bfd_frame {
	struct addr src;
	int ifindex;
	unsigned ttl; /* 0: the kernel did not say */
	size_t n;
	uint8_t bytes[64]; /* what is longer is no packet that we take, and is cut */
};

/* bfd_sock_listen - for all sessions of a family (4, 6): port 3784 of every address. The descriptor, or -errno:
 * -EADDRINUSE when another speaker of BFD has it. */
int bfd_sock_listen(uint8_t family);
/* bfd_sock_open - for what one session sends: TTL 255, a source port that no other socket of this machine has, and
 * nothing is received. random: any number. The descriptor, or -errno. */
int bfd_sock_open(uint8_t family, uint32_t random);
/* bfd_sock_send - 0 or -errno: a firewall's -EPERM, -ENETUNREACH when the neighbour is on no network of this machine,
 * -ENODEV without the interface (ifname; "": by the routes). */
int bfd_sock_send(
    int fd, const struct addr *to, const char *ifname, const uint8_t bytes[BFD_BYTES]);
/* bfd_sock_receive - the next datagram that waits: 1, 0 none, -errno. */
int bfd_sock_receive(int fd, struct bfd_frame *out);

#endif
