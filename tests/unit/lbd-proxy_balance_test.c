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
#include "lbd-proxy/pool/spread.h"
#include "schema/schema.h"

#define MANY 3000

/* Random bits that are the same in each run. */
static uint64_t
bits(void)
{
	static uint64_t x = 20261130;

	return spread_mix(x++);
}

static void
test_wrr_order(void **state)
{
	struct balance_item it[3] = { { .weight = 5 }, { .weight = 1 }, { .weight = 1 } };
	char got[15] = { 0 };

	(void)state;
	for (unsigned i = 0; i < 14; i++)
		got[i] = (char)('a' + balance_pick(it, 3, scheduler_wrr));
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
			got[balance_pick(it, 4, scheduler_wrr)]++;
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
		got[balance_pick(it, 2, scheduler_wlc)]++;
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
		it[balance_pick(it, 3, scheduler_wlc)].active++;
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
	assert_int_equal(balance_pick(it, 3, scheduler_wlc), 1);
	it[1].active = 4;
	assert_int_equal(balance_pick(it, 3, scheduler_wlc), 2);
}

static void
test_none_full(void **state)
{
	struct balance_item it[3] = { { .weight = 1, .limit = 2, .active = 2 }, { .weight = 0 },
		{ .weight = 1 } };

	(void)state;
	for (unsigned s = 0; s <= scheduler_wrr; s++) {
		it[0].weight = it[2].weight = 1;
		assert_int_equal(balance_pick(it, 3, s), 2);
		it[2].weight = 0;
		assert_int_equal(balance_pick(it, 3, s), BALANCE_FULL);
		it[0].weight = 0;
		assert_int_equal(balance_pick(it, 3, s), BALANCE_NONE);
		assert_int_equal(balance_pick(it, 0, s), BALANCE_NONE);
		assert_int_equal(balance_pick(&it[1], 1, s), BALANCE_NONE);
	}
	it[0].weight = 1;
	it[0].active = 1;
	assert_int_equal(balance_pick(it, 2, scheduler_wrr), 0);
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
		got[balance_pick(it, MANY, scheduler_wrr)]++;
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
	while (balance_pick(it, 3, scheduler_wrr) != 2)
		;
	for (unsigned i = 0; i < 3; i++)
		it[i].weight = 1;
	for (unsigned k = 0; k < 300; k++)
		got[balance_pick(it, 3, scheduler_wrr)]++;
	for (unsigned i = 0; i < 3; i++)
		assert_in_range(got[i], 97, 103);
	/* One goes to maintenance and comes back. */
	it[0].weight = 0;
	for (unsigned k = 0; k < 1000; k++)
		assert_int_not_equal(balance_pick(it, 3, scheduler_wrr), 0);
	it[0].weight = 1;
	memset(got, 0, sizeof(got));
	for (unsigned k = 0; k < 300; k++)
		got[balance_pick(it, 3, scheduler_wrr)]++;
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
			it[balance_pick(it, n, s)].active++;
	for (uint32_t i = 0; i < n; i++)
		it[i].weight *= 64; /* a service with a slow start */
	for (unsigned k = 0; k < 200; k++) {
		assert_in_range(balance_twos(it, n, k == 0 ? UINT64_MAX : bits()), 0, n - 1);
		assert_in_range(balance_pick(it, n, scheduler_wrr), 0, n - 1);
	}
	free(it);
}

/* Weights are the caller's: rr and lc differ from wrr and wlc in nothing else. */
static void
test_alike(void **state)
{
	static const unsigned pair[][2] = { { scheduler_rr, scheduler_wrr },
		{ scheduler_lc, scheduler_wlc } };

	(void)state;
	for (unsigned p = 0; p < ARRAY_LEN(pair); p++) {
		struct balance_item a[3] = { { .weight = 3 }, { .weight = 2, .active = 1 },
			{ .weight = 1 } },
				    b[3];

		memcpy(b, a, sizeof(b));
		for (unsigned k = 0; k < 100; k++) {
			int64_t i = balance_pick(a, 3, pair[p][0]);

			assert_int_equal(i, balance_pick(b, 3, pair[p][1]));
			a[i].active++;
			b[i].active++;
		}
	}
}

static void
test_twos_shares(void **state)
{
	struct balance_item it[3] = { { .weight = 64 }, { .weight = 32 }, { .weight = 0 } };
	unsigned got[3] = { 0 };

	(void)state;
	for (unsigned k = 0; k < 9000; k++) {
		int64_t i = balance_twos(it, 3, bits());

		it[i].active++;
		got[i]++;
	}
	assert_in_range(got[0], 5900, 6100);
	assert_in_range(got[1], 2900, 3100);
	assert_int_equal(got[2], 0);
}

