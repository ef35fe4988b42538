/* Which requests are copied. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/must.h"
#include "lbd-proxy/http/mirror_choose.h"

static void
test_chosen(void **state)
{
	static const struct {
		unsigned share;
		uint32_t random;
		bool want;
	} rows[] = {
		{ 0, 0, false },
		{ 0, UINT32_MAX, false },
		{ MIRROR_ALL, 0, true },
		{ MIRROR_ALL, UINT32_MAX, true },
		{ 1, 0, true },
		{ 1, 429496, true }, /* 2^32 / 10,000 = 429,496.7 */
		{ 1, 429497, false },
		{ 2500, 1073741823, true },
		{ 2500, 1073741824, false },
		{ 9999, 4294537799, true },
		{ 9999, 4294537800, false },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
		if (mirror_chosen(rows[i].share, rows[i].random) != rows[i].want)
			fail_msg("%u of %u", rows[i].share, rows[i].random);
}

static void
test_fits(void **state)
{
	static const struct {
		const char *head;
		bool want;
	} rows[] = {
		{ "GET / HTTP/1.1\r\nHost: a\r\n\r\n", true },
		{ "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", true },
		{ "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n", true },
		{ "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 101\r\n\r\n", false },
		{ "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", true },
		{ "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
		    false },
		{ "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n", false },
	};
	struct h1_head h;

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		h1_head_init(&h, false, H1_HEAD_MAX);
		h.connect = true;
		assert_int_equal(h1_head_parse(&h, rows[i].head, strlen(rows[i].head)), H1_DONE);
		if (mirror_fits(&h, 100) != rows[i].want)
			fail_msg("%s", rows[i].head);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chosen),
		cmocka_unit_test(test_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
