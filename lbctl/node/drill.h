/* drill.h - what a client would notice while addresses move: connects to services over and over, and how many failed. */
#ifndef LBCTL_DRILL_H
#define LBCTL_DRILL_H

#include "ctl.h"

#include <pthread.h>
#include <stdatomic.h>

#define DRILL_TARGETS 64
#define DRILL_ANSWER DUR_MS(500) /* a connect that takes longer counts as lost */

struct drill_probe {
	mono_t sent;
	bool answered;
};
struct drill_target {
	char name[160]; /* of the service */
	struct addr addr;
	uint16_t port;
	bool probed;	 /* it answered before anything moved */
	const char *why; /* when not */
	struct drill_probe *probe;
	uint32_t n, cap;
	mono_t due;
};
struct drill { /* { 0 } is empty */
	struct drill_target t[DRILL_TARGETS];
	unsigned n, left_out; /* services beyond DRILL_TARGETS */
	pthread_t thread;
	bool runs;
	atomic_bool stop;
};
/* drill_targets - one address and port of every enabled TCP service; then each is tried once. */
void drill_targets(struct drill *d, const struct snapshot *s);
/* drill_start - connects to what answered, some times a second, in a thread of its own. drill_stop - waits for the last answers;
 * the results stay until the next start. */
void drill_start(struct drill *d);
void drill_stop(struct drill *d);
void drill_fini(struct drill *d);

struct drill_sum {
	uint32_t probes, lost;
	dur_t
	    gap; /* the longest: from the first lost one to the next that was answered, or to the last one */
};
/* drill_count - pure: probes of one target, in order of sending, into the sum. */
void drill_count(const struct drill_probe *p, uint32_t n, struct drill_sum *sum);
void drill_sum(const struct drill *d, struct drill_sum *out);

#endif
