/* witness.h - who of two nodes may be active: a third machine's table of leases. Pure.
 *
 * For each cluster and group: the generation, the node that holds it, and until when by the witness's own clock. A node
 * that takes it before that is over is refused, so two nodes never hold it within one lease. A node counts its lease
 * from the sending of its question, the witness from its arrival, which is later: the node ends first.
 *
 * The table is in memory only. After its start a witness grants nothing for the longest lease there is: what it granted
 * before it ended has run out by then.
 *
 * Replays: each answer carries the witness's boot id and its clock (the stamp); a question that changes something must
 * carry those of an answer no older than WITNESS_FRESH, and (stamp, sequence) must be greater than in the last one that
 * counted for this node and group. So a recording of a dead node's question prolongs nothing, and no state of a node has
 * to outlive its process. */
#ifndef HA_WITNESS_H
#define HA_WITNESS_H

#include "witness/note.h"

#include "base/mono.h"

#define WITNESS_CLUSTERS 256
#define WITNESS_LEASE DUR_S(10) /* the longest; more is cut to it */
#define WITNESS_FRESH DUR_S(10)
#define WITNESS_IDLE DUR_S(3600) /* after which a cluster's place may go to another */

struct witness_turn {
	uint64_t stamp, seq;
};
struct witness_hold {
	uint64_t generation;
	uint8_t holder; /* 0 nobody yet */
	mono_t until;
	struct witness_turn turn[2]; /* by node */
};
struct witness_row {
	bool used;
	uint64_t cluster;
	mono_t heard_at;
	struct witness_hold hold[NOTE_GROUPS];
};

struct witness {
	uint64_t boot;
	mono_t start;
	unsigned clusters;
	uint64_t counter[NOTE_FULL + 1]; /* answers by their word */
	struct witness_row row[WITNESS_CLUSTERS];
};

/* witness_init - boot: random, not 0; now: not 0. */
void witness_init(struct witness *w, uint64_t boot, mono_t now);
/* witness_answer - a question whose seal was right; there is always an answer. Returns true when the holder or the
 * generation has changed: worth a line in the log. */
bool witness_answer(struct witness *w, const struct note *ask, mono_t now, struct note *answer_out);

#endif
