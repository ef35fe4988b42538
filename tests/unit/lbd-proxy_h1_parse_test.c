/* Heads: what is taken, what is refused and with which status, and that it does not matter in which pieces they arrive. One file,
 * because nearly all of it is tables for the same few readers. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/must.h"
#include "lbd-proxy/http/h1_parse.h"

#define BYTES(s) (s), sizeof(s) - 1
#define REQUEST(rest) BYTES("GET / HTTP/1.1\r\nHost: a\r\n" rest "\r\n")
#define POST(rest) BYTES("POST / HTTP/1.1\r\nHost: a\r\n" rest "\r\n")

/* One copy at the very end of its memory, so that a sanitizer sees a byte read too far. */
static enum h1_result
parse_whole(struct h1_head *h, bool answer, const char *text, size_t len, char **copy)
{
	*copy = malloc(len);
	assert_non_null(*copy);
	memcpy(*copy, text, len);
	h1_head_init(h, answer, 16384);
	return h1_head_parse(h, *copy, len);
}

/* The same head byte by byte, each time in another place. */
static enum h1_result
parse_bytes(struct h1_head *h, bool answer, const char *text, size_t len)
{
	enum h1_result r = H1_MORE;

	h1_head_init(h, answer, 16384);
	for (size_t n = 1; n <= len && r == H1_MORE; n++) {
		char *copy = malloc(n);
		assert_non_null(copy);
		memcpy(copy, text, n);
		r = h1_head_parse(h, copy, n);
		free(copy);
	}
	return r;
}

static void
assert_same(const struct h1_head *a, const struct h1_head *b)
{
	assert_int_equal(a->length, b->length);
	assert_int_equal(a->seen, b->seen);
	assert_int_equal(a->n, b->n);
	assert_int_equal(a->framing, b->framing);
	assert_int_equal(a->keep_alive, b->keep_alive);
	assert_int_equal(a->body_length, b->body_length);
	assert_int_equal(a->path_off, b->path_off);
	assert_int_equal(a->first, b->first);
	for (unsigned i = 0; i < a->n; i++)
		assert_memory_equal(&a->header[i], &b->header[i], 9);
}

static const struct good {
	const char *why, *text;
	size_t len;
	uint8_t method, form, framing, minor;
	bool keep;
	uint16_t fields;
	uint64_t body;
} good[] = {
	{ "small", REQUEST(""), H1_M_GET, H1_ORIGIN, H1_NO_BODY, 1, true, 1, 0 },
	{ "close", REQUEST("Connection: close\r\n"), H1_M_GET, H1_ORIGIN, H1_NO_BODY, 1, false, 2,
	    0 },
	{ "close among others", REQUEST("Connection: x-a , CLOSE\r\n"), H1_M_GET, H1_ORIGIN,
	    H1_NO_BODY, 1, false, 2, 0 },
	{ "1.0 closes", BYTES("GET / HTTP/1.0\r\n\r\n"), H1_M_GET, H1_ORIGIN, H1_NO_BODY, 0, false,
	    0, 0 },
	{ "1.0 keeps", BYTES("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"), H1_M_GET,
	    H1_ORIGIN, H1_NO_BODY, 0, true, 1, 0 },
	{ "an empty line before", BYTES("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"), H1_M_GET,
	    H1_ORIGIN, H1_NO_BODY, 1, true, 1, 0 },
	{ "length", POST("Content-Length: 12\r\n"), H1_M_POST, H1_ORIGIN, H1_LENGTH, 1, true, 2,
	    12 },
	{ "length 0", POST("Content-Length: 0\r\n"), H1_M_POST, H1_ORIGIN, H1_LENGTH, 1, true, 2,
	    0 },
	{ "largest length", POST("Content-Length: 922337203685477579\r\n"), H1_M_POST, H1_ORIGIN,
	    H1_LENGTH, 1, true, 2, 922337203685477579u },
	{ "chunked", POST("transfer-ENCODING:\t chunked \t\r\n"), H1_M_POST, H1_ORIGIN, H1_CHUNKED,
	    1, true, 2, 0 },
	{ "asterisk", BYTES("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"), H1_M_OPTIONS, H1_ASTERISK,
	    H1_NO_BODY, 1, true, 1, 0 },
	{ "absolute", BYTES("GET http://a/x HTTP/1.1\r\nHost: A\r\n\r\n"), H1_M_GET, H1_ABSOLUTE,
	    H1_NO_BODY, 1, true, 1, 0 },
	{ "absolute, port", BYTES("GET HTTP://a:81?q HTTP/1.1\r\nHost: a:81\r\n\r\n"), H1_M_GET,
	    H1_ABSOLUTE, H1_NO_BODY, 1, true, 1, 0 },
	{ "own method", BYTES("PURGE /x HTTP/1.1\r\nHost: a\r\n\r\n"), H1_M_OTHER, H1_ORIGIN,
	    H1_NO_BODY, 1, true, 1, 0 },
	{ "lower case is another method", BYTES("get /x HTTP/1.1\r\nHost: a\r\n\r\n"), H1_M_OTHER,
	    H1_ORIGIN, H1_NO_BODY, 1, true, 1, 0 },
	{ "IPv6 host", BYTES("GET / HTTP/1.1\r\nHost: [fd00::1]:8080\r\n\r\n"), H1_M_GET, H1_ORIGIN,
	    H1_NO_BODY, 1, true, 1, 0 },
	{ "empty value, tabs and high bytes inside", REQUEST("X-A:\r\nX-B: a\tb \xc3\xa4  c\r\n"),
	    H1_M_GET, H1_ORIGIN, H1_NO_BODY, 1, true, 3, 0 },
	{ "odd but visible target", BYTES("GET /a|b{c}^`\"<>\\ HTTP/1.1\r\nHost: a\r\n\r\n"),
	    H1_M_GET, H1_ORIGIN, H1_NO_BODY, 1, true, 1, 0 },
	{ "expect", POST("Expect: 100-Continue\r\nContent-Length: 1\r\n"), H1_M_POST, H1_ORIGIN,
	    H1_LENGTH, 1, true, 3, 1 },
	{ "a value longer than two vectors",
	    REQUEST("X: 0123456789012345678901234567890123456789\r\n"), H1_M_GET, H1_ORIGIN,
	    H1_NO_BODY, 1, true, 2, 0 },
};

