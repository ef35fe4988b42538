/* The mirror: the later record wins, followers miss nothing and get each entry once, a full one forgets the oldest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "mirror.h"

static const uint64_t key[2] = { 0x9e3779b97f4a7c15, 0xd1b54a32d192ed03 };

static struct stick_record
record(uint32_t client, uint32_t server, uint64_t stamp)
{
	struct stick_record r = { .kind = STICK_PERSIST,
		.service = 1,
		.value = server,
		.flags = server == 0 ? STICK_GONE : 0,
		.left_ms = 60000,
		.stamp = stamp };

	memcpy(r.key, &client, sizeof(client));
	return r;
}

static bool
put(struct mirror *m, uint32_t client, uint32_t server, uint64_t stamp, mono_t now)
{
	struct stick_record r = record(client, server, stamp);

	return mirror_put(m, &r, MIRROR_PROXY, now);
}

static uint32_t
look(const struct mirror *m, uint32_t client, mono_t now)
{
	struct stick_record k = record(client, 1, 0), got;

	return mirror_find(m, &k, now, &got) ? got.value : UINT32_MAX;
}

static void
test_later_wins(void **state)
{
	struct mirror *m = mirror_new(100, key, 0);
	struct stick_record r = record(1, 5, 1);

	(void)state;
	assert_true(put(m, 1, 2, 10, 0));
	assert_false(put(m, 1, 3, 9, 0));
	assert_int_equal(look(m, 1, 0), 2);
	assert_false(put(m, 1, 2, 10, 0)); /* the same again is no change */
	assert_true(put(m, 1, 0, 11, 0));
	assert_int_equal(look(m, 1, 0), 0);
	assert_false(put(m, 1, 2, 10, 0)); /* what is gone does not come back */
	r.generation = 1;
	assert_true(mirror_put(m, &r, MIRROR_PEER, 0));
	assert_int_equal(look(m, 1, 0), 5);
	assert_int_equal(mirror_stamp(m), 11);
	assert_int_equal(mirror_count(m), 1);
	assert_int_equal(mirror_seq(m), 3);
	mirror_free(m);
}

/* Lives are told to the millisecond, kept to 64 of them, and never get longer on the way. */
static void
test_life(void **state)
{
	struct mirror *m = mirror_new(100, key, 12345);
	struct stick_record r = record(1, 2, 1), got;

	(void)state;
	r.left_ms = UINT32_MAX;
	assert_true(mirror_put(m, &r, MIRROR_PROXY, 12345));
	assert_true(mirror_find(m, &r, 12345, &got));
	assert_true(got.left_ms > UINT32_MAX - 65 && got.left_ms <= r.left_ms);
	for (uint32_t ms = 100; ms < 1000; ms += 7) {
		r.left_ms = ms;
		r.stamp++;
		assert_true(mirror_put(m, &r, MIRROR_PROXY, DUR_MS(ms)));
		assert_true(mirror_find(m, &r, DUR_MS(ms), &got));
		assert_true(got.left_ms <= ms && got.left_ms + 64 >= ms);
		assert_false(mirror_find(m, &r, DUR_MS(2 * ms), &got));
	}
	r.service = 2;
	r.left_ms = 0;
	assert_false(mirror_put(m, &r, MIRROR_PROXY, 0)); /* already over */
	mirror_free(m);
}

/* Reads everything; returns how many, values in order. */
static unsigned
read_all(struct mirror *m, struct mirror_cursor *c, mono_t now, uint32_t *clients, unsigned room)
{
	struct buf b = { 0 };
	struct stick_batch in;
	struct stick_record r;
	unsigned n = 0;

	while (mirror_behind(m, c)) {
		(void)mirror_read(m, c, 3, now, &b);
		assert_int_equal(stick_batch_open(b.p, b.len, &in), 0);
		while (stick_batch_next(&in, &r)) {
			assert_true(n < room);
			memcpy(&clients[n++], r.key, sizeof(uint32_t));
		}
	}
	buf_fini(&b);
	return n;
}

static void
test_follow(void **state)
{
	struct mirror *m = mirror_new(100, key, 0);
	struct mirror_cursor c, late, skips;
	uint32_t got[100];
	uint64_t seq;

	(void)state;
	for (uint32_t i = 1; i <= 10; i++)
		assert_true(put(m, i, 1, i, 0));
	mirror_follow(m, &c, 0, 0);
	mirror_follow(m, &skips, 0, MIRROR_PROXY);
	assert_int_equal(read_all(m, &c, 0, got, 100), 10);
	assert_int_equal(got[0], 1);
	assert_int_equal(got[9], 10);
	assert_int_equal(read_all(m, &skips, 0, got, 100), 10); /* what was before is whole */
	seq = c.seq;
	for (uint64_t stamp = 100; stamp < 150; stamp++) /* often changed: told once */
		assert_true(put(m, 10, 2, stamp, 0));
	assert_true(put(m, 3, 2, 200, 0));
	assert_int_equal(read_all(m, &c, 0, got, 100), 2);
	assert_int_equal(got[0], 10);
	assert_int_equal(got[1], 3);
	assert_int_equal(read_all(m, &skips, 0, got, 100), 0); /* its own news */
	mirror_follow(m, &late, seq, 0);		       /* came back: only what it missed */
	assert_int_equal(read_all(m, &late, 0, got, 100), 2);
	mirror_leave(&late);
	mirror_leave(&late);
	late = (struct mirror_cursor){ 0 };
	mirror_leave(&late);
	mirror_leave(&c);
	mirror_leave(&skips);
	mirror_free(m);
}

