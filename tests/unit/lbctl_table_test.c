/* Tables in every form: columns, order, human numbers, cutting, colours. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lbctl/out/table.h"

#include <stdlib.h>
#include <string.h>

enum { A_STATUS, A_NAME, A_CONNS, A_BYTES, A_AT, A_NOTE };
static const struct column columns[] = {
	[A_STATUS] = { "status", NULL, COL_STATUS, COL_SHOW },
	[A_NAME] = { "name", NULL, COL_TEXT, COL_SHOW },
	[A_CONNS] = { "conns", NULL, COL_NUM, COL_SHOW },
	[A_BYTES] = { "bytes", "in", COL_BYTES, COL_WIDE },
	[A_AT] = { "at", NULL, COL_TIME, COL_WIDE },
	[A_NOTE] = { "note", NULL, COL_TEXT, COL_HIDE },
};

static struct table *
sample(void)
{
	struct table *t = table_new(columns, 6);

	table_row(t);
	table_status(t, A_STATUS, ST_OK, "up");
	table_text(t, A_NAME, "rip10");
	table_num(t, A_CONNS, 12345);
	table_num(t, A_BYTES, 1536);
	table_num(t, A_AT, 1767225600);
	table_text(t, A_NOTE, "say \"hi\", all");
	table_row(t);
	table_status(t, A_STATUS, ST_DOWN, "down");
	table_text(t, A_NAME, "rip2");
	table_num(t, A_CONNS, 7);
	table_row(t);
	table_text(t, A_NAME, "rip1");
	return t;
}

static void
expect(const struct table_style *s, const char *wanted)
{
	struct table *t = sample();
	struct buf out = { 0 };
	struct err err = { 0 };

	assert_int_equal(table_print(t, s, &out, &err), 0);
	assert_string_equal(buf_text(&out), wanted);
	buf_fini(&out);
	table_free(t);
}

static void
test_table_form(void **state)
{
	struct table_style s = { .form = FORM_TABLE };

	(void)state;
	expect(&s, "STATUS  NAME   CONNS\n"
		   "up      rip10    12k\n"
		   "down    rip2       7\n"
		   "-       rip1       -\n");
	s.no_headers = true;
	s.columns = "conns,name";
	expect(&s, "12k  rip10\n  7  rip2\n  -  rip1\n");
}

static void
test_wide_form(void **state)
{
	struct table_style s = { .form = FORM_WIDE, .no_headers = true };

	(void)state;
	expect(&s, "up    rip10  12k  1.5K  2026-01-01T00:00:00Z\n"
		   "down  rip2     7     -  -\n"
		   "-     rip1     -     -  -\n");
	s.now = 1767225600 + 90; /* a terminal shows how long ago */
	expect(&s, "up    rip10  12k  1.5K  90s\n"
		   "down  rip2     7     -  -\n"
		   "-     rip1     -     -  -\n");
}

static void
test_programs_forms(void **state)
{
	struct table_style s = { .form = FORM_JSON };

	(void)state;
	expect(&s,
	    "[\n{\"status\":\"up\",\"name\":\"rip10\",\"conns\":12345,\"bytes\":1536,"
	    "\"at\":\"2026-01-01T00:00:00Z\",\"note\":\"say \\\"hi\\\", all\"},\n"
	    "{\"status\":\"down\",\"name\":\"rip2\",\"conns\":7,\"bytes\":null,\"at\":null,\"note\":null},\n"
	    "{\"status\":null,\"name\":\"rip1\",\"conns\":null,\"bytes\":null,\"at\":null,\"note\":null}\n]\n");
	s.form = FORM_CSV;
	s.columns = "name,conns,note";
	expect(&s, "name,conns,note\nrip10,12345,\"say \"\"hi\"\", all\"\nrip2,7,\nrip1,,\n");
	s.form = FORM_YAML;
	s.columns = "name,conns";
	expect(&s,
	    "- name: \"rip10\"\n  conns: 12345\n- name: \"rip2\"\n  conns: 7\n- name: \"rip1\"\n  conns: null\n");
	s.form = FORM_NAME;
	expect(&s, "rip10\nrip2\nrip1\n");
}

