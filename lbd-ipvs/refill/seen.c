/* seen.c - open addressing over hashes. Two entries of one hash cost the later one its second chance to be sent, no more; the
 * seed keeps clients from choosing ports that collide. */
#include "refill/seen.h"

#include "base/mem.h"

#include <string.h>
#include <sys/random.h>

#define FIRST 1024

static uint64_t
mix(uint64_t h, const void *p, size_t n)
{
	const uint8_t *b = p;

	for (size_t i = 0; i < n; i++)
		h = (h ^ b[i]) * 0x100000001b3u; /* FNV-1a */
	h ^= h >> 29;
	return h * 0xbf58476d1ce4e5b9u;
}

static uint64_t
hash(const struct seen *s, const struct entry *e)
{
	uint64_t h = s->seed;

	h = mix(h, &e->protocol, sizeof(e->protocol));
	h = mix(h, &e->template, sizeof(e->template));
	h = mix(h, &e->client_port, sizeof(e->client_port));
	h = mix(h, &e->virtual_port, sizeof(e->virtual_port));
	h = mix(h, e->client.b, sizeof(e->client.b));
	h = mix(h, e->virtual.b, sizeof(e->virtual.b));
	h = mix(h, e->pe_data, strlen(e->pe_data));
	h ^= h >> 32;
	return h != 0 ? h : 1;
}

/* Its slot, or the free one where it would be. */
static uint64_t *
place(const struct seen *s, uint64_t h)
{
	uint32_t at = (uint32_t)h & s->mask;

	while (s->slot[at] != 0 && s->slot[at] != h)
		at = (at + 1) & s->mask;
	return &s->slot[at];
}

static void
grow(struct seen *s)
{
	struct seen old = *s;
	uint32_t slots = old.slot == NULL ? FIRST : 2 * (old.mask + 1);

	if (old.slot == NULL && getrandom(&s->seed, sizeof(s->seed), GRND_NONBLOCK) == -1)
		s->seed = 1; /* before there is any chance, there are no clients */
	s->slot = mem_alloc(slots * sizeof(*s->slot));
	s->mask = slots - 1;
	for (uint32_t i = 0; old.slot != NULL && i <= old.mask; i++)
		if (old.slot[i] != 0)
			*place(s, old.slot[i]) = old.slot[i];
	free(old.slot);
}

void
seen_fini(struct seen *s)
{
	free(s->slot);
	*s = (struct seen){ 0 };
}

bool
seen_add(struct seen *s, const struct entry *e)
{
	uint64_t h, *slot;

	if (s->slot == NULL || (s->n >= (s->mask + 1) / 2 && s->n < SEEN_MOST))
		grow(s);
	h = hash(s, e);
	slot = place(s, h);
	if (*slot == h)
		return false;
	if (s->n < SEEN_MOST) {
		*slot = h;
		s->n++;
	}
	return true;
}
