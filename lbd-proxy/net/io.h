/* io.h - sockets of the data path, and what a worker waits on.
 * A descriptor is registered once, edge-triggered, for reading and writing; callers remember what is ready and
 * ask again only after a short count or -EAGAIN. Small enough that another engine could stand behind it. */
#ifndef LBD_PROXY_IO_H
#define LBD_PROXY_IO_H

#include "base/addr.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/types.h>

/* CLOSED: the other side sends no more, after what is still to be read. URGENT: some of that is, so a read may end before it. BROKEN: an
 * error, or the end of both directions: it shows in what is done next. */
enum { IO_READ = 1, IO_WRITE = 2, IO_CLOSED = 4, IO_URGENT = 8, IO_BROKEN = 16 };
struct io;
typedef void (*io_fn)(struct io *io, unsigned ready);

/* Lies in the object that owns the descriptor; fn finds that by container_of. */
struct io {
	int fd; /* -1: closed */
	uint32_t
	    serial; /* of its watch: an edge that bears another one is not of this descriptor */
	io_fn fn;   /* NULL: it is not watched */
};

#define POLLER_BATCH 64 /* edges that are told in one turn */
struct poller {
	int fd;
	uint32_t serial;
	uint32_t size;
	struct io **at; /* of each descriptor below size that is watched */
	struct epoll_event ready[POLLER_BATCH];
};
int poller_init(struct poller *p); /* 0 or -errno */
void poller_fini(struct poller *p);
/* poller_wait - up to ms milliseconds, -1 without end: how many of ready[] there are. poller_tell - one of them; no effect when
 * it was closed since. */
unsigned poller_wait(struct poller *p, int ms);
void poller_tell(struct poller *p, const struct epoll_event *ready);

void io_init(struct io *io, int fd);
static inline int
io_fd(const struct io *io)
{
	return io->fd;
}
/* io_watch - fn is told of every edge from now on, once at least if something is ready already.
 * Returns 0 or -errno. */
int io_watch(struct io *io, struct poller *p, io_fn fn);
/* io_watch_read - fn is told in each turn that there is something to read, for as long as there is; io_unwatch - no more. */
int io_watch_read(struct io *io, struct poller *p, io_fn fn);
void io_unwatch(struct io *io, struct poller *p);
static inline bool
io_watched(const struct io *io)
{
	return io->fn != NULL;
}
/* io_close - watched no more, and closed; io_reset does it so that the other side gets a reset. Fine on a closed one. */
void io_close(struct io *io, struct poller *p);
void io_reset(struct io *io, struct poller *p);
/* io_vanish - closed, and the other side is not told: it learns of it when it sends the next time. One on this machine gets a reset. */
void io_vanish(struct io *io, struct poller *p);

/* > 0 bytes, 0 end of stream (io_recv only), or -errno; -EAGAIN: an edge will tell. */
ssize_t io_recv(struct io *io, void *p, size_t n);
ssize_t io_peek(
    struct io *io); /* 1: data, 0: end of stream, -EAGAIN: open and silent, else -errno */
/* more: what comes next, or the end, may go with it in one segment (MSG_MORE) */
ssize_t io_send(struct io *io, const void *p, size_t n, bool more);
/* to and from a pipe, without copying */
ssize_t io_splice_in(struct io *io, int pipe_w, size_t n);
ssize_t io_splice_out(struct io *io, int pipe_r, size_t n);
int io_shutdown(struct io *io); /* no more bytes from us; 0 or -errno */

/* io_accept - a non-blocking client with its address, or -errno. */
int io_accept(struct io *io, struct addr *from, uint16_t *port);
/* io_defer - wait for the first bytes before a connection is shown to us (HTTP), or not. */
void io_defer(int fd, bool on);

#endif
