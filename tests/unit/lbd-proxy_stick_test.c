/* Persistence entries: kept, expired, crowded out, cleared, shared by threads. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/must.h"
#include "lbd-proxy/pool/stick.h"

#define KEEP DUR_S(10)

static struct stick_key
client(uint32_t n)
{
	struct addr a = { .family = 4,
		.len = 32,
		.b = { 10, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n } };
	struct stick_key k;

	stick_key_addr(&a, &k);
	return k;
}

static void
test_life(void **state)
{
	struct stick *s = stick_new(1000, 1);
	struct stick_key k = client(1), other = client(2);

	(void)state;
	assert_int_equal(stick_lookup(s, 5, &k, 0, KEEP), 0);
	stick_store(s, 5, &k, 70, 0, KEEP);
	assert_int_equal(stick_lookup(s, 5, &k, DUR_S(9), KEEP), 70);
	assert_int_equal(stick_lookup(s, 5, &k, DUR_S(18), KEEP), 70); /* each use renews it */
	assert_int_equal(stick_lookup(s, 6, &k, DUR_S(18), KEEP), 0);
	assert_int_equal(stick_lookup(s, 5, &other, DUR_S(18), KEEP), 0);
	stick_store(s, 5, &k, 71, DUR_S(18), KEEP);
	assert_int_equal(stick_lookup(s, 5, &k, DUR_S(27), KEEP), 71);
	assert_int_equal(stick_lookup(s, 5, &k, DUR_S(37), KEEP), 0);
	assert_int_equal(stick_count(s), 1);
	stick_free(s);
	stick_free(NULL);
}

/* Keys of different kinds never meet, even with equal bytes. */
static void
test_kinds(void **state)
{
	struct stick *s = stick_new(1000, 2), *t = stick_new(1000, 3);
	struct addr four, six;
	struct stick_key a, b, c, d;

	(void)state;
	assert_int_equal(addr_parse("32.1.13.184", ADDR_HOST, &four), 0);
	assert_int_equal(addr_parse("2001:db8::", ADDR_HOST, &six), 0);
	stick_key_addr(&four, &a);
	stick_key_addr(&six, &b);
	assert_memory_equal(a.b, b.b, 16);
	stick_store(s, 1, &a, 4, 0, KEEP);
	stick_store(s, 1, &b, 6, 0, KEEP);
	assert_int_equal(stick_lookup(s, 1, &a, 1, KEEP), 4);
	assert_int_equal(stick_lookup(s, 1, &b, 1, KEEP), 6);
	stick_key_cookie(s, "abc", 3, &c);
	stick_key_cookie(s, "abd", 3, &d);
	assert_memory_not_equal(c.b, d.b, 16);
	stick_key_cookie(t, "abc", 3, &d);
	assert_memory_not_equal(c.b, d.b, 16); /* another start, another hash */
	stick_free(s);
	stick_free(t);
}

/* Never more than the capacity; what was used last survives best. */
static void
test_full(void **state)
{
	const uint32_t capacity = 6400, n = 20000;
	struct stick *s = stick_new(capacity, 4);
	uint32_t alive = 0;

	(void)state;
	for (uint32_t i = 0; i < n; i++) {
		struct stick_key k = client(i);
		stick_store(s, 1, &k, i + 1, (mono_t)i, KEEP);
		assert_true(stick_count(s) <= capacity);
	}
	for (uint32_t i = n - 1000; i < n; i++) {
		struct stick_key k = client(i);
		uint32_t got = stick_lookup(s, 1, &k, (mono_t)n, KEEP);
		assert_true(got == 0 || got == i + 1);
		alive += got != 0;
	}
	assert_true(alive > 900);
	assert_true(stick_count(s) > capacity * 9 / 10);
	stick_free(s);
}

/* Expired entries make room by themselves. */
static void
test_sweep(void **state)
{
	struct stick *s = stick_new(100000, 5);

	(void)state;
	for (uint32_t i = 0; i < 50000; i++) {
		struct stick_key k = client(i);
		stick_store(s, 1, &k, 1, DUR_MS(10) * i, KEEP);
	}
	assert_true(stick_count(s) < 5000); /* 1,000 are alive at any time */
	stick_free(s);
}

