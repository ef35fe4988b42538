/* Laps and who is quick: when a client's connection is looked at, and what is decided. */
#include "lbd-proxy/net/unsent.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void
test_unsent_quick(void **state)
{
	static const struct {
		uint32_t began, now;
		bool quick;
		const char *why;
	} row[] = {
		{ 0, 10, false, "the first lap was not measured" },
		{ 1000, 1000, true, "in no time" },
		{ 1000, 1000 + UNSENT_QUICK_MS - 1, true, "just in time" },
		{ 1000, 1000 + UNSENT_QUICK_MS, false, "too late" },
		{ UINT32_MAX - 9, 20, true, "the clock wraps around" },
		{ UINT32_MAX - 9, 90, false, "and it was too late" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++)
		if (unsent_quick(row[i].began, row[i].now) != row[i].quick)
			fail_msg("%s", row[i].why);
}

static void
test_unsent_laps(void **state)
{
	const uint64_t lap = UNSENT_LAP;
	const struct {
		uint64_t total;
		size_t n;
		bool ends;
	} row[] = {
		{ 100, 100, false },
		{ lap - 1, 5, false },
		{ lap, 1, true },
		{ lap + 5, 6, true },
		{ lap + 5, 5, false },
		{ 3 * lap + 1, 2 * lap, true },
		{ (1ull << 40) + 1, 2, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++)
		if (unsent_laps(row[i].total, row[i].n) != row[i].ends)
			fail_msg("row %zu", i);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unsent_quick),
		cmocka_unit_test(test_unsent_laps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
