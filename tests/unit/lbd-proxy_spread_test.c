/* Consistent hashing: shares, what moves when servers come, go and change, bounded load, slow start; with a table and
 * without one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/must.h"
#include "lbd-proxy/pool/spread.h"

#define KEYS 100000
#define MOST 100

static uint64_t
key(unsigned k)
{
	return spread_mix(k + 77);
}

/* n servers with ids from 10 on, all of weight 100. */
static struct spread_node node[MOST];
static struct balance_item item[MOST];
static void
make(uint32_t n)
{
	memset(item, 0, sizeof(item));
	for (uint32_t i = 0; i < n; i++) {
		node[i] = (struct spread_node){ 10 + i, 100 };
		item[i].weight = 100;
	}
}

/* The id that each key goes to. */
static void
map(uint32_t n, uint32_t *out)
{
	struct spread *s = spread_new(node, n);

	for (unsigned k = 0; k < KEYS; k++)
		out[k] = node[spread_pick(s, item, n, key(k), 0)].id;
	spread_unref(s);
}

static uint32_t was[KEYS], is[KEYS];

/* How many keys went from one id to another; 0 is any. */
static unsigned
moved(uint32_t from, uint32_t to)
{
	unsigned n = 0;

	for (unsigned k = 0; k < KEYS; k++)
		n += was[k] != is[k] && (from == 0 || was[k] == from) && (to == 0 || is[k] == to);
	return n;
}

static void
test_shares(void **state)
{
	static const struct {
		uint32_t n, weight[10];
	} row[] = { { 2, { 100, 100 } }, { 3, { 100, 50, 25 } }, { 4, { 1, 2, 3, 0 } },
		{ 10, { 5, 5, 5, 5, 5, 5, 5, 5, 10, 0 } } };

	(void)state;
	for (size_t r = 0; r < ARRAY_LEN(row); r++) {
		unsigned got[10] = { 0 };
		uint32_t sum = 0;

		make(row[r].n);
		for (uint32_t i = 0; i < row[r].n; i++) {
			node[i].weight = item[i].weight = row[r].weight[i];
			sum += row[r].weight[i];
		}
		map(row[r].n, is);
		for (unsigned k = 0; k < KEYS; k++)
			got[is[k] - 10]++;
		for (uint32_t i = 0; i < row[r].n; i++) {
			double want = (double)KEYS * row[r].weight[i] / sum;

			if (got[i] < want * 0.93 || got[i] > want * 1.07)
				fail_msg("row %zu server %u: %u of %.0f", r, i, got[i], want);
		}
	}
}

/* One of n goes from the configuration: its keys move, to all others; no other key does. When it comes back all is as before. */
static void
test_removed(void **state)
{
	(void)state;
	for (uint32_t n = 4; n <= 64; n *= 4) {
		unsigned its = 0;

		make(n);
		map(n, was);
		node[1] = node[n - 1]; /* and the places of the others change */
		map(n - 1, is);
		for (unsigned k = 0; k < KEYS; k++)
			its += was[k] == 11;
		assert_int_equal(moved(0, 0), its);
		assert_int_equal(moved(11, 0), its);
		for (uint32_t i = 0; i < n; i++)
			if (i != 1)
				assert_in_range(moved(11, 10 + i), its / n / 3, its * 3 / n);
	}
}

/* The same when it is only unfit, and the others keep their places. */
static void
test_unfit(void **state)
{
	(void)state;
	for (uint32_t n = 4; n <= 64; n *= 4) {
		make(n);
		map(n, was);
		item[2].weight = 0;
		map(n, is);
		assert_int_equal(moved(0, 0), moved(12, 0));
		assert_int_equal(moved(0, 12), 0);
		assert_in_range(moved(0, 0), KEYS / n * 8 / 10, KEYS / n * 12 / 10);
	}
}

/* More weight: it gains keys, and nobody gives one to a third. All weights times a number: nothing moves. */
static void
test_weights(void **state)
{
	(void)state;
	for (uint32_t n = 5; n <= 20; n += 15) {
		uint32_t gain;

		make(n);
		map(n, was);
		node[0].weight = item[0].weight = 200;
		map(n, is);
		assert_int_equal(moved(0, 0), moved(0, 10));
		gain = KEYS * 2 / (n + 1) - KEYS / n;
		assert_in_range(moved(0, 0), gain * 85 / 100, gain * 115 / 100);
		memcpy(was, is, sizeof(was));
		for (uint32_t i = 0; i < n; i++)
			node[i].weight = item[i].weight *= 64;
		map(n, is);
		assert_int_equal(moved(0, 0), 0);
	}
}

