/* h3.h - HTTP/3 of clients (RFC 9114): a door is the UDP socket of a listener, where connections of QUIC begin; each then has a socket of
 * its own, and streams as those of HTTP/2 (h2/h2.h). */
#ifndef LBD_PROXY_H3_H
#define LBD_PROXY_H3_H

struct conn_ops;
struct h3_door;
struct listener;

extern const struct conn_ops h3_ops;

/* h3_door_set - of a listener that accepts: a door where its service wants one, none where not. h3_door_close - in any case. Worker. */
void h3_door_set(struct listener *l);
void h3_door_close(struct listener *l);

#endif
