/* The decision of the pair, case by case: what each input means by itself, at the start and while active. Taking over is
 * lbd-ha_fsm_take_test; that no sequence leads to two active nodes is shown by lbd-ha_model_test. */
#include "fsm_rig.h"

/* ---- start --------------------------------------------------------------------------------------------------- */

static void
test_fsm_listens(void **state)
{
	struct node n = start();

	(void)state;
	step(&n, 1);
	assert_int_equal(n.f.role, FSM_INIT);
	assert_true(n.out.probe && !n.out.hold);
	assert_int_equal(n.out.deadline, T0 + LISTEN);
	step(&n, 318);
	assert_int_equal(n.f.role, FSM_INIT);
	step(&n, 5);
	assert_role(n, ACTIVE, LISTENED);
	assert_true(n.out.hold && n.out.announce && n.out.changed);
}

static void
test_fsm_listens_no_more_when_told(void **state)
{
	struct node n = start();

	(void)state;
	heard(&n, FSM_ACTIVE, 7);
	step(&n, 1);
	assert_role(n, PASSIVE, HEARD);
	assert_int_equal(n.f.generation, 7);
	n = start();
	heard(&n, FSM_INIT, 0);
	step(&n, 1);
	assert_role(n, ACTIVE, ELECTED); /* equal in all: node 1 */
	n = start();
	n.c.node = 2;
	heard(&n, FSM_INIT, 0);
	step(&n, 1);
	assert_role(n, PASSIVE, HEARD);
	n = start();
	heard(&n, FSM_PASSIVE, 0);
	n.in.peer.hears = false;
	step(&n, 1);
	assert_int_equal(n.f.role, FSM_INIT); /* it may take over at this moment */
}

static void
test_fsm_start_with_orders(void **state)
{
	struct node n = start();

	(void)state;
	n.in.order = FSM_STOP;
	step(&n, 1);
	assert_true(n.out.done && !n.out.hold);
	step(&n, 400);
	assert_true(n.out.done && !n.out.hold); /* what ends does not begin */
	n = start();
	n.in.vips = false;
	n.in.order = FSM_TAKE;
	step(&n, 1);
	assert_true(n.out.done && !n.out.hold && !n.out.probe);
}

static void
test_fsm_resumes(void **state)
{
	struct node n = start();

	(void)state;
	fsm_resume(&n.f, 9, 3, T0 + LEASE, T0);
	step(&n, 10);
	assert_int_equal(n.f.role, FSM_ACTIVE);
	assert_int_equal(n.f.claim, 9);
	assert_true(n.out.hold && !n.out.changed);
	heard(&n, FSM_PASSIVE, 9);
	n.in.peer.hears = false;
	n.in.peer.echoed = 0;
	step(&n, 60);
	assert_role(n, PASSIVE, ISOLATED); /* it does not hear us: it will take over */
}

/* ---- being active ------------------------------------------------------------------------------------------------ */

static void
test_fsm_gives(void **state)
{
	struct node n = active();

	(void)state;
	n.in.order = FSM_GIVE;
	step(&n, 1);
	assert_role(n, LEAVING, ORDER);
	assert_true(n.out.hold && n.out.leaving && !n.out.done);
	heard(&n, FSM_ACTIVE, 6);
	step(&n, 1);
	assert_role(n, PASSIVE, PEER_HAS);
	assert_true(!n.out.hold && n.out.yield && n.out.done);
	n.in.order = FSM_NONE;
	n.c.preempt = true;
	step(&n, 40000);
	assert_false(n.out.hold); /* what was given is not taken back */
}

static void
test_fsm_gives_to_one_not_whole(void **state)
{
	struct node n = active();

	(void)state;
	n.in.order = FSM_GIVE;
	n.in.peer.whole = false;
	step(&n, 1);
	assert_int_equal(n.f.role, FSM_ACTIVE);
	step(&n, 1000);
	assert_int_equal(n.f.role, FSM_ACTIVE);
	step(&n, 1001);
	assert_int_equal(n.f.role, FSM_LEAVING); /* it was waited for */
	n = active();
	n.in.order = FSM_GIVE;
	n.in.peer.fit = FSM_FAULTY;
	step(&n, 1);
	assert_int_equal(n.f.role, FSM_ACTIVE);
	assert_true(n.out.done); /* it cannot be */
}

