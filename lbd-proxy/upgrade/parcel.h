/* parcel.h - what an old and a new process of lbd-proxy say to each other: one packet of a SOCK_SEQPACKET pair each, the first
 * byte is its type, big-endian, at most PARCEL_MOST bytes, with descriptors beside it. Packing and unpacking are pure.
 *
 * A process tells its version in its first parcel, and refuses another's. Within a version types that it does not know are
 * passed over. */
#ifndef PARCEL_H
#define PARCEL_H

#include "base/addr.h"
#include "base/buf.h"
#include "msg/counters.h"
#include "msg/phases.h"

#include <stdbool.h>
#include <sys/types.h>

#define PARCEL_VERSION 1
#define PARCEL_MOST 65000
#define PARCEL_FDS 64 /* sockets in one */
enum parcel {
	PARCEL_HELLO =
	    1, /* new: version u16, release text; the answer is the same from the old, with the bus's socket */
	PARCEL_REFUSED, /* either: why, as text */
	PARCEL_SOCKETS, /* old: family u8, address 16 bytes, port u16 of each, and the sockets */
	PARCEL_TICKETS, /* old: keys of TLS tickets, as tls_ticket.c writes them */
	PARCEL_SEED,	/* old: seed u64, generation u32, stamp u64 of the persistence table */
	PARCEL_START,	/* old: all is there that the start needs */
	PARCEL_READY,	/* new: it could serve now */
	PARCEL_STICK,	/* old: persistence entries, as stick_batch.h has it */
	PARCEL_COUNT,	/* old: what a service or server counted since the last such parcel */
	PARCEL_ELDER,	/* old: u32 process id, and the end of its pair: one that was before it */
	PARCEL_GO,	/* old: it answers on no socket but those of clients any more */
	PARCEL_TAKEN,	/* new: it serves */
	PARCEL_MAIN,	/* old: systemd knows it */
	PARCEL_LEFT,	/* old: u32 connections that it still has */
	PARCEL_REOPEN,	/* new: open the access log anew */
	PARCEL_AGAIN,	/* new: tell all gauges again */
	PARCEL_ASK,	/* new: u32 number, and a message: CONNS, CONNS_KILL */
	PARCEL_ROWS,	/* old: u32 number, and messages CONN, each with its length u16 in front */
	PARCEL_DONE, /* old: u32 number, and u32 connections that were reset: the answer is complete */
	PARCEL_RULES, /* old: u32 service; of its rules u32 id, and u64 held and unknown, more than before */
};

struct parcel_hello {
	unsigned version;
	char release[40];
};
void parcel_hello(struct buf *out);
/* parcel_hello_take - -EBADMSG: it is none. Whether the version is ours is for the caller. */
int parcel_hello_take(struct rd *r, struct parcel_hello *out);

void parcel_socket(
    struct buf *out, const struct addr *a, uint16_t port); /* one more; the first begins it */
bool parcel_socket_take(
    struct rd *r, struct addr *a, uint16_t *port); /* false: the end, or rubbish */

struct parcel_count {
	bool server; /* else a service */
	uint32_t id;
	int64_t since;
	union {
		struct service_counters of_service;
		struct server_counters of_server;
	} n;		     /* totals: more than before; gauges: now */
	struct phases times; /* of a service: more than before */
};
void parcel_count(struct buf *out, const struct parcel_count *c);
int parcel_count_take(struct rd *r, struct parcel_count *out); /* -EBADMSG */

/* parcel_send - 0 or -errno (-EAGAIN: later). Descriptors stay the caller's. */
int parcel_send(int fd, const void *p, size_t n, const int *fds, unsigned n_fds);
/* parcel_recv - bytes, 0 at the end of the other, or -errno. fds has room for PARCEL_FDS; they are the caller's, close-on-exec.
 * pid_out (may be NULL): who sent it, as the kernel says; 0 unknown. */
ssize_t parcel_recv(int fd, void *p, size_t room, int *fds, unsigned *n_fds_out, int *pid_out);

#endif
