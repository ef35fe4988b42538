/* The timer wheel: nothing fires early, nothing is forgotten, moving away and off are cheap and right. */
#include "lbd-proxy/net/wheel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define N 3000
static struct timer timer[N];
static mono_t due[N], fired[N], now;
static unsigned fires;

static void
on_fire(void *arg, struct timer *t)
{
	size_t i = (size_t)(t - timer);

	(void)arg;
	assert_true(fired[i] == 0);
	assert_true(due[i] != 0);
	fired[i] = now;
	fires++;
}

static void
reset(struct wheel *w)
{
	memset(timer, 0, sizeof(timer));
	memset(due, 0, sizeof(due));
	memset(fired, 0, sizeof(fired));
	fires = 0;
	now = 77777777;
	wheel_init(w, now);
}

static void
set(struct wheel *w, unsigned i, dur_t after)
{
	due[i] = now + after;
	(void)wheel_set(w, &timer[i], now, after);
}

static void
test_all_fire_in_time(void **state)
{
	static struct wheel w;
	unsigned i;

	(void)state;
	reset(&w);
	srand(7);
	for (i = 0; i < N; i++) /* up to a minute: six rounds of the wheel */
		set(&w, i, rand() % 60000000);
	while (fires < N) {
		mono_t next = wheel_next(&w);

		assert_true(next > now);
		now = next;
		wheel_advance(&w, now, on_fire, NULL);
	}
	for (i = 0; i < N; i++) {
		assert_true(fired[i] >= due[i]);
		assert_true(fired[i] < due[i] + 2 * WHEEL_TICK);
	}
	assert_true(wheel_next(&w) == -1);
}

static void
test_moved_off_and_deleted(void **state)
{
	static struct wheel w;

	(void)state;
	reset(&w);
	set(&w, 0, DUR_MS(50));
	set(&w, 0, DUR_S(20)); /* away: stays where it is until then */
	set(&w, 1, DUR_S(20));
	set(&w, 1, DUR_MS(50)); /* nearer */
	set(&w, 2, DUR_MS(50));
	wheel_off(&timer[2]);
	set(&w, 3, DUR_MS(50));
	wheel_del(&w, &timer[3]);
	wheel_del(&w, &timer[3]);
	set(&w, 4, 0);
	now += DUR_MS(70);
	wheel_advance(&w, now, on_fire, NULL);
	assert_true(fired[1] != 0 && fired[4] != 0);
	assert_int_equal(fires, 2);
	set(&w, 2, DUR_MS(10)); /* after off it may be set again */
	now += DUR_S(19);
	wheel_advance(&w, now, on_fire, NULL);
	assert_int_equal(fires, 3);
	now += DUR_S(2);
	wheel_advance(&w, now, on_fire, NULL);
	assert_true(fired[0] != 0);
	assert_int_equal(fires, 4);
}

static void
again(void *arg, struct timer *t)
{
	fires++;
	(void)wheel_set(arg, t, now, WHEEL_TICK);
}

static void
test_set_while_firing(void **state)
{
	static struct wheel w;

	(void)state;
	reset(&w);
	(void)wheel_set(&w, &timer[0], now, 0);
	now += 5 * WHEEL_TICK;
	wheel_advance(&w, now, again, &w);
	assert_int_equal(fires, 1);
	now += WHEEL_TICK;
	wheel_advance(&w, now, again, &w);
	assert_int_equal(fires, 2);
}

static void
test_long_sleep(void **state)
{
	static struct wheel w;
	unsigned i;

	(void)state;
	reset(&w);
	for (i = 0; i < 100; i++)
		set(&w, i, DUR_S(i));
	set(&w, 100, DUR_S(100000));
	now += DUR_S(50000); /* the machine slept: everything at once, but what lies ahead */
	wheel_advance(&w, now, on_fire, NULL);
	assert_int_equal(fires, 100);
	now += DUR_S(49999);
	wheel_advance(&w, now, on_fire, NULL);
	assert_int_equal(fires, 100);
	now += DUR_S(2);
	wheel_advance(&w, now, on_fire, NULL);
	assert_int_equal(fires, 101);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_fire_in_time),
		cmocka_unit_test(test_moved_off_and_deleted),
		cmocka_unit_test(test_set_while_firing),
		cmocka_unit_test(test_long_sleep),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
