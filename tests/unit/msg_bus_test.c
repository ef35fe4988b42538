/* The bus: hello, subscriptions, credit, pumps, limits, and peers that misbehave. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/bus_rig.h"

static struct hand a, b;
static unsigned steps, finis, kept_n;
static struct bus_request kept[4];
static uint32_t servers = 3; /* rows of the snapshot */

static void
reply_health(const struct bus_request *rq, uint32_t server)
{
	struct msg_health m = { .server = server, .verdict = 1, .reason = 1 };

	(void)bus_reply(rq, MSG_HEALTH, &m);
}

static void
on_status(void *arg, const struct bus_request *rq, const union msg_any *m)
{
	struct msg_daemon d = { .program = SPAN("lbd-check"), .release = SPAN("0") };

	(void)arg;
	(void)m;
	(void)bus_reply(rq, MSG_DAEMON, &d);
	bus_result(rq, 0, "fine");
}

/* REVISION number n: answered with n rows at once, whatever the credit. */
static void
on_revision(void *arg, const struct bus_request *rq, const union msg_any *m)
{
	(void)arg;
	for (uint32_t i = 0; i < m->revision.number; i++)
		reply_health(rq, i);
	bus_result(rq, 0, NULL);
}

struct walk {
	uint32_t at, n;
};

static bool
walk_step(void *state, const struct bus_request *rq)
{
	struct walk *w = state;

	steps++;
	while (w->at < w->n) {
		struct msg_check_step m = { .at = w->at++, .text = SPAN("x") };

		if (!bus_reply(rq, MSG_CHECK_STEP, &m))
			return false;
	}
	return true;
}

static void
walk_fini(void *state)
{
	finis++;
	free(state);
}

/* CHECK_RUN n: n rows, pumped; 0: kept for later. */
static void
on_run(void *arg, const struct bus_request *rq, const union msg_any *m)
{
	struct walk *w;

	(void)arg;
	if (m->server.server == 0) {
		kept[kept_n++ % ARRAY_LEN(kept)] = *rq;
		return;
	}
	w = calloc(1, sizeof(*w));
	w->n = m->server.server;
	bus_pump(rq, walk_step, walk_fini, w);
}

static void
snapshot(void *arg, const struct bus_request *rq, unsigned topics)
{
	(void)arg;
	for (uint32_t i = 0; (topics & TOPIC_HEALTH) != 0 && i < servers; i++)
		reply_health(rq, i);
}

static const struct bus_handler handlers[] = {
	{ MSG_STATUS, on_status },
	{ MSG_REVISION, on_revision },
	{ MSG_CHECK_RUN, on_run },
	{ 0, NULL },
};
static const struct bus_ops ops = {
	.program = "lbd-check", .handlers = handlers, .snapshot = snapshot
};

static int
set_up(void **state)
{
	struct err err;

	steps = finis = kept_n = 0;
	servers = 3;
	return rig_up(state) != 0 || bus_open(rig.loop, &rig.paths, &ops, &rig.bus, &err) != 0;
}

static bool
a_result(void)
{
	hand_read(&a);
	return a.results > 0;
}

static bool
a_closed(void)
{
	hand_read(&a);
	return a.closed;
}

static unsigned a_rows_wanted;
static bool
a_rows(void)
{
	hand_read(&a);
	return a.rows >= a_rows_wanted;
}

static uint64_t turns_wanted;
static bool
turns_passed(void)
{
	hand_read(&a);
	return loop_turns(rig.loop) >= turns_wanted;
}

/* Some turns more: what should not come has had its chance. */
static void
settle(void)
{
	turns_wanted = loop_turns(rig.loop) + 20;
	assert_true(rig_until(turns_passed));
}

static struct bus_stats
stats(void)
{
	struct bus_stats s;

	bus_stats(rig.bus, &s);
	return s;
}

static void
ask(struct hand *h, unsigned number, uint32_t seq, uint32_t n)
{
	struct msg_server run = { .server = n };
	struct msg_revision revision = { .number = n };
	struct msg_credit credit = { .rows = n };
	struct msg_subscribe topics = { .topics = n };
	union msg_any none;

	memset(&none, 0, sizeof(none));
	switch (number) {
	case MSG_CHECK_RUN: hand_send(h, number, seq, &run); break;
	case MSG_REVISION: hand_send(h, number, seq, &revision); break;
	case MSG_CREDIT: hand_send(h, number, seq, &credit); break;
	case MSG_SUBSCRIBE: hand_send(h, number, seq, &topics); break;
	default: hand_send(h, number, seq, &none); break;
	}
}

