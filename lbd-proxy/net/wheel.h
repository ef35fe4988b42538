/* wheel.h - the timers of one worker: coarse, cheap to move, without allocation.
 * A timer that is only pushed further away costs one store. Pure: the time is an argument. */
#ifndef LBD_PROXY_WHEEL_H
#define LBD_PROXY_WHEEL_H

#include "base/mono.h"

#include <stdbool.h>
#include <stddef.h>

#define WHEEL_TICK 10000 /* microseconds */
#define WHEEL_SLOTS 1024 /* a power of two; longer waits come round again */

struct timer {
	struct timer *next, **link; /* link NULL: in no slot */
	uint32_t deadline;	    /* tick; 0 is off */
	uint32_t at;		    /* tick of the slot it is in */
};
struct wheel {
	mono_t start;
	uint32_t now; /* last tick that was handled */
	uint64_t used[WHEEL_SLOTS / 64];
	struct timer *slot[WHEEL_SLOTS];
};

/* In ticks that come round: the earlier one. */
static inline bool
wheel_before(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}
/* wheel_deadline - the tick of now + after; never 0, which is off. */
static inline uint32_t
wheel_deadline(const struct wheel *w, mono_t now, dur_t after)
{
	uint32_t tick =
	    (uint32_t)((uint64_t)(now - w->start + after + WHEEL_TICK - 1) / WHEEL_TICK);

	return tick == 0 ? 1 : tick;
}

void wheel_init(struct wheel *w, mono_t now);
/* wheel_set - fire once, not before now + after; again moves it. A zeroed timer is fine.
 * Returns the instant at which wheel_advance has to be called at the latest for this timer. */
mono_t wheel_set(struct wheel *w, struct timer *t, mono_t now, dur_t after);
/* wheel_put_off - the same where that is one store: true, and nothing is to be looked at earlier than it was. False: nothing
 * was done. */
static inline bool
wheel_put_off(const struct wheel *w, struct timer *t, mono_t now, dur_t after)
{
	uint32_t deadline = wheel_deadline(w, now, after);

	if (t->link == NULL || wheel_before(deadline, t->at))
		return false;
	t->deadline = deadline;
	return true;
}
/* wheel_off - does not fire, stays where it is; wheel_del takes it out before its memory goes. */
static inline void
wheel_off(struct timer *t)
{
	t->deadline = 0;
}
void wheel_del(struct wheel *w, struct timer *t);
/* wheel_advance - fn for each timer whose time has come; fn may set and delete any timer. */
void wheel_advance(struct wheel *w, mono_t now, void (*fn)(void *arg, struct timer *t), void *arg);
/* wheel_next - when wheel_advance is to be called next; -1 when no timer is there. */
mono_t wheel_next(const struct wheel *w);

#endif
