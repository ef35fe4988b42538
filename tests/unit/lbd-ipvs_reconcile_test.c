/* Reconciling against a kernel of the test's own: the functions of kernel/kernel.h over a table in memory. What should be
 * gets there with the fewest operations, others' edits are put right, others' services left alone, and the record is
 * always written first (S089, S090). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "apply/reconcile.h"
#include "base/must.h"
#include "ipvs_fake.h"
#include "sys/log.h"

#include <errno.h>
#include <pthread.h>
#include <unistd.h>

/* ---- the rig ---- */

static struct {
	struct loop *loop;
	struct reconcile *r;
	struct paths paths;
	struct loop_timer end, poll;
	bool (*until)(void);
	bool late;
	unsigned looks, told;
	char fault[300], whole[300];
} rig;

static void
on_told(void *arg, uint32_t service, const char *fault)
{
	(void)arg;
	(void)service;
	rig.told++;
	(void)snprintf(rig.fault, sizeof(rig.fault), "%s", fault != NULL ? fault : "");
}

static void
on_fault(void *arg, const char *fault)
{
	(void)arg;
	(void)snprintf(rig.whole, sizeof(rig.whole), "%s", fault != NULL ? fault : "");
}

static void
on_read(void *arg)
{
	(void)arg;
	rig.looks++;
}

static void
on_poll(void *arg)
{
	(void)arg;
	if (rig.until())
		loop_stop(rig.loop);
	else
		loop_timer_set(&rig.poll, DUR_MS(2));
}

static void
on_end(void *arg)
{
	(void)arg;
	rig.late = true;
	loop_stop(rig.loop);
}

static void
run_until(bool (*until)(void))
{
	rig.until = until;
	rig.late = false;
	loop_timer_set(&rig.poll, 0);
	loop_timer_set(&rig.end, DUR_S(20));
	must(loop_run(rig.loop) == 0);
	loop_timer_cancel(&rig.poll);
	loop_timer_cancel(&rig.end);
	if (rig.late)
		fail_msg("nothing came of it: \"%s\"", buf_text(&fake.done));
}

static void
start_daemon(void)
{
	struct reconcile_ops ops = { .told = on_told, .fault = on_fault, .read = on_read };

	rig.looks = rig.told = 0;
	rig.fault[0] = rig.whole[0] = '\0';
	rig.r = reconcile_new(rig.loop, &rig.paths, &ops);
}

/* As after a kill: nothing is taken back. */
static void
end_daemon(void)
{
	reconcile_free(rig.r);
	rig.r = NULL;
	fake.done.len = 0;
}

static int
setup(void **state)
{
	(void)state;
	log_init("test");
	log_set_level(LOG_P_ERR);
	(void)strcpy(rig.paths.run, "/tmp/lbd-reconcile-XXXXXX");
	must(mkdtemp(rig.paths.run) != NULL);
	(void)snprintf(fake.record, sizeof(fake.record), "%s/lbd-ipvs.made", rig.paths.run);
	rig.loop = loop_new();
	loop_timer_init(&rig.poll, rig.loop, on_poll, NULL);
	loop_timer_init(&rig.end, rig.loop, on_end, NULL);
	fake.unrecorded = fake.reads = fake.runs = 0;
	fake.unknown = NULL;
	fake.absent = false;
	fake.during = NULL;
	fake.sync[0] = fake.sync[1] = (struct ipvs_sync){ 0 };
	start_daemon();
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	end_daemon();
	loop_timer_fini(&rig.poll);
	loop_timer_fini(&rig.end);
	loop_free(rig.loop);
	table_fini(&fake.table);
	buf_fini(&fake.done);
	(void)unlink(fake.record);
	return rmdir(rig.paths.run);
}

static void
want(uint32_t service, const char *text)
{
	struct ipvs_table t = text_table(text);

	reconcile_want(rig.r, service, &t);
}

static bool
looked(void)
{
	return rig.looks > 0;
}

static bool
looked_twice(void)
{
	return rig.looks > 1;
}

/* A new reading, and all that follows from it in that turn. */
static void
look(void)
{
	rig.looks = 0;
	reconcile_look(rig.r);
	run_until(looked);
	reconcile_flush(rig.r);
}

