/* From results to states and points, as tables: rise and fall, reverse, age, weights; what files say. */
#include "judge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

/* One letter for each result, 0.1 s apart: g good, b bad, '-' none, 'f' none and the last is forgotten, '.' a pause of a second. What is expected after each:
 * G, B, U. */
static const struct {
	struct judge_rule rule;
	const char *results, *states;
} cases[] = {
	{ { 1, 1, false, false, 0, 0 }, "gbgb", "GBGB" },
	{ { 2, 3, false, false, 0, 0 }, "gbbbggb", "GGGBBGG" },
	{ { 2, 3, false, false, 0, 0 }, "gbbgbbgbbb", "GGGGGGGGGB" },
	{ { 3, 1, false, false, 0, 0 }, "bggbggg", "BBBBBBG" },
	{ { 5, 5, false, false, 0, 0 }, "b", "B" }, /* the first counts at once */
	{ { 1, 1, true, false, 0, 0 }, "gb", "BG" },
	{ { 1, 1, false, false, 0, 500000 }, "g..b..", "GUUBUU" },
	{ { 1, 1, false, false, 0, 1500000 }, "g.-.b", "GGGUB" },
	{ { 2, 2, false, false, 0, 1500000 }, "gb..b", "GGGUB" }, /* and the first after none */
	{ { 1, 1, false, false, 0, 0 }, "g........", "GGGGGGGGG" },
	{ { 1, 1, false, false, 0, 0 }, "fgffbf", "UGUUBU" },
	{ { 3, 3, false, false, 0, 0 }, "gbbfbggfg",
	    "GGGUBBBUG" }, /* the first after it counts at once */
};

static void
test_states(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		mono_t now = 1000000;
		struct judge j;

		judge_init(&j, now);
		for (size_t k = 0; cases[i].results[k] != '\0'; k++) {
			char c = cases[i].results[k], is;

			now += c == '.' ? 1000000 : 100000;
			if (c == 'g' || c == 'b')
				(void)judge_result(&j, &cases[i].rule, c == 'g', now);
			if (c == 'f')
				(void)judge_forget(&j, now);
			(void)judge_age(&j, &cases[i].rule, now);
			is = j.state == JUDGE_GOOD ? 'G' : j.state == JUDGE_BAD ? 'B' : 'U';
			if (is != cases[i].states[k])
				fail_msg("case %zu: %s: after %zu: %c", i, cases[i].results, k, is);
		}
	}
}

static void
test_since_and_deadline(void **state)
{
	const struct judge_rule r = { 1, 1, false, false, 0, 50 };
	struct judge j;

	(void)state;
	judge_init(&j, 5);
	assert_true(judge_deadline(&j, &r) == INT64_MAX);
	assert_true(judge_result(&j, &r, true, 10));
	assert_int_equal(j.since, 10);
	assert_false(judge_result(&j, &r, true, 20));
	assert_int_equal(j.since, 10);
	assert_int_equal(judge_deadline(&j, &r), 70);
	assert_false(judge_age(&j, &r, 69));
	assert_true(judge_age(&j, &r, 70));
	assert_int_equal(j.since, 70);
}

static void
test_sum(void **state)
{
	static const struct {
		enum judge_state state;
		uint16_t weight;
		bool unknown_bad, fault;
		uint32_t lost;
	} t[] = {
		{ JUDGE_GOOD, 0, false, false, 0 },
		{ JUDGE_GOOD, 7, false, false, 0 },
		{ JUDGE_BAD, 0, false, true, 0 },
		{ JUDGE_BAD, 7, false, false, 7 },
		{ JUDGE_UNKNOWN, 0, false, false, 0 },
		{ JUDGE_UNKNOWN, 0, true, true, 0 },
		{ JUDGE_UNKNOWN, 7, true, false, 7 },
	};
	struct judge_sum all = { 0 };

	(void)state;
	for (size_t i = 0; i < LEN(t); i++) {
		const struct judge_rule r = { 1, 1, false, t[i].unknown_bad, t[i].weight, 0 };
		const struct judge j = { .state = t[i].state };
		struct judge_sum s = { 0 };

		judge_add(&s, &j, &r);
		judge_add(&all, &j, &r);
		assert_int_equal(s.fault, t[i].fault);
		assert_int_equal(s.lost, t[i].lost);
	}
	assert_true(all.fault);
	assert_int_equal(all.lost, 14);
}

static void
test_files(void **state)
{
	static const struct {
		const char *text;
		bool good;
		int pid;
	} t[] = {
		{ "0", true, 0 },
		{ "0\n", true, 0 },
		{ " 0 \r\n", true, 0 },
		{ "00", true, 0 },
		{ "", false, 0 },
		{ "\n", false, 0 },
		{ "1", false, 1 },
		{ "0x", false, 0 },
		{ "-0", false, 0 },
		{ "no", false, 0 },
		{ "0 0", false, 0 },
		{ "812\n", false, 812 },
		{ "812\nmore of it\n", false, 812 },
		{ "4194305", false, 0 },
		{ "99999999999999999999", false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < LEN(t); i++) {
		assert_int_equal(judge_file(t[i].text, strlen(t[i].text)), t[i].good);
		assert_int_equal(judge_pid(t[i].text, strlen(t[i].text)), t[i].pid);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_states),
		cmocka_unit_test(test_since_and_deadline),
		cmocka_unit_test(test_sum),
		cmocka_unit_test(test_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
