/* Histograms of phases: their blob, and what can be read from them. */
#include "msg/phases.h"

#include "base/err.h"
#include "base/must.h"

#include <string.h>

_Static_assert(PHASES_NUMBERS < 256, "the number of a cell is one byte");

const char *const phase_names[PHASES_N] = {
	[PHASES_QUEUE] = "queue",
	[PHASES_CONNECT] = "connect",
	[PHASES_ANSWER] = "answer",
	[PHASES_TOTAL] = "total",
};

uint64_t
phase_total(const struct phase_counts *p)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < PHASE_BUCKETS; i++)
		n += p->count[i];
	return n;
}

uint64_t
phase_quantile(const struct phase_counts *p, double q)
{
	uint64_t all = phase_total(p), n = 0;

	if (all == 0)
		return 0;
	for (unsigned i = 0; i < PHASE_BUCKETS - 1; i++) {
		n += p->count[i];
		if ((double)n >= q * (double)all)
			return (uint64_t)PHASE_LEAST_US << i;
	}
	return (uint64_t)PHASE_LEAST_US << (PHASE_BUCKETS - 2);
}

void
phases_put(const struct phases *p, struct buf *out)
{
	const uint64_t *v = (const uint64_t *)p;

	for (unsigned i = 0; i < PHASES_NUMBERS; i++) {
		if (v[i] == 0)
			continue;
		buf_put_be(out, i, 1);
		buf_put_be(out, v[i], 8);
	}
}

int
phases_take(const void *blob, size_t len, struct phases *out)
{
	struct rd r = { .p = blob, .left = len };
	uint64_t *v = (uint64_t *)out;

	memset(out, 0, sizeof(*out));
	while (r.left > 0) {
		unsigned i = (unsigned)rd_be(&r, 1);
		uint64_t n = rd_be(&r, 8);

		if (r.bad)
			return ERR_PROTO;
		if (i < PHASES_NUMBERS) /* else of a newer build */
			v[i] = n;
	}
	return 0;
}