static void
test_hello_request_result(void **state)
{
	(void)state;
	hand_hello(&a, "lbctl");
	ask(&a, MSG_STATUS, 42, 0);
	assert_true(rig_until(a_result));
	assert_int_equal(a.rows, 1);
	assert_int_equal(a.seq, 42);
	assert_int_equal(a.m.result.code, 0);
	assert_int_equal(a.m.result.rows, 1);
	assert_memory_equal(a.m.result.text.p, "fine", 4);
	hand_close(&a);
}

/* What is refused, with which code and words; the connection ends or goes on. */
static void
test_refusals(void **state)
{
	static const struct {
		const char *program;
		unsigned version, number;
		int code;
		const char *text;
		bool closes;
	} rows[] = {
		{ "lbctl", 2, MSG_STATUS, ERR_PROTO,
		    "HELLO: lbctl speaks version 2 of the protocol, lbd-check version 1", true },
		{ "lbdctl", 1, MSG_STATUS, ERR_PROTO, "HELLO: program lbdctl is not known", true },
		{ NULL, 1, MSG_STATUS, ERR_PROTO, "HELLO must come first", true },
		{ "lbctl", 1, MSG_HELLO, ERR_PROTO, "HELLO: came twice", true },
		{ "lbctl", 1, MSG_OBSERVED, ERR_DENIED, "OBSERVED: your program does not send it",
		    false },
		{ "lbd-proxy", 1, MSG_CHECK_RUN, ERR_DENIED,
		    "CHECK_RUN: your program does not send it", false },
		{ "lbctl", 1, MSG_CONNS, ERR_UNKNOWN, "CONNS: lbd-check does not take it", false },
		{ "lbctl", 1, 999, ERR_UNKNOWN, "message 999: lbd-check is too old for it", false },
	};
	static const uint8_t newer[] = { 999 >> 8, 999 & 0xff, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0 };

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		struct msg_hello m = { .version = (uint16_t)rows[i].version };
		struct msg_observed o = { .server = 1 };

		hand_open(&a);
		if (rows[i].program != NULL) {
			m.program = SPAN(rows[i].program);
			hand_send(&a, MSG_HELLO, 0, &m);
		}
		if (rows[i].number == 999)
			hand_send_raw(&a, newer, sizeof(newer));
		else if (rows[i].number == MSG_HELLO)
			hand_send(&a, MSG_HELLO, 5, &m);
		else if (rows[i].number == MSG_OBSERVED)
			hand_send(&a, MSG_OBSERVED, 5, &o);
		else
			ask(&a, rows[i].number, 5, 1);
		assert_true(rig_until(a_result));
		assert_int_equal(a.m.result.code, rows[i].code);
		assert_int_equal(a.m.result.text.len, strlen(rows[i].text));
		assert_memory_equal(a.m.result.text.p, rows[i].text, a.m.result.text.len);
		if (rows[i].closes) {
			assert_true(rig_until(a_closed));
		} else {
			a.results = 0;
			ask(&a, MSG_STATUS, 6, 0);
			assert_true(rig_until(a_result));
			assert_int_equal(a.m.result.code, 0);
		}
		hand_close(&a);
	}
}

static void
test_rubbish_closes_and_is_counted(void **state)
{
	static const char *const rubbish[] = { "x", "GET / HTTP/1.1\r\n\r\n" };
	/* a field that ends nowhere; a required one missing */
	static const uint8_t half[] = { 0, 17, 0, 0, 0, 0, 0, 5, 0, 0, 0, 5, 0, 1, 0, 4, 9 };
	static const uint8_t missing[] = { 0, 17, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0 };

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		hand_hello(&a, "lbctl");
		if (i < 2)
			hand_send_raw(&a, rubbish[i], strlen(rubbish[i]));
		else
			hand_send_raw(
			    &a, i == 2 ? half : missing, i == 2 ? sizeof(half) : sizeof(missing));
		assert_true(rig_until(a_closed));
		assert_int_equal(stats().malformed, i + 1);
		hand_close(&a);
	}
	assert_int_equal(stats().peers, 0);
}

static void
test_pumped_answer_waits_for_credit(void **state)
{
	unsigned before;

	(void)state;
	hand_hello(&a, "lbctl");
	ask(&a, MSG_CHECK_RUN, 5, 1000);
	a_rows_wanted = BUS_CREDIT;
	assert_true(rig_until(a_rows));
	settle();
	assert_int_equal(a.rows, BUS_CREDIT);
	before = steps;
	settle();
	assert_int_equal(steps, before); /* nobody asks in vain */
	ask(&a, MSG_CREDIT, 5, 10);
	a_rows_wanted += 10;
	assert_true(rig_until(a_rows));
	settle();
	assert_int_equal(a.rows, BUS_CREDIT + 10);
	assert_int_equal(a.results, 0);
	ask(&a, MSG_CREDIT, 99, 10); /* of no answer: nothing */
	ask(&a, MSG_CREDIT, 5, UINT32_MAX);
	ask(&a, MSG_CREDIT, 5, UINT32_MAX);
	assert_true(rig_until(a_result));
	assert_int_equal(a.rows, 1000);
	assert_int_equal(a.m.result.rows, 1000);
	assert_int_equal(finis, 1);
	hand_close(&a);
}

