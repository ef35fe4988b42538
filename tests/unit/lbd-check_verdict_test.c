/* Verdicts from rows of results: g is a good probe, b a bad one, v one that says nothing, N a changed check,
 * R another server behind the name. After each stands the verdict that must hold: u up, d down, ? unknown. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lbd-check/verdict.h"
#include "msg/msg.h"

#include <string.h>

static const struct {
	uint16_t rise, fall;
	const char *row, *why;
} rows[] = {
	{ 2, 3, "gu", "the first good probe decides" },
	{ 5, 3, "gu", "whatever rise is" },
	{ 2, 3, "b?b?bd", "from unknown only fall bad ones make down" },
	{ 2, 3, "b?b?gu", "a good one in between makes up" },
	{ 2, 1, "bd", "fall 1" },
	{ 2, 3, "gubububd", "up falls after three" },
	{ 2, 3, "gububugubububd", "a good one sets the count to zero" },
	{ 2, 1, "bdgdgu", "down rises after two" },
	{ 2, 1, "bdgdbdgdgu", "a bad one sets the count to zero" },
	{ 1, 1, "bdgubdgu", "rise and fall of one" },
	{ 2, 3, "v?v?v?v?", "no descriptor left says nothing" },
	{ 2, 2, "gubuvubd", "nor does it break a row" },
	{ 3, 1, "bdNdgu", "a changed check: the first good probe is enough" },
	{ 3, 1, "bdNdbdgdgdgu", "but once the new check failed too, rise counts" },
	{ 2, 2, "guNububd", "a changed check does not shorten fall" },
	{ 2, 2, "gubuNububd", "what the old check counted is forgotten" },
	{ 2, 2, "guR?b?bd", "another server: nothing is known" },
	{ 2, 1, "bdR?", "also when it was down" },
	{ 2, 2, "b?bdR?gu", "and the first good probe decides again" },
};

static const uint16_t reason_for[] = {
	['g'] = REASON_ok,
	['b'] = REASON_refused,
	['v'] = REASON_resources,
};

static char
letter(unsigned verdict)
{
	return "?ud"[verdict];
}

static void
test_verdict_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct check rule = { .rise = rows[i].rise, .fall = rows[i].fall };
		struct standing s = { 0 };

		for (const char *p = rows[i].row; *p; p += 2) {
			struct result r = { .reason = *p >= 'a' ? reason_for[(int)*p] : 0 };
			unsigned before = s.verdict;
			bool turned = *p == 'N' ? (verdict_renew(&s), false)
				      : *p == 'R'
					  ? verdict_reset(&s, 7)
					  : verdict_feed(&s, &rule, &r, 100 + (p - rows[i].row));

			if (letter(s.verdict) != p[1] || turned != (before != s.verdict))
				fail_msg("row %zu (%s): %s at %td: %c, turned %d", i, rows[i].why,
				    rows[i].row, p - rows[i].row, letter(s.verdict), turned);
		}
	}
}

static void
test_verdict_counters(void **state)
{
	struct check rule = { .rise = 1, .fall = 1 };
	struct standing s = { 0 };
	struct result good = { .reason = REASON_ok }, bad = { .reason = REASON_reset };

	(void)state;
	assert_true(verdict_feed(&s, &rule, &bad, 10));
	assert_int_equal(s.turns, 0);
	assert_true(verdict_feed(&s, &rule, &good, 20));
	assert_false(verdict_feed(&s, &rule, &good, 30));
	assert_true(verdict_feed(&s, &rule, &bad, 40));
	assert_int_equal(s.turns, 2);
	assert_int_equal(s.probes, 4);
	assert_int_equal(s.failed, 2);
	assert_int_equal(s.since, 40);
	assert_int_equal(s.at, 40);
	(void)verdict_feed(&s, &rule, &bad, 50);
	assert_int_equal(s.since, 40);
	assert_int_equal(s.at, 50);
	assert_int_equal(s.downs, 1); /* the first verdict was no change */
	assert_int_equal(s.down_s, 10);
	assert_true(verdict_feed(&s, &rule, &good, 70));
	assert_int_equal(s.down_s, 40);
	assert_true(verdict_feed(&s, &rule, &bad, 75));
	assert_true(verdict_reset(&s, 80)); /* another server: what was counted stays */
	assert_int_equal(s.downs, 2);
	assert_int_equal(s.down_s, 45);
	assert_true(verdict_feed(&s, &rule, &bad, 90));
	assert_true(verdict_feed(&s, &rule, &good, 60)); /* the clock was set back */
	assert_int_equal(s.down_s, 45);
}