static void
test_request_good(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		const struct good *g = &good[i];
		struct h1_head h, slow;
		char *copy;
		print_message("%s\n", g->why);
		assert_int_equal(parse_whole(&h, false, g->text, g->len, &copy), H1_DONE);
		free(copy);
		assert_int_equal(h.length, g->len);
		assert_int_equal(h.method, g->method);
		assert_int_equal(h.form, g->form);
		assert_int_equal(h.framing, g->framing);
		assert_int_equal(h.minor, g->minor);
		assert_int_equal(h.keep_alive, g->keep);
		assert_int_equal(h.n, g->fields);
		assert_int_equal(h.body_length, g->body);
		assert_int_equal(parse_bytes(&slow, false, g->text, g->len), H1_DONE);
		assert_same(&h, &slow);
	}
}

static const struct bad {
	const char *why, *text;
	size_t len;
	unsigned status;
} bad_requests[] = {
	/* ecosystem of packaged parsers: each of these is taken by at least one of them */
	{ "CR inside a value", POST("X: a\rTransfer-Encoding: chunked\r\n"), 400 },
	{ "bare LF line ends", BYTES("GET / HTTP/1.1\nHost: a\n\n"), 400 },
	{ "bare LF after a field", BYTES("GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n"), 400 },
	{ "bare LF as the empty line", BYTES("GET / HTTP/1.1\r\nHost: a\r\n\n"), 400 },
	{ "obs-fold", POST("X: a\r\n b\r\n"), 400 },
	{ "space before the colon", POST("Content-Length : 5\r\n"), 400 },
	{ "tab before the colon", POST("Content-Length\t: 5\r\n"), 400 },
	{ "folded Content-Length", POST("X: a\r\n Content-Length: 5\r\n"), 400 },
	{ "first field folded", BYTES("GET / HTTP/1.1\r\n Host: a\r\n\r\n"), 400 },
	{ "length with coding", POST("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), 400 },
	{ "coding with length", POST("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"), 400 },
	{ "two lengths", POST("Content-Length: 5\r\nContent-Length: 6\r\n"), 400 },
	{ "two equal lengths", POST("Content-Length: 5\r\nContent-Length: 5\r\n"), 400 },
	{ "length list", POST("Content-Length: 5, 5\r\n"), 400 },
	{ "xchunked", POST("Transfer-Encoding: xchunked\r\n"), 501 },
	{ "gzip, chunked", POST("Transfer-Encoding: gzip, chunked\r\n"), 501 },
	{ "chunked, identity", POST("Transfer-Encoding: chunked, identity\r\n"), 501 },
	{ "chunked twice", POST("Transfer-Encoding: chunked, chunked\r\n"), 501 },
	{ "chunked and a comma", POST("Transfer-Encoding: chunked,\r\n"), 501 },
	{ "chunked with a parameter", POST("Transfer-Encoding: chunked;a=b\r\n"), 501 },
	{ "quoted chunked", POST("Transfer-Encoding: \"chunked\"\r\n"), 501 },
	{ "vertical tab before chunked",
	    POST("Transfer-Encoding: \x0b"
		 "chunked\r\n"),
	    400 },
	{ "two codings", POST("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
	    400 },
	{ "empty coding", POST("Transfer-Encoding:\r\n"), 400 },
	{ "coding in 1.0", BYTES("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), 400 },
	{ "no Host", BYTES("GET / HTTP/1.1\r\n\r\n"), 400 },
	{ "two Hosts", REQUEST("Host: b\r\n"), 400 },
	{ "two equal Hosts", REQUEST("Host: a\r\n"), 400 },
	{ "two Hosts in 1.0", BYTES("GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"), 400 },
	{ "empty Host", BYTES("GET / HTTP/1.1\r\nHost:\r\n\r\n"), 400 },
	{ "Host with space", BYTES("GET / HTTP/1.1\r\nHost: a b\r\n\r\n"), 400 },
	{ "Host with comma", BYTES("GET / HTTP/1.1\r\nHost: a,b\r\n\r\n"), 400 },
	{ "Host with user", BYTES("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"), 400 },
	{ "Host with path", BYTES("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"), 400 },
	{ "Host with letters for a port", BYTES("GET / HTTP/1.1\r\nHost: a:b\r\n\r\n"), 400 },
	{ "Host with port too large", BYTES("GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n"), 400 },
	{ "Host with an open bracket", BYTES("GET / HTTP/1.1\r\nHost: [::1\r\n\r\n"), 400 },
	{ "Host with something behind a bracket", BYTES("GET / HTTP/1.1\r\nHost: [::1]a\r\n\r\n"),
	    400 },
	{ "NUL in a value", POST("X: a\0b\r\n"), 400 },
	{ "NUL in a name", POST("X\0: a\r\n"), 400 },
	{ "DEL in a value", POST("X: a\x7f\r\n"), 400 },
	{ "escape in a value", POST("X: \x1b[0m\r\n"), 400 },
	{ "LF right after the target", BYTES("GET /\nContent-Length: 5\r\n\r\n"), 400 },
	/* names */
	{ "empty name", POST(": a\r\n"), 400 },
	{ "line without a colon", POST("X\r\n"), 400 },
	{ "name with a bracket", POST("X[0]: a\r\n"), 400 },
	{ "name with a high byte", POST("X\xe4: a\r\n"), 400 },
	{ "CR before a name", POST("\rX: a\r\n"), 400 },
	/* lengths */
	{ "empty length", POST("Content-Length:\r\n"), 400 },
	{ "length +5", POST("Content-Length: +5\r\n"), 400 },
	{ "length -5", POST("Content-Length: -5\r\n"), 400 },
	{ "length 5 5", POST("Content-Length: 5 5\r\n"), 400 },
	{ "length 0x5", POST("Content-Length: 0x5\r\n"), 400 },
	{ "length 5a", POST("Content-Length: 5a\r\n"), 400 },
	{ "length 2^63", POST("Content-Length: 9223372036854775808\r\n"), 400 },
	{ "length 2^64 + 5", POST("Content-Length: 18446744073709551621\r\n"), 400 },
	{ "length far too long", POST("Content-Length: 99999999999999999999999999\r\n"), 400 },
	/* request line */
	{ "HTTP/0.9", BYTES("GET /\r\n"), 400 },
	{ "HTTP/0.9 by number", BYTES("GET / HTTP/0.9\r\nHost: a\r\n\r\n"), 505 },
	{ "HTTP/2 preface", BYTES("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 505 },
	{ "HTTP/1.2", BYTES("GET / HTTP/1.2\r\nHost: a\r\n\r\n"), 505 },
	{ "HTTP/1.10", BYTES("GET / HTTP/1.10\r\nHost: a\r\n\r\n"), 400 },
	{ "HTTP/01.1", BYTES("GET / HTTP/01.1\r\nHost: a\r\n\r\n"), 400 },
	{ "HTTP/1,1", BYTES("GET / HTTP/1,1\r\nHost: a\r\n\r\n"), 400 },
	{ "http/1.1", BYTES("GET / http/1.1\r\nHost: a\r\n\r\n"), 400 },
	{ "HTTPS/1.1", BYTES("GET / HTTPS/1.1\r\nHost: a\r\n\r\n"), 400 },
	{ "space behind the version", BYTES("GET / HTTP/1.1 \r\nHost: a\r\n\r\n"), 400 },
	{ "CR CR LF", BYTES("GET / HTTP/1.1\r\r\nHost: a\r\n\r\n"), 400 },
	{ "two spaces before the version", BYTES("GET /  HTTP/1.1\r\nHost: a\r\n\r\n"), 400 },
	{ "two spaces before the target", BYTES("GET  / HTTP/1.1\r\nHost: a\r\n\r\n"), 400 },
	{ "tab before the target", BYTES("GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n"), 400 },
	{ "space before the method", BYTES(" GET / HTTP/1.1\r\nHost: a\r\n\r\n"), 400 },
	{ "space in the target", BYTES("GET /a b HTTP/1.1\r\nHost: a\r\n\r\n"), 400 },
	{ "fragment", BYTES("GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n"), 400 },
	{ "NUL in the target", BYTES("GET /a\0 HTTP/1.1\r\nHost: a\r\n\r\n"), 400 },
	{ "high byte in the target", BYTES("GET /\xe4 HTTP/1.1\r\nHost: a\r\n\r\n"), 400 },
	{ "tab in the target", BYTES("GET /a\tb HTTP/1.1\r\nHost: a\r\n\r\n"), 400 },
	{ "no target", BYTES("GET HTTP/1.1\r\nHost: a\r\n\r\n"), 400 },
	{ "no slash", BYTES("GET a HTTP/1.1\r\nHost: a\r\n\r\n"), 400 },
	{ "asterisk for GET", BYTES("GET * HTTP/1.1\r\nHost: a\r\n\r\n"), 400 },
	{ "ftp target", BYTES("GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n"), 400 },
	{ "absolute target of another host", BYTES("GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n"),
	    400 },
	{ "absolute target without host", BYTES("GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n"), 400 },
	{ "absolute target with user", BYTES("GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n"), 400 },
	{ "CONNECT", BYTES("CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n"), 501 },
	{ "bad method", BYTES("G(T / HTTP/1.1\r\nHost: a\r\n\r\n"), 400 },
	{ "method too long", BYTES("ABCDEFGHIJKLMNOPQRSTUVWXYZ / HTTP/1.1\r\nHost: a\r\n\r\n"),
	    501 },
	{ "TLS", BYTES("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"), 400 },
	{ "two empty lines before", BYTES("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"), 400 },
	{ "CR and something else as the empty line", BYTES("GET / HTTP/1.1\r\nHost: a\r\n\r\x8a"),
	    400 },
	{ "CR and something else behind a value", BYTES("GET / HTTP/1.1\r\nHost: a\rb"), 400 },
	{ "LF before", BYTES("\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"), 400 },
	/* the rest */
	{ "expect of something else", POST("Expect: 200-ok\r\n"), 417 },
	{ "Connection that is no list", POST("Connection: a b\r\n"), 400 },
	{ "TRACE with a body", BYTES("TRACE / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n"),
	    400 },
	{ "too many names in Connection", POST("Connection: a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q\r\n"),
	    400 },
};

static void
test_request_bad(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad_requests); i++) {
		const struct bad *b = &bad_requests[i];
		struct h1_head h;
		char *copy;
		print_message("%s\n", b->why);
		assert_int_equal(parse_whole(&h, false, b->text, b->len, &copy), H1_BAD);
		free(copy);
		assert_int_equal(h.error->status, b->status);
		assert_int_equal(parse_bytes(&h, false, b->text, b->len), H1_BAD);
		assert_int_equal(h.error->status, b->status);
	}
}

#define ANSWER(rest) BYTES("HTTP/1.1 200 OK\r\n" rest "\r\n")
static const struct bad bad_answers[] = {
	{ "another protocol", BYTES("SSH-2.0-x\r\n"), 400 },
	{ "version 2", BYTES("HTTP/2.0 200 OK\r\n\r\n"), 400 },
	{ "version 1.2", BYTES("HTTP/1.2 200 OK\r\n\r\n"), 400 },
	{ "two spaces", BYTES("HTTP/1.1  200 OK\r\n\r\n"), 400 },
	{ "short status", BYTES("HTTP/1.1 20 OK\r\n\r\n"), 400 },
	{ "long status", BYTES("HTTP/1.1 2000 OK\r\n\r\n"), 400 },
	{ "status 099", BYTES("HTTP/1.1 099 OK\r\n\r\n"), 400 },
	{ "status 600", BYTES("HTTP/1.1 600 OK\r\n\r\n"), 400 },
	{ "status 2x0", BYTES("HTTP/1.1 2x0 OK\r\n\r\n"), 400 },
	{ "NUL in the reason", BYTES("HTTP/1.1 200 O\0K\r\n\r\n"), 400 },
	{ "bare LF", BYTES("HTTP/1.1 200 OK\nX: a\r\n\r\n"), 400 },
	{ "empty line before", BYTES("\r\nHTTP/1.1 200 OK\r\n\r\n"), 400 },
	{ "two lengths", ANSWER("Content-Length: 1\r\nContent-Length: 1\r\n"), 400 },
	{ "length with coding", ANSWER("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"),
	    400 },
	{ "another coding", ANSWER("Transfer-Encoding: gzip\r\n"), 501 },
	{ "coding in 1.0", BYTES("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), 400 },
	{ "fold", ANSWER("X: a\r\n b\r\n"), 400 },
};

static void
test_answer_bad(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad_answers); i++) {
		const struct bad *b = &bad_answers[i];
		struct h1_head h;
		char *copy;
		print_message("%s\n", b->why);
		assert_int_equal(parse_whole(&h, true, b->text, b->len, &copy), H1_BAD);
		free(copy);
		assert_int_equal(h.error->status, b->status);
		assert_int_equal(parse_bytes(&h, true, b->text, b->len), H1_BAD);
	}
}

/* Between two streams of HTTP/2: the coding frames what has a length too. */
static void
test_answer_both(void **state)
{
	static const char text[] =
	    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n";
	struct h1_head h;

	(void)state;
	h1_head_init(&h, true, H1_HEAD_MAX);
	h.both = true;
	assert_int_equal(h1_head_parse(&h, text, sizeof(text) - 1), H1_DONE);
	assert_int_equal(h1_frame_answer(&h, H1_M_GET, false, 1), 0);
	assert_int_equal(h.framing, H1_CHUNKED);
	assert_true(h.has_length && h.body_length == 5);
	h1_head_init(&h, true, H1_HEAD_MAX);
	assert_int_equal(h1_head_parse(&h, text, sizeof(text) - 1), H1_BAD);
}

static const struct frame {
	const char *why, *text;
	size_t len;
	uint8_t method;
	bool upgrade;
	uint8_t minor; /* of the client */
	int ret;
	uint8_t framing;
	bool keep;
} frames[] = {
	{ "length", ANSWER("Content-Length: 5\r\n"), H1_M_GET, false, 1, 0, H1_LENGTH, true },
	{ "CONNECT", ANSWER(""), H1_M_CONNECT, false, 1, 0, H1_TUNNEL, true },
	{ "CONNECT with length", ANSWER("Content-Length: 5\r\n"), H1_M_CONNECT, false, 1, 0,
	    H1_TUNNEL, true },
	{ "CONNECT chunked for 1.0", ANSWER("Transfer-Encoding: chunked\r\n"), H1_M_CONNECT, false,
	    0, 0, H1_TUNNEL, true },
	{ "CONNECT 204", BYTES("HTTP/1.1 204\r\n\r\n"), H1_M_CONNECT, false, 1, 0, H1_TUNNEL,
	    true },
	{ "CONNECT refused", BYTES("HTTP/1.1 403 N\r\nContent-Length: 5\r\n\r\n"), H1_M_CONNECT,
	    false, 1, 0, H1_LENGTH, true },
	{ "CONNECT 300", BYTES("HTTP/1.1 300 N\r\nTransfer-Encoding: chunked\r\n\r\n"),
	    H1_M_CONNECT, false, 1, 0, H1_CHUNKED, true },
	{ "CONNECT 199", BYTES("HTTP/1.1 199 N\r\n\r\n"), H1_M_CONNECT, false, 1, 0, H1_NO_BODY,
	    true },
	{ "CONNECT 101", BYTES("HTTP/1.1 101 S\r\nUpgrade: x\r\n\r\n"), H1_M_CONNECT, false, 1,
	    -EPROTO, 0, 0 },
	{ "chunked", ANSWER("Transfer-Encoding: Chunked\r\n"), H1_M_GET, false, 1, 0, H1_CHUNKED,
	    true },
	{ "neither", ANSWER(""), H1_M_GET, false, 1, 0, H1_UNTIL_CLOSE, false },
	{ "HEAD with length", ANSWER("Content-Length: 5\r\n"), H1_M_HEAD, false, 1, 0, H1_NO_BODY,
	    true },
	{ "HEAD chunked for 1.0", ANSWER("Transfer-Encoding: chunked\r\n"), H1_M_HEAD, false, 0, 0,
	    H1_NO_BODY, true },
	{ "chunked for 1.0", ANSWER("Transfer-Encoding: chunked\r\n"), H1_M_GET, false, 0, -EPROTO,
	    0, 0 },
	{ "304 with length", BYTES("HTTP/1.1 304 N\r\nContent-Length: 5\r\n\r\n"), H1_M_GET, false,
	    1, 0, H1_NO_BODY, true },
	{ "204", BYTES("HTTP/1.1 204\r\n\r\n"), H1_M_GET, false, 1, 0, H1_NO_BODY, true },
	{ "100", BYTES("HTTP/1.1 100 Continue\r\n\r\n"), H1_M_POST, false, 1, 0, H1_NO_BODY, true },
	{ "103 with a field", BYTES("HTTP/1.1 103 \r\nLink: </a>\r\n\r\n"), H1_M_GET, false, 1, 0,
	    H1_NO_BODY, true },
	{ "101", BYTES("HTTP/1.1 101 S\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"), H1_M_GET,
	    true, 1, 0, H1_TUNNEL, true },
	{ "101 unasked", BYTES("HTTP/1.1 101 S\r\nUpgrade: x\r\n\r\n"), H1_M_GET, false, 1, -EPROTO,
	    0, 0 },
	{ "1.0 closes", BYTES("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n"), H1_M_GET, false, 1,
	    0, H1_LENGTH, false },
	{ "no reason, no space", BYTES("HTTP/1.1 200\r\nContent-Length: 5\r\n\r\n"), H1_M_GET,
	    false, 1, 0, H1_LENGTH, true },
	{ "high bytes in the reason",
	    BYTES("HTTP/1.1 404 N\xe4\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"), H1_M_GET,
	    false, 1, 0, H1_LENGTH, false },
};

static void
test_answer_framing(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(frames); i++) {
		const struct frame *f = &frames[i];
		struct h1_head h;
		char *copy;
		print_message("%s\n", f->why);
		assert_int_equal(parse_whole(&h, true, f->text, f->len, &copy), H1_DONE);
		free(copy);
		assert_int_equal(h1_frame_answer(&h, f->method, f->upgrade, f->minor), f->ret);
		if (f->ret != 0) {
			assert_non_null(h.error);
			continue;
		}
		assert_int_equal(h.framing, f->framing);
		assert_int_equal(h.keep_alive, f->keep);
	}
}

#define CONNECT(target, rest) BYTES("CONNECT " target " HTTP/1.1\r\n" rest "\r\n")
static const struct connect {
	const char *text;
	size_t len;
	unsigned status; /* 0: taken */
	const char *host;
} connects[] = {
	{ CONNECT("a:443", "Host: a:443\r\n"), 0, "a:443" },
	{ CONNECT("a:443", "Host: A\r\n"), 0, "a:443" },
	{ CONNECT("192.0.2.1:1", "Host: 192.0.2.1:1\r\n"), 0, "192.0.2.1:1" },
	{ CONNECT("[2001:db8::1]:65535", "Host: [2001:db8::1]\r\n"), 0, "[2001:db8::1]:65535" },
	{ CONNECT("a:080", "Host: a\r\n"), 0, "a:080" },
	{ CONNECT("a:443", "Host: a\r\nExpect: 100-continue\r\n"), 0, "a:443" },
	{ CONNECT("a:443", "Host: a\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"), 0,
	    "a:443" },
	{ BYTES("CONNECT a:443 HTTP/1.0\r\n\r\n"), 0, "a:443" },
	{ CONNECT("a", "Host: a\r\n"), 400, NULL },
	{ CONNECT("a:", "Host: a\r\n"), 400, NULL },
	{ CONNECT("a:0", "Host: a\r\n"), 400, NULL },
	{ CONNECT("a:65536", "Host: a\r\n"), 400, NULL },
	{ CONNECT("a:000443", "Host: a\r\n"), 400, NULL },
	{ CONNECT("a:https", "Host: a\r\n"), 400, NULL },
	{ CONNECT("a:443/", "Host: a\r\n"), 400, NULL },
	{ CONNECT("a:443?b", "Host: a\r\n"), 400, NULL },
	{ CONNECT("a:443,b:443", "Host: a\r\n"), 400, NULL },
	{ CONNECT("a:b:443", "Host: a\r\n"), 400, NULL },
	{ CONNECT("u@a:443", "Host: a\r\n"), 400, NULL },
	{ CONNECT(":443", "Host: a\r\n"), 400, NULL },
	{ CONNECT("%61:443", "Host: %61\r\n"), 400, NULL },
	{ CONNECT("::1:443", "Host: a\r\n"), 400, NULL },
	{ CONNECT("[::1]", "Host: [::1]\r\n"), 400, NULL },
	{ CONNECT("[::1:443", "Host: a\r\n"), 400, NULL },
	{ CONNECT("[::1%25eth0]:443", "Host: a\r\n"), 400, NULL },
	{ CONNECT("*", "Host: a\r\n"), 400, NULL },
	{ CONNECT("/", "Host: a\r\n"), 400, NULL },
	{ CONNECT("//a:443", "Host: a\r\n"), 400, NULL },
	{ CONNECT("http://a:443", "Host: a:443\r\n"), 400, NULL },
	{ CONNECT("https://a:443/", "Host: a:443\r\n"), 400, NULL },
	{ CONNECT("a:443", ""), 400, NULL },
	{ CONNECT("a:443", "Host: b\r\n"), 400, NULL },
	{ CONNECT("a:443", "Host: a:80\r\n"), 400, NULL },
	{ CONNECT("a:443", "Host: a:0443\r\n"), 400, NULL },
	{ CONNECT("a:443", "Host: a:\r\n"), 400, NULL },
	{ CONNECT("a:443", "Host: a\r\nHost: a\r\n"), 400, NULL },
	{ CONNECT("a:443", "Host: a\r\nContent-Length: 0\r\n"), 400, NULL },
	{ CONNECT("a:443", "Host: a\r\nContent-Length: 5\r\n"), 400, NULL },
	{ CONNECT("a:443", "Host: a\r\nTransfer-Encoding: chunked\r\n"), 400, NULL },
	{ BYTES("GET a:443 HTTP/1.1\r\nHost: a\r\n\r\n"), 400, NULL },
	{ BYTES("connect a:443 HTTP/1.1\r\nHost: a\r\n\r\n"), 400, NULL },
	{ BYTES("CONNECT a:443\r\nHost: a\r\n\r\n"), 400, NULL },
};

/* Of a service that takes CONNECT; and that any other answers all that is no other fault before with 501. */
static void
test_connect(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(connects); i++) {
		const struct connect *r = &connects[i];
		struct h1_head h;
		char *copy;

		print_message("%.*s\n", (int)strcspn(r->text, "\r"), r->text);
		copy = malloc(r->len);
		assert_non_null(copy);
		memcpy(copy, r->text, r->len);
		h1_head_init(&h, false, 16384);
		h.connect = true;
		assert_int_equal(
		    h1_head_parse(&h, copy, r->len), r->status == 0 ? H1_DONE : H1_BAD);
		if (r->status != 0) {
			assert_int_equal(h.error->status, r->status);
		} else {
			assert_int_equal(h.form, H1_AUTHORITY);
			assert_int_equal(h.method, H1_M_CONNECT);
			assert_int_equal(h.framing, H1_NO_BODY);
			assert_int_equal(h.path_off, h.target_off + h.target_len);
			assert_int_equal(h.host_len, strlen(r->host));
			assert_memory_equal(copy + h.host_off, r->host, h.host_len);
			assert_false(h.upgrade);
			h1_head_init(&h, false, 16384);
			assert_int_equal(h1_head_parse(&h, copy, r->len), H1_BAD);
			assert_int_equal(h.error->status, 501);
		}
		free(copy);
	}
}

/* Every known name, in any case, and its neighbours that are not known. */
static void
test_names(void **state)
{
	static const char *const names[] = { [H1_HOST] = "Host",
		[H1_CONNECTION] = "Connection",
		[H1_CONTENT_LENGTH] = "Content-Length",
		[H1_TRANSFER_ENCODING] = "Transfer-Encoding",
		[H1_EXPECT] = "Expect",
		[H1_UPGRADE] = "Upgrade",
		[H1_COOKIE] = "Cookie",
		[H1_SET_COOKIE] = "Set-Cookie",
		[H1_X_FORWARDED_FOR] = "X-Forwarded-For",
		[H1_KEEP_ALIVE] = "Keep-Alive",
		[H1_PROXY_CONNECTION] = "Proxy-Connection",
		[H1_TE] = "TE",
		[H1_TRAILER] = "Trailer",
		[H1_VIA] = "Via",
		[H1_AUTHORIZATION] = "Authorization",
		[H1_CACHE_CONTROL] = "Cache-Control",
		[H1_HTTP2_SETTINGS] = "HTTP2-Settings" };

	(void)state;
	_Static_assert(ARRAY_LEN(names) == H1_IDS, "all names");
	for (unsigned id = 1; id < H1_IDS; id++) {
		for (unsigned twist = 0; twist < 4; twist++) {
			char text[200], name[40];
			struct h1_head h;
			size_t n = (size_t)snprintf(name, sizeof(name), "%s", names[id]);
			for (size_t i = 0; i < n && twist == 1; i++)
				name[i] = (char)(name[i] >= 'a' && name[i] <= 'z' ? name[i] - 32
										  : name[i]);
			if (twist == 2)
				name[n - 1] = '_';
			if (twist == 3)
				snprintf(name + n, sizeof(name) - n, "s");
			/* A value that suits them all but Transfer-Encoding, Host for those that are not Host. */
			const char *value = id == H1_TRANSFER_ENCODING ? "chunked"
					    : id == H1_EXPECT	       ? "100-continue"
								       : "7";
			int len =
			    snprintf(text, sizeof(text), "POST / HTTP/1.1\r\n%s%s: %s\r\n\r\n",
				id == H1_HOST && twist < 2 ? "" : "Host: a\r\n", name, value);
			h1_head_init(&h, false, 16384);
			assert_int_equal(h1_head_parse(&h, text, (size_t)len), H1_DONE);
			assert_int_equal(h.header[h.n - 1].id, twist < 2 ? id : H1_OTHER);
			if (twist < 2)
				assert_ptr_equal(h1_find(&h, id), &h.header[h.n - 1]);
		}
	}
}

static void
test_upgrade(void **state)
{
	static const struct {
		const char *fields;
		bool upgrade;
	} row[] = {
		{ "Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n", true },
		{ "Upgrade: websocket\r\n", false },
		{ "Connection: upgrade\r\n", false },
		{ "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AA\r\n",
		    false },
		{ "Upgrade: websocket, H2C\r\nConnection: upgrade\r\n", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		char text[200];
		struct h1_head h;
		int n = snprintf(
		    text, sizeof(text), "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n", row[i].fields);
		h1_head_init(&h, false, 16384);
		assert_int_equal(h1_head_parse(&h, text, (size_t)n), H1_DONE);
		assert_int_equal(h.upgrade, row[i].upgrade);
	}
}

/* n bytes of filling between before and after. */
static char *
filled(const char *before, char fill, size_t n, const char *after, size_t *len_out)
{
	size_t a = strlen(before), b = strlen(after);
	char *text = malloc(a + n + b + 1);

	assert_non_null(text);
	memcpy(text, before, a);
	memset(text + a, fill, n);
	memcpy(text + a + n, after, b + 1);
	*len_out = a + n + b;
	return text;
}

static void
test_limits(void **state)
{
	static const struct {
		const char *before;
		char fill;
		size_t n;
		const char *after;
		unsigned status; /* 0: taken */
	} row[] = {
		{ "GET /", 'a', H1_TARGET_MAX - 1, " HTTP/1.1\r\nHost: a\r\n\r\n", 0 },
		{ "GET /", 'a', H1_TARGET_MAX, " HTTP/1.1\r\nHost: a\r\n\r\n", 414 },
		{ "GET /", 'a', 20000, "", 414 },
		{ "GET / HTTP/1.1\r\nHost: a\r\nX: ", 'a', 16000, "\r\n\r\n", 0 },
		{ "GET / HTTP/1.1\r\nHost: a\r\nX: ", 'a', 17000, "\r\n\r\n", 431 },
		{ "GET / HTTP/1.1\r\nHost: a\r\nX: ", 'a', 17000, "", 431 },
		{ "GET / HTTP/1.1\r\nHost: a\r\n", 'a', H1_NAME_MAX, ": b\r\n\r\n", 0 },
		{ "GET / HTTP/1.1\r\nHost: a\r\n", 'a', H1_NAME_MAX + 1, ": b\r\n\r\n", 431 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		size_t len;
		char *text = filled(row[i].before, row[i].fill, row[i].n, row[i].after, &len);
		struct h1_head h;
		h1_head_init(&h, false, 16384);
		assert_int_equal(
		    h1_head_parse(&h, text, len), row[i].status == 0 ? H1_DONE : H1_BAD);
		if (row[i].status != 0)
			assert_int_equal(h.error->status, row[i].status);
		free(text);
	}
}

static void
test_limit_fields(void **state)
{
	(void)state;
	for (unsigned n = H1_HEADERS_MAX; n <= H1_HEADERS_MAX + 1; n++) {
		char text[4096];
		struct h1_head h;
		int len = snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: a\r\n");
		for (unsigned i = 1; i < n; i++)
			len += snprintf(text + len, sizeof(text) - (size_t)len, "X%u: a\r\n", i);
		len += snprintf(text + len, sizeof(text) - (size_t)len, "\r\n");
		h1_head_init(&h, false, 16384);
		assert_int_equal(
		    h1_head_parse(&h, text, (size_t)len), n > H1_HEADERS_MAX ? H1_BAD : H1_DONE);
		if (n > H1_HEADERS_MAX)
			assert_int_equal(h.error->status, 431);
	}
}

/* The largest head of all, filled to its last byte: offsets do not wrap. */
static void
test_largest(void **state)
{
	const char *before = "GET / HTTP/1.1\r\nHost: a\r\nX: ", *after = "\r\nY: z\r\n\r\n";
	size_t len;
	char *text = filled(before, 'b', H1_HEAD_MAX - strlen(before) - strlen(after), after, &len);
	struct h1_head h;

	(void)state;
	h1_head_init(&h, false, H1_HEAD_MAX);
	assert_int_equal(len, H1_HEAD_MAX);
	assert_int_equal(h1_head_parse(&h, text, len), H1_DONE);
	assert_int_equal(h.length, H1_HEAD_MAX);
	assert_int_equal(h1_line(&h, h.n), H1_HEAD_MAX - 2);
	assert_memory_equal(text + h.header[2].value_off, "z", 1);
	free(text);
}

/* A byte at a time costs linear work: a quadratic parser would need 2^31 steps here, and the time limit would show it. */
static void
test_slow_head(void **state)
{
	size_t len;
	char *text = filled("GET / HTTP/1.1\r\nHost: a\r\nX: ", 'b', 60000, "\r\n\r\n", &len);
	struct h1_head h;

	(void)state;
	for (unsigned round = 0; round < 20; round++) {
		enum h1_result r = H1_MORE;
		h1_head_init(&h, false, H1_HEAD_MAX);
		for (size_t n = 1; n <= len && r == H1_MORE; n++)
			r = h1_head_parse(&h, text, n);
		assert_int_equal(r, H1_DONE);
	}
	free(text);
}

/* What follows the head is not looked at. */
static void
test_pipelined(void **state)
{
	static const char text[] =
	    "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: b\r\n\r\n";
	struct h1_head h;

	(void)state;
	h1_head_init(&h, false, 16384);
	assert_int_equal(h1_head_parse(&h, text, sizeof(text) - 1), H1_DONE);
	assert_int_equal(h.length, 28);
	h1_head_init(&h, false, 16384);
	assert_int_equal(h1_head_parse(&h, text + 28, sizeof(text) - 1 - 28), H1_DONE);
	assert_memory_equal(text + 28 + h.target_off, "/2", 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request_good),
		cmocka_unit_test(test_request_bad),
		cmocka_unit_test(test_answer_bad),
		cmocka_unit_test(test_answer_both),
		cmocka_unit_test(test_answer_framing),
		cmocka_unit_test(test_connect),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_upgrade),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_limit_fields),
		cmocka_unit_test(test_largest),
		cmocka_unit_test(test_slow_head),
		cmocka_unit_test(test_pipelined),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
