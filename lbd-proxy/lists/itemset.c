/* Entries that are searched.
 *
 * Words stand in a hash table; a domain is looked for once for each of its labels, the longest first. Prefixes are found
 * by halving, and each knows the longest other one that it begins with: the greatest entry that is not behind the key, or
 * one above it on that way, is the longest that the key begins with. Networks are laid flat: the stretches between their
 * ends, each with the narrowest network that covers it, so one halving finds the longest prefix. */
#include "itemset_priv.h"

#include "base/mem.h"
#include "base/mono.h"
#include "base/must.h"
#include "hash.h"

#include <string.h>

/* ---- building ---------------------------------------------------------------------------------------------------- */

struct itemset *
itemset_begin(unsigned kind)
{
	struct itemset *s = mem_alloc(sizeof(*s));

	atomic_init(&s->refs, 1);
	s->kind = (uint8_t)kind;
	return s;
}

bool
itemset_put(struct itemset *s, const void *key, size_t key_len, const void *value, size_t value_len,
    uint32_t line)
{
	if (s->n == ITEMS_MOST)
		return false;
	if (s->n == s->cap) {
		s->cap = s->cap > 0 ? 2 * s->cap : 64;
		s->item = mem_grow(s->item, s->cap * sizeof(*s->item));
	}
	s->item[s->n++] = (struct item){ .at = (uint32_t)s->text.len,
		.key_len = (uint16_t)key_len,
		.value_len = (uint16_t)value_len,
		.line = line };
	buf_put(&s->text, key, key_len);
	buf_put(&s->text, value, value_len);
	return true;
}

int
item_compare(
    const struct itemset *s, const struct item *a, const struct itemset *t, const struct item *b)
{
	size_t n = a->key_len < b->key_len ? a->key_len : b->key_len;
	int c = memcmp(item_key(s, a), item_key(t, b), n);

	return c != 0 ? c : (int)a->key_len - (int)b->key_len;
}

static void
index_words(struct itemset *s)
{
	uint64_t h;

	for (s->slots = 8; s->slots < 2 * s->n;)
		s->slots *= 2;
	s->slot = mem_alloc(s->slots * sizeof(*s->slot));
	memset(s->slot, 0xff, s->slots * sizeof(*s->slot));
	s->seed = (uint64_t)mono_now() * UINT64_C(0x9e3779b97f4a7c15);
	for (uint32_t i = 0; i < s->n; i++) {
		uint32_t at;

		h = hash64(item_key(s, &s->item[i]), s->item[i].key_len, s->seed);
		for (at = (uint32_t)h & (s->slots - 1); s->slot[at].who != ITEM_NONE;)
			at = (at + 1) & (s->slots - 1);
		s->slot[at] = (struct slot){ i, (uint32_t)(h >> 32) };
	}
}

static bool
begins(const struct itemset *s, const struct item *i, const void *key, size_t len)
{
	return i->key_len <= len && memcmp(item_key(s, i), key, i->key_len) == 0;
}

static void
index_prefixes(struct itemset *s)
{
	s->parent = mem_alloc((s->n + 1) * sizeof(*s->parent));
	for (uint32_t i = 0; i < s->n; i++) {
		uint32_t up = i > 0 ? i - 1 : ITEM_NONE;

		while (up != ITEM_NONE &&
		       !begins(s, &s->item[up], item_key(s, &s->item[i]), s->item[i].key_len))
			up = s->parent[up];
		s->parent[i] = up;
	}
}

/* A network as numbers; IPv4 in the low 32 bits. */
struct stretch {
	unsigned __int128 lo, hi;
	uint32_t who;
};

static struct stretch
stretch_of(const struct itemset *s, uint32_t who)
{
	const uint8_t *key = item_key(s, &s->item[who]);
	unsigned bytes = key[0] == 4 ? 4 : 16, bits = 8 * bytes - key[ITEM_ADDR - 1];
	struct stretch x = { .who = who };

	for (unsigned i = 0; i < bytes; i++)
		x.lo = x.lo << 8 | key[1 + i];
	x.hi = bits == 128 ? ~(unsigned __int128)0 : x.lo | (((unsigned __int128)1 << bits) - 1);
	return x;
}

