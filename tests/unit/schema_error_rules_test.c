/* Field error_pages, and media types: what is taken, and how the rest is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/must.h"
#include "schema/error_rules.h"
#include "schema/media.h"

static void
test_taken(void **state)
{
	struct error_rule r[ERROR_RULES_MAX];

	(void)state;
	assert_int_equal(error_rules_parse("", r, NULL), 0);
	assert_int_equal(
	    error_rules_parse("maintenance=works, unavailable=302 https://s.example.org/a?b=c,"
			      "503=sorry,5xx=broken-1.x,4xx=307 /oops",
		r, NULL),
	    5);
	assert_int_equal(r[0].key, ERROR_MAINTENANCE);
	assert_int_equal(r[0].redirect, 0);
	assert_int_equal(r[0].to_len, 5);
	assert_memory_equal(r[0].to, "works", 5);
	assert_int_equal(r[1].key, ERROR_UNAVAILABLE);
	assert_int_equal(r[1].redirect, 302);
	assert_int_equal(r[1].to_len, strlen("https://s.example.org/a?b=c"));
	assert_int_equal(r[2].key, 503);
	assert_int_equal(r[3].key, ERROR_5XX);
	assert_int_equal(r[4].key, ERROR_4XX);
	assert_memory_equal(r[4].to, "/oops", 5);
}

static void
test_refused(void **state)
{
	static const struct {
		const char *text, *words;
	} rows[] = {
		{ "sorry", "KEY=PAGE or KEY=STATUS URL" },
		{ "=sorry", "\"\" is not allowed: unavailable, maintenance" },
		{ "200=sorry", "a status of 400 to 599" },
		{ "600=sorry", "a status of 400 to 599" },
		{ "6xx=sorry", "a status of 400 to 599" },
		{ "503=", "the name of a page" },
		{ "503=-a", "the name of a page" },
		{ "503=a b", "301, 302, 303, 307 or 308" },
		{ "503=304 /", "301, 302, 303, 307 or 308" },
		{ "503=302 ftp://x", "where to go begins with" },
		{ "503=302 http://", "where to go begins with" },
		{ "503=302 http://a b", "where to go begins with" },
		{ "503=302 http://a\"b", "where to go begins with" },
		{ "503=a,503=b", "\"503\" is there twice" },
		{ "503=a,", "ends with a comma" },
	};
	struct error_rule r[ERROR_RULES_MAX];
	char many[1000] = "";
	struct err err;

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(error_rules_parse(rows[i].text, r, &err), ERR_INVALID);
		if (strstr(err.text, rows[i].words) == NULL)
			fail_msg("%s: %s", rows[i].text, err.text);
	}
	for (unsigned i = 0; i <= ERROR_RULES_MAX; i++)
		(void)snprintf(many + strlen(many), 20, "%s%u=a", i > 0 ? "," : "", 400 + i);
	assert_int_equal(error_rules_parse(many, r, &err), ERR_INVALID);
	assert_non_null(strstr(err.text, "more than 32"));
}

static void
test_order(void **state)
{
	(void)state;
	assert_int_equal(error_key_next(ERROR_MAINTENANCE), 503);
	assert_int_equal(error_key_next(ERROR_UNAVAILABLE), 503);
	assert_int_equal(error_key_next(503), ERROR_5XX);
	assert_int_equal(error_key_next(404), ERROR_4XX);
	assert_int_equal(error_key_next(ERROR_5XX), 0);
}

static void
test_media(void **state)
{
	static const struct {
		const char *list, *type;
		bool match;
	} rows[] = {
		{ "text/*,application/json", "text/html", true },
		{ "text/*, application/json", "Application/JSON; charset=utf-8", true },
		{ "text/*", "text/html;a=b", true },
		{ "text/*", "textual/html", false },
		{ "text/*", "text", false },
		{ "application/*+json", "application/problem+json", true },
		{ "application/*+json", "application/+json", true },
		{ "application/*+json", "application/json", false },
		{ "application/*+json", "application/a+jsonx+json", true },
		{ "application/*+json", "application/a+json2", false },
		{ "*/*", "image/png", true },
		{ "*", "a/b", false },
		{ "a*b*c/d", "abxbc/d", true },
		{ "a*b*c/d", "ab/c/d", false },
		{ "", "text/html", false },
		{ "text/*", "", false },
		{ "text/*", "; charset=x", false },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
		if (media_list_match(rows[i].list, rows[i].type, strlen(rows[i].type)) !=
		    rows[i].match)
			fail_msg("%s: %s", rows[i].list, rows[i].type);
}

static void
test_media_lists(void **state)
{
	static const char *const good[] = { "", "text/*", "a/b, c/d,e/*+x" }, *const bad[] = {
		"text", "text/", "/a", "a/b;c", "a/b,,c/d", "a/b,", "a b/c", "a/b/c"
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(good); i++)
		assert_int_equal(media_list_check(good[i], NULL), 0);
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++)
		if (media_list_check(bad[i], NULL) != ERR_INVALID)
			fail_msg("%s", bad[i]);
	assert_true(media_is_type("text/html; charset=utf-8"));
	assert_true(media_is_type("a/b"));
	assert_false(media_is_type("text"));
	assert_false(media_is_type("text/"));
	assert_false(media_is_type("te xt/html"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_taken),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_media),
		cmocka_unit_test(test_media_lists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
