/* Histograms of phases: buckets, quantiles, and the blob that travels. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/must.h"
#include "msg/phases.h"

static void
test_buckets(void **state)
{
	static const struct {
		uint64_t us;
		unsigned bucket;
	} rows[] = { { 0, 0 }, { 1, 0 }, { 64, 0 }, { 65, 1 }, { 128, 1 }, { 129, 2 }, { 256, 2 },
		{ 1000, 4 }, { 67108864, 20 }, { 67108865, 21 }, { UINT64_MAX, 21 } };

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(phase_bucket(rows[i].us), rows[i].bucket);
}

static void
test_quantiles(void **state)
{
	struct phase_counts p = { 0 };

	(void)state;
	assert_int_equal(phase_quantile(&p, 0.5), 0);
	p.count[0] = 98;
	p.count[4] = 1;
	p.count[21] = 1;
	assert_int_equal(phase_total(&p), 100);
	assert_int_equal(phase_quantile(&p, 0.5), 64);
	assert_int_equal(phase_quantile(&p, 0.98), 64);
	assert_int_equal(phase_quantile(&p, 0.99), 1024);
	assert_int_equal(phase_quantile(&p, 1), 67108864);
}

static void
test_blob(void **state)
{
	struct phases p = { 0 }, q;
	struct buf b = { 0 };
	uint8_t more[9] = { 255, 0, 0, 0, 0, 0, 0, 0, 1 };

	(void)state;
	p.of[PHASES_QUEUE].count[0] = 1;
	p.of[PHASES_TOTAL].count[21] = UINT64_MAX;
	p.of[PHASES_TOTAL].sum_us = 77;
	phases_put(&p, &b);
	assert_int_equal(b.len, 3 * 9);
	buf_put(&b, more, sizeof(more)); /* of a build that knows more */
	assert_int_equal(phases_take(b.p, b.len, &q), 0);
	assert_memory_equal(&p, &q, sizeof(p));
	for (size_t n = 0; n < b.len; n++)
		assert_int_equal(phases_take(b.p, n, &q), n % 9 == 0 ? 0 : ERR_PROTO);
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_buckets),
		cmocka_unit_test(test_quantiles),
		cmocka_unit_test(test_blob),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
