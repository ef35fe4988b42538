/* Attributes of cookies: what is taken, and how the rest is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/must.h"
#include "schema/cookie_attributes.h"

static void
test_rows(void **state)
{
	static const struct {
		const char *text, *words; /* words NULL: taken */
	} rows[] = {
		{ "", NULL },
		{ "Path=/; HttpOnly; SameSite=Lax", NULL },
		{ "path=/a;httponly", NULL },
		{ "Secure; SameSite=None; Partitioned", NULL },
		{ "Domain=.shop.example.org; Max-Age=3600", NULL },
		{ "Domain=10.0.0.1", NULL },
		{ "Path", "\"Path\" is not allowed: of Path it is a path from /" },
		{ "Path=a", "of Path it is a path from /" },
		{ "Path=/a b", "of Path it is" },
		{ "Secure=yes", "\"Secure=yes\" is not allowed: of Secure it is no value" },
		{ "SameSite=Some", "of SameSite it is Lax, Strict or None" },
		{ "SameSite=None",
		    "SameSite=None without Secure is dropped by browsers; add Secure" },
		{ "Partitioned", "Partitioned without Secure" },
		{ "Domain=", "of Domain it is a DNS name" },
		{ "Domain=a..b", "of Domain it is a DNS name" },
		{ "Domain=a_b", "of Domain it is a DNS name" },
		{ "Max-Age=-1", "of Max-Age it is seconds" },
		{ "Max-Age=1234567890", "at most 9 digits" },
		{ "Secure; secure", "Secure is there twice" },
		{ "Expires=now", "\"Expires=now\" is no attribute; allowed are Path=/..., Domain" },
		{ "Secure;", "not behind the last" },
		{ "Secure;;HttpOnly", "between two attributes" },
		{ ";", "between two attributes" },
		{ " ", "between two attributes" },
		{ "Sec", "\"Sec\" is no attribute" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err err = { 0 };
		int rc = cookie_attributes_check(rows[i].text, &err);

		if (rows[i].words == NULL
			? rc != 0
			: rc != ERR_INVALID || strstr(err.text, rows[i].words) == NULL)
			fail_msg("\"%s\": %d %s", rows[i].text, rc, err.text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_rows) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
