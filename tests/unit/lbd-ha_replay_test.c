/* Replays: the window, new starts of either side, recordings, and random runs in which no ended start ever counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lbd-ha/core/replay.h"

#include "base/must.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void
test_replay_window(void **state)
{
	static const struct {
		uint64_t seq;
		bool want;
	} rows[] = {
		{ 5, true },
		{ 5, false },
		{ 4, false }, /* before the first */
		{ 6, true },
		{ 69, true },
		{ 6, false }, /* 63 behind, heard */
		{ 7, true },
		{ 5, false }, /* 64 behind */
		{ 68, true },
		{ 1000, true },
		{ 937, true },
		{ 936, false },
		{ 999, true },
		{ UINT64_MAX, true },
		{ UINT64_MAX, false },
		{ 1000, false },
		{ UINT64_MAX - 63, true },
		{ UINT64_MAX - 64, false },
	};
	struct replay_window w = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(replay_window_take(&w, rows[i].seq), rows[i].want);
}

/* One node as it talks on one carrier. */
struct node {
	struct replay r;
	uint64_t seq;
};

static uint64_t boots;

static void
start(struct node *n)
{
	replay_init(&n->r, ++boots * 0x1000);
	n->seq = 0;
}

static struct beat
say(struct node *n, mono_t now)
{
	return (struct beat){
		.boot = n->r.own,
		.seq = ++n->seq,
		.sent_us = (uint64_t)now,
		.echo = replay_echo(&n->r, 0, now),
	};
}

static enum beat_fault
tell(struct node *from, struct node *to, mono_t now)
{
	struct beat b = say(from, now);

	return replay_judge(&to->r, &b, now + 1);
}

static void
test_replay_meet(void **state)
{
	struct node a, b;

	(void)state;
	start(&a);
	start(&b);
	assert_int_equal(tell(&a, &b, 10), BEAT_STRANGER);
	assert_true(replay_stranger(&b.r, 20, 100));
	assert_false(replay_stranger(&b.r, 1000, 100));
	assert_int_equal(tell(&b, &a, 20), BEAT_GOOD); /* it echoes us */
	assert_false(replay_stranger(&a.r, 20, 100));
	assert_int_equal(tell(&a, &b, 30), BEAT_GOOD);
	assert_int_equal(tell(&b, &a, 40), BEAT_GOOD);
	assert_true(a.r.boot == b.r.own && b.r.boot == a.r.own);
	assert_int_equal(a.r.counter[BEAT_GOOD], 2);
	assert_int_equal(b.r.counter[BEAT_STRANGER], 1);
	assert_int_equal(a.r.starts, 1);
}

static void
test_replay_echo(void **state)
{
	struct node a, b;
	struct beat x;

	(void)state;
	start(&a);
	start(&b);
	assert_true(replay_echo(&a.r, 0, 5).boot == 0);
	(void)tell(&a, &b, 10);
	x = say(&b, 500);
	assert_true(x.echo.boot == a.r.own && x.echo.seq == 1 && x.echo.sent_us == 10);
	assert_int_equal(x.echo.age_us, 489);
	assert_true(replay_echo(&b.r, 1, 500).boot == 0); /* nothing on that carrier */
	x.echo = replay_echo(&b.r, 0, INT64_C(1) << 40);
	assert_true(x.echo.age_us == UINT32_MAX);
}

/* The peer restarts: its new start counts from its first frame that echoes us, and the old one never again, although
 * its frames echo our present start. */
static void
test_replay_restart(void **state)
{
	struct node a, b;
	struct beat old, unheard;

	(void)state;
	start(&a);
	start(&b);
	for (mono_t t = 10; t < 100; t += 10) {
		(void)tell(&a, &b, t);
		(void)tell(&b, &a, t + 5);
	}
	old = say(&b, 101); /* recorded and kept back */
	assert_true(old.echo.boot == a.r.own);
	(void)tell(&a, &b, 102);
	unheard = say(&b, 103);
	start(&b);
	assert_int_equal(tell(&b, &a, 110), BEAT_STRANGER);
	assert_int_equal(tell(&a, &b, 120), BEAT_STRANGER);
	assert_int_equal(tell(&b, &a, 130), BEAT_GOOD);
	assert_int_equal(replay_judge(&a.r, &old, 140), BEAT_STRANGER);
	assert_int_equal(replay_judge(&a.r, &old, 141), BEAT_REPLAYED); /* it does not advance */
	assert_int_equal(replay_judge(&a.r, &unheard, 142), BEAT_STRANGER);
	assert_true(a.r.boot == b.r.own);
	assert_int_equal(tell(&a, &b, 150), BEAT_GOOD);
}

/* We restart: what was recorded for our last start is nothing to this one; and it does not keep the peer out. */
static void
test_replay_own_restart(void **state)
{
	struct node a, b;
	struct beat tape[40];
	int turns = 0;

	(void)state;
	start(&a);
	start(&b);
	for (int i = 0; i < 40; i++) {
		(void)tell(&a, &b, 10 * i + 1);
		tape[i] = say(&b, 10 * i + 5);
		(void)replay_judge(&a.r, &tape[i], 10 * i + 6);
	}
	start(&b);
	start(&a);
	for (int i = 0; i < 40 && a.r.boot == 0; i++, turns++) {
		mono_t t = 1000 + 10 * i;

		assert_int_not_equal(replay_judge(&a.r, &tape[i], t), BEAT_GOOD);
		(void)tell(&a, &b, t + 1);
		(void)tell(&b, &a, t + 2);
		(void)tell(&b, &a, t + 3);
	}
	assert_true(a.r.boot == b.r.own);
	assert_true(turns <= 4);
}