struct flat {
	unsigned __int128 *from;
	uint32_t *who, n;
	struct stretch open[130]; /* networks that contain each other */
	unsigned depth;
	unsigned __int128 last; /* address of the family */
};

static void
mark(struct flat *f, unsigned __int128 from, uint32_t who)
{
	if (f->n > 0 && f->from[f->n - 1] == from)
		f->n--;
	f->from[f->n] = from;
	f->who[f->n++] = who;
}

/* Networks that end before this address are over. */
static void
close_before(struct flat *f, unsigned __int128 lo, bool all)
{
	while (f->depth > 0 && (all || f->open[f->depth - 1].hi < lo)) {
		const struct stretch *x = &f->open[--f->depth];

		if (x->hi != f->last)
			mark(f, x->hi + 1, f->depth > 0 ? f->open[f->depth - 1].who : ITEM_NONE);
	}
}

/* Entries from to end, of one family. */
static void
flatten(const struct itemset *s, uint32_t from, uint32_t end, struct flat *f)
{
	f->from = mem_alloc((2 * (size_t)(end - from) + 1) * sizeof(*f->from));
	f->who = mem_alloc((2 * (size_t)(end - from) + 1) * sizeof(*f->who));
	for (uint32_t i = from; i < end; i++) {
		struct stretch x = stretch_of(s, i);

		close_before(f, x.lo, false);
		must(f->depth < sizeof(f->open) / sizeof(f->open[0]));
		f->open[f->depth++] = x;
		mark(f, x.lo, i);
	}
	close_before(f, 0, true);
}

static void
index_addresses(struct itemset *s)
{
	struct flat four = { .last = UINT32_MAX }, six = { .last = ~(unsigned __int128)0 };
	uint32_t split = 0;

	while (split < s->n && item_key(s, &s->item[split])[0] == 4)
		split++;
	flatten(s, 0, split, &four);
	flatten(s, split, s->n, &six);
	s->from4 = mem_alloc((four.n + 1) * sizeof(*s->from4));
	for (uint32_t i = 0; i < four.n; i++)
		s->from4[i] = (uint32_t)four.from[i];
	free(four.from);
	s->who4 = four.who;
	s->n4 = four.n;
	s->from6 = six.from;
	s->who6 = six.who;
	s->n6 = six.n;
}

void
itemset_index(struct itemset *s)
{
	if (s->kind == list_kind_address)
		index_addresses(s);
	else if (s->kind == list_kind_prefix)
		index_prefixes(s);
	else
		index_words(s);
}

/* ---- references -------------------------------------------------------------------------------------------------- */

struct itemset *
itemset_ref(struct itemset *s)
{
	if (s != NULL)
		atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
	return s;
}

