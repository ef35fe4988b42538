/* spread.h - consistent hashing: a key's own order of the servers, by which few keys move when servers come and go. */
#ifndef LBD_PROXY_SPREAD_H
#define LBD_PROXY_SPREAD_H

#include "balance.h"

#include <stdatomic.h>

#define SPREAD_SLOTS 32768u
#define SPREAD_FEW 8u /* up to so many servers are looked through each time, more have a table */

struct spread_node {
	uint32_t id;	 /* of the server: the same on both nodes and over changes of others */
	uint32_t weight; /* as configured, or as an operator set it */
};
struct spread {
	atomic_uint refs;
	uint32_t n;
	uint16_t *slot; /* index of the server a slot belongs to; NULL: none is needed */
	struct spread_node node[];
};

/* spread_new - of n servers; node is copied. 32,768 * n scores when there are more than SPREAD_FEW: 20 ms for 100, 200 ms
 * for 1,000. Memory that is missing ends the process: the control thread's.
 * spread_same - whether it is of just these. spread_unref takes NULL. */
struct spread *spread_new(const struct spread_node *node, uint32_t n);
bool spread_same(const struct spread *s, const struct spread_node *node, uint32_t n);
struct spread *spread_ref(struct spread *s);
void spread_unref(struct spread *s);

/* spread_mix - all bits of the result depend on all of x. */
uint64_t spread_mix(uint64_t x);

/* spread_pick - the first server in the key's order that may take it.
 *
 * item:    as for balance_pick, of the same servers. A weight below the configured one is a slow start: it takes such a
 *          share of its keys, the same ones while the weight stays, and more of them as it grows.
 * factor:  percent of its fair share that a server takes at most (101 and more); 0 is no limit. A server's fair share
 *          is that of its weight of all that is active, with this request. When everybody else is at its limit of
 *          connections, the factor does not count.
 * Returns: index, BALANCE_NONE or BALANCE_FULL.
 * Source:  Thaler, Ravishankar: Using name-based mappings to increase hit rates (rendezvous); Mirrokni, Thorup,
 *          Zadimoghaddam: Consistent hashing with bounded loads.
 */
int64_t spread_pick(const struct spread *s, const struct balance_item *item, uint32_t n,
    uint64_t hash, unsigned factor);

#endif
