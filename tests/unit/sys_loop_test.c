/* The loop: order of deferred work, timers that are never early, descriptors, signals, wakes
 * from other threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/must.h"
#include "sys/loop.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct loop *l;
static char seen[64];

static int
set_up(void **state)
{
	(void)state;
	l = loop_new();
	seen[0] = '\0';
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	loop_free(l);
	return 0;
}

static void
see(void *arg)
{
	const char *what = arg;
	size_t at = strlen(seen);

	(void)snprintf(seen + at, sizeof(seen) - at, "%s", what);
	if (what[0] == '.')
		loop_stop(l);
}

static void
defer_more(void *arg)
{
	see(arg);
	loop_defer(l, see, (void *)(uintptr_t) "3");
	loop_defer(l, see, (void *)(uintptr_t) ".");
}

static void
test_deferred_work_runs_in_order_and_later_turns(void **state)
{
	uint64_t turns;

	(void)state;
	loop_defer(l, defer_more, (void *)(uintptr_t) "1");
	loop_defer(l, see, (void *)(uintptr_t) "2");
	turns = loop_turns(l);
	assert_int_equal(loop_run(l), 0);
	assert_string_equal(seen, "123.");
	assert_int_equal(loop_turns(l) - turns, 2);
}

static void
test_deferred_work_runs_when_the_loop_ends(void **state)
{
	struct loop *other = loop_new();

	(void)state;
	loop_defer(other, see, (void *)(uintptr_t) "x");
	loop_free(other);
	assert_string_equal(seen, "x");
}

struct left {
	struct loop_last last;
	const char *name;
};

static void
end_left(void *arg)
{
	struct left *x = arg;

	see((void *)(uintptr_t)x->name);
	loop_last_not(&x->last); /* as its own end does */
}

static void
test_what_waits_ends_with_the_loop(void **state)
{
	struct left x[] = { { .name = "a" }, { .name = "b" }, { .name = "c" }, { .name = "d" } };
	struct loop *other = loop_new();

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(x); i++)
		loop_last(&x[i].last, other, end_left, &x[i]);
	loop_last_not(&x[1].last);
	loop_last_not(&x[1].last);
	loop_last(&x[0].last, other, end_left, &x[0]); /* again: once */
	loop_free(other);
	assert_string_equal(seen, "adc");
}

static void
test_stop_before_run_is_not_lost(void **state)
{
	(void)state;
	loop_stop(l);
	assert_int_equal(loop_run(l), 0);
	assert_int_equal(loop_turns(l), 0);
}

struct shot {
	struct loop_timer t;
	mono_t due, at;
	const char *name;
};

static void
on_shot(void *arg)
{
	struct shot *s = arg;

	s->at = mono_now();
	see((void *)(uintptr_t)s->name);
}

static void
test_timers_fire_in_order_and_never_early(void **state)
{
	static const struct {
		int ms;
		const char *name;
	} rows[] = { { 30, "c" }, { 0, "a" }, { 10, "b" }, { 31, "." } };
	struct shot s[ARRAY_LEN(rows)];

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		s[i].name = rows[i].name;
		s[i].due = mono_now() + DUR_MS(rows[i].ms);
		loop_timer_init(&s[i].t, l, on_shot, &s[i]);
		loop_timer_set(&s[i].t, DUR_MS(rows[i].ms));
	}
	assert_int_equal(loop_run(l), 0);
	assert_string_equal(seen, "abc.");
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		assert_true(s[i].at >= s[i].due - 500);
		loop_timer_fini(&s[i].t);
	}
}

/* A callback that takes long: the loop's own clock is behind by as much. */
static void
late_setter(void *arg)
{
	struct shot *s = arg;
	mono_t end = mono_now() + DUR_MS(30);

	while (mono_now() < end)
		;
	s->due = mono_now() + DUR_MS(20);
	loop_timer_set(&s->t, DUR_MS(20));
}

static void
test_timer_set_after_long_work_is_not_early(void **state)
{
	struct shot s = { .name = "." };
	struct loop_timer first;

	(void)state;
	loop_timer_init(&s.t, l, on_shot, &s);
	loop_timer_init(&first, l, late_setter, &s);
	loop_timer_set(&first, 0);
	assert_int_equal(loop_run(l), 0);
	assert_true(s.at >= s.due - 500);
	loop_timer_fini(&s.t);
	loop_timer_fini(&first);
}

