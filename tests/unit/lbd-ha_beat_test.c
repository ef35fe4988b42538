/* Heartbeats: round trips, each way to be refused, and a later version's frame. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lbd-ha/core/beat.h"

#include "base/must.h"

#include <string.h>

static const uint8_t secret[SEAL_SECRET] = { 7, 7, 7 };
static const struct beat_self second = { .cluster = 0x1122334455667788, .node = 2 };

static struct seal
key(void)
{
	struct seal s;

	seal_init(&s, SEAL_BEAT);
	seal_set(&s, 0, secret);
	return s;
}

/* All fields differ, so that two exchanged ones are noticed. */
static struct beat
full(void)
{
	return (struct beat){
		.version = BEAT_VERSION,
		.node = 1,
		.carrier = 3,
		.flags = 0x8002,
		.cluster = second.cluster,
		.boot = 0xa1a2a3a4a5a6a7a8,
		.seq = 0xb1b2b3b4b5b6b7b8,
		.sent_us = 0xc1c2c3c4c5c6c7c8,
		.echo = { 0xd1d2d3d4d5d6d7d8, 0xe1e2e3e4e5e6e7e8, 0xf1f2f3f4f5f6f7f8, 0x01020304 },
		.ping_reachable = 0x11121314,
		.ping_count = 0x21,
		.schema = 0x3132,
		.suite = 0x41424344,
		.revision = 0x51525354,
		.hash_shared = 0x6162636465666768,
		.hash_own = 0x7172737475767778,
		.lag_ms = 0x81828384,
		.group = {
		    { 1, BEAT_TAKE | BEAT_WANT, 0x9192, 0x93949596, 0x999a9b9c9d9e9f90, 0x05060708,
			0x090a0b0c, 0x0d0e0f10, 0x15161718 },
		    { 2, BEAT_HAVE, 0xa192, 0xa3949596, 0xa99a9b9c9d9e9f90, 0xa5060708, 0xa90a0b0c,
			0xad0e0f10, 0xa5161718 },
		},
	};
}

static void
test_beat_round(void **state)
{
	struct seal s = key();
	struct beat a = full(), b;
	uint8_t wire[BEAT_LEN], again[BEAT_LEN];

	(void)state;
	assert_true(BEAT_LEN <= 192);
	memset(&b, 0, sizeof(b));
	beat_encode(&a, &s, wire);
	assert_int_equal(beat_decode(wire, sizeof(wire), &second, &s, &b), BEAT_GOOD);
	beat_encode(&b, &s, again);
	assert_memory_equal(wire, again, sizeof(wire));
	assert_memory_equal(b.group, a.group, sizeof(a.group));
	assert_memory_equal(&b.echo, &a.echo, sizeof(a.echo));
	assert_true(b.boot == a.boot && b.seq == a.seq && b.sent_us == a.sent_us);
	assert_true(b.hash_shared == a.hash_shared && b.hash_own == a.hash_own);
	assert_true(b.revision == a.revision && b.suite == a.suite && b.schema == a.schema);
	assert_true(b.lag_ms == a.lag_ms && b.flags == a.flags && b.carrier == a.carrier);
	assert_true(b.ping_reachable == a.ping_reachable && b.ping_count == a.ping_count);
}

/* The places of the picture in the header: they never move. */
static void
test_beat_places(void **state)
{
	struct seal s = key();
	struct beat a = full();
	uint8_t w[BEAT_LEN];

	(void)state;
	beat_encode(&a, &s, w);
	assert_memory_equal(w, "lbdb\x01\x01\x03", 7);
	assert_int_equal(w[7], seal_id(&s));
	assert_int_equal(w[8], 0x80);
	assert_int_equal(w[11], BEAT_LEN);
	assert_int_equal(w[12], 0x11);
	assert_int_equal(w[20], 0xa1);
	assert_int_equal(w[28], 0xb1);
	assert_int_equal(w[36], 0xc1);
	assert_int_equal(w[44], 0xd1);
	assert_int_equal(w[60], 0xf1);
	assert_int_equal(w[68], 0x01);
	assert_int_equal(w[72], 0x11);
	assert_int_equal(w[76], 0x21);
	assert_int_equal(w[77], 0);
	assert_int_equal(w[78], 0x31);
	assert_int_equal(w[80], 0x41);
	assert_int_equal(w[84], 0x51);
	assert_int_equal(w[88], 0x61);
	assert_int_equal(w[96], 0x71);
	assert_int_equal(w[104], 0x81);
	assert_int_equal(w[108], 1);
	assert_int_equal(w[110], 0x91);
	assert_int_equal(w[116], 0x99);
	assert_int_equal(w[140], 2);
	assert_int_equal(w[168], 0xa5);
}

