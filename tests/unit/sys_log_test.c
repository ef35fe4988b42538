/* Log lines as they arrive at stderr: a pipe gets them plain, a file with the time; what repeats
 * is counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sys/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int saved_stderr, pipe_in;
static char text[65536];

static int
set_up(void **state)
{
	int p[2];

	(void)state;
	assert_int_equal(pipe2(p, O_CLOEXEC | O_NONBLOCK), 0);
	saved_stderr = dup(STDERR_FILENO);
	assert_int_equal(dup2(p[1], STDERR_FILENO), STDERR_FILENO);
	(void)close(p[1]);
	pipe_in = p[0];
	log_init("lbd-test");
	log_set_level(LOG_P_INFO);
	return 0;
}

static const char *
lines(void)
{
	ssize_t n = read(pipe_in, text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

static int
tear_down(void **state)
{
	(void)state;
	(void)dup2(saved_stderr, STDERR_FILENO);
	(void)close(saved_stderr);
	(void)close(pipe_in);
	return 0;
}

static void
test_a_pipe_gets_plain_lines(void **state)
{
	(void)state;
	log_info("server %s: %s", "web/rip1", "down");
	assert_string_equal(lines(), "lbd-test: server web/rip1: down\n");
	errno = ENOENT;
	log_err("file: %m");
	assert_int_equal(errno, ENOENT);
	assert_string_equal(lines(), "lbd-test: file: No such file or directory\n");
}

static void
test_level_drops_lines(void **state)
{
	(void)state;
	log_debug("not now");
	assert_string_equal(lines(), "");
	log_set_level(LOG_P_DEBUG);
	assert_true(log_wants(LOG_P_DEBUG));
	log_debug("now");
	assert_string_equal(lines(), "lbd-test: now\n");
	log_set_level(LOG_P_ERR);
	log_warn("a warning");
	log_info("a fact");
	assert_string_equal(lines(), "");
}

static void
test_names_cannot_forge_lines(void **state)
{
	(void)state;
	log_info("name %s", "a\nlbd-test: forged\x1b[1m");
	assert_string_equal(lines(), "lbd-test: name a lbd-test: forged [1m\n");
}

static void
test_repeated_warnings_are_counted(void **state)
{
	char *summary;

	(void)state;
	for (int i = 0; i < 5; i++)
		log_warn("probe failed");
	assert_string_equal(lines(), "lbd-test: probe failed\n");
	/* Facts are never held back. */
	log_info("again");
	log_info("again");
	assert_string_equal(lines(), "lbd-test: again\nlbd-test: again\n");
	/* Others push it out of memory: then it says how often it came. */
	for (int i = 0; i < 40; i++)
		log_warn("warning %d", i);
	summary = strstr((char *)(uintptr_t)lines(), "probe failed");
	assert_non_null(summary);
	assert_memory_equal(summary, "probe failed (4 times more in 10 s)\n", 36);
	log_flush();
	assert_string_equal(lines(), "");
}

static void
test_a_file_gets_the_time(void **state)
{
	FILE *f = tmpfile();
	char line[200] = "";
	int year, month, day, h, m, s, ms, at = 0;

	(void)state;
	assert_non_null(f);
	assert_int_equal(dup2(fileno(f), STDERR_FILENO), STDERR_FILENO);
	log_init("lbd-test");
	log_info("hello");
	rewind(f);
	assert_non_null(fgets(line, sizeof(line), f));
	assert_int_equal(
	    sscanf(line, "%d-%d-%d %d:%d:%d.%d %n", &year, &month, &day, &h, &m, &s, &ms, &at), 7);
	assert_string_equal(line + at, "lbd-test: hello\n");
	(void)fclose(f);
}

static void
test_journal_of_another_stream_is_not_used(void **state)
{
	(void)state;
	(void)setenv("JOURNAL_STREAM", "1:2", 1);
	log_init("lbd-test");
	log_info("here");
	assert_string_equal(lines(), "lbd-test: here\n");
	(void)unsetenv("JOURNAL_STREAM");
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_a_pipe_gets_plain_lines),
		T(test_level_drops_lines),
		T(test_names_cannot_forge_lines),
		T(test_repeated_warnings_are_counted),
		T(test_a_file_gets_the_time),
		T(test_journal_of_another_stream_is_not_used),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
