/* Shares, spacing, limits, retries and changing weights. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/must.h"
#include "lbd-proxy/pool/balance.h"
#include "schema/schema.h"

#define MANY 3000

static void
test_wrr_order(void **state)
{
	struct balance_item it[3] = { { .weight = 5 }, { .weight = 1 }, { .weight = 1 } };
	char got[15] = { 0 };

	(void)state;
	for (unsigned i = 0; i < 14; i++)
		got[i] = (char)('a' + balance_pick(it, 3, scheduler_wrr, NULL));
	assert_string_equal(got, "aabacaaaabacaa");
}

static void
test_wrr_shares(void **state)
{
	static const struct {
		uint32_t weight[4];
	} row[] = { { { 100, 50, 0, 0 } }, { { 1, 1, 1, 1 } }, { { 65535, 1, 65535, 2 } },
		{ { 7, 0, 3, 90 } } };

	(void)state;
	for (size_t r = 0; r < ARRAY_LEN(row); r++) {
		struct balance_item it[4] = { 0 };
		uint64_t turn = 0;
		unsigned got[4] = { 0 };
		for (unsigned i = 0; i < 4; i++) {
			it[i].weight = row[r].weight[i];
			turn += it[i].weight;
		}
		for (uint64_t k = 0; k < turn * 3; k++)
			got[balance_pick(it, 4, scheduler_wrr, NULL)]++;
		for (unsigned i = 0; i < 4; i++)
			assert_int_equal(got[i], row[r].weight[i] * 3);
	}
}

/* Requests that end before the next one comes: all are idle each time, and still share by weight. */
static void
test_wlc_idle(void **state)
{
	struct balance_item it[2] = { { .weight = 100 }, { .weight = 50 } };
	unsigned got[2] = { 0 };

	(void)state;
	for (unsigned i = 0; i < 3000; i++)
		got[balance_pick(it, 2, scheduler_wlc, NULL)]++;
	assert_int_equal(got[0], 2000);
	assert_int_equal(got[1], 1000);
}

/* Connections that stay: numbers grow in the proportion of weights. */
static void
test_wlc_held(void **state)
{
	struct balance_item it[3] = { { .weight = 100 }, { .weight = 50 }, { .weight = 25 } };

	(void)state;
	for (unsigned i = 0; i < 7000; i++)
		it[balance_pick(it, 3, scheduler_wlc, NULL)].active++;
	assert_in_range(it[0].active, 3960, 4040);
	assert_in_range(it[1].active, 1980, 2020);
	assert_in_range(it[2].active, 990, 1010);
}

/* A server that comes empty takes everything until it has caught up. */
static void
test_wlc_lightest(void **state)
{
	struct balance_item it[3] = { { .weight = 1, .active = 5 }, { .weight = 1, .active = 3 },
		{ .weight = 2, .active = 7 } };

	(void)state;
	assert_int_equal(balance_pick(it, 3, scheduler_wlc, NULL), 1);
	it[1].active = 4;
	assert_int_equal(balance_pick(it, 3, scheduler_wlc, NULL), 2);
}

static void
test_none_full(void **state)
{
	struct balance_item it[3] = { { .weight = 1, .limit = 2, .active = 2 }, { .weight = 0 },
		{ .weight = 1 } };
	uint64_t excluded[BALANCE_WORDS(3)] = { 0 };

	(void)state;
	for (unsigned s = 0; s <= scheduler_wrr; s++) {
		excluded[0] = 0;
		assert_int_equal(balance_pick(it, 3, s, excluded), 2);
		balance_exclude(excluded, 2);
		assert_int_equal(balance_pick(it, 3, s, excluded), BALANCE_FULL);
		balance_exclude(excluded, 0);
		assert_int_equal(balance_pick(it, 3, s, excluded), BALANCE_NONE);
		assert_int_equal(balance_pick(it, 0, s, NULL), BALANCE_NONE);
		assert_int_equal(balance_pick(&it[1], 1, s, NULL), BALANCE_NONE);
	}
	it[0].active = 1;
	assert_int_equal(balance_pick(it, 2, scheduler_wrr, NULL), 0);
}

/* Thousands of servers, random weights: every one gets its share within a percent or one pick. */
static void
test_many(void **state)
{
	struct balance_item *it = calloc(MANY, sizeof(*it));
	unsigned *got = calloc(MANY, sizeof(*got));
	uint64_t turn = 0;

	(void)state;
	srandom(20261121);
	for (unsigned i = 0; i < MANY; i++) {
		it[i].weight = (uint32_t)random() % 20;
		turn += it[i].weight;
	}
	for (uint64_t k = 0; k < turn; k++)
		got[balance_pick(it, MANY, scheduler_wrr, NULL)]++;
	for (unsigned i = 0; i < MANY; i++)
		assert_int_equal(got[i], it[i].weight);
	free(it);
	free(got);
}

/* A server that paid for a turn among heavy weights does not starve when weights become small. */
static void
test_changed_weights(void **state)
{
	struct balance_item it[3] = { { .weight = 65535 }, { .weight = 65535 }, { .weight = 1 } };
	unsigned got[3] = { 0 };

	(void)state;
	while (balance_pick(it, 3, scheduler_wrr, NULL) != 2)
		;
	for (unsigned i = 0; i < 3; i++)
		it[i].weight = 1;
	for (unsigned k = 0; k < 300; k++)
		got[balance_pick(it, 3, scheduler_wrr, NULL)]++;
	for (unsigned i = 0; i < 3; i++)
		assert_in_range(got[i], 97, 103);
	/* One goes to maintenance and comes back. */
	it[0].weight = 0;
	for (unsigned k = 0; k < 1000; k++)
		assert_int_not_equal(balance_pick(it, 3, scheduler_wrr, NULL), 0);
	it[0].weight = 1;
	memset(got, 0, sizeof(got));
	for (unsigned k = 0; k < 300; k++)
		got[balance_pick(it, 3, scheduler_wrr, NULL)]++;
	for (unsigned i = 0; i < 3; i++)
		assert_in_range(got[i], 97, 103);
}

/* The largest sums do not overflow. */
static void
test_largest(void **state)
{
	const uint32_t n = 50000;
	struct balance_item *it = calloc(n, sizeof(*it));

	(void)state;
	for (uint32_t i = 0; i < n; i++)
		it[i].weight = 65535;
	for (unsigned s = 0; s <= scheduler_wrr; s++)
		for (unsigned k = 0; k < 200; k++)
			it[balance_pick(it, n, s, NULL)].active++;
	free(it);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wrr_order),
		cmocka_unit_test(test_wrr_shares),
		cmocka_unit_test(test_wlc_idle),
		cmocka_unit_test(test_wlc_held),
		cmocka_unit_test(test_wlc_lightest),
		cmocka_unit_test(test_none_full),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_changed_weights),
		cmocka_unit_test(test_largest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
