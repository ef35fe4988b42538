/* local.h - a service and a server as one worker has them: connections, the pool, who waits, counters. */
#ifndef LBD_PROXY_LOCAL_H
#define LBD_PROXY_LOCAL_H

#include "base/list.h"

#include "balance.h"
#include "runtime.h"

struct worker;
struct wsvc {
	uint32_t magic;
	bool gone; /* deleted or disabled: what is there may finish */
	struct worker *w;
	struct svc *svc;   /* reference */
	struct view *view; /* reference */
	struct service_counters *n;
	struct list link;    /* in worker.services */
	struct list conns;   /* of clients */
	struct list waiting; /* seats, in the order in which they are served (queue.h) */
	struct list tails;   /* the last of them of each priority, by rising priority */
	uint32_t clients, listeners;
	uint32_t
	    servers; /* in the two arrays; they are made when first needed, in the order of view.at */
	struct wsrv **srv;
	struct balance_item *item;
	uint64_t random; /* of scheduler twos */
};
struct wsrv {
	struct worker *w;
	struct wsvc *svc;
	struct srv *srv; /* reference */
	struct server_counters *n;
	struct list idle; /* last used first */
	struct list busy;
	struct list
	    shared;	/* that carry streams of HTTP/2 (h2/h2_back.h); these are busy ones too */
	uint32_t seats; /* places that streams of this worker have there */
	bool listed;	/* in wsvc.srv */
};

/* local_set - a new view of a service, from the control thread; takes the reference. NULL memory: the old one stays. */
void local_set(struct worker *w, struct view *v);
/* The worker's side of a service; NULL when it has none. */
struct wsvc *local_find(const struct worker *w, const struct svc *s);
/* local_gone - the service is no more: end what is idle, let the rest finish. */
void local_gone(struct wsvc *s);
/* local_hold - no service of the worker is freed until local_let_go: a walk over them may end streams, and with these the service
 * that a rule had chosen. */
void local_hold(struct worker *w);
void local_let_go(struct worker *w);
/* local_servers - the arrays; false: no memory. */
bool local_servers(struct wsvc *s);
/* local_release - called when a client, listener or server connection has left; frees what nobody needs. */
void local_release_svc(struct wsvc *s);
void local_release_srv(struct wsrv *s);
/* local_cut - reset or answer every open connection of a server, close the idle ones. */
void local_cut(struct worker *w, struct srv *s);
/* local_drop_idle - close the pooled connections of a server. */
void local_drop_idle(struct wsrv *s);

#endif
