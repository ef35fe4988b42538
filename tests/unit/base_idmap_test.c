/* Ids to pointers, against a plain array, with many additions and removals. */
#include "base/idmap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define IDS 500

static void
test_like_an_array(void **state)
{
	static char thing[IDS + 1], *known[IDS + 1];
	struct idmap m = { 0 };
	unsigned i, n;
	uint32_t at, id;
	char *p;

	(void)state;
	srand(3);
	assert_null(idmap_get(&m, 5));
	assert_null(idmap_take(&m, 5));
	idmap_put(&m, 5, NULL);
	assert_int_equal(m.n, 0);
	for (i = 0; i < 100000; i++) {
		id = 1 + (uint32_t)rand() % IDS;
		p = rand() % 2 ? &thing[id] : NULL;
		if (p == NULL && rand() % 2)
			assert_ptr_equal(idmap_take(&m, id), known[id]);
		idmap_put(&m, id, p);
		known[id] = p;
		id = 1 + (uint32_t)rand() % IDS;
		assert_ptr_equal(idmap_get(&m, id), known[id]);
	}
	for (i = 1, n = 0; i <= IDS; i++) {
		assert_ptr_equal(idmap_get(&m, i), known[i]);
		n += known[i] != NULL;
	}
	assert_int_equal(m.n, n);
	for (at = 0; (p = idmap_next(&m, &at, &id)) != NULL; n--)
		assert_ptr_equal(p, known[id]);
	assert_int_equal(n, 0);
	idmap_fini(&m);
	at = 0;
	assert_null(idmap_next(&m, &at, NULL));
}

static void
test_replaces(void **state)
{
	struct idmap m = { 0 };
	char a, b;

	(void)state;
	idmap_put(&m, 7, &a);
	idmap_put(&m, 7, &b);
	assert_int_equal(m.n, 1);
	assert_ptr_equal(idmap_take(&m, 7), &b);
	assert_null(idmap_get(&m, 7));
	idmap_fini(&m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_like_an_array),
		cmocka_unit_test(test_replaces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
