/* Which call the first message of a SIP connection names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lbd-proxy/pool/sip.h"

#include <stdlib.h>
#include <string.h>

#define INVITE "INVITE sip:bob@example.org SIP/2.0\r\n"

static void
test_calls(void **state)
{
	static const struct {
		const char *text, *call;
		enum h1_result r;
	} row[] = {
		{ INVITE "Via: SIP/2.0/TCP a\r\nCall-ID: a84b@pc33\r\n", "a84b@pc33", H1_DONE },
		{ INVITE "call-id : x \r\n", "x", H1_DONE },
		{ INVITE "i:\tx\n", "x", H1_DONE },
		{ "\r\n\r\n" INVITE "I: 1\r\nCall-ID: 2\r\n", "1", H1_DONE },
		{ "SIP/2.0 200 OK\r\nCall-ID: y\r\n", "y", H1_DONE },
		{ INVITE "Call-ID: x", "", H1_MORE },
		{ INVITE "Call-IDs: x\r\ni2: y\r\n", "", H1_MORE },
		{ INVITE, "", H1_MORE },
		{ "INVITE sip:bob", "", H1_MORE },
		{ "\r\n", "", H1_MORE },
		{ "", "", H1_MORE },
		{ INVITE "Call-ID:\r\n", "", H1_BAD },
		{ INVITE "Via: a\r\n\r\nCall-ID: x\r\n", "", H1_BAD },
		{ "GET / HTTP/1.1\r\nCall-ID: x\r\n", "", H1_BAD },
		{ "SIP/2.0\r\nCall-ID: x\r\n", "", H1_BAD },
		{ "SIP/2.0x 200 OK\r\n", "", H1_BAD },
		{ "xSIP/2.0\r\n", "", H1_BAD },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		size_t n = strlen(row[i].text);
		struct key_span call;

		for (size_t k = 0; k <= n; k++) { /* byte by byte, in memory of just that size */
			uint8_t *part = malloc(k + 1);
			enum h1_result r;

			memcpy(part, row[i].text, k);
			r = sip_call(part, k, &call);
			assert_true(k == n ? r == row[i].r : r == H1_MORE || r == row[i].r);
			if (r == H1_DONE) {
				assert_int_equal(call.len, strlen(row[i].call));
				assert_memory_equal(call.at, row[i].call, call.len);
			}
			free(part);
		}
	}
}

static void
test_length(void **state)
{
	static uint8_t p[KEY_SIP_MAX];
	struct key_span call;

	(void)state;
	memset(p, 'a', sizeof(p));
	assert_int_equal(sip_call(p, sizeof(p) - 1, &call), H1_MORE);
	assert_int_equal(sip_call(p, sizeof(p), &call), H1_BAD);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_calls),
		cmocka_unit_test(test_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
