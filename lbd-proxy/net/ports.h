/* ports.h - the sockets on which a service listens: opened by the control thread, used by the workers. */
#ifndef LBD_PROXY_PORTS_H
#define LBD_PROXY_PORTS_H

#include "base/addr.h"
#include "base/err.h"
#include "base/list.h"
#include "schema/schema.h"

struct control;
struct ctl_service;
struct listener;
struct ctl_port {
	struct list link; /* of the service, or of the orphans */
	struct addr addr;
	uint16_t port;
	unsigned n;
	struct listener
	    *at[]; /* of each worker, then what was handed over beside; NULL: not there */
};
struct ctl_ports {
	struct list list;
	unsigned n;
	bool missing; /* some could not be opened */
	bool sparse;  /* handed over, and not to every worker that could have one */
};

/* ports_release - what s (NULL: nothing) does not want any more becomes an orphan. */
void ports_release(struct control *k, struct ctl_service *c, const struct service *s);
/* ports_open - what is missing: taken from the orphans, or opened. The workers know the service already. The first that
 * cannot be opened fills err; the others are opened all the same. */
int ports_open(struct control *k, struct ctl_service *c, const struct service *s, struct err *err);
/* ports_renew - the mode has changed: HTTP defers accepting, TCP does not. */
void ports_renew(struct ctl_service *c);
/* ports_fill - after a hand-over: workers that got no socket then get one now. */
void ports_fill(struct control *k);
/* ports_close - the orphans: who has connected is accepted, then they are closed. */
void ports_close(struct control *k);
/* ports_forget - the same when the workers have ended, and closed all sockets. */
void ports_forget(struct control *k);

#endif