static void
expect_done(const char *words)
{
	assert_string_equal(buf_text(&fake.done), words);
	fake.done.len = 0;
}

#define WEB "TCP 10.0.0.1:80 wlc #7"
#define WEB_IS WEB " = 10.0.0.11:80 100 #1, 10.0.0.12:80 100 #2"
#define FOREIGN "TCP 192.0.2.1:80 rr = 192.0.2.9:80 1"

/* ---- what happens ---- */

static void
test_makes(void **state)
{
	const struct ipvs_table *have;

	(void)state;
	edit(FOREIGN);
	want(7, WEB_IS);
	want(8, "FWM 268435464 IPv4 rr; FWM 268435464 IPv6 rr");
	reconcile_start(rig.r);
	run_until(looked);
	reconcile_flush(rig.r);
	/* Marks of lbd's own need no record: two that are not in the file. */
	assert_int_equal(fake.unrecorded, 2);
	expect_done("+TCP 10.0.0.1:80 +10.0.0.11:80 +10.0.0.12:80 +FWM 268435464 IPv4 +FWM "
		    "268435464 IPv6");
	assert_int_equal(rig.told, 2);
	/* One change touches one thing. */
	want(7, WEB " = 10.0.0.11:80 100, 10.0.0.12:80 5");
	reconcile_flush(rig.r);
	expect_done("~10.0.0.12:80");
	/* The mirror is shown with rows, and with what is not lbd's. */
	have = reconcile_have(rig.r, NULL);
	assert_int_equal(have->n, 4);
	assert_int_equal(table_find(have, &have->service[0].key)->service, 7);
	assert_true(reconcile_mine(rig.r, &have->service[0].key));
	assert_int_equal(have->service[1].service, 0);
	assert_false(reconcile_mine(rig.r, &have->service[1].key));
	look();
	expect_done("");
	want(7, "");
	reconcile_flush(rig.r);
	expect_done("-TCP 10.0.0.1:80");
	assert_false(recorded(&(struct ipvs_key){ .family = 4 }));
}

/* S090: after a kill only the difference, and what is not wanted any more goes when all rows were given. */
static void
test_restart(void **state)
{
	(void)state;
	edit(FOREIGN);
	want(7, WEB_IS);
	want(9, "UDP 10.0.0.3:53 rr");
	reconcile_start(rig.r);
	run_until(looked);
	reconcile_flush(rig.r);
	end_daemon();
	start_daemon();
	want(7, WEB " = 10.0.0.11:80 100, 10.0.0.12:80 100, 10.0.0.13:80 1");
	run_until(looked);
	reconcile_flush(rig.r);
	expect_done("+10.0.0.13:80");
	reconcile_start(rig.r);
	reconcile_flush(rig.r);
	expect_done("-UDP 10.0.0.3:53");
	end_daemon();
	start_daemon();
	want(7, WEB " = 10.0.0.11:80 100, 10.0.0.12:80 100, 10.0.0.13:80 1");
	reconcile_start(rig.r);
	run_until(looked);
	reconcile_flush(rig.r);
	expect_done("");
	assert_int_equal(fake.table.n, 2);
}

static const struct {
	const char *why, *table, *done;
} edits[] = {
	{ "a weight", WEB " = 10.0.0.11:80 1, 10.0.0.12:80 100;" FOREIGN, "~10.0.0.11:80" },
	{ "a server gone", WEB " = 10.0.0.12:80 100;" FOREIGN, "+10.0.0.11:80" },
	{ "a server more", WEB_IS ", 10.0.0.99:80 1;" FOREIGN, "-10.0.0.99:80" },
	{ "the service gone", FOREIGN, "+TCP 10.0.0.1:80 +10.0.0.11:80 +10.0.0.12:80" },
	{ "everything gone", "", "+TCP 10.0.0.1:80 +10.0.0.11:80 +10.0.0.12:80" },
	{ "the scheduler", "TCP 10.0.0.1:80 rr = 10.0.0.11:80 100, 10.0.0.12:80 100",
	    "~TCP 10.0.0.1:80" },
	{ "what is not lbd's", WEB_IS "; UDP 192.0.2.1:53 rr", "" },
	{ "a mark of lbd's that no service has", WEB_IS "; FWM 268435999 IPv4 rr",
	    "-FWM 268435999 IPv4" },
};

