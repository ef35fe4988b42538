/* hold.h - keeps the floating addresses of the configuration on this node. */
#ifndef HA_HOLD_H
#define HA_HOLD_H

#include "address.h"
#include "garp.h"

#include "sys/loop.h"
#include "sys/paths.h"

#define HOLD_SETTLE \
	DUR_MS(20)    /* the kernel's changes are gathered for so long before they are looked at */
#define HOLD_TURN 500 /* addresses put in one turn of the loop */
#define HOLD_RETRY DUR_S(5) /* an address that could not be put is tried again */

struct hold_ops {
	/* How an address stands now; gone: it is not wanted any more (held, services and manual are false). */
	void (*told)(void *arg, const struct floating *f, bool gone);
	void (*settled)(void *arg); /* after all that was told */
	/* Somebody else puts the addresses (in a pair, the core): true, and this node only takes away what is wanted
	 * nowhere any more. The faults of plan->want may be filled. May be NULL. */
	bool (*place)(void *arg, struct address_plan *plan, const struct iface_list *kernel);
	void *arg;
};
struct hold;
/* hold_new - looks at nothing yet. Announces through g (borrowed). */
struct hold *hold_new(
    struct loop *l, const struct paths *p, struct garp *g, const struct hold_ops *ops);
/* hold_free - the addresses stay where they are. */
void hold_free(struct hold *h);
/* hold_set - these are wanted from now on; s is referenced. */
void hold_set(struct hold *h, struct snapshot *s);
/* hold_look - after this turn: who places the addresses, or where they are, is another. */
void hold_look(struct hold *h);
/* All wanted addresses, in order; borrowed until the loop turns. */
const struct floating *hold_all(const struct hold *h, uint32_t *n_out);

/* hold_release - take away every address that an lbd-ha of these paths has put on this node. 0, or the first
 * error with err; the others are tried all the same. */
int hold_release(const struct paths *p, struct err *err);

#endif
