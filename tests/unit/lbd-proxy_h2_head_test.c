/* Heads between HTTP/2 and HTTP/1.1, and the buckets of h2_calm. */
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
#include "lbd-proxy/h2/h2_calm.h"
#include "lbd-proxy/h2/h2_head.h"

#define FIELDS_MAX 12
struct list {
	const char *text[2 * FIELDS_MAX]; /* name, value, ...; NULL ends */
};

static unsigned
fields(const char *const *text, struct h2_field *f)
{
	unsigned n = 0;

	for (; text[2 * n] != NULL; n++)
		f[n] = (struct h2_field){ text[2 * n], text[2 * n + 1],
			(uint32_t)strlen(text[2 * n]), (uint32_t)strlen(text[2 * n + 1]) };
	return n;
}

#define GET ":method", "GET", ":scheme", "https", ":authority", "h", ":path", "/"
#define POST ":method", "POST", ":scheme", "https", ":authority", "h", ":path", "/"
#define OPEN ":scheme", "https", ":authority", "h:8", ":path", "/c", ":method", "CONNECT"

static void
test_text(void **state)
{
	static const struct {
		struct list in;
		bool ended;
		const char *want;
	} row[] = {
		{ { { GET } }, true, "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n" },
		{ { { GET } }, false,
		    "GET / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n" },
		{ { { POST } }, true,
		    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" },
		{ { { POST, "content-length", "3" } }, false,
		    "POST / HTTP/1.1\r\nHost: h\r\ncontent-length: 3\r\nConnection: close\r\n\r\n" },
		{ { { POST, "content-length", "3", "trailer", "x" } }, false,
		    "POST / HTTP/1.1\r\nHost: h\r\ntrailer: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n" },
		{ { { POST, "trailer", "x", "content-length", "0" } }, true,
		    "POST / HTTP/1.1\r\nHost: h\r\ntrailer: x\r\ncontent-length: 0\r\nConnection: close\r\n\r\n" },
		{ { { GET, "cookie", "a=1", "x", "", "cookie", "b=2" } }, true,
		    "GET / HTTP/1.1\r\nHost: h\r\nx: \r\ncookie: a=1; b=2\r\nConnection: close\r\n\r\n" },
		{ { { GET, "host", "H" } }, true,
		    "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n" },
		{ { { ":method", "GET", ":scheme", "http", ":path", "/a", "host", "b" } }, true,
		    "GET /a HTTP/1.1\r\nhost: b\r\nConnection: close\r\n\r\n" },
		{ { { ":method", "OPTIONS", ":scheme", "http", ":path", "*", ":authority", "h" } },
		    true, "OPTIONS * HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n" },
		{ { { ":method", "CONNECT", ":authority", "h:1" } }, false,
		    "CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\nConnection: close\r\n\r\n" },
		{ { { ":method", "CONNECT", ":authority", "[::1]:1", "content-length", "4" } },
		    false,
		    "CONNECT [::1]:1 HTTP/1.1\r\nHost: [::1]:1\r\ncontent-length: 4\r\nConnection: close\r\n\r\n" },
		{ { { OPEN, ":protocol", "websocket", "sec-websocket-key", "x", "te",
		      "trailers" } },
		    false,
		    "GET /c HTTP/1.1\r\nHost: h:8\r\nte: trailers\r\nUpgrade: websocket\r\n"
		    "Sec-WebSocket-Key: KEY\r\nConnection: Upgrade, close\r\n\r\n" },
		{ { { OPEN, ":protocol", "other" } }, false,
		    "CONNECT /c HTTP/1.1\r\nHost: h:8\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		struct h2_request_about about = { .ended = row[i].ended, .key = "KEY" };
		struct h2_field f[FIELDS_MAX];
		struct h2_request r;
		unsigned n = fields(row[i].in.text, f);
		char out[1024];
		size_t len;

		assert_int_equal(h2_request_read(f, n, &r), 0);
		len = h2_request_text(&r, f, n, &about, out);
		assert_true(len <= h2_request_room(f, n));
		assert_int_equal(len, strlen(row[i].want));
		assert_memory_equal(out, row[i].want, len);
	}
}

/* For servers that are proxies. */
static void
test_text_absolute(void **state)
{
	static const struct {
		struct list in;
		const char *want;
	} row[] = {
		{ { { GET } }, "GET https://h/ HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n" },
		{ { { ":method", "GET", ":scheme", "http", ":authority", "a:8", ":path", "/b?c" } },
		    "GET http://a:8/b?c HTTP/1.1\r\nHost: a:8\r\nConnection: close\r\n\r\n" },
		{ { { ":method", "GET", ":scheme", "http", ":path", "/a", "host", "b" } },
		    "GET /a HTTP/1.1\r\nhost: b\r\nConnection: close\r\n\r\n" },
		{ { { ":method", "OPTIONS", ":scheme", "http", ":path", "*", ":authority", "h" } },
		    "OPTIONS * HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n" },
		{ { { ":method", "CONNECT", ":authority", "h:1" } },
		    "CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\nConnection: close\r\n\r\n" },
		{ { { OPEN, ":protocol", "websocket" } },
		    "GET /c HTTP/1.1\r\nHost: h:8\r\nUpgrade: websocket\r\n"
		    "Sec-WebSocket-Key: KEY\r\nConnection: Upgrade, close\r\n\r\n" },
		{ { { OPEN, ":protocol", "other" } },
		    "CONNECT /c HTTP/1.1\r\nHost: h:8\r\nConnection: close\r\n\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		struct h2_request_about about = { .ended = true, .absolute = true, .key = "KEY" };
		struct h2_field f[FIELDS_MAX];
		struct h2_request r;
		unsigned n = fields(row[i].in.text, f);
		char out[1024];
		size_t len;

		assert_int_equal(h2_request_read(f, n, &r), 0);
		len = h2_request_text(&r, f, n, &about, out);
		assert_true(len <= h2_request_room(f, n));
		assert_int_equal(len, strlen(row[i].want));
		assert_memory_equal(out, row[i].want, len);
	}
}

static void
test_malformed(void **state)
{
	static const struct list row[] = {
		{ { NULL } },
		{ { ":method", "GET", ":scheme", "https", ":authority", "h" } },
		{ { ":method", "GET", ":path", "/", ":authority", "h" } },
		{ { ":scheme", "https", ":path", "/", ":authority", "h" } },
		{ { GET, ":path", "/" } },
		{ { GET, ":protocol", "websocket" } },
		{ { GET, ":status", "200" } },
		{ { GET, "a", "b", ":x", "y" } },
		{ { "a", "b", GET } },
		{ { GET, "A", "b" } },
		{ { GET, "", "b" } },
		{ { GET, "a b", "c" } },
		{ { GET, "a:", "c" } },
		{ { GET, "a\r\nb", "c" } },
		{ { GET, "a", "b\r\nc: d" } },
		{ { GET, "a", "b\nc" } },
		{ { GET, "a", "b\rc" } },
		{ { GET, "a", "\x01" } },
		{ { GET, "a", "\x7f" } },
		{ { GET, "a", " b" } },
		{ { GET, "a", "b\t" } },
		{ { GET, "connection", "x" } },
		{ { GET, "keep-alive", "x" } },
		{ { GET, "proxy-connection", "x" } },
		{ { GET, "transfer-encoding", "chunked" } },
		{ { GET, "upgrade", "x" } },
		{ { GET, "http2-settings", "x" } },
		{ { GET, "te", "gzip" } },
		{ { GET, "host", "other" } },
		{ { GET, "host", "h1" } },
		{ { GET, "host", "(" } },
		{ { ":method", "G T", ":scheme", "http", ":path", "/", ":authority", "h" } },
		{ { ":method", "", ":scheme", "http", ":path", "/", ":authority", "h" } },
		{ { ":method", "GET", ":scheme", "ftp", ":path", "/", ":authority", "h" } },
		{ { ":method", "GET", ":scheme", "http", ":path", "", ":authority", "h" } },
		{ { ":method", "GET", ":scheme", "http", ":path", "a", ":authority", "h" } },
		{ { ":method", "GET", ":scheme", "http", ":path", "*", ":authority", "h" } },
		{ { ":method", "GET", ":scheme", "http", ":path", "/ b", ":authority", "h" } },
		{ { ":method", "GET", ":scheme", "http", ":path", "/\r\n", ":authority", "h" } },
		{ { ":method", "GET", ":scheme", "http", ":path", "/\x80", ":authority", "h" } },
		{ { ":method", "GET", ":scheme", "http", ":path", "/", ":authority", "h\r\n" } },
		{ { ":method", "GET", ":scheme", "http", ":path", "/", ":authority", "" } },
		{ { ":method", "CONNECT", ":path", "/", ":authority", "h" } },
		{ { ":method", "CONNECT" } },
		{ { ":method", "CONNECT", ":protocol", "websocket", ":scheme", "http", ":path",
		    "/" } },
		{ { OPEN, ":protocol", "a b" } },
		{ { ":method", "CONNECT", ":protocol", "websocket", ":authority", "h" } },
	};
	const struct h2_field nul = { "a", "b\0c", 1, 3 };
	struct h2_field f[FIELDS_MAX];
	struct h2_request r;
	unsigned n;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		n = fields(row[i].text, f);
		assert_int_equal(h2_request_read(f, n, &r), -EPROTO);
	}
	n = fields((const char *const[]){ GET, NULL }, f);
	assert_int_equal(h2_request_read(f, n, &r), 0);
	f[n] = nul;
	assert_int_equal(h2_request_read(f, n + 1, &r), -EPROTO);
}

static void
test_large(void **state)
{
	struct h1_head h;
	char out[H2_LARGE];
	size_t n = h2_request_large(out);

	(void)state;
	h1_head_init(&h, false, H1_HEAD_MAX);
	assert_int_equal(h1_head_parse(&h, out, n), H1_BAD);
	assert_int_equal(h.error->status, 431);
}

static void
put_fields(char *o, const struct h2_field *f, unsigned n)
{
	*o = 0;
	for (unsigned i = 0; i < n; i++)
		o += sprintf(o, "%.*s=%.*s;", (int)f[i].name_len, f[i].name, (int)f[i].value_len,
		    f[i].value);
}

static void
test_answer(void **state)
{
	static const struct {
		const char *head;
		bool tunnel;
		const char *want;
	} row[] = {
		{ "HTTP/1.1 200 OK\r\nX-Aa: B C\r\nContent-Length: 5\r\nConnection: close\r\n\r\n",
		    false, ":status=200;x-aa=B C;content-length=5;" },
		{ "HTTP/1.1 103 Hints\r\nLink: <a>\r\n\r\n", false, ":status=103;link=<a>;" },
		{ "HTTP/1.1 404\r\nTransfer-Encoding: chunked\r\nKeep-Alive: 5\r\nProxy-Connection: a\r\n"
		  "Upgrade: h2c\r\nTrailer: X\r\n\r\n",
		    false, ":status=404;trailer=X;" },
		{ "HTTP/1.1 101 S\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 4\r\n"
		  "Sec-WebSocket-Accept: x\r\nSec-WebSocket-Protocol: p\r\n\r\n",
		    true, ":status=200;sec-websocket-protocol=p;" },
		{ "HTTP/1.1 403 F\r\nSec-WebSocket-Accept: x\r\n\r\n", true,
		    ":status=403;sec-websocket-accept=x;" },
		{ "HTTP/1.1 200 OK\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nE:\r\n\r\n", false,
		    ":status=200;set-cookie=a;set-cookie=b;e=;" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		struct h2_field f[H2_ANSWER_FIELDS];
		struct h1_head h;
		char names[1024], got[1024];
		unsigned n;

		h1_head_init(&h, true, H1_HEAD_MAX);
		assert_int_equal(h1_head_parse(&h, row[i].head, strlen(row[i].head)), H1_DONE);
		n = h2_answer_fields(row[i].head, &h, row[i].tunnel, f, names);
		put_fields(got, f, n);
		assert_string_equal(got, row[i].want);
	}
}

static void
test_trailers(void **state)
{
	static const char text[] = "X-Sum: 4 2 \r\nConnection: x\r\nB:\r\nTe: gzip\r\n\r\n";
	struct h2_field f[H1_TRAILERS_MAX];
	char names[sizeof(text)], got[256];

	(void)state;
	put_fields(got, f, h2_trailer_fields(text, sizeof(text) - 1, f, H1_TRAILERS_MAX, names));
	assert_string_equal(got, "x-sum=4 2;b=;");
	assert_int_equal(h2_trailer_fields(text, sizeof(text) - 1, f, 1, names), 1);
	assert_int_equal(h2_trailer_fields("\r\n", 2, f, 1, names), 0);
	assert_int_equal(
	    h2_trailer_text(f, fields((const char *const[]){ "a", "b", NULL }, f), got), 11);
	assert_memory_equal(got, "0\r\na: b\r\n\r\n", 11);
	assert_int_equal(
	    h2_trailer_text(f, fields((const char *const[]){ ":a", "b", NULL }, f), got), 0);
	assert_int_equal(
	    h2_trailer_text(f, fields((const char *const[]){ "a", "b\n", NULL }, f), got), 0);
}

static void
test_calm(void **state)
{
	struct h2_calm c = { 0 };
	mono_t now = DUR_S(100);
	unsigned i;

	(void)state;
	for (i = 0; i < H2_RESETS_MAX; i++)
		assert_true(h2_calm_reset(&c, now));
	assert_false(h2_calm_reset(&c, now));
	h2_calm_answered(&c);
	h2_calm_answered(&c);
	assert_true(h2_calm_reset(&c, now));
	assert_false(h2_calm_reset(&c, now));
	now += DUR_S(2);
	for (i = 0; i < 2 * H2_RESETS_A_SECOND - 1; i++)
		assert_true(h2_calm_reset(&c, now));
	assert_false(h2_calm_reset(&c, now));
	for (i = 0; i < H2_NOISE_MAX; i++)
		assert_true(h2_calm_noise(&c, now));
	assert_false(h2_calm_noise(&c, now));
	h2_calm_earned(&c);
	for (i = 1; i < H2_NOISE_EARNED; i++)
		assert_true(h2_calm_noise(&c, now));
	assert_false(h2_calm_noise(&c, now));
	now += DUR_S(1000); /* long silent: all is forgiven, and no more than that */
	for (i = 0; i < H2_NOISE_MAX; i++)
		assert_true(h2_calm_noise(&c, now));
	assert_false(h2_calm_noise(&c, now));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_text_absolute),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_answer),
		cmocka_unit_test(test_trailers),
		cmocka_unit_test(test_calm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
