/* touched.h - which services a change of the configuration has to do with. */
#ifndef LBD_PROXY_TOUCHED_H
#define LBD_PROXY_TOUCHED_H

#include "base/idmap.h"

#include "control.h"

struct touched {
	struct control *k;
	struct snapshot *now;
	struct idmap ids; /* of services; the caller's to free */
};

void touched_one(struct touched *t, uint32_t service); /* 0 is nobody */
void touched_all(struct touched *t);
/* touched_on_change - for snapshot_diff; arg is the struct. */
void touched_on_change(void *arg, const struct change *c);
/* touched_by_lists - lists are brought to what the rows say; those whose rules look up entries that are others now. */
void touched_by_lists(struct touched *t);
/* touched_missing - those that lack a port or a certificate. */
void touched_missing(struct touched *t);

#endif
