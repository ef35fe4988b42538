/* The decision of the pair, case by case: when a node takes over, from one that is silent, that gives, or that is worse. */
#include "fsm_rig.h"

struct authority {
	const char *name;
	bool witness, pings, consistency;
	unsigned answer; /* ping nodes */
	int grant;	 /* ms from now; 0 none */
	bool answered;	 /* an address is still seen */
	bool link;
	bool fence, fenced;
	uint8_t order;
	uint8_t role;
	bool asks; /* for fencing */
};

static void
test_fsm_peer_dead(void **state)
{
	static const struct authority rows[] = {
		{ "alone", .link = true, .role = FSM_ACTIVE },
		{ "still answers", .link = true, .answered = true, .role = FSM_SUSPECT },
		{ "no link", .role = FSM_FAULT },
		{ "consistency", .link = true, .consistency = true, .role = FSM_SUSPECT },
		{ "consistency, order", .link = true, .consistency = true, .order = FSM_TAKE,
		    .role = FSM_ACTIVE },
		{ "pings, none", .link = true, .pings = true, .role = FSM_SUSPECT },
		{ "pings", .link = true, .pings = true, .answer = 1, .role = FSM_ACTIVE },
		{ "pings and consistency", .link = true, .pings = true, .consistency = true,
		    .answer = 2, .role = FSM_ACTIVE },
		{ "witness, no grant", .link = true, .witness = true, .role = FSM_SUSPECT },
		{ "witness, old grant", .link = true, .witness = true, .grant = -1,
		    .role = FSM_SUSPECT },
		{ "witness", .link = true, .witness = true, .grant = 50, .role = FSM_ACTIVE },
		{ "witness, leftovers answer", .link = true, .witness = true, .grant = 50,
		    .answered = true, .role = FSM_SUSPECT },
		{ "witness, pings do not help", .link = true, .witness = true, .pings = true,
		    .answer = 2, .role = FSM_SUSPECT },
		{ "fencing", .link = true, .fence = true, .role = FSM_SUSPECT, .asks = true },
		{ "fenced", .link = true, .fence = true, .fenced = true, .role = FSM_ACTIVE },
		{ "fencing, order", .link = true, .fence = true, .order = FSM_TAKE,
		    .role = FSM_ACTIVE },
		{ "fencing, still answers", .link = true, .fence = true, .answered = true,
		    .role = FSM_SUSPECT, .asks = true },
		{ "fenced, still answers", .link = true, .fence = true, .fenced = true,
		    .answered = true, .role = FSM_ACTIVE },
		{ "fencing and consistency", .link = true, .fence = true, .consistency = true,
		    .role = FSM_SUSPECT, .asks = true },
		{ "fenced and consistency", .link = true, .fence = true, .fenced = true,
		    .consistency = true, .role = FSM_ACTIVE },
		{ "fencing, no ping", .link = true, .fence = true, .pings = true,
		    .role = FSM_SUSPECT },
		{ "fencing, no link", .fence = true, .role = FSM_FAULT },
		{ "fencing, no grant", .link = true, .fence = true, .witness = true,
		    .role = FSM_SUSPECT },
		{ "fencing, grant", .link = true, .fence = true, .witness = true, .grant = 50,
		    .role = FSM_SUSPECT, .asks = true },
		{ "fenced, grant", .link = true, .fence = true, .fenced = true, .witness = true,
		    .grant = 50, .role = FSM_ACTIVE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct authority *r = &rows[i];
		struct node n = passive();

		n.c.witness = r->witness;
		n.c.pings = r->pings;
		n.c.fence = r->fence;
		n.in.fenced = r->fenced;
		n.c.mode = r->consistency ? FSM_CONSISTENCY : FSM_AVAILABILITY;
		step(&n, 400);
		n.in.answered = r->answered;
		n.in.link = r->link;
		n.in.pings = r->answer;
		n.in.order = r->order;
		n.in.peer.late = true;
		step(&n, 60);
		silent(&n);
		n.in.now += DUR_MS(30);
		n.in.ping_at = r->answer > 0 ? n.in.now - DUR_MS(5) : 0;
		n.in.grant_until = r->grant != 0 ? n.in.now + DUR_MS(r->grant) : 0;
		step(&n, 0);
		if (n.f.role != r->role)
			fail_msg("%s: %s", r->name, fsm_role_word[n.f.role]);
		assert_int_equal(n.out.hold, r->role == FSM_ACTIVE);
		if (n.out.fence != r->asks)
			fail_msg("%s: asks for fencing: %d", r->name, n.out.fence);
	}
}

/* Awake so late that the other is dead at the first look: the network is asked before anything is believed. */
static void
test_fsm_asks_first(void **state)
{
	struct node n = passive();

	(void)state;
	step(&n, 400);
	silent(&n);
	step(&n, 90);
	assert_true(n.f.role == FSM_SUSPECT && n.out.probe);
	assert_true(n.out.deadline <= n.in.now + ASK);
	step(&n, 19);
	assert_int_equal(n.f.role, FSM_SUSPECT);
	n.in.answered = true;
	step(&n, 1);
	assert_int_equal(n.f.role, FSM_SUSPECT);
	n.in.answered = false; /* its lease has ended there */
	step(&n, 200);
	assert_role(n, ACTIVE, PEER_DEAD);
}

/* The witness grants, and the addresses of a node whose core is gone answer until their lease in the kernel ends. */
static void
test_fsm_left_over(void **state)
{
	struct node n = passive();

	(void)state;
	n.c.witness = true;
	step(&n, 400);
	silent(&n);
	n.in.answered = true;
	for (int ms = 0; ms <= 3000; ms += 100) {
		n.in.grant_until = n.in.now + DUR_MS(200);
		step(&n, 100);
		assert_int_equal(n.out.hold, ms == 3000);
	}
}

/* Of the time in which this node had no carrier the other's silence tells nothing. */
static void
test_fsm_link_comes(void **state)
{
	struct node n = passive();

	(void)state;
	step(&n, 400);
	n.in.link = false;
	silent(&n);
	step(&n, 5000);
	assert_role(n, FAULT, LINK);
	n.in.link = true;
	step(&n, 1);
	assert_int_equal(n.f.role, FSM_SUSPECT);
	step(&n, 310);
	assert_false(n.out.hold);
	step(&n, 20);
	assert_role(n, ACTIVE, PEER_DEAD);
}

static void
test_fsm_stalled(void **state)
{
	struct node n = passive();

	(void)state;
	step(&n, 400);
	silent(&n);
	n.in.stalled = true;
	step(&n, 500);
	assert_false(n.out.hold); /* the sockets first */
	n = active();
	n.in.stalled = true;
	step(&n, 500);
	assert_role(n, PASSIVE, STALLED);
}

static void
test_fsm_elected(void **state)
{
	struct node n = passive();

	(void)state;
	n.c.node = 2;
	heard(&n, FSM_PASSIVE, 4);
	step(&n, 1);
	assert_false(n.out.hold);
	assert_int_equal(n.out.deadline, n.in.now + LEAVE);
	step(&n, 1999);
	assert_false(n.out.hold);
	step(&n, 2);
	assert_role(n, ACTIVE, ELECTED); /* lest nobody is */
	n = passive();
	n.c.node = 2;
	n.c.priority = 150;
	heard(&n, FSM_PASSIVE, 4);
	step(&n, 1);
	assert_role(n, ACTIVE, ELECTED);
	n = passive();
	heard(&n, FSM_PASSIVE, 4);
	n.in.fault = true;
	step(&n, 1);
	assert_int_equal(n.f.role, FSM_FAULT);
	n.in.peer.fit = FSM_UNFIT;
	step(&n, 1);
	assert_role(n, ACTIVE, ELECTED); /* of two faulty ones one serves */
	/* The preferred one does not know of the addresses yet; or it has no link, and is not waited for. */
	for (unsigned i = 0; i < 2; i++) {
		n = passive();
		n.c.node = 2;
		heard(&n, i == 0 ? FSM_PASSIVE : FSM_FAULT, 4);
		n.in.peer.fit = FSM_UNFIT;
		step(&n, 1);
		assert_int_equal(n.out.hold, i);
	}
	/* The preferred one lacks something: for a moment only, while a commit is under way; else it is not waited for. */
	n = passive();
	n.c.node = 2;
	heard(&n, FSM_PASSIVE, 4);
	n.in.whole = true;
	n.in.peer.whole = false;
	n.in.peer.priority = (uint16_t)(n.c.priority + 50);
	step(&n, 1);
	assert_false(n.out.hold);
	step(&n, 201);
	assert_true(n.out.hold);
}

/* The one that lacks what the other has waits, whatever the priorities; of two that lack something they count. */
static void
test_fsm_elected_whole(void **state)
{
	static const struct {
		bool mine, theirs, at_once;
	} rows[] = {
		{ true, true, true },
		{ false, false, true },
		{ true, false, true },
		{ false, true, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct node n = passive();

		heard(&n, FSM_PASSIVE, 4);
		n.in.whole = rows[i].mine;
		n.in.peer.whole = rows[i].theirs;
		step(&n, 1);
		assert_int_equal(n.out.hold, rows[i].at_once);
		step(&n, 2001);
		assert_role(n, ACTIVE, ELECTED); /* somebody must */
	}
}

static void
test_fsm_preempts(void **state)
{
	struct node n = passive();

	(void)state;
	step(&n, 40000);
	assert_false(n.out.hold);
	n = passive();
	n.c.preempt = true;
	step(&n, 29000);
	assert_false(n.out.hold);
	n.in.whole = false;
	step(&n, 2000);
	assert_false(n.out.hold); /* not before its state is complete */
	n.in.whole = true;
	step(&n, 1);
	assert_role(n, ACTIVE, PREEMPT);
	n = passive();
	n.c.preempt = true;
	n.c.preferred = false;
	step(&n, 40000);
	assert_false(n.out.hold);
}

static void
test_fsm_merit(void **state)
{
	struct node n = passive();

	(void)state;
	n.in.peer.health = 4;
	step(&n, 1);
	step(&n, 900);
	n.in.peer.health = 5;
	step(&n, 50);
	n.in.peer.health = 4;
	step(&n, 1);
	step(&n, 900);
	assert_false(n.out.hold);
	step(&n, 101);
	assert_role(n, ACTIVE, MERIT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fsm_peer_dead),
		cmocka_unit_test(test_fsm_asks_first),
		cmocka_unit_test(test_fsm_left_over),
		cmocka_unit_test(test_fsm_link_comes),
		cmocka_unit_test(test_fsm_stalled),
		cmocka_unit_test(test_fsm_elected),
		cmocka_unit_test(test_fsm_elected_whole),
		cmocka_unit_test(test_fsm_preempts),
		cmocka_unit_test(test_fsm_merit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
