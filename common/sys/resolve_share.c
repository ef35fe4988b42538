/* Who gets which place of an answer.
 *
 * Every pair of key and place has a number, made of both; pairs are taken in the order of these numbers, each key and each
 * place once. So the result depends on nothing that was before: daemons that ask at different times, and both nodes of a
 * pair, agree as soon as they have the same answer. A place that comes or goes moves, besides the key that it is for, only
 * keys that liked it better than what they had. */
#include "resolve_priv.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

struct match {
	uint64_t number;
	unsigned key, place;
};

/* FNV-1a (draft-eastlake-fnv), then the finalizer of splitmix64, since neighbours differ in few bits. */
static uint64_t
number_of(uint32_t key, const struct dns_row *p)
{
	uint8_t b[23] = { (uint8_t)(key >> 24), (uint8_t)(key >> 16), (uint8_t)(key >> 8),
		(uint8_t)key, p->addr.family, (uint8_t)(p->port >> 8), (uint8_t)p->port };
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	memcpy(b + 7, p->addr.b, sizeof(p->addr.b));
	for (size_t i = 0; i < sizeof(b); i++)
		h = (h ^ b[i]) * UINT64_C(0x100000001b3);
	h = (h ^ h >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	h = (h ^ h >> 27) * UINT64_C(0x94d049bb133111eb);
	return h ^ h >> 31;
}

static int
by_number(const void *a, const void *b)
{
	const struct match *x = a, *y = b;

	return x->number < y->number ? -1 : x->number > y->number;
}

void
resolve_share(const uint32_t *key, unsigned m, const struct dns_row *place, unsigned n, int *out)
{
	struct match *all = mem_alloc(((size_t)m * n + 1) * sizeof(*all));
	bool *taken = mem_alloc(n + 1);
	size_t at = 0;

	for (unsigned i = 0; i < m; i++) {
		out[i] = -1;
		for (unsigned k = 0; k < n; k++)
			all[at++] = (struct match){ number_of(key[i], &place[k]), i, k };
	}
	qsort(all, at, sizeof(*all), by_number);
	for (size_t i = 0; i < at; i++) {
		if (out[all[i].key] >= 0 || taken[all[i].place])
			continue;
		out[all[i].key] = (int)all[i].place;
		taken[all[i].place] = true;
	}
	free(taken);
	free(all);
}
