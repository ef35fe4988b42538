/* A hash table from row ids to pointers. Ids rise by two and are never reused, so multiplying by an odd constant spreads
 * them. Linear probing; a slot that is taken out is filled by moving its followers up, so there are no marks of the
 * dead. It doubles when it is half full and never shrinks: it is as large as the configuration once was. */
#include "base/idmap.h"

#include "base/mem.h"
#include "base/must.h"

#include <stddef.h>

#define FIRST_SLOTS 16

struct idmap_slot {
	uint32_t id; /* 0: free */
	void *p;
};

static uint32_t
home(const struct idmap *m, uint32_t id)
{
	return (uint32_t)((id * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & m->mask;
}

static struct idmap_slot *
find(const struct idmap *m, uint32_t id)
{
	uint32_t i = home(m, id);

	while (m->slot[i].id != 0 && m->slot[i].id != id)
		i = (i + 1) & m->mask;
	return &m->slot[i];
}

static void
grow(struct idmap *m)
{
	struct idmap old = *m;
	uint32_t at = 0, id;
	void *p;

	m->mask = old.slot == NULL ? FIRST_SLOTS - 1 : old.mask * 2 + 1;
	m->slot = mem_alloc(((size_t)m->mask + 1) * sizeof(*m->slot));
	while ((p = idmap_next(&old, &at, &id)) != NULL)
		*find(m, id) = (struct idmap_slot){ .id = id, .p = p };
	free(old.slot);
}

void *
idmap_get(const struct idmap *m, uint32_t id)
{
	return m->slot == NULL ? NULL : find(m, id)->p;
}

void *
idmap_take(struct idmap *m, uint32_t id)
{
	uint32_t hole, i;
	void *p = idmap_get(m, id);

	if (p == NULL)
		return NULL;
	hole = (uint32_t)(find(m, id) - m->slot);
	for (i = (hole + 1) & m->mask; m->slot[i].id != 0; i = (i + 1) & m->mask) {
		/* It may move up unless its home lies behind the hole. */
		if (((i - home(m, m->slot[i].id)) & m->mask) < ((i - hole) & m->mask))
			continue;
		m->slot[hole] = m->slot[i];
		hole = i;
	}
	m->slot[hole] = (struct idmap_slot){ 0 };
	m->n--;
	return p;
}

void
idmap_put(struct idmap *m, uint32_t id, void *p)
{
	struct idmap_slot *s;

	must(id != 0);
	if (p == NULL) {
		(void)idmap_take(m, id); /* the owner has it, if it was there */
		return;
	}
	if (m->slot == NULL || m->n * 2 > m->mask)
		grow(m);
	s = find(m, id);
	m->n += s->id == 0;
	*s = (struct idmap_slot){ .id = id, .p = p };
}

void *
idmap_next(const struct idmap *m, uint32_t *at, uint32_t *id_out)
{
	while (m->slot != NULL && *at <= m->mask) {
		const struct idmap_slot *s = &m->slot[(*at)++];

		if (s->id == 0)
			continue;
		if (id_out != NULL)
			*id_out = s->id;
		return s->p;
	}
	return NULL;
}

void
idmap_fini(struct idmap *m)
{
	FREE(m->slot);
	*m = (struct idmap){ 0 };
}
