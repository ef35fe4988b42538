/* Cookies found and cut, tokens there and back, the map from tokens to servers. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/must.h"
#include "lbd-proxy/http/cookie.h"

static const struct row {
	const char *value, *want; /* NULL: not there */
} finds[] = {
	{ "LB=x", "x" }, { "a=b; LB=x", "x" }, { "LB=x;a=b", "x" }, { "a=b;LB=\"x y\" ; c", "x y" },
	{ "LB=", "" }, { "LB=a=b", "a=b" }, { "LB=x; LB=y", "x" }, { ";; ;LB=x", "x" },
	{ "", NULL }, { "  ", NULL }, { ";", NULL }, { "LB", NULL }, { "lb=x", NULL },
	{ "XLB=x", NULL }, { "a=LB=x", NULL }, { "LB =x", NULL },
	{ "a=\"; LB=x", "x" }, /* quotes do not hide a semicolon */
};

static void
test_find(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(finds); i++) {
		struct cookie_span v;
		size_t len = strlen(finds[i].value);
		char *copy = malloc(len + 1); /* its last byte is not the string's */
		memcpy(copy, finds[i].value, len);
		print_message("[%s]\n", finds[i].value);
		assert_int_equal(cookie_find(copy, len, "LB", 2, &v), finds[i].want != NULL);
		if (finds[i].want != NULL) {
			assert_int_equal(v.len, strlen(finds[i].want));
			assert_memory_equal(v.at, finds[i].want, v.len);
		}
		free(copy);
	}
}

static void
test_set(void **state)
{
	static const struct {
		const char *value, *want;
		bool removed;
	} row[] = {
		{ "SID=abc", "abc", false },
		{ "SID=abc; Path=/; HttpOnly", "abc", false },
		{ "SID=\"abc\";Max-Age=60", "abc", false },
		{ "SID=abc; max-age=0", "abc", true },
		{ "SID=abc; Max-Age=-1", "abc", true },
		{ "SID=; Path=/", "", true },
		{ "X=1; SID=abc", NULL, false },
		{ "sid=abc", NULL, false },
		{ "", NULL, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		struct cookie_span v;
		bool removed = false;
		bool found =
		    cookie_set_find(row[i].value, strlen(row[i].value), "SID", 3, &v, &removed);
		assert_int_equal(found, row[i].want != NULL);
		assert_int_equal(removed, row[i].removed);
		if (found) {
			assert_int_equal(v.len, strlen(row[i].want));
			assert_memory_equal(v.at, row[i].want, v.len);
		}
	}
}

/* A token is fixed for ever: clients hold them, and both nodes of a pair must agree. */
static void
test_token_fixed(void **state)
{
	char text[COOKIE_TOKEN_LEN + 1] = { 0 };
	uint64_t back;

	(void)state;
	cookie_token_format(cookie_token(1, 2), text);
	assert_string_equal(text, "fnnfv3k2xeewk");
	assert_int_equal(cookie_token_parse(text, COOKIE_TOKEN_LEN, &back), 0);
	assert_true(back == cookie_token(1, 2));
	assert_true(cookie_token(2, 1) != back);
	cookie_token_format(UINT64_MAX, text);
	assert_string_equal(text, "p777777777777");
	assert_int_equal(cookie_token_parse(text, COOKIE_TOKEN_LEN, &back), 0);
	assert_true(back == UINT64_MAX);
	/* every letter in every place */
	for (unsigned at = 0; at < 60; at += 5)
		for (uint64_t v = 0; v < 32; v++) {
			cookie_token_format(v << at, text);
			assert_int_equal(text[COOKIE_TOKEN_LEN - 1 - at / 5],
			    "abcdefghijklmnopqrstuvwxyz234567"[v]);
			assert_int_equal(cookie_token_parse(text, COOKIE_TOKEN_LEN, &back), 0);
			assert_true(back == v << at);
		}
}

static void
test_token_bad(void **state)
{
	static const char *const row[] = { "", "aaaaaaaaaaaa", "aaaaaaaaaaaaaa", "qaaaaaaaaaaaa",
		"aaaaaaaaaaaa1", "aaaaaaaaaaaaA", "aaaaaaaaaaaa8", "aaaaaa aaaaaa",
		"2aaaaaaaaaaaa" };
	uint64_t v = 7;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++)
		assert_int_equal(cookie_token_parse(row[i], strlen(row[i]), &v), -EINVAL);
	assert_int_equal(v, 7);
}

static void
test_prefix(void **state)
{
	static const struct {
		const char *value;
		size_t len;
	} rows[] = { { "aaaaaaaaaaaab~x", COOKIE_PREFIX_LEN },
		{ "aaaaaaaaaaaab~", COOKIE_PREFIX_LEN }, { "aaaaaaaaaaaab", 0 },
		{ "aaaaaaaaaaaab-x", 0 }, { "~", 0 }, { "", 0 }, { "Aaaaaaaaaaaab~x", 0 },
		{ "aaaaaaaaaaaaab~x", 0 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t token = 7;

		assert_int_equal(
		    cookie_prefix(rows[i].value, strlen(rows[i].value), &token), rows[i].len);
		assert_int_equal(token, rows[i].len > 0 ? 1 : 7);
	}
}

/* Each cookie of a name, in turn. */
static void
test_next(void **state)
{
	static const char value[] = "a=1; b=2; a=\"3\"; ab=4;a=";
	static const char *const want[] = { "1", "3", "" };
	struct cookie_span got;
	size_t at = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		assert_true(cookie_next(value, sizeof(value) - 1, "a", 1, &at, &got));
		assert_int_equal(got.len, strlen(want[i]));
		assert_memory_equal(got.at, want[i], got.len);
	}
	assert_false(cookie_next(value, sizeof(value) - 1, "a", 1, &at, &got));
}

static void
test_map(void **state)
{
	struct cookie_map m = { 0 };
	const uint32_t n = 10000;

	(void)state;
	assert_int_equal(cookie_map_find(&m, cookie_token(1, 1)), -1);
	assert_int_equal(cookie_map_init(&m, n), 0);
	for (uint32_t i = 0; i < n; i++)
		cookie_map_put(&m, cookie_token(7, i), i);
	for (uint32_t i = 0; i < n; i++)
		assert_int_equal(cookie_map_find(&m, cookie_token(7, i)), i);
	assert_int_equal(cookie_map_find(&m, cookie_token(8, 1)), -1);
	assert_int_equal(cookie_map_find(&m, 0), -1);
	cookie_map_fini(&m);
	assert_int_equal(cookie_map_init(&m, 0), 0);
	assert_int_equal(cookie_map_find(&m, 5), -1);
	cookie_map_fini(&m);
	cookie_map_fini(&m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_set),
		cmocka_unit_test(test_token_fixed),
		cmocka_unit_test(test_token_bad),
		cmocka_unit_test(test_prefix),
		cmocka_unit_test(test_next),
		cmocka_unit_test(test_map),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
