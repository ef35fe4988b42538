/* Carriers in virtual time: states, losses, round trips, deadlines, damping, and own stalls. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lbd-ha/core/carrier.h"

#include "base/must.h"

#include <errno.h>
#include <string.h>

#define T0 DUR_S(1000)
#define STEP DUR_MS(20)

static const struct carrier_conf usual = { .interval = DUR_MS(20), .dead = DUR_MS(80) };

/* seq of the peer, at an offset to T0; echoes what we sent one millisecond before, when it echoes. */
static void
hear(struct carrier *c, uint64_t seq, mono_t at, bool echo)
{
	carrier_heard(c, &(struct carrier_frame){ .at = T0 + at,
			     .boot = 7,
			     .seq = seq,
			     .echo_sent = echo ? T0 + at - DUR_MS(1) : 0,
			     .echo_age = 600 });
}

static struct carrier_set *
fresh(void)
{
	static struct carrier_set s;

	carriers_init(&s);
	carrier_init(&s.c[0], &usual, T0);
	return &s;
}

/* Up since a while: frames 1 to 10, the last at 200 ms. */
static struct carrier_set *
settled(void)
{
	struct carrier_set *s = fresh();

	for (unsigned i = 1; i <= 10; i++) {
		hear(&s->c[0], i, i * STEP, true);
		(void)carriers_tick(s, T0 + i * STEP, 1);
	}
	assert_int_equal(s->c[0].state, CARRIER_UP);
	return s;
}

static void
test_carrier_rise(void **state)
{
	static const enum carrier_state want[] = { CARRIER_DOWN, CARRIER_DOWN, CARRIER_UP,
		CARRIER_UP };
	static const enum carrier_state mute[] = { CARRIER_DOWN, CARRIER_DOWN, CARRIER_ONE_WAY,
		CARRIER_ONE_WAY };
	struct carrier_set *s;

	(void)state;
	for (int echo = 0; echo < 2; echo++) {
		s = fresh();
		assert_false(carriers_alive(s, T0, 1));
		for (unsigned i = 0; i < 4; i++) {
			hear(&s->c[0], i + 1, (i + 1) * STEP, echo);
			(void)carriers_tick(s, T0 + (i + 1) * STEP, 1);
			assert_true(carriers_alive(s, T0 + (i + 1) * STEP, 1)); /* at once */
			assert_int_equal(s->c[0].state, echo ? want[i] : mute[i]);
		}
	}
	/* it begins to echo: three in a row */
	for (unsigned i = 5; i < 9; i++) {
		hear(&s->c[0], i, i * STEP, true);
		(void)carriers_tick(s, T0 + i * STEP, 1);
	}
	assert_int_equal(s->c[0].state, CARRIER_UP);
}

static void
test_carrier_silence(void **state)
{
	static const struct {
		dur_t after; /* the last frame */
		bool alive, late;
		enum carrier_state want;
	} rows[] = {
		{ DUR_MS(0), true, false, CARRIER_UP },
		{ DUR_MS(30) - 1, true, false, CARRIER_UP },
		{ DUR_MS(30), true, true, CARRIER_UP },
		{ DUR_MS(80) - 1, true, true, CARRIER_UP },
		{ DUR_MS(80), false, false, CARRIER_SILENT },
		{ DUR_MS(800) - 1, false, false, CARRIER_SILENT },
		{ DUR_MS(800), false, false, CARRIER_DOWN },
	};
	struct carrier_set *s = settled();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		mono_t now = T0 + 10 * STEP + rows[i].after;

		assert_int_equal(carriers_alive(s, now, 1), rows[i].alive);
		assert_int_equal(carriers_late(s, now, 1), rows[i].late);
		(void)carriers_tick(s, now, 1);
		assert_int_equal(s->c[0].state, rows[i].want);
	}
	/* one frame proves life, and is not yet "up" */
	hear(&s->c[0], 11, DUR_S(2), true);
	assert_int_equal(carriers_tick(s, T0 + DUR_S(2), 1), 0);
	assert_true(carriers_alive(s, T0 + DUR_S(2), 1));
	assert_int_equal(s->c[0].state, CARRIER_DOWN);
}

