/* The witness: its notes, its table, its client, and random runs in which two nodes never hold a lease at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lbd-ha/core/witness_client.h"
#include "lbd-ha/witness/witness.h"

#include "base/must.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define T0 DUR_S(5000)
#define OPEN (T0 + WITNESS_LEASE) /* from here it grants */

static const uint8_t secret[SEAL_SECRET] = { 5 };

static struct seal
key(void)
{
	struct seal s;

	seal_init(&s, SEAL_WITNESS);
	seal_set(&s, 0, secret);
	return s;
}

static void
test_note_round(void **state)
{
	struct seal s = key();
	const struct note n = { .kind = NOTE_ASK,
		.node = 2,
		.group = 7,
		.word = NOTE_TAKE,
		.holder = 1,
		.cluster = 0x0102030405060708,
		.boot = 0x1112131415161718,
		.seq = 0x2122232425262728,
		.witness = 0x3132333435363738,
		.stamp = 0x4142434445464748,
		.generation = 0x5152535455565758,
		.lease_ms = 0x61626364 };
	struct note m = { 0 };
	uint8_t w[NOTE_LEN + 8] = { 0 }, again[NOTE_LEN];

	(void)state;
	note_encode(&n, &s, w);
	assert_memory_equal(w, "lbdw\x01\x01", 6);
	assert_int_equal(note_decode(w, NOTE_LEN, NOTE_ASK, &s, &m), 0);
	note_encode(&m, &s, again);
	assert_memory_equal(w, again, NOTE_LEN);
	assert_true(m.stamp == n.stamp && m.generation == n.generation && m.lease_ms == n.lease_ms);
	assert_int_equal(note_decode(w, NOTE_LEN, NOTE_ANSWER, &s, &m), -EBADMSG);
	for (size_t len = 0; len < sizeof(w); len++)
		if (len != NOTE_LEN)
			assert_int_equal(note_decode(w, len, NOTE_ASK, &s, &m), -EBADMSG);
	for (unsigned i = 0; i < NOTE_LEN * 8; i++) {
		w[i / 8] ^= (uint8_t)(1U << i % 8);
		assert_true(note_decode(w, NOTE_LEN, NOTE_ASK, &s, &m) < 0);
		w[i / 8] ^= (uint8_t)(1U << i % 8);
	}
	w[4] = 2; /* a later version with eight bytes more */
	seal_put(&s, w, NOTE_BODY + 8, w + NOTE_BODY + 8);
	assert_int_equal(note_decode(w, NOTE_LEN + 8, NOTE_ASK, &s, &m), 0);
	w[4] = 0;
	assert_int_equal(note_decode(w, NOTE_LEN + 8, NOTE_ASK, &s, &m), -EPROTONOSUPPORT);
}

static void
test_note_impossible(void **state)
{
	static const struct {
		unsigned at;
		uint8_t to;
	} rows[] = { { 7, 0 }, { 7, 3 }, { 60, NOTE_GROUPS }, { 61, 0 }, { 61, NOTE_GIVE + 1 },
		{ 61, NOTE_GRANTED }, { 62, 3 } };
	struct seal s = key();
	const struct note n = {
		.kind = NOTE_ASK, .node = 1, .word = NOTE_LOOK, .boot = 1, .seq = 1
	};
	struct note m;
	uint8_t w[NOTE_LEN];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		note_encode(&n, &s, w);
		w[rows[i].at] = rows[i].to;
		seal_put(&s, w, NOTE_BODY, w + NOTE_BODY);
		assert_int_equal(note_decode(w, NOTE_LEN, NOTE_ASK, &s, &m), -EBADMSG);
	}
}

static struct witness w;
static uint64_t seq;

/* A question with the newest stamp. */
static struct note
put(uint8_t node, enum note_word word, uint64_t generation, uint32_t lease_ms, mono_t now)
{
	struct note a, q = { .kind = NOTE_ASK,
		.node = node,
		.word = (uint8_t)word,
		.cluster = 77,
		.boot = 9,
		.seq = ++seq,
		.witness = w.boot,
		.stamp = (uint64_t)now,
		.generation = generation,
		.lease_ms = lease_ms };

	(void)witness_answer(&w, &q, now, &a);
	assert_int_equal(a.kind, NOTE_ANSWER);
	assert_true(a.seq == q.seq && a.boot == q.boot && a.node == node);
	return a;
}

