/* h2.h - HTTP/2 of clients. One connection carries many streams; each becomes a connection without a socket of its own, on which the rest
 * of the proxy speaks HTTP/1.1 with one request: conn.c asks here for what it would ask the socket. */
#ifndef LBD_PROXY_H2_H
#define LBD_PROXY_H2_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct conn;

/* h2_begin - the client speaks HTTP/2 from its first byte on. h2_sniff - it may, or HTTP/1.1: the first bytes tell. */
void h2_begin(struct conn *c);
void h2_sniff(struct conn *c);
/* h2_carries - c is a connection with streams. h2_leave - its service ends: new requests should go elsewhere.
 * h2_next - walks the streams of one: NULL gives the first. Borrowed. */
bool h2_carries(const struct conn *c);
void h2_leave(struct conn *c);
struct conn *h2_next(const struct conn *carrier, const struct conn *at);

/* Of a stream, as conn.h says. h2_detach - its conn goes. h2_fd - the socket that carries it. */
ssize_t h2_recv(struct conn *c, void *p, size_t room);
int h2_send(struct conn *c, const void *p, size_t n);
int h2_flush(struct conn *c);
void h2_shutdown(struct conn *c);
void h2_detach(struct conn *c, bool reset);
int h2_fd(const struct conn *c);

#endif
