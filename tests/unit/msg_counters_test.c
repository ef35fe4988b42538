/* Counters: rows and structs agree, blobs go there and back, and what is no blob is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/must.h"
#include "msg/counters.h"

#include <string.h>

static const struct {
	const struct counter *rows;
	const unsigned *n;
	size_t size;
} owners[] = {
	{ service_counters, &service_counters_n, sizeof(struct service_counters) },
	{ server_counters, &server_counters_n, sizeof(struct server_counters) },
};

static void
test_rows_are_the_struct(void **state)
{
	(void)state;
	for (unsigned o = 0; o < ARRAY_LEN(owners); o++) {
		const struct counter *r = owners[o].rows;

		assert_int_equal(*owners[o].n * sizeof(uint64_t), owners[o].size);
		for (unsigned i = 0; i < *owners[o].n; i++) {
			assert_int_equal(r[i].offset, i * sizeof(uint64_t));
			assert_true(i == 0 || r[i].number > r[i - 1].number);
			assert_int_equal(r[i].help[strlen(r[i].help) - 1], '.');
			assert_int_equal(
			    strstr(r[i].metric, "_total") != NULL, r[i].kind == COUNTER_TOTAL);
			for (unsigned k = 0; k < i; k++) {
				assert_string_not_equal(r[k].name, r[i].name);
				assert_string_not_equal(r[k].metric, r[i].metric);
			}
		}
	}
}

static void
test_round_trip_leaves_zeros_out(void **state)
{
	struct service_counters c = { .conns = 3, .bytes_out = UINT64_MAX, .persist_entries = 1 },
				got;
	struct buf b = { 0 };

	(void)state;
	counters_put(service_counters, service_counters_n, &c, &b);
	assert_int_equal(b.len, 3 * 10);
	memset(&got, 0xaa, sizeof(got));
	assert_int_equal(counters_take(service_counters, service_counters_n, b.p, b.len, &got), 0);
	assert_memory_equal(&c, &got, sizeof(c));
	for (size_t len = 0; len < b.len; len++)
		assert_int_equal(
		    counters_take(service_counters, service_counters_n, b.p, len, &got),
		    len % 10 == 0 ? 0 : ERR_PROTO);
	/* A number of a newer version is skipped, one that comes twice is refused. */
	buf_put_be(&b, 60000, 2);
	buf_put_be(&b, 5, 8);
	assert_int_equal(counters_take(service_counters, service_counters_n, b.p, b.len, &got), 0);
	assert_memory_equal(&c, &got, sizeof(c));
	buf_put_be(&b, 1, 2);
	buf_put_be(&b, 5, 8);
	assert_int_equal(
	    counters_take(service_counters, service_counters_n, b.p, b.len, &got), ERR_PROTO);
	buf_fini(&b);
}

static void
test_add(void **state)
{
	struct server_counters a = { .conns = 1, .cut = 2 },
			       b = { .conns = 10, .requests_total = 5 };

	(void)state;
	a.conns_peak = 7;
	b.conns_peak = 5;
	b.queue_peak = 3;
	counters_add(server_counters, server_counters_n, &a, &b);
	assert_int_equal(a.conns, 11);
	assert_int_equal(a.conns_peak, 7);
	assert_int_equal(a.queue_peak, 3);
	assert_int_equal(a.cut, 2);
	assert_int_equal(a.requests_total, 5);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows_are_the_struct),
		cmocka_unit_test(test_round_trip_leaves_zeros_out),
		cmocka_unit_test(test_add),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
