/* h2_back.h - HTTP/2 to servers. A worker has one connection to a server, or a few; each request is a stream of one, and becomes a connection
 * without a socket, on which http/ speaks HTTP/1.1 as with any server: conn.c asks here for what it would ask the socket. */
#ifndef LBD_PROXY_H2_BACK_H
#define LBD_PROXY_H2_BACK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct conn;
struct conn_ops;
struct seat;
struct worker;
struct wsrv;
struct wsvc;

/* How a stream is to be. */
struct h2_back_how {
	bool trailers; /* the client takes them (TE) */
	bool both;     /* and those of an answer whose length was told too (struct h2_ask) */
	bool tunnel;   /* the request asks for a WebSocket (websocket.h) */
	bool alone;    /* a connection of its own */
};
/* h2_back_open - a stream to the seat's server for this client; the connection is busy. *out NULL with 0: it speaks HTTP/1.1, or
 * WebSockets by that alone. Codes as backend_connect. Until the server is known to speak HTTP/2, nothing is sent (conn_write says -EAGAIN). */
int h2_back_open(const struct seat *s, const struct conn *client, const struct h2_back_how *how,
    const struct conn_ops *ops, struct conn **out);

/* h2_back_drop - connections of a server take no more streams, idle ones are closed; whoever calls releases s.
 * h2_back_leave - the same of a service, which may be gone then. h2_back_evict - up to most idle ones are closed, for their descriptors;
 * how many. h2_back_end - all are closed. */
void h2_back_drop(struct wsrv *s);
void h2_back_leave(struct wsvc *s);
unsigned h2_back_evict(struct worker *w, unsigned most);
void h2_back_end(struct worker *w);

/* Of a stream: h2_back_write as conn_write; the others as in h2.h. */
ssize_t h2_back_write(struct conn *c, const void *p, size_t n);
void h2_back_wake(struct conn *c);
void h2_back_detach(struct conn *c, bool reset);
int h2_back_fd(const struct conn *c);

#endif
