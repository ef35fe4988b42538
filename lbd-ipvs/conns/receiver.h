/* receiver.h - the kernel's own receiver of the connection sync, as a place to send to from this node. */
#ifndef IPVS_CONNS_RECEIVER_H
#define IPVS_CONNS_RECEIVER_H

#include "plan/table.h"

#include "base/err.h"

/* receiver_open - a socket whose datagrams reach that receiver and no other machine (hop limit 0). receiver must be on; a
 * group or port that it leaves to the kernel is filled in. 0, or -errno with err; the caller closes *fd_out in any case. */
int receiver_open(struct ipvs_sync *receiver, int *fd_out, struct err *err);

/* What waits in the receiver's queue, and what it has lost for want of room since it runs. */
struct receiver_queue {
	uint64_t bytes, drops;
	unsigned sockets; /* 0: it does not run */
};
/* receiver_look - from the kernel's list of UDP sockets (path: UDP4 or UDP6 of the receiver's group; a test gives another).
 * 0 or -errno. */
#define RECEIVER_UDP4 "/proc/net/udp"
#define RECEIVER_UDP6 "/proc/net/udp6"
int receiver_look(const char *path, const struct ipvs_sync *receiver, struct receiver_queue *out);

#endif
