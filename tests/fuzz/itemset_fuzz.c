/* Entries of lists: whatever is taken is written in one form, which is read as the same entries and written the same again; what is
 * in the list is found. First byte: the kind. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lbd-proxy/lists/itemset.h"

static void
want(bool ok)
{
	if (!ok)
		abort();
}

/* Looked up with keys that are parts of the input. */
static void
look(const struct itemset *s, const uint8_t *p, size_t n)
{
	struct item_value v;
	struct addr a = { .family = 4, .len = 32 };

	for (size_t i = 0; i < n && i < 64; i++)
		if (itemset_has(s, (const char *)p + i, n - i, &v))
			want(v.len <= ITEM_MOST);
	for (size_t i = 0; i + 16 <= n && i < 64; i++) {
		a.family = i % 2 == 0 ? 4 : 6;
		a.len = i % 2 == 0 ? 32 : 128;
		memset(a.b, 0, sizeof(a.b));
		memcpy(a.b, p + i, a.family == 4 ? 4 : 16);
		(void)itemset_has_addr(s, &a, &v);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct buf once = { 0 }, twice = { 0 };
	struct itemset *s, *again, *both;
	struct err err;

	if (n == 0)
		return 0;
	again = itemset_load((const char *)p + 1, n - 1, &err);
	itemset_unref(again);
	s = itemset_read(p[0] % 5, (const char *)p + 1, n - 1, &err);
	if (s == NULL)
		return 0;
	itemset_write(s, &once);
	again = itemset_load((const char *)once.p, once.len, &err);
	want(again != NULL && itemset_count(again) == itemset_count(s) &&
	     itemset_kind(again) == itemset_kind(s));
	itemset_write(again, &twice);
	want(once.len == twice.len && memcmp(once.p, twice.p, once.len) == 0);
	look(s, p + 1, n - 1);
	both = itemset_add(s, again, &err);
	want(both != NULL && itemset_count(both) == itemset_count(s));
	itemset_unref(both);
	both = itemset_take(s, again, &err);
	want(both != NULL && itemset_count(both) == 0);
	itemset_unref(both);
	itemset_unref(again);
	itemset_unref(s);
	buf_fini(&once);
	buf_fini(&twice);
	return 0;
}
