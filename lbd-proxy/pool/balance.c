/* The ways to choose a server that look at nothing but the servers; spread.c has those that look at a key.
 *
 * Round robin is the smooth kind: each server's credit grows by its weight, the richest is chosen and pays the sum of all
 * weights. Over a whole turn everybody is chosen as often as its weight says, and never in a row while others wait.
 * Least connections compares active / weight by cross multiplication, and lets round robin decide among equals: on a quiet
 * service all are equal, and still share by weight.
 *
 * Servers that have no weight (down, or already tried) or are at their limit take no part and keep their credit. After
 * a change of weights credits are brought within one turn, so nobody pays long for what he had in another time.
 *
 * Two by lot come close to least connections without all workers running to the same server at once: what one worker
 * sees of the others is always a little old. Least time multiplies how long a server takes by how much it has to do. */
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
look_over(const struct balance_item *item, uint32_t n, bool wlc)
{
	struct look l = { .least = NULL };

	for (uint32_t i = 0; i < n; i++) {
		const struct balance_item *it = &item[i];
		if (it->weight == 0)
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
balance_pick(struct balance_item *item, uint32_t n, unsigned scheduler)
{
	bool least = scheduler == scheduler_wlc || scheduler == scheduler_lc;
	struct look l = look_over(item, n, least);
	int64_t best = -1;

	if (l.total == 0)
		return l.full ? BALANCE_FULL : BALANCE_NONE;
	for (uint32_t i = 0; i < n; i++) {
		struct balance_item *it = &item[i];
		if (!fit(it) || (l.least != NULL && !level(it, l.least)))
			continue;
		it->current = within((int64_t)within(it->current, l.total) + it->weight, INT32_MAX);
		if (best < 0 || it->current > item[best].current)
			best = i;
	}
	item[best].current = within(item[best].current - l.total, l.total);
	return best;
}

/* Why nobody was chosen. */
static int64_t
nobody(const struct balance_item *item, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (item[i].weight > 0)
			return BALANCE_FULL;
	return BALANCE_NONE;
}

/* Where a number below the sum of the weights falls, but for one server; NOT_HERE: for none. */
#define NOT_HERE UINT32_MAX
static uint32_t
draw(const struct balance_item *item, uint32_t n, uint64_t at, uint32_t but)
{
	for (uint32_t i = 0; i < n; i++) {
		if (!fit(&item[i]) || i == but)
			continue;
		if (at < item[i].weight)
			return i;
		at -= item[i].weight;
	}
	return NOT_HERE;
}

/* 32 random bits to a number below n, which is below 2^32 times 2^22. */
static uint64_t
below(uint64_t n, uint32_t random)
{
	return (uint64_t)((unsigned __int128)n * random >> 32);
}

int64_t
balance_twos(const struct balance_item *item, uint32_t n, uint64_t random)
{
	uint64_t total = 0;
	uint32_t a, b;

	for (uint32_t i = 0; i < n; i++)
		total += fit(&item[i]) ? item[i].weight : 0;
	if (total == 0)
		return nobody(item, n);
	a = draw(item, n, below(total, (uint32_t)random), NOT_HERE);
	if (total == item[a].weight)
		return a;
	b = draw(item, n, below(total - item[a].weight, (uint32_t)(random >> 32)), a);
	return lighter(&item[b], &item[a]) ? b : a;
}

int64_t
balance_first(const struct balance_item *item, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (fit(&item[i]))
			return i;
	return nobody(item, n);
}

int64_t
balance_least_time(const struct balance_item *item, uint32_t n)
{
	int64_t best = -1;
	double least = 0;

	for (uint32_t i = 0; i < n; i++) {
		const struct balance_item *it = &item[i];
		/* Not known: before all others when it is idle, after them when it was asked already. */
		double latency = it->latency > 0 ? it->latency : it->active > 0 ? UINT32_MAX : 0;
		double cost;

		if (!fit(it))
			continue;
		cost = latency * ((double)it->active + 1) / it->weight;
		if (best < 0 || cost < least) {
			best = i;
			least = cost;
		}
	}
	return best < 0 ? nobody(item, n) : best;
}
