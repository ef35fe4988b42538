/* The different values of a map. A table of the entries that have been seen first with each value; a value that comes again ends at its
 * own, so the whole is one walk. */
#include "itemset_priv.h"

#include "base/mem.h"
#include "hash.h"
#include "store/pool_names.h"

#include <stdlib.h>
#include <string.h>

#define KEY_SHOWN 100

struct seen {
	const struct itemset *s;
	struct slot *slot;
	uint32_t slots, n; /* slots: a power of two */
};

static const uint8_t *
value_of(const struct itemset *s, const struct item *i)
{
	return item_key(s, i) + i->key_len;
}

static void
put(struct seen *x, uint32_t who, uint32_t tag)
{
	uint32_t at = tag & (x->slots - 1);

	while (x->slot[at].who != ITEM_NONE)
		at = (at + 1) & (x->slots - 1);
	x->slot[at] = (struct slot){ who, tag };
}

static void
grow(struct seen *x)
{
	struct seen old = *x;

	x->slots = old.slots > 0 ? 4 * old.slots : 64;
	x->slot = mem_alloc(x->slots * sizeof(*x->slot));
	memset(x->slot, 0xff, x->slots * sizeof(*x->slot));
	for (uint32_t i = 0; i < old.slots; i++)
		if (old.slot[i].who != ITEM_NONE)
			put(x, old.slot[i].who, old.slot[i].tag);
	free(old.slot);
}

/* false: there is one with this value. */
static bool
first_with(struct seen *x, uint32_t who)
{
	const struct item *i = &x->s->item[who], *j;
	uint32_t tag = (uint32_t)hash64(value_of(x->s, i), i->value_len, 0);

	if (x->n >= x->slots / 2)
		grow(x);
	for (uint32_t at = tag & (x->slots - 1); x->slot[at].who != ITEM_NONE;
	     at = (at + 1) & (x->slots - 1)) {
		j = &x->s->item[x->slot[at].who];
		if (x->slot[at].tag == tag && j->value_len == i->value_len &&
		    memcmp(value_of(x->s, j), value_of(x->s, i), i->value_len) == 0)
			return false;
	}
	put(x, who, tag);
	x->n++;
	return true;
}

void
itemset_values(const struct itemset *s, struct buf *out)
{
	struct seen x = { .s = s };

	for (uint32_t i = 0; i < s->n && x.n < ITEMS_VALUES_MOST; i++) {
		const struct item *e = &s->item[i];
		size_t begin = out->len;

		if (!first_with(&x, i))
			continue;
		itemset_write_key(s, e, out);
		if (out->len - begin > KEY_SHOWN)
			out->len = begin + KEY_SHOWN;
		buf_put(out, "", 1);
		buf_put(out, value_of(s, e),
		    e->value_len < POOL_NAME_MOST ? e->value_len : POOL_NAME_MOST);
		buf_put(out, "", 1);
	}
	free(x.slot);
}