static void
test_carrier_damp(void **state)
{
	static const struct {
		unsigned damp;
		dur_t dead;
	} rows[] = { { 0, DUR_MS(80) }, { 1, DUR_MS(80) }, { 2, DUR_MS(160) }, { 8, DUR_MS(640) },
		{ 99, DUR_MS(640) } };
	struct carrier_set *s = settled();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		mono_t dead = T0 + 10 * STEP + rows[i].dead;

		assert_true(carriers_alive(s, dead - 1, rows[i].damp));
		assert_false(carriers_alive(s, dead, rows[i].damp));
	}
}

/* It goes on to be heard, and echoes no more: 80 ms, two intervals and the round trip after the last that came back. */
static void
test_carrier_one_way(void **state)
{
	struct carrier_set *s = settled();
	mono_t limit = s->c[0].proof_at + DUR_MS(120) + s->c[0].rtt;
	mono_t seen = 0;

	(void)state;
	for (unsigned i = 11; i < 30; i++) {
		mono_t now = T0 + i * STEP;

		hear(&s->c[0], i, i * STEP, false);
		if (carriers_tick(s, now, 1) != 0)
			seen = now;
		assert_true(carriers_alive(s, now, 1));
		assert_int_equal(s->c[0].state, now < limit ? CARRIER_UP : CARRIER_ONE_WAY);
	}
	assert_true(seen > 0);
	assert_true(s->c[0].since == seen);
}

static void
test_carrier_send_faults(void **state)
{
	struct carrier_set *s = settled();
	struct carrier *c = &s->c[0];
	mono_t now = T0 + 10 * STEP;

	(void)state;
	carrier_sent(c, now, -EAGAIN);
	(void)carriers_tick(s, now, 1);
	assert_int_equal(c->state, CARRIER_UP);
	carrier_sent(c, now, -EPERM); /* a packet filter */
	assert_int_equal(carriers_tick(s, now, 1), 1);
	assert_int_equal(c->state, CARRIER_ONE_WAY);
	assert_int_equal(c->fault, -EPERM);
	(void)carriers_tick(s, now + DUR_MS(80), 1);
	assert_int_equal(c->state, CARRIER_DOWN); /* at once: silent, and sending fails */
	carrier_sent(c, now + DUR_MS(81), 0);
	for (unsigned i = 20; i < 23; i++) {
		hear(c, i, i * STEP, true);
		(void)carriers_tick(s, T0 + i * STEP, 1);
	}
	assert_int_equal(c->state, CARRIER_UP);
	assert_int_equal(c->send_faults, 2);
	assert_int_equal(c->sent, 1);
}

static void
test_carrier_grid(void **state)
{
	static const struct {
		mono_t sent, next;
	} rows[] = {
		{ 0, STEP },
		{ STEP + 300, 2 * STEP },
		{ 2 * STEP, 3 * STEP },
		{ 9 * STEP + 5, 10 * STEP + 5 }, /* late: one, and a new grid */
		{ 10 * STEP + 6, 11 * STEP + 5 },
	};
	struct carrier c;

	(void)state;
	carrier_init(&c, &usual, T0);
	assert_true(carrier_due(&c, T0));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		carrier_sent(&c, T0 + rows[i].sent, 0);
		assert_true(c.next == T0 + rows[i].next);
		assert_false(carrier_due(&c, c.next - 1));
		assert_true(carrier_due(&c, c.next));
	}
}

static void
test_carrier_conf(void **state)
{
	static const struct carrier_conf odd[] = { { 0, 0 }, { DUR_S(100), DUR_S(9000) } };
	struct carrier c;

	(void)state;
	carrier_init(&c, &odd[0], T0);
	assert_true(c.conf.interval == DUR_MS(1) && c.conf.dead == DUR_MS(2));
	carrier_init(&c, &odd[1], T0);
	assert_true(c.conf.interval == DUR_S(60) && c.conf.dead == DUR_S(600));
	carrier_sent(&c, T0, 0);
	carrier_conf_set(&c, &usual, T0);
	assert_true(c.next == T0 + usual.interval);
}

