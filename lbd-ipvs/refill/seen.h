/* seen.h - which entries of the kernel's list were met before: a set of 64-bit hashes. Pure. */
#ifndef IPVS_REFILL_SEEN_H
#define IPVS_REFILL_SEEN_H

#include "conns/entry.h"

#define SEEN_MOST (4u << 20) /* hashes, 64 MiB; what comes later is not remembered */

struct seen {		/* { 0 } is empty */
	uint64_t *slot; /* 0: free; mask + 1 of them, at most half full */
	uint32_t n, mask;
	uint64_t seed;
};
void seen_fini(struct seen *s);
/* seen_add - true: it is new, or no room is left. An entry is known by protocol, both addresses and ports, and whether it is a
 * template. */
bool seen_add(struct seen *s, const struct entry *e);

#endif