static void
test_verdict_text(void **state)
{
	struct check rule = { .rise = 2, .fall = 3 };
	struct standing s = { 0 };
	struct result bad = { .reason = REASON_status, .detail = 500, .latency_us = 12000 };
	struct result good = { .reason = REASON_ok, .detail = 200, .latency_us = 1250 };
	struct result plain = { .reason = REASON_ok, .latency_us = 90 };
	char text[VERDICT_TEXT];

	(void)state;
	verdict_format(&s, text, sizeof(text));
	assert_string_equal(text, "no probe yet");
	(void)verdict_feed(&s, &rule, &bad, 1);
	(void)verdict_feed(&s, &rule, &bad, 1);
	verdict_format(&s, text, sizeof(text));
	assert_string_equal(text, "http status 500 in 12 ms (2 of 3)");
	(void)verdict_feed(&s, &rule, &bad, 1);
	verdict_format(&s, text, sizeof(text));
	assert_string_equal(text, "http status 500 in 12 ms (3 of 3)");
	(void)verdict_feed(&s, &rule, &bad, 1);
	verdict_format(&s, text, sizeof(text));
	assert_string_equal(text, "http status 500 in 12 ms");
	(void)verdict_feed(&s, &rule, &good, 1);
	verdict_format(&s, text, sizeof(text));
	assert_string_equal(text, "http status 200 in 1.3 ms (1 of 2)");
	(void)verdict_feed(&s, &rule, &plain, 1);
	(void)verdict_feed(&s, &rule, &plain, 1);
	verdict_format(&s, text, sizeof(text));
	assert_string_equal(text, "connected in 0.1 ms");
	verdict_format(&s, text, 5);
	assert_string_equal(text, "conn");
}

static void
test_result_text(void **state)
{
	static const struct {
		struct result r;
		const char *text;
	} texts[] = {
		{ { REASON_refused, 0, 100 }, "connection refused after 0.1 ms" },
		{ { REASON_refused, 0, 3 }, "connection refused after 0.1 ms" },
		{ { REASON_timeout, 0, 3000000 }, "no answer in time after 3000 ms" },
		{ { REASON_timeout, 0, 60000000 }, "no answer in time after 60 s" },
		{ { REASON_body, 200, 9949 }, "expected text is missing after 9.9 ms" },
		{ { REASON_body, 200, 9950 }, "expected text is missing after 10 ms" },
		{ { REASON_not_checked, 0, 5 }, "not checked" },
		{ { REASON_resolve, 0, 5 }, "name cannot be resolved" },
	};
	char text[VERDICT_TEXT];

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		result_format(&texts[i].r, text, sizeof(text));
		assert_string_equal(text, texts[i].text);
	}
}

static void
test_verdict_interval(void **state)
{
	static const struct {
		uint32_t interval, fast, slow;
		const char *row;
		uint32_t ms;
	} times[] = {
		{ 5000, 0, 0, "", 5000 },
		{ 5000, 1000, 9000, "", 5000 },
		{ 5000, 1000, 9000, "g", 5000 },
		{ 5000, 1000, 9000, "gb", 1000 }, /* fall is counted */
		{ 5000, 0, 9000, "gb", 5000 },
		{ 5000, 1000, 9000, "gbb", 9000 }, /* down */
		{ 5000, 1000, 0, "gbb", 5000 },
		{ 5000, 1000, 9000, "gbbg", 1000 }, /* rise is counted */
		{ 5000, 1000, 9000, "gbbgg", 5000 },
		{ 5000, 1000, 9000, "b", 1000 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		struct check rule = { .rise = 2,
			.fall = 2,
			.interval = times[i].interval,
			.fast = times[i].fast,
			.slow = times[i].slow };
		struct standing s = { 0 };

		for (const char *p = times[i].row; *p; p++)
			(void)verdict_feed(&s, &rule,
			    &(struct result){ .reason = *p == 'g' ? REASON_ok : REASON_refused },
			    1);
		assert_int_equal(verdict_interval(&s, &rule, 12345), DUR_MS(times[i].ms));
		rule.jitter = 10;
		for (uint32_t dice = 0; dice < 3000; dice++) {
			dur_t d = verdict_interval(&s, &rule, dice);

			assert_true(d <= DUR_MS(times[i].ms) && d > DUR_MS(times[i].ms) * 9 / 10);
		}
		assert_int_equal(verdict_interval(&s, &rule, 0), DUR_MS(times[i].ms));
		assert_true(verdict_interval(&s, &rule, 1023) < DUR_MS(times[i].ms) * 91 / 100);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_verdict_rows),
		cmocka_unit_test(test_verdict_counters),
		cmocka_unit_test(test_verdict_text),
		cmocka_unit_test(test_result_text),
		cmocka_unit_test(test_verdict_interval),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