static void
test_fsm_leaving_ends(void **state)
{
	struct node n = active();

	(void)state;
	n.in.order = FSM_STOP;
	step(&n, 1);
	assert_int_equal(n.f.role, FSM_LEAVING);
	assert_int_equal(n.out.deadline, n.f.lease_until); /* sooner than the end of waiting */
	step(&n, 1999);
	assert_int_equal(n.f.role, FSM_LEAVING);
	step(&n, 1);
	assert_int_equal(n.f.role, FSM_ACTIVE);
	assert_true(n.out.hold && n.out.done);
}

static void
test_fsm_loses_its_link(void **state)
{
	struct node n = active();

	(void)state;
	n.in.link = false;
	step(&n, 1);
	assert_role(n, FAULT, LINK);
	n = active();
	n.in.link = false;
	n.in.peer.fit = FSM_UNFIT; /* neither reaches anybody: nothing is won by a move */
	step(&n, 1);
	assert_int_equal(n.f.role, FSM_ACTIVE);
	n = active();
	n.in.link = false;
	silent(&n);
	step(&n, 70);
	assert_role(n, FAULT, ISOLATED);
}

static void
test_fsm_fault(void **state)
{
	struct node n = active();

	(void)state;
	n.in.fault = true;
	step(&n, 1);
	assert_role(n, LEAVING, FAULT);
	n = active();
	n.in.fault = true;
	n.in.peer.fit = FSM_FAULTY;
	step(&n, 1);
	assert_int_equal(n.f.role, FSM_ACTIVE); /* the other is no better */
	n = passive();
	n.in.fault = true;
	step(&n, 1);
	assert_role(n, FAULT, FAULT);
	n.in.fault = false;
	step(&n, 1);
	assert_role(n, PASSIVE, MENDED);
}

struct lone {
	const char *name;
	bool witness, pings, link;
	unsigned answer;
	int grant;
	bool stays;
};

