/* Heads of requests as fields, and of answers as text (h2_head_back.c). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>

#include "base/must.h"
#include "lbd-proxy/h2/h2_head.h"

#define FIELDS_MAX 16

/* "name=value\n" of each field. */
static void
show(const struct h2_field *f, unsigned n, char *out)
{
	*out = '\0';
	for (unsigned i = 0; i < n; i++)
		out += sprintf(out, "%.*s=%.*s\n", (int)f[i].name_len, f[i].name,
		    (int)f[i].value_len, f[i].value);
}

static void
test_ask(void **state)
{
	static const struct {
		const char *text, *want;
		struct h2_ask how;
		bool chunked, head, old;
		uint64_t length;
	} row[] = {
		{ "GET /a?b HTTP/1.1\r\nHost: h:1\r\nX-A:  b c \r\n\r\n",
		    ":method=GET\n:scheme=http\n:path=/a?b\n:authority=h:1\nx-a=b c\n", { 0 },
		    false, false, false, 0 },
		{ "GET http://h/a?b HTTP/1.1\r\nHost: h\r\n\r\n",
		    ":method=GET\n:scheme=http\n:path=/a?b\n:authority=h\n", { .tls = true }, false,
		    false, false, 0 },
		{ "OPTIONS HTTPS://h HTTP/1.1\r\nHost: h\r\n\r\n",
		    ":method=OPTIONS\n:scheme=https\n:path=*\n:authority=h\n", { 0 }, false, false,
		    false, 0 },
		{ "POST / HTTP/1.1\r\nhost: h\r\nContent-Length: 12\r\n\r\nrest",
		    ":method=POST\n:scheme=https\n:path=/\n:authority=h\ncontent-length=12\n",
		    { .tls = true }, false, false, false, 12 },
		{ "PUT /u HTTP/1.1\r\nTransfer-Encoding: chunked\r\nHOST: h\r\nTE: gzip\r\n\r\n",
		    ":method=PUT\n:scheme=http\n:path=/u\n:authority=h\nte=trailers\n",
		    { .trailers = true }, true, false, false, 0 },
		{ "HEAD * HTTP/1.0\r\nConnection: keep-alive\r\nKeep-Alive: 5\r\nX:\r\n\r\n",
		    ":method=HEAD\n:scheme=http\n:path=*\nx=\n", { 0 }, false, true, true, 0 },
		{ "GET / HTTP/1.1\r\nHost: a\r\nProxy-Connection: x\r\nUpgrade: h2c\r\n"
		  "HTTP2-Settings: x\r\nHost: b\r\nCookie: a=1; b=2\r\n\r\n",
		    ":method=GET\n:scheme=http\n:path=/\n:authority=a\ncookie=a=1; b=2\n", { 0 },
		    false, false, false, 0 },
		{ "GET /w HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
		    ":method=CONNECT\n:scheme=https\n:path=/w\n:protocol=websocket\n:authority=h\n"
		    "sec-websocket-version=13\n",
		    { .tls = true, .tunnel = true }, false, false, false, 0 },
		{ "GET /w HTTP/1.1\r\nSec-WebSocket-Key: 1\r\n\r\n",
		    ":method=CONNECT\n:scheme=http\n:path=/w\n:protocol=websocket\n",
		    { .tunnel = true }, false, false, false, 0 },
		{ "GET /w HTTP/1.1\r\nHost: h\r\nSec-WebSocket-Key: 1\r\n\r\n",
		    ":method=GET\n:scheme=http\n:path=/w\n:authority=h\nsec-websocket-key=1\n",
		    { 0 }, false, false, false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		struct h2_field f[FIELDS_MAX];
		struct h2_ask a = row[i].how;
		char names[512], got[1024];
		size_t end = 0;
		unsigned lines = h2_ask_lines(row[i].text, strlen(row[i].text), &end), n;

		assert_true(lines > 0 && lines + H2_ASK_MORE <= FIELDS_MAX);
		assert_memory_equal(row[i].text + end - 4, "\r\n\r\n", 4);
		n = h2_ask_fields(row[i].text, end, &a, f, names);
		assert_true(n <= lines + H2_ASK_MORE);
		show(f, n, got);
		assert_string_equal(got, row[i].want);
		assert_int_equal(a.chunked, row[i].chunked);
		assert_int_equal(a.head, row[i].head);
		assert_int_equal(a.old, row[i].old);
		assert_int_equal(a.length, row[i].length);
		assert_string_equal(a.accept,
		    strstr(row[i].text, "dGhl") != NULL ? "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" : "");
	}
}

static void
test_ask_incomplete(void **state)
{
	static const char text[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
	size_t end;

	(void)state;
	for (size_t n = 0; n < sizeof(text) - 1; n++)
		assert_int_equal(h2_ask_lines(text, n, &end), 0);
	assert_int_equal(h2_ask_lines(text, sizeof(text) - 1, &end), 2);
}

static unsigned
fields(const char *const *text, struct h2_field *f)
{
	unsigned n = 0;

	for (; text[2 * n] != NULL; n++)
		f[n] = (struct h2_field){ text[2 * n], text[2 * n + 1],
			(uint32_t)strlen(text[2 * n]), (uint32_t)strlen(text[2 * n + 1]) };
	return n;
}

static void
test_answer(void **state)
{
	static const struct {
		const char *in[8];
		bool ended;
		struct h2_ask ask;
		bool chunked;
		const char *want;
	} row[] = {
		{ { ":status", "200", "a", "b" }, false, { 0 }, true,
		    "HTTP/1.1 200 OK\r\na: b\r\nTransfer-Encoding: chunked\r\n\r\n" },
		{ { ":status", "200" }, true, { 0 }, false,
		    "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" },
		{ { ":status", "200", "content-length", "5" }, false, { 0 }, false,
		    "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n" },
		{ { ":status", "200", "content-length", "5" }, false, { .both = true }, true,
		    "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" },
		{ { ":status", "200", "content-length", "0" }, true, { .both = true }, false,
		    "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n" },
		{ { ":status", "200", "content-length", "5" }, false,
		    { .both = true, .head = true }, false,
		    "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n" },
		{ { ":status", "200" }, false, { .old = true }, false, "HTTP/1.1 200 OK\r\n\r\n" },
		{ { ":status", "200" }, true, { .head = true }, false, "HTTP/1.1 200 OK\r\n\r\n" },
		{ { ":status", "299" }, true, { .head = true }, false,
		    "HTTP/1.1 299 Success\r\n\r\n" },
		{ { ":status", "599" }, true, { .head = true }, false,
		    "HTTP/1.1 599 Server Error\r\n\r\n" },
		{ { ":status", "204" }, true, { 0 }, false, "HTTP/1.1 204 No Content\r\n\r\n" },
		{ { ":status", "304" }, true, { 0 }, false, "HTTP/1.1 304 Not Modified\r\n\r\n" },
		{ { ":status", "200", "sec-websocket-protocol", "chat", "content-length", "0" },
		    false, { .tunnel = true, .accept = "abc=" }, false,
		    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		    "Sec-WebSocket-Accept: abc=\r\nsec-websocket-protocol: chat\r\n\r\n" },
		{ { ":status", "204", "sec-websocket-accept", "x" }, true, { .tunnel = true },
		    false,
		    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
		    "Connection: Upgrade\r\n\r\n" },
		{ { ":status", "403" }, false, { .tunnel = true, .accept = "abc=" }, true,
		    "HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n" },
		{ { ":status", "103", "link", "x" }, false, { 0 }, false,
		    "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		struct h2_field f[FIELDS_MAX];
		unsigned n = fields(row[i].in, f);
		struct h2_answer a;
		char out[1024];
		size_t len;

		assert_int_equal(h2_answer_read(f, n, &a), 0);
		len = h2_answer_text(&a, f, n, row[i].ended, &row[i].ask, out);
		assert_true(len <= h2_request_room(f, n));
		assert_int_equal(a.chunked, row[i].chunked);
		assert_int_equal(len, strlen(row[i].want));
		assert_memory_equal(out, row[i].want, len);
	}
}

static void
test_answer_refused(void **state)
{
	static const char *const row[][8] = {
		{ NULL },
		{ "a", "b" },
		{ "a", "b", ":status", "200" },
		{ ":status", "200", ":status", "200" },
		{ ":status", "20" },
		{ ":status", "2000" },
		{ ":status", "2x0" },
		{ ":status", "099" },
		{ ":status", "600" },
		{ ":status", "101" },
		{ ":status", "200", ":path", "/" },
		{ ":status", "200", "A", "b" },
		{ ":status", "200", "a b", "c" },
		{ ":status", "200", "", "c" },
		{ ":status", "200", "a", "b\r\nc: d" },
		{ ":status", "200", "a", " b" },
		{ ":status", "200", "connection", "close" },
		{ ":status", "200", "transfer-encoding", "chunked" },
		{ ":status", "200", "upgrade", "x" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		struct h2_field f[FIELDS_MAX];
		struct h2_answer a;

		assert_int_equal(h2_answer_read(f, fields(row[i], f), &a), -EPROTO);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ask),
		cmocka_unit_test(test_ask_incomplete),
		cmocka_unit_test(test_answer),
		cmocka_unit_test(test_answer_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