static void
test_edits(void **state)
{
	(void)state;
	want(7, WEB_IS);
	reconcile_start(rig.r);
	run_until(looked);
	reconcile_flush(rig.r);
	fake.done.len = 0;
	for (size_t i = 0; i < ARRAY_LEN(edits); i++) {
		edit(edits[i].table);
		look();
		if (strcmp(buf_text(&fake.done), edits[i].done) != 0)
			fail_msg("%s: %s", edits[i].why, buf_text(&fake.done));
		fake.done.len = 0;
	}
}

/* Also when nobody asks: the thread reads by itself. */
static void
test_looks_alone(void **state)
{
	(void)state;
	want(7, WEB_IS);
	reconcile_start(rig.r);
	run_until(looked);
	reconcile_flush(rig.r);
	edit("");
	run_until(looked_twice);
	reconcile_flush(rig.r);
	assert_int_equal(fake.table.n, 1);
}

/* A key that moves to another row stays where it is in the kernel. */
static void
test_moves(void **state)
{
	(void)state;
	want(7, WEB_IS);
	reconcile_start(rig.r);
	run_until(looked);
	reconcile_flush(rig.r);
	fake.done.len = 0;
	want(7, "");
	want(9, WEB_IS);
	reconcile_flush(rig.r);
	expect_done("");
	want(11, WEB_IS);
	want(9, "TCP 10.0.0.4:80 rr");
	reconcile_flush(rig.r);
	expect_done("+TCP 10.0.0.4:80");
	assert_int_equal(reconcile_have(rig.r, NULL)->service[0].service, 11);
}

static void
test_refused(void **state)
{
	(void)state;
	fake.unknown = "mh";
	want(7, "TCP 10.0.0.1:80 mh = 10.0.0.11:80 1");
	reconcile_start(rig.r);
	run_until(looked);
	reconcile_flush(rig.r);
	assert_string_equal(
	    rig.fault, "TCP 10.0.0.1:80: the kernel has no scheduler mh: modprobe ip_vs_mh");
	fake.done.len = 0;
	look(); /* not at every reading */
	expect_done("");
	want(7, "TCP 10.0.0.1:80 rr = 10.0.0.11:80 1");
	reconcile_flush(rig.r);
	assert_string_equal(rig.fault, "");
	expect_done("+TCP 10.0.0.1:80 +10.0.0.11:80");
}

static bool
whole_fault(void)
{
	return rig.whole[0] != '\0';
}

static bool
made(void)
{
	return fake.table.n == 1;
}

static void
test_no_module(void **state)
{
	(void)state;
	fake.absent = true;
	end_daemon();
	start_daemon();
	want(7, WEB_IS);
	reconcile_start(rig.r);
	run_until(whole_fault);
	assert_string_equal(rig.whole, "no ip_vs: modprobe ip_vs");
	fake.absent = false;
	reconcile_look(rig.r);
	run_until(made);
	assert_string_equal(rig.whole, "");
}

/* It went away while the daemon ran, and came back empty. */
static void
test_module_lost(void **state)
{
	(void)state;
	want(7, WEB_IS);
	reconcile_start(rig.r);
	run_until(looked);
	reconcile_flush(rig.r);
	fake.absent = true;
	want(7, WEB " = 10.0.0.11:80 1");
	reconcile_flush(rig.r);
	assert_true(whole_fault());
	fake.absent = false;
	edit("");
	reconcile_look(rig.r);
	run_until(made);
	assert_int_equal(fake.table.service[0].n, 1);
}

/* Somebody was quicker: the mirror is wrong, not the wish. */
static void
test_stale(void **state)
{
	(void)state;
	want(7, WEB_IS);
	reconcile_start(rig.r);
	run_until(looked);
	reconcile_flush(rig.r);
	edit("TCP 10.0.0.1:80 wlc; TCP 10.0.0.2:80 wlc");
	want(7, WEB " = 10.0.0.11:80 100, 10.0.0.12:80 7");
	want(8, "TCP 10.0.0.2:80 rr");
	reconcile_flush(rig.r);
	rig.looks = 0;
	run_until(looked);
	reconcile_flush(rig.r);
	assert_string_equal(rig.fault, "");
	fake.done.len = 0;
	look();
	expect_done("");
	assert_int_equal(fake.table.service[0].n, 2);
	assert_string_equal(fake.table.service[1].scheduler, "rr");
}

