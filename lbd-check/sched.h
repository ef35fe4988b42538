/* sched.h - all targets and when each is probed next. A target is a real server of any virtual service, enabled or
 * not, halted or not. Everything belongs to the loop's thread. */
#ifndef CHECK_SCHED_H
#define CHECK_SCHED_H

#include "probe.h"

#include "base/list.h"
#include "store/snapshot.h"
#include "sys/loop.h"

#define SCHED_FLIGHT_MAX 4096	     /* probes in flight at once; the file limit may allow fewer */
#define SCHED_SPREAD (DUR_MS(1) / 5) /* first probes: one each 0.2 ms, but within their interval */
#define SCHED_STALL DUR_MS(500)	     /* a loop that stood still for longer proves nothing */
#define SCHED_BEAT DUR_MS(250)	     /* how often the loop is looked at while probes fly */
#define SCHED_FRESH DUR_S(10)	     /* how often an unchanged verdict is told again, at most */
#define SCHED_FRESH_RATE DUR_MS(1)   /* and for all targets together: one each millisecond */
#define SCHED_OBSERVED_GAP \
	DUR_MS(250) /* an observation does not bring a probe sooner after the last */
#define SCHED_STARVED_GAP \
	DUR_S(1) /* pause of a target for which this node had no descriptor or port */

/* All members belong to sched.c and targets.c; others read id, st and observed. */
struct target {
	unsigned magic;
	uint32_t id;   /* row of the server */
	uint32_t slot; /* in the heap of waiting targets, or while probe is set of flying ones */
	uint32_t observed; /* failures that others saw */
	struct list peers; /* targets with the same check */
	struct list watchers;
	struct standing st;
	mono_t started, told; /* last probe; last time the verdict was told */
	struct sched *sched;
	struct probing *probe;	 /* NULL: none in flight */
	struct snapshot *held;	 /* its configuration, while a probe is in flight */
	struct resolve *resolve; /* NULL: the address is written as one */
	struct addr addr;	 /* that its name resolved to */
	uint16_t port;		 /* with it, by SRV; else 0 */
	char *host;		 /* what it is called there; NULL */
	bool unresolvable, traced;
};

/* Somebody who wants to see a probe step by step. end is called once: NULL when the target is gone. */
struct watcher {
	struct list in;
	probe_step_fn step;
	void (*end)(void *arg, const struct target *t);
	void *arg;
};

struct sched_ops {
	/* A verdict is worth telling; turned: it changed. */
	void (*told)(void *arg, const struct target *t, bool turned);
	/* This node has no descriptors or ports for probes; false: again it has. */
	void (*starved)(void *arg, bool now);
};

struct sched;
struct sched *sched_new(struct loop *l, const struct sched_ops *ops, void *arg);
/* sched_keep_names - before the first target: what names stood for lasts over a restart, in FOLDER/names. */
void sched_keep_names(struct sched *s, const char *folder);
void sched_free(struct sched *s);
/* sched_apply - the next configuration; old is NULL at first. Verdicts stay unless another address or port
 * stands behind the name; a check that tests something else must prove itself anew (verdict_renew). Costs what
 * changed. now is referenced. */
void sched_apply(struct sched *s, struct snapshot *old, struct snapshot *now);

const struct target *sched_find(const struct sched *s, uint32_t id); /* NULL */
/* sched_watch - probe the target now and show how. w belongs to the caller, until end was called or it calls
 * sched_unwatch. -ENOENT: no such target. */
int sched_watch(struct sched *s, uint32_t id, struct watcher *w);
void sched_unwatch(struct watcher *w);
/* sched_observe - others saw the server fail: counted, and the next probe comes sooner. */
void sched_observe(struct sched *s, uint32_t id, uint32_t count);

/* sched_away - groups (a bit for each number) that are active at the other node of the pair. Servers of their services whose check
 * is for the active node alone are not probed, but for who asks; they are at once when their group comes here. */
void sched_away(struct sched *s, unsigned groups);

struct sched_counts {
	uint32_t targets, flying;
	uint32_t verdicts[3];	 /* by enum verdict */
	uint64_t probes, failed; /* so far */
	uint64_t repeated;	 /* because the process stood still */
	uint64_t starved;	 /* because this node had no descriptor or port */
	uint64_t observed;
};
const struct sched_counts *sched_counts(const struct sched *s);

#endif
