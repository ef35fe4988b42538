/* The growing writer and the bounded reader. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"

#include <string.h>

static void
test_buf_empty(void **state)
{
	struct buf b = { 0 };

	(void)state;
	assert_string_equal(buf_text(&b), "");
	assert_int_equal(b.len, 0);
	buf_put(&b, NULL, 0);
	buf_fini(&b);
	assert_null(b.p);
	buf_fini(&b);
}

static void
test_buf_grows(void **state)
{
	struct buf b = { 0 };
	size_t want = 0;

	(void)state;
	for (unsigned i = 0; i < 2000; i++) {
		buf_printf(&b, "%u,", i);
		buf_puts(&b, "x");
		want += 2 + (i < 10 ? 1 : i < 100 ? 2 : i < 1000 ? 3 : 4);
	}
	assert_int_equal(b.len, want);
	assert_int_equal(strlen(buf_text(&b)), want);
	assert_memory_equal(b.p, "0,x1,x2,x", 9);
	assert_string_equal(buf_text(&b) + want - 12, "1998,x1999,x");
	buf_fini(&b);
}

static void
test_buf_text_is_no_part(void **state)
{
	struct buf b = { 0 };

	(void)state;
	buf_puts(&b, "ab");
	assert_string_equal(buf_text(&b), "ab");
	buf_puts(&b, "c");
	assert_string_equal(buf_text(&b), "abc");
	assert_int_equal(b.len, 3);
	buf_fini(&b);
}

static void
test_buf_be(void **state)
{
	struct buf b = { 0 };
	struct rd r;

	(void)state;
	buf_put_be(&b, 0x0102, 2);
	buf_put_be(&b, 0xfffefdfc, 4);
	buf_put_be(&b, UINT64_MAX - 1, 8);
	buf_patch_be(&b, 0, 0xabcd, 2);
	assert_memory_equal(b.p, "\xab\xcd\xff\xfe\xfd\xfc", 6);
	r = (struct rd){ .p = b.p, .left = b.len };
	assert_int_equal(rd_be(&r, 2), 0xabcd);
	assert_int_equal(rd_be(&r, 4), 0xfffefdfc);
	assert_true(rd_be(&r, 8) == UINT64_MAX - 1);
	assert_true(!r.bad && r.left == 0);
	buf_fini(&b);
}

static void
test_rd_past_the_end(void **state)
{
	struct rd r = { .p = (const uint8_t *)"\1\2\3", .left = 3 };

	(void)state;
	assert_int_equal(rd_be(&r, 2), 0x0102);
	assert_int_equal(rd_be(&r, 2), 0);
	assert_true(r.bad);
	/* and so is every later read, also of what would fit */
	assert_int_equal(rd_be(&r, 1), 0);
	assert_null(rd_bytes(&r, 0));
	assert_null(rd_bytes(&r, SIZE_MAX));
}

static void
test_rd_sub(void **state)
{
	struct rd r = { .p = (const uint8_t *)"abcdef", .left = 6 }, s;

	(void)state;
	s = rd_sub(&r, 2);
	assert_int_equal(s.left, 2);
	assert_memory_equal(rd_bytes(&s, 2), "ab", 2);
	assert_null(rd_bytes(&s, 1)); /* what stands behind is not its own */
	assert_true(s.bad && !r.bad);
	assert_memory_equal(rd_bytes(&r, 4), "cdef", 4);
	s = rd_sub(&r, 1);
	assert_true(s.bad && r.bad && s.left == 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_buf_empty),
		cmocka_unit_test(test_buf_grows),
		cmocka_unit_test(test_buf_text_is_no_part),
		cmocka_unit_test(test_buf_be),
		cmocka_unit_test(test_rd_past_the_end),
		cmocka_unit_test(test_rd_sub),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
