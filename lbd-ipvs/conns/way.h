/* way.h - packets onto the wire past the kernel's own path: no IPVS, no connection tracking, no rules touch them. */
#ifndef IPVS_CONNS_WAY_H
#define IPVS_CONNS_WAY_H

#include "base/addr.h"
#include "base/err.h"

struct ways;
int ways_open(struct ways **out, struct err *err); /* -EPERM without CAP_NET_RAW */
void ways_close(struct ways *w);		   /* NULL is fine */
/* ways_forget - neighbours and routes are asked of the kernel anew. */
void ways_forget(struct ways *w);
/* ways_send - packet from the IP header on, to whoever is the next hop on the way to host `to` (which need not be the
 * packet's destination). -EAGAIN: the hardware address is not known yet, it is being asked for; -EHOSTUNREACH; -ELOOP: it
 * is this node itself. */
int ways_send(struct ways *w, const struct addr *to, const void *packet, size_t len);
/* ways_source - the address this node uses towards host `to`. -EHOSTUNREACH. */
int ways_source(struct ways *w, const struct addr *to, struct addr *out);

#endif
