/* verdicts.h - whether lbd-check of this node has judged every server: before that it cannot serve as the other node does. */
#ifndef HA_VERDICTS_H
#define HA_VERDICTS_H

#include "role.h"

#include "daemon/daemon.h"

struct verdicts_ops {
	void (*quorum)(void *arg, const struct msg_quorum *m); /* as lbd-check tells it */
	void *arg;
};
struct verdicts;
struct verdicts *verdicts_new(struct daemon *d, struct ha_role *r, const struct verdicts_ops *ops);
void verdicts_free(struct verdicts *v);	 /* NULL is fine */
void verdicts_apply(struct verdicts *v); /* the daemon has another snapshot */

#endif
