/* ping_socket.h - the questions of ping.h sent, and their answers read. */
#ifndef HA_PING_SOCKET_H
#define HA_PING_SOCKET_H

#include "core/ping.h"

#include "base/err.h"

struct ping_socket {
	int fd[2];   /* IPv4, IPv6; -1: could not be had */
	bool raw[2]; /* of the kind that needs CAP_NET_RAW */
};

/* ping_socket_open - a ping socket where net.ipv4.ping_group_range lets us, else a raw one.
 *
 * Returns: 0 when at least one family can be had; else -errno with err filled.
 */
int ping_socket_open(struct ping_socket *s, struct err *err);
void ping_socket_close(struct ping_socket *s);
/* ping_socket_send - all questions that are due now; failures are kept at their targets. */
void ping_socket_send(struct ping_socket *s, struct ping *p, mono_t now);
/* ping_socket_read - all answers that are there, 64 at most of each family. Arrival is now: a ping node's answer decides
 * nothing that is finer than an interval. Returns a mask of the targets that answered. */
uint32_t ping_socket_read(struct ping_socket *s, struct ping *p, mono_t now);

#endif
