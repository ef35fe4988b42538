/* Counts by key: sliding windows, what is held, the bound, many threads, what one costs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>

#include "lbd-proxy/rates/rate_window.h"
#include "lbd-proxy/rates/rates.h"

#define W DUR_S(10)
#define T0 DUR_S(1000)
#define THREADS 8
#define EACH 20000

static void
test_window(void **state)
{
	/* One after the other: at (tenths of a second after T0), what is added, what is within 10 s then. */
	static const struct {
		int at;
		uint64_t add, sum;
	} t[] = {
		{ 0, 10, 10 },
		{ 50, 10, 20 },
		{ 99, 0, 20 },
		{ 100, 0, 20 },
		{ 150, 0, 10 },
		{ 150, 5, 15 },
		{ 175, 0, 10 },
		{ 200, 0, 5 },
		{ 250, 0, 2 },
		{ 299, 0, 0 },
		{ 299, 4, 4 },
		{ 600, 0, 0 },
		{ 600, 7, 7 },
		{ 10, 1, 8 },
		{ 650, 0, 8 },
		{ 900, 0, 0 },
	};
	struct rate_window w = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		mono_t at = T0 + (mono_t)t[i].at * 100000;

		if (t[i].add > 0)
			rate_window_add(&w, at, W, t[i].add);
		if (rate_window_get(&w, at, W) != t[i].sum)
			fail_msg(
			    "row %zu: %llu", i, (unsigned long long)rate_window_get(&w, at, W));
	}
}

/* A steady rate is seen as it is, at every instant. */
static void
test_window_steady(void **state)
{
	struct rate_window w = { 0 };

	(void)state;
	for (mono_t at = T0; at < T0 + 10 * W; at += DUR_MS(10)) {
		uint64_t n;

		rate_window_add(&w, at, W, 1);
		n = rate_window_get(&w, at, W);
		if (at > T0 + W)
			assert_in_range(n, 998, 1002);
	}
}

static void
key(const struct rates *r, uint64_t meter, uint32_t n, struct rates_key *k)
{
	rates_key(r, meter, &n, sizeof(n), k);
}

static void
test_keys(void **state)
{
	struct rates *r = rates_new(RATES_KEYS, 7), *s = rates_new(RATES_KEYS, 8);
	struct rates_key a, b, c, d;

	(void)state;
	key(r, 1, 1, &a);
	key(r, 1, 2, &b);
	key(r, 2, 1, &c);
	key(s, 1, 1, &d);
	assert_memory_not_equal(&a, &d, sizeof(a)); /* by the seed */
	assert_int_equal(rates_get(r, &a, T0, W), 0);
	assert_int_equal(rates_count(r), 0);
	assert_int_equal(rates_touch(r, &a, NULL, T0, W, 1), 1);
	assert_int_equal(rates_touch(r, &a, NULL, T0, W, 2), 3);
	assert_int_equal(rates_touch(r, &b, NULL, T0, W, 5), 5);
	assert_int_equal(rates_get(r, &a, T0 + 1, W), 3);
	assert_int_equal(rates_get(r, &c, T0 + 1, W), 0);
	assert_int_equal(rates_get(r, &a, T0 + 2 * W, W), 0);
	assert_int_equal(rates_count(r), 2);
	assert_int_equal(rates_hold(r, &c, NULL, T0), 1);
	assert_int_equal(rates_hold(r, &c, NULL, T0), 2);
	rates_drop(r, &c);
	assert_int_equal(rates_held(r, &c), 1);
	rates_drop(r, &c);
	rates_drop(r, &c); /* once more than it was held */
	assert_int_equal(rates_held(r, &c), 0);
	rates_drop(r, &d); /* not known */
	rates_unref(rates_ref(r));
	assert_int_equal(rates_count(r), 3);
	rates_unref(r);
	rates_unref(s);
	rates_unref(NULL);
}

/* A full table forgets what was silent longest, and rather not what holds connections. */
static void
test_bound(void **state)
{
	struct rates *r = rates_new(64 * RATES_SHARDS, 3);
	struct rates_key k, loud, holds;

	(void)state;
	key(r, 9, 1, &loud);
	key(r, 9, 2, &holds);
	(void)rates_hold(r, &holds, NULL, T0);
	for (uint32_t i = 0; i < 100000; i++) {
		key(r, 1, i, &k);
		(void)rates_touch(r, &k, NULL, T0 + i, W, 1);
		(void)rates_touch(r, &loud, NULL, T0 + i, DUR_S(100), 1);
	}
	assert_int_equal(rates_count(r), 64 * RATES_SHARDS);
	assert_int_equal(rates_get(r, &loud, T0 + 100000, DUR_S(100)), 100000);
	assert_int_equal(rates_held(r, &holds), 1);
	key(r, 1, 99999, &k);
	assert_int_equal(rates_get(r, &k, T0 + 100000, W), 1);
	key(r, 1, 5, &k);
	assert_int_equal(rates_get(r, &k, T0 + 100000, W), 0);
	rates_unref(r);
	r = rates_new(1, 3); /* one for each shard */
	for (uint32_t i = 0; i < 1000; i++) {
		key(r, 1, i, &k);
		(void)rates_hold(
		    r, &k, NULL, T0); /* all hold something: the oldest goes all the same */
	}
	assert_int_equal(rates_count(r), RATES_SHARDS);
	rates_unref(r);
}

