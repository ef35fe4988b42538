/* idmap.c - a hash table for row ids. Ids rise by two and are never reused, so multiplying by an odd constant
 * spreads them; a row that is taken out is closed up by moving its followers back, so there are no tombstones. */
#include "idmap.h"

#include "base/mem.h"
#include "base/must.h"

struct idmap_place {
	void *p; /* NULL: free */
	uint32_t id;
};

static uint32_t
home(const struct idmap *m, uint32_t id)
{
	return (uint32_t)((id * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & (m->room - 1);
}

static struct idmap_place *
find(const struct idmap *m, uint32_t id)
{
	uint32_t at = home(m, id);

	while (m->places[at].p && m->places[at].id != id)
		at = (at + 1) & (m->room - 1);
	return &m->places[at];
}

static void
grow(struct idmap *m)
{
	struct idmap_place *old = m->places;
	uint32_t n = m->room;

	m->room = n ? n * 2 : 16;
	m->places = mem_alloc(m->room * sizeof(*m->places));
	for (uint32_t i = 0; i < n; i++)
		if (old[i].p)
			*find(m, old[i].id) = old[i];
	free(old);
}

void
idmap_fini(struct idmap *m)
{
	FREE(m->places);
	m->n = m->room = 0;
}

void *
idmap_get(const struct idmap *m, uint32_t id)
{
	return m->n ? find(m, id)->p : NULL;
}

void
idmap_put(struct idmap *m, uint32_t id, void *p)
{
	struct idmap_place *at;

	must(id != 0 && p != NULL);
	if (m->n >= m->room / 4 * 3)
		grow(m);
	at = find(m, id);
	must(at->p == NULL);
	*at = (struct idmap_place){ p, id };
	m->n++;
}

void *
idmap_take(struct idmap *m, uint32_t id)
{
	struct idmap_place *at = m->n ? find(m, id) : NULL;
	uint32_t mask = m->room - 1, hole, next;
	void *p;

	if (!at || !at->p)
		return NULL;
	p = at->p;
	hole = (uint32_t)(at - m->places);
	for (next = (hole + 1) & mask; m->places[next].p; next = (next + 1) & mask) {
		/* It may move into the hole unless its home lies after the hole. */
		if (((next - home(m, m->places[next].id)) & mask) >= ((next - hole) & mask)) {
			m->places[hole] = m->places[next];
			hole = next;
		}
	}
	m->places[hole].p = NULL;
	m->n--;
	return p;
}

void *
idmap_next(const struct idmap *m, uint32_t *at)
{
	while (*at < m->room) {
		void *p = m->places[(*at)++].p;

		if (p)
			return p;
	}
	return NULL;
}
