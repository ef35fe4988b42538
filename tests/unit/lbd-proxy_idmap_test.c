/* Ids to pointers, against a plain array, with many additions and removals. */
#include "lbd-proxy/idmap.h"

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
	idmap_put(&m, 5, NULL);
	for (i = 0; i < 100000; i++) {
		id = 1 + (uint32_t)rand() % IDS;
		p = rand() % 2 ? &thing[id] : NULL;
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
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_like_an_array) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