struct seen {
	struct rates_item last;
	unsigned n;
	uint64_t sum;
};

static void
see(void *arg, const struct rates_item *item)
{
	struct seen *s = arg;

	s->last = *item;
	s->n++;
	s->sum += rate_window_get(&item->window, T0, W);
}

/* What a list has of one key: nothing behind the bits of an address, the beginning of a long text. */
static void
test_faces(void **state)
{
	static const struct {
		struct rates_seen seen;
		uint8_t n;
		const char *text;
	} rows[] = {
		{ { 5, "\x0a\x01\x02\xff", 32, RATES_ADDR4, 0 }, 32, "\x0a\x01\x02\xff" },
		{ { 5, "\x0a\x01\x02\xff", 28, RATES_ADDR4, 0 }, 28, "\x0a\x01\x02\xf0" },
		{ { 5, "\x0a\x01\x02\xff", 0, RATES_ADDR4, 0 }, 0, "" },
		{ { 5, "0123456789abcdef", 128, RATES_ADDR6, 0 }, 128, "0123456789abcdef" },
		{ { 5, "a.example", 9, RATES_TEXT, 0 }, 9, "a.example" },
		{ { 5, "", 0, RATES_TEXT, 0 }, 0, "" },
		{ { 5, "01234567890123456789012345678", 29, RATES_TEXT, 0 }, 29,
		    "01234567890123456789012345678" },
		{ { 5, "01234567890123456789012345678901234567", 38, RATES_TEXT, 0 }, 30,
		    "01234567890123456789012345678" },
		{ { 5, NULL, 0, RATES_HIDDEN, 0 }, 0, "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct rates *r = rates_new(RATES_KEYS, 7);
		char want[RATES_SHOWN] = { 0 };
		struct seen s = { 0 };
		struct rates_key k, hidden;

		key(r, 5, 1, &k);
		key(r, 5, 2, &hidden);
		(void)rates_touch(r, &hidden, NULL, T0, W, 1); /* not shown */
		(void)rates_touch(r, &k, &rows[i].seen, T0, W, 3);
		rates_each(r, see, &s);
		memcpy(want, rows[i].text, strlen(rows[i].text));
		assert_int_equal(s.n, 1);
		assert_int_equal(s.sum, 3);
		assert_int_equal(s.last.face.meter, 5);
		assert_int_equal(s.last.face.since_s, 1000);
		assert_int_equal(s.last.face.n, rows[i].n);
		assert_memory_equal(s.last.face.text, want, RATES_SHOWN);
		assert_memory_equal(&s.last.key, &k, sizeof(k));
		rates_unref(r);
	}
}

/* Every second key is forgotten; the others are found, listed and counted on, and the table fills up again. */
static void
test_forget(void **state)
{
	static const struct rates_seen seen = { 5, "", 0, RATES_TEXT, 0 };
	const uint32_t keys = 20000;
	struct rates *r = rates_new(32768, 3);
	struct seen s = { 0 };
	struct rates_key k;

	(void)state;
	for (uint32_t i = 0; i < keys; i++) {
		key(r, 5, i, &k);
		(void)rates_touch(r, &k, &seen, T0, W, i);
	}
	for (uint32_t i = 0; i < keys; i += 2) {
		key(r, 5, i, &k);
		assert_true(rates_forget(r, &k));
		assert_false(rates_forget(r, &k));
	}
	assert_int_equal(rates_count(r), keys / 2);
	rates_each(r, see, &s);
	assert_int_equal(s.n, keys / 2);
	assert_int_equal(s.sum, (uint64_t)(keys / 2) * (keys / 2));
	for (uint32_t i = 0; i < keys; i++) {
		key(r, 5, i, &k);
		assert_int_equal(rates_get(r, &k, T0, W), i % 2 == 0 ? 0 : i);
	}
	for (uint32_t i = 0; i < 100000; i++) { /* it gives way and is used as before */
		key(r, 6, i, &k);
		assert_int_equal(rates_touch(r, &k, NULL, T0, W, 2), 2);
	}
	key(r, 5, 1, &k);
	(void)rates_touch(r, &k, &seen, T0, W, 1);
	(void)rates_hold(r, &k, &seen, T0);
	assert_true(rates_forget(r, &k)); /* it holds something */
	assert_int_equal(rates_get(r, &k, T0, W), 0);
	assert_int_equal(rates_held(r, &k), 1);
	rates_unref(r);
}

/* Who reaches a limit is told of, once in a while as long as it goes on; who takes it counts as much, and no more. */
static void
test_told(void **state)
{
	static const struct rates_seen seen = { 5, "", 0, RATES_TEXT, 3 };
	struct rates *r = rates_new(RATES_KEYS, 7), *other = rates_new(RATES_KEYS, 7);
	struct rates_item told[4];
	struct rates_key k, calm, here;
	mono_t now = T0;

	(void)state;
	key(r, 5, 1, &k);
	key(r, 5, 2, &calm);
	key(other, 5, 1, &here);
	assert_memory_equal(&k, &here, sizeof(k));
	(void)rates_touch(r, &calm, &seen, now, W, 2);
	(void)rates_touch(r, &k, &seen, now, W, 2);
	assert_int_equal(rates_tell(r, told, 4, now), 0);
	(void)rates_touch(r, &k, &seen, now, W, 1);
	assert_int_equal(rates_tell(r, told, 0, now), 0); /* no room: it waits */
	assert_int_equal(rates_tell(r, told, 4, now), 1);
	assert_memory_equal(&told[0].key, &k, sizeof(k));
	assert_int_equal(rates_tell(r, told, 4, now), 0);
	(void)rates_touch(r, &k, &seen, now += DUR_S(1), W, 4);
	assert_int_equal(rates_tell(r, told, 4, now), 0); /* too soon */
	assert_int_equal(rates_tell(r, told, 4, now + DUR_S(RATES_AGAIN)), 1);
	assert_int_equal(rates_tell(r, told, 4, now + DUR_S(3 * RATES_AGAIN)), 0);

	rates_take(other, &k, &seen, now, W, now - W / 2, 7);
	assert_int_equal(rates_get(other, &k, now, W), 7);
	assert_int_equal(rates_get(other, &k, now + W / 2 - 1, W), 7); /* its window is half over */
	assert_int_equal(rates_get(other, &k, now + W, W), 3);
	rates_take(other, &k, &seen, now, W, now, 5); /* less than is known */
	assert_int_equal(rates_get(other, &k, now, W), 7);
	rates_take(other, &k, &seen, now, W, now, 9);
	assert_int_equal(rates_get(other, &k, now, W), 9);
	(void)rates_touch(other, &k, &seen, now, W, 1);
	assert_int_equal(rates_get(other, &k, now, W), 10);
	rates_reseed(other, 8);
	key(other, 5, 1, &here);
	assert_memory_not_equal(&k, &here, sizeof(k));
	rates_unref(r);
	rates_unref(other);
}

static struct rates *shared;

static void *
work(void *arg)
{
	struct rates_key k;

	for (uint32_t i = 0; i < EACH; i++) {
		key(shared, 1, i % 100, &k);
		(void)rates_touch(shared, &k, NULL, T0, W, 1);
		(void)rates_hold(shared, &k, NULL, T0);
		key(shared, 2, i + (uint32_t)(uintptr_t)arg * EACH, &k);
		(void)rates_touch(shared, &k, NULL, T0, W, 1);
		if (i % 1000 == 0)
			rates_each(shared, see, &(struct seen){ 0 });
		key(shared, 1, i % 100, &k);
		rates_drop(shared, &k);
	}
	return NULL;
}

static void
test_threads(void **state)
{
	pthread_t t[THREADS];
	struct rates_key k;
	uint64_t sum = 0;

	(void)state;
	shared = rates_new(RATES_KEYS, 11);
	for (uintptr_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&t[i], NULL, work, (void *)i), 0);
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(t[i], NULL), 0);
	for (uint32_t i = 0; i < 100; i++) {
		key(shared, 1, i, &k);
		sum += rates_get(shared, &k, T0, W);
		assert_int_equal(rates_held(shared, &k), 0);
	}
	assert_int_equal(sum, THREADS * EACH);
	assert_int_equal(rates_count(shared), 100 + THREADS * EACH);
	rates_unref(shared);
}

/* What one costs is printed; the bound is far off, for slow machines. */
static void
test_cost(void **state)
{
	struct rates *r = rates_new(RATES_KEYS, 11);
	struct rates_key k;
	mono_t t;

	(void)state;
	for (unsigned round = 0; round < 2; round++) {
		t = mono_now();
		for (uint32_t i = 0; i < 400000; i++) {
			key(r, 1, i * 2654435761u, &k);
			(void)rates_touch(r, &k, NULL, T0, W, 1);
		}
		t = mono_now() - t;
		print_message(
		    "%u keys, each new: %lld ns\n", rates_count(r), (long long)t * 1000 / 400000);
		assert_true(t < DUR_S(20));
	}
	t = mono_now();
	for (uint32_t i = 0; i < 400000; i++) {
		key(r, 1, 399999 * 2654435761u, &k);
		(void)rates_touch(r, &k, NULL, T0, W, 1);
	}
	t = mono_now() - t;
	print_message("the same key: %lld ns\n", (long long)t * 1000 / 400000);
	rates_unref(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_window),
		cmocka_unit_test(test_window_steady),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_bound),
		cmocka_unit_test(test_faces),
		cmocka_unit_test(test_forget),
		cmocka_unit_test(test_told),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_cost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
