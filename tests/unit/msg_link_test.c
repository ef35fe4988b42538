/* Links that come back by themselves, the blocking client, rights of users, and announcing to
 * all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "msg/bus_priv.h"
#include "msg/client.h"
#include "store/store.h"
#include "tests/unit/bus_rig.h"
#include "tests/unit/sandbox.h"

#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define NOBODY 65534

static unsigned ups, syncs, downs, rows, ends, asked_rows;
static int end_code;
static uint32_t revisions; /* scopes that were announced, as bits */
static size_t delta_len;
static bool refuse_revisions, hang;

static void
on_status(void *arg, const struct bus_request *rq, const union msg_any *m)
{
	struct msg_daemon d = { .program = SPAN("lbd-check"), .release = SPAN("0") };

	(void)arg;
	(void)m;
	if (hang)
		return;
	(void)bus_reply(rq, MSG_DAEMON, &d);
	bus_result(rq, 0, "all is well");
}

static bool
walk_step(void *state, const struct bus_request *rq)
{
	uint32_t *left = state;
	struct msg_check_step m = { .text = SPAN("step") };

	while (*left > 0) {
		--*left;
		if (!bus_reply(rq, MSG_CHECK_STEP, &m))
			return *left == 0;
	}
	return true;
}

static void
on_run(void *arg, const struct bus_request *rq, const union msg_any *m)
{
	uint32_t *left = malloc(sizeof(*left));

	(void)arg;
	*left = m->server.server;
	bus_pump(rq, walk_step, free, left);
}

static void
on_revision(void *arg, const struct bus_request *rq, const union msg_any *m)
{
	struct msg_applied answer = {
		.scope = m->revision.scope, .number = m->revision.number, .ok = true
	};

	(void)arg;
	if (hang)
		return;
	revisions |= 1u << m->revision.scope;
	delta_len = m->revision.delta.len;
	if (refuse_revisions) {
		answer.ok = false;
		answer.reason = SPAN("vip web: port 80 is in use");
	}
	(void)bus_reply(rq, MSG_APPLIED, &answer);
	bus_result(rq, 0, NULL);
}

static void
snapshot(void *arg, const struct bus_request *rq, unsigned topics)
{
	struct msg_health m = { .server = 1, .verdict = 1, .reason = 1 };

	(void)arg;
	(void)topics;
	for (m.server = 1; m.server <= 500; m.server++)
		(void)bus_reply(rq, MSG_HEALTH, &m);
}

static const struct bus_handler handlers[] = {
	{ MSG_STATUS, on_status },
	{ MSG_CHECK_RUN, on_run },
	{ MSG_REVISION, on_revision },
	{ 0, NULL },
};
static const struct bus_ops ops = {
	.program = "lbd-check", .handlers = handlers, .snapshot = snapshot
};

static void
open_bus(void)
{
	struct err err;

	if (bus_open(rig.loop, &rig.paths, &ops, &rig.bus, &err) != 0)
		fail_msg("%s", err.text);
}

static int
set_up(void **state)
{
	ups = syncs = downs = rows = ends = asked_rows = revisions = 0;
	refuse_revisions = hang = false;
	return rig_up(state);
}

static void
link_up(void *arg)
{
	(void)arg;
	ups++;
}

static void
link_synced(void *arg)
{
	(void)arg;
	syncs++;
}

static void
link_down(void *arg)
{
	(void)arg;
	downs++;
}

static void
link_row(void *arg, const struct msg_row *row, const union msg_any *m)
{
	(void)arg;
	(void)m;
	assert_int_equal(row->number, MSG_HEALTH);
	rows++;
}

static void
ask_row(void *arg, const struct msg_row *row, const union msg_any *m)
{
	(void)arg;
	(void)m;
	assert_int_equal(row->number, MSG_CHECK_STEP);
	asked_rows++;
}

static void
ask_end(void *arg, int code, const char *text)
{
	(void)arg;
	(void)text;
	end_code = code;
	ends++;
}

