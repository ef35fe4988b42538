/* arrive.h - a client that was accepted, until its stream begins: PROXY header and TLS handshake come first. */
#ifndef LBD_PROXY_ARRIVE_H
#define LBD_PROXY_ARRIVE_H

#include "conn.h"

/* arrive - c is all set but for its ops. full: the service has as many as it may. */
void arrive(struct conn *c, bool full);

#endif
