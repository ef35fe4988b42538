/* itemset_priv.h - the inside of a set of entries: itemset.c (lookups), itemset_text.c (text), itemset_values.c. */
#ifndef LBD_PROXY_ITEMSET_PRIV_H
#define LBD_PROXY_ITEMSET_PRIV_H

#include "itemset.h"
#include "schema/schema.h"

#include <stdatomic.h>

#define ITEM_NONE UINT32_MAX
#define ITEM_ADDR 18 /* bytes of a key of kind address: family, address, prefix length */

struct item {
	uint32_t at; /* of its key in the text; its value follows */
	uint16_t key_len, value_len;
	uint32_t line; /* where it was read; 0 unknown */
};
struct slot {
	uint32_t who, tag; /* ITEM_NONE: free; part of the hash */
};
struct itemset {
	atomic_uint refs;
	uint8_t kind;
	struct item *item; /* in order of their keys, none twice */
	uint32_t n, cap;
	struct buf text;
	/* words */
	uint64_t seed;
	struct slot *slot;
	uint32_t slots;	  /* a power of two; 0: none */
	uint32_t *parent; /* of prefix: the longest other entry that it begins with */
	/* addresses: where each stretch begins, and which entry it belongs to */
	uint32_t *from4, *who4, n4, n6;
	unsigned __int128 *from6;
	uint32_t *who6;
};

static inline const uint8_t *
item_key(const struct itemset *s, const struct item *i)
{
	return s->text.p + i->at;
}

/* itemset_write_key - as people write it; words as they are, without quotes. */
void itemset_write_key(const struct itemset *s, const struct item *i, struct buf *out);
struct itemset *itemset_begin(unsigned kind);
/* itemset_put - at the end, in any order. false: there are ITEMS_MOST. */
bool itemset_put(struct itemset *s, const void *key, size_t key_len, const void *value,
    size_t value_len, uint32_t line);
int item_compare(
    const struct itemset *s, const struct item *a, const struct itemset *t, const struct item *b);
/* itemset_index - in order of their keys, none twice: now it can be searched. */
void itemset_index(struct itemset *s);

#endif
