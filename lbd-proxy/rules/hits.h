/* hits.h - how often a content rule held, and how often it named a pool that there is none of. Each worker counts for itself; a rule
 * keeps its counts while its service has it, whatever else is changed. References may be taken and given back by any thread. */
#ifndef LBD_PROXY_HITS_H
#define LBD_PROXY_HITS_H

#include <stdatomic.h>
#include <stdint.h>

struct rule_counts {
	uint64_t held, unknown;
};
struct rule_hits {
	atomic_uint refs;
	unsigned workers;
	struct rule_counts base; /* taken off since the counters were flushed; control thread */
	struct rule_hits_of {
		struct rule_counts n;
	} __attribute__((aligned(64))) of[]; /* one for each worker, which alone writes it */
};

/* rule_hits_new - control plane: memory ends the process. The reference is the caller's. */
struct rule_hits *rule_hits_new(unsigned workers);
struct rule_hits *rule_hits_ref(struct rule_hits *h);
void rule_hits_unref(struct rule_hits *h); /* NULL is fine */
/* rule_hits_sum - of all workers since the last flush; control thread. rule_hits_flush - from zero on. */
void rule_hits_sum(const struct rule_hits *h, struct rule_counts *out);
void rule_hits_flush(struct rule_hits *h);

#endif
