/* routes.h - routes that are on the active node only (kind route). */
#ifndef HA_ROUTES_H
#define HA_ROUTES_H

#include "store/snapshot.h"
#include "sys/loop.h"
#include "sys/paths.h"

#define ROUTES_MOST 32

struct routes_ops {
	void (*changed)(void *arg); /* what routes_row says */
	void *arg;
};
struct routes_row {
	const char *name, *state,
	    *text; /* state: good (there), bad (should be), unknown (not active) */
	int64_t since;
};

struct routes;
/* routes_new - what an earlier process has put is known (RUN/lbd-ha.routes). */
struct routes *routes_new(struct loop *l, const struct paths *p, const struct routes_ops *ops);
void routes_free(struct routes *k); /* they stay where they are */
/* routes_use - the rows, and the groups (bits) in which this node is active: put, or taken away, at once. */
void routes_use(struct routes *k, const struct snapshot *s, unsigned groups);
bool routes_row(
    const struct routes *k, unsigned i, struct routes_row *out); /* false: there is none */
/* routes_release - take away all that a process of these paths has put. */
void routes_release(const struct paths *p);

#endif
