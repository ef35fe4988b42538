/* Sockets and folders: listeners share a port, take addresses that are not here yet, and say
 * clearly what fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/must.h"
#include "sys/paths.h"
#include "sys/sock.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char dir[] = "/tmp/lbd-sock-XXXXXX";

static uint16_t
port_of(int fd)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	struct addr a;
	uint16_t port;

	assert_int_equal(getsockname(fd, (struct sockaddr *)&ss, &len), 0);
	assert_int_equal(addr_from_sockaddr((struct sockaddr *)&ss, &a, &port), 0);
	return port;
}

static void
tcp_pair(const char *text)
{
	struct addr a;
	struct err err;
	struct pollfd p = { .events = POLLIN };
	uint16_t port;
	int one, two, c;

	assert_int_equal(addr_parse(text, ADDR_HOST, &a), 0);
	one = sock_listen_tcp(&a, 0, 16, 0, &err);
	assert_true(one >= 0);
	port = port_of(one);
	two = sock_listen_tcp(&a, port, 16, 0, &err);
	assert_true(two >= 0); /* the port is shared */
	(void)close(two);
	assert_true((fcntl(one, F_GETFL) & O_NONBLOCK) != 0);
	assert_true((fcntl(one, F_GETFD) & FD_CLOEXEC) != 0);
	c = sock_connect_tcp(&a, port);
	assert_true(c >= 0);
	p.fd = one;
	assert_int_equal(poll(&p, 1, 5000), 1);
	assert_int_equal(sock_error(c), 0);
	(void)close(one);
	(void)close(c);
	c = sock_connect_tcp(&a, port);
	if (c >= 0) {
		p = (struct pollfd){ .fd = c, .events = POLLOUT };
		assert_int_equal(poll(&p, 1, 5000), 1);
		assert_int_equal(sock_error(c), -ECONNREFUSED);
		(void)close(c);
	} else {
		assert_int_equal(c, -ECONNREFUSED);
	}
}

static void
test_tcp(void **state)
{
	(void)state;
	tcp_pair("127.0.0.1");
}

static void
test_listen_on_an_address_that_is_not_here(void **state)
{
	struct addr a;
	struct err err;
	int fd;

	(void)state;
	assert_int_equal(addr_parse("192.0.2.77", ADDR_HOST, &a), 0);
	fd = sock_listen_tcp(&a, 0, 16, 5, &err);
	assert_true(fd >= 0);
	(void)close(fd);
}

static void
test_a_fault_names_address_and_port(void **state)
{
	struct addr a;
	struct err err;
	struct sockaddr_in plain = { .sin_family = AF_INET,
		.sin_addr = { htonl(INADDR_LOOPBACK) } };
	int holder = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), fd;
	char want[120];

	(void)state;
	assert_int_equal(bind(holder, (struct sockaddr *)&plain, sizeof(plain)), 0);
	assert_int_equal(listen(holder, 1), 0);
	assert_int_equal(addr_parse("127.0.0.1", ADDR_HOST, &a), 0);
	fd = sock_listen_tcp(&a, port_of(holder), 16, 0, &err);
	assert_int_equal(fd, -EADDRINUSE);
	(void)snprintf(want, sizeof(want),
	    "cannot listen on 127.0.0.1 port %u: Address already in use", port_of(holder));
	assert_string_equal(err.text, want);
	(void)close(holder);
}

static void
test_unix_sockets_know_who_is_there(void **state)
{
	struct sock_peer who;
	struct stat st;
	struct err err;
	char path[100];
	int fd, c, s;

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/a.sock", dir);
	assert_int_equal(sock_connect_unix(path), -ENOENT);
	fd = sock_listen_unix(path, 0666, &err);
	assert_true(fd >= 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0666);
	c = sock_connect_unix(path);
	assert_true(c >= 0);
	s = sock_accept_unix(fd, &who);
	assert_true(s >= 0);
	assert_int_equal(who.uid, geteuid());
	assert_int_equal(who.pid, getpid());
	assert_int_equal(sock_accept_unix(fd, &who), -EAGAIN);
	assert_int_equal(sock_listen_unix(path, 0666, &err), -EADDRINUSE);
	assert_non_null(strstr(err.text, "another process already serves it"));
	(void)close(fd);
	/* Left over: taken over. */
	assert_int_equal(sock_connect_unix(path), -ECONNREFUSED);
	fd = sock_listen_unix(path, 0600, &err);
	assert_true(fd >= 0);
	(void)close(fd);
	(void)close(c);
	(void)close(s);
	(void)unlink(path);
}