static void
test_carrier_loss(void **state)
{
	struct carrier c;
	unsigned expected;

	(void)state;
	carrier_init(&c, &usual, T0);
	assert_int_equal(carrier_lost_recent(&c, &expected), 0);
	assert_int_equal(expected, 0);
	hear(&c, 100, 1, false); /* what was before the first is not expected */
	hear(&c, 101, 2, false);
	hear(&c, 105, 3, false);
	hear(&c, 103, 4, false); /* overtaken */
	hear(&c, 50, 5, false);	 /* before the first */
	assert_int_equal(carrier_lost_recent(&c, &expected), 2);
	assert_int_equal(expected, 6);
	assert_true(carrier_lost(&c) == 2);
	for (uint64_t seq = 106; seq < 106 + 998; seq++)
		hear(&c, seq, 6, false);
	assert_int_equal(carrier_lost_recent(&c, &expected), 1); /* 104 is the oldest of them */
	assert_int_equal(expected, CARRIER_RECENT);
	hear(&c, 1104, 7, false);
	assert_int_equal(carrier_lost_recent(&c, &expected), 0);
	assert_true(carrier_lost(&c) == 2);
	hear(&c, 1104 + 5000, 8, false);
	assert_int_equal(carrier_lost_recent(&c, &expected), CARRIER_RECENT - 1);
	assert_true(carrier_lost(&c) == 2 + 4999);
	/* a new start of the peer: the total stays, the recent begins */
	carrier_heard(&c, &(struct carrier_frame){ .at = T0 + 9, .boot = 8, .seq = 4 });
	carrier_heard(&c, &(struct carrier_frame){ .at = T0 + 9, .boot = 8, .seq = 6 });
	assert_int_equal(carrier_lost_recent(&c, &expected), 1);
	assert_int_equal(expected, 3);
	assert_true(carrier_lost(&c) == 2 + 4999 + 1);
}

static void
test_carrier_rtt(void **state)
{
	static const struct {
		mono_t at;
		dur_t back, age, rtt, worst;
	} rows[] = {
		{ DUR_S(1), 1000, 200, 800, 800 }, { DUR_S(2), 2000, 400, 900, 1600 },
		{ DUR_S(3), 400, 500, 788, 1600 }, /* less than nothing: the least */
		{ DUR_S(50), 988, 200, 788, 1600 },
		{ DUR_S(70), 988, 200, 788, 788 }, /* the first ones are over a minute old */
	};
	struct carrier c;

	(void)state;
	carrier_init(&c, &usual, T0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		mono_t at = T0 + rows[i].at;

		carrier_heard(&c, &(struct carrier_frame){ .at = at,
				      .boot = 7,
				      .seq = i + 1,
				      .echo_sent = at - rows[i].back,
				      .echo_age = rows[i].age });
		assert_int_equal(c.rtt, rows[i].rtt);
		assert_int_equal(carrier_worst_of(&c.worst, at), rows[i].worst);
	}
	/* the same echo again says nothing */
	carrier_heard(&c, &(struct carrier_frame){
			      .at = T0 + DUR_S(71), .boot = 7, .seq = 9, .echo_sent = c.proof_at });
	assert_int_equal(c.rtt, 788);
}

/* Two carriers of different paces: dead and late only when both are. */
static void
test_carrier_two(void **state)
{
	static const struct carrier_conf slow = { .interval = DUR_MS(50), .dead = DUR_MS(250) };
	struct carrier_set *s = settled();
	mono_t base = T0 + 10 * STEP;

	(void)state;
	carrier_init(&s->c[3], &slow, T0);
	hear(&s->c[3], 1, 10 * STEP, true);
	assert_false(carriers_late(s, base + DUR_MS(74), 1));
	assert_true(carriers_late(s, base + DUR_MS(75), 1));
	assert_true(carriers_alive(s, base + DUR_MS(249), 1));
	assert_false(carriers_alive(s, base + DUR_MS(250), 1));
	(void)carriers_tick(s, base + DUR_MS(100), 1);
	assert_int_equal(s->c[0].state, CARRIER_SILENT);
	/* only the slow one is alive, and only it is late or not */
	assert_true(carriers_late(s, base + DUR_MS(100), 1));
	hear(&s->c[3], 2, 10 * STEP + DUR_MS(60), true);
	assert_false(carriers_late(s, base + DUR_MS(100), 1));
}

/* Each instant at which an answer changes is one that the deadline names: walked from one to the next, nothing is
 * missed between. */