static void
test_witness_table(void **state)
{
	static const struct {
		mono_t at; /* after it began to grant */
		uint8_t node;
		enum note_word word;
		uint64_t generation;
		uint32_t lease_ms;
		enum note_word want;
		uint8_t holder;
		uint64_t want_generation;
		uint32_t want_ms;
	} rows[] = {
		{ 0, 1, NOTE_LOOK, 0, 0, NOTE_FREE, 0, 0, 0 },
		{ 1, 1, NOTE_TAKE, 5, 3000, NOTE_GRANTED, 1, 5, 3000 },
		{ DUR_MS(1000), 2, NOTE_TAKE, 6, 3000, NOTE_HELD, 1, 5, 2001 },
		{ DUR_MS(1001), 2, NOTE_LOOK, 0, 0, NOTE_HELD, 1, 5, 2000 },
		{ DUR_MS(1002), 1, NOTE_TAKE, 4, 3000, NOTE_STALE, 1, 5, 1999 },
		{ DUR_MS(2000), 1, NOTE_TAKE, 5, 3000, NOTE_GRANTED, 1, 5, 3000 },
		{ DUR_MS(2001), 1, NOTE_TAKE, 5, 10, NOTE_GRANTED, 1, 5, 10 },
		/* not made shorter by that */
		{ DUR_MS(2100), 2, NOTE_TAKE, 6, 3000, NOTE_HELD, 1, 5, 2900 },
		{ DUR_MS(5001), 2, NOTE_TAKE, 5, 3000, NOTE_STALE, 1, 5, 0 },
		{ DUR_MS(5002), 1, NOTE_TAKE, 5, 1000, NOTE_GRANTED, 1, 5,
		    1000 }, /* again, unchanged */
		{ DUR_MS(6002), 2, NOTE_TAKE, 6, 99999, NOTE_GRANTED, 2, 6,
		    10000 },						     /* the longest */
		{ DUR_MS(6003), 1, NOTE_GIVE, 9, 0, NOTE_HELD, 2, 6, 9999 }, /* not his to give */
		{ DUR_MS(6004), 2, NOTE_GIVE, 6, 0, NOTE_FREE, 2, 6, 0 },
		{ DUR_MS(6005), 1, NOTE_TAKE, 6, 1000, NOTE_STALE, 2, 6, 0 },
		{ DUR_MS(6006), 1, NOTE_TAKE, 7, 1000, NOTE_GRANTED, 1, 7, 1000 },
		{ DUR_MS(6007), 1, NOTE_TAKE, 9, 1000, NOTE_GRANTED, 1, 9, 1000 },
	};

	(void)state;
	witness_init(&w, 42, T0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct note a = put(rows[i].node, rows[i].word, rows[i].generation,
		    rows[i].lease_ms, OPEN + rows[i].at);

		assert_int_equal(a.word, rows[i].want);
		assert_int_equal(a.holder, rows[i].holder);
		assert_true(a.generation == rows[i].want_generation);
		assert_int_equal(a.lease_ms, rows[i].want_ms);
	}
	assert_int_equal(w.counter[NOTE_GRANTED], 7);
}

static void
test_witness_start(void **state)
{
	struct note a;

	(void)state;
	witness_init(&w, 42, T0);
	a = put(1, NOTE_TAKE, 1, 1000, T0 + 1);
	assert_int_equal(a.word, NOTE_WAIT);
	assert_int_equal(a.lease_ms, WITNESS_LEASE / 1000);
	assert_int_equal(put(1, NOTE_LOOK, 1, 1000, T0 + 2).word, NOTE_FREE);
	assert_int_equal(put(1, NOTE_TAKE, 1, 1000, OPEN - 1).word, NOTE_WAIT);
	assert_int_equal(put(1, NOTE_TAKE, 1, 1000, OPEN).word, NOTE_GRANTED);
}

