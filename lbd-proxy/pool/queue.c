/* The queue of a worker is one list; the last seat of each priority stands in a second one, so that a place is found by a look at
 * each priority that somebody has, not at everybody who waits. Between workers the priority of the first counts, once somebody
 * had one. */
#include "queue.h"

#include "base/must.h"

#include "net/worker.h"

/* The last seat of those that go before one of this priority; NULL: there is none. */
static struct seat *
last_before(const struct wsvc *svc, int priority)
{
	for (struct list *it = svc->tails.prev; it != &svc->tails; it = it->prev) {
		struct seat *s = container_of(it, struct seat, tail);

		if (s->priority <= priority)
			return s;
	}
	return NULL;
}

static void
tell_first(struct wsvc *svc)
{
	if (!list_empty(&svc->waiting))
		atomic_store(&svc->svc->of[svc->w->index].first,
		    container_of(svc->waiting.next, struct seat, link)->priority);
}

void
queue_join(struct seat *s)
{
	struct wsvc *svc = s->svc;
	struct seat *last = last_before(svc, s->priority);

	list_push_front(last == NULL ? &svc->waiting : &last->link, &s->link);
	list_push_front(last == NULL ? &svc->tails : &last->tail, &s->tail);
	if (last != NULL && last->priority == s->priority)
		list_del(&last->tail);
	if (s->priority != 0)
		atomic_store_explicit(&svc->svc->ranked, true, memory_order_relaxed);
	tell_first(svc);
}

void
queue_quit(struct seat *s)
{
	struct wsvc *svc = s->svc;
	struct list *before = s->link.prev;
	struct seat *p;

	if (!list_empty(&s->tail)) {
		if (before != &svc->waiting) {
			p = container_of(before, struct seat, link);
			if (p->priority == s->priority)
				list_push_front(&s->tail, &p->tail);
		}
		list_del(&s->tail);
	}
	list_del(&s->link);
	tell_first(svc);
}

/* Those whose first goes before the others'. */
static uint64_t
foremost(const struct svc *s, uint64_t mask)
{
	uint64_t best = 0;
	int first = 0;

	for (uint64_t m = mask; m != 0; m &= m - 1) {
		int p = atomic_load(&s->of[__builtin_ctzll(m)].first);

		if (best == 0 || p < first)
			best = 0;
		if (best == 0)
			first = p;
		if (p == first)
			best |= m & -m;
	}
	return best;
}

unsigned
queue_next(struct svc *s, uint64_t mask)
{
	unsigned i = atomic_load_explicit(&s->turn, memory_order_relaxed);
	uint64_t later;

	if (atomic_load_explicit(&s->ranked, memory_order_relaxed))
		mask = foremost(s, mask);
	later = i >= 63 ? 0 : mask & (~UINT64_C(0) << (i + 1));
	i = (unsigned)__builtin_ctzll(later != 0 ? later : mask);
	atomic_store_explicit(&s->turn, i, memory_order_relaxed);
	return i;
}
