/* Which requests ask for a WebSocket, and the answer to their key. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/must.h"
#include "lbd-proxy/h2/websocket.h"
#include "lbd-proxy/http/h1_parse.h"

#define KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define ASKS "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: " KEY "\r\n"

static void
test_asked(void **state)
{
	static const struct {
		const char *line, *fields;
		bool want;
	} row[] = {
		{ "GET /a HTTP/1.1", ASKS, true },
		{ "GET /a HTTP/1.1", ASKS "Sec-WebSocket-Version: 13\r\nOrigin: http://a\r\n",
		    true },
		{ "GET /a HTTP/1.1",
		    "CONNECTION: close, UPGRADE\r\nUPGRADE: WebSocket\r\nSEC-WEBSOCKET-KEY: " KEY
		    "\r\n",
		    true },
		{ "POST /a HTTP/1.1", ASKS, false },
		{ "GET /a HTTP/1.0", ASKS, false },
		{ "GET /a HTTP/1.1", ASKS "Content-Length: 0\r\n", false },
		{ "GET /a HTTP/1.1", ASKS "Content-Length: 5\r\n", false },
		{ "GET /a HTTP/1.1", ASKS "Transfer-Encoding: chunked\r\n", false },
		{ "GET /a HTTP/1.1", ASKS "Upgrade: websocket\r\n", false },
		{ "GET /a HTTP/1.1", ASKS "Sec-WebSocket-Key: " KEY "\r\n", false },
		{ "GET /a HTTP/1.1", "Connection: Upgrade\r\nUpgrade: websocket\r\n", false },
		{ "GET /a HTTP/1.1", "Upgrade: websocket\r\nSec-WebSocket-Key: " KEY "\r\n",
		    false },
		{ "GET /a HTTP/1.1",
		    "Connection: Upgrade\r\nUpgrade: websocket, x\r\nSec-WebSocket-Key: " KEY
		    "\r\n",
		    false },
		{ "GET /a HTTP/1.1",
		    "Connection: Upgrade\r\nUpgrade: chat\r\nSec-WebSocket-Key: " KEY "\r\n",
		    false },
		{ "GET /a HTTP/1.1",
		    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: short\r\n",
		    false },
		{ "GET /a HTTP/1.1", "", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		struct h1_head h;
		char text[512];
		int n = snprintf(
		    text, sizeof(text), "%s\r\nHost: a\r\n%s\r\n", row[i].line, row[i].fields);

		h1_head_init(&h, false, H1_HEAD_MAX);
		assert_int_equal(h1_head_parse(&h, text, (size_t)n), H1_DONE);
		assert_int_equal(websocket_asked(text, &h), row[i].want);
	}
}

/* RFC 6455 section 1.3. */
static void
test_accept(void **state)
{
	char out[WEBSOCKET_ACCEPT_ROOM];

	(void)state;
	websocket_accept(KEY, strlen(KEY), out);
	assert_string_equal(out, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
	websocket_accept(KEY, strlen(KEY) - 1, out);
	assert_string_equal(out, "");
	websocket_accept(KEY KEY, 2 * strlen(KEY), out);
	assert_string_equal(out, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_asked),
		cmocka_unit_test(test_accept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