static const struct bus_link_ops link_ops = {
	.daemon = "lbd-check",
	.topics = TOPIC_HEALTH,
	.up = link_up,
	.synced = link_synced,
	.row = link_row,
	.down = link_down,
};

static bool
one_sync(void)
{
	return syncs == 1;
}
static bool
two_syncs(void)
{
	return syncs == 2;
}
static bool
one_down(void)
{
	return downs == 1;
}
static bool
one_end(void)
{
	return ends == 1;
}
static bool
row_501(void)
{
	return rows == 501;
}

static mono_t quiet_until;
static bool
quiet(void)
{
	return mono_now() >= quiet_until;
}

static void
test_link_comes_back_with_the_snapshot(void **state)
{
	struct bus_link *k = bus_link_new(rig.loop, &rig.paths, "lbd-proxy", &link_ops);
	struct msg_health change = { .server = 7, .verdict = 2, .reason = 2 };
	struct msg_server run = { .server = 1 };

	(void)state;
	quiet_until = mono_now() + DUR_MS(100);
	assert_true(rig_until(quiet)); /* nobody is there yet */
	assert_false(bus_link_is_up(k));
	assert_int_equal(bus_link_ask(k, MSG_CHECK_RUN, &run, ask_row, ask_end, NULL), ERR_AWAY);
	open_bus();
	assert_true(rig_until(one_sync));
	assert_int_equal(rows, 500);
	assert_true(bus_link_is_up(k));
	bus_publish(rig.bus, TOPIC_HEALTH, MSG_HEALTH, &change);
	assert_true(rig_until(row_501));
	bus_close(rig.bus);
	rig.bus = NULL;
	assert_true(rig_until(one_down));
	assert_false(bus_link_is_up(k));
	open_bus();
	assert_true(rig_until(two_syncs));
	assert_int_equal(rows, 1001);
	assert_int_equal(ups, 2);
	assert_int_equal(downs, 1);
	assert_int_equal(ends, 0);
	bus_link_free(k);
}

static struct bus_link *asker;

static void
ask_again(void *arg)
{
	struct msg_server run = { .server = 10000 };

	(void)arg;
	assert_int_equal(bus_link_ask(asker, MSG_CHECK_RUN, &run, ask_row, ask_end, NULL), 0);
}

static void
test_long_answers_over_a_link(void **state)
{
	struct bus_link_ops o = link_ops;

	(void)state;
	open_bus();
	o.topics = 0;
	o.up = ask_again;
	asker = bus_link_new(rig.loop, &rig.paths, "lbd-web", &o);
	assert_true(rig_until(one_end));
	assert_int_equal(end_code, 0);
	assert_int_equal(asked_rows, 10000);
	assert_int_equal(rows, 0);
	bus_link_free(asker);
}

static void
free_in_callback(void *arg, int code, const char *text)
{
	ask_end(arg, code, text);
	bus_link_free(asker);
}

static void
hang_up(void *arg)
{
	struct msg_empty m = { 0 };

	(void)arg;
	hang = true;
	assert_int_equal(bus_link_ask(asker, MSG_STATUS, &m, NULL, free_in_callback, NULL), 0);
	bus_close(rig.bus);
	rig.bus = NULL;
}

static void
on_up(void *arg)
{
	loop_defer(rig.loop, hang_up, arg);
}

static void
test_open_requests_end_when_the_link_breaks(void **state)
{
	struct bus_link_ops o = { .daemon = "lbd-check", .up = on_up };

	(void)state;
	open_bus();
	asker = bus_link_new(rig.loop, &rig.paths, "lbd-web", &o);
	assert_true(rig_until(one_end)); /* which frees the link inside its own callback */
	assert_int_equal(end_code, ERR_AWAY);
}

/* The blocking side needs the server elsewhere. */
static void *
serve(void *arg)
{
	(void)arg;
	(void)loop_run(rig.loop);
	return NULL;
}

static void
stop_loop(void *arg)
{
	(void)arg;
	loop_stop(rig.loop);
}

