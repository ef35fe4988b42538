/* courier.h - what both nodes shall have although it is no part of the configuration, which only names it: keys and lists. For
 * keys.c and lists.c. */
#ifndef HA_COURIER_H
#define HA_COURIER_H

#include "pair/peer_channel.h"

#include "daemon/daemon.h"

#define COURIER_AGAIN DUR_S(2)
#define COURIER_SOON DUR_MS(50) /* several reasons to look are one */

struct courier;
struct courier_ops {
	const char *what; /* for the log: "keys" */
	unsigned ask, is; /* messages: which lbd-proxy has, and the rows of its answer */
	const void *all;  /* payload of ask */
	unsigned kind;	  /* whose rows name it */
	const char *(*named)(
	    const void *row); /* by which name; one that is none counts for nothing */
	struct span (*name)(const union msg_any *m);  /* in a row of the answer */
	bool (*idle)(struct courier *c);	      /* before it is asked: false, not now */
	void (*listed)(struct courier *c, bool good); /* what is here is known: courier_missing */
};
struct courier {
	const struct courier_ops *ops;
	struct daemon *d;
	struct bus_link *proxy;
	struct peer_channel *k; /* NULL: it is down */
	struct loop_timer timer;
	bool due;	  /* the timer is set */
	bool listing;	  /* lbd-proxy is being asked */
	struct buf have;  /* names, one behind the other */
	unsigned missing; /* last time */
};

void courier_init(struct courier *c, struct daemon *d, const struct courier_ops *ops);
void courier_fini(struct courier *c);
/* courier_look - after this time lbd-proxy is asked, when there is something to ask for, the channel, and lbd-proxy. */
void courier_look(struct courier *c, dur_t after);
void courier_up(struct courier *c, struct peer_channel *k);
/* courier_missing - fn for each name of the configuration that lbd-proxy does not have, in order; how many they are. That it
 * became more is logged. */
unsigned courier_missing(
    struct courier *c, void (*fn)(void *arg, unsigned nth, const char *name), void *arg);
/* courier_is_named - by the configuration: whoever has the channel is not given more than that. */
bool courier_is_named(const struct courier *c, const char *name);

#endif
