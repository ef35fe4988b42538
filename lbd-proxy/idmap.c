/* An open hash table from row ids to pointers, for the control thread. Linear probing; an entry that is taken out is
 * filled by moving its followers up, so there are no marks of the dead. It doubles when it is half full. */
#include "idmap.h"

#include "base/mem.h"
#include "base/must.h"

static uint32_t
place(const struct idmap *m, uint32_t id)
{
	return (uint32_t)((id * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & m->mask;
}

static struct idmap_slot *
find(const struct idmap *m, uint32_t id)
{
	uint32_t i = place(m, id);

	while (m->slot[i].id != 0 && m->slot[i].id != id)
		i = (i + 1) & m->mask;
	return &m->slot[i];
}

void *
idmap_get(const struct idmap *m, uint32_t id)
{
	return m->slot == NULL ? NULL : find(m, id)->p;
}

static void
grow(struct idmap *m)
{
	struct idmap old = *m;
	uint32_t at = 0, id;
	void *p;

	m->mask = old.slot == NULL ? 63 : old.mask * 2 + 1;
	m->slot = mem_alloc(((size_t)m->mask + 1) * sizeof(*m->slot));
	while ((p = idmap_next(&old, &at, &id)) != NULL)
		*find(m, id) = (struct idmap_slot){ .id = id, .p = p };
	free(old.slot);
}

static void
take_out(struct idmap *m, struct idmap_slot *s)
{
	uint32_t hole = (uint32_t)(s - m->slot), i = hole, home;

	m->n--;
	for (;;) {
		m->slot[hole] = (struct idmap_slot){ 0 };
		do {
			i = (i + 1) & m->mask;
			if (m->slot[i].id == 0)
				return;
			home = place(m, m->slot[i].id);
			/* it may move up unless its home lies behind the hole */
		} while (((i - home) & m->mask) < ((i - hole) & m->mask));
		m->slot[hole] = m->slot[i];
		hole = i;
	}
}

void
idmap_put(struct idmap *m, uint32_t id, void *p)
{
	struct idmap_slot *s;

	must(id != 0);
	if (p != NULL && (m->slot == NULL || m->n * 2 > m->mask))
		grow(m);
	if (m->slot == NULL)
		return;
	s = find(m, id);
	if (p == NULL) {
		if (s->id != 0)
			take_out(m, s);
		return;
	}
	m->n += s->id == 0;
	*s = (struct idmap_slot){ .id = id, .p = p };
}

void
idmap_fini(struct idmap *m)
{
	FREE(m->slot);
	*m = (struct idmap){ 0 };
}

void *
idmap_next(const struct idmap *m, uint32_t *at, uint32_t *id_out)
{
	if (m->slot == NULL)
		return NULL;
	while (*at <= m->mask) {
		const struct idmap_slot *s = &m->slot[(*at)++];

		if (s->id == 0)
			continue;
		if (id_out != NULL)
			*id_out = s->id;
		return s->p;
	}
	return NULL;
}