void
itemset_unref(struct itemset *s)
{
	if (s == NULL || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
		return;
	free(s->item);
	buf_fini(&s->text);
	free(s->slot);
	free(s->parent);
	free(s->from4);
	free(s->who4);
	free(s->from6);
	free(s->who6);
	free(s);
}

unsigned
itemset_kind(const struct itemset *s)
{
	return s->kind;
}

uint32_t
itemset_count(const struct itemset *s)
{
	return s->n;
}

size_t
itemset_bytes(const struct itemset *s)
{
	return sizeof(*s) + s->text.cap + s->cap * sizeof(*s->item) + s->slots * sizeof(*s->slot) +
	       (s->parent != NULL ? s->n * sizeof(*s->parent) : 0) +
	       s->n4 * (sizeof(*s->from4) + sizeof(*s->who4)) +
	       s->n6 * (sizeof(*s->from6) + sizeof(*s->who6));
}

/* ---- lookups ----------------------------------------------------------------------------------------------------- */

static bool
hit(const struct itemset *s, uint32_t who, struct item_value *out)
{
	if (who != ITEM_NONE && out != NULL) {
		const struct item *i = &s->item[who];

		*out =
		    (struct item_value){ (const char *)item_key(s, i) + i->key_len, i->value_len };
	}
	return who != ITEM_NONE;
}

static uint32_t
find_word(const struct itemset *s, const void *key, size_t len)
{
	uint64_t h = hash64(key, len, s->seed);
	uint32_t at = (uint32_t)h & (s->slots - 1), tag = (uint32_t)(h >> 32);

	for (; s->slot[at].who != ITEM_NONE; at = (at + 1) & (s->slots - 1)) {
		const struct item *i = &s->item[s->slot[at].who];

		if (s->slot[at].tag == tag && i->key_len == len &&
		    memcmp(item_key(s, i), key, len) == 0)
			return s->slot[at].who;
	}
	return ITEM_NONE;
}

/* The whole name; then what is below each label, and from it on. */
static uint32_t
find_domain(const struct itemset *s, const char *name, size_t len)
{
	uint32_t who;

	if (len > 0 && name[len - 1] == '.')
		len--;
	who = find_word(s, name, len);
	for (size_t at = 0; who == ITEM_NONE && at < len; at++) {
		if (name[at] != '.')
			continue;
		who = find_word(s, name + at, len - at);
		if (who == ITEM_NONE)
			who = find_word(s, name + at + 1, len - at - 1);
	}
	return who;
}

static uint32_t
find_prefix(const struct itemset *s, const char *key, size_t len)
{
	uint32_t lo = 0, hi = s->n, who;

	while (lo < hi) { /* the first that is behind the key */
		uint32_t at = lo + (hi - lo) / 2;
		const struct item *i = &s->item[at];
		int c = memcmp(item_key(s, i), key, i->key_len < len ? i->key_len : len);

		if (c < 0 || (c == 0 && i->key_len <= len))
			lo = at + 1;
		else
			hi = at;
	}
	who = lo > 0 ? lo - 1 : ITEM_NONE;
	while (who != ITEM_NONE && !begins(s, &s->item[who], key, len))
		who = s->parent[who];
	return who;
}

bool
itemset_has(const struct itemset *s, const char *key, size_t len, struct item_value *value_out)
{
	char lower[ITEM_MOST];

	if (s->n == 0 || s->kind == list_kind_address)
		return false;
	if (s->kind == list_kind_prefix)
		return hit(s, find_prefix(s, key, len), value_out);
	if (len == 0 || len > ITEM_MOST)
		return false;
	if (s->kind == list_kind_word)
		return hit(s, find_word(s, key, len), value_out);
	for (size_t i = 0; i < len; i++)
		lower[i] = key[i] >= 'A' && key[i] <= 'Z' ? (char)(key[i] + 32) : key[i];
	return hit(s,
	    s->kind == list_kind_suffix ? find_domain(s, lower, len) : find_word(s, lower, len),
	    value_out);
}

static uint32_t
find4(const struct itemset *s, uint32_t a)
{
	uint32_t lo = 0, hi = s->n4;

	while (lo < hi) {
		uint32_t at = lo + (hi - lo) / 2;

		if (s->from4[at] <= a)
			lo = at + 1;
		else
			hi = at;
	}
	return lo > 0 ? s->who4[lo - 1] : ITEM_NONE;
}

static uint32_t
find6(const struct itemset *s, unsigned __int128 a)
{
	uint32_t lo = 0, hi = s->n6;

	while (lo < hi) {
		uint32_t at = lo + (hi - lo) / 2;

		if (s->from6[at] <= a)
			lo = at + 1;
		else
			hi = at;
	}
	return lo > 0 ? s->who6[lo - 1] : ITEM_NONE;
}

bool
itemset_has_addr(const struct itemset *s, const struct addr *a, struct item_value *value_out)
{
	unsigned __int128 v = 0;

	if (s->kind != list_kind_address || a->family == 0)
		return false;
	for (unsigned i = 0; i < (a->family == 4 ? 4u : 16u); i++)
		v = v << 8 | a->b[i];
	return hit(s, a->family == 4 ? find4(s, (uint32_t)v) : find6(s, v), value_out);
}
