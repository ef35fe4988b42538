/* core_link.h - the side's end of the core: finds one that runs, starts one that does not, tells it and hears it. */
#ifndef HA_CORE_LINK_H
#define HA_CORE_LINK_H

#include "core/shared.h"

#include "sys/loop.h"
#include "sys/paths.h"

struct core_link_ops {
	void (*news)(void *arg, const struct shared_is *is); /* something of it changed */
	void (*event)(void *arg, const struct shared_event *e);
	void (*missed)(void *arg, unsigned n); /* events that nobody has heard and that are gone */
	void (*room)(void *arg);	       /* what is wanted may be written again */
	void *arg;
};
struct core_link;
/* core_link_new - a core that an earlier process has left is taken over as it is; else one is started. It is started
 * again whenever it ends. NULL: err says why there cannot be one. */
struct core_link *core_link_new(
    struct loop *l, const struct paths *p, const struct core_link_ops *ops, struct err *err);
/* core_link_free - the core goes on without us (CORE_ORPHAN). */
void core_link_free(struct core_link *k);
/* core_link_clear - the core takes the addresses away and ends; k is freed. */
void core_link_clear(struct core_link *k);
/* core_link_leave - hand over what can be handed over, then end; done is called once, when it has ended. */
void core_link_leave(struct core_link *k, void (*done)(void *arg), void *arg);

/* core_link_edit - the want to fill, zeroed; NULL while the core has not taken the last one (ops.room). */
struct shared_want *core_link_edit(struct core_link *k);
void core_link_commit(struct core_link *k);
/* core_link_say - words that change at any time; core_link_poke afterwards, to be heard now. */
struct shared_say *core_link_say(struct core_link *k);
void core_link_poke(struct core_link *k);
void core_link_is(const struct core_link *k, struct shared_is *out);
/* core_link_error - of the i-th address of the want in force: 0 or errno. */
int core_link_error(const struct core_link *k, uint32_t i);
/* core_link_end - for lbd-ha --release: a core of these paths takes its addresses away and ends; waits for that. */
void core_link_end(const struct paths *p);

#endif
