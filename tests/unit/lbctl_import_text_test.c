/* Words of foreign configurations as values: what is taken, and that nothing that only resembles it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/must.h"
#include "lbctl/import/import.h"
#include "lbctl/import/text.h"

#include <stdio.h>
#include <string.h>

static void
test_endpoint(void **state)
{
	static const struct {
		const char *text, *host;
		int port; /* -1: refused */
	} rows[] = {
		{ "10.0.0.1:80", "10.0.0.1", 80 },
		{ "10.0.0.1", "10.0.0.1", 0 },
		{ "10.0.0.1:0", "10.0.0.1", 0 },
		{ "10.0.0.1:http", "10.0.0.1", 80 },
		{ "[fd00::1]:443", "fd00::1", 443 },
		{ "[fd00::1]", "fd00::1", 0 },
		{ "fd00::1", "fd00::1", 0 },
		{ "10.0.0.1:", NULL, -1 },
		{ "10.0.0.1:65536", NULL, -1 },
		{ "10.0.0.1:-1", NULL, -1 },
		{ "10.0.0.1:80 ", NULL, -1 },
		{ "[fd00::1", NULL, -1 },
		{ "[fd00::1]443", NULL, -1 },
		{ "www.example.com:80", NULL, -1 },
		{ ":80", NULL, -1 },
		{ "", NULL, -1 },
	};
	char host[ADDR_TEXT];
	struct addr a;
	uint16_t port;

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		bool ok = text_endpoint(rows[i].text, "tcp", &a, &port);

		if (ok != (rows[i].port >= 0))
			fail_msg("%s", rows[i].text);
		if (!ok)
			continue;
		addr_format(&a, ADDR_HOST, host);
		assert_string_equal(host, rows[i].host);
		assert_int_equal(port, rows[i].port);
	}
}

static void
test_range(void **state)
{
	static const struct {
		const char *text, *range; /* NULL: refused */
	} rows[] = {
		{ "10.0.0.1", "10.0.0.1 10.0.0.1" },
		{ "10.0.0.3-10", "10.0.0.3 10.0.0.10" },
		{ "10.0.0.250-10.0.1.9", "10.0.0.250 10.0.1.9" },
		{ "10.0.0.40/29", "10.0.0.40 10.0.0.47" },
		{ "fd00::1-1f", "fd00::1 fd00::1f" },
		{ "fd00::1-fd00::9", "fd00::1 fd00::9" },
		{ "fd00::/126", "fd00:: fd00::3" },
		{ "10.0.0.9-3", NULL },
		{ "10.0.0.1-256", NULL },
		{ "10.0.0.1-fd00::1", NULL },
		{ "10.0.0.41/29", NULL },
		{ "10.0.0.1-", NULL },
		{ "fd00::1-12345", NULL },
		{ "x-y", NULL },
	};
	char lo_text[ADDR_TEXT], hi_text[ADDR_TEXT], both[2 * ADDR_TEXT];
	struct addr lo, hi;

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		if (text_range(rows[i].text, &lo, &hi) != (rows[i].range != NULL))
			fail_msg("%s", rows[i].text);
		if (rows[i].range == NULL)
			continue;
		addr_format(&lo, ADDR_HOST, lo_text);
		addr_format(&hi, ADDR_HOST, hi_text);
		(void)snprintf(both, sizeof(both), "%s %s", lo_text, hi_text);
		assert_string_equal(both, rows[i].range);
	}
}

static void
test_mask(void **state)
{
	(void)state;
	assert_int_equal(text_mask("255.255.255.0", 4), 24);
	assert_int_equal(text_mask("255.255.255.255", 4), 32);
	assert_int_equal(text_mask("0.0.0.0", 4), 0);
	assert_int_equal(text_mask("24", 4), 24);
	assert_int_equal(text_mask("64", 6), 64);
	assert_int_equal(text_mask("255.0.255.0", 4), -1);
	assert_int_equal(text_mask("33", 4), -1);
	assert_int_equal(text_mask("255.255.255.0", 6), -1);
	assert_int_equal(text_mask("", 4), -1);
}

static void
test_ms(void **state)
{
	uint32_t ms;

	(void)state;
	assert_true(text_ms("6", &ms) && ms == 6000);
	assert_true(text_ms("2.5", &ms) && ms == 2500);
	assert_true(text_ms("0.0625", &ms) && ms == 62);
	assert_false(text_ms("", &ms));
	assert_false(text_ms("5s", &ms));
	assert_false(text_ms("-1", &ms));
	assert_false(text_ms("99999999999999999999", &ms));
}

static void
test_literal(void **state)
{
	char out[16];

	(void)state;
	assert_true(text_literal("Test Page", out, sizeof(out)));
	assert_string_equal(out, "Test Page");
	assert_true(text_literal("1\\.0 \\(ok\\)", out, sizeof(out)));
	assert_string_equal(out, "1.0 (ok)");
	assert_false(text_literal("up|fine", out, sizeof(out)));
	assert_false(text_literal("\\d+", out, sizeof(out)));
	assert_false(text_literal("ok\\", out, sizeof(out)));
	assert_false(text_literal("", out, sizeof(out)));
	assert_false(text_literal("longer than sixteen", out, sizeof(out)));
}

static void
test_names(void **state)
{
	static const struct {
		const char *text, *name;
	} rows[] = { { "10.0.0.1", "10.0.0.1" }, { "fd00::1", "fd00--1" }, { "::1", "v--1" },
		{ "VSG_1", "VSG_1" }, { "my shop", "my-shop" }, { "", "v" },
		{ "0123456789abcdef", "0123456789" } };
	struct buf b = { 0 };

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		b.len = 0;
		name_clean(rows[i].text, 10, &b);
		assert_string_equal(buf_text(&b), rows[i].name);
	}
	buf_fini(&b);
}

static void
test_textmap(void **state)
{
	struct textmap m = { 0 };
	char key[1000][8];

	(void)state;
	assert_null(textmap_get(&m, "a"));
	for (unsigned i = 0; i < 1000; i++) {
		(void)snprintf(key[i], sizeof(key[i]), "%u", i);
		assert_true(textmap_put(&m, key[i], key[i]));
		assert_false(textmap_put(&m, key[i], NULL));
	}
	for (unsigned i = 0; i < 1000; i++)
		assert_ptr_equal(textmap_get(&m, key[i]), key[i]);
	textmap_fini(&m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_endpoint),
		cmocka_unit_test(test_range),
		cmocka_unit_test(test_mask),
		cmocka_unit_test(test_ms),
		cmocka_unit_test(test_literal),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_textmap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