/* One of many that start at once; each holds what it got until go is closed. 0: it listens. */
static pid_t
starter(const char *path, const int go[2], const int held[2])
{
	struct err err;
	pid_t pid = fork();
	char c;
	int fd;

	if (pid != 0)
		return pid;
	(void)close(go[1]);
	(void)close(held[0]);
	fd = sock_listen_unix(path, 0666, &err);
	(void)!write(held[1], fd >= 0 ? "y" : "n", 1);
	(void)!read(go[0], &c, 1);
	_exit(fd >= 0 ? 0 : fd == -EADDRINUSE ? 1 : 2);
}

static void
test_one_of_many_takes_a_stale_socket(void **state)
{
	char path[100], lock[110], c;
	struct err err;

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/race.sock", dir);
	(void)snprintf(lock, sizeof(lock), "%s.lock", path);
	for (unsigned turn = 0; turn < 200; turn++) {
		int fd = sock_listen_unix(path, 0666, &err), go[2], held[2], won = 0, status;
		pid_t pid[6];

		assert_true(fd >= 0);
		(void)close(fd); /* stale now */
		assert_int_equal(pipe2(go, O_CLOEXEC) | pipe2(held, O_CLOEXEC), 0);
		for (unsigned i = 0; i < ARRAY_LEN(pid); i++)
			pid[i] = starter(path, go, held);
		for (unsigned i = 0; i < ARRAY_LEN(pid); i++)
			assert_int_equal(read(held[0], &c, 1), 1);
		(void)close(go[1]);
		for (unsigned i = 0; i < ARRAY_LEN(pid); i++) {
			assert_int_equal(waitpid(pid[i], &status, 0), pid[i]);
			assert_true(WIFEXITED(status) && WEXITSTATUS(status) < 2);
			won += WEXITSTATUS(status) == 0;
		}
		assert_int_equal(won, 1);
		(void)close(go[0]);
		(void)close(held[0]);
		(void)close(held[1]);
	}
	assert_int_equal(access(lock, F_OK), -1);
	/* A lock that a dead process left is taken over. */
	(void)close(open(lock, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	(void)close(sock_listen_unix(path, 0666, &err));
	assert_int_equal(access(lock, F_OK), -1);
	(void)unlink(path);
}

static void
test_a_socket_of_another_user(void **state)
{
	char folder[80], path[100];
	struct err err = { 0 };
	int status;
	pid_t pid;

	(void)state;
	if (geteuid() != 0)
		skip();
	(void)snprintf(folder, sizeof(folder), "%s/sticky", dir);
	(void)snprintf(path, sizeof(path), "%s/a.sock", folder);
	assert_int_equal(chmod(dir, 0755) | mkdir(folder, 0755) | chmod(folder, 01777), 0);
	(void)close(sock_listen_unix(path, 0666, &err));
	pid = fork();
	if (pid == 0) {
		int fd = setgid(65534) == 0 && setuid(65534) == 0
			     ? sock_listen_unix(path, 0666, &err)
			     : 0;

		_exit(fd == -EPERM && strstr(err.text, "remove it as root") != NULL ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(unlink(path) | rmdir(folder), 0); /* nothing else is left in it */
}

static void
test_unix_socket_faults(void **state)
{
	struct err err;
	char path[200], longer[200];
	int fd;

	(void)state;
	memset(longer, 'a', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	longer[0] = '/';
	assert_int_equal(sock_listen_unix(longer, 0666, &err), -ENAMETOOLONG);
	assert_non_null(strstr(err.text, "longer than 107 bytes"));
	(void)snprintf(path, sizeof(path), "%s/nowhere/a.sock", dir);
	assert_int_equal(sock_listen_unix(path, 0666, &err), -ENOENT);
	(void)snprintf(path, sizeof(path), "%s/file", dir);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	(void)close(fd);
	assert_int_equal(sock_listen_unix(path, 0666, &err), -EEXIST); /* never removes a file */
	assert_int_equal(access(path, F_OK), 0);
	(void)unlink(path);
}

static void
test_paths(void **state)
{
	char root[100], socket_path[280], cwd[256], want[400];
	struct paths p;
	struct err err;
	struct stat st;

	(void)state;
	(void)unsetenv("LBD_ROOT");
	assert_int_equal(paths_init(&p, NULL, &err), 0);
	assert_string_equal(p.state, "/var/lib/lbd");
	assert_int_equal(paths_init(&p, "/", &err), 0);
	assert_string_equal(p.etc, "/etc/lbd");
	(void)snprintf(root, sizeof(root), "%s/root//", dir);
	(void)setenv("LBD_ROOT", root, 1);
	assert_int_equal(paths_init(&p, NULL, &err), 0);
	paths_socket(&p, "lbd-check", socket_path);
	(void)snprintf(want, sizeof(want), "%s/root/run/lbd/lbd-check.sock", dir);
	assert_string_equal(socket_path, want);
	assert_int_equal(paths_make(&p, &err), 0);
	assert_int_equal(paths_make(&p, &err), 0);
	assert_int_equal(stat(p.state, &st), 0);
	assert_true(S_ISDIR(st.st_mode));
	/* Relative: from where we are. */
	assert_non_null(getcwd(cwd, sizeof(cwd)));
	assert_int_equal(paths_init(&p, "x", &err), 0);
	(void)snprintf(want, sizeof(want), "%s/x/run/lbd", cwd);
	assert_string_equal(p.run, want);
	memset(want, 'a', 300);
	want[0] = '/';
	want[300] = '\0';
	assert_int_equal(paths_init(&p, want, &err), ERR_USAGE);
	assert_non_null(strstr(err.text, "longer than 199 bytes"));
	(void)unsetenv("LBD_ROOT");
}

static void
test_folder_faults_name_the_folder(void **state)
{
	char root[100];
	struct paths p;
	struct err err;
	int fd;

	(void)state;
	(void)snprintf(root, sizeof(root), "%s/plain", dir);
	fd = open(root, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	(void)close(fd);
	assert_int_equal(paths_init(&p, root, &err), 0);
	assert_int_equal(paths_make(&p, &err), -ENOTDIR);
	assert_non_null(strstr(err.text, p.etc));
}

static void
test_fd_limit(void **state)
{
	(void)state;
	assert_true(sock_fd_limit() >= 64);
}

static int
set_up(void **state)
{
	(void)state;
	return mkdtemp(dir) == NULL;
}

static int
tear_down(void **state)
{
	static const char *const made[] = { "root/etc/lbd", "root/etc", "root/var/lib/lbd",
		"root/var/lib", "root/var", "root/run/lbd", "root/run", "root", "plain" };
	char path[200];

	(void)state;
	for (unsigned i = 0; i < sizeof(made) / sizeof(made[0]); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", dir, made[i]);
		(void)remove(path);
	}
	return rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tcp),
		cmocka_unit_test(test_listen_on_an_address_that_is_not_here),
		cmocka_unit_test(test_a_fault_names_address_and_port),
		cmocka_unit_test(test_unix_sockets_know_who_is_there),
		cmocka_unit_test(test_one_of_many_takes_a_stale_socket),
		cmocka_unit_test(test_a_socket_of_another_user),
		cmocka_unit_test(test_unix_socket_faults),
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_folder_faults_name_the_folder),
		cmocka_unit_test(test_fd_limit),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
