/* The heap of lbd-check against a plain model of it, with random orders from a printed seed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lbd-check/heap.h"

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

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_heap_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