struct seen {
	uint32_t n, stop, sum;
	struct stick *again;
};

static bool
see(void *arg, const struct stick_entry *e)
{
	struct seen *seen = arg;

	seen->n++;
	seen->sum += e->server;
	assert_int_equal(e->left, KEEP - 5);
	if (seen->again != NULL)
		(void)stick_count(seen->again); /* no lock is held */
	return seen->n != seen->stop;
}

static void
test_each_clear(void **state)
{
	struct stick *s = stick_new(10000, 6);
	struct stick_key k;

	(void)state;
	for (uint32_t i = 0; i < 300; i++) {
		k = client(i);
		stick_store(s, 1 + i % 3, &k, 1 + i % 2, 0, KEEP);
	}
	struct seen all = { .again = s }, one = { 0 }, some = { .stop = 7 };
	assert_int_equal(stick_each(s, 0, 0, 5, see, &all), 300);
	assert_int_equal(all.sum, 450);
	assert_int_equal(stick_each(s, 2, 0, 5, see, &one), 100);
	assert_int_equal(stick_each(s, 0, 0, 5, see, &some), 7);
	assert_int_equal(stick_each(s, 0, 0, KEEP, see, &some), 0);
	struct seen rest = { 0 }, first = { .stop = 120 }, after = { 0 };
	assert_int_equal(stick_each(s, 2, 93, 5, see, &rest), 7);
	assert_int_equal(stick_each(s, 0, 300, 5, see, &rest), 0);
	assert_int_equal(stick_each(s, 0, 0, 5, see, &first), 120);
	assert_int_equal(stick_each(s, 0, 120, 5, see, &after), 180);
	assert_int_equal(first.sum + after.sum, all.sum);
	k = client(0);
	assert_int_equal(stick_clear(s, 1, 0, &k), 1);
	assert_int_equal(stick_lookup(s, 1, &k, 5, KEEP), 0);
	assert_int_equal(stick_clear(s, 2, 0, NULL), 100);
	assert_int_equal(stick_clear(s, 0, 2, NULL), 100);
	assert_int_equal(stick_clear(s, 0, 0, NULL), 99);
	assert_int_equal(stick_count(s), 0);
	for (uint32_t i = 0; i < 300; i++) {
		k = client(i);
		stick_store(s, 9, &k, 3, 5, KEEP);
	}
	assert_int_equal(stick_count(s), 300);
	stick_free(s);
}

struct worker {
	struct stick *s;
	uint32_t from;
	bool wrong;
};

static void *
work(void *arg)
{
	struct worker *w = arg;

	for (uint32_t i = 0; i < 100000; i++) {
		struct stick_key k = client((w->from + i * 7919) % 2000);
		uint32_t got = stick_lookup(w->s, 1, &k, 1, KEEP),
			 want = 1 + (w->from + i * 7919) % 2000;
		w->wrong |= got != 0 && got != want;
		if (got == 0)
			stick_store(w->s, 1, &k, want, 1, KEEP);
		if (i % 10000 == 0)
			(void)stick_clear(w->s, 1, want, NULL);
	}
	return NULL;
}

static void
test_threads(void **state)
{
	struct stick *s = stick_new(1000, 7); /* half of what they want */
	struct worker w[4];
	pthread_t t[4];

	(void)state;
	for (uint32_t i = 0; i < 4; i++) {
		w[i] = (struct worker){ .s = s, .from = i };
		assert_int_equal(pthread_create(&t[i], NULL, work, &w[i]), 0);
	}
	for (uint32_t i = 0; i < 4; i++) {
		assert_int_equal(pthread_join(t[i], NULL), 0);
		assert_false(w[i].wrong);
	}
	assert_true(stick_count(s) <= 1000);
	stick_free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_life),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_sweep),
		cmocka_unit_test(test_each_clear),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