static void
test_timer_moves_and_cancels(void **state)
{
	struct shot moved = { .name = "m" }, gone = { .name = "g" }, end = { .name = "." };
	struct loop_timer zero = { 0 };

	(void)state;
	loop_timer_init(&moved.t, l, on_shot, &moved);
	loop_timer_init(&gone.t, l, on_shot, &gone);
	loop_timer_init(&end.t, l, on_shot, &end);
	loop_timer_set(&moved.t, 0);
	loop_timer_set(&moved.t, DUR_MS(15));
	loop_timer_set(&gone.t, DUR_MS(1));
	loop_timer_cancel(&gone.t);
	loop_timer_set(&end.t, DUR_MS(30));
	moved.due = mono_now() + DUR_MS(15);
	assert_int_equal(loop_run(l), 0);
	assert_string_equal(seen, "m.");
	assert_true(moved.at >= moved.due - 500);
	loop_timer_fini(&moved.t);
	loop_timer_fini(&gone.t);
	loop_timer_fini(&end.t);
	loop_timer_fini(&zero);
}

struct duct {
	struct loop_fd f;
	int other;
	unsigned n;
};

static void
on_readable(void *arg, unsigned ready)
{
	struct duct *d = arg;
	char c;

	assert_int_equal(ready, LOOP_READ);
	assert_int_equal(read(d->f.fd, &c, 1), 1);
	d->n++;
	if (c == '.')
		loop_stop(l);
}

static void
on_writable(void *arg, unsigned ready)
{
	struct duct *d = arg;

	assert_int_equal(ready, LOOP_WRITE);
	assert_int_equal(write(d->f.fd, ++d->n == 3 ? "." : "x", 1), 1);
	if (d->n == 3)
		loop_fd_want(&d->f, 0);
}

static void
test_descriptors_are_level_triggered(void **state)
{
	struct duct in = { 0 }, out = { 0 };
	int p[2];

	(void)state;
	assert_int_equal(pipe2(p, O_CLOEXEC | O_NONBLOCK), 0);
	loop_fd_init(&in.f, l, p[0], on_readable, &in);
	loop_fd_init(&out.f, l, p[1], on_writable, &out);
	loop_fd_want(&in.f, LOOP_READ);
	loop_fd_want(&out.f, LOOP_WRITE);
	assert_int_equal(loop_run(l), 0);
	assert_int_equal(in.n, 3);
	assert_int_equal(out.n, 3);
	loop_fd_fini(&in.f);
	loop_fd_fini(&out.f);
	(void)close(p[0]);
	(void)close(p[1]);
}

#define WAKES 1000
static unsigned woken;
static pthread_t loop_thread;

static void
on_wake(void *arg)
{
	(void)arg;
	assert_true(pthread_equal(pthread_self(), loop_thread));
	if (++woken == WAKES)
		loop_stop(l);
}

static void *
waker(void *arg)
{
	for (int i = 0; i < WAKES; i++)
		loop_wake(l, on_wake, arg);
	return NULL;
}

static void
test_wakes_from_another_thread_all_arrive(void **state)
{
	pthread_t t;

	(void)state;
	loop_thread = pthread_self();
	assert_int_equal(pthread_create(&t, NULL, waker, NULL), 0);
	assert_int_equal(loop_run(l), 0);
	assert_int_equal(pthread_join(t, NULL), 0);
	assert_int_equal(woken, WAKES);
}

static void
test_signals_come_as_callbacks(void **state)
{
	(void)state;
	loop_signal(l, SIGHUP, see, (void *)(uintptr_t) "h");
	loop_signal(l, SIGUSR2, see, (void *)(uintptr_t) ".");
	assert_int_equal(raise(SIGHUP), 0);
	assert_int_equal(raise(SIGUSR2), 0);
	assert_int_equal(loop_run(l), 0);
	assert_non_null(strchr(seen, 'h'));
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_deferred_work_runs_in_order_and_later_turns),
		T(test_deferred_work_runs_when_the_loop_ends),
		T(test_what_waits_ends_with_the_loop),
		T(test_stop_before_run_is_not_lost),
		T(test_timers_fire_in_order_and_never_early),
		T(test_timer_set_after_long_work_is_not_early),
		T(test_timer_moves_and_cancels),
		T(test_descriptors_are_level_triggered),
		T(test_wakes_from_another_thread_all_arrive),
		T(test_signals_come_as_callbacks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