/* Groups and clusters do not touch each other; the table is full at some point, and idle places are given on. */
static void
test_witness_places(void **state)
{
	struct note a, q = { .kind = NOTE_ASK,
		.node = 1,
		.word = NOTE_TAKE,
		.boot = 9,
		.seq = 1,
		.witness = 42,
		.stamp = OPEN,
		.generation = 1,
		.lease_ms = 1000 };

	(void)state;
	witness_init(&w, 42, T0);
	for (unsigned i = 0; i < WITNESS_CLUSTERS; i++) {
		q.cluster = 1000 + i;
		for (q.group = 0; q.group < NOTE_GROUPS; q.group++) {
			q.node = (uint8_t)(1 + (i + q.group) % 2);
			assert_true(witness_answer(&w, &q, OPEN, &a));
			assert_int_equal(a.word, NOTE_GRANTED);
		}
	}
	q.group = 0;
	q.cluster = 5;
	assert_false(witness_answer(&w, &q, OPEN, &a));
	assert_int_equal(a.word, NOTE_FULL);
	q.stamp = (uint64_t)(OPEN + WITNESS_IDLE + 1);
	(void)witness_answer(&w, &q, OPEN + WITNESS_IDLE + 1, &a);
	assert_int_equal(a.word, NOTE_GRANTED);
	assert_int_equal(w.clusters, WITNESS_CLUSTERS);
}

static void
test_witness_replay(void **state)
{
	struct note a, q = { .kind = NOTE_ASK,
		.node = 1,
		.word = NOTE_TAKE,
		.cluster = 77,
		.boot = 9,
		.seq = 5,
		.generation = 1,
		.lease_ms = 1000 };

	(void)state;
	witness_init(&w, 42, T0);
	(void)witness_answer(&w, &q, OPEN, &a);
	assert_int_equal(a.word, NOTE_PROVE);
	assert_true(a.witness == 42 && a.stamp == (uint64_t)OPEN);
	q.witness = a.witness;
	q.stamp = a.stamp;
	(void)witness_answer(&w, &q, OPEN + 10, &a);
	assert_int_equal(a.word, NOTE_GRANTED);
	(void)witness_answer(&w, &q, OPEN + 20, &a); /* again */
	assert_int_equal(a.word, NOTE_PROVE);
	q.seq = 4; /* the one before */
	(void)witness_answer(&w, &q, OPEN + 30, &a);
	assert_int_equal(a.word, NOTE_PROVE);
	q.seq = 6; /* new, with a stamp that is known */
	(void)witness_answer(&w, &q, OPEN + WITNESS_FRESH, &a);
	assert_int_equal(a.word, NOTE_GRANTED);
	q.seq = 7;
	(void)witness_answer(&w, &q, OPEN + WITNESS_FRESH + 1, &a);
	assert_int_equal(a.word, NOTE_PROVE); /* too old */
	/* a new start of the node: lower sequences, with a later stamp */
	q.boot = 10;
	q.seq = 1;
	q.stamp = a.stamp;
	(void)witness_answer(&w, &q, OPEN + WITNESS_FRESH + 2, &a);
	assert_int_equal(a.word, NOTE_GRANTED);
	/* a stamp that is yet to come */
	q.seq = 2;
	q.stamp = (uint64_t)(OPEN + DUR_S(50));
	(void)witness_answer(&w, &q, OPEN + WITNESS_FRESH + 3, &a);
	assert_int_equal(a.word, NOTE_PROVE);
	/* another start of the witness */
	witness_init(&w, 43, T0);
	q.seq = 3;
	(void)witness_answer(&w, &q, OPEN + WITNESS_FRESH + 4, &a);
	assert_int_equal(a.word, NOTE_PROVE);
	assert_true(a.witness == 43);
}

/* What the client sends now, as answered at once. */
static struct note
exchange(struct witness_client *c, mono_t now)
{
	struct note q, a;

	assert_true(now >= c->next);
	witness_client_make(c, now, &q);
	(void)witness_answer(&w, &q, now, &a);
	return a;
}

