/* latency.h - how long a server takes to the first byte, as one number that all workers may write. Pure.
 *
 * The upper half is the second of the monotonic clock in which it was learned last, the lower half microseconds; 0 is
 * not known. What is known of a server that is not asked any more loses half its weight every ten seconds, so that one that was
 * slow is tried again; the first answer after that counts for itself. */
#ifndef LBD_PROXY_LATENCY_H
#define LBD_PROXY_LATENCY_H

#include "base/mono.h"

#define LATENCY_HALF 10		   /* seconds */
#define LATENCY_MOST (DUR_S(1000)) /* more counts as this */

/* latency_now - microseconds as they count now, at least 1; 0 not known.
 * latency_after - the number after one more answer that took so long: an eighth of it, seven of what was. */
uint32_t latency_now(uint64_t latency, mono_t now);
uint64_t latency_after(uint64_t latency, mono_t now, dur_t took);

#endif
