/* Which requests go to another server, after which failure. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/must.h"
#include "lbd-proxy/http/retry.h"

#define ALL "connect,empty,junk,timeout,401,403,404,408,425,429,500,501,502,503,504"

static const struct {
	const char *on;
	uint32_t failure; /* a bit, or a status from 100 on */
	bool repeatable, told, again;
} rows[] = {
	{ "connect,empty", RETRY_CONNECT, false, false, true },
	{ "connect,empty", RETRY_CONNECT, true, false, true },
	{ "connect,empty", RETRY_EMPTY, true, false, true },
	{ "connect,empty", RETRY_EMPTY, false, false, false },
	{ "connect,empty", RETRY_JUNK, true, false, false },
	{ "connect,empty", RETRY_TIMEOUT, true, false, false },
	{ "connect,empty", 503, true, false, false },
	{ "", RETRY_CONNECT, true, false, false },
	{ "empty", RETRY_CONNECT, true, false, false },
	{ "junk", RETRY_JUNK, true, false, true },
	{ "timeout", RETRY_TIMEOUT, true, false, true },
	{ "timeout", RETRY_TIMEOUT, false, false, false },
	{ "503", 503, true, false, true },
	{ "503", 503, false, false, false },
	{ "503", 502, true, false, false },
	{ "401,504", 401, true, false, true },
	{ ALL, 505, true, false, false },
	{ ALL, 400, true, false, false },
	{ ALL, RETRY_EMPTY, true, true, false },
	{ ALL, RETRY_JUNK, true, true, false },
	{ ALL, RETRY_TIMEOUT, true, true, false },
	{ ALL, RETRY_CONNECT, true, true, false },
	{ ALL, 504, true, true, false },
};

static void
test_rows(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		uint32_t on, f = rows[i].failure;

		assert_int_equal(retry_words_parse(rows[i].on, &on, NULL), 0);
		if (f >= 100)
			f = retry_status_bit(f);
		if (retry_may(on, f, rows[i].repeatable, rows[i].told) != rows[i].again)
			fail_msg("row %u: %s after %u", i, rows[i].on, rows[i].failure);
	}
}

static void
test_methods(void **state)
{
	(void)state;
	assert_true(retry_idempotent(H1_M_GET));
	assert_true(retry_idempotent(H1_M_PUT));
	assert_false(retry_idempotent(H1_M_POST));
	assert_false(retry_idempotent(H1_M_PATCH));
	assert_false(retry_idempotent(H1_M_CONNECT));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_methods),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
