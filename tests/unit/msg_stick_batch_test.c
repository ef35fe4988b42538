/* Batches of what was learned: written and read again, order of records, and bytes that are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/must.h"
#include "msg/msg.h"
#include "msg/stick_batch.h"

static struct stick_record
record(uint32_t n)
{
	return (struct stick_record){ .kind = STICK_PERSIST,
		.key_kind = STICK_ADDR6,
		.key = { 0x20, 1, 0xd, 0xb8, (uint8_t)(n >> 8), (uint8_t)n },
		.service = 7,
		.value = n + 1,
		.left_ms = 1800000,
		.generation = 3,
		.stamp = STICK_STAMP_MAX - n };
}

static bool
same(const struct stick_record *a, const struct stick_record *b)
{
	return a->kind == b->kind && a->key_kind == b->key_kind && a->flags == b->flags &&
	       memcmp(a->key, b->key, 16) == 0 && a->service == b->service &&
	       a->value == b->value && a->left_ms == b->left_ms && a->generation == b->generation &&
	       a->stamp == b->stamp;
}

static void
test_round_trip(void **state)
{
	struct buf b = { 0 };
	struct stick_batch in;
	struct stick_record r, got;
	unsigned n = 0;

	(void)state;
	stick_batch_begin(&b);
	while (r = record(n), stick_batch_put(&b, &r))
		n++;
	assert_int_equal(n, STICK_BATCH_MOST);
	assert_int_equal(stick_batch_count(&b), n);
	assert_int_equal(b.len, STICK_BATCH_HEAD + n * STICK_RECORD);
	assert_true(b.len + 64 < MSG_MAX); /* fits a message */
	assert_int_equal(stick_batch_open(b.p, b.len, &in), 0);
	for (unsigned i = 0; i < n; i++) {
		r = record(i);
		assert_true(stick_batch_next(&in, &got));
		assert_true(same(&r, &got));
	}
	assert_false(stick_batch_next(&in, &got));
	stick_batch_begin(&b); /* empty: a batch all the same */
	assert_int_equal(stick_batch_open(b.p, b.len, &in), 0);
	assert_false(stick_batch_next(&in, &got));
	buf_fini(&b);
}

/* A kind of a newer version passes, whatever its fields mean there. */
static void
test_unknown_kind(void **state)
{
	struct stick_record r = { .kind = 200, .key_kind = 99, .flags = 0x82, .stamp = 1 }, got;
	struct buf b = { 0 };
	struct stick_batch in;

	(void)state;
	stick_batch_begin(&b);
	assert_true(stick_batch_put(&b, &r));
	assert_int_equal(stick_batch_open(b.p, b.len, &in), 0);
	assert_true(stick_batch_next(&in, &got));
	assert_true(same(&r, &got));
	buf_fini(&b);
}

static void
test_what_cannot_be(void **state)
{
	static const struct {
		struct stick_record r;
		const char *why;
	} bad[] = {
		{ { .kind = 0, .service = 1, .value = 1 }, "no kind" },
		{ { .kind = STICK_PERSIST, .service = 0, .value = 1 }, "no service" },
		{ { .kind = STICK_PERSIST, .service = 1, .value = 0 }, "no server" },
		{ { .kind = STICK_PERSIST, .service = 1, .value = 1, .flags = STICK_GONE },
		    "gone, and at a server" },
		{ { .kind = STICK_PERSIST, .service = 1, .value = 1, .key_kind = STICK_KINDS },
		    "no kind of key" },
		{ { .kind = STICK_PERSIST, .service = 1, .value = 1, .stamp = UINT64_MAX },
		    "nothing could be later" },
	};
	struct buf b = { 0 };
	struct stick_batch in;
	struct stick_record good = record(1);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		stick_batch_begin(&b);
		assert_true(stick_batch_put(&b, &good));
		assert_true(stick_batch_put(&b, &bad[i].r));
		if (stick_batch_open(b.p, b.len, &in) != ERR_PROTO)
			fail_msg("%s", bad[i].why);
	}
	buf_fini(&b);
}

/* Every length but the right one, another version, another count. */
static void
test_truncated(void **state)
{
	struct buf b = { 0 };
	struct stick_batch in;
	struct stick_record r = record(0);

	(void)state;
	stick_batch_begin(&b);
	for (unsigned i = 0; i < 3; i++)
		assert_true(stick_batch_put(&b, &r));
	for (size_t n = 0; n < b.len; n++)
		assert_int_equal(stick_batch_open(b.p, n, &in), ERR_PROTO);
	buf_put(&b, "", 1);
	assert_int_equal(stick_batch_open(b.p, b.len, &in), ERR_PROTO);
	b.len--;
	b.p[3] = 2;
	assert_int_equal(stick_batch_open(b.p, b.len, &in), ERR_PROTO);
	b.p[3] = 3;
	b.p[0] = 2;
	assert_int_equal(stick_batch_open(b.p, b.len, &in), ERR_PROTO);
	buf_fini(&b);
}

static void
test_later(void **state)
{
	static const struct {
		struct stick_record a, b;
		const char *why;
	} row[] = {
		{ { .generation = 2, .stamp = 1 }, { .generation = 1, .stamp = 9 },
		    "the generation first" },
		{ { .generation = 1, .stamp = 2 }, { .generation = 1, .stamp = 1 },
		    "then the stamp" },
		{ { .stamp = 1, .flags = STICK_GONE }, { .stamp = 1, .value = 9 },
		    "then what is gone" },
		{ { .stamp = 1, .value = 2 }, { .stamp = 1, .value = 1 }, "then the higher value" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		if (!stick_later(&row[i].a, &row[i].b) || stick_later(&row[i].b, &row[i].a) ||
		    stick_later(&row[i].a, &row[i].a))
			fail_msg("%s", row[i].why);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_unknown_kind),
		cmocka_unit_test(test_what_cannot_be),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_later),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
