/* quorum.h - whether a service has enough fit servers. Pure; time comes as an argument. */
#ifndef CHECK_QUORUM_H
#define CHECK_QUORUM_H

#include "store/snapshot.h"
#include "store/state.h"

/* Weights of a service's servers that are fit, summed. An order and a weight at run time count, so a server that is
 * drained or halted has none. Unknown ones count as their check's "assume" says in sum; as unfit in least; as fit in
 * most. */
struct quorum_weight {
	uint64_t sum, least, most;
};
void quorum_weigh(const struct snapshot *s, const struct service *svc,
    enum verdict (*verdict)(void *arg, uint32_t server), void *arg, struct quorum_weight *out);

/* How a service stands. Zeroed: nothing was told of it. */
struct quorum {
	bool known, met;
	uint64_t weight;
	int64_t since; /* seconds since 1970: when met last changed, or became known */
};
enum quorum_news { QUORUM_SAME, QUORUM_WEIGHT, QUORUM_TURNED }; /* the first is a turn too */
/* quorum_feed - the weights as they are now.
 *
 * Met at quorum + hysteresis, and then until the weight is below quorum - hysteresis; the first time the quorum alone
 * decides. Not known before the answer is the same whatever becomes of the servers that are unknown: after a
 * start subscribers keep what they know.
 * Source: quorum and hysteresis of virtual_server, keepalived.conf(5). */
enum quorum_news quorum_feed(
    struct quorum *q, const struct service *svc, const struct quorum_weight *w, int64_t wall);

#endif
