/* The state machine row by row, its times, and two sessions against each other on a line that loses packets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bfd/bfd_session.h"

#include "base/must.h"

#include <stdio.h>
#include <string.h>

#define MINE 0x1111
#define OTHER 0x2222
#define T0 DUR_S(1000)
#define FAST DUR_MS(50)

static struct bfd b;
static struct bfd_out out;
static mono_t now;

/* A packet of the neighbour. */
static struct bfd_packet
from(enum bfd_state s)
{
	return (struct bfd_packet){ .state = (uint8_t)s,
		.multiplier = 3,
		.mine = OTHER,
		.yours = s == BFD_DOWN ? 0 : MINE,
		.desired_tx = s == BFD_UP ? FAST : DUR_S(1),
		.required_rx = FAST };
}

static enum bfd_bad
hear(struct bfd_packet p)
{
	return bfd_receive(&b, &p, now, 0, &out);
}

static void
begin(enum bfd_state s)
{
	now = T0;
	bfd_init(&b, FAST, MINE, now);
	if (s == BFD_INIT || s == BFD_UP)
		assert_int_equal(hear(from(BFD_DOWN)), BFD_GOOD);
	if (s == BFD_UP)
		assert_int_equal(hear(from(BFD_UP)), BFD_GOOD);
	if (s == BFD_ADMIN_DOWN)
		bfd_end(&b, &out);
	assert_int_equal(b.state, s);
}

/* RFC 5880 section 6.8.6; a packet is sent at once when the state is another one. */
static const struct {
	enum bfd_state is, hears, becomes;
	enum bfd_diag diag;
} rows[] = {
	{ BFD_DOWN, BFD_ADMIN_DOWN, BFD_DOWN, BFD_DIAG_NONE },
	{ BFD_DOWN, BFD_DOWN, BFD_INIT, BFD_DIAG_NONE },
	{ BFD_DOWN, BFD_INIT, BFD_UP, BFD_DIAG_NONE },
	{ BFD_DOWN, BFD_UP, BFD_DOWN, BFD_DIAG_NONE },
	{ BFD_INIT, BFD_ADMIN_DOWN, BFD_DOWN, BFD_DIAG_SIGNALED },
	{ BFD_INIT, BFD_DOWN, BFD_INIT, BFD_DIAG_NONE },
	{ BFD_INIT, BFD_INIT, BFD_UP, BFD_DIAG_NONE },
	{ BFD_INIT, BFD_UP, BFD_UP, BFD_DIAG_NONE },
	{ BFD_UP, BFD_ADMIN_DOWN, BFD_DOWN, BFD_DIAG_SIGNALED },
	{ BFD_UP, BFD_DOWN, BFD_DOWN, BFD_DIAG_SIGNALED },
	{ BFD_UP, BFD_INIT, BFD_UP, BFD_DIAG_NONE },
	{ BFD_UP, BFD_UP, BFD_UP, BFD_DIAG_NONE },
};

static void
test_states(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		begin(rows[i].is);
		assert_int_equal(hear(from(rows[i].hears)), BFD_GOOD);
		if (b.state != rows[i].becomes || b.diag != rows[i].diag ||
		    out.changed != (rows[i].is != rows[i].becomes) || out.send != out.changed)
			fail_msg(
			    "row %zu: %s, %s", i, bfd_state_name(b.state), bfd_diag_name(b.diag));
		if (out.send) {
			assert_int_equal(out.packet.state, b.state);
			assert_int_equal(out.packet.diag, b.diag);
			assert_int_equal(out.packet.mine, MINE);
			assert_int_equal(out.packet.yours, OTHER);
			assert_int_equal(out.packet.multiplier, BFD_MULTIPLIER);
		}
	}
	begin(BFD_ADMIN_DOWN);
	assert_int_equal(out.packet.state, BFD_ADMIN_DOWN);
	assert_int_equal(out.packet.diag, BFD_DIAG_ADMIN);
	for (unsigned s = 0; s < BFD_STATES; s++) {
		assert_int_equal(hear(from(s)), BFD_BAD_ADMIN_DOWN);
		assert_true(b.state == BFD_ADMIN_DOWN && !out.send && b.deadline == BFD_NEVER);
	}
}

static void
test_discriminator(void **state)
{
	struct bfd_packet p = from(BFD_DOWN);
	struct bfd before;

	(void)state;
	begin(BFD_UP);
	before = b;
	p.yours = MINE + 1;
	assert_int_equal(hear(p), BFD_BAD_YOURS);
	assert_false(out.send || out.changed);
	assert_memory_equal(&b, &before, sizeof(b));
}

