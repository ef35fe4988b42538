/* The two ways to choose a server.
 *
 * Round robin is the smooth kind: each server's credit grows by its weight, the richest is chosen and pays the sum of all
 * weights. Over a whole turn everybody is chosen as often as its weight says, and never in a row while others wait.
 * Least connections compares active / weight by cross multiplication, and lets round robin decide among equals: on a quiet
 * service all are equal, and still share by weight.
 *
 * Servers that are excluded (already tried), have no weight or are at their limit take no part and keep their credit. After
 * a change of weights credits are brought within one turn, so nobody pays long for what he had in another time. */
#include "balance.h"

#include <stddef.h>

#include "schema/schema.h"

static bool
fit(const struct balance_item *it)
{
	return it->weight > 0 && (it->limit == 0 || it->active < it->limit);
}

/* a has relatively fewer connections than b. */
static bool
lighter(const struct balance_item *a, const struct balance_item *b)
{
	return (uint64_t)a->active * b->weight < (uint64_t)b->active * a->weight;
}

static bool
level(const struct balance_item *a, const struct balance_item *b)
{
	return (uint64_t)a->active * b->weight == (uint64_t)b->active * a->weight;
}

/* What one look over the array finds. */
struct look {
	const struct balance_item *least; /* wlc: the lightest */
	int64_t total;			  /* weights of those that take part */
	bool full;			  /* somebody is only at his limit */
};

static struct look
look_over(const struct balance_item *item, uint32_t n, bool wlc, const uint64_t *excluded)
{
	struct look l = { .least = NULL };

	for (uint32_t i = 0; i < n; i++) {
		const struct balance_item *it = &item[i];
		if (it->weight == 0 || balance_excluded(excluded, i))
			continue;
		if (!fit(it)) {
			l.full = true;
		} else if (!wlc || (l.least != NULL && level(it, l.least))) {
			l.total += it->weight;
		} else if (l.least == NULL || lighter(it, l.least)) {
			l.least = it;
			l.total = it->weight;
		}
	}
	return l;
}

static int32_t
within(int64_t v, int64_t bound)
{
	if (bound > INT32_MAX)
		bound = INT32_MAX;
	return (int32_t)(v > bound ? bound : v < -bound ? -bound : v);
}

int64_t
balance_pick(struct balance_item *item, uint32_t n, unsigned scheduler, const uint64_t *excluded)
{
	struct look l = look_over(item, n, scheduler == scheduler_wlc, excluded);
	int64_t best = -1;

	if (l.total == 0)
		return l.full ? BALANCE_FULL : BALANCE_NONE;
	for (uint32_t i = 0; i < n; i++) {
		struct balance_item *it = &item[i];
		if (!fit(it) || balance_excluded(excluded, i) ||
		    (l.least != NULL && !level(it, l.least)))
			continue;
		it->current = within((int64_t)within(it->current, l.total) + it->weight, INT32_MAX);
		if (best < 0 || it->current > item[best].current)
			best = i;
	}
	item[best].current = within(item[best].current - l.total, l.total);
	return best;
}
