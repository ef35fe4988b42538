/* The strict reader of JSON objects: what is a member, and what is no JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/must.h"
#include "schema/json.h"

#include <stdio.h>
#include <string.h>

static int
collect(void *arg, const struct json_member *m)
{
	struct buf *b = arg;

	buf_printf(b, "%s:%d:%.*s;", m->name, (int)m->type, (int)m->len, m->value);
	return 0;
}

static void
test_rows(void **state)
{
	static const struct {
		const char *in, *want; /* want NULL: refused */
	} rows[] = {
		{ "{}", "" },
		{ " { } ", "" },
		{ "{\"a\":1}", "a:2:1;" },
		{ "{\"a\":\"x\",\"b\":null,\"c\":true,\"d\":false}",
		    "a:3:\"x\";b:0:null;c:1:true;d:1:false;" },
		{ "{\"a\" : [1, {\"b\":2}] , \"c\":{}}", "a:4:[1,{\"b\":2}];c:5:{};" },
		{ "{\"a\":-0.5e+10}", "a:2:-5000000000.0;" },
		{ "{\"\\u0061\":1}", "a:2:1;" },
		{ "", NULL },
		{ "[]", NULL },
		{ "{", NULL },
		{ "{\"a\"}", NULL },
		{ "{\"a\":}", NULL },
		{ "{\"a\":1,}", NULL },
		{ "{\"a\":1 \"b\":2}", NULL },
		{ "{\"a\":01}", NULL },
		{ "{\"a\":1.}", NULL },
		{ "{\"a\":+1}", NULL },
		{ "{\"a\":nul}", NULL },
		{ "{\"a\":\"x}", NULL },
		{ "{\"a\":\"\\q\"}", NULL },
		{ "{\"a\":\"\\ud800\"}", NULL },
		{ "{\"a\":\"\t\"}", NULL },
		{ "{\"a\":1} x", NULL },
		{ "{\"a\":1,\"a\":2}", NULL },
		{ "{'a':1}", NULL },
		{ "{\"a\":[1,]}", NULL },
		{ "{\"a\":\"\xff\"}", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf b = { 0 };
		struct err err = { 0 };
		int rc = json_scan(rows[i].in, strlen(rows[i].in), collect, &b, &err);

		if (rows[i].want == NULL) {
			assert_int_equal(rc, ERR_USAGE);
			assert_int_equal(err.code, ERR_USAGE);
			assert_true(err.text[0] != '\0');
		} else {
			assert_int_equal(rc, 0);
			assert_string_equal(buf_text(&b), rows[i].want);
		}
		buf_fini(&b);
	}
}

static void
test_depth(void **state)
{
	char text[200];

	(void)state;
	for (int deep = JSON_DEPTH_MAX - 2; deep <= JSON_DEPTH_MAX; deep++) {
		int n = snprintf(text, sizeof(text), "{\"a\":%.*s1%.*s}", deep,
		    "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", deep,
		    "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]");

		assert_int_equal(json_scan(text, (size_t)n, NULL, NULL, NULL),
		    deep < JSON_DEPTH_MAX ? 0 : ERR_USAGE);
	}
}

static int
as_text(void *arg, const struct json_member *m)
{
	return json_text(m, arg, 8);
}

static void
test_text(void **state)
{
	static const struct {
		const char *in, *want;
	} rows[] = {
		{ "{\"a\":\"x\"}", "x" },
		{ "{\"a\":\"\\n\\u00e4\"}", "\n\xc3\xa4" },
		{ "{\"a\":\"\\ud83d\\ude00\"}", "\xf0\x9f\x98\x80" },
		{ "{\"a\":12}", "12" },
		{ "{\"a\":true}", "true" },
		{ "{\"a\":\"\\u0000\"}", NULL },
		{ "{\"a\":\"12345678\"}", NULL },
		{ "{\"a\":[1]}", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char out[8] = "";
		int rc = json_scan(rows[i].in, strlen(rows[i].in), as_text, out, NULL);

		assert_int_equal(rc == 0, rows[i].want != NULL);
		if (rows[i].want != NULL)
			assert_string_equal(out, rows[i].want);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