/* What is told, and what is in force, while it comes up, changes its interval, and goes down. */
static void
test_times(void **state)
{
	struct bfd_packet p;

	(void)state;
	begin(BFD_DOWN);
	assert_true(b.deadline == now);
	bfd_timer(&b, now, 0, &out);
	assert_true(
	    out.send && out.packet.desired_tx == BFD_SLOW && out.packet.required_rx == FAST);
	assert_true(out.packet.yours == 0 && !out.packet.poll && b.tx_at == now + BFD_SLOW);
	bfd_timer(&b, b.tx_at - 1, 0, &out);
	assert_false(out.send);
	now = b.tx_at;
	bfd_timer(&b, now, UINT32_MAX, &out); /* the earliest: three quarters */
	assert_true(out.send && b.tx_at > now + DUR_MS(749) && b.tx_at < now + DUR_MS(751));

	/* Up: the wanted interval is told by a poll, and ours is in force at once. */
	begin(BFD_UP);
	assert_true(out.packet.poll && !out.packet.final && out.packet.desired_tx == FAST);
	assert_true(b.tx_at == now + FAST && bfd_detection(&b) == 3 * FAST);
	p = from(BFD_UP);
	assert_int_equal(hear(p), BFD_GOOD);
	assert_true(b.poll);
	p.final = true;
	assert_int_equal(hear(p), BFD_GOOD);
	assert_false(b.poll);
	now = b.tx_at;
	bfd_timer(&b, now, 0, &out);
	assert_true(out.send && !out.packet.poll);

	/* A poll is answered at once, beside the packets in their time. */
	p.final = false;
	p.poll = true;
	assert_int_equal(hear(p), BFD_GOOD);
	assert_true(out.send && out.packet.final && !out.packet.poll && !out.changed);
	assert_true(b.tx_at == now + FAST);

	/* The neighbour's wishes: what it receives by, what it sends by, how many. */
	p = from(BFD_UP);
	p.required_rx = DUR_MS(200);
	p.desired_tx = DUR_MS(70);
	p.multiplier = 5;
	assert_int_equal(hear(p), BFD_GOOD);
	assert_true(b.tx_at == now + DUR_MS(200) && bfd_detection(&b) == DUR_MS(350));
	p.required_rx = 0; /* none: nothing is sent in time */
	assert_int_equal(hear(p), BFD_GOOD);
	assert_true(b.tx_at == BFD_NEVER && b.deadline == now + DUR_MS(350));
	p.required_rx = 1;
	assert_int_equal(hear(p), BFD_GOOD);
	assert_true(b.tx_at == now + FAST);
}

/* RFC 5880 section 6.8.3: what could be taken for silence waits until the neighbour has confirmed. */
static void
test_other_interval(void **state)
{
	struct bfd_packet p = from(BFD_UP);

	(void)state;
	begin(BFD_UP);
	p.final = true;
	assert_int_equal(hear(p), BFD_GOOD);
	p.final = false;

	bfd_interval_set(&b, DUR_MS(500), now, 0, &out);
	assert_true(out.send && out.packet.poll && out.packet.desired_tx == DUR_MS(500));
	assert_true(out.packet.required_rx == DUR_MS(500) && b.state == BFD_UP);
	assert_true(b.tx_at == now + FAST && bfd_detection(&b) == 3 * DUR_MS(500));
	p.final = true;
	assert_int_equal(hear(p), BFD_GOOD);
	assert_true(b.tx_at == now + DUR_MS(500) && !b.poll);

	bfd_interval_set(&b, DUR_MS(100), now, 0, &out);
	assert_true(b.tx_at == now + DUR_MS(100) && bfd_detection(&b) == 3 * DUR_MS(500));
	assert_int_equal(hear(p), BFD_GOOD);
	assert_true(bfd_detection(&b) == 3 * DUR_MS(100));

	begin(BFD_DOWN);
	bfd_interval_set(&b, DUR_S(2), now, 0, &out);
	assert_true(out.send && out.packet.desired_tx == DUR_S(2) && !out.packet.poll);
	assert_true(b.tx_at == now + DUR_S(2));
}

