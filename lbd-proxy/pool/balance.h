/* balance.h - which server takes the next request or connection. A pure choice over an array that a worker owns. */
#ifndef BALANCE_H
#define BALANCE_H

#include <stdbool.h>
#include <stdint.h>

enum {
	BALANCE_NONE = -1, /* no server may take it: all down, drained, weight 0 or excluded */
	BALANCE_FULL = -2, /* some could, but are at their limit: wait */
};

/* One server. weight 0: takes nothing new (also how a caller says down, drained, halted). active and limit are kept
 * by the caller; current belongs to balance.c, zero at first, and may be carried over when the array is rebuilt. */
struct balance_item {
	uint32_t weight; /* 0 to 65535 */
	uint32_t active; /* requests or connections it has now */
	uint32_t limit;	 /* most of them; 0 is no limit */
	int32_t current; /* smooth round robin's credit */
};

/* Servers already tried, one bit each; NULL excludes none. */
#define BALANCE_WORDS(n) (((n) + 63) / 64)
static inline bool
balance_excluded(const uint64_t *excluded, uint32_t i)
{
	return excluded != 0 && (excluded[i / 64] >> (i % 64) & 1) != 0;
}
static inline void
balance_exclude(uint64_t *excluded, uint32_t i)
{
	excluded[i / 64] |= (uint64_t)1 << (i % 64);
}

/* balance_pick - choose one of n servers by a scheduler (enum scheduler of schema/enums.def).
 *
 * wrr:     smooth weighted round robin: in any run of sum(weights) picks each server comes weight times, evenly spread.
 * wlc:     smallest active / weight; among equals smooth weighted round robin, so idle servers share by weight too.
 * Returns: index, BALANCE_NONE or BALANCE_FULL. The caller counts active.
 * Time:    two passes over the array; 1,000 servers take about a microsecond.
 */
int64_t balance_pick(
    struct balance_item *item, uint32_t n, unsigned scheduler, const uint64_t *excluded);

#endif