/* What a start said before it had proved itself did not count, and does not count when it is played afterwards. */
static void
test_replay_unproven(void **state)
{
	struct node a, b;
	struct beat early[3];

	(void)state;
	start(&a);
	start(&b);
	for (int i = 0; i < 3; i++) {
		early[i] = say(&b, 10 + i);
		early[i].carrier = i == 2 ? 1 : 0;
		assert_int_equal(replay_judge(&a.r, &early[i], 20 + i), BEAT_STRANGER);
	}
	(void)tell(&a, &b, 30);
	assert_int_equal(tell(&b, &a, 40), BEAT_GOOD);
	for (int i = 0; i < 3; i++)
		assert_int_equal(replay_judge(&a.r, &early[i], 50), BEAT_REPLAYED);
	assert_int_equal(tell(&b, &a, 60), BEAT_GOOD);
}

/* An echo of an instant that has not been is none. */
static void
test_replay_future(void **state)
{
	struct node a;
	struct beat x = { .boot = 5, .seq = 1, .sent_us = 1 };

	(void)state;
	start(&a);
	x.echo = (struct beat_echo){ .boot = a.r.own, .seq = 9, .sent_us = 1001 };
	assert_int_equal(replay_judge(&a.r, &x, 1000), BEAT_STRANGER);
	x.seq++;
	x.echo.sent_us = 1000;
	assert_int_equal(replay_judge(&a.r, &x, 1000), BEAT_GOOD);
}

/* A proof in a frame that is older than what was heard of its start does not bring that start in: then it would be the
 * present one without a frame that counts. The next frame does. */
static void
test_replay_overtaken(void **state)
{
	struct node a;
	struct beat x = { .boot = 5, .seq = 10, .sent_us = 1 };

	(void)state;
	start(&a);
	assert_int_equal(replay_judge(&a.r, &x, 1000), BEAT_STRANGER);
	x.echo = (struct beat_echo){ .boot = a.r.own, .seq = 1, .sent_us = 900 };
	x.seq = 9;
	assert_int_equal(replay_judge(&a.r, &x, 1001), BEAT_REPLAYED);
	assert_true(a.r.boot == 0);
	x.seq = 11;
	assert_int_equal(replay_judge(&a.r, &x, 1002), BEAT_GOOD);
	assert_true(a.r.boot == 5 && replay_echo(&a.r, 0, 1003).seq == 11);
}

/* A slow carrier's frame proves life, and says nothing new. */
static void
test_replay_newest(void **state)
{
	struct node a;
	struct beat x = { .boot = 5, .seq = 1, .sent_us = 100 }, slow = x;

	(void)state;
	start(&a);
	x.echo = (struct beat_echo){ .boot = a.r.own, .seq = 1, .sent_us = 7 };
	assert_int_equal(replay_judge(&a.r, &x, 1000), BEAT_GOOD);
	assert_true(replay_newest(&a.r, &x));
	slow.carrier = 4;
	slow.sent_us = 99;
	assert_int_equal(replay_judge(&a.r, &slow, 1001), BEAT_GOOD);
	assert_false(replay_newest(&a.r, &slow));
	assert_true(replay_newest(&a.r, &x));
}

#define TAPE 2000

/* Random runs of two nodes that restart, lose frames, and are played all that was ever said. A frame of a start that has
 * ended counts only when it was on its way at that moment; nothing here is under way for longer than a step. */
static void
run(unsigned *seed)
{
	static struct beat tape[TAPE];
	static bool to_first[TAPE];
	struct node n[2];
	unsigned taped = 0;

	start(&n[0]);
	start(&n[1]);
	for (mono_t t = 10; t < 60000; t += 10) {
		unsigned who = (unsigned)rand_r(seed) % 2, dice = (unsigned)rand_r(seed) % 100;

		if (dice < 1) {
			start(&n[who]);
		} else if (dice < 60) {
			struct beat b = say(&n[who], t);

			if (taped < TAPE) {
				to_first[taped] = who == 1;
				tape[taped++] = b;
			}
			if (dice < 50) {
				enum beat_fault f = replay_judge(&n[1 - who].r, &b, t + 1);

				assert_int_not_equal(f, BEAT_REPLAYED);
			}
		} else if (taped > 0) {
			unsigned i = (unsigned)rand_r(seed) % taped;
			struct node *to = &n[to_first[i] ? 0 : 1];
			const struct node *from = &n[to_first[i] ? 1 : 0];
			bool ended = tape[i].boot != from->r.own;
			enum beat_fault f = replay_judge(&to->r, &tape[i], t + 1);

			/* unless the present one has never been heard: then the ended one is the last known */
			if (ended && to->r.boot == from->r.own)
				assert_int_not_equal(f, BEAT_GOOD);
		}
	}
	/* whatever was played, they find each other */
	for (mono_t t = 70000; t < 70200; t += 10) {
		(void)tell(&n[0], &n[1], t);
		(void)tell(&n[1], &n[0], t + 5);
	}
	assert_true(n[0].r.boot == n[1].r.own && n[1].r.boot == n[0].r.own);
}

static void
test_replay_random(void **state)
{
	unsigned seed = (unsigned)time(NULL);

	(void)state;
	printf("seed %u\n", seed);
	for (int i = 0; i < 200; i++)
		run(&seed);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_replay_window),
		cmocka_unit_test(test_replay_meet),
		cmocka_unit_test(test_replay_echo),
		cmocka_unit_test(test_replay_restart),
		cmocka_unit_test(test_replay_own_restart),
		cmocka_unit_test(test_replay_unproven),
		cmocka_unit_test(test_replay_future),
		cmocka_unit_test(test_replay_overtaken),
		cmocka_unit_test(test_replay_newest),
		cmocka_unit_test(test_replay_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
