/* itemset.h - the entries of a list or map: read from text once, then never changed. Any thread may look one up and hold a
 * reference. Pure. */
#ifndef LBD_PROXY_ITEMSET_H
#define LBD_PROXY_ITEMSET_H

#include "base/addr.h"
#include "base/buf.h"
#include "base/err.h"

#define ITEMS_MOST 1000000	    /* entries of a list, as schema/itemlist.def says */
#define ITEMS_TEXT_MOST (16u << 20) /* bytes of its text */
#define ITEM_MOST 1000		    /* bytes of one key, and of one value */

struct itemset;
struct item_value {
	const char *at; /* of the set; not ended by NUL */
	size_t len;	/* 0: the entry has no value */
};

/* itemset_read - text of one entry a line: a key and, for a map, what belongs to it after spaces. Quotes ("a b", with \" and
 * \\ in them) where there are spaces or # in one; # begins a comment at the start of a line or after a space. kind: enum
 * list_kind. The same entry twice is one; with two values it is an error. NULL: ERR_INVALID, with the line. */
struct itemset *itemset_read(unsigned kind, const char *text, size_t len, struct err *err);
/* itemset_load - a text that itemset_write made; its first line has the kind. */
struct itemset *itemset_load(const char *text, size_t len, struct err *err);
/* itemset_write - the one text of these entries: a line with the kind, then the entries in order. */
void itemset_write(const struct itemset *s, struct buf *out);
/* itemset_add, itemset_take - base (NULL: empty) with the entries of more, whose values count; base without those of less,
 * each of which must be there. NULL: ERR_INVALID. */
struct itemset *itemset_add(
    const struct itemset *base, const struct itemset *more, struct err *err);
struct itemset *itemset_take(
    const struct itemset *base, const struct itemset *less, struct err *err);
struct itemset *itemset_ref(struct itemset *s); /* NULL is fine */
void itemset_unref(struct itemset *s);		/* NULL is fine */

/* itemset_values - each value that there is once, as "KEY\0VALUE\0" with the key of the first entry that has it, as people write it; both cut
 * where they are longer than anything that is looked for (store/pool_names.h). At most ITEMS_VALUES_MOST of them: more than there can be
 * pools. */
#define ITEMS_VALUES_MOST 100000
void itemset_values(const struct itemset *s, struct buf *out);

unsigned itemset_kind(const struct itemset *s);
uint32_t itemset_count(const struct itemset *s);
size_t itemset_bytes(const struct itemset *s); /* memory */

/* Whether it is in the list, in words of its kind; value_out (may be NULL) is written when it is. A set of the other sort,
 * of addresses or of words, has none. */
bool itemset_has(
    const struct itemset *s, const char *key, size_t len, struct item_value *value_out);
bool itemset_has_addr(const struct itemset *s, const struct addr *a, struct item_value *value_out);

#endif
