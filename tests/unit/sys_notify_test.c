/* What systemd hears, through a socket of the test's own; what it hands over, through the
 * environment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sys/notify.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static int fd;
static char got[512];

static void
listen_at(const char *name)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };

	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	memcpy(sa.sun_path, name, strlen(name));
	if (name[0] == '@')
		sa.sun_path[0] = '\0';
	assert_int_equal(bind(fd, (struct sockaddr *)&sa,
			     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name))),
	    0);
	(void)setenv("NOTIFY_SOCKET", name, 1);
}

static const char *
heard(void)
{
	ssize_t n = recv(fd, got, sizeof(got) - 1, 0);

	got[n > 0 ? n : 0] = '\0';
	return got;
}

static void
test_messages(void **state)
{
	char name[64];

	(void)state;
	(void)snprintf(name, sizeof(name), "@lbd-notify-test-%d", (int)getpid());
	listen_at(name);
	notify_ready();
	assert_string_equal(heard(), "READY=1");
	notify_status("%d VIPs\nSTOPPING=1", 3);
	assert_string_equal(heard(), "STATUS=3 VIPs STOPPING=1");
	notify_watchdog();
	assert_string_equal(heard(), "WATCHDOG=1");
	notify_stopping();
	assert_string_equal(heard(), "STOPPING=1");
	notify_reloading();
	assert_memory_equal(heard(), "RELOADING=1\nMONOTONIC_USEC=", 27);
	assert_true(strtoll(got + 27, NULL, 10) > 0);
	(void)close(fd);
}

static void
test_without_systemd_nothing_happens(void **state)
{
	(void)state;
	(void)unsetenv("NOTIFY_SOCKET");
	notify_ready();
	(void)setenv("NOTIFY_SOCKET", "not a path", 1);
	notify_ready();
	(void)unsetenv("NOTIFY_SOCKET");
}

static void
test_watchdog_interval(void **state)
{
	char pid[20];

	(void)state;
	(void)unsetenv("WATCHDOG_USEC");
	assert_int_equal(notify_watchdog_interval(), 0);
	(void)setenv("WATCHDOG_USEC", "10000000", 1);
	(void)unsetenv("WATCHDOG_PID");
	assert_int_equal(notify_watchdog_interval(), DUR_S(5));
	(void)setenv("WATCHDOG_PID", "1", 1);
	assert_int_equal(notify_watchdog_interval(), 0);
	(void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
	(void)setenv("WATCHDOG_PID", pid, 1);
	assert_int_equal(notify_watchdog_interval(), DUR_S(5));
	(void)setenv("WATCHDOG_USEC", "rubbish", 1);
	assert_int_equal(notify_watchdog_interval(), 0);
	(void)unsetenv("WATCHDOG_USEC");
}

/* In a child: descriptors 3 and 4 are overwritten. */
static int
given(const char *name, int want, int first)
{
	int fds[8] = { 0 }, n, null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	char pid[20];

	if (dup2(null, 3) != 3 || dup2(null, 4) != 4)
		return 2;
	(void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
	(void)setenv("LISTEN_PID", pid, 1);
	(void)setenv("LISTEN_FDS", "2", 1);
	(void)setenv("LISTEN_FDNAMES", "http:panel", 1);
	n = notify_listen_fds(name, fds, 8);
	if (n != want || (n > 0 && fds[0] != first))
		return 1;
	return n > 0 && (fcntl(fds[0], F_GETFD) & FD_CLOEXEC) == 0 ? 3 : 0;
}

static void
test_listen_fds(void **state)
{
	static const struct {
		const char *name;
		int n, first;
	} rows[] = { { NULL, 2, 3 }, { "http", 1, 3 }, { "panel", 1, 4 }, { "pan", 0, 0 },
		{ "x", 0, 0 } };

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int status = -1;
		pid_t pid = fork();

		if (pid == 0)
			_exit(given(rows[i].name, rows[i].n, rows[i].first));
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
	}
	(void)setenv("LISTEN_FDS", "2", 1);
	(void)unsetenv("LISTEN_PID");
	assert_int_equal(notify_listen_fds(NULL, (int[2]){ 0 }, 2), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_without_systemd_nothing_happens),
		cmocka_unit_test(test_watchdog_interval),
		cmocka_unit_test(test_listen_fds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
