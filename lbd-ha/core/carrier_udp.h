/* carrier_udp.h - heartbeats by UDP: to the peer's address (on one link or through routers), or to a group. */
#ifndef HA_CARRIER_UDP_H
#define HA_CARRIER_UDP_H

#include "core/beat.h"
#include "core/carrier.h"

#include "base/addr.h"
#include "base/err.h"

#include <netinet/in.h>
#include <sys/socket.h>

#define CARRIER_BATCH 16

struct carrier_udp_conf {
	struct addr
	    local; /* ours; family 0: any. With a group: the interface is taken from ifname */
	struct addr peer;  /* where to, and from where only; with a group family 0: from anywhere */
	struct addr group; /* family 0: none */
	uint16_t port;	   /* of both sides */
	char ifname
	    [16]; /* bound to this interface; "": the routes decide. Needed for fe80:: and groups */
	uint8_t hops; /* 0: 1 for a group, else 64 */
	bool loop;    /* a group's frames are heard on the own machine too */
};

struct carrier_udp {
	int fd;
	struct addr from; /* family 0: any */
	struct sockaddr_storage to;
	socklen_t to_len;
	mono_t refused_at; /* the peer's machine said that nobody listens there; 0 never */
	mono_t empty_at;   /* nothing was in the socket then: what comes later arrived later */
	uint64_t strangers, cut; /* from another address; longer than any frame */
	uint8_t bytes[CARRIER_BATCH][BEAT_MAX];
	struct sockaddr_storage source[CARRIER_BATCH];
	union {
		struct cmsghdr align;
		char room[64];
	} control[CARRIER_BATCH];
	struct iovec iov[CARRIER_BATCH];
	struct mmsghdr msg[CARRIER_BATCH];
};

/* carrier_udp_open - the socket with highest priority (SO_PRIORITY 7, or 6 without CAP_NET_ADMIN; DSCP CS6).
 *
 * Returns: 0, or -errno with err filled: -EADDRNOTAVAIL, -ENODEV, -EPERM, ... On failure u->fd is -1.
 */
int carrier_udp_open(struct carrier_udp *u, const struct carrier_udp_conf *conf, struct err *err);
void carrier_udp_close(struct carrier_udp *u);
/* carrier_udp_send - one frame, never waiting. 0 or -errno (for carrier_sent). */
int carrier_udp_send(struct carrier_udp *u, const void *bytes, size_t len);
/* carrier_udp_read - calls fn for each frame from the peer, CARRIER_BATCH at most. Arrival is by the kernel's stamp.
 *
 * Returns: how many datagrams were taken, strangers too; fewer than CARRIER_BATCH: the socket is empty. -errno.
 */
int carrier_udp_read(struct carrier_udp *u, carrier_in_fn *fn, void *arg);

#endif
