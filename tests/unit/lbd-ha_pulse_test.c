/* Two nodes with two carriers between them, in virtual time: they meet, lose each other, restart, stall, and are played
 * recordings; and how long each of it takes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lbd-ha/core/pulse.h"

#include "base/must.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAYS 2
#define POST 1024

/* A frame under way. */
struct letter {
	unsigned to, carrier; /* to: 0 or 1 */
	mono_t at;	      /* arrival, on the world's clock; 0 none */
	uint8_t bytes[BEAT_LEN];
};

struct node {
	struct pulse p;
	dur_t ahead; /* its clock against the world's */
	bool off, frozen;
	mono_t dead_at,
	    seen_at; /* the world's: when it last began to think the peer dead, or alive */
	bool alive;
	struct beat said;
};

static struct world {
	mono_t now;
	struct node node[2];
	dur_t delay[WAYS];
	unsigned lost_pct;
	bool cut[2][WAYS]; /* by receiver */
	bool swapped;	   /* the second node numbers the ways the other way round */
	struct letter post[POST];
	unsigned posted;
	mono_t due; /* no letter arrives before */
	unsigned seed;
} w;

static const struct carrier_conf quick = { .interval = DUR_MS(20), .dead = DUR_MS(80) };
static const struct carrier_conf slow = { .interval = DUR_MS(50), .dead = DUR_MS(200) };

/* The number that a node gives to a way. */
static unsigned
number(unsigned i, unsigned way)
{
	return w.swapped && i == 1 ? WAYS - 1 - way : way;
}

static void
start(unsigned i)
{
	static const uint8_t secret[SEAL_SECRET] = { 1, 2, 3 };
	static uint64_t boots;
	struct node *n = &w.node[i];
	const struct beat_self self = { .cluster = 5, .node = (uint8_t)(i + 1) };

	pulse_init(&n->p, &self, ++boots << 20);
	seal_set(&n->p.seal, 0, secret);
	carrier_init(&n->p.set.c[number(i, 0)], &quick, w.now + n->ahead);
	carrier_init(&n->p.set.c[number(i, 1)], &slow, w.now + n->ahead);
	n->alive = n->off = n->frozen = false;
}

static void
begin(void)
{
	memset(&w, 0, sizeof(w));
	w.now = DUR_S(1000);
	w.seed = 7;
	w.delay[0] = 150;
	w.delay[1] = DUR_MS(17);
	w.node[0].ahead = DUR_S(70000);
	w.node[1].ahead = -DUR_S(500);
	start(0);
	start(1);
}

static void
post(unsigned from, unsigned carrier, const uint8_t bytes[BEAT_LEN])
{
	struct letter *l = &w.post[w.posted++ % POST];
	unsigned way = number(from, carrier); /* it is its own inverse */

	l->to = 1 - from;
	l->carrier = number(l->to, way);
	l->at = 0;
	memcpy(l->bytes, bytes, BEAT_LEN);
	if (!w.cut[l->to][way] && (unsigned)rand_r(&w.seed) % 100 >= w.lost_pct)
		l->at = w.now + w.delay[way];
	if (l->at != 0 && l->at < w.due)
		w.due = l->at;
}

/* All that has arrived for a node, with its time of arrival. */
static void
empty(unsigned i)
{
	struct node *n = &w.node[i];

	for (unsigned k = 0; k < POST; k++) {
		struct letter *l = &w.post[k];
		struct carrier_in in = {
			.bytes = l->bytes, .len = BEAT_LEN, .at = l->at + n->ahead
		};

		if (l->at == 0 || l->at > w.now || l->to != i)
			continue;
		(void)pulse_in(&n->p, l->carrier, &in);
		l->at = 0;
	}
}

static void
turn(unsigned i)
{
	struct node *n = &w.node[i];
	mono_t now = w.now + n->ahead;
	uint8_t bytes[BEAT_LEN];
	bool alive;

	(void)carriers_wake(&n->p.set, now);
	empty(i);
	(void)carriers_tick(&n->p.set, now, 1);
	alive = carriers_alive(&n->p.set, now, 1);
	if (alive != n->alive)
		*(alive ? &n->seen_at : &n->dead_at) = w.now;
	n->alive = alive;
	for (unsigned c = 0; c < WAYS; c++) {
		if (!carrier_due(&n->p.set.c[c], now))
			continue;
		pulse_out(&n->p, c, &n->said, now, bytes);
		carrier_sent(&n->p.set.c[c], now, 0);
		post(i, c, bytes);
	}
	(void)carriers_deadline(&n->p.set, now, 1);
}

