/* role_priv.h - what role*.c share. */
#ifndef HA_ROLE_PRIV_H
#define HA_ROLE_PRIV_H

#include "core_link.h"
#include "fence.h"
#include "notify.h"
#include "outside.h"
#include "role.h"
#include "role_preflight.h"
#include "routes.h"
#include "track.h"
#include "vrrp/vmac.h"
#include "want.h"
#include "want_vrrp.h"

/* A virtual router's place in the core's table. */
struct role_router {
	uint32_t id; /* of its row; 0: free */
	char name[64], sync[64], ifname[IFNAME_MAX];
	char why[WANT_WHY]; /* it cannot take part; "" */
	bool lacks;	    /* its row wants a device, and it has none */
	struct vmac vmac;   /* its device; name "": none */
	struct preflight preflight;
	struct vmac old; /* to be removed when the core has let it go */
};

struct ha_role {
	struct loop *loop;
	struct paths paths;
	struct bus *bus;
	struct role_ops ops;
	struct core_link *core; /* NULL: alone */
	bool paired; /* with a core: it is one of a pair; false: it has virtual routers */
	bool left;   /* the core was told to end */
	struct role_router router[SHARED_VRRPS];
	struct places before;  /* what the process before had put, until its devices are known */
	uint32_t routers_told; /* bits: places that the subscribers know */
	struct cluster cluster;
	struct snapshot *now;
	struct floating *fips; /* wanted, in the order of the core's table */
	struct iface_list kernel;
	uint32_t fips_n, placed;
	uint8_t mac[SHARED_MACS][6];
	unsigned macs;
	bool alone; /* it was, in this process: who is the first of a new pair goes on serving */
	bool due;   /* the core is to be told when it has room */
	uint32_t table[SHARED_ADDRS];  /* row of the want: row of fips */
	struct want_names names, told; /* of carriers and ping nodes; what the subscribers know */
	struct tracker *track;
	struct notifier *notify;
	struct fencer *fence;
	struct routes *routes;
	struct outside outside;	     /* counts while role_is_outside */
	uint32_t fit[SHARED_GROUPS]; /* services */
	uint32_t tracks_told, notices_told, routes_told;
	bool fence_told;	  /* rows that the subscribers know */
	unsigned order;		  /* number of the last one */
	unsigned ordered;	  /* groups that it is for: bits */
	struct bus_request asked; /* who waits for the order */
	bool waits;
	struct loop_timer limit;
	struct whole whole;
	bool met;		    /* the other node is there */
	char missing[WHOLE_TEXT];   /* as was told */
	struct loop_timer patience; /* a part of whole is given up */
	uint64_t changes[SHARED_GROUPS];
	bool strange_told[STRANGES]; /* in the log */
	struct addr strange_from[STRANGES];
};

/* role_vrrp.c. _rows: enabled ones there are. _recall: at the start, before any address is put. _want: places for the
 * rows, their devices, and both into the want. _lacks: a device could not be made so far. _tidy: devices that nobody has
 * any more, after the core has taken the want; all: every one. _tell: HA_VRRP rows. */
unsigned role_vrrp_rows(const struct snapshot *s);
void role_vrrp_recall(struct ha_role *r);
void role_vrrp_adopt(struct ha_role *r);
bool role_vrrp_lacks(const struct ha_role *r);
void role_vrrp_want(struct ha_role *r, struct shared_want *w);
int role_vrrp_place(const struct ha_role *r, uint32_t id); /* -1: none */
/* Without a pair: whether group 0 or 1 is here, as it is without virtual routers too. */
bool role_vrrp_has(const struct ha_role *r, const struct shared_is *is, unsigned group);
void role_vrrp_tidy(struct ha_role *r, bool all);
void role_vrrp_look(struct ha_role *r, const struct shared_is *is); /* each second */
void role_vrrp_event(const struct ha_role *r, const struct shared_event *e);
void role_vrrp_tell(struct ha_role *r, const struct bus_request *rq, const struct shared_is *is);

/* role_say - one message of topic HA: to a subscriber, or (rq NULL) to all. */
void role_say(
    const struct ha_role *r, const struct bus_request *rq, unsigned number, const void *m);
bool role_is_strange(const struct strange *k); /* it was heard of late */
bool role_is_outside(const struct ha_role *r); /* another program decides (setting ha_roles) */
uint32_t role_addresses(const struct ha_role *r, unsigned group); /* how many; group 0 or 1 */

void role_look_at_routes(struct ha_role *r); /* they are where the addresses are */
/* role_want.c: what is wanted, to the core, now or when it has room. */
void role_tell_core(struct ha_role *r);
/* role_order.c. _look: is the order that somebody waits for carried out? _end: answer who waits, if anybody does. _is_late:
 * of its timer; arg is the role. */
void role_look_at_order(struct ha_role *r, const struct shared_is *is);
void role_end_order(struct ha_role *r, int code, const char *text);
void role_order_is_late(void *arg);

#endif
