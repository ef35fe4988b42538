/* A tiny daemon on the skeleton, in a process and a root folder of its own: start, commits,
 * faults, signals, stop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/must.h"
#include "daemon/announce.h"
#include "daemon/daemon.h"
#include "msg/client.h"
#include "store/store.h"
#include "sys/log.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WAIT DUR_S(20)

/* What the daemon's process shows to the test, and what the test wants of it. */
static struct shared {
	volatile int inits, applies, reloads, drains, finis, runs, dones;
	volatile uint32_t old, now, local;
	volatile bool fail_init, refuse, dead, never_drained, commit_on_reload;
	char refused[300];
} * sh;

static char dir[64];
static struct paths paths;
static struct err err;
static pid_t daemons[2];
static int notify_fd = -1;

/* ---- the daemon */

static int
d_init(struct daemon *d, struct err *e)
{
	must(daemon_snapshot(d) != NULL);
	sh->inits++;
	return sh->fail_init ? err_set(e, ERR_INVALID, "no luck today") : 0;
}

static int
d_apply(struct daemon *d, struct snapshot *old, struct snapshot *now, struct err *e)
{
	must(daemon_snapshot(d) == now && sh->inits == 1);
	sh->old = old != NULL ? snapshot_revision(old, SCOPE_SHARED) : 0;
	sh->now = snapshot_revision(now, SCOPE_SHARED);
	sh->local = snapshot_revision(now, SCOPE_LOCAL);
	sh->applies++;
	return sh->refuse ? err_set(e, ERR_INVALID, "vip web: port 80 is in use") : 0;
}

static void
d_done(void *arg, const char *refused)
{
	(void)arg;
	(void)snprintf(sh->refused, sizeof(sh->refused), "%s", refused);
	sh->dones++;
}

static int commit(struct store *st, const char *name, struct commit_result *r);

static void
d_reload(struct daemon *d)
{
	struct commit_result r = { 0 };
	char name[32];

	sh->reloads++;
	if (!sh->commit_on_reload)
		return;
	(void)snprintf(name, sizeof(name), "web%d", sh->reloads);
	must(commit(daemon_store(d), name, &r) == 0);
	announce_commit(d, &r, DUR_S(10), d_done, NULL);
	commit_result_fini(&r);
}

static bool
d_alive(struct daemon *d)
{
	(void)d;
	return !sh->dead;
}

static void
d_status(struct daemon *d, char *line, size_t room)
{
	(void)snprintf(line, room, "%u VIPs", snapshot_count(daemon_snapshot(d), KIND_service));
}

static void
d_drain(struct daemon *d)
{
	sh->drains++;
	if (!sh->never_drained)
		daemon_stopped(d);
}

static void
d_fini(struct daemon *d)
{
	must(daemon_bus(d) != NULL);
	sh->finis++;
}

static void
d_run(void *arg, const struct bus_request *rq, const union msg_any *m)
{
	struct daemon *d = arg;

	(void)m;
	must(daemon_loop(d) != NULL && daemon_paths(d) != NULL);
	sh->runs++;
	bus_result(rq, 0, NULL);
}

static const struct bus_handler messages[] = { { MSG_CHECK_RUN, d_run }, { 0, NULL } };
static const struct daemon_ops check_ops = {
	.name = "lbd-check",
	.synopsis = "is a test",
	.messages = messages,
	.init = d_init,
	.apply = d_apply,
	.reload = d_reload,
	.alive = d_alive,
	.status = d_status,
	.drain = d_drain,
	.fini = d_fini,
};
static const struct daemon_ops web_ops = {
	.name = "lbd-web",
	.synopsis = "writes in a test",
	.reload = d_reload,
	.writes = true,
};

/* ---- the test's side */

