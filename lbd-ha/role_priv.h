/* role_priv.h - what role*.c share. */
#ifndef HA_ROLE_PRIV_H
#define HA_ROLE_PRIV_H

#include "core_link.h"
#include "fence.h"
#include "notify.h"
#include "outside.h"
#include "role.h"
#include "routes.h"
#include "track.h"
#include "want.h"

struct ha_role {
	struct loop *loop;
	struct paths paths;
	struct bus *bus;
	struct role_ops ops;
	struct core_link *core; /* NULL: alone */
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

bool role_is_strange(const struct strange *k); /* it was heard of late */
bool role_is_outside(const struct ha_role *r); /* another program decides (setting ha_roles) */
uint32_t role_addresses(const struct ha_role *r, unsigned group); /* how many; group 0 or 1 */

#endif
