/* backend.h - a request's or connection's way to a server: who takes it, waiting for a place, and connections to it.
 * A seat is the claim of one stream on one place at one server; streams embed it. */
#ifndef LBD_PROXY_BACKEND_H
#define LBD_PROXY_BACKEND_H

#include "base/list.h"

#include "net/conn.h"
#include "local.h"

#define SEAT_TRIES 11 /* the field retries goes to 10 */

struct seat {
	struct wsvc *svc;
	struct wsrv *srv;  /* it has a place there; NULL none */
	uint32_t index;	   /* of srv in the view; right after it was taken only */
	struct srv *bound; /* reference: waits for a place at this one alone; NULL any */
	struct list link;  /* in svc->waiting while it waits */
	void (*ready)(struct seat *s);	/* waited, and has a place now */
	void (*failed)(struct seat *s); /* waited, but no server is fit any more */
	uint8_t tries;
	uint32_t tried[SEAT_TRIES]; /* ids of servers that could not be reached */
};
enum seat_result {
	SEAT_OK,      /* srv and index are set */
	SEAT_WAIT,    /* ready or failed will be called; the caller keeps the time */
	SEAT_NONE,    /* no server is fit */
	SEAT_REFUSED, /* all are full, and so is the queue */
};

void seat_init(
    struct seat *s, struct wsvc *svc, void (*ready)(struct seat *), void (*failed)(struct seat *));
/* seat_take - known: id of the server that the client belongs to, 0 none. It is taken when it is fit and may have
 * those it knows, also while it drains; when it is full, the seat waits for it. */
enum seat_result seat_take(struct seat *s, uint32_t known);
/* seat_leave - give the place back, or wait no more; fine in any state. */
void seat_leave(struct seat *s);
/* seat_tried - the server could not be reached: leave, and do not choose it again. False: no tries are left. */
bool seat_tried(struct seat *s);
/* backend_kick - places may be free: go through those that wait. */
void backend_kick(struct wsvc *s);

/* backend_idle - a pooled connection to the seat's server for this client; NULL none. fresh: only one that was in use
 * just now. A transparent service has none: each belongs to the client whose address it bears.
 * backend_connect - a new one, its connect begun. -EMFILE: no descriptor is left. The connection is busy. */
struct conn *backend_idle(
    const struct seat *s, const struct conn *client, bool fresh, const struct conn_ops *ops);
int backend_connect(
    const struct seat *s, const struct conn *client, const struct conn_ops *ops, struct conn **out);
/* backend_observed - the server failed a request or connection: lbd-check will look sooner. */
void backend_observed(const struct wsrv *s, enum observed what);
/* backend_done - the stream has let go of it: into the pool, or closed. */
void backend_done(struct conn *c, bool reusable);

#endif
