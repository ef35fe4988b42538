/* reconcile.h - keeps the kernel's table as it should be.
 *
 * It holds what should be (one entry for each row of a service) and a mirror of what is. A change is sent at the end
 * of the loop's turn, all changes of a turn in one batch. The kernel tells nobody when somebody else edits its
 * table, so a thread reads it over and over: every second, or less often when reading takes long (at most 2 % of a
 * processor); what differs is put right and logged. Services that are not lbd's are kept in the mirror, shown, and
 * left alone. Which are lbd's is remembered in a file of the run-time folder (apply/record.c), so a daemon that
 * was killed finds its own again and changes only the difference. */
#ifndef IPVS_APPLY_RECONCILE_H
#define IPVS_APPLY_RECONCILE_H

#include "plan/table.h"

#include "base/err.h"
#include "sys/loop.h"
#include "sys/paths.h"

struct reconcile;
struct reconcile_ops {
	/* How the kernel stands to a service after it was changed or looked at: fault NULL: as it should be. */
	void (*told)(void *arg, uint32_t service, const char *fault);
	/* The whole: NULL, or why nothing can be done at all ("no ip_vs: modprobe ip_vs"). */
	void (*fault)(void *arg, const char *fault);
	/* The same for timeouts and sync daemons; may be NULL. */
	void (*settings)(void *arg, const char *fault);
	/* A new mirror was read: counters are fresh. */
	void (*read)(void *arg);
	void *arg;
};
struct reconcile *reconcile_new(
    struct loop *l, const struct paths *p, const struct reconcile_ops *ops);
void reconcile_free(struct reconcile *r); /* leaves the kernel as it is */
/* reconcile_want - from now on these kernel services stand for a row; the table is taken (emptied). An empty one: none. */
void reconcile_want(struct reconcile *r, uint32_t service, struct ipvs_table *t);
/* reconcile_start - all rows were given once: what the record says is lbd's and nobody wants any more goes away. Before
 * it only additions are made. */
void reconcile_start(struct reconcile *r);
void reconcile_timeouts(struct reconcile *r, const struct ipvs_timeouts *t);
void reconcile_sync(
    struct reconcile *r, const struct ipvs_sync *master, const struct ipvs_sync *backup);
void reconcile_flush(struct reconcile *r); /* send now what waits for the end of the turn */
/* reconcile_look - read the kernel's table soon; ops.read follows. */
void reconcile_look(struct reconcile *r);
/* The mirror, with row ids filled in where they are known; borrowed until the loop turns. at_out: when it was read. */
const struct ipvs_table *reconcile_have(const struct reconcile *r, mono_t *at_out);
bool reconcile_mine(const struct reconcile *r, const struct ipvs_key *k);
/* reconcile_settled - everything that was given is in the kernel, or was refused, and the sync daemons are as set. */
bool reconcile_settled(const struct reconcile *r);
/* reconcile_clear - take away everything that is lbd's, now (setting ipvs_stop). Nothing is put back until the next
 * reconcile_want. */
int reconcile_clear(struct reconcile *r, struct err *err);
/* reconcile_zero - counters of a service (0: of all that are lbd's). */
int reconcile_zero(struct reconcile *r, uint32_t service, struct err *err);

#endif
