/* Slow start, elastic limits, panic, and response times, as tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/must.h"
#include "lbd-proxy/pool/choose.h"
#include "lbd-proxy/pool/latency.h"

static void
test_ramp(void **state)
{
	static const struct {
		uint32_t weight;
		dur_t slow, since;
		uint32_t want;
	} row[] = {
		{ 6400, DUR_S(10), 0, 1 },
		{ 6400, DUR_S(10), -5, 1 },
		{ 6400, DUR_S(10), DUR_S(1), 640 },
		{ 6400, DUR_S(10), DUR_S(5), 3200 },
		{ 6400, DUR_S(10), DUR_S(10) - 1, 6399 },
		{ 6400, DUR_S(10), DUR_S(10), 6400 },
		{ 6400, DUR_S(10), DUR_S(99999), 6400 },
		{ 64, DUR_S(10), DUR_S(1), 6 },
		{ 64, DUR_S(3600), DUR_S(1), 1 },
		{ 0, DUR_S(10), DUR_S(1), 0 },
		{ 65535 * 64, DUR_S(3600), DUR_S(1800), 65535 * 32 },
		{ 100, 0, 0, 100 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++)
		assert_int_equal(
		    choose_ramp(row[i].weight, row[i].slow, row[i].since), row[i].want);
}

static void
test_elastic(void **state)
{
	static const struct {
		uint32_t least, most;
		uint64_t load, full;
		uint32_t want;
		const char *why;
	} row[] = {
		{ 10, 100, 1, 200, 10, "little goes on" },
		{ 10, 100, 20, 200, 10, "just as little" },
		{ 10, 100, 22, 200, 11, "it grows" },
		{ 10, 100, 100, 200, 50, "half" },
		{ 10, 100, 199, 200, 99, "nearly" },
		{ 10, 100, 200, 200, 100, "all is used" },
		{ 10, 100, 5000, 200, 100, "and more" },
		{ 10, 10, 1, 200, 10, "nothing to grow" },
		{ 0, 100, 1, 200, 100, "no min_conns: always the most" },
		{ 0, 0, 1, 200, 0, "no limit" },
		{ 1, 1000000, 4000000000u, 4000001000u, 999999, "the largest" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++)
		if (choose_elastic(row[i].least, row[i].most, row[i].load, row[i].full) !=
		    row[i].want)
			fail_msg("%s", row[i].why);
}

static void
test_panic(void **state)
{
	static const struct {
		uint32_t fit, all;
		unsigned pct;
		bool spare, want;
	} row[] = {
		{ 5, 10, 50, false, false },
		{ 4, 10, 50, false, true },
		{ 4, 10, 50, true, true },
		{ 0, 10, 50, false, true },
		{ 0, 10, 50, true, false },
		{ 0, 10, 0, false, false },
		{ 9, 10, 100, false, true },
		{ 10, 10, 100, false, false },
		{ 0, 0, 50, false, false },
		{ 1, 3, 34, false, true },
		{ 1, 3, 33, false, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++)
		if (choose_panic(row[i].fit, row[i].all, row[i].pct, row[i].spare) != row[i].want)
			fail_msg("row %zu", i);
}

#define AT(s) DUR_S(s)
static void
test_latency(void **state)
{
	uint64_t l = 0;

	(void)state;
	assert_int_equal(latency_now(0, AT(100)), 0);
	l = latency_after(l, AT(100), 8000); /* the first counts for itself */
	assert_int_equal(latency_now(l, AT(100)), 8000);
	l = latency_after(l, AT(101), 16000); /* then an eighth */
	assert_int_equal(latency_now(l, AT(101)), 9000);
	assert_int_equal(latency_now(l, AT(110)), 9000);
	assert_int_equal(latency_now(l, AT(111)), 4500); /* fades when nothing is heard */
	assert_int_equal(latency_now(l, AT(131)), 1125);
	assert_int_equal(latency_now(l, AT(99999)), 1); /* but is not unknown */
	assert_int_equal(latency_now(l, AT(90)), 9000); /* a reader that is behind */
	l = latency_after(l, AT(111), 500);		/* and the next one counts for itself */
	assert_int_equal(latency_now(l, AT(111)), 500);
	assert_int_equal(latency_now(latency_after(0, AT(1), 0), AT(1)), 1);
	assert_int_equal(latency_now(latency_after(0, AT(1), DUR_S(99999)), AT(1)), LATENCY_MOST);
	for (unsigned i = 0; i < 100; i++) /* steady ones are met */
		l = latency_after(l, AT(112), 9000);
	assert_in_range(latency_now(l, AT(112)), 8990, 9000);
	for (unsigned i = 0; i < 100; i++)
		l = latency_after(l, AT(113), 1);
	assert_in_range(latency_now(l, AT(113)), 1, 10);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ramp),
		cmocka_unit_test(test_elastic),
		cmocka_unit_test(test_panic),
		cmocka_unit_test(test_latency),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
