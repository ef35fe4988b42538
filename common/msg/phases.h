/* phases.h - how long the phases of requests took: counts in buckets whose bounds double, from 64 us to 67 s. Each worker of
 * lbd-proxy counts for itself; sums travel in SERVICE_COUNTS. */
#ifndef MSG_PHASES_H
#define MSG_PHASES_H

#include "base/buf.h"

enum phase { PHASES_QUEUE, PHASES_CONNECT, PHASES_ANSWER, PHASES_TOTAL, PHASES_N };
#define PHASE_BUCKETS 22 /* the last one has no bound */
#define PHASE_LEAST_US 64
struct phase_counts {
	uint64_t count[PHASE_BUCKETS], sum_us;
};
struct phases {
	struct phase_counts of[PHASES_N]; /* nothing but uint64_t */
};
#define PHASES_NUMBERS (sizeof(struct phases) / sizeof(uint64_t))
extern const char *const phase_names[PHASES_N];

/* Bucket i holds what took at most PHASE_LEAST_US << i. */
static inline unsigned
phase_bucket(uint64_t us)
{
	unsigned i =
	    us <= PHASE_LEAST_US ? 0 : 64 - (unsigned)__builtin_clzll((us - 1) / PHASE_LEAST_US);

	return i < PHASE_BUCKETS ? i : PHASE_BUCKETS - 1;
}
uint64_t phase_total(const struct phase_counts *p);
/* phase_quantile - upper bound, in us, of the bucket in which the fraction q of all counts is reached; the last bucket gives its lower
 * one; 0 without counts. */
uint64_t phase_quantile(const struct phase_counts *p, double q);

/* To and from the blob of messages: number of the cell (u8) and value (u64), zeros left out. ERR_PROTO: bytes are left over. */
void phases_put(const struct phases *p, struct buf *out);
int phases_take(const void *blob, size_t len, struct phases *out);

#endif