static void
test_small_answer_may_ignore_credit(void **state)
{
	(void)state;
	hand_hello(&a, "lbctl");
	ask(&a, MSG_REVISION, 5, BUS_CREDIT + BUS_QUEUE);
	a_rows_wanted = BUS_CREDIT;
	assert_true(rig_until(a_rows));
	settle();
	assert_int_equal(a.rows, BUS_CREDIT);
	ask(&a, MSG_CREDIT, 5, BUS_QUEUE - 1);
	a_rows_wanted += BUS_QUEUE - 1;
	assert_true(rig_until(a_rows));
	settle();
	assert_int_equal(a.results, 0); /* RESULT stays behind the last row */
	ask(&a, MSG_CREDIT, 5, 1);
	assert_true(rig_until(a_result));
	assert_int_equal(a.rows, BUS_CREDIT + BUS_QUEUE);
	assert_int_equal(stats().cut, 0);
	/* One more is too many. */
	ask(&a, MSG_REVISION, 6, BUS_CREDIT + BUS_QUEUE + 1);
	assert_true(rig_until(a_closed));
	assert_int_equal(stats().cut, 1);
	hand_close(&a);
}

static void
test_pump_ends_when_the_peer_leaves(void **state)
{
	(void)state;
	hand_hello(&a, "lbctl");
	ask(&a, MSG_CHECK_RUN, 5, 1000);
	a_rows_wanted = BUS_CREDIT;
	assert_true(rig_until(a_rows));
	assert_int_equal(finis, 0);
	hand_close(&a);
	a.closed = true;
	settle();
	assert_int_equal(finis, 1);
	assert_int_equal(stats().peers, 0);
}

static bool
one_kept(void)
{
	return kept_n == 1;
}

static void
test_kept_request_outlives_its_peer(void **state)
{
	(void)state;
	hand_hello(&a, "lbctl");
	ask(&a, MSG_CHECK_RUN, 5, 0);
	assert_true(rig_until(one_kept));
	assert_true(bus_request_alive(&kept[0]));
	hand_close(&a);
	a.closed = true;
	settle();
	assert_false(bus_request_alive(&kept[0]));
	/* Another peer takes the slot, with a request of the same sequence. */
	hand_hello(&a, "lbctl");
	ask(&a, MSG_CHECK_RUN, 5, 0);
	settle();
	assert_int_equal(kept_n, 2);
	assert_ptr_equal(kept[0].peer, kept[1].peer);
	reply_health(&kept[0], 1);
	bus_result(&kept[0], 0, NULL);
	settle();
	assert_int_equal(a.rows + a.results, 0);
	bus_result(&kept[1], ERR_UNKNOWN, "late");
	assert_true(rig_until(a_result));
	assert_int_equal(a.m.result.code, ERR_UNKNOWN);
	hand_close(&a);
}

static void
test_sequences_and_open_answers_are_bounded(void **state)
{
	(void)state;
	hand_hello(&a, "lbctl");
	for (uint32_t i = 1; i <= BUS_ANSWERS + 1; i++)
		ask(&a, MSG_CHECK_RUN, i, 0);
	assert_true(rig_until(a_result));
	assert_int_equal(a.seq, BUS_ANSWERS + 1);
	assert_int_equal(a.m.result.code, -EBUSY);
	/* Sequence 0 wants no answer, and gets none. */
	a.results = 0;
	bus_result(&kept[0], 0, NULL);
	settle();
	a.results = a.rows = 0;
	ask(&a, MSG_STATUS, 0, 0);
	settle();
	assert_int_equal(a.rows + a.results, 0);
	ask(&a, MSG_STATUS, 3, 0);
	assert_true(rig_until(a_result));
	assert_int_equal(a.m.result.code, ERR_PROTO);
	assert_true(rig_until(a_closed));
	hand_close(&a);
}

static void
publish(uint32_t server)
{
	static const char text[] =
	    "http status 500 in 3 ms (3 of 3), and some words more to make it long";
	struct msg_health m = { .server = server, .verdict = 2, .reason = 8, .text = SPAN(text) };

	bus_publish(rig.bus, TOPIC_HEALTH, MSG_HEALTH, &m);
}

