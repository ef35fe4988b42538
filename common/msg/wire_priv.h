/* wire_priv.h - one end of a connection of the bus: packets out through a queue, packets in to
 * callbacks. Shared by bus.c and bus_link.c.
 *
 * Nothing here calls back but the loop: whatever goes wrong while sending is told by closed() in
 * a later turn. */
#ifndef MSG_WIRE_PRIV_H
#define MSG_WIRE_PRIV_H

#include "msg/msg.h"
#include "sys/loop.h"

struct wire_ops {
	void (*packet)(void *arg, const struct msg_row *row, uint32_t seq, const union msg_any *m);
	void (*unknown)(void *arg, unsigned number, uint32_t seq); /* a type of a newer version */
	void (*closed)(void *arg, int code, const char *why); /* code ERR_PROTO: it sent rubbish */
	void (*drained)(void *arg);			      /* the queue got empty; may be NULL */
};
struct wire {
	struct loop_fd io;
	int fd; /* -1: closed */
	bool cut;
	bool keys;	/* out holds, or held, what is to be wiped */
	struct buf out; /* whole packets; the first sent bytes of it are gone */
	size_t sent;
	mono_t moved; /* when bytes last left, or the queue began */
	const struct wire_ops *ops;
	void *arg;
};

void wire_start(
    struct wire *w, struct loop *l, int fd, const struct wire_ops *ops, void *arg); /* takes fd */
void wire_stop(struct wire *w); /* closes; no callback; fine on a stopped one */
void wire_send(struct wire *w, unsigned number, uint32_t seq, const void *payload);
void wire_send_packet(struct wire *w, const void *packet, size_t len);
size_t wire_backlog(const struct wire *w);
/* wire_cut - throw the queue away and shut the connection; closed() follows. */
void wire_cut(struct wire *w);
void wire_hello(struct wire *w, const char *program); /* the first packet of both sides */

#endif