/* Numbers within names count as numbers; what is absent is last, upwards and downwards. */
static void
test_sort(void **state)
{
	struct table_style s = { .form = FORM_NAME, .sort = "name" };

	(void)state;
	expect(&s, "rip1\nrip2\nrip10\n");
	s.sort = "-name";
	expect(&s, "rip10\nrip2\nrip1\n");
	s.sort = "conns";
	expect(&s, "rip2\nrip10\nrip1\n");
	s.sort = "-conns";
	expect(&s, "rip10\nrip2\nrip1\n");
}

static void
test_unknown_column_names_the_nearest(void **state)
{
	struct table_style s = { .form = FORM_TABLE, .columns = "name,cons" };
	struct table *t = sample();
	struct buf out = { 0 };
	struct err err = { 0 };

	(void)state;
	assert_int_equal(table_print(t, &s, &out, &err), ERR_USAGE);
	assert_non_null(strstr(err.text, "\"cons\""));
	assert_non_null(strstr(err.text, "\"conns\""));
	s.columns = NULL;
	s.sort = "-nmae";
	assert_int_equal(table_print(t, &s, &out, &err), ERR_USAGE);
	assert_non_null(strstr(err.text, "name"));
	assert_int_equal(out.len, 0);
	buf_fini(&out);
	table_free(t);
}

static void
test_colour_is_beside_the_word(void **state)
{
	struct table_style s = {
		.form = FORM_TABLE, .colour = true, .no_headers = true, .columns = "status,conns"
	};

	(void)state;
	expect(&s, "\033[32mup  \033[0m  12k\n\033[31mdown\033[0m    7\n-       -\n");
}

/* Only a terminal is narrow: the widest text gives way, and a cut is seen. */
static void
test_cut(void **state)
{
	struct table_style s = {
		.form = FORM_TABLE, .no_headers = true, .columns = "name,note", .width = 17
	};

	(void)state;
	expect(&s, "rip10  say \"hi\",…\nrip2   -\nrip1   -\n");
	s.width = 0;
	expect(&s, "rip10  say \"hi\", all\nrip2   -\nrip1   -\n");
}

static void
test_human_numbers(void **state)
{
	static const struct {
		void (*fn)(double, char *);
		double v;
		const char *text;
	} rows[] = { { human_count, 0, "0" }, { human_count, 9999, "9999" },
		{ human_count, 10000, "10k" }, { human_count, 1234567, "1.2M" },
		{ human_bytes, 1023, "1023" }, { human_bytes, 1024, "1.0K" },
		{ human_bytes, 1048576.0 * 12, "12M" } };
	static const struct {
		int64_t us;
		const char *text;
	} durations[] = { { 0, "0us" }, { 999, "999us" }, { 1500, "1.5ms" }, { 250000, "250ms" },
		{ 1500000, "1.5s" }, { 90000000, "90s" }, { 300000000, "5m00s" },
		{ 7200000000, "2h00m" }, { 259200000000, "3d" } };
	char text[24];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		rows[i].fn(rows[i].v, text);
		assert_string_equal(text, rows[i].text);
	}
	for (i = 0; i < sizeof(durations) / sizeof(*durations); i++) {
		human_dur(durations[i].us, text);
		assert_string_equal(text, durations[i].text);
	}
	assert_int_equal(text_width("aé…"), 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table_form),
		cmocka_unit_test(test_wide_form),
		cmocka_unit_test(test_programs_forms),
		cmocka_unit_test(test_sort),
		cmocka_unit_test(test_unknown_column_names_the_nearest),
		cmocka_unit_test(test_colour_is_beside_the_word),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_human_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
