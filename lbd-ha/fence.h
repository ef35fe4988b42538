/* fence.h - the script that makes sure that the other node is off, before or while this one takes over unheard. */
#ifndef HA_FENCE_H
#define HA_FENCE_H

#include "pair/cluster_file.h"

#include "store/snapshot.h"
#include "sys/loop.h"
#include "sys/paths.h"

struct fence_ops {
	void (*changed)(void *arg); /* what fence_row says */
	void (*sure)(
	    void *arg, uint32_t number); /* the other node is off, for this wish of the core */
	void *arg;
};
struct fence_row {
	const char *target, *state, *text; /* state: unknown, good, bad, running */
	int64_t since;
};

struct fencer;
struct fencer *fence_new(struct loop *l, const struct paths *p, const struct fence_ops *ops);
void fence_free(struct fencer *f); /* a script that runs is killed */
/* fence_use - the node's row, and who the other node is (both borrowed; c NULL: single). */
void fence_use(struct fencer *f, const struct snapshot *s, const struct cluster *c);
/* fence_required - whether a take-over waits for it. */
bool fence_required(const struct snapshot *s);
/* fence_wish - required: the core wishes it with this number, again and again the same; 0: not (any more). It is tried
 * until it succeeds or the wish ends. */
void fence_wish(struct fencer *f, uint32_t number);
/* fence_beside - advisory: this node has taken over; once. */
void fence_beside(struct fencer *f);
bool fence_row(const struct fencer *f, struct fence_row *out); /* false: none is configured */

#endif
