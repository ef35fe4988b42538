/* S160: probes of a service as letters, 10 ms apart, and what is counted of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lbctl/node/drill.h"

#include <string.h>

static const struct {
	const char *probes; /* '+' answered, '-' lost */
	uint32_t lost, gap_ms;
} rows[] = {
	{ "", 0, 0 },
	{ "++++", 0, 0 },
	{ "++-++", 1, 10 },
	{ "++---+-+", 4, 30 },
	{ "+-+---+", 4, 30 },
	{ "---", 3, 20 }, /* nobody answered until the end */
	{ "+++-", 1, 0 },
	{ "-+", 1, 10 },
};

static void
test_count(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct drill_probe p[20];
		struct drill_sum sum = { 0 };
		uint32_t n = (uint32_t)strlen(rows[i].probes);

		for (uint32_t k = 0; k < n; k++)
			p[k] = (struct drill_probe){ .sent = DUR_S(5) + DUR_MS(10) * k,
				.answered = rows[i].probes[k] == '+' };
		drill_count(p, n, &sum);
		if (sum.probes != n || sum.lost != rows[i].lost ||
		    sum.gap != DUR_MS(rows[i].gap_ms))
			fail_msg(
			    "%s: %u lost, %lld us", rows[i].probes, sum.lost, (long long)sum.gap);
	}
}

/* The worst of several targets, and all their probes. */
static void
test_sum(void **state)
{
	struct drill_probe a[] = { { 1, true }, { 2, false }, { 3, true } };
	struct drill_probe b[] = { { 1, false }, { 9, true } };
	struct drill d = { .n = 2 };
	struct drill_sum sum;

	(void)state;
	d.t[0].probe = a;
	d.t[0].n = 3;
	d.t[1].probe = b;
	d.t[1].n = 2;
	drill_sum(&d, &sum);
	assert_int_equal(sum.probes, 5);
	assert_int_equal(sum.lost, 2);
	assert_int_equal(sum.gap, 8);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_count),
		cmocka_unit_test(test_sum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
