/* members.h - which services have their quorum, kept in step with verdicts, orders and the configuration. Everything
 * belongs to the loop's thread. */
#ifndef CHECK_MEMBERS_H
#define CHECK_MEMBERS_H

#include "quorum.h"

#include "sys/loop.h"

struct members_ops {
	enum verdict (*verdict)(void *arg, uint32_t server);
	/* turned: met changed, or is known now; else only the weight changed. */
	void (*told)(void *arg, uint32_t service, const struct quorum *q, bool turned);
};

struct members;
struct members *members_new(struct loop *l, const struct members_ops *ops, void *arg);
void members_free(struct members *m); /* NULL is fine */
/* members_apply - the next configuration or orders; old is NULL at first. Costs what changed. now is referenced. */
void members_apply(struct members *m, struct snapshot *old, struct snapshot *now);
/* members_touch - the verdict on a server changed. Its service is reckoned once at the end of this turn, however many
 * of its servers changed. */
void members_touch(struct members *m, uint32_t server);
/* NULL, or known false: nothing was told of it yet. */
const struct quorum *members_find(const struct members *m, uint32_t service);

#endif
