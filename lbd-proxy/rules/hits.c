/* Counts of content rules: summed without stopping a worker, as counters of services are (runtime.c). */
#include "hits.h"

#include "base/must.h"

#include <stdlib.h>
#include <string.h>

struct rule_hits *
rule_hits_new(unsigned workers)
{
	size_t size = sizeof(struct rule_hits) + workers * sizeof(struct rule_hits_of);
	struct rule_hits *h = aligned_alloc(64, (size + 63) & ~(size_t)63);

	must(h != NULL);
	memset(h, 0, size);
	h->workers = workers;
	atomic_init(&h->refs, 1);
	return h;
}

struct rule_hits *
rule_hits_ref(struct rule_hits *h)
{
	atomic_fetch_add_explicit(&h->refs, 1, memory_order_relaxed);
	return h;
}

void
rule_hits_unref(struct rule_hits *h)
{
	if (h != NULL && atomic_fetch_sub_explicit(&h->refs, 1, memory_order_acq_rel) == 1)
		free(h);
}

static struct rule_counts
raw(const struct rule_hits *h)
{
	struct rule_counts sum = { 0 };

	for (unsigned i = 0; i < h->workers; i++) {
		sum.held += __atomic_load_n(&h->of[i].n.held, __ATOMIC_RELAXED);
		sum.unknown += __atomic_load_n(&h->of[i].n.unknown, __ATOMIC_RELAXED);
	}
	return sum;
}

void
rule_hits_sum(const struct rule_hits *h, struct rule_counts *out)
{
	struct rule_counts sum = raw(h);

	out->held = sum.held - h->base.held;
	out->unknown = sum.unknown - h->base.unknown;
}

void
rule_hits_flush(struct rule_hits *h)
{
	h->base = raw(h);
}
