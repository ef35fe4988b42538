/* Programs run beside the loop: what comes back, what cannot hold us, what is left behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/must.h"
#include "sys/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SCRIPT(text)                        \
	(const char *const[])               \
	{                                   \
		"/bin/sh", "-c", text, NULL \
	}

static struct {
	unsigned calls;
	int code, signo;
	bool late, cut;
	char out[200], err[200];
	size_t out_len;
} seen;

static void
on_done(void *arg, const struct child_result *r)
{
	assert_ptr_equal(arg, &seen);
	seen.calls++;
	seen.code = r->code;
	seen.signo = r->signo;
	seen.late = r->late;
	seen.cut = r->cut;
	seen.out_len = r->out_len;
	(void)snprintf(seen.out, sizeof(seen.out), "%s", r->out);
	(void)snprintf(seen.err, sizeof(seen.err), "%s", r->err);
}

static struct child_spec
spec_of(const char *const *argv)
{
	memset(&seen, 0, sizeof(seen));
	return (struct child_spec){
		.argv = argv, .output_max = 100, .limit = DUR_S(20), .done = on_done, .arg = &seen
	};
}

static void
test_result(void **state)
{
	static const struct {
		const char *script, *input, *out, *err;
		int code, signo;
	} rows[] = {
		{ "echo a; echo b >&2", "", "a\n", "b\n", 0, 0 }, { "exit 7", "", "", "", 7, 0 },
		{ "cat", "some words", "some words", "", 0, 0 }, { "cat", "", "", "", 0, 0 },
		{ "true", "nobody reads it", "", "", 0, 0 },
		{ "kill -TERM $$", "", "", "", -1, SIGTERM }, { "pwd", "", "/\n", "", 0, 0 },
		{ "echo $LC_ALL", "", "C\n", "", 0, 0 },
		{ "ls /proc/self/fd | tr '\\n' ' '", "", "0 1 2 3 ", "", 0, 0 }, /* 3 is ls's own */
	};
	int open_one = fcntl(1, F_DUPFD, 20);

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		struct child_spec s = spec_of(SCRIPT(rows[i].script));

		s.input = rows[i].input;
		s.input_len = strlen(rows[i].input);
		assert_int_equal(child_run(&s, NULL), 0);
		assert_int_equal(seen.calls, 1);
		assert_string_equal(seen.out, rows[i].out);
		assert_string_equal(seen.err, rows[i].err);
		assert_int_equal(seen.code, rows[i].code);
		assert_int_equal(seen.signo, rows[i].signo);
		assert_false(seen.late || seen.cut);
	}
	(void)close(open_one);
}

/* No shell sees the arguments, and signals of ours mean nothing to it. */
static void
test_arguments_and_signals(void **state)
{
	struct child_spec s =
	    spec_of((const char *const[]){ "printf", "%s|", "a b", "$HOME;x", "", NULL });
	struct child_spec p = spec_of(SCRIPT("kill -PIPE $$; echo alive"));
	const char *const env[] = { "A=1", NULL };
	sigset_t set;

	(void)state;
	assert_int_equal(child_run(&s, NULL), 0);
	assert_string_equal(seen.out, "a b|$HOME;x||");
	p.env = env;
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGPIPE);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	assert_int_equal(child_run(&p, NULL), 0);
	(void)sigprocmask(SIG_UNBLOCK, &set, NULL);
	assert_int_equal(seen.signo, SIGPIPE);
	p = spec_of(SCRIPT("echo $A$B"));
	p.env = env;
	assert_int_equal(child_run(&p, NULL), 0);
	assert_string_equal(seen.out, "1\n");
}

static void
test_no_such_program(void **state)
{
	static const char *const names[] = { "lbd-no-such-program", "/nonexistent/x" };
	struct err err;

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
		struct child_spec s = spec_of((const char *const[]){ names[i], NULL });

		assert_int_equal(child_run(&s, &err), -ENOENT);
		assert_non_null(strstr(err.text, names[i]));
		assert_int_equal(seen.calls, 0);
	}
}

static void
test_limits(void **state)
{
	struct child_spec s = spec_of(SCRIPT("i=0; while [ $i -lt 30000 ]; do echo 0123456789; "
					     "i=$((i+1)); done; echo end >&2"));
	size_t len = 3000000;
	char *input = mem_alloc(len);
	mono_t began;

	(void)state;
	assert_int_equal(child_run(&s, NULL), 0); /* 330 kB, and it came to its end */
	assert_int_equal(seen.code, 0);
	assert_true(seen.cut);
	assert_int_equal(seen.out_len, 100);
	assert_string_equal(seen.err, "end\n");

	memset(input, 'x', len); /* more than a pipe holds, both ways at once */
	s = spec_of(SCRIPT("cat"));
	s.input = input;
	s.input_len = len;
	s.output_max = len;
	assert_int_equal(child_run(&s, NULL), 0);
	assert_int_equal(seen.out_len, len);
	free(input);

	s = spec_of(SCRIPT("echo begun; sleep 100 & sleep 100"));
	s.limit = DUR_MS(300);
	began = mono_now();
	assert_int_equal(child_run(&s, NULL), 0);
	assert_true(seen.late && seen.code == -1 && seen.signo == SIGKILL);
	assert_string_equal(seen.out, "begun\n");
	assert_true(mono_now() - began >= DUR_MS(300) && mono_now() - began < DUR_S(15));
}

static bool
gone(pid_t pid)
{
	mono_t end = mono_now() + DUR_S(10);
	char path[40], text[200], state = 'x';

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	while (mono_now() < end) {
		FILE *f = fopen(path, "re");

		if (f == NULL)
			return true;
		if (fgets(text, sizeof(text), f) != NULL && strrchr(text, ')') != NULL)
			state = strrchr(text, ')')[2];
		(void)fclose(f);
		if (state == 'Z')
			return true; /* nobody here waits for orphans */
		(void)usleep(5000);
	}
	return false;
}

/* A descendant keeps its output open: the end is that of the process, and the descendant is killed. */
static void
test_descendants(void **state)
{
	struct child_spec s = spec_of(SCRIPT("sleep 100 & echo $!"));
	mono_t began = mono_now();

	(void)state;
	assert_int_equal(child_run(&s, NULL), 0);
	assert_true(mono_now() - began < DUR_S(15));
	assert_int_equal(seen.code, 0);
	assert_true(atoi(seen.out) > 1);
	assert_true(gone(atoi(seen.out)));
}

static void
stop_loop(void *arg)
{
	loop_stop(arg);
}

static void
test_stop(void **state)
{
	struct child_spec s = spec_of(SCRIPT("sleep 100"));
	struct loop *l = loop_new();
	struct child *c = NULL;
	pid_t pid;

	(void)state;
	assert_int_equal(child_start(&c, l, &s, NULL), 0);
	pid = child_pid(c);
	child_stop(c);
	assert_true(gone(pid));
	loop_defer(l, stop_loop, l);
	assert_int_equal(loop_run(l), 0);
	assert_int_equal(seen.calls, 0);
	child_stop(NULL);
	loop_free(l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_result),
		cmocka_unit_test(test_arguments_and_signals),
		cmocka_unit_test(test_no_such_program),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_descendants),
		cmocka_unit_test(test_stop),
	};

	(void)alarm(60);
	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
