/* The core's place in the kernel's scheduler: a core that sleeps goes on, one that does not is ended. */
#include "core/core_priv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* A core in a process of its own, that sleeps after each `turn` of work; how it ended. */
static int
run_core(dur_t turn, dur_t all)
{
	const struct timespec nap = { 0, 1000 * 1000 };
	mono_t start, next;
	int status = 0;
	pid_t pid = fork();

	assert_int_not_equal(pid, -1);
	if (pid == 0) {
		core_sched_start();
		start = mono_now();
		while (mono_now() - start < all) {
			for (next = mono_now() + turn; mono_now() < next;)
				;
			(void)nanosleep(&nap, NULL);
			core_sched_turn(mono_now());
		}
		_exit(sched_getscheduler(0) == SCHED_OTHER ? 2 : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void
test_a_core_that_sleeps_goes_on(void **state)
{
	int status;

	(void)state;
	status = run_core(DUR_MS(100), DUR_S(1));
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 2)
		skip(); /* neither class is allowed here: nothing ends it */
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void
test_a_core_that_does_not_sleep_is_ended(void **state)
{
	int status;

	(void)state;
	status = run_core(DUR_S(5), DUR_S(5));
	if (WIFEXITED(status) && WEXITSTATUS(status) == 2)
		skip();
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_core_that_sleeps_goes_on),
		cmocka_unit_test(test_a_core_that_does_not_sleep_is_ended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
