/* The heap and the map of lbd-check against plain models of them, with random orders from a printed seed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lbd-check/heap.h"
#include "lbd-check/idmap.h"

#include <stdlib.h>
#include <string.h>

#define ITEMS 300

static void
check_top(const struct heap *h, const mono_t *at, const uint32_t *slot)
{
	mono_t least = INT64_MAX;
	unsigned n = 0;

	for (unsigned i = 0; i < ITEMS; i++) {
		if (slot[i] == HEAP_NONE)
			continue;
		n++;
		assert_ptr_equal(h->rows[slot[i]].slot, &slot[i]);
		if (at[i] < least)
			least = at[i];
	}
	assert_int_equal(h->n, n);
	if (n)
		assert_int_equal(heap_top(h)->at, least);
	else
		assert_null(heap_top(h));
}

static void
test_heap_random(void **state)
{
	uint32_t slot[ITEMS];
	mono_t at[ITEMS];
	struct heap h = { 0 };

	(void)state;
	memset(slot, 0xff, sizeof(slot));
	srandom(42);
	for (unsigned turn = 0; turn < 20000; turn++) {
		unsigned i = (unsigned)random() % ITEMS;

		if (random() % 3) {
			at[i] = random() % 1000;
			heap_put(&h, &slot[i], at[i]);
		} else {
			heap_del(&h, &slot[i]);
		}
		if (turn % 7 == 0)
			check_top(&h, at, slot);
	}
	heap_fini(&h);
}

static void
test_idmap_random(void **state)
{
	static char items[2000];
	bool in[2000] = { false };
	struct idmap m = { 0 };
	uint32_t n = 0, at = 0, seen = 0;

	(void)state;
	srandom(43);
	assert_null(idmap_get(&m, 5));
	for (unsigned turn = 0; turn < 100000; turn++) {
		uint32_t i = (uint32_t)random() % 2000, id = i * 2 + 1;

		assert_ptr_equal(idmap_get(&m, id), in[i] ? &items[i] : NULL);
		if (in[i])
			assert_ptr_equal(idmap_take(&m, id), &items[i]);
		else
			idmap_put(&m, id, &items[i]);
		in[i] = !in[i];
		n += in[i] ? 1 : -1u;
		assert_int_equal(m.n, n);
	}
	assert_null(idmap_take(&m, 4001));
	for (char *p; (p = idmap_next(&m, &at)) != NULL; seen++)
		assert_true(in[p - items]);
	assert_int_equal(seen, n);
	idmap_fini(&m);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_heap_random),
		cmocka_unit_test(test_idmap_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
