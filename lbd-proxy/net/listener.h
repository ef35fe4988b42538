/* listener.h - a listening socket in a worker. The control thread opens the socket (so that it can say why it cannot) and
 * hands it over; from then on only the worker touches it. */
#ifndef LBD_PROXY_LISTENER_H
#define LBD_PROXY_LISTENER_H

#include "base/list.h"

#include "io.h"
#include "runtime.h"

struct worker;
struct wsvc;
struct listener {
	struct io io;
	struct worker *w;
	struct wsvc *svc;     /* worker's */
	struct list halted;   /* in worker.halted: no descriptor was free */
	struct list link;     /* in worker.listeners */
	struct h3_door *door; /* of clients by QUIC (h3/h3.h); NULL: none */
	uint16_t port;
	uint8_t most; /* clients that are accepted in a turn */
	uint8_t full; /* turns in a row in which so many came */
};

/* listener_new - control thread: the object for a socket that listens; takes fd. Ends the process without memory. */
struct listener *listener_new(struct worker *w, int fd, uint16_t port);
/* The rest are letters: worker_post(w, listener_..., listener, svc). The service must have been set before.
 * listener_start takes it over, listener_move gives it to another service (or mode) without losing who waits
 * in its queue, listener_stop accepts who waits, closes and frees. Each takes a reference of svc (NULL with stop). */
void listener_start(struct worker *w, void *listener, void *svc);
void listener_move(struct worker *w, void *listener, void *svc);
void listener_stop(struct worker *w, void *listener, void *none);

/* listener_renew - the service has a new view. In the worker. */
void listener_renew(struct worker *w, const struct wsvc *s);

/* listener_begin - nothing is held any more: those that were started before accept from now on. In the worker. */
void listener_begin(struct worker *w);
/* listener_resume - descriptors may be free again; listener_close_all - accept who waits, close. In the worker. */
void listener_resume(struct worker *w);
void listener_close_all(struct worker *w);
/* listener_accept - one client of a socket that is no listener, counted and limited as others: its conn is all set but for its
 * ops. -EAGAIN: there is none; -EMFILE, -ENOMEM, or -EBUSY: the service has as many as it may, and it was reset. */
struct conn;
int listener_accept(struct io *io, struct wsvc *s, uint16_t port, struct conn **out);

#endif
