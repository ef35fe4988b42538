/* announce.h - tells the neighbours of a whole group that its addresses are here: gratuitous ARP, unsolicited
 * neighbour advertisements; at once, repeated, and refreshed. Source: RFC 5227 section 3; RFC 4861 section 7.2.6. */
#ifndef HA_ANNOUNCE_H
#define HA_ANNOUNCE_H

#include "core/shared.h"

#define ANNOUNCE_NEVER INT64_MAX

struct announce_group {
	bool on;
	unsigned left; /* rounds after this one */
	uint32_t at;   /* next address of this round; n: the round is over */
	bool first;    /* of an order: as fast as the port takes them */
	bool once;     /* no round after it, whatever is configured */
	mono_t next;   /* when this round goes on, or the next one begins */
};
struct announce {
	int fd; /* -1: not allowed; what is ordered is dropped */
	uint64_t sent, failed;
	struct announce_group g[SHARED_SETS];
};

int announce_open(struct announce *a); /* 0 or -errno */
void announce_close(struct announce *a);
/* announce_order - all addresses of the group, now, and `announce` - 1 times more. */
void announce_order(struct announce *a, const struct shared_want *w, unsigned group, mono_t now);
/* announce_once - all addresses of the group, now, and no more: the caller has times of its own. */
void announce_once(struct announce *a, unsigned group, mono_t now);
void announce_cancel(struct announce *a, unsigned group);
/* announce_turn - sends what is due, a bounded number. announce_deadline - when there is more. */
void announce_turn(struct announce *a, const struct shared_want *w, mono_t now);
mono_t announce_deadline(const struct announce *a);

#endif
