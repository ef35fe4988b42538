/* Arenas: zeroed and aligned pieces, text, pieces larger than a chunk, and references. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"

#include <string.h>

static void
test_arena_pieces(void **state)
{
	struct arena *a = arena_new(256);
	unsigned char *last = NULL;

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		size_t n = i % 97;
		unsigned char *p = arena_alloc(a, n);

		assert_int_equal((uintptr_t)p % 8, 0);
		for (size_t j = 0; j < n; j++)
			assert_int_equal(p[j], 0);
		if (n > 0) {
			memset(p, 0xff, n); /* must not reach the next piece */
			assert_ptr_not_equal(p, last);
			last = p;
		}
	}
	assert_true(arena_bytes(a) >= 1000 * 48);
	arena_unref(a);
}

static void
test_arena_text(void **state)
{
	struct arena *a = arena_new(64);
	const char *one = arena_text(a, "abc and more", 3), *none = arena_text(a, NULL, 0);
	uint64_t *number = arena_alloc(a, sizeof(*number));

	(void)state;
	assert_string_equal(one, "abc");
	assert_string_equal(none, "");
	assert_int_equal((uintptr_t)number % 8, 0);
	*number = UINT64_MAX;
	assert_string_equal(one, "abc");
	arena_unref(a);
}

static void
test_arena_large_piece(void **state)
{
	struct arena *a = arena_new(64);
	char *small = arena_text(a, "x", 1), *large = arena_alloc(a, 100000);

	(void)state;
	memset(large, 1, 100000);
	assert_string_equal(small, "x");
	assert_true(arena_bytes(a) >= 100064);
	arena_unref(a);
}

static void
test_arena_references(void **state)
{
	struct arena *a = arena_new(64);
	const char *text = arena_text(a, "still there", 11);

	(void)state;
	assert_ptr_equal(arena_ref(a), a);
	arena_unref(a);
	assert_string_equal(text, "still there");
	arena_unref(a); /* the last: a leak checker sees that all is gone */
	arena_unref(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_arena_pieces),
		cmocka_unit_test(test_arena_text),
		cmocka_unit_test(test_arena_large_piece),
		cmocka_unit_test(test_arena_references),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