static void
test_subscriber_gets_snapshot_then_changes(void **state)
{
	(void)state;
	hand_hello(&a, "lbd-proxy");
	ask(&a, MSG_SUBSCRIBE, 5, TOPIC_HEALTH);
	assert_true(rig_until(a_result));
	assert_int_equal(a.rows, 3);
	publish(2);
	a_rows_wanted = 4;
	assert_true(rig_until(a_rows));
	assert_int_equal(a.seq, 0);
	assert_int_equal(a.m.health.server, 2);
	assert_int_equal(a.m.health.verdict, 2);
	/* Another topic: nothing more of this one. */
	a.results = 0;
	ask(&a, MSG_SUBSCRIBE, 6, TOPIC_HA);
	assert_true(rig_until(a_result));
	publish(2);
	settle();
	assert_int_equal(a.rows, 4);
	hand_close(&a);
}

static void
test_large_snapshot_needs_no_credit(void **state)
{
	(void)state;
	servers = 100000; /* some megabytes */
	hand_hello(&a, "lbd-proxy");
	ask(&a, MSG_SUBSCRIBE, 5, TOPIC_HEALTH);
	assert_true(rig_until(a_result));
	assert_int_equal(a.rows, 100000);
	assert_int_equal(a.m.result.rows, 100000);
	assert_int_equal(stats().cut, 0);
	hand_close(&a);
}

static bool
b_cut(void)
{
	for (int i = 0; i < 100; i++)
		publish(1);
	hand_read(&a);
	return stats().cut > 0;
}

static bool
b_closed(void)
{
	hand_read(&b);
	return b.closed;
}

static void
test_slow_subscriber_is_cut_off(void **state)
{
	(void)state;
	hand_hello(&a, "lbd-proxy");
	ask(&a, MSG_SUBSCRIBE, 5, TOPIC_HEALTH);
	assert_true(rig_until(a_result));
	hand_hello(&b, "lbd-web");
	ask(&b, MSG_SUBSCRIBE, 5, TOPIC_HEALTH);
	assert_true(rig_until(b_cut));
	assert_true(rig_until(b_closed));
	assert_true(b.rows < a.rows);
	assert_int_equal(stats().cut, 1);
	assert_int_equal(stats().peers, 1); /* the other goes on */
	a_rows_wanted = a.rows + 1;
	publish(1);
	assert_true(rig_until(a_rows));
	hand_close(&a);
	hand_close(&b);
}

static void
test_connections_are_bounded(void **state)
{
	static int fds[BUS_PEERS + BUS_PEERS_ROOT];
	char path[280];

	(void)state;
	paths_socket(&rig.paths, "lbd-check", path);
	for (unsigned i = 0; i < ARRAY_LEN(fds); i++) {
		fds[i] = sock_connect_unix(path);
		assert_true(fds[i] >= 0);
		if (i % 32 == 31)
			settle();
	}
	hand_open(&a);
	assert_true(rig_until(a_result));
	assert_int_equal(a.m.result.code, -EBUSY);
	assert_int_equal(stats().refused, 1);
	assert_int_equal(stats().peers, ARRAY_LEN(fds));
	hand_close(&a);
	for (unsigned i = 0; i < ARRAY_LEN(fds); i++)
		(void)close(fds[i]);
	a.closed = true;
	settle();
	assert_int_equal(stats().peers, 0);
}

static void
test_silent_peer_is_closed(void **state)
{
	(void)state;
	hand_open(&a); /* says no HELLO: 5 s */
	assert_true(rig_until(a_closed));
	assert_int_equal(a.results, 0);
	hand_close(&a);
}

static void
test_second_server_is_refused(void **state)
{
	struct bus *other = NULL;
	struct err err;
	char path[280];

	(void)state;
	assert_int_equal(bus_open(rig.loop, &rig.paths, &ops, &other, &err), -EADDRINUSE);
	assert_null(other);
	paths_socket(&rig.paths, "lbd-check", path);
	bus_close(rig.bus);
	rig.bus = NULL;
	assert_int_equal(access(path, F_OK), -1); /* leaves nothing behind */
	bus_close(NULL);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, rig_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_hello_request_result),
		T(test_refusals),
		T(test_rubbish_closes_and_is_counted),
		T(test_pumped_answer_waits_for_credit),
		T(test_small_answer_may_ignore_credit),
		T(test_pump_ends_when_the_peer_leaves),
		T(test_kept_request_outlives_its_peer),
		T(test_sequences_and_open_answers_are_bounded),
		T(test_subscriber_gets_snapshot_then_changes),
		T(test_large_snapshot_needs_no_credit),
		T(test_slow_subscriber_is_cut_off),
		T(test_connections_are_bounded),
		T(test_silent_peer_is_closed),
		T(test_second_server_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