/* The active node hears nobody for longer than the lease. */
static void
test_fsm_isolated(void **state)
{
	static const struct lone rows[] = {
		{ "link", .link = true, .stays = true },
		{ "no link", .stays = false },
		{ "pings, none", .link = true, .pings = true, .stays = false },
		{ "pings", .link = true, .pings = true, .answer = 1, .stays = true },
		{ "witness, no grant", .link = true, .witness = true, .stays = false },
		{ "witness", .link = true, .witness = true, .grant = 40, .stays = true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct lone *r = &rows[i];
		struct node n = active();

		n.c.witness = r->witness;
		n.c.pings = r->pings;
		n.in.link = r->link;
		n.in.pings = r->answer;
		silent(&n);
		n.in.now += DUR_MS(100);
		n.in.ping_at = r->answer > 0 ? n.in.now - DUR_MS(5) : 0;
		n.in.grant_until = r->grant != 0 ? n.in.now + DUR_MS(r->grant) : 0;
		step(&n, 0);
		if (n.out.hold != r->stays)
			fail_msg("%s", r->name);
		assert_int_equal(n.f.isolated, !r->stays);
	}
}

/* One that is heard but does not hear us takes over: the link is no reason to stay. */
static void
test_fsm_one_way(void **state)
{
	struct node n = active();

	(void)state;
	n.in.peer.hears = false;
	step(&n, 50);
	assert_true(n.out.hold);
	step(&n, 20);
	assert_role(n, PASSIVE, ISOLATED);
}

static void
test_fsm_no_addresses(void **state)
{
	struct node n = active();

	(void)state;
	n.in.vips = false;
	step(&n, 1);
	assert_role(n, PASSIVE, NO_VIPS);
	assert_int_equal(n.out.fit, FSM_UNFIT);
	silent(&n);
	step(&n, 500);
	assert_false(n.out.hold || n.out.probe || n.out.ask);
}

static void
test_fsm_take(void **state)
{
	struct node n = passive();

	(void)state;
	n.in.order = FSM_TAKE;
	step(&n, 1);
	assert_role(n, ACTIVE, ORDER);
	assert_true(n.out.done);
	n = passive();
	n.in.order = FSM_TAKE;
	n.in.whole = false;
	step(&n, 1);
	assert_false(n.out.hold);
	step(&n, 2000);
	assert_role(n, ACTIVE, ORDER);
}

/* ---- both were active -------------------------------------------------------------------------------------------- */

struct meeting {
	uint64_t ours, theirs;
	uint32_t merit, its_merit;
	uint8_t node;
	bool stays;
};

static void
test_fsm_conflict(void **state)
{
	static const struct meeting rows[] = {
		{ 6, 5, 0, 9, 2, true },
		{ 5, 6, 9, 0, 1, false },
		{ 5, 5, 3, 2, 2, true },
		{ 5, 5, 2, 3, 1, false },
		{ 5, 5, 2, 2, 1, true },
		{ 5, 5, 2, 2, 2, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct meeting *r = &rows[i];
		struct node n = active();

		n.c.node = r->node;
		n.f.claim = n.f.generation = r->ours;
		n.f.merit = r->merit;
		heard(&n, FSM_ACTIVE, r->theirs);
		n.in.peer.merit = r->its_merit;
		step(&n, 1);
		assert_int_equal(n.out.hold, r->stays);
		assert_int_equal(n.out.yield, !r->stays);
		assert_int_equal(n.out.announce, r->stays);
		assert_int_equal(n.f.conflict, r->stays);
		if (!r->stays)
			continue;
		assert_true(n.f.claim > r->theirs);
		step(&n, 1);
		assert_false(n.out.announce);
		heard(&n, FSM_PASSIVE, n.f.claim);
		step(&n, 1);
		assert_true(n.out.announce); /* it left: once more */
		assert_false(n.f.conflict);
	}
}

/* A split is over. The other leaves at our first word: what it says of itself is that it is passive. */
static void
test_fsm_silent_loser(void **state)
{
	struct node n = active();

	(void)state;
	heard(&n, FSM_PASSIVE, 5);
	step(&n, 1);
	assert_false(n.out.announce);
	n.in.peer.alive = false;
	step(&n, 1);
	assert_true(n.out.hold);
	assert_false(n.out.announce);
	heard(&n, FSM_PASSIVE, 5);
	step(&n, 1);
	assert_true(n.out.hold && n.out.announce);
	step(&n, 1);
	assert_false(n.out.announce);
}

static void
test_fsm_alone(void **state)
{
	struct node n = start();

	(void)state;
	n.c.peered = false;
	step(&n, 1);
	assert_role(n, ACTIVE, ALONE);
	n.in.vips = false;
	step(&n, 1);
	assert_role(n, PASSIVE, NO_VIPS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fsm_listens),
		cmocka_unit_test(test_fsm_listens_no_more_when_told),
		cmocka_unit_test(test_fsm_start_with_orders),
		cmocka_unit_test(test_fsm_resumes),
		cmocka_unit_test(test_fsm_gives),
		cmocka_unit_test(test_fsm_gives_to_one_not_whole),
		cmocka_unit_test(test_fsm_leaving_ends),
		cmocka_unit_test(test_fsm_loses_its_link),
		cmocka_unit_test(test_fsm_fault),
		cmocka_unit_test(test_fsm_isolated),
		cmocka_unit_test(test_fsm_one_way),
		cmocka_unit_test(test_fsm_no_addresses),
		cmocka_unit_test(test_fsm_take),
		cmocka_unit_test(test_fsm_conflict),
		cmocka_unit_test(test_fsm_silent_loser),
		cmocka_unit_test(test_fsm_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
