/* Our cookie with dates, and the hash that seals it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/must.h"
#include "lbd-proxy/http/cookie_date.h"
#include "lbd-proxy/siphash.h"

/* The example of the paper's appendix, and lengths around a word: no two alike. */
static void
test_siphash(void **state)
{
	const uint64_t key[2] = { UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908) };
	uint64_t seen[18];
	uint8_t in[18];

	(void)state;
	for (uint8_t i = 0; i < sizeof(in); i++)
		in[i] = i;
	assert_true(siphash(in, 15, key) == UINT64_C(0xa129ca6149be45e5));
	for (unsigned n = 0; n < ARRAY_LEN(seen); n++) {
		seen[n] = siphash(in, n, key);
		for (unsigned i = 0; i < n; i++)
			assert_true(seen[i] != seen[n]);
	}
}

static void
test_round(void **state)
{
	static const struct cookie_dates dates[] = { { 0, 0 }, { 1, 2 }, { UINT32_MAX, UINT32_MAX },
		{ 1764500000, 1764400000 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(dates); i++) {
		char text[COOKIE_DATED_LEN];
		struct cookie_dates got;
		uint64_t token;

		cookie_dated_format(UINT64_MAX - i, dates[i], 7, text);
		assert_int_equal(cookie_dated_parse(text, sizeof(text), 7, &token, &got), 0);
		assert_true(token == UINT64_MAX - i);
		assert_memory_equal(&got, &dates[i], sizeof(got));
		assert_int_equal(cookie_dated_parse(text, sizeof(text), 8, &token, &got), -EINVAL);
		assert_int_equal(
		    cookie_dated_parse(text, sizeof(text) - 1, 7, &token, &got), -EINVAL);
	}
}

/* Any other character anywhere is refused: the seal covers all. */
static void
test_changed(void **state)
{
	const struct cookie_dates dates = { 1764500000, 1764400000 };
	char good[COOKIE_DATED_LEN], text[COOKIE_DATED_LEN];
	struct cookie_dates got;
	uint64_t token;

	(void)state;
	cookie_dated_format(42, dates, 7, good);
	for (size_t i = 0; i < sizeof(good); i++)
		for (int c = 0; c < 256; c++) {
			if ((char)c == good[i])
				continue;
			memcpy(text, good, sizeof(text));
			text[i] = (char)c;
			assert_int_equal(
			    cookie_dated_parse(text, sizeof(text), 7, &token, &got), -EINVAL);
		}
}

static void
test_age(void **state)
{
	static const struct {
		uint32_t seen, first, now, idle, life;
		enum cookie_age want;
	} rows[] = {
		{ 100, 100, 100, 0, 0, COOKIE_GOOD }, { 100, 100, 1000000, 0, 0, COOKIE_GOOD },
		{ 100, 100, 100, 10, 0, COOKIE_GOOD }, { 100, 100, 101, 10, 0, COOKIE_RENEW },
		{ 100, 100, 109, 10, 0, COOKIE_RENEW }, { 100, 100, 110, 10, 0, COOKIE_IDLE },
		{ 1000, 0, 1099, 1600, 0, COOKIE_GOOD }, { 1000, 0, 1100, 1600, 0, COOKIE_RENEW },
		{ 100, 100, 199, 0, 100, COOKIE_GOOD }, { 100, 100, 200, 0, 100, COOKIE_OLD },
		{ 199, 100, 200, 10, 100, COOKIE_OLD }, { 100, 100, 300, 10, 100, COOKIE_OLD },
		{ 500, 500, 100, 10, 10, COOKIE_GOOD }, /* of a node whose clock is ahead */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct cookie_dates d = { rows[i].seen, rows[i].first };

		if (cookie_age_of(d, rows[i].now, rows[i].idle, rows[i].life) != rows[i].want)
			fail_msg("row %zu", i);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_siphash),
		cmocka_unit_test(test_round),
		cmocka_unit_test(test_changed),
		cmocka_unit_test(test_age),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
