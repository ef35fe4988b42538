/* Who gets which place: each one at most, nobody misses one that is left, and what comes or goes moves few. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sys/resolve_priv.h"

#define MOST 64

static void
fill(struct dns_row *place, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		place[i] = (struct dns_row){ .addr = { 4, 32, { 10, 0, 0, (uint8_t)(i + 1) } } };
}

static void
test_counts(void **state)
{
	static const struct {
		unsigned keys, places;
	} row[] = { { 0, 0 }, { 0, 3 }, { 3, 0 }, { 1, 1 }, { 3, 3 }, { 2, 5 }, { 5, 2 },
		{ MOST, MOST }, { MOST, 1 } };
	static struct dns_row place[MOST];
	uint32_t key[MOST];
	int got[MOST];

	(void)state;
	fill(place, MOST);
	for (uint32_t i = 0; i < MOST; i++)
		key[i] = i + 7;
	for (unsigned r = 0; r < sizeof(row) / sizeof(row[0]); r++) {
		bool used[MOST] = { false };
		unsigned have = 0;

		resolve_share(key, row[r].keys, place, row[r].places, got);
		for (unsigned i = 0; i < row[r].keys; i++) {
			if (got[i] < 0)
				continue;
			assert_in_range(got[i], 0, row[r].places - 1);
			assert_false(used[got[i]]);
			used[got[i]] = true;
			have++;
		}
		assert_int_equal(have, row[r].keys < row[r].places ? row[r].keys : row[r].places);
	}
}

/* The order of keys and places does not count. */
static void
test_order(void **state)
{
	static struct dns_row place[8], back[8];
	uint32_t key[8], yek[8];
	int got[8], tog[8];

	(void)state;
	fill(place, 8);
	for (unsigned i = 0; i < 8; i++) {
		key[i] = 100 + i;
		yek[7 - i] = key[i];
		back[7 - i] = place[i];
	}
	resolve_share(key, 8, place, 8, got);
	resolve_share(yek, 8, back, 8, tog);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(7 - tog[7 - i], got[i]);
}

/* One place of 32 is replaced: whoever had it has the new one or another, and few others move. */
static void
test_few_move(void **state)
{
	static struct dns_row place[32];
	uint32_t key[32];
	int was[32], is[32];
	unsigned moved = 0;

	(void)state;
	fill(place, 32);
	for (uint32_t i = 0; i < 32; i++)
		key[i] = i + 1;
	for (unsigned gone = 0; gone < 32; gone++) {
		struct dns_row old = place[gone];

		resolve_share(key, 32, place, 32, was);
		place[gone].addr.b[2] = 9;
		resolve_share(key, 32, place, 32, is);
		for (unsigned i = 0; i < 32; i++)
			moved += was[i] != is[i] && was[i] != (int)gone;
		place[gone] = old;
	}
	assert_true(moved < 32 * 6);
}

/* The same on every node and after every upgrade. */
static void
test_fixed(void **state)
{
	static const int want[4] = { 0, 2, 3, 1 };
	static struct dns_row place[4];
	const uint32_t key[4] = { 1, 2, 3, 4 };
	int got[4];

	(void)state;
	fill(place, 4);
	resolve_share(key, 4, place, 4, got);
	assert_memory_equal(got, want, sizeof(want));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_few_move),
		cmocka_unit_test(test_fixed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
