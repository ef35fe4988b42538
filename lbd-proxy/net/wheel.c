/* A timer wheel: 1024 slots of 10 ms.
 *
 * A timer lies in the slot of its deadline, or in the last slot before the wheel comes round when the deadline
 * is further away. When its slot is reached and the deadline has moved on meanwhile, it is put in again; so to
 * move a deadline away, which happens with every request, is one store, and only moving it nearer takes the
 * timer out of its list. Deadlines are counted in ticks since the wheel began; 0 means off, and the tick 0
 * itself is never used. Waits up to 2^31 ticks (248 days) are told apart. It does not read the clock. */
#include "wheel.h"

#include "base/must.h"

#include <string.h>

#define SLOT(tick) ((tick) & (WHEEL_SLOTS - 1))

void
wheel_init(struct wheel *w, mono_t now)
{
	memset(w, 0, sizeof(*w));
	w->start = now - WHEEL_TICK;
	w->now = 1;
}

static void
put(struct wheel *w, struct timer *t)
{
	uint32_t last = w->now + WHEEL_SLOTS - 1, slot;

	t->at = wheel_before(last, t->deadline) ? last : t->deadline;
	if (!wheel_before(w->now, t->at))
		t->at = w->now + 1;
	slot = SLOT(t->at);
	t->next = w->slot[slot];
	if (t->next != NULL)
		t->next->link = &t->next;
	t->link = &w->slot[slot];
	w->slot[slot] = t;
	w->used[slot / 64] |= UINT64_C(1) << (slot % 64);
}

static mono_t
instant(const struct wheel *w, uint32_t tick)
{
	/* tick may have wrapped since start: count from the present one */
	return w->start + ((mono_t)w->now + (int32_t)(tick - w->now)) * WHEEL_TICK;
}

mono_t
wheel_set(struct wheel *w, struct timer *t, mono_t now, dur_t after)
{
	if (wheel_put_off(w, t, now, after))
		return instant(w, t->at);
	t->deadline = wheel_deadline(w, now, after);
	wheel_del(w, t);
	put(w, t);
	return instant(w, t->at);
}

void
wheel_del(struct wheel *w, struct timer *t)
{
	uint32_t slot = SLOT(t->at);

	if (t->link == NULL)
		return;
	*t->link = t->next;
	if (t->next != NULL)
		t->next->link = t->link;
	t->link = NULL;
	if (w->slot[slot] == NULL)
		w->used[slot / 64] &= ~(UINT64_C(1) << (slot % 64));
}

/* Everything in the slot of tick w->now. */
static void
fire(struct wheel *w, uint32_t target, void (*fn)(void *arg, struct timer *t), void *arg)
{
	struct timer *t, **slot = &w->slot[SLOT(w->now)];
	uint32_t deadline;

	while ((t = *slot) != NULL) {
		deadline = t->deadline;
		wheel_del(w, t);
		if (deadline == 0)
			continue;
		if (wheel_before(target, deadline)) {
			t->deadline = deadline;
			put(w, t);
			continue;
		}
		t->deadline = 0;
		fn(arg, t);
	}
}

void
wheel_advance(struct wheel *w, mono_t now, void (*fn)(void *arg, struct timer *t), void *arg)
{
	uint32_t target = (uint32_t)((now - w->start) / WHEEL_TICK);

	if (!wheel_before(w->now, target))
		return;
	if (target - w->now > WHEEL_SLOTS)
		w->now = target - WHEEL_SLOTS;
	while (w->now != target) {
		w->now++;
		if (w->used[SLOT(w->now) / 64] == 0) { /* to the end of this word of slots */
			uint32_t skip = 63 - SLOT(w->now) % 64, left = target - w->now;

			w->now += skip < left ? skip : left;
			continue;
		}
		fire(w, target, fn, arg);
	}
}

mono_t
wheel_next(const struct wheel *w)
{
	uint32_t i, tick, slot;

	for (i = 1; i <= WHEEL_SLOTS;) {
		tick = w->now + i;
		slot = SLOT(tick);
		if (w->used[slot / 64] >> (slot % 64) == 0) {
			i += 64 - slot % 64;
			continue;
		}
		i += (uint32_t)__builtin_ctzll(w->used[slot / 64] >> (slot % 64));
		return instant(w, w->now + i);
	}
	return -1;
}
