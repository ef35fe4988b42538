/* services_priv.h - what services.c and services_change.c share. */
#ifndef IPVS_SERVICES_PRIV_H
#define IPVS_SERVICES_PRIV_H

#include "services.h"

#include "base/idmap.h"
#include "base/list.h"

struct known {
	struct want_fit fit;
	mono_t up;	/* when it became fit again; 0 */
	mono_t cut;	/* when its connections were cut; 0 */
	uint32_t round; /* of services.round in which it had to be cut */
};

struct entry {
	struct service_state st;
	struct list dirty;
	bool keeps;
	bool known;	  /* the kernel has said how it stands to it */
	bool told;	  /* somebody was told */
	int64_t next_ms;  /* 0 never */
	uint64_t applied; /* the last services_apply in which it was wanted */
	char fault[SERVICE_FAULT];
};

/* Values of services.quorums. */
extern char services_not_met, services_met;
#define NOT_MET (&services_not_met)
#define MET (&services_met)

struct services {
	struct loop *loop;
	struct services_ops ops;
	struct snapshot *now;
	struct idmap entries, servers; /* struct entry, struct known */
	struct idmap quorums;	       /* of any service: NOT_MET, MET; absent: not known */
	struct list dirty;
	struct loop_timer timer;
	struct buf
	    cuts; /* uint32_t: servers to cut when the kernel gives them no client any more */
	uint32_t round, keeping;
	uint64_t applies;
	bool started, away, freed, templates_stay, templates_told;
	bool deferred; /* a call of the loop is on its way */
	bool settling; /* touching now asks for none */
	bool applying;
	char whole[SERVICE_FAULT];
};

/* services_touch - what is wanted for the service must be asked for anew: at the end of the turn, or by
 * services_settle. */
void services_touch(struct services *s, uint32_t id);
void services_touch_all(struct services *s);
void services_settle(struct services *s);

#endif
