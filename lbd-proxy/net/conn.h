/* conn.h - one socket of a client or to a server. It owns memory only for bytes that could not be sent yet, or that were
 * received too early; everything else about a request is in its stream (http_stream.h, tcp_stream.h). */
#ifndef LBD_PROXY_CONN_H
#define LBD_PROXY_CONN_H

#include "base/addr.h"
#include "base/list.h"

#include "io.h"
#include "pool/local.h"
#include "wheel.h"

#define CONN_MAGIC 0xc0994ec7

struct worker;
struct conn;
struct metered;
struct tls_conn;
struct h2_stream;
/* What happens on a connection. None of these may be entered for a connection that was closed. */
struct conn_view {
	const char *state;	   /* in words, constant */
	const struct conn *server; /* borrowed; NULL: none now */
};
struct conn_ops {
	void (*show)(
	    const struct conn *c, struct conn_view *out); /* clients: for lists of connections */
	void (*event)(
	    struct conn *c, unsigned ready); /* IO_READ, IO_WRITE, IO_CLOSED; 0: its next turn */
	void (*timeout)(struct conn *c);
	void (*cut)(struct conn *c); /* server connections: halt, end of drain, failure */
};

struct chunk {
	uint32_t off, len, room; /* len: end of the bytes */
	uint8_t b[];
};

struct conn {
	uint32_t magic;
	bool client : 1;
	bool can_read : 1; /* an edge came, and not all was read since */
	bool hup : 1;	   /* the other side sends no more, after what is to be read */
	bool eof : 1;	   /* and that was read */
	bool urgent : 1;   /* some of what came is urgent data: a read may end before it */
	bool closing : 1;  /* closed as soon as out is sent */
	bool drained : 1;  /* closing, and what still arrives is thrown away */
	bool reused : 1;   /* server: came out of the pool */
	bool up : 1;	   /* server: the connect succeeded */
	bool paced : 1;	   /* the kernel sends no faster than a rule says */
	bool unseen : 1;   /* server: lost, and nothing was done with the request */
	bool moved : 1;	   /* and it is its connection that takes no more (GOAWAY) */
	bool last : 1;	   /* the end is sent together with the last bytes */
	bool said_all : 1; /* nothing comes that a close would answer by a reset */
	bool quick : 1;	   /* client: the kernel takes as much as it likes (unsent.h) */
	bool bounded : 1;  /* server: its window was limited (unsent.h) */
	bool frozen : 1;   /* server: its window does not grow (unsent.h) */
	bool h3 : 1;	   /* client: it speaks HTTP/3, or carries those that do */
	bool held : 1;	   /* stream: not all that was written could be sent */
	bool
	    broken : 1; /* an error, or both directions ended: the next reads tell, after what came before */
	struct worker *w;
	union {
		struct wsvc *svc; /* client */
		struct wsrv *srv; /* server */
	};
	const struct conn_ops *ops;
	void *task;	  /* the stream it works for; NULL is idle */
	struct list link; /* of its service, or of idle or busy ones of its server */
	struct list turn; /* in the worker's list again */
	struct timer timer;
	struct chunk *in, *out;	 /* read too early; not sent yet, as it goes out */
	struct tls_conn *tls;	 /* NULL: plain */
	struct metered *metered; /* client: what is counted of it; NULL: nothing */
	struct h2_stream
	    *h2; /* NULL: it has a socket; else a stream of another connection (h2/h2.h) */
	uint64_t bytes_in, bytes_out;
	uint32_t serial, requests;
	uint32_t since_s;   /* seconds of the monotonic clock */
	uint16_t port;	    /* client: the port it came to; server: the port of the server */
	uint16_t peer_port; /* of the other side */
	struct addr addr;   /* of the other side */
	uint32_t
	    lap_ms; /* when bytes_out had the last full megabyte, wrapping around; 0: not yet */
	struct io io;
};

/* conn_new - takes fd over (also when it fails: closed); -1 for a stream. NULL: no memory. */
struct conn *conn_new(struct worker *w, int fd, const struct conn_ops *ops);
/* conn_close - its task must have been taken off. The object goes when the stack is unwound. */
void conn_close(struct conn *c);
void conn_reset(struct conn *c);
void conn_vanish(
    struct conn *c); /* as conn_reset, and nobody is told; a stream of HTTP/2 is reset */
void conn_reap(struct worker *w);
static inline bool
conn_is_open(const struct conn *c)
{
	return io_fd(&c->io) != -1;
}

/* conn_watch - wait for edges from now on; false: not possible, close it. Again is free. */
bool conn_watch(struct conn *c);
/* conn_recv - bytes into p: those that were kept first, then one recv. 0: nothing more for now; -ENODATA: end of
 * stream; else -errno. conn_keep puts bytes back in front of what is still to be read; -ENOMEM. */
ssize_t conn_recv(struct conn *c, void *p, size_t room);
int conn_keep(struct conn *c, const void *p, size_t n);
static inline uint32_t
conn_kept(const struct conn *c)
{
	return c->in == NULL ? 0 : c->in->len - c->in->off;
}
/* conn_gone - of one that is not read yet: the other side has closed it, or broken it off. */
static inline bool
conn_gone(const struct conn *c)
{
	return c->hup || c->broken;
}
/* conn_send - now what can be sent, the rest is kept. 0: all is sent; 1: some is kept; or -errno. */
int conn_send(struct conn *c, const void *p, size_t n);
/* conn_flush - send what was kept: as conn_send. */
int conn_flush(struct conn *c);
/* conn_write - as much as goes now, nothing is kept of plain bytes: how many, -EAGAIN: an edge will tell, also while a
 * handshake is going on; else -errno. */
ssize_t conn_write(struct conn *c, const void *p, size_t n);
/* conn_send_raw - beneath TLS: bytes as they go to the socket, not counted. As conn_send. */
int conn_send_raw(struct conn *c, const void *p, size_t n);
/* conn_last - what is sent next is the last, and the caller ends the stream in the same turn: both go in one segment, a
 * wake-up of the other side and an acknowledgement less (MSG_MORE). said_all: the other side has announced that it sends nothing more. */
static inline void
conn_last(struct conn *c, bool said_all)
{
	c->last = c->h2 == NULL;
	c->said_all = said_all;
}
/* conn_shutdown - no more bytes from us; a broken connection shows when it is read. */
void conn_shutdown(struct conn *c);
/* conn_is_quiet - of an idle connection: it is open, and nothing came that a stream would read. */
bool conn_is_quiet(struct conn *c);
static inline bool
conn_unsent(const struct conn *c)
{
	return c->out != NULL || c->held;
}
void conn_count_in(struct conn *c, size_t n); /* bytes that went another way (splice) */
void conn_count_out(struct conn *c, size_t n);
void conn_timer(struct conn *c, dur_t after);
static inline void
conn_timer_off(struct conn *c)
{
	wheel_off(&c->timer);
}
/* conn_pace - most bytes a second that are sent from now on; 0: no limit. Of a stream of HTTP/2: by the whole connection, while it lasts. */
void conn_pace(struct conn *c, uint64_t bytes_s);
/* conn_again - its ops->event(c, 0) is called after the others had their turn. */
void conn_again(struct conn *c);
/* conn_finish - a client that is done with: send what is kept, then close. linger: it may still be sending; tell it that
 * no more comes and throw away what arrives for a short while, so that the answer is not lost to a reset. */
void conn_finish(struct conn *c, bool linger);

#endif
