/* sched_priv.h - what sched.c (when) and targets.c (which) share. */
#ifndef CHECK_SCHED_PRIV_H
#define CHECK_SCHED_PRIV_H

#include "heap.h"
#include "sched.h"

#include "base/buf.h"
#include "base/idmap.h"
#include "sys/resolve.h"

#define TARGET_MAGIC 0x7a69e701

struct sched {
	struct loop *loop;
	struct sched_ops ops;
	void *arg;
	struct loop_timer timer;
	mono_t armed; /* the timer's instant; 0: off */
	struct heap waiting, flying;
	struct idmap targets;	   /* by row of the server */
	struct idmap groups;	   /* struct group by row of the check */
	struct snapshot *now;	   /* NULL before the first */
	struct resolver *resolver; /* made with the first name */
	char names[300];	   /* folder where they are kept; "" none */
	struct sched_counts counts;
	uint32_t most;	/* probes in flight */
	mono_t seen;	/* the loop was last known to run, while probes fly */
	mono_t stalled; /* it was last found to have stood still; 0: never */
	bool starving;
	unsigned away; /* sched_away */
	uint64_t dice;
};
struct group {
	uint32_t check;
	struct list targets;
};

uint32_t sched_roll(struct sched *s);
/* Probe it at that time; a probe in flight is given up. */
void sched_due(struct target *t, mono_t at);
/* No probe, now or later. */
void sched_rest(struct target *t);
/* A result without a probe in flight: not checked, not resolvable. */
void sched_feed(struct target *t, const struct check *rule, const struct result *r);
/* The verdict was changed other than by a result. */
void sched_turned(struct target *t, unsigned before);
/* The address or port a probe goes to; port 0 of a server is the first of its service. */
uint16_t target_port(const struct snapshot *s, const struct server *srv, const struct check *rule);

#endif
