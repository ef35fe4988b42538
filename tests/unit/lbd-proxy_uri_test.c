/* Paths in normal form. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/must.h"
#include "lbd-proxy/http/uri.h"

static const struct {
	const char *in, *out; /* NULL: refused */
} rows[] = {
	{ "/", "/" },
	{ "/a/b.html", "/a/b.html" },
	{ "/a/", "/a/" },
	{ "//", "/" },
	{ "//a///b//", "/a/b/" },
	{ "/./a/./b/.", "/a/b/" },
	{ "/a/../b", "/b" },
	{ "/a/b/..", "/a/" },
	{ "/a/b/../", "/a/" },
	{ "/a/b/../../c", "/c" },
	{ "/a/..", "/" },
	{ "/...", "/..." },
	{ "/.a/..b/c..", "/.a/..b/c.." },
	{ "/%61%62", "/ab" },
	{ "/%7euser", "/~user" },
	{ "/a%2fb", "/a%2Fb" },
	{ "/a%2Fb", "/a%2Fb" },
	{ "/%e4%f6", "/%E4%F6" },
	{ "/a/%2e%2E/b", "/b" },
	{ "/%2e/a", "/a" },
	{ "/a/.%2e", "/" },
	{ "/%252e", "/%252e" },
	{ "/a;b=c/d", "/a;b=c/d" },
	{ "/.;a", NULL },
	{ "/a/..;/b", NULL },
	{ "/a/%2e%2e;x=y/b", NULL },
	{ "/..", NULL },
	{ "/a/../../b", NULL },
	{ "/./..", NULL },
	{ "//..", NULL },
	{ "/%00", NULL },
	{ "/a%", NULL },
	{ "/a%2", NULL },
	{ "/%zz", NULL },
	{ "/%2g", NULL },
	{ "/%/a", NULL },
};

static void
test_rows(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		size_t n = strlen(rows[i].in), got = 0, again;
		char *out = malloc(n), *twice = malloc(n);
		enum uri_result r = uri_normalise(rows[i].in, n, out, &got);

		if ((r == URI_BAD) != (rows[i].out == NULL))
			fail_msg("%s: %d", rows[i].in, r);
		if (r != URI_BAD) {
			if (got != strlen(rows[i].out) || memcmp(out, rows[i].out, got) != 0)
				fail_msg("%s: %.*s", rows[i].in, (int)got, out);
			assert_int_equal(
			    r, strcmp(rows[i].in, rows[i].out) == 0 ? URI_SAME : URI_CHANGED);
			assert_int_equal(uri_normalise(out, got, twice, &again), URI_SAME);
		}
		free(out);
		free(twice);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