static void
test_carrier_deadline(void **state)
{
	struct carrier_set *s = settled();
	mono_t now = T0 + 10 * STEP, end = now + DUR_S(1);

	(void)state;
	s->c[0].next = now;
	while (now < end) {
		mono_t next;
		bool alive = carriers_alive(s, now, 2), late = carriers_late(s, now, 2);

		(void)carriers_tick(s, now, 2);
		if (carrier_due(&s->c[0], now))
			carrier_sent(&s->c[0], now, 0);
		next = carriers_deadline(s, now, 2);
		assert_true(next > now && next <= now + usual.interval);
		assert_int_equal(carriers_alive(s, next - 1, 2), alive);
		assert_int_equal(carriers_late(s, next - 1, 2), late);
		now = next;
	}
	assert_false(carriers_alive(s, now, 2));
	carriers_init(s);
	assert_true(carriers_deadline(s, now, 1) == CARRIER_NEVER);
	assert_int_equal(carriers_wake(s, now + DUR_S(9)), 0);
	assert_false(s->blind);
}

/* We slept for a second. The peer was alive, and its frames are in the socket, or were lost with the machine's time. */
static void
test_carrier_stall(void **state)
{
	struct carrier_set *s;
	mono_t now;

	(void)state;
	for (int lost = 0; lost < 2; lost++) {
		s = settled();
		now = T0 + 10 * STEP;
		s->c[0].next = now + STEP;
		(void)carriers_deadline(s, now, 1);
		now += DUR_S(1);
		assert_int_equal(carriers_wake(s, now), DUR_S(1) - STEP);
		assert_true(s->blind);
		assert_true(carriers_alive(s, now, 1)); /* before the sockets are empty */
		assert_false(carriers_late(s, now, 1));
		if (!lost)
			hear(&s->c[0], 60, 10 * STEP + DUR_S(1) - DUR_MS(5), true);
		(void)carriers_tick(s, now, 1);
		assert_true(carriers_alive(s, now, 1));
		assert_true(carriers_alive(s, now + 2 * STEP - 1, 1));
		assert_int_equal(carriers_alive(s, now + 2 * STEP, 1), !lost);
		assert_int_equal(s->stalls, 1);
		assert_int_equal(carrier_worst_of(&s->late, now), DUR_S(1) - STEP);
	}
	/* a second stall before it is heard again: no second grace */
	(void)carriers_deadline(s, now, 1);
	now += DUR_MS(500);
	(void)carriers_wake(s, now);
	(void)carriers_tick(s, now, 1);
	assert_false(carriers_alive(s, now, 1));
}

/* Who was dead before the stall is so after it; and a small delay is none. */
static void
test_carrier_stall_of_dead(void **state)
{
	struct carrier_set *s = settled();
	mono_t now = T0 + 10 * STEP + DUR_MS(200);

	(void)state;
	(void)carriers_tick(s, now, 1);
	assert_false(carriers_alive(s, now, 1));
	carriers_stalled(s, now + DUR_S(1));
	assert_false(carriers_alive(s, now + DUR_S(1), 1));
	(void)carriers_tick(s, now + DUR_S(1), 1);
	assert_false(carriers_alive(s, now + DUR_S(1), 1));

	s = settled();
	now = T0 + 10 * STEP;
	s->c[0].next = now + STEP;
	(void)carriers_deadline(s, now, 1);
	assert_int_equal(carriers_wake(s, now + STEP + DUR_MS(40)), DUR_MS(40));
	assert_false(s->blind);
	(void)carriers_deadline(s, now, 1);
	assert_int_equal(carriers_wake(s, now + STEP + DUR_MS(40) + 1), DUR_MS(40) + 1);
	assert_true(s->blind);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_carrier_rise),
		cmocka_unit_test(test_carrier_silence),
		cmocka_unit_test(test_carrier_damp),
		cmocka_unit_test(test_carrier_one_way),
		cmocka_unit_test(test_carrier_send_faults),
		cmocka_unit_test(test_carrier_grid),
		cmocka_unit_test(test_carrier_conf),
		cmocka_unit_test(test_carrier_loss),
		cmocka_unit_test(test_carrier_rtt),
		cmocka_unit_test(test_carrier_two),
		cmocka_unit_test(test_carrier_deadline),
		cmocka_unit_test(test_carrier_stall),
		cmocka_unit_test(test_carrier_stall_of_dead),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