static void
test_client_take(void **state)
{
	struct witness_client c;
	struct note a, b;

	(void)state;
	witness_init(&w, 42, T0);
	witness_client_init(&c, 77, 1, 9, 0, DUR_MS(50), DUR_S(1));
	assert_true(witness_client_deadline(&c) == WITNESS_CLIENT_NEVER);
	witness_client_ask(&c, NOTE_TAKE, 3, 2560, OPEN);
	assert_true(witness_client_deadline(&c) == OPEN);
	a = exchange(&c, OPEN);
	assert_int_equal(a.word, NOTE_PROVE);
	assert_true(c.next == OPEN + DUR_MS(50));
	assert_false(witness_client_heard(&c, &a, OPEN + DUR_MS(4)));
	assert_true(c.next == OPEN + DUR_MS(4)); /* at once */
	a = exchange(&c, OPEN + DUR_MS(4));
	b = exchange(&c, OPEN + DUR_MS(54));
	assert_int_equal(b.word, NOTE_GRANTED);
	/* the answer to the first of two: its lease counts from its own sending */
	assert_true(witness_client_heard(&c, &a, OPEN + DUR_MS(60)));
	assert_int_equal(c.rtt, DUR_MS(56));
	assert_true(witness_client_holds(&c, 3, OPEN + DUR_MS(4) + DUR_MS(2550) - 1));
	assert_false(witness_client_holds(&c, 3, OPEN + DUR_MS(4) + DUR_MS(2550)));
	assert_false(witness_client_holds(&c, 4, OPEN + DUR_MS(100)));
	assert_false(witness_client_heard(&c, &b, OPEN + DUR_MS(70))); /* answered already */
	assert_int_equal(c.strays, 1);
	assert_true(witness_client_deadline(&c) == WITNESS_CLIENT_NEVER);
	/* given back: nothing is held from that moment, and the grant on its way is none */
	witness_client_ask(&c, NOTE_TAKE, 3, 2560, OPEN + DUR_MS(100));
	a = exchange(&c, OPEN + DUR_MS(100));
	witness_client_ask(&c, NOTE_GIVE, 3, 0, OPEN + DUR_MS(101));
	assert_false(witness_client_holds(&c, 3, OPEN + DUR_MS(101)));
	assert_false(witness_client_heard(&c, &a, OPEN + DUR_MS(102)));
	a = exchange(&c, OPEN + DUR_MS(103));
	assert_int_equal(a.word, NOTE_FREE);
	assert_true(witness_client_heard(&c, &a, OPEN + DUR_MS(104)));
	assert_false(witness_client_holds(&c, 3, OPEN + DUR_MS(104)));
}

static void
test_client_refused(void **state)
{
	struct witness_client c;
	struct note a;

	(void)state;
	witness_init(&w, 42, T0);
	assert_int_equal(put(2, NOTE_TAKE, 8, 3000, OPEN).word, NOTE_GRANTED);
	witness_client_init(&c, 77, 1, 9, 0, DUR_MS(50), DUR_S(1));
	witness_client_ask(&c, NOTE_TAKE, 9, 3000, OPEN + 1);
	a = exchange(&c, OPEN + 1);
	(void)witness_client_heard(&c, &a, OPEN + 2);
	a = exchange(&c, OPEN + 2);
	assert_true(witness_client_heard(&c, &a, OPEN + 3));
	assert_int_equal(c.word, NOTE_HELD);
	assert_int_equal(c.holder, 2);
	assert_true(c.holder_generation == 8);
	assert_int_equal(c.left_ms, 3000);
	assert_false(witness_client_holds(&c, 9, OPEN + 3));
}

/* No witness: retries until the limit; one that has just started: asks until it grants, or the limit. */
static void
test_client_silent(void **state)
{
	struct witness_client c;
	struct note n;
	mono_t now = OPEN;
	unsigned sent = 0;

	(void)state;
	witness_client_init(&c, 77, 1, 9, 0, DUR_MS(50), DUR_S(1));
	witness_client_ask(&c, NOTE_TAKE, 9, 3000, now);
	while (c.state == WITNESS_ASKING) {
		now = witness_client_deadline(&c);
		if (witness_client_tick(&c, now))
			break;
		witness_client_make(&c, now, &n);
		sent++;
	}
	assert_int_equal(c.state, WITNESS_SILENT);
	assert_true(now == OPEN + DUR_S(1));
	assert_int_equal(sent, 20);
	witness_init(&w, 42, OPEN);
	witness_client_ask(&c, NOTE_TAKE, 9, 3000, now);
	n = exchange(&c, now);
	assert_false(witness_client_heard(&c, &n, now));
	n = exchange(&c, now);
	assert_int_equal(n.word, NOTE_WAIT);
	assert_false(witness_client_heard(&c, &n, now));
	assert_int_equal(c.state, WITNESS_ASKING);
	assert_true(c.next == now + DUR_MS(50));
}

/* ---- random runs: two nodes, one witness, a network that loses, delays, doubles and repeats ---- */

#define POST 64
struct letter {
	struct note n;
	mono_t at; /* 0: none */
};
static struct letter post[POST], tape[POST];

