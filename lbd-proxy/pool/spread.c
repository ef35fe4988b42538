/* Consistent hashing.
 *
 * A key falls into one of 32,768 slots. Each slot has an order of the servers: by a score made of the slot, the server's
 * id and its weight, of which the smallest wins (weighted rendezvous). So a server's slots are as many as its
 * weight says; when it goes, only its slots move, each to the next in its own order; when it comes or its weight changes,
 * only what it gains or loses moves. Who is first in each slot is kept in a table when there are more than a few
 * servers; it is the same with and without. The rest of the order is looked for when the first cannot take the key.
 *
 * What is unfit, full, or has more than its share of the load (bounded load) is passed over. The upper bits of a key
 * choose the slot, the lower ones whether it goes to a server that is not all there yet (slow start). */
#include "spread.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SLOT_SHIFT 49 /* 64 - log2 of SPREAD_SLOTS */

/* The finalizer of SplitMix64 (Steele, Lea, Flood). */
uint64_t
spread_mix(uint64_t x)
{
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

/* An exponentially distributed number with the weight as its rate: of several, each is the smallest with the
 * probability of its share of the weights. */
static float
score(uint32_t slot, const struct spread_node *node)
{
	uint64_t h = spread_mix(((uint64_t)node->id << 32 | slot) + UINT64_C(0x9e3779b97f4a7c15));
	float even = ((float)(h >> 41) + 0.5f) * 0x1p-23f; /* above 0, below 1 */

	return -log2f(even) / (float)node->weight;
}

/* Before another in the order; equal scores are rare, and must not depend on places in the array. */
static bool
before(float a, const struct spread_node *of_a, float b, const struct spread_node *of_b)
{
	return a < b || (a == b && of_a->id < of_b->id);
}

static uint16_t
owner(const struct spread *s, uint32_t slot)
{
	float least = 0;
	uint32_t best = 0;
	bool any = false;

	for (uint32_t i = 0; i < s->n; i++) {
		float f;

		if (s->node[i].weight == 0)
			continue;
		f = score(slot, &s->node[i]);
		if (!any || before(f, &s->node[i], least, &s->node[best])) {
			best = i;
			least = f;
			any = true;
		}
	}
	return (uint16_t)best;
}

struct spread *
spread_new(const struct spread_node *node, uint32_t n)
{
	struct spread *s = mem_alloc(sizeof(*s) + n * sizeof(*node));

	atomic_init(&s->refs, 1);
	s->n = n;
	if (n > 0)
		memcpy(s->node, node, n * sizeof(*node));
	if (n <= SPREAD_FEW || n > UINT16_MAX)
		return s;
	s->slot = mem_alloc(SPREAD_SLOTS * sizeof(*s->slot));
	for (uint32_t i = 0; i < SPREAD_SLOTS; i++)
		s->slot[i] = owner(s, i);
	return s;
}

bool
spread_same(const struct spread *s, const struct spread_node *node, uint32_t n)
{
	return s->n == n && (n == 0 || memcmp(s->node, node, n * sizeof(*node)) == 0);
}

struct spread *
spread_ref(struct spread *s)
{
	atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
	return s;
}

void
spread_unref(struct spread *s)
{
	if (s == NULL || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
		return;
	free(s->slot);
	free(s);
}

/* ---- a key ------------------------------------------------------------------------------- */

/* What a server may have at most, as a multiple of its weight; 0: no limit. */
static double
bound_of(const struct balance_item *item, uint32_t n, unsigned factor)
{
	uint64_t active = 1, weight = 0; /* this request counts */

	if (factor == 0)
		return 0;
	for (uint32_t i = 0; i < n; i++) {
		if (item[i].weight == 0)
			continue;
		active += item[i].active;
		weight += item[i].weight;
	}
	return weight == 0 ? 0 : (double)factor / 100 * (double)active / (double)weight;
}

enum answer { NO, FULL, OVER, YES };
static enum answer
ask(const struct spread_node *node, const struct balance_item *it, uint64_t hash, double bound)
{
	if (it->weight == 0 || node->weight == 0)
		return NO;
	if (it->limit > 0 && it->active >= it->limit)
		return FULL;
	if (it->weight < node->weight && (hash & 0xffff) * node->weight >= (uint64_t)it->weight
									       << 16)
		return OVER;
	return bound > 0 && it->active >= bound * it->weight ? OVER : YES;
}

int64_t
spread_pick(const struct spread *s, const struct balance_item *item, uint32_t n, uint64_t hash,
    unsigned factor)
{
	uint32_t slot = (uint32_t)(hash >> SLOT_SHIFT);
	double bound = bound_of(item, n, factor);
	int64_t best[YES + 1] = { -1, -1, -1, -1 };
	float least[YES + 1] = { 0 };

	if (s->slot != NULL) {
		uint32_t i = s->slot[slot];

		if (i < n && ask(&s->node[i], &item[i], hash, bound) == YES)
			return i;
	}
	for (uint32_t i = 0; i < n && i < s->n; i++) {
		enum answer a = ask(&s->node[i], &item[i], hash, bound);
		float f;

		if (a == NO)
			continue;
		f = score(slot, &s->node[i]);
		if (best[a] < 0 || before(f, &s->node[i], least[a], &s->node[best[a]])) {
			best[a] = i;
			least[a] = f;
		}
	}
	return best[YES] >= 0	 ? best[YES]
	       : best[OVER] >= 0 ? best[OVER]
	       : best[FULL] >= 0 ? BALANCE_FULL
				 : BALANCE_NONE;
}