/* Of the kinds that are wanted only; unknown ones are kept. */
static void
test_kinds(void **state)
{
	struct mirror *m = mirror_new(100, key, 0);
	struct stick_record other = record(7, 9, 5), got;
	struct mirror_cursor c;
	uint32_t clients[10];

	(void)state;
	other.kind = 77;
	assert_true(put(m, 7, 1, 1, 0));
	assert_true(mirror_put(m, &other, MIRROR_PEER, 0));
	assert_int_equal(mirror_count(m), 2);
	assert_true(mirror_find(m, &other, 0, &got) && got.value == 9 && got.kind == 77);
	mirror_follow(m, &c, 0, 0);
	assert_int_equal(read_all(m, &c, 0, clients, 10), 2);
	mirror_leave(&c);
	mirror_follow(m, &c, 0, 0);
	c.kinds = 1u << STICK_PERSIST;
	assert_int_equal(read_all(m, &c, 0, clients, 10), 1);
	mirror_leave(&c);
	mirror_forget(m, 77, other.key_kind);
	assert_false(mirror_find(m, &other, 0, &got));
	assert_int_equal(look(m, 7, 0), 1);
	mirror_free(m);
}

static void
test_full(void **state)
{
	struct mirror *m = mirror_new(100, key, 0);
	struct mirror_cursor c;
	uint32_t got[200];

	(void)state;
	mirror_follow(m, &c, 0, 0);
	for (uint32_t i = 1; i <= 100; i++)
		assert_true(put(m, i, 1, i, 0));
	assert_true(put(m, 1, 2, 500, 0)); /* changed: not the oldest any more */
	for (uint32_t i = 101; i <= 150; i++)
		assert_true(put(m, i, 1, 500 + i, 0));
	assert_int_equal(mirror_count(m), 100);
	assert_int_equal(look(m, 1, 0), 2);
	assert_int_equal(look(m, 2, 0), UINT32_MAX);
	assert_int_equal(look(m, 51, 0), UINT32_MAX);
	assert_int_equal(look(m, 52, 0), 1);
	assert_int_equal(read_all(m, &c, 0, got, 200), 100);
	mirror_leave(&c);
	/* Expired ones go first. */
	for (uint32_t i = 1000; i < 1100; i++)
		assert_true(put(m, i, 1, 2000 + i, DUR_S(100)));
	assert_true(mirror_count(m) <= 100);
	for (uint32_t i = 1000; i < 1100; i++)
		assert_int_equal(look(m, i, DUR_S(100)), 1);
	mirror_free(m);
}

/* Two mirrors that follow each other, changed at random and read now and then, end equal; nobody sees an echo forever. */
static void
test_two_converge(void **state)
{
	struct mirror *m[2] = { mirror_new(5000, key, 0), mirror_new(5000, key, 0) };
	struct mirror_cursor c[2];
	struct buf b = { 0 };
	unsigned seed = 20240611, rounds = 0;

	(void)state;
	print_message("seed %u\n", seed);
	for (unsigned k = 0; k < 2; k++)
		mirror_follow(m[k], &c[k], 0, MIRROR_PEER);
	for (unsigned i = 0; i < 40000; i++) {
		unsigned k = (unsigned)rand_r(&seed) % 2;
		uint32_t client = (uint32_t)rand_r(&seed) % 1000;

		(void)put(
		    m[k], client, (uint32_t)rand_r(&seed) % 4, mirror_stamp(m[k]) + 1, (mono_t)i);
		if (rand_r(&seed) % 50 == 0) {
			(void)mirror_read(m[k], &c[k], 100, (mono_t)i, &b);
			assert_true(mirror_merge(m[!k], b.p, b.len, MIRROR_PEER, (mono_t)i) >= 0);
		}
	}
	for (; mirror_behind(m[0], &c[0]) || mirror_behind(m[1], &c[1]); rounds++) {
		for (unsigned k = 0; k < 2; k++) {
			(void)mirror_read(m[k], &c[k], 100, 40000, &b);
			assert_true(mirror_merge(m[!k], b.p, b.len, MIRROR_PEER, 40000) >= 0);
		}
		assert_true(rounds < 1000);
	}
	for (uint32_t i = 0; i < 1000; i++)
		assert_int_equal(look(m[0], i, 40000), look(m[1], i, 40000));
	buf_fini(&b);
	for (unsigned k = 0; k < 2; k++) {
		mirror_leave(&c[k]);
		mirror_free(m[k]);
	}
}

static void
test_batch_of_nonsense(void **state)
{
	struct mirror *m = mirror_new(10, key, 0);

	(void)state;
	assert_int_equal(mirror_merge(m, "\1\0\0\1xx", 6, MIRROR_PEER, 0), ERR_PROTO);
	assert_int_equal(mirror_merge(m, NULL, 0, MIRROR_PEER, 0), ERR_PROTO);
	assert_int_equal(mirror_count(m), 0);
	mirror_free(m);
	mirror_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_later_wins),
		cmocka_unit_test(test_life),
		cmocka_unit_test(test_follow),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_two_converge),
		cmocka_unit_test(test_batch_of_nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