static pthread_t server;

static int
set_up_server(void **state)
{
	int rc = set_up(state);

	if (rc != 0)
		return rc;
	open_bus();
	return pthread_create(&server, NULL, serve, NULL);
}

static int
tear_down_server(void **state)
{
	loop_wake(rig.loop, stop_loop, NULL);
	(void)pthread_join(server, NULL);
	return rig_down(state);
}

static int
count_row(void *arg, const struct msg_row *row, const union msg_any *m)
{
	unsigned *n = arg;

	(void)row;
	(void)m;
	++*n;
	return 0;
}

static int
stop_at_ten(void *arg, const struct msg_row *row, const union msg_any *m)
{
	(void)count_row(arg, row, m);
	return *(unsigned *)arg == 10 ? 17 : 0;
}

static void
test_client_calls(void **state)
{
	struct msg_empty empty = { 0 };
	struct msg_server run = { .server = 5000 };
	struct msg_subscribe topics = { .topics = TOPIC_HEALTH };
	struct client *c = NULL;
	struct err err;
	unsigned n = 0;

	(void)state;
	assert_int_equal(client_open(&rig.paths, "lbd-ha", &c, &err), ERR_AWAY);
	assert_non_null(strstr(err.text, "lbd-ha does not run ("));
	assert_null(c);
	assert_int_equal(client_open(&rig.paths, "lbd-check", &c, &err), 0);
	assert_true(client_fd(c) >= 0);
	assert_int_equal(client_call(c, MSG_STATUS, &empty, count_row, &n, DUR_S(10), &err), 0);
	assert_int_equal(n, 1);
	assert_string_equal(err.text, "all is well");
	n = 0;
	assert_int_equal(client_call(c, MSG_CHECK_RUN, &run, count_row, &n, DUR_S(10), &err), 0);
	assert_int_equal(n, 5000);
	n = 0;
	assert_int_equal(client_call(c, MSG_CHECK_RUN, &run, stop_at_ten, &n, DUR_S(10), &err), 17);
	/* Rows of the answer before do not disturb the next. */
	n = 0;
	assert_int_equal(client_call(c, MSG_SUBSCRIBE, &topics, count_row, &n, DUR_S(10), &err), 0);
	assert_int_equal(n, 500);
	n = 0;
	assert_int_equal(client_follow(c, count_row, &n, DUR_MS(20), &err), 0);
	assert_int_equal(
	    client_call(c, MSG_CONNS, &(struct msg_select){ 0 }, NULL, NULL, DUR_S(10), &err),
	    ERR_UNKNOWN);
	assert_string_equal(err.text, "lbd-check: CONNS: lbd-check does not take it");
	hang = true;
	assert_int_equal(
	    client_call(c, MSG_STATUS, &empty, NULL, NULL, DUR_MS(50), &err), -ETIMEDOUT);
	assert_string_equal(err.text, "lbd-check does not answer in time");
	client_close(c);
	client_close(NULL);
}

/* What a user without rights may do; 0 is as it should be. */
static int
as_nobody(void)
{
	struct msg_empty empty = { 0 };
	struct msg_revision revision = { .number = 1 };
	struct client *c;
	struct err err;
	unsigned n = 0;

	if (setgid(NOBODY) != 0 || setuid(NOBODY) != 0)
		return 1;
	if (client_open(&rig.paths, "lbd-check", &c, &err) != 0)
		return 2;
	if (client_call(c, MSG_STATUS, &empty, count_row, &n, DUR_S(10), &err) != 0 || n != 1)
		return 3;
	if (client_call(c, MSG_REVISION, &revision, count_row, &n, DUR_S(10), &err) != ERR_DENIED)
		return 4;
	if (strcmp(err.text, "lbd-check: REVISION: needs root or group lbd-admin") != 0)
		return 5;
	client_close(c);
	hand_hello(&(struct hand){ 0 }, "lbd-proxy");
	return 0;
}

