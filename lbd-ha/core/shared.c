/* shared.c - the two ways across the shared memory: halves that change places, and a sequence lock.
 *
 * Nobody ever waits for the other: a writer of `want` that finds the spare half in use comes again, a reader of `is` that
 * met a writer copies again; the core writes some hundred bytes at a time, so a few tries are always enough. */
#include "core/shared.h"

#include <sched.h>
#include <string.h>

struct shared_want *
shared_want_spare(struct shared *s)
{
	unsigned now = atomic_load(&s->wanted);

	return now == atomic_load(&s->taken) ? &s->want[(now + 1) & 1] : NULL;
}

void
shared_want_commit(struct shared *s)
{
	unsigned next = atomic_load(&s->wanted) + 1;

	for (unsigned i = 0; i < SHARED_ADDRS; i++)
		atomic_store_explicit(&s->error[next & 1][i], 0, memory_order_relaxed);
	atomic_store(&s->wanted, next);
}

void
shared_read(const struct shared *s, struct shared_is *out)
{
	unsigned before, after;

	do {
		before = atomic_load_explicit(&s->is_seq, memory_order_acquire);
		memcpy(out, &s->is, sizeof(*out));
		atomic_thread_fence(memory_order_acquire);
		after = atomic_load_explicit(&s->is_seq, memory_order_relaxed);
		if (before & 1)
			(void)sched_yield();
	} while ((before & 1) != 0 || before != after);
}

void
shared_write(struct shared *s, const struct shared_is *is)
{
	/* A core that was killed in the middle has left it odd. */
	unsigned seq = atomic_load_explicit(&s->is_seq, memory_order_relaxed) | 1;

	atomic_store_explicit(&s->is_seq, seq, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	memcpy(&s->is, is, sizeof(*is));
	atomic_store_explicit(&s->is_seq, seq + 1, memory_order_release);
}

void
shared_note(struct shared *s, const struct shared_event *e)
{
	unsigned n = atomic_load(&s->events);

	s->event[n % SHARED_EVENTS] = *e;
	atomic_store(&s->events, n + 1);
}
