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
	struct list
	    tail; /* in svc->tails: the last of its priority there; by queue.c, while it waits */
	void (*ready)(struct seat *s);	/* waited, and has a place now */
	void (*failed)(struct seat *s); /* waited, but no server is fit any more */
	int16_t priority;		/* while it waits: lower goes first; set after seat_init */
	uint8_t tries;
	uint16_t port;	/* of the server, instead of its own; 0: its own */
	struct addr as; /* transparent: who the client is, by a header; family 0: as it came */
	bool hashed;	/* hash is that of its key */
	bool retrying;	/* counted in svc->retrying */
	bool pooled;	/* svc is a pool that a rule chose, and stays for it */
	bool forced;	/* the server it is known to counts as fit */
	uint64_t hash;
	mono_t asked; /* least_time: when it was given its place; 0: its first byte is there */
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
/* seat_enter - after seat_init: the servers are those of another service, which stays as long as the seat. seat_quit - let
 * go of it, after seat_leave; fine without one. */
void seat_enter(struct seat *s, struct wsvc *pool);
void seat_quit_pool(struct seat *s);
static inline void
seat_quit(struct seat *s)
{
	if (s->pooled)
		seat_quit_pool(s);
}
/* seat_find_source - after the service is known: whom its servers see, where a header of the request names the client. */
void seat_find_source(
    struct seat *s, const struct conn *client, const char *buf, const struct h1_head *h);
/* seat_key - after seat_init: what its scheduler looks at, of the client and of a request's head at buf; h NULL: no
 * request. Without a key the seat is balanced by turns. */
void seat_find_key(
    struct seat *s, const struct conn *client, const char *buf, const struct h1_head *h);
static inline void
seat_key(struct seat *s, const struct conn *client, const char *buf, const struct h1_head *h)
{
	if (s->svc->view->hashes)
		seat_find_key(s, client, buf, h);
}
/* seat_key_user - the same by the first len bytes of an RDP connection; H1_MORE: not all is there yet. */
enum h1_result seat_key_user(struct seat *s, const uint8_t *p, size_t len);
/* seat_heard - the first byte of the server's answer is there; it is no retry any more. */
void seat_was_heard(struct seat *s);
static inline void
seat_heard(struct seat *s)
{
	if (s->asked != 0 || s->retrying)
		seat_was_heard(s);
}
/* seat_take - known: id of the server that the client belongs to, 0 none. It is taken when it is fit and may have
 * those it knows, also while it drains; when it is full, the seat waits for it. */
enum seat_result seat_take(struct seat *s, uint32_t known);
/* seat_leave - give the place back, or wait no more; fine in any state. */
void seat_leave(struct seat *s);
/* seat_tried - the server could not be reached: leave, and do not choose it again. False: no tries are left, or too many
 * requests are tried again now. seat_settled - it could: no retry any more. */
bool seat_tried(struct seat *s);
/* seat_another - its server has answered, but badly: whether another one may be tried. True is followed by seat_pass, which leaves the
 * server and does not choose it again. */
bool seat_another(struct seat *s);
void seat_pass(struct seat *s);
void seat_end_retry(struct seat *s);
static inline void
seat_settled(struct seat *s)
{
	if (s->retrying)
		seat_end_retry(s);
}
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