static void
test_nobody_may_look_but_not_order(void **state)
{
	int status = 0;
	pid_t pid;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(chmod(rig.dir, 0755), 0);
	pid = fork();
	if (pid == 0)
		_exit(as_nobody());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_int_equal(revisions, 0);
}

static void
test_rights(void **state)
{
	static const struct {
		unsigned uid; /* 0 root, 1 another */
		const char *program;
		unsigned message;
		int hello, code;
	} table[] = {
		{ 0, "lbctl", MSG_REVISION, 0, 0 },
		{ 0, "lbd-proxy", MSG_OBSERVED, 0, 0 },
		{ 0, "lbctl", MSG_OBSERVED, 0,
		    ERR_DENIED }, /* root too says only what its program says */
		{ 0, "sshd", MSG_STATUS, ERR_PROTO, 0 },
		{ 1, "lbctl", MSG_STATUS, 0, 0 },
		{ 1, "lbctl", MSG_SUBSCRIBE, 0, 0 },
		{ 1, "lbctl", MSG_REVISION, 0, ERR_DENIED },
		{ 1, "lbctl", MSG_CHECK_RUN, 0, ERR_DENIED },
		{ 1, "lbctl", MSG_PERSIST_CLEAR, 0, ERR_DENIED },
		{ 1, "lbctl", MSG_OBSERVED, 0, ERR_DENIED },
		{ 1, "lbd-proxy", MSG_OBSERVED, ERR_DENIED, 0 },
		{ 1, "lbd-web", MSG_REVISION, ERR_DENIED, 0 },
	};
	struct rights admin = { .program = PROG_CTL, .oper = true };
	struct rights web = { .program = PROG_WEB, .daemon = true };
	struct rights ha = { .program = PROG_HA, .daemon = true };
	struct err err;

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(table); i++) {
		unsigned uid = table[i].uid == 0 ? 0 : (geteuid() == NOBODY ? NOBODY - 1 : NOBODY);
		struct rights r;

		assert_int_equal(rights_find(uid, uid, table[i].program, &r, &err), table[i].hello);
		if (table[i].hello == 0)
			assert_int_equal(
			    rights_check(&r, msg_row(table[i].message), &err), table[i].code);
	}
	assert_int_equal(rights_check(&admin, msg_row(MSG_REVISION), &err), 0);
	assert_int_equal(rights_check(&admin, msg_row(MSG_OBSERVED), &err), ERR_DENIED);
	assert_int_equal(rights_check(&web, msg_row(MSG_REVISION), &err), 0);
	assert_int_equal(rights_check(&web, msg_row(MSG_CHECK_RUN), &err), 0);
	assert_int_equal(rights_check(&ha, msg_row(MSG_REVISION), &err), 0);
	assert_int_equal(rights_check(&ha, msg_row(MSG_CHECK_RUN), &err), ERR_DENIED);
	assert_int_equal(rights_check(&ha, msg_row(MSG_HEALTH), &err), ERR_DENIED);
}

/* With users and groups of the test's own; 0 is as it should be. */
static int
with_users(void)
{
	static const struct {
		unsigned uid, gid;
		const char *program;
		int hello;
		bool daemon, oper;
	} users[] = {
		{ 4001, 4001, "lbd-proxy", 0, true, false },
		{ 4001, 4001, "lbd-web", ERR_DENIED, false, false },
		{ 4001, 4001, "lbctl", 0, false, false },
		{ 4002, 4002, "lbctl", 0, false, true }, /* ann: member by name */
		{ 4003, 4000, "lbctl", 0, false, true }, /* bob: by his first group */
		{ 4004, 4000, "lbctl", 0, false, true }, /* without a name */
		{ 4005, 4005, "lbctl", 0, false, false },
		{ 4002, 4002, "lbd-ha", ERR_DENIED, false, false },
	};
	struct err e;

	if (mount("none", "/mnt", "tmpfs", 0, NULL) == -1)
		return SANDBOX_NONE;
	sandbox_write("/mnt/passwd", "root:x:0:0::/:/bin/sh\nlbd-proxy:x:4001:4001::/:/bin/false\n"
				     "ann:x:4002:4002::/:/bin/sh\nbob:x:4003:4000::/:/bin/sh\n");
	sandbox_write("/mnt/group", "root:x:0:\nlbd-admin:x:4000:ann\n");
	if (mount("/mnt/passwd", "/etc/passwd", NULL, MS_BIND, NULL) == -1 ||
	    mount("/mnt/group", "/etc/group", NULL, MS_BIND, NULL) == -1)
		return SANDBOX_NONE;
	for (unsigned i = 0; i < ARRAY_LEN(users); i++) {
		struct rights r = { 0 };

		if (rights_find(users[i].uid, users[i].gid, users[i].program, &r, &e) !=
			users[i].hello ||
		    r.daemon != users[i].daemon || r.oper != users[i].oper || r.anyone)
			return (int)i + 1;
	}
	return 0;
}

