/* owned.c - a hash table from keys of kernel services to row ids: open addressing, linear probing, at most half full. What
 * is taken out is filled by its followers, so there are no marks of the dead. It never shrinks. Two keys are one when
 * key_compare says so: what does not identify a service does not enter the hash either. */
#include "apply/owned.h"

#include "base/mem.h"

#include <string.h>

#define FIRST_SLOTS 64

struct owned_slot {
	struct ipvs_key key; /* family 0: free */
	uint32_t service;
};

static uint32_t
home(const struct owned *o, const struct ipvs_key *k)
{
	uint64_t h = k->mark != 0
			 ? (uint64_t)k->mark << 8 | k->family
			 : (uint64_t)k->port << 16 | (uint64_t)k->protocol << 8 | k->family;
	uint64_t part[2] = { 0 };

	if (k->mark == 0)
		memcpy(part, k->addr.b, sizeof(part));
	h = (h ^ part[0]) * UINT64_C(0x9e3779b97f4a7c15);
	h = (h ^ h >> 32 ^ part[1]) * UINT64_C(0xff51afd7ed558ccd);
	return (uint32_t)(h >> 32) & o->mask;
}

static struct owned_slot *
find(const struct owned *o, const struct ipvs_key *k)
{
	uint32_t i = home(o, k);

	while (o->slot[i].key.family != 0 && key_compare(&o->slot[i].key, k) != 0)
		i = (i + 1) & o->mask;
	return &o->slot[i];
}

static void
grow(struct owned *o)
{
	struct owned old = *o;

	o->mask = old.slot == NULL ? FIRST_SLOTS - 1 : old.mask * 2 + 1;
	o->slot = mem_alloc(((size_t)o->mask + 1) * sizeof(*o->slot));
	for (uint32_t i = 0; old.slot != NULL && i <= old.mask; i++)
		if (old.slot[i].key.family != 0)
			*find(o, &old.slot[i].key) = old.slot[i];
	free(old.slot);
}

void
owned_fini(struct owned *o)
{
	free(o->slot);
	*o = (struct owned){ 0 };
}

bool
owned_get(const struct owned *o, const struct ipvs_key *k, uint32_t *service_out)
{
	const struct owned_slot *s = o->slot != NULL ? find(o, k) : NULL;

	if (s == NULL || s->key.family == 0)
		return false;
	if (service_out != NULL)
		*service_out = s->service;
	return true;
}

bool
owned_put(struct owned *o, const struct ipvs_key *k, uint32_t service)
{
	struct owned_slot *s;
	bool fresh;

	if (o->slot == NULL || o->n * 2 > o->mask)
		grow(o);
	s = find(o, k);
	fresh = s->key.family == 0;
	o->n += fresh;
	*s = (struct owned_slot){ .key = *k, .service = service };
	return fresh;
}

bool
owned_drop(struct owned *o, const struct ipvs_key *k)
{
	struct owned_slot *s = o->slot != NULL ? find(o, k) : NULL;
	uint32_t hole, i;

	if (s == NULL || s->key.family == 0)
		return false;
	hole = i = (uint32_t)(s - o->slot);
	for (;;) {
		i = (i + 1) & o->mask;
		if (o->slot[i].key.family == 0)
			break;
		/* One whose home lies between the hole and itself stays. */
		if (((i - home(o, &o->slot[i].key)) & o->mask) < ((i - hole) & o->mask))
			continue;
		o->slot[hole] = o->slot[i];
		hole = i;
	}
	o->slot[hole] = (struct owned_slot){ 0 };
	o->n--;
	return true;
}

const struct ipvs_key *
owned_next(const struct owned *o, uint32_t *at, uint32_t *service_out)
{
	while (o->slot != NULL && *at <= o->mask) {
		const struct owned_slot *s = &o->slot[(*at)++];

		if (s->key.family == 0)
			continue;
		if (service_out != NULL)
			*service_out = s->service;
		return &s->key;
	}
	return NULL;
}
