/* track.h - which address and port of this node a server of mode snat sees. */
#ifndef IPVS_CONNS_TRACK_H
#define IPVS_CONNS_TRACK_H

#include "conns/entry.h"

/* track_open - a descriptor for questions to connection tracking; -errno. Close it with close. */
int track_open(void);
/* track_find - source of the connection on the server's side. 0; -ENOENT: it is not tracked; -errno. */
int track_find(int fd, const struct entry *e, struct addr *addr_out, uint16_t *port_out);

#endif
