/* A ring of lines: full, around its end, and with a reader in another thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "log/ring.h"

#include <pthread.h>

static bool
put(struct ring *r, const char *text, size_t most)
{
	char *p = ring_reserve(r, most);

	if (p == NULL)
		return false;
	memcpy(p, text, strlen(text));
	ring_commit(r, strlen(text), 7);
	return true;
}

static void
test_order_and_bound(void **state)
{
	struct ring r = { 0 };
	struct ring_line l;
	char text[32];
	unsigned in = 0, out = 0;

	(void)state;
	assert_true(ring_empty(&r));
	assert_int_equal(ring_init(&r, 256), 0);
	for (unsigned round = 0; round < 1000; round++) {
		size_t at = ring_tail(&r);

		for (;;) {
			(void)snprintf(text, sizeof(text), "line %u", in);
			if (!put(&r, text, 20 + in % 40))
				break;
			in++;
		}
		assert_true(in > out && !ring_empty(&r));
		while (ring_next(&r, &at, &l)) {
			(void)snprintf(text, sizeof(text), "line %u", out++);
			assert_int_equal(l.n, strlen(text));
			assert_memory_equal(l.p, text, l.n);
			assert_int_equal(l.ms, 7);
			if (out % 3 == 0)
				break;
		}
		ring_release(&r, at);
	}
	ring_release(&r, atomic_load(&r.head));
	assert_true(ring_empty(&r) && !ring_half(&r));
	while (put(&r, "x", 1))
		;
	assert_true(ring_half(&r));
	assert_null(ring_reserve(&r, 250)); /* never: with its head it is longer than the ring */
	ring_fini(&r);
}

#define LINES 200000

static void *
read_all(void *arg)
{
	struct ring *r = arg;
	unsigned n = 0;

	while (n < LINES) {
		struct ring_line l;
		size_t at;

		if (ring_empty(r)) /* or not made yet */
			continue;
		at = ring_tail(r);
		while (ring_next(r, &at, &l)) {
			unsigned got;

			memcpy(&got, l.p, sizeof(got));
			if (got != n || l.n != sizeof(got) + n % 100)
				return arg; /* wrong */
			n++;
		}
		ring_release(r, at);
	}
	return NULL;
}

static void
test_two_threads(void **state)
{
	struct ring r = { 0 };
	pthread_t t;
	void *wrong;

	(void)state;
	assert_int_equal(
	    pthread_create(&t, NULL, read_all, &r), 0); /* it looks before there is one */
	assert_false(ring_made(&r));
	assert_int_equal(ring_init(&r, 4096), 0);
	for (unsigned n = 0; n < LINES;) {
		char *p = ring_reserve(&r, 200);

		if (p == NULL) {
			(void)sched_yield();
			continue;
		}
		memset(p, 'x', 200);
		memcpy(p, &n, sizeof(n));
		ring_commit(&r, sizeof(n) + n % 100, 0);
		n++;
	}
	assert_int_equal(pthread_join(t, &wrong), 0);
	assert_null(wrong);
	assert_true(ring_empty(&r));
	ring_fini(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order_and_bound),
		cmocka_unit_test(test_two_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