/* Has something arrived for the nodes? What comes to one that is off is lost; to one that is frozen it waits. */
static void
look(bool due[2])
{
	due[0] = due[1] = false;
	if (w.now < w.due)
		return;
	w.due = INT64_MAX;
	for (unsigned k = 0; k < POST; k++) {
		struct letter *l = &w.post[k];

		if (l->at != 0 && l->at <= w.now && w.node[l->to].off)
			l->at = 0;
		if (l->at != 0 && l->at <= w.now)
			due[l->to] = true;
		if (l->at > w.now && l->at < w.due)
			w.due = l->at;
	}
}

/* The world in steps of a tenth of a millisecond. */
static void
pass(dur_t time)
{
	for (mono_t end = w.now + time; w.now < end; w.now += 100) {
		bool due[2];

		look(due);
		for (unsigned i = 0; i < 2; i++) {
			const struct node *n = &w.node[i];

			if (!n->frozen && !n->off &&
			    (due[i] || n->p.set.due == CARRIER_NEVER ||
				w.now + n->ahead >= n->p.set.due))
				turn(i);
		}
	}
}

static enum carrier_state
shown(unsigned node, unsigned carrier)
{
	return w.node[node].p.set.c[carrier].state;
}

static void
test_pulse_meet(void **state)
{
	mono_t began;

	(void)state;
	begin();
	began = w.now;
	w.node[1].said.group[1].generation = 99;
	pass(DUR_MS(500));
	for (unsigned i = 0; i < 2; i++) {
		const struct carrier *c = w.node[i].p.set.c;

		assert_true(w.node[i].alive);
		assert_true(w.node[i].seen_at - began <= DUR_MS(41));
		assert_int_equal(shown(i, 0), CARRIER_UP);
		assert_int_equal(shown(i, 1), CARRIER_UP);
		assert_true(c[0].rtt >= 300 && c[0].rtt <= 600);
		assert_true(c[1].rtt >= DUR_MS(34) && c[1].rtt <= DUR_MS(35));
		assert_true(carrier_lost(&c[0]) == 0 && carrier_lost(&c[1]) == 0);
	}
	assert_true(w.node[0].p.peer.group[1].generation == 99);
	assert_true(w.node[0].p.peer_at > 0);
}

/* The peer goes: dead when the slower carrier has been silent for its dead time, and not before. */
static void
test_pulse_gone(void **state)
{
	mono_t off;

	(void)state;
	begin();
	pass(DUR_S(1));
	w.node[1].off = true;
	off = w.now;
	pass(DUR_MS(90));
	assert_int_equal(shown(0, 0), CARRIER_SILENT);
	assert_true(w.node[0].alive);
	assert_true(carriers_late(&w.node[0].p.set, w.now + w.node[0].ahead, 1));
	pass(DUR_MS(500));
	assert_false(w.node[0].alive);
	assert_true(
	    w.node[0].dead_at - off > DUR_MS(150) && w.node[0].dead_at - off <= DUR_MS(218));
	/* back again, as a new start */
	off = w.now;
	start(1);
	pass(DUR_MS(500));
	assert_true(w.node[0].alive && w.node[1].alive);
	assert_true(w.node[0].seen_at - off <= DUR_MS(41));
	assert_int_equal(w.node[0].p.replay.starts, 2);
	assert_int_equal(shown(0, 0), CARRIER_UP);
}

/* One of two ways breaks: nobody is dead. One direction of it: each side says which. */
static void
test_pulse_one_way(void **state)
{
	(void)state;
	begin();
	pass(DUR_S(1));
	w.cut[1][0] = true;
	pass(DUR_MS(300));
	assert_int_equal(shown(1, 0), CARRIER_SILENT);
	assert_int_equal(shown(0, 0), CARRIER_ONE_WAY);
	assert_true(w.node[0].alive && w.node[1].alive);
	w.cut[0][0] = true;
	pass(DUR_S(1));
	assert_int_equal(shown(0, 0), CARRIER_DOWN);
	assert_true(w.node[0].alive && w.node[1].alive);
	w.cut[0][0] = w.cut[1][0] = false;
	pass(DUR_MS(200));
	assert_int_equal(shown(0, 0), CARRIER_UP);
	assert_int_equal(shown(1, 0), CARRIER_UP);
	assert_true(w.node[0].dead_at == 0 && w.node[1].dead_at == 0);
}

