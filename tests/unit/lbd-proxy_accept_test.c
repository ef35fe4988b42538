/* Which coding a client takes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/must.h"
#include "lbd-proxy/coding/accept.h"

static enum coding
choose(const char *lines)
{
	char buf[1000];
	struct h1_head h;
	int n = snprintf(buf, sizeof(buf), "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n", lines);

	h1_head_init(&h, false, H1_HEAD_MAX);
	assert_int_equal(h1_head_parse(&h, buf, (size_t)n), H1_DONE);
	return accept_choose(&h, buf);
}

static void
test_choose(void **state)
{
	static const struct {
		const char *lines;
		enum coding want;
	} rows[] = {
		{ "", CODING_NONE },
		{ "Accept-Encoding:\r\n", CODING_NONE },
		{ "Accept-Encoding: gzip\r\n", CODING_GZIP },
		{ "accept-encoding: GZIP\r\n", CODING_GZIP },
		{ "Accept-Encoding: x-gzip\r\n", CODING_GZIP },
		{ "Accept-Encoding: deflate\r\n", CODING_NONE },
		{ "Accept-Encoding: gzip, deflate, br\r\n", CODING_BR },
		{ "Accept-Encoding: br;q=0.5, gzip\r\n", CODING_GZIP },
		{ "Accept-Encoding: br;q=0.5, gzip;q=0.5\r\n", CODING_BR },
		{ "Accept-Encoding: br ; q=0.499 ,gzip;Q=0.5\r\n", CODING_GZIP },
		{ "Accept-Encoding: br;q=0, gzip;q=0.001\r\n", CODING_GZIP },
		{ "Accept-Encoding: gzip;q=0\r\n", CODING_NONE },
		{ "Accept-Encoding: gzip;q=0.000\r\n", CODING_NONE },
		{ "Accept-Encoding: *\r\n", CODING_BR },
		{ "Accept-Encoding: *;q=0.5, br;q=0\r\n", CODING_GZIP },
		{ "Accept-Encoding: *;q=0\r\n", CODING_NONE },
		{ "Accept-Encoding: gzip, *;q=0\r\n", CODING_GZIP },
		{ "Accept-Encoding: identity, gzip;q=0.5\r\n", CODING_NONE },
		{ "Accept-Encoding: identity;q=0.5, gzip;q=0.5\r\n", CODING_GZIP },
		{ "Accept-Encoding: identity;q=0, gzip;q=0.1\r\n", CODING_GZIP },
		{ "Accept-Encoding: deflate\r\nAccept-Encoding: gzip\r\n", CODING_GZIP },
		{ "Accept-Encoding: , ,gzip,\r\n", CODING_GZIP },
		/* what cannot be read */
		{ "Accept-Encoding: gzip;q=2\r\n", CODING_NONE },
		{ "Accept-Encoding: gzip;q=1.5\r\n", CODING_NONE },
		{ "Accept-Encoding: gzip;q=-1\r\n", CODING_NONE },
		{ "Accept-Encoding: gzip;q=\r\n", CODING_NONE },
		{ "Accept-Encoding: gzip;level=9\r\n", CODING_NONE },
		{ "Accept-Encoding: gzip br\r\n", CODING_NONE },
		{ "Accept-Encoding: gzip;q=0.1234\r\n", CODING_NONE },
		{ "Accept-Encoding: gzip, \"br\"\r\n", CODING_NONE },
		{ "Accept-Encodings: gzip\r\n", CODING_NONE },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
		if (choose(rows[i].lines) != rows[i].want)
			fail_msg("%s: %d", rows[i].lines, choose(rows[i].lines));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_choose),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
