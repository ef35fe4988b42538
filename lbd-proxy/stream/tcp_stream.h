/* tcp_stream.h - a connection whose bytes are passed on as they are: TCP services, and HTTP after an upgrade. */
#ifndef LBD_PROXY_TCP_STREAM_H
#define LBD_PROXY_TCP_STREAM_H

#include "pool/backend.h"

extern const struct conn_ops tcp_ops; /* of both sides */

/* tcp_begin - a client that was just accepted. */
void tcp_begin(struct conn *client);
/* tcp_upgrade - go on with these two, whose streams have let go; takes the seat's place over. Bytes that were received
 * already were kept in the connections. Without memory both are closed. The story goes on, and ends with the tunnel. */
struct story;
void tcp_upgrade(
    struct conn *client, struct conn *server, struct seat *seat, const struct story *story);

#endif