/* A table is the same as looking each time. */
static void
test_table(void **state)
{
	struct spread *with, *without;
	const uint32_t n = 30;

	(void)state;
	make(n);
	for (uint32_t i = 0; i < n; i++)
		node[i].weight = item[i].weight = 1 + i * 7 % 40;
	node[4].weight = item[4].weight = 0;
	with = spread_new(node, n);
	assert_non_null(with->slot);
	without = spread_new(node, n);
	free(without->slot);
	without->slot = NULL;
	for (unsigned k = 0; k < KEYS / 10; k++)
		assert_int_equal(spread_pick(with, item, n, key(k), 0),
		    spread_pick(without, item, n, key(k), 0));
	assert_true(spread_same(with, node, n));
	node[3].weight++;
	assert_false(spread_same(with, node, n));
	assert_false(spread_same(with, node, n - 1));
	spread_unref(with);
	spread_unref(without);
	spread_unref(NULL);
}

/* One key, always: without a factor one server has all; with one each is filled to the factor, one after the other. */
static void
test_bounded(void **state)
{
	static const struct {
		uint32_t n;
		unsigned factor;
		uint32_t weight0; /* of the first, others 100 */
	} row[] = { { 4, 125, 100 }, { 10, 125, 100 }, { 4, 200, 100 }, { 4, 101, 100 },
		{ 4, 150, 300 }, { 40, 300, 100 } };
	const unsigned total = 1000;

	(void)state;
	for (size_t r = 0; r < ARRAY_LEN(row); r++) {
		uint32_t n = row[r].n, sum = 100 * (n - 1) + row[r].weight0;
		struct spread *s;
		unsigned held = 0;

		make(n);
		node[0].weight = item[0].weight = row[r].weight0;
		s = spread_new(node, n);
		for (unsigned k = 0; k < total; k++)
			item[spread_pick(s, item, n, key(1), row[r].factor)].active++;
		for (uint32_t i = 0; i < n; i++) {
			double fair = (double)total * item[i].weight / sum;

			assert_true(item[i].active <= fair * row[r].factor / 100 + 1);
			held += item[i].active >= fair * row[r].factor / 100 - 1;
		}
		assert_true(held >= (unsigned)(100 * n / row[r].factor) / 2);
		/* The key's own server comes first: it is full to its bound. */
		memset(was, 0, sizeof(was));
		for (uint32_t i = 0; i < n; i++)
			was[i] = item[i].active;
		for (uint32_t i = 0; i < n; i++)
			item[i].active = 0;
		assert_true(was[spread_pick(s, item, n, key(1), 0)] >=
			    (double)total * 100 / sum * row[r].factor / 100 - 1);
		spread_unref(s);
	}
}

static void
test_full(void **state)
{
	struct spread *s;
	int64_t own, second;

	(void)state;
	make(4);
	s = spread_new(node, 4);
	own = spread_pick(s, item, 4, key(5), 0);
	item[own].limit = item[own].active = 3;
	second = spread_pick(s, item, 4, key(5), 0);
	assert_true(second >= 0 && second != own);
	for (unsigned i = 0; i < 4; i++)
		item[i].limit = item[i].active = 3;
	assert_int_equal(spread_pick(s, item, 4, key(5), 0), BALANCE_FULL);
	assert_int_equal(spread_pick(s, item, 4, key(5), 125), BALANCE_FULL);
	item[second].active = 2;
	assert_int_equal(spread_pick(s, item, 4, key(5), 125), second);
	/* The only one with room is over its share: better than waiting. */
	item[second].active = 2000;
	item[second].limit = 0;
	assert_int_equal(spread_pick(s, item, 4, key(5), 125), second);
	for (unsigned i = 0; i < 4; i++)
		item[i].weight = 0;
	assert_int_equal(spread_pick(s, item, 4, key(5), 125), BALANCE_NONE);
	assert_int_equal(spread_pick(s, item, 0, key(5), 0), BALANCE_NONE);
	spread_unref(s);
}

/* A server that comes back takes the share of its keys that its weight has grown to, and gives none back as it grows. */
static void
test_slow_start(void **state)
{
	unsigned all = 0, had = 0;

	(void)state;
	make(4);
	map(4, was);
	for (unsigned k = 0; k < KEYS; k++)
		all += was[k] == 10;
	for (uint32_t w = 1; w <= 100; w += 33) {
		unsigned now = 0;

		item[0].weight = w;
		map(4, is);
		assert_int_equal(moved(0, 10), 0);
		assert_int_equal(moved(0, 0), moved(10, 0));
		for (unsigned k = 0; k < KEYS; k++)
			now += is[k] == 10;
		assert_in_range(now, all * w / 100 * 9 / 10, all * w / 100 * 11 / 10 + 50);
		assert_true(now > had);
		had = now;
	}
	assert_int_equal(had, all);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shares),
		cmocka_unit_test(test_removed),
		cmocka_unit_test(test_unfit),
		cmocka_unit_test(test_weights),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_bounded),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_slow_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