static void
mail(const struct note *n, mono_t now, unsigned *seed)
{
	unsigned copies = (unsigned)rand_r(seed) % 10 == 0 ? 2 : (unsigned)rand_r(seed) % 5 != 0;

	tape[(unsigned)rand_r(seed) % POST].n = *n;
	while (copies-- > 0)
		post[(unsigned)rand_r(seed) % POST] = (struct letter){ *n,
			now + 1 +
			    (mono_t)((unsigned)rand_r(seed) % 8 == 0 ? rand_r(seed) % 4000000
								     : rand_r(seed) % 20000) };
}

static void
deliver(struct letter *l, struct witness_client c[2], mono_t now, const mono_t node_now[2],
    unsigned *seed)
{
	struct note a;

	if (l->n.kind == NOTE_ASK) {
		(void)witness_answer(&w, &l->n, now, &a);
		mail(&a, now, seed);
	} else if (l->n.kind == NOTE_ANSWER) {
		(void)witness_client_heard(&c[l->n.node - 1], &l->n, node_now[l->n.node - 1]);
	}
	l->at = 0;
}

static void
act(struct witness_client *c, mono_t now, unsigned *seed)
{
	unsigned dice = (unsigned)rand_r(seed) % 1000;
	uint32_t lease = 200 + (uint32_t)rand_r(seed) % 4000;
	struct note q;

	if (dice == 0)
		witness_client_init(
		    c, 77, c->node, (uint64_t)rand_r(seed) + 1, 0, DUR_MS(50), DUR_S(1));
	else if (dice < 30)
		witness_client_ask(c, NOTE_GIVE, c->held_generation, 0, now);
	else if (dice < 200 && c->state != WITNESS_ASKING)
		witness_client_ask(c, NOTE_TAKE,
		    now < c->until ? c->held_generation : c->holder_generation + 1, lease, now);
	(void)witness_client_tick(c, now);
	if (now >= c->next) {
		witness_client_make(c, now, &q);
		mail(&q, now, seed);
	}
}

static unsigned
run(unsigned *seed)
{
	struct witness_client c[2];
	unsigned grants = 0;

	memset(post, 0, sizeof(post));
	memset(tape, 0, sizeof(tape));
	witness_init(&w, (uint64_t)rand_r(seed) + 1, T0);
	for (uint8_t i = 0; i < 2; i++)
		witness_client_init(&c[i], 77, (uint8_t)(i + 1), i + 1U, 0, DUR_MS(50), DUR_S(1));
	for (mono_t t = T0; t < T0 + DUR_S(120); t += 1 + rand_r(seed) % 40000) {
		/* clocks that differ by 0.1 per cent each way, and began at other times */
		const mono_t node_now[2] = { t + t / 1000 + 12345, t - t / 1000 - 999999 };
		unsigned i = (unsigned)rand_r(seed) % POST;

		for (unsigned k = 0; k < POST; k++)
			if (post[k].at != 0 && post[k].at <= t)
				deliver(&post[k], c, t, node_now, seed);
		if (rand_r(seed) % 10 == 0)
			deliver(&tape[i], c, t, node_now, seed);
		if (rand_r(seed) % 2000 == 0)
			witness_init(&w, (uint64_t)rand_r(seed) + 1, t);
		for (unsigned k = 0; k < 2; k++)
			act(&c[k], node_now[k], seed);
		assert_false(node_now[0] < c[0].until && node_now[1] < c[1].until);
		grants += node_now[0] < c[0].until || node_now[1] < c[1].until;
	}
	return grants;
}

static void
test_witness_random(void **state)
{
	unsigned seed = (unsigned)time(NULL), held = 0;

	(void)state;
	printf("seed %u\n", seed);
	for (int i = 0; i < 40; i++)
		held += run(&seed);
	assert_true(held > 10000); /* it is not safe by never granting */
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_note_round),
		cmocka_unit_test(test_note_impossible),
		cmocka_unit_test(test_witness_table),
		cmocka_unit_test(test_witness_start),
		cmocka_unit_test(test_witness_places),
		cmocka_unit_test(test_witness_replay),
		cmocka_unit_test(test_client_take),
		cmocka_unit_test(test_client_refused),
		cmocka_unit_test(test_client_silent),
		cmocka_unit_test(test_witness_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