static int
remove_one(const char *path, const struct stat *sb, int flag, struct FTW *ftw)
{
	(void)sb;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static int
set_up(void **state)
{
	(void)state;
	sh = mmap(NULL, sizeof(*sh), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	(void)snprintf(dir, sizeof(dir), "/tmp/lbd-daemon-XXXXXX");
	if (sh == MAP_FAILED || mkdtemp(dir) == NULL || paths_init(&paths, dir, &err) != 0)
		return 1;
	daemons[0] = daemons[1] = 0;
	return paths_make(&paths, &err);
}

static int
tear_down(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		if (daemons[i] == 0)
			continue;
		(void)kill(daemons[i], SIGKILL);
		(void)waitpid(daemons[i], NULL, 0);
	}
	if (notify_fd != -1)
		(void)close(notify_fd);
	notify_fd = -1;
	(void)unsetenv("NOTIFY_SOCKET");
	(void)unsetenv("WATCHDOG_USEC");
	(void)munmap(sh, sizeof(*sh));
	return nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static pid_t
start(const struct daemon_ops *ops, const char *option)
{
	char name[32], log[100];
	char *argv[] = { name, (char *)(uintptr_t) "-s", dir, (char *)(uintptr_t)option, NULL };
	pid_t pid;

	(void)snprintf(name, sizeof(name), "%s", ops->name);
	(void)snprintf(log, sizeof(log), "%s/log", dir);
	pid = fork();
	if (pid != 0)
		return pid;
	(void)dup2(open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600), STDERR_FILENO);
	(void)dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), STDOUT_FILENO);
	exit(daemon_main(option != NULL ? 4 : 3, argv, ops));
}

#define wait_until(cond)                                                                 \
	do {                                                                             \
		mono_t by = mono_now() + WAIT;                                           \
		while (!(cond)) {                                                        \
			if (mono_now() > by)                                             \
				fail_msg("in vain: %s", #cond);                          \
			(void)nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL); \
		}                                                                        \
	} while (0)

