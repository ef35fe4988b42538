/* Objects of one size: each has its place, places are used again, blocks come and go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/slab.h"

#include <string.h>

#define MANY 5000
/* Under a sanitizer each object is malloc's, and there are no blocks. */
static bool
has_blocks(struct slab *s)
{
	void *p = slab_get(s);
	bool has = s->blocks == 1;

	slab_put(s, p);
	return has;
}

static void
fill(uint8_t *p, size_t n, unsigned i)
{
	for (size_t k = 0; k < n; k++)
		assert_int_equal(p[k], 0);
	memset(p, (int)(i % 255 + 1), n);
}

static void
check(const uint8_t *p, size_t n, unsigned i)
{
	for (size_t k = 0; k < n; k++)
		assert_int_equal(p[k], i % 255 + 1);
}

static void
test_places(void **state)
{
	static const size_t sizes[] = { 1, 16, 72, 312, SLAB_BLOCK / 8 };
	static uint8_t *p[MANY];

	(void)state;
	for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
		unsigned n = sizes[k] > 1000 ? 100 : MANY, most;
		struct slab s;

		slab_init(&s, sizes[k]);
		for (unsigned i = 0; i < n; i++) {
			p[i] = slab_get(&s);
			assert_non_null(p[i]);
			assert_int_equal((uintptr_t)p[i] % 16, 0);
			fill(p[i], sizes[k], i);
		}
		most = s.blocks;
		assert_true(most <= n * (sizes[k] + 15) / (SLAB_BLOCK - SLAB_BLOCK / 8) + 1);
		for (unsigned i = 0; i < n; i += 2) { /* every second goes and comes again */
			check(p[i], sizes[k], i);
			slab_put(&s, p[i]);
		}
		for (unsigned i = 0; i < n; i += 2)
			fill(p[i] = slab_get(&s), sizes[k], i);
		assert_int_equal(s.blocks, most);
		for (unsigned i = 0; i < n; i++) {
			check(p[i], sizes[k], i);
			slab_put(&s, p[i]);
		}
		assert_true(s.blocks <= 1);
		slab_put(&s, NULL);
		slab_fini(&s);
		assert_int_equal(s.blocks, 0);
	}
}

/* One that comes and goes costs no block; of two empty ones one goes back. */
static void
test_blocks(void **state)
{
	static void *p[MANY];
	struct slab s;
	unsigned n = 0;

	(void)state;
	slab_init(&s, 208);
	if (!has_blocks(&s))
		skip();
	assert_int_equal(s.blocks, 1);
	while (s.blocks < 3)
		p[n++] = slab_get(&s);
	slab_put(&s, p[--n]);
	assert_int_equal(s.blocks, 3); /* empty, but nowhere else is room */
	while (n > 1)
		slab_put(&s, p[--n]);
	assert_int_equal(s.blocks, 2); /* the first has one object, and one is kept */
	slab_put(&s, p[0]);
	assert_int_equal(s.blocks, 1);
	slab_fini(&s);
	assert_int_equal(s.blocks, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_blocks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