static void
test_silence(void **state)
{
	(void)state;
	begin(BFD_UP);
	now += 3 * FAST - 1;
	bfd_timer(&b, now, 0, &out);
	assert_true(b.state == BFD_UP && b.deadline == now + 1);
	now++;
	bfd_timer(&b, now, 0, &out);
	assert_true(b.state == BFD_DOWN && b.diag == BFD_DIAG_EXPIRED && out.changed);
	assert_true(out.send && out.packet.yours == 0 && out.packet.desired_tx == BFD_SLOW);
	assert_true(b.tx_at == now + BFD_SLOW);
	/* A neighbour that wanted no packets, and went away, is called again. */
	begin(BFD_UP);
	assert_int_equal(
	    hear((struct bfd_packet){ .state = BFD_UP, .multiplier = 1, .mine = 3, .yours = MINE }),
	    BFD_GOOD);
	now = b.deadline;
	bfd_timer(&b, now, 0, &out);
	assert_true(b.state == BFD_DOWN && b.tx_at == now + BFD_SLOW);
	/* In Init too; in Down there is nothing more to lose but the discriminator. */
	begin(BFD_INIT);
	now += DUR_S(3);
	bfd_timer(&b, now, 0, &out);
	assert_true(b.state == BFD_DOWN && b.diag == BFD_DIAG_EXPIRED);
	begin(BFD_DOWN);
	assert_int_equal(hear(from(BFD_UP)), BFD_GOOD);
	assert_int_equal(b.yours, OTHER);
	now += DUR_S(3);
	bfd_timer(&b, now, 0, &out);
	assert_true(b.diag == BFD_DIAG_NONE && !out.changed && b.yours == 0);
}

static void
test_verdict(void **state)
{
	(void)state;
	begin(BFD_DOWN); /* nobody there: down is a result after three slow packets */
	for (; now < T0 + DUR_S(3); now = b.deadline) {
		assert_int_equal(bfd_verdict(&b), BFD_VERDICT_NONE);
		bfd_timer(&b, now, 0, &out);
	}
	assert_true(now == T0 + DUR_S(3));
	bfd_timer(&b, now, 0, &out);
	assert_int_equal(bfd_verdict(&b), BFD_VERDICT_BAD);
	assert_int_equal(hear(from(BFD_INIT)), BFD_GOOD);
	assert_int_equal(bfd_verdict(&b), BFD_VERDICT_GOOD);
	assert_int_equal(hear(from(BFD_DOWN)), BFD_GOOD);
	assert_int_equal(bfd_verdict(&b), BFD_VERDICT_BAD);

	/* Shut down on purpose: no result, however long; then it has the time to come up. */
	begin(BFD_UP);
	assert_int_equal(hear(from(BFD_ADMIN_DOWN)), BFD_GOOD);
	assert_int_equal(bfd_verdict(&b), BFD_VERDICT_NONE);
	now += DUR_S(60);
	bfd_timer(&b, now, 0, &out);
	assert_int_equal(bfd_verdict(&b), BFD_VERDICT_NONE);
	assert_int_equal(hear(from(BFD_ADMIN_DOWN)), BFD_GOOD);
	assert_int_equal(hear(from(BFD_DOWN)), BFD_GOOD);
	assert_int_equal(bfd_verdict(&b), BFD_VERDICT_NONE);
	now += DUR_S(3);
	bfd_timer(&b, now, 0, &out);
	assert_int_equal(bfd_verdict(&b), BFD_VERDICT_BAD);
}

static void
test_words(void **state)
{
	char text[BFD_TEXT];
	struct bfd_packet p = from(BFD_DOWN);

	(void)state;
	begin(BFD_DOWN);
	bfd_format(&b, text);
	assert_string_equal(text, "down; nothing heard of the neighbour");
	begin(BFD_UP);
	bfd_format(&b, text);
	assert_string_equal(text, "up, detection time 150 ms; neighbour up, no diagnostic");
	p.diag = BFD_DIAG_EXPIRED;
	assert_int_equal(hear(p), BFD_GOOD);
	bfd_format(&b, text);
	assert_string_equal(text,
	    "down, neighbour signaled session down; neighbour down, control detection time expired");
	p.yours = MINE;
	assert_int_equal(hear(p), BFD_GOOD); /* it does not hear us */
	bfd_format(&b, text);
	assert_string_equal(text,
	    "init, neighbour signaled session down; neighbour down, control detection time expired");
	assert_int_equal(hear(from(BFD_UP)), BFD_GOOD);
	assert_int_equal(b.diag, BFD_DIAG_NONE);
	now += DUR_S(1);
	bfd_timer(&b, now, 0, &out);
	bfd_format(&b, text);
	assert_string_equal(
	    text, "down, control detection time expired; neighbour silent, last up, no diagnostic");
}

/* ---- two of them ----------------------------------------------------------------------------------------------- */

#define WIRE 64
#define DELAY DUR_MS(3)

static struct end {
	struct bfd b;
	struct bfd_packet wire[WIRE]; /* to this end */
	mono_t at[WIRE];
	unsigned first, last, ups, downs;
} ends[2];
static bool cut[2]; /* what comes to this end is lost */
static uint32_t seed;