static void
test_users_and_groups(void **state)
{
	int status = sandbox_run(with_users);

	(void)state;
	if (status == SANDBOX_NONE)
		skip();
	assert_int_equal(status, 0);
}

static char told[400];

static void
on_announced(void *arg, const struct announce *x)
{
	size_t at = strlen(told);

	(void)arg;
	(void)snprintf(told + at, sizeof(told) - at, "%s%s%s ", x->daemon, x->away ? " away" : "",
	    x->ok ? " ok" : "");
}

static void
test_announce(void **state)
{
	struct commit_result r = { .revision = { 5, 0, 7 } };
	struct err err;

	(void)state;
	buf_put(&r.delta[SCOPE_SHARED], "delta", 5);
	told[0] = '\0';
	assert_int_equal(client_announce(&rig.paths, &r, DUR_S(10), on_announced, NULL, &err), 0);
	assert_string_equal(
	    told, "lbd-check ok lbd-proxy away lbd-ipvs away lbd-ha away lbd-web away ");
	assert_int_equal(revisions, 1u << SCOPE_SHARED | 1u << SCOPE_OPER);
	r.revision[SCOPE_OPER] = 0;
	assert_int_equal(client_announce(&rig.paths, &r, DUR_S(10), NULL, NULL, &err), 0);
	assert_int_equal(delta_len, 5);
	/* Too large to ride along: the daemon reads it from the store. */
	for (int i = 0; i < 60 * 1024; i++)
		buf_put(&r.delta[SCOPE_SHARED], "x", 1);
	assert_int_equal(client_announce(&rig.paths, &r, DUR_S(10), NULL, NULL, &err), 0);
	assert_int_equal(delta_len, 0);
	refuse_revisions = true;
	assert_int_equal(client_announce(&rig.paths, &r, DUR_S(10), NULL, NULL, &err), ERR_INVALID);
	assert_string_equal(err.text, "lbd-check: vip web: port 80 is in use");
	hang = true;
	assert_int_equal(client_announce(&rig.paths, &r, DUR_MS(50), NULL, NULL, &err), -ETIMEDOUT);
	assert_string_equal(err.text, "lbd-check: no answer in time");
	r.revision[SCOPE_SHARED] = 0; /* nothing changed: nobody is told */
	told[0] = '\0';
	assert_int_equal(client_announce(&rig.paths, &r, DUR_S(10), on_announced, NULL, &err), 0);
	assert_string_equal(told, "");
	buf_fini(&r.delta[SCOPE_SHARED]);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, rig_down)
#define S(name) cmocka_unit_test_setup_teardown(name, set_up_server, tear_down_server)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_link_comes_back_with_the_snapshot),
		T(test_long_answers_over_a_link),
		T(test_open_requests_end_when_the_link_breaks),
		S(test_client_calls),
		S(test_nobody_may_look_but_not_order),
		cmocka_unit_test(test_rights),
		cmocka_unit_test(test_users_and_groups),
		S(test_announce),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
