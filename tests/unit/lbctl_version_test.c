/* Semantic versions: which are, in which order, and those of packages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/must.h"
#include "lbctl/see/version.h"

static void
test_valid(void **state)
{
	static const char *const good[] = { "0.1.0", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-0.3.7",
		"1.0.0-x-y-z.--", "1.0.0+20130313144700", "1.0.0-beta+exp.sha.5114f85", "1.0.0+001",
		"99999999999999999999.0.1", LBD_VERSION };
	static const char *const bad[] = { "", "1", "1.2", "1.2.", "1.2.3.4", "01.2.3", "1.02.3",
		"1.2.3-", "1.2.3-a..b", "1.2.3-01", "1.2.3+", "1.2.3-a_b", "v1.2.3", "1.2.3 ",
		"1..2", "-1.2.3", "1-2-3", "(none)" };

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(good); i++)
		assert_true(version_valid(good[i]));
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(version_valid(bad[i]));
}

static void
test_order(void **state)
{
	/* semver.org section 11, and numbers that are no words. */
	static const char *const rising[] = { "0.0.9", "0.1.0-rc.1", "0.1.0", "0.1.1", "0.9.0",
		"0.10.0", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta",
		"1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0-rc-x", "1.0.0", "2.0.0",
		"2.1.0", "2.1.1", "10.0.0" };

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(rising); i++)
		for (unsigned k = 0; k < ARRAY_LEN(rising); k++) {
			int rc = version_compare(rising[i], rising[k]);

			assert_int_equal((rc > 0) - (rc < 0), (i > k) - (i < k));
		}
	assert_int_equal(version_compare("1.0.0+a", "1.0.0+b.2"), 0);
	assert_int_equal(version_compare("1.0.0-rc+a", "1.0.0-rc"), 0);
}

static void
test_packages(void **state)
{
	static const struct {
		const char *package, *version;
	} rows[] = {
		{ "0.2.0-1", "0.2.0" },
		{ "1:0.2.0-1~deb12u1", "0.2.0" },
		{ "0.2.0~rc1-3", "0.2.0-rc1" },
		{ "0.2.0+dfsg-1", "0.2.0+dfsg" },
		{ "0.2.0", "0.2.0" },
		{ "(none)", NULL },
		{ "", NULL },
		{ "2023.05", NULL },
	};
	char out[VERSION_TEXT], longest[200];

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(version_of_package(rows[i].package, out), rows[i].version != NULL);
		if (rows[i].version != NULL)
			assert_string_equal(out, rows[i].version);
	}
	for (unsigned i = 0; i < sizeof(longest) - 1; i++)
		longest[i] = i == 1 || i == 3 ? '.' : '1';
	longest[sizeof(longest) - 1] = '\0';
	assert_true(version_valid(longest));
	assert_false(version_of_package(longest, out));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_valid),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_packages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