/* With many the largest load stays near the mean, where one by lot would be 40 away. */
static void
test_twos_even(void **state)
{
	struct balance_item it[50] = { 0 };
	uint32_t most = 0, least = UINT32_MAX;

	(void)state;
	for (unsigned i = 0; i < 50; i++)
		it[i].weight = 7;
	for (unsigned k = 0; k < 10000; k++)
		it[balance_twos(it, 50, bits())].active++;
	for (unsigned i = 0; i < 50; i++) {
		most = it[i].active > most ? it[i].active : most;
		least = it[i].active < least ? it[i].active : least;
	}
	assert_in_range(most, 200, 215);
	assert_in_range(least, 185, 200);
	it[7].active = 100; /* the idle one is not taken by everybody: only by who meets it */
	most = 0;
	for (unsigned k = 0; k < 1000; k++)
		most += balance_twos(it, 50, bits()) == 7;
	assert_in_range(most, 25, 60);
}

static void
test_first(void **state)
{
	struct balance_item it[3] = { { .weight = 1, .limit = 2 }, { .weight = 1, .limit = 1 },
		{ .weight = 1, .limit = 1 } };
	char got[8] = { 0 };

	(void)state;
	for (unsigned k = 0; k < 4; k++) {
		int64_t i = balance_first(it, 3);

		it[i].active++;
		got[k] = (char)('a' + i);
	}
	assert_string_equal(got, "aabc");
	assert_int_equal(balance_first(it, 3), BALANCE_FULL);
	it[1].active = 0;
	assert_int_equal(balance_first(it, 3), 1);
}

static void
test_least_time(void **state)
{
	static const struct {
		struct balance_item it[3];
		int64_t want;
		const char *why;
	} row[] = {
		{ { { .weight = 1, .latency = 900 }, { .weight = 1, .latency = 300 },
		      { .weight = 1, .latency = 500 } },
		    1, "the quickest" },
		{ { { .weight = 1, .latency = 900 }, { .weight = 1, .latency = 300, .active = 2 },
		      { .weight = 1, .latency = 500 } },
		    2, "by what is open" },
		{ { { .weight = 4, .latency = 900 }, { .weight = 1, .latency = 300 },
		      { .weight = 1, .latency = 500 } },
		    0, "by weight" },
		{ { { .weight = 1, .latency = 1 }, { .weight = 1 },
		      { .weight = 1, .latency = 500 } },
		    1, "one that is not known is asked" },
		{ { { .weight = 1, .latency = 1000000, .active = 9 }, { .weight = 1, .active = 1 },
		      { .weight = 0 } },
		    0, "but with one request at a time" },
		{ { { .weight = 1, .active = 2 }, { .weight = 1, .active = 1 },
		      { .weight = 1, .active = 2 } },
		    1, "nobody is known: the least loaded" },
		{ { { .weight = 1, .latency = 1, .limit = 1, .active = 1 },
		      { .weight = 1, .latency = 1000 }, { .weight = 0 } },
		    1, "the quickest is full" },
	};

	(void)state;
	for (size_t r = 0; r < ARRAY_LEN(row); r++)
		if (balance_least_time(row[r].it, 3) != row[r].want)
			fail_msg("%s: %d", row[r].why, (int)balance_least_time(row[r].it, 3));
}

/* What the other rules say when there is nobody. */
static void
test_none_full_others(void **state)
{
	struct balance_item it[2] = { { .weight = 1, .limit = 2, .active = 2 }, { .weight = 0 } };

	(void)state;
	for (unsigned full = 0; full < 2; full++) {
		int64_t want = full != 0 ? BALANCE_FULL : BALANCE_NONE;
		uint32_t from = full != 0 ? 0 : 1;

		assert_int_equal(balance_twos(it + from, 2 - from, 1), want);
		assert_int_equal(balance_first(it + from, 2 - from), want);
		assert_int_equal(balance_least_time(it + from, 2 - from), want);
	}
	it[0].active = 1;
	assert_int_equal(balance_twos(it, 2, UINT64_MAX), 0);
	assert_int_equal(balance_twos(it, 0, 5), BALANCE_NONE);
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
		cmocka_unit_test(test_alike),
		cmocka_unit_test(test_twos_shares),
		cmocka_unit_test(test_twos_even),
		cmocka_unit_test(test_first),
		cmocka_unit_test(test_least_time),
		cmocka_unit_test(test_none_full_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
