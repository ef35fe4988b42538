/* The memory between the two processes. */
#include "core/shared.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static struct shared *
region(void)
{
	struct shared *s =
	    mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(s, MAP_FAILED);
	return s;
}

static void
test_shared_halves(void **state)
{
	struct shared *s = region();
	struct shared_want *first = shared_want_spare(s), *second;

	(void)state;
	assert_ptr_equal(first, &s->want[1]); /* number 1 is the first */
	atomic_store(&s->error[1][7], 22);
	shared_want_commit(s);
	assert_int_equal(atomic_load(&s->wanted), 1);
	assert_int_equal(atomic_load(&s->error[1][7]), 0);
	assert_null(shared_want_spare(s)); /* not taken yet */
	atomic_store(&s->taken, 1);
	second = shared_want_spare(s);
	assert_ptr_equal(second, &s->want[0]);
	shared_want_commit(s);
	atomic_store(&s->taken, 2);
	assert_ptr_equal(shared_want_spare(s), first);
	assert_int_equal(munmap(s, sizeof(*s)), 0);
}

static void
test_shared_odd_after_a_kill(void **state)
{
	struct shared *s = region();
	struct shared_is is = { .want = 5 }, got;

	(void)state;
	shared_write(s, &is);
	assert_int_equal(atomic_load(&s->is_seq) & 1, 0);
	atomic_store(&s->is_seq, 3); /* killed while it wrote */
	is.want = 6;
	shared_write(s, &is);
	assert_int_equal(atomic_load(&s->is_seq), 4);
	shared_read(s, &got);
	assert_int_equal(got.want, 6);
	assert_int_equal(munmap(s, sizeof(*s)), 0);
}

static void
write_for_ever(struct shared *s)
{
	struct shared_is is = { 0 };

	for (;;) {
		is.want++;
		is.late_worst = is.want;
		is.stalls = is.want;
		shared_write(s, &is);
	}
}

static void
test_shared_consistent(void **state)
{
	struct shared *s = region();
	struct shared_is is;
	uint32_t last = 0;
	pid_t p = fork();

	(void)state;
	if (p == 0)
		write_for_ever(s);
	assert_true(p > 0);
	for (unsigned i = 0; i < 20000; i++) {
		shared_read(s, &is);
		assert_true(is.late_worst == is.want && is.stalls == is.want && is.want >= last);
		last = is.want;
	}
	assert_int_equal(kill(p, SIGKILL), 0);
	assert_int_equal(waitpid(p, NULL, 0), p);
	assert_int_equal(munmap(s, sizeof(*s)), 0);
}

static void
test_shared_events(void **state)
{
	struct shared *s = region();

	(void)state;
	for (unsigned i = 0; i < SHARED_EVENTS + 3; i++)
		shared_note(s, &(struct shared_event){ .generation = i });
	assert_int_equal(atomic_load(&s->events), SHARED_EVENTS + 3);
	assert_int_equal(s->event[2].generation, SHARED_EVENTS + 2); /* the oldest gave way */
	assert_int_equal(s->event[3].generation, 3);
	assert_int_equal(munmap(s, sizeof(*s)), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shared_halves),
		cmocka_unit_test(test_shared_odd_after_a_kill),
		cmocka_unit_test(test_shared_consistent),
		cmocka_unit_test(test_shared_events),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
