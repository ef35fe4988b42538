/* Names out of addresses and texts, and a map from texts to things.
 *
 * A name is made of what a service or server is, not of its place in the file, so that a second import gives the same
 * names. What a name may be made of is fixed by the type NAME of the schema. Pure. */
#include "import/import.h"

#include "base/mem.h"

#include <string.h>

void
name_clean(const char *text, unsigned max, struct buf *out)
{
	size_t from = out->len;

	for (; *text != '\0' && out->len - from < max; text++) {
		unsigned char c = (unsigned char)*text;
		bool letter =
		    (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

		if (!letter && out->len == from)
			buf_puts(out, "v");
		if (out->len - from < max)
			buf_put(out, letter || c == '.' || c == '_' ? (const char *)&c : "-", 1);
	}
	if (out->len == from)
		buf_puts(out, "v");
}

void
name_host(const struct addr *a, struct buf *out)
{
	char text[ADDR_TEXT];

	addr_format(a, ADDR_HOST, text);
	name_clean(text, sizeof(text), out);
}

static uint64_t
hash(const char *s)
{
	uint64_t h = 14695981039346656037ULL; /* FNV-1a */

	for (; *s != '\0'; s++)
		h = (h ^ (unsigned char)*s) * 1099511628211ULL;
	return h ^ h >> 32;
}

void
textmap_fini(struct textmap *m)
{
	FREE(m->slot);
	*m = (struct textmap){ 0 };
}

/* Where the key is, or would be. */
static struct textmap_slot *
slot_of(const struct textmap *m, const char *key)
{
	unsigned i = (unsigned)hash(key) & (m->cap - 1);

	while (m->slot[i].key != NULL && strcmp(m->slot[i].key, key) != 0)
		i = (i + 1) & (m->cap - 1);
	return &m->slot[i];
}

void *
textmap_get(const struct textmap *m, const char *key)
{
	return m->cap > 0 ? slot_of(m, key)->value : NULL;
}

static void
grow(struct textmap *m)
{
	struct textmap old = *m;

	m->cap = old.cap > 0 ? 2 * old.cap : 64;
	m->slot = mem_alloc(m->cap * sizeof(*m->slot));
	for (unsigned i = 0; i < old.cap; i++)
		if (old.slot[i].key != NULL)
			*slot_of(m, old.slot[i].key) = old.slot[i];
	free(old.slot);
}

bool
textmap_put(struct textmap *m, const char *key, void *value)
{
	struct textmap_slot *s;

	if (4 * (m->n + 1) > 3 * m->cap)
		grow(m);
	s = slot_of(m, key);
	if (s->key != NULL)
		return false;
	*s = (struct textmap_slot){ key, value };
	m->n++;
	return true;
}