static unsigned turn;
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

/* The reading thread stands here until the change was made. */
static void
wait_for_change(void)
{
	(void)pthread_mutex_lock(&gate);
	(void)pthread_mutex_unlock(&gate);
}

static bool
reading_begun(void)
{
	bool begun;

	(void)pthread_mutex_lock(&fake.lock);
	begun = fake.reads > turn;
	(void)pthread_mutex_unlock(&fake.lock);
	return begun;
}

/* A reading that was begun before a change is not taken for somebody's edit. */
static void
test_old_reading(void **state)
{
	(void)state;
	want(7, WEB_IS);
	want(8, "TCP 10.0.0.2:80 rr");
	reconcile_start(rig.r);
	run_until(looked);
	reconcile_flush(rig.r);
	(void)pthread_mutex_lock(&gate);
	fake.during = wait_for_change;
	turn = fake.reads;
	rig.looks = 0;
	reconcile_look(rig.r);
	run_until(reading_begun);
	fake.done.len = 0;
	want(7, WEB " = 10.0.0.11:80 1");
	want(8, "");
	want(9, "TCP 10.0.0.9:80 rr");
	reconcile_flush(rig.r);
	(void)pthread_mutex_unlock(&gate);
	expect_done("~10.0.0.11:80 -10.0.0.12:80 +TCP 10.0.0.9:80 -TCP 10.0.0.2:80");
	run_until(looked);
	reconcile_flush(rig.r);
	expect_done("");
	assert_int_equal(reconcile_have(rig.r, NULL)->n, 2);
}

/* Thousands go out over several turns; all arrive. */
static void
test_many(void **state)
{
	char text[KEY_TEXT * 2];

	(void)state;
	for (uint32_t i = 1; i <= 3000; i++) {
		(void)snprintf(text, sizeof(text), "TCP 10.0.%u.%u:80 rr = 10.1.%u.%u:80 1", i >> 8,
		    i & 255, i >> 8, i & 255);
		want(i, text);
	}
	reconcile_start(rig.r);
	run_until(looked);
	reconcile_flush(rig.r);
	assert_int_equal(fake.table.n, 3000);
	assert_int_equal(fake.unrecorded, 0);
	assert_true(fake.runs > 1);
	fake.done.len = 0;
	look();
	expect_done("");
}

static void
test_clear(void **state)
{
	struct ipvs_sync on = { .on = true, .interface = "lo", .id = 1 }, off = { 0 };
	struct ipvs_timeouts t = { .tcp_s = 600 };
	struct err err;

	(void)state;
	edit(FOREIGN);
	fake.sync[1] = on; /* somebody else's */
	want(7, WEB_IS);
	reconcile_sync(rig.r, &on, &off);
	reconcile_timeouts(rig.r, &t);
	reconcile_start(rig.r);
	run_until(looked);
	reconcile_flush(rig.r);
	assert_true(fake.sync[0].on && fake.sync[1].on);
	assert_int_equal(fake.timeouts.tcp_s, 600);
	fake.timeouts.tcp_s = 1;
	look();
	assert_int_equal(fake.timeouts.tcp_s, 600);
	/* A daemon that was killed knows its own at the next stop, also when it has not read yet. */
	end_daemon();
	start_daemon();
	assert_int_equal(reconcile_clear(rig.r, &err), 0);
	expect_done("-TCP 10.0.0.1:80");
	assert_false(fake.sync[0].on);
	assert_true(fake.sync[1].on);
	assert_int_equal(access(fake.record, F_OK), -1);
	look();
	expect_done("");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_makes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_restart, setup, teardown),
		cmocka_unit_test_setup_teardown(test_edits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_looks_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_moves, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_module, setup, teardown),
		cmocka_unit_test_setup_teardown(test_module_lost, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stale, setup, teardown),
		cmocka_unit_test_setup_teardown(test_old_reading, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many, setup, teardown),
		cmocka_unit_test_setup_teardown(test_clear, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
