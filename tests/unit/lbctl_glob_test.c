/* Patterns of names and selectors of labels: what fits and what does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lbctl/operate/glob.h"

#include <stdlib.h>
#include <string.h>

static void
test_match_rows(void **state)
{
	static const struct {
		const char *pattern, *name;
		bool fits;
	} rows[] = {
		{ "web", "web", true },
		{ "web", "web2", false },
		{ "web*", "web2", true },
		{ "*", "web", true },
		{ "*", "web/rip1", false },
		{ "*/rip1", "web/rip1", true },
		{ "*/rip1", "web/rip10", false },
		{ "web/*", "web/rip1", true },
		{ "w*/r*1", "web/rip1", true },
		{ "w*/r*1", "web/rip12", false },
		{ "?eb", "web", true },
		{ "web?rip", "web/rip", false },
		{ "a*b*c", "axxbxxbxxc", true },
		{ "a**c", "ac", true },
		{ "", "", true },
		{ "", "a", false },
		{ "*", "", true },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (glob_match(rows[i].pattern, rows[i].name) != rows[i].fits)
			fail_msg("\"%s\" on \"%s\"", rows[i].pattern, rows[i].name);
}

/* A pattern that makes a naive matcher go on for ever. */
static void
test_match_is_not_exponential(void **state)
{
	char pattern[121], name[121];
	size_t i;

	(void)state;
	for (i = 0; i < 120; i++) {
		pattern[i] = i % 2 == 0 ? '*' : 'a';
		name[i] = 'a';
	}
	pattern[118] = 'b';
	pattern[120] = name[120] = '\0';
	assert_false(glob_match(pattern, name));
}

static void
test_labels_rows(void **state)
{
	static const struct {
		const char *selector, *labels;
		bool fits;
	} rows[] = {
		{ "a=b", "a=b", true },
		{ "a=b", "a=bc", false },
		{ "a=b", "aa=b", false },
		{ "a=b", "c=d,a=b", true },
		{ "a=b,c=d", "a=b,c=d", true },
		{ "a=b,c=d", "a=b", false },
		{ "a", "a=b", true },
		{ "a", "b=a", false },
		{ "a!=b", "a=c", true },
		{ "a!=b", "a=b", false },
		{ "a!=b", "", true },
		{ "a=", "a=", true },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (glob_labels(rows[i].selector, rows[i].labels) != rows[i].fits)
			fail_msg("\"%s\" on \"%s\"", rows[i].selector, rows[i].labels);
}

static void
test_selector_form(void **state)
{
	static const char *const good[] = { "a", "a=b", "a!=b", "a=b,c,d!=e" };
	static const char *const bad[] = { "", "=b", ",a", "a,", "a!b", "a,,b" };
	struct err err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(good) / sizeof(*good); i++)
		assert_int_equal(glob_selector_check(good[i], &err), 0);
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		if (glob_selector_check(bad[i], &err) != ERR_USAGE)
			fail_msg("\"%s\" is taken", bad[i]);
		assert_non_null(strstr(err.text, "-l"));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_match_rows),
		cmocka_unit_test(test_match_is_not_exponential),
		cmocka_unit_test(test_labels_rows),
		cmocka_unit_test(test_selector_form),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