/* A fifth of all frames is lost: no false death in a minute on two carriers, and the loss is what it is. */
static void
test_pulse_loss(void **state)
{
	const struct carrier *c = &w.node[0].p.set.c[0];
	unsigned expected, lost;

	(void)state;
	begin();
	pass(DUR_S(1));
	w.lost_pct = 20;
	pass(DUR_S(60));
	assert_true(w.node[0].dead_at == 0 && w.node[1].dead_at == 0);
	lost = carrier_lost_recent(c, &expected);
	assert_int_equal(expected, CARRIER_RECENT);
	assert_in_range(lost, 140, 260);
}

/* We stand still for five seconds; the peer did not. Its frames are in the sockets, and it was never dead. */
static void
test_pulse_stall(void **state)
{
	(void)state;
	begin();
	pass(DUR_S(1));
	w.node[0].frozen = true;
	pass(DUR_S(5));
	assert_false(w.node[1].alive);
	w.node[0].frozen = false;
	pass(DUR_MS(300));
	assert_true(w.node[0].dead_at == 0);
	assert_true(w.node[0].alive && w.node[1].alive);
	assert_int_equal(w.node[0].p.set.stalls, 1);
	assert_int_equal(w.node[0].p.replay.counter[BEAT_REPLAYED], 0);
}

/* All that was ever sent to a node is sent again, on all carriers, when its peer is gone: it stays dead, through a new
 * start of the node too. */
static void
test_pulse_recordings(void **state)
{
	static struct letter tape[POST];
	unsigned n;

	(void)state;
	begin();
	pass(DUR_S(2));
	start(1); /* so that the tape has frames of an ended start that echo our present one */
	pass(DUR_S(2));
	n = w.posted < POST ? w.posted : POST;
	memcpy(tape, w.post, sizeof(tape));
	w.node[1].off = true;
	pass(DUR_MS(300));
	assert_false(w.node[0].alive);
	for (int fresh = 0; fresh < 2; fresh++) {
		for (unsigned k = 0; k < n; k++) {
			for (unsigned c = 0; c < WAYS; c++) {
				struct carrier_in in = { .bytes = tape[k].bytes,
					.len = BEAT_LEN,
					.at = w.now + w.node[0].ahead };

				assert_int_not_equal(pulse_in(&w.node[0].p, c, &in), BEAT_GOOD);
			}
			pass(200);
		}
		assert_false(w.node[0].alive);
		start(0);
	}
	start(1);
	pass(DUR_MS(200));
	assert_true(w.node[0].alive && w.node[1].alive);
}

/* Each node numbers its carriers for itself; a frame that is heard on one carrier does not count on another. */
static void
test_pulse_numbers(void **state)
{
	struct carrier_in in;
	uint64_t crossed;

	(void)state;
	begin();
	w.swapped = true;
	start(1);
	pass(DUR_S(1));
	for (unsigned i = 0; i < 2; i++) {
		const struct carrier *c = w.node[i].p.set.c;

		assert_true(w.node[i].alive);
		assert_int_equal(shown(i, 0), CARRIER_UP);
		assert_int_equal(shown(i, 1), CARRIER_UP);
		assert_true(c[number(i, 0)].rtt <= 600 && c[number(i, 1)].rtt >= DUR_MS(34));
	}
	crossed = w.node[0].p.replay.counter[BEAT_CROSSED];
	for (unsigned k = 0; k < POST; k++) {
		in = (struct carrier_in){
			.bytes = w.post[k].bytes, .len = BEAT_LEN, .at = w.now + w.node[0].ahead
		};
		if (w.post[k].to == 0)
			assert_int_not_equal(
			    pulse_in(&w.node[0].p, 1 - w.post[k].carrier, &in), BEAT_GOOD);
	}
	assert_true(w.node[0].p.replay.counter[BEAT_CROSSED] > crossed);
	/* One of the ways is cut, and it is seen on the right one. */
	w.cut[0][1] = true;
	pass(DUR_S(1));
	assert_int_equal(shown(0, 0), CARRIER_UP);
	assert_int_not_equal(shown(0, 1), CARRIER_UP);
	assert_true(w.node[0].alive && w.node[1].alive);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pulse_meet),
		cmocka_unit_test(test_pulse_gone),
		cmocka_unit_test(test_pulse_one_way),
		cmocka_unit_test(test_pulse_loss),
		cmocka_unit_test(test_pulse_stall),
		cmocka_unit_test(test_pulse_recordings),
		cmocka_unit_test(test_pulse_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