static void
test_beat_refused(void **state)
{
	static const struct {
		unsigned at;
		uint8_t to;
		bool seal; /* anew, with the right key */
		enum beat_fault want;
	} rows[] = {
		{ 0, 'L', true, BEAT_MAGIC },
		{ 4, 0, true, BEAT_OLD },
		{ 5, 2, true, BEAT_OWN },
		{ 5, 0, true, BEAT_NODE },
		{ 5, 3, true, BEAT_NODE },
		{ 6, BEAT_CARRIERS, true, BEAT_VALUE },
		{ 6, 255, true, BEAT_VALUE },
		{ 11, BEAT_LEN - 1, true, BEAT_SHORT },
		{ 11, BEAT_LEN + 1, true, BEAT_SHORT },
		{ 12, 0, true, BEAT_CLUSTER },
		{ 19, 0, true, BEAT_CLUSTER },
		{ 20, 0, false, BEAT_SEAL },
		{ BEAT_LEN - 1, 0, false, BEAT_SEAL },
		{ BEAT_BODY - 1, 0, false, BEAT_SEAL },
	};
	struct seal s = key();
	struct beat a = full(), b;

	(void)state;
	memset(&b, 0x55, sizeof(b));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint8_t w[BEAT_LEN];

		beat_encode(&a, &s, w);
		w[rows[i].at] = rows[i].to == w[rows[i].at] ? 0xff : rows[i].to;
		if (rows[i].seal)
			seal_put(&s, w, BEAT_BODY, w + BEAT_BODY);
		assert_int_equal(beat_decode(w, sizeof(w), &second, &s, &b), rows[i].want);
		assert_int_equal(b.node, 0x55);
	}
	for (unsigned i = 0; i < 2; i++) {
		uint8_t w[BEAT_LEN];

		a = full();
		*(i ? &a.boot : &a.seq) = 0;
		beat_encode(&a, &s, w);
		assert_int_equal(beat_decode(w, sizeof(w), &second, &s, &b), BEAT_VALUE);
	}
}

static void
test_beat_key(void **state)
{
	static const uint8_t other[SEAL_SECRET] = { 8 };
	struct seal s = key(), t = key();
	struct beat a = full(), b;
	uint8_t w[BEAT_LEN];

	(void)state;
	seal_set(&t, 0, other);
	beat_encode(&a, &t, w);
	assert_int_equal(beat_decode(w, sizeof(w), &second, &s, &b), BEAT_KEY);
	seal_set(&s, 1, other);
	assert_int_equal(beat_decode(w, sizeof(w), &second, &s, &b), BEAT_GOOD);
}

/* Every truncation, every flipped bit. */
static void
test_beat_damage(void **state)
{
	struct seal s = key();
	struct beat a = full(), b;
	uint8_t w[BEAT_LEN + 1] = { 0 };

	(void)state;
	beat_encode(&a, &s, w);
	for (size_t n = 0; n < BEAT_LEN; n++)
		assert_int_equal(beat_decode(w, n, &second, &s, &b), BEAT_SHORT);
	assert_int_equal(beat_decode(w, BEAT_LEN + 1, &second, &s, &b), BEAT_LONG);
	for (unsigned i = 0; i < BEAT_LEN * 8; i++) {
		w[i / 8] ^= (uint8_t)(1U << i % 8);
		assert_int_not_equal(beat_decode(w, BEAT_LEN, &second, &s, &b), BEAT_GOOD);
		w[i / 8] ^= (uint8_t)(1U << i % 8);
	}
	assert_int_equal(beat_decode(w, BEAT_LEN, &second, &s, &b), BEAT_GOOD);
}

/* 40 bytes more between the groups and the seal. */
static void
test_beat_later_version(void **state)
{
	struct seal s = key();
	struct beat a = full(), b;
	uint8_t w[BEAT_MAX + 8] = { 0 };
	const size_t more = 40, len = BEAT_LEN + more;

	(void)state;
	beat_encode(&a, &s, w);
	memset(w + BEAT_BODY, 0xee, more);
	w[11] = (uint8_t)len;
	seal_put(&s, w, BEAT_BODY + more, w + BEAT_BODY + more);
	assert_int_equal(beat_decode(w, len, &second, &s, &b), BEAT_LONG); /* not in version 1 */
	w[4] = 2;
	assert_int_equal(beat_decode(w, len, &second, &s, &b), BEAT_SEAL);
	seal_put(&s, w, BEAT_BODY + more, w + BEAT_BODY + more);
	assert_int_equal(beat_decode(w, len, &second, &s, &b), BEAT_GOOD);
	assert_int_equal(b.version, 2);
	assert_memory_equal(b.group, a.group, sizeof(a.group));
	assert_int_equal(beat_decode(w, len - 1, &second, &s, &b), BEAT_SHORT);
	w[10] = (BEAT_MAX + 8) >> 8;
	w[11] = (BEAT_MAX + 8) & 0xff;
	assert_int_equal(beat_decode(w, BEAT_MAX + 8, &second, &s, &b), BEAT_LONG);
}

static void
test_beat_words(void **state)
{
	(void)state;
	for (int i = 0; i < BEAT_FAULTS; i++)
		assert_non_null(beat_fault_word((enum beat_fault)i));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_beat_round),
		cmocka_unit_test(test_beat_places),
		cmocka_unit_test(test_beat_refused),
		cmocka_unit_test(test_beat_key),
		cmocka_unit_test(test_beat_damage),
		cmocka_unit_test(test_beat_later_version),
		cmocka_unit_test(test_beat_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