static int
end_of(pid_t pid)
{
	int status = 0;
	mono_t by = mono_now() + WAIT;

	while (waitpid(pid, &status, WNOHANG) == 0) {
		if (mono_now() > by)
			return -1;
		(void)nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* How often the log says it. */
static unsigned
logged(const char *words)
{
	char path[100], text[65536];
	unsigned n = 0;
	ssize_t len;
	int fd;

	(void)snprintf(path, sizeof(path), "%s/log", dir);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	len = fd != -1 ? read(fd, text, sizeof(text) - 1) : 0;
	text[len > 0 ? len : 0] = '\0';
	(void)close(fd);
	for (const char *at = text; (at = strstr(at, words)) != NULL; at++)
		n++;
	return n;
}

/* One service more. */
static int
commit(struct store *st, const char *name, struct commit_result *r)
{
	static unsigned port = 1000;
	const struct commit_info info = { .who = "tester", .origin = "test" };
	const struct object *o = object_of(KIND_service);
	struct doc_item *it = NULL;
	struct doc d;
	char text[20];
	int code;

	doc_init(&d);
	(void)snprintf(text, sizeof(text), "%u", ++port);
	code = doc_add(&d, DOC_CREATE, o, name, 0, &it, &err);
	if (code == 0)
		code = doc_set(&d, it, "address", "10.0.0.1", &err);
	if (code == 0)
		code = doc_set(&d, it, "ports", text, &err);
	if (code == 0)
		code = store_edit(st, &d, &info, r, &err);
	doc_fini(&d);
	return code;
}

static struct store *
writer(void)
{
	struct store *st = NULL;

	if (store_open(paths.state, STORE_WRITE, &st, &err) != 0)
		fail_msg("%s", err.text);
	return st;
}

static struct {
	uint32_t revision;
	char fault[600], head[300];
} status_now;

static int
take_status(void *arg, const struct msg_row *row, const union msg_any *m)
{
	(void)arg;
	assert_int_equal(row->number, MSG_DAEMON);
	status_now.revision = m->daemon.revision;
	span_text(m->daemon.fault, status_now.fault, sizeof(status_now.fault));
	span_text(m->daemon.head, status_now.head, sizeof(status_now.head));
	return 0;
}

static int
call(unsigned number, const void *payload, client_row_fn fn)
{
	struct client *c;
	int code = client_open(&paths, "lbd-check", &c, &err);

	if (code != 0)
		return code;
	code = client_call(c, number, payload, fn, NULL, DUR_S(10), &err);
	client_close(c);
	return code;
}

static bool
ask_status(void)
{
	return call(MSG_STATUS, &(struct msg_empty){ 0 }, take_status) == 0;
}

static void
listen_as_systemd(void)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };

	(void)snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/notify", dir);
	notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(notify_fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	(void)setenv("NOTIFY_SOCKET", sa.sun_path, 1);
}

static bool
heard(const char *words)
{
	char text[400];
	ssize_t n;

	while ((n = recv(notify_fd, text, sizeof(text) - 1, 0)) >= 0) {
		text[n] = '\0';
		if (strncmp(text, words, strlen(words)) == 0)
			return true;
	}
	return false;
}

static void
test_starts_without_a_store_and_takes_it_when_it_comes(void **state)
{
	struct msg_server run = { .server = 1 };
	struct store *st;

	(void)state;
	listen_as_systemd();
	daemons[0] = start(&check_ops, NULL);
	wait_until(heard("READY=1"));
	wait_until(heard("STATUS=waiting for a store: there is none in "));
	assert_true(ask_status());
	assert_int_equal(status_now.revision, 0);
	assert_non_null(strstr(status_now.fault, paths.state));
	assert_int_equal(call(MSG_CHECK_RUN, &run, NULL), ERR_AWAY);
	assert_string_equal(err.text, "lbd-check: CHECK_RUN: lbd-check has no configuration yet");
	assert_int_equal(sh->inits, 0);
	st = writer();
	assert_int_equal(commit(st, "web", NULL), 0);
	wait_until(sh->now == store_head(st, SCOPE_SHARED));
	assert_int_equal(sh->old == 0 || sh->applies > 1, 1);
	assert_int_equal(sh->inits, 1);
	wait_until(heard("STATUS=1 VIPs"));
	assert_true(ask_status());
	assert_string_equal(status_now.fault, "");
	assert_string_equal(status_now.head, "1 VIPs");
	assert_int_equal(call(MSG_CHECK_RUN, &run, NULL), 0);
	assert_int_equal(sh->runs, 1);
	assert_int_equal(logged("waiting for a store"), 1);
	store_close(st);
}

static void
test_announced_commits_are_in_force_at_once(void **state)
{
	struct commit_result r = { 0 };
	struct store *st = writer();
	uint32_t head;
	int applies;

	(void)state;
	assert_int_equal(commit(st, "a", NULL), 0);
	daemons[0] = start(&check_ops, NULL);
	wait_until(sh->applies == 1);
	/* with its delta */
	assert_int_equal(commit(st, "b", &r), 0);
	head = r.revision[SCOPE_SHARED];
	assert_int_equal(client_announce(&paths, &r, DUR_S(10), NULL, NULL, &err), 0);
	assert_int_equal(sh->now, head);
	assert_int_equal(sh->old, head - 1);
	assert_int_equal(
	    client_announce(&paths, &r, DUR_S(10), NULL, NULL, &err), 0); /* again: nothing to do */
	assert_int_equal(sh->now, head);
	commit_result_fini(&r);
	/* several, only the last is told; its delta does not fit alone */
	assert_int_equal(commit(st, "c", NULL), 0);
	assert_int_equal(commit(st, "d", &r), 0);
	assert_int_equal(client_announce(&paths, &r, DUR_S(10), NULL, NULL, &err), 0);
	assert_int_equal(sh->now, head + 2);
	assert_true(ask_status());
	assert_string_equal(status_now.head, "4 VIPs");
	/* what is no delta of ours: read from the store */
	commit_result_fini(&r);
	assert_int_equal(commit(st, "e", &r), 0);
	r.delta[SCOPE_SHARED].len = 0;
	buf_puts(&r.delta[SCOPE_SHARED], "rubbish");
	assert_int_equal(client_announce(&paths, &r, DUR_S(10), NULL, NULL, &err), 0);
	assert_true(ask_status());
	assert_string_equal(status_now.head, "5 VIPs");
	/* a revision that nobody made */
	applies = sh->applies;
	r.revision[SCOPE_SHARED] += 5;
	r.delta[SCOPE_SHARED].len = 0;
	assert_int_equal(client_announce(&paths, &r, DUR_S(10), NULL, NULL, &err), ERR_INVALID);
	assert_string_equal(err.text, "lbd-check: the revision is not in the store");
	assert_int_equal(sh->applies, applies);
	commit_result_fini(&r);
	store_close(st);
}

static void
test_silent_commits_are_found(void **state)
{
	struct store *st = writer();

	(void)state;
	daemons[0] = start(&check_ops, NULL);
	wait_until(sh->applies == 1);
	assert_int_equal(commit(st, "quiet", NULL), 0);
	wait_until(sh->now == store_head(st, SCOPE_SHARED));
	assert_int_equal(sh->applies, 2);
	store_close(st);
}

static void
test_refused_apply_is_told_and_shown(void **state)
{
	struct commit_result r = { 0 };
	struct store *st = writer();

	(void)state;
	daemons[0] = start(&check_ops, NULL);
	wait_until(sh->applies == 1);
	sh->refuse = true;
	assert_int_equal(commit(st, "bad", &r), 0);
	assert_int_equal(client_announce(&paths, &r, DUR_S(10), NULL, NULL, &err), ERR_INVALID);
	assert_string_equal(err.text, "lbd-check: vip web: port 80 is in use");
	assert_true(ask_status());
	assert_string_equal(status_now.fault, "vip web: port 80 is in use");
	commit_result_fini(&r);
	sh->refuse = false;
	assert_int_equal(commit(st, "good", &r), 0);
	assert_int_equal(client_announce(&paths, &r, DUR_S(10), NULL, NULL, &err), 0);
	assert_int_equal(sh->old, sh->now - 1);
	assert_true(ask_status());
	assert_string_equal(status_now.fault, "");
	commit_result_fini(&r);
	store_close(st);
}

static void
test_signals(void **state)
{
	char path[280];

	(void)state;
	store_close(writer());
	daemons[0] = start(&check_ops, NULL);
	wait_until(sh->applies == 1);
	assert_int_equal(kill(daemons[0], SIGHUP), 0);
	wait_until(sh->reloads == 1);
	/* Drains until it is done; meanwhile it still says how it does. */
	sh->never_drained = true;
	assert_int_equal(kill(daemons[0], SIGTERM), 0);
	wait_until(sh->drains == 1);
	assert_true(ask_status());
	assert_string_equal(status_now.head, "stopping");
	assert_int_equal(sh->finis, 0);
	assert_int_equal(kill(daemons[0], SIGINT), 0); /* now */
	assert_int_equal(end_of(daemons[0]), 0);
	assert_int_equal(sh->finis, 1);
	paths_socket(&paths, "lbd-check", path);
	assert_int_equal(access(path, F_OK), -1);
	/* And one that drains at once. */
	sh->never_drained = false;
	sh->inits = 0;
	daemons[0] = start(&check_ops, NULL);
	wait_until(sh->applies == 2);
	assert_int_equal(kill(daemons[0], SIGTERM), 0);
	assert_int_equal(end_of(daemons[0]), 0);
	assert_int_equal(sh->drains, 2);
	daemons[0] = 0;
}

static void
test_exit_codes(void **state)
{
	pid_t pid;

	(void)state;
	assert_int_equal(end_of(start(&check_ops, "-n")), 78); /* no store */
	assert_int_equal(end_of(start(&check_ops, "-Z")), 64);
	assert_int_equal(end_of(start(&check_ops, "extra")), 64);
	assert_int_equal(end_of(start(&check_ops, "--help")), 0);
	assert_int_equal(end_of(start(&check_ops, "--version")), 0);
	store_close(writer());
	assert_int_equal(end_of(start(&check_ops, "--check")), 0);
	sh->fail_init = true;
	assert_int_equal(end_of(start(&check_ops, NULL)), 70);
	assert_int_equal(logged("start: no luck today"), 1);
	sh->fail_init = false;
	sh->inits = 0;
	daemons[0] = start(&check_ops, NULL);
	wait_until(sh->applies == 1);
	pid = start(&check_ops, NULL);
	assert_int_equal(end_of(pid), 75);
	assert_int_equal(logged("another process already serves it"), 1);
}

static void
damage(void)
{
	static const char rubbish[8192] = "this is no database";
	char path[300];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/config.db", paths.state);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, rubbish, sizeof(rubbish)), sizeof(rubbish));
	(void)close(fd);
}

static void
test_damaged_store_at_start(void **state)
{
	struct store *st = writer();
	char path[300], saved[300];

	(void)state;
	assert_int_equal(commit(st, "web", NULL), 0);
	(void)snprintf(saved, sizeof(saved), "%s/saved.db", dir);
	(void)snprintf(path, sizeof(path), "%s/config.db", paths.state);
	assert_int_equal(store_backup(st, saved, &err), 0);
	store_close(st);
	damage();
	daemons[0] = start(&check_ops, NULL);
	wait_until(ask_status());
	assert_non_null(strstr(status_now.fault, "config.db"));
	assert_int_equal(sh->inits, 0);
	wait_until(logged("config.db") > 0);
	(void)nanosleep(
	    &(struct timespec){ .tv_sec = 2 }, NULL); /* two more tries: not said again */
	assert_int_equal(logged("ERR") + logged("configuration: "), 1);
	/* Whoever puts a good file in its place is noticed. */
	assert_int_equal(rename(saved, path), 0);
	(void)snprintf(path, sizeof(path), "%s/config.db-wal", paths.state);
	(void)unlink(path);
	store_close(writer());
	wait_until(sh->applies == 1);
	assert_true(ask_status());
	assert_string_equal(status_now.head, "1 VIPs");
}

static void
test_damage_takes_nothing_from_a_running_daemon(void **state)
{
	struct store *st = writer();

	(void)state;
	assert_int_equal(commit(st, "web", NULL), 0);
	daemons[0] = start(&check_ops, NULL);
	wait_until(sh->applies == 1);
	store_close(st);
	damage();
	assert_int_equal(kill(daemons[0], SIGHUP), 0);
	wait_until(sh->reloads == 1);
	assert_true(ask_status());
	assert_int_equal(status_now.revision, sh->now);
	assert_int_equal(sh->applies, 1);
	assert_int_equal(sh->finis, 0);
	assert_int_equal(kill(daemons[0], 0), 0);
}

static void
test_log_level(void **state)
{
	(void)state;
	store_close(writer());
	daemons[0] = start(&check_ops, NULL);
	wait_until(sh->applies == 1);
	assert_int_equal(
	    call(MSG_LOG_LEVEL, &(struct msg_level){ .level = log_level_error }, NULL), 0);
	assert_int_equal(kill(daemons[0], SIGHUP), 0);
	wait_until(sh->reloads == 1);
	assert_int_equal(logged("reload: asked"), 0);
	assert_int_equal(call(MSG_LOG_LEVEL, &(struct msg_level){ .level = 9 }, NULL), ERR_INVALID);
	assert_string_equal(err.text, "lbd-check: LOG_LEVEL: level: 9: allowed are 0 to 3");
	assert_int_equal(
	    call(MSG_LOG_LEVEL, &(struct msg_level){ .level = log_level_info }, NULL), 0);
	assert_int_equal(kill(daemons[0], SIGHUP), 0);
	wait_until(logged("reload: asked") == 1);
}

static void
test_watchdog_pings_while_alive(void **state)
{
	(void)state;
	store_close(writer());
	listen_as_systemd();
	(void)setenv("WATCHDOG_USEC", "100000", 1);
	daemons[0] = start(&check_ops, NULL);
	wait_until(heard("READY=1"));
	wait_until(heard("WATCHDOG=1"));
	wait_until(heard("WATCHDOG=1"));
	sh->dead = true;
	(void)nanosleep(
	    &(struct timespec){ .tv_nsec = 100000000 }, NULL); /* the one that was under way */
	(void)heard("nothing");
	(void)nanosleep(&(struct timespec){ .tv_nsec = 300000000 }, NULL);
	assert_false(heard("WATCHDOG=1"));
}

static void
test_a_daemon_that_commits_announces(void **state)
{
	int dones;

	(void)state;
	daemons[1] = start(&web_ops, NULL); /* makes the store */
	wait_until(logged("lbd-web: configuration: revision") == 1);
	daemons[0] = start(&check_ops, NULL);
	wait_until(sh->applies == 1);
	sh->commit_on_reload = true;
	sh->refuse = true;
	/* Until the link is up, nobody is there to refuse. */
	for (int n = 1; sh->refused[0] == '\0' && n < 200; n++) {
		assert_int_equal(kill(daemons[1], SIGHUP), 0);
		wait_until(sh->dones == n);
	}
	assert_string_equal(sh->refused, "lbd-check: vip web: port 80 is in use");
	assert_int_equal(
	    logged("lbd-web: configuration: revision"), sh->dones + 1); /* its own, too */
	assert_int_equal(kill(daemons[0], SIGTERM), 0);
	assert_int_equal(end_of(daemons[0]), 0);
	daemons[0] = 0;
	/* Nobody there again: nothing is refused. */
	dones = sh->dones;
	assert_int_equal(kill(daemons[1], SIGHUP), 0);
	wait_until(sh->dones == dones + 1);
	assert_string_equal(sh->refused, "");
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_starts_without_a_store_and_takes_it_when_it_comes),
		T(test_announced_commits_are_in_force_at_once),
		T(test_silent_commits_are_found),
		T(test_refused_apply_is_told_and_shown),
		T(test_signals),
		T(test_exit_codes),
		T(test_damaged_store_at_start),
		T(test_damage_takes_nothing_from_a_running_daemon),
		T(test_log_level),
		T(test_watchdog_pings_while_alive),
		T(test_a_daemon_that_commits_announces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
