/* balance.h - which server takes the next request or connection. A pure choice over an array that a worker owns. */
#ifndef BALANCE_H
#define BALANCE_H

#include <stdbool.h>
#include <stdint.h>

enum {
	BALANCE_NONE = -1, /* no server may take it: all down, drained, tried or of weight 0 */
	BALANCE_FULL = -2, /* some could, but are at their limit: wait */
};

/* One server. weight 0: takes nothing new (also how a caller says down, drained, halted, tried). active, limit and latency are
 * kept by the caller; current belongs to balance.c, zero at first, and may be carried over when the array is rebuilt;
 * whatever is there after another scheduler is brought within one turn. */
struct balance_item {
	uint32_t weight; /* 0 to 65535 * 64 */
	uint32_t active; /* requests or connections it has now */
	uint32_t limit;	 /* most of them; 0 is no limit */
	union {
		int32_t current;  /* smooth round robin's credit */
		uint32_t latency; /* least_time: microseconds to the first byte; 0 not known */
	};
};

/* balance_pick - choose one of n servers by a scheduler (enum scheduler of schema/enums.def).
 *
 * wrr, rr: smooth weighted round robin: in any run of sum(weights) picks each server comes weight times, evenly spread.
 * wlc, lc: smallest active / weight; among equals smooth weighted round robin, so idle servers share by weight too.
 *          (rr and lc differ by the weights that the caller gives: all alike.) Any other is taken as wrr.
 * Returns: index, BALANCE_NONE or BALANCE_FULL. The caller counts active.
 * Time:    two passes over the array; 1,000 servers take about a microsecond.
 */
int64_t balance_pick(struct balance_item *item, uint32_t n, unsigned scheduler);

/* The same results by other rules; one to three passes.
 *
 * balance_twos  - two different servers by lot, each with a chance of its weight; of these the one with smaller
 *                 active / weight. random: 64 even bits.
 * balance_first - the first with room.
 * balance_least_time - smallest latency * (active + 1) / weight. One whose latency is not known is asked first, with one
 *                 request at a time. */
int64_t balance_twos(const struct balance_item *item, uint32_t n, uint64_t random);
int64_t balance_first(const struct balance_item *item, uint32_t n);
int64_t balance_least_time(const struct balance_item *item, uint32_t n);

#endif