static uint32_t
chance(void)
{
	seed = seed * 1664525 + 1013904223;
	return seed;
}

static void
carry_out_of(unsigned i)
{
	struct end *to = &ends[1 - i];

	ends[i].ups += out.changed && ends[i].b.state == BFD_UP;
	ends[i].downs += out.changed && ends[i].b.state == BFD_DOWN;
	if (!out.send || cut[1 - i])
		return;
	assert_true(to->last - to->first < WIRE);
	to->wire[to->last % WIRE] = out.packet;
	to->at[to->last++ % WIRE] = now + DELAY;
}

/* The next thing that happens to one of them. */
static void
turn(void)
{
	mono_t when[4];
	unsigned next = 0;

	for (unsigned i = 0; i < 4; i++) {
		const struct end *e = &ends[i / 2];

		when[i] = i % 2 == 0		? e->b.deadline
			  : e->first == e->last ? BFD_NEVER
						: e->at[e->first % WIRE];
		if (when[i] < when[next])
			next = i;
	}
	assert_true(when[next] != BFD_NEVER);
	now = when[next] > now ? when[next] : now; /* a shorter interval may have passed already */
	if (next % 2 == 0)
		bfd_timer(&ends[next / 2].b, now, chance(), &out);
	else
		assert_int_equal(
		    bfd_receive(&ends[next / 2].b,
			&ends[next / 2].wire[ends[next / 2].first++ % WIRE], now, chance(), &out),
		    BFD_GOOD);
	carry_out_of(next / 2);
}

static void
run_until(mono_t end)
{
	while (ends[0].b.deadline <= end || ends[1].b.deadline <= end ||
	       ends[0].first != ends[0].last || ends[1].first != ends[1].last)
		turn();
	now = now > end ? now : end;
}

static bool
both(enum bfd_state s)
{
	return ends[0].b.state == s && ends[1].b.state == s;
}

static void
test_two(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 30; i++) {
		const unsigned deaf = i % 2;
		const dur_t slow = i % 3 == 0 ? DUR_MS(300) : FAST; /* the second one's wish */
		mono_t lost;

		now = T0;
		seed = i;
		memset(ends, 0, sizeof(ends));
		memset(cut, 0, sizeof(cut));
		bfd_init(&ends[0].b, FAST, 1, now);
		bfd_init(&ends[1].b, slow, 2, now + DUR_MS(chance() % 1000));
		while (!both(BFD_UP))
			turn();
		assert_true(now < T0 + DUR_S(2));
		/* The poll is over, and for ten minutes of jitter nobody is missed. */
		run_until(now + DUR_S(600));
		assert_false(ends[0].b.poll || ends[1].b.poll);
		assert_true(ends[0].downs == 0 && ends[1].downs == 0);
		assert_true(ends[0].ups == 1 && ends[1].ups == 1);
		assert_true(bfd_detection(&ends[0].b) == 3 * slow);
		/* Cut in one direction: both are down after the detection time and a packet's. */
		lost = now;
		cut[deaf] = true;
		while (!both(BFD_DOWN))
			turn();
		assert_true(now - lost <= 3 * slow + 2 * DELAY && now - lost > slow);
		assert_int_equal(ends[deaf].b.diag, BFD_DIAG_EXPIRED);
		assert_int_equal(ends[1 - deaf].b.diag, BFD_DIAG_SIGNALED);
		assert_int_equal(bfd_verdict(&ends[0].b), BFD_VERDICT_BAD);
		run_until(now + DUR_S(20));
		assert_true(ends[0].ups == 1 && ends[1].ups == 1);
		cut[deaf] = false;
		lost = now;
		while (!both(BFD_UP))
			turn();
		assert_true(now - lost < DUR_S(3));
		/* Another interval under way: nobody is missed. */
		bfd_interval_set(&ends[0].b, DUR_MS(700), now, chance(), &out);
		carry_out_of(0);
		run_until(now + DUR_S(60));
		assert_true(bfd_detection(&ends[1].b) == 3 * DUR_MS(700) && !ends[0].b.poll);
		bfd_interval_set(&ends[0].b, FAST, now, chance(), &out);
		carry_out_of(0);
		run_until(now + DUR_S(60));
		assert_true(both(BFD_UP) && ends[0].downs == 1 && ends[1].downs == 1);
		assert_true(bfd_detection(&ends[0].b) == 3 * slow);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_states),
		cmocka_unit_test(test_discriminator),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_other_interval),
		cmocka_unit_test(test_silence),
		cmocka_unit_test(test_verdict),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_two),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
