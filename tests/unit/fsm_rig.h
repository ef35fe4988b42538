/* fsm_rig.h - a node of a pair that is fed by hand, for the tests of core/fsm.c. Times are in ms. */
#ifndef FSM_RIG_H
#define FSM_RIG_H

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
static inline struct node
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
static inline void
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

static inline void
silent(struct node *n)
{
	n->in.peer.alive = n->in.peer.hears = false;
	n->in.peer.late = true;
}

/* After `ms`; an alive peer has echoed meanwhile. */
static inline void
step(struct node *n, unsigned ms)
{
	n->in.now += DUR_MS(ms);
	if (n->in.peer.hears)
		n->in.peer.echoed = n->in.now - DUR_MS(1);
	fsm_step(&n->f, &n->c, &n->in, &n->out);
}

static inline struct node
passive(void)
{
	struct node n = start();

	heard(&n, FSM_ACTIVE, 4);
	step(&n, 1);
	assert_int_equal(n.f.role, FSM_PASSIVE);
	return n;
}

static inline struct node
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

#endif
