/* Templates of access log lines and syslog targets: what is taken, and how the rest is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/must.h"
#include "schema/log_format.h"

static void
test_taken(void **state)
{
	static const struct {
		const char *text;
		int n;
		uint8_t word[4];
	} rows[] = {
		{ "", 0, { 0 } },
		{ "plain", 1, { LOGW_literal } },
		{ "%ci:%cp", 3, { LOGW_ci, LOGW_literal, LOGW_cp } },
		{ "%tsc", 1, { LOGW_tsc } },
		{ "%ts c", 2, { LOGW_ts, LOGW_literal } },
		{ "100%%", 2, { LOGW_literal, LOGW_literal } },
		{ "%%ST%ST", 3, { LOGW_literal, LOGW_literal, LOGW_ST } },
		{ "%{+Q}r", 1, { LOGW_r } },
	};
	struct log_item items[LOG_ITEMS_MAX];

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(log_format_parse(rows[i].text, items, NULL), rows[i].n);
		for (int k = 0; k < rows[i].n; k++)
			assert_int_equal(items[k].word, rows[i].word[k]);
	}
	assert_int_equal(log_format_parse("a%%b%{+Q}HU", items, NULL), 4);
	assert_int_equal(items[1].len, 1);
	assert_int_equal(items[1].text[0], '%');
	assert_int_equal(items[3].flags, LOG_ITEM_QUOTE);
}

static void
test_refused(void **state)
{
	static const struct {
		const char *text, *says;
	} rows[] = {
		{ "%STT", "%STT is no word of a log format, perhaps %ST;" },
		{ "%ci %clientaddress", "%clientaddress is no word" },
		{ "%", "a % stands before no word" },
		{ "%5", "a % stands before no word" },
		{ "%{+X}r", "%{+X} is no option of a word; allowed is %{+Q}" },
		{ "%{+Q", "%{+Q is no option" },
		{ "%[capture.req.hdr(0)]", "a % stands before no word" },
		{ "%aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		    "%aaaaaaaaaaaaaaaaaaaaaaaa... is no word" },
	};
	struct log_item items[LOG_ITEMS_MAX];
	char many[3 * LOG_ITEMS_MAX + 8] = "";
	struct err err;

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(log_format_parse(rows[i].text, items, &err), ERR_INVALID);
		if (strstr(err.text, rows[i].says) == NULL)
			fail_msg("%s: %s", rows[i].text, err.text);
	}
	for (unsigned i = 0; i <= LOG_ITEMS_MAX; i++)
		strcat(many, "%ci");
	assert_int_equal(log_format_parse(many, items, &err), ERR_INVALID);
	many[3 * LOG_ITEMS_MAX] = '\0';
	assert_int_equal(log_format_parse(many, items, &err), LOG_ITEMS_MAX);
}

static void
test_targets(void **state)
{
	static const struct {
		const char *text, *path;
		unsigned family, port;
	} good[] = {
		{ "", "", 0, 0 },
		{ "/dev/log", "/dev/log", 0, 0 },
		{ "10.0.0.1:514", "", 4, 514 },
		{ "[fd00::1]:1514", "", 6, 1514 },
	};
	static const char *const bad[] = { "nowhere", "/", "host:514", "10.0.0.1", "10.0.0.1:0",
		"10.0.0.1:65536", "10.0.0.1:5x", "fd00::1:514", "[]:1", ":514", "10.0.0.1:" };
	struct log_target t;
	struct err err;
	char long_path[LOG_PATH_MAX + 3];

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(good); i++) {
		assert_int_equal(log_target_parse(good[i].text, &t, &err), 0);
		assert_string_equal(t.path, good[i].path);
		assert_int_equal(t.addr.family, good[i].family);
		assert_int_equal(t.port, good[i].port);
	}
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(log_target_parse(bad[i], &t, &err), ERR_INVALID);
		assert_non_null(strstr(err.text, "ADDRESS:PORT"));
	}
	memset(long_path, 'x', sizeof(long_path));
	long_path[0] = '/';
	long_path[LOG_PATH_MAX + 1] = '\0';
	assert_int_equal(log_target_parse(long_path, &t, NULL), ERR_INVALID);
	long_path[LOG_PATH_MAX] = '\0';
	assert_int_equal(log_target_parse(long_path, &t, NULL), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_taken),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_targets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
