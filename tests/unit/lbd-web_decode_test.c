/* Forms, paths and cookies: what is read, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/must.h"
#include "lbd-web/server/decode.h"

#include <string.h>

static const struct pair_row {
	const char *in, *name, *value; /* name NULL: refused */
} pair_rows[] = {
	{ "a=1", "a", "1" }, { "a=1&b=2", "b", "2" }, { "a=1&a=2", "a", "1" }, { "a", "a", "" },
	{ "=x", "", "x" }, { "a=b=c", "a", "b=c" }, { "a=two+words%21", "a", "two words!" },
	{ "a=%C3%A4&b=1", "a", "\xc3\xa4" }, { "&&a=1&", "a", "1" },
	{ "a=line%0D%0Aend", "a", "line\r\nend" }, { "a=%00", NULL, NULL }, { "a=%", NULL, NULL },
	{ "a=%4", NULL, NULL }, { "a=%zz", NULL, NULL }, { "a=%1b", NULL, NULL },
	{ "a=%ff", NULL, NULL }, { "a=%C0%80", NULL, NULL }, /* overlong */
	{ "a=%ED%A0%80", NULL, NULL },			     /* surrogate */
	{ "a=%F4%90%80%80", NULL, NULL },		     /* above U+10FFFF */
};

static void
test_pairs(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pair_rows); i++) {
		const struct pair_row *r = &pair_rows[i];
		struct err err = { 0 };
		struct pairs p;
		int rc = pairs_parse(r->in, strlen(r->in), &p, &err);

		if (r->name == NULL) {
			assert_int_equal(rc, ERR_USAGE);
			assert_true(err.text[0] != '\0');
		} else {
			assert_int_equal(rc, 0);
			assert_string_equal(pairs_get(&p, r->name), r->value);
		}
		pairs_fini(&p);
	}
}

static void
test_pairs_limit(void **state)
{
	char text[4 * (PAIRS_MAX + 1) + 1] = "";
	struct err err = { 0 };
	struct pairs p;

	(void)state;
	for (int i = 0; i < PAIRS_MAX; i++)
		strcat(text, "a=1&");
	assert_int_equal(pairs_parse(text, strlen(text), &p, &err), 0);
	assert_int_equal(p.n, PAIRS_MAX);
	pairs_fini(&p);
	strcat(text, "a=1");
	assert_int_equal(pairs_parse(text, strlen(text), &p, &err), ERR_USAGE);
	assert_non_null(strstr(err.text, "64"));
	pairs_fini(&p);
}

static void
test_paths(void **state)
{
	static const struct {
		const char *in;
		int n; /* -1: refused */
		const char *last;
	} rows[] = {
		{ "/", 0, NULL },
		{ "/a", 1, "a" },
		{ "/a/b%20c", 2, "b c" },
		{ "/a+b", 1, "a+b" },
		{ "/vips/x%2Fy", 2, "x/y" },
		{ "", -1, NULL },
		{ "a", -1, NULL },
		{ "//", -1, NULL },
		{ "/a//b", -1, NULL },
		{ "/a/", -1, NULL },
		{ "/./a", -1, NULL },
		{ "/%2e%2e/a", -1, NULL },
		{ "/a%00b", -1, NULL },
		{ "/1/2/3/4/5/6/7/8/9/10/11/12/13", -1, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err err = { 0 };
		struct segs s;
		int rc = segs_parse(rows[i].in, &s, &err);

		assert_int_equal(rc, rows[i].n < 0 ? ERR_USAGE : 0);
		if (rows[i].n >= 0)
			assert_int_equal(s.n, rows[i].n);
		if (rows[i].last != NULL)
			assert_string_equal(s.v[s.n - 1], rows[i].last);
		segs_fini(&s);
	}
}

static void
test_cookies(void **state)
{
	static const struct {
		const char *in, *want; /* want NULL: absent */
	} rows[] = {
		{ "lbd=abc", "abc" },
		{ "x=1; lbd=abc; y=2", "abc" },
		{ "xlbd=1; lbd=abc", "abc" },
		{ "lbd=a=b", "a=b" },
		{ "lbd=", "" },
		{ "lbd", NULL },
		{ "lbdx=1", NULL },
		{ "", NULL },
		{ ";;; lbd=z", "z" },
		{ "lbd=much too long for it", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char out[8] = "?";

		assert_int_equal(
		    cookie_get(rows[i].in, "lbd", out, sizeof(out)), rows[i].want != NULL);
		if (rows[i].want != NULL)
			assert_string_equal(out, rows[i].want);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pairs),
		cmocka_unit_test(test_pairs_limit),
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_cookies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
