/* The decision of the pair, case by case: what each input means by itself. That no sequence of them leads to two active
 * nodes is shown by lbd-ha_model_test. Times are in ms. */
#include "core/fsm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define T0 DUR_S(1000)
#define DEAD DUR_MS(80)
#define LEASE DUR_MS(60)
#define LISTEN DUR_MS(320)
#define ASK DUR_MS(20)
#define LEFT DUR_S(3)
#define LEAVE DUR_S(2)

/* One node and what it sees. */
struct node {
	struct fsm_config c;
	struct fsm f;
	struct fsm_in in;
	struct fsm_out out;
};

/* The node with number 1 at its start; the peer was never heard. */
static struct node
start(void)
{
	struct node n = {
		.c = { .node = 1,
		    .peered = true,
		    .preferred = true,
		    .priority = 100,
		    .dead = DEAD,
		    .lease = LEASE,
		    .listen = LISTEN,
		    .ask = ASK,
		    .left = LEFT,
		    .preempt_delay = DUR_S(30),
		    .merit_delay = DUR_S(1),
		    .leave = LEAVE },
		.in = { .now = T0, .vips = true, .link = true, .whole = true, .health = 5 },
	};

	fsm_init(&n.f, &n.c, T0);
	return n;
}

/* The peer is heard just now and hears us. */
static void
heard(struct node *n, uint8_t role, uint64_t generation)
{
	n->in.peer = (struct fsm_peer){ .known = true,
		.alive = true,
		.hears = true,
		.whole = true,
		.role = role,
		.fit = FSM_FIT,
		.generation = generation,
		.health = 5,
		.priority = 100,
		.echoed = n->in.now };
}

static void
silent(struct node *n)
{
	n->in.peer.alive = n->in.peer.hears = false;
	n->in.peer.late = true;
}

/* After `ms`; an alive peer has echoed meanwhile. */
static void
step(struct node *n, unsigned ms)
{
	n->in.now += DUR_MS(ms);
	if (n->in.peer.hears)
		n->in.peer.echoed = n->in.now - DUR_MS(1);
	fsm_step(&n->f, &n->c, &n->in, &n->out);
}

static struct node
passive(void)
{
	struct node n = start();

	heard(&n, FSM_ACTIVE, 4);
	step(&n, 1);
	assert_int_equal(n.f.role, FSM_PASSIVE);
	return n;
}

static struct node
active(void)
{
	struct node n = passive();

	n.in.peer.leaving = true;
	step(&n, 1);
	assert_int_equal(n.f.role, FSM_ACTIVE);
	assert_int_equal(n.f.claim, 5);
	heard(&n, FSM_PASSIVE, 5);
	step(&n, 1);
	return n;
}

#define assert_role(n, r, w)                              \
	do {                                              \
		assert_int_equal((n).f.role, FSM_##r);    \
		assert_int_equal((n).f.why, FSM_WHY_##w); \
	} while (0)

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

/* ---- taking over ----------------------------------------------------------------------------------------------- */

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
		cmocka_unit_test(test_fsm_peer_dead),
		cmocka_unit_test(test_fsm_asks_first),
		cmocka_unit_test(test_fsm_left_over),
		cmocka_unit_test(test_fsm_link_comes),
		cmocka_unit_test(test_fsm_stalled),
		cmocka_unit_test(test_fsm_elected),
		cmocka_unit_test(test_fsm_elected_whole),
		cmocka_unit_test(test_fsm_preempts),
		cmocka_unit_test(test_fsm_merit),
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
