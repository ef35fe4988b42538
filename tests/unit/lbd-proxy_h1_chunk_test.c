/* Chunked bodies: what passes, what is refused, in one piece and byte by byte. */
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

static const struct row {
	const char *why, *text;
	size_t len;
	enum h1_result want;
	uint64_t total;
	size_t
	    used; /* when done: bytes of the body; when bad: place of the bad byte, or 0 for anywhere */
} rows[] = {
	{ "empty", BYTES("0\r\n\r\n"), H1_DONE, 0, 5 },
	{ "one chunk", BYTES("5\r\nhello\r\n0\r\n\r\n"), H1_DONE, 5, 15 },
	{ "hex in both cases", BYTES("a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n"), H1_DONE,
	    20, 35 },
	{ "leading zeros", BYTES("0005\r\nhello\r\n000\r\n\r\n"), H1_DONE, 5, 20 },
	{ "what follows is not touched", BYTES("0\r\n\r\nGET / HTTP/1.1\r\n"), H1_DONE, 0, 5 },
	{ "extension", BYTES("5;a\r\nhello\r\n0;b=c\r\n\r\n"), H1_DONE, 5, 21 },
	{ "extensions with spaces and quotes",
	    BYTES("5 ; a = \"b;\\\"\\\\c\" ;d=e\r\nhello\r\n0\r\n\r\n"), H1_DONE, 5, 36 },
	{ "trailer", BYTES("0\r\nX-Sum: 1\r\nY:\r\n\r\n"), H1_DONE, 0, 19 },
	{ "largest size", BYTES("7fffffffffffffff\r\n"), H1_MORE, 0, 18 },
	{ "size 2^63", BYTES("8000000000000000\r\n"), H1_BAD, 0, 15 },
	{ "size of 17 digits", BYTES("00000000000000005\r\nhello\r\n"), H1_BAD, 0, 16 },
	{ "size 2^64 + 5", BYTES("10000000000000005\r\nhello\r\n"), H1_BAD, 0, 0 },
	{ "no size", BYTES("\r\nhello\r\n"), H1_BAD, 0, 0 },
	{ "size 0x5", BYTES("0x5\r\nhello\r\n"), H1_BAD, 0, 1 },
	{ "size -5", BYTES("-5\r\nhello\r\n"), H1_BAD, 0, 0 },
	{ "size +5", BYTES("+5\r\nhello\r\n"), H1_BAD, 0, 0 },
	{ "space before the size", BYTES(" 5\r\nhello\r\n"), H1_BAD, 0, 0 },
	{ "space behind the size", BYTES("5 \r\nhello\r\n"), H1_BAD, 0, 2 },
	{ "size ended by LF", BYTES("5\nhello\r\n"), H1_BAD, 0, 1 },
	{ "size ended by CR", BYTES("5\rhello\r\n"), H1_BAD, 0, 2 },
	{ "size ended by NUL", BYTES("5\0\r\nhello\r\n"), H1_BAD, 0, 1 },
	{ "extension ended by LF", BYTES("5;a\nhello\r\n"), H1_BAD, 0, 3 },
	{ "extension with a lone CR", BYTES("5;a\rb\r\nhello\r\n"), H1_BAD, 0, 4 },
	{ "extension with NUL", BYTES("5;a\0b\r\nhello\r\n"), H1_BAD, 0, 3 },
	{ "CR in a quoted value", BYTES("5;a=\"\r\nhello\r\n"), H1_BAD, 0, 5 },
	{ "LF in a quoted value", BYTES("5;a=\"\n\"\r\nhello\r\n"), H1_BAD, 0, 5 },
	{ "quoted CR", BYTES("5;a=\"\\\r\n\"\r\nhello\r\n"), H1_BAD, 0, 6 },
	{ "empty extension", BYTES("5;\r\nhello\r\n"), H1_BAD, 0, 2 },
	{ "two semicolons", BYTES("5;;a\r\nhello\r\n"), H1_BAD, 0, 2 },
	{ "extension without value", BYTES("5;a=\r\nhello\r\n"), H1_BAD, 0, 4 },
	{ "words behind an extension", BYTES("5;a b\r\nhello\r\n"), H1_BAD, 0, 4 },
	{ "data too long", BYTES("5\r\nhello!\r\n0\r\n\r\n"), H1_BAD, 5, 8 },
	{ "data too short", BYTES("5\r\nhell\r\n0\r\n\r\n"), H1_BAD, 5, 8 },
	{ "data ended by LF", BYTES("5\r\nhello\n0\r\n\r\n"), H1_BAD, 5, 8 },
	{ "data ended by CR and more", BYTES("5\r\nhello\r0\r\n\r\n"), H1_BAD, 5, 9 },
	{ "trailer ended by LF", BYTES("0\r\nX: a\n\r\n"), H1_BAD, 0, 7 },
	{ "end by LF", BYTES("0\r\n\n"), H1_BAD, 0, 3 },
	{ "end by CR and more", BYTES("0\r\n\rX"), H1_BAD, 0, 4 },
	{ "trailer without colon", BYTES("0\r\nX\r\n\r\n"), H1_BAD, 0, 4 },
	{ "nameless trailer", BYTES("0\r\n: a\r\n\r\n"), H1_BAD, 0, 3 },
	{ "folded trailer", BYTES("0\r\nX: a\r\n b\r\n\r\n"), H1_BAD, 0, 9 },
	{ "space before a trailer's colon", BYTES("0\r\nX : a\r\n\r\n"), H1_BAD, 0, 4 },
	{ "NUL in a trailer", BYTES("0\r\nX: \0\r\n\r\n"), H1_BAD, 0, 6 },
	{ "length as a trailer", BYTES("0\r\nContent-Length: 5\r\n\r\n"), H1_BAD, 0, 17 },
	{ "coding as a trailer", BYTES("0\r\nX: a\r\ntransfer-encoding: chunked\r\n\r\n"), H1_BAD,
	    0, 26 },
	{ "Host as a trailer", BYTES("0\r\nhOST: b\r\n\r\n"), H1_BAD, 0, 7 },
	{ "range as a trailer", BYTES("0\r\nRange: a\r\n\r\n"), H1_BAD, 0, 8 },
	{ "longest name of a head", BYTES("0\r\nIf-Unmodified-Since: a\r\n\r\n"), H1_BAD, 0, 22 },
	{ "name told by the proxy", BYTES("0\r\nx-FORWARDED-proto: a\r\n\r\n"), H1_BAD, 0, 20 },
	{ "long name told by the proxy", BYTES("0\r\nX-SSL-Client-Something-Long: a\r\n\r\n"),
	    H1_BAD, 0, 30 },
	{ "names that begin alike",
	    BYTES("0\r\nRanger: 1\r\nX-Forward: 1\r\nContent-Digest: 1\r\n\r\n"), H1_DONE, 0, 49 },
	{ "a longer name is harmless", BYTES("0\r\nTransfer-Encodings-In-Use: a\r\n\r\n"), H1_DONE,
	    0, 35 },
	{ "not all there", BYTES("5\r\nhel"), H1_MORE, 3, 6 },
};

static void
test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *r = &rows[i];
		struct h1_chunk c = { 0 };
		char *copy = malloc(r->len);
		size_t used = 0;
		print_message("%s\n", r->why);
		memcpy(copy, r->text, r->len);
		assert_int_equal(h1_chunk_scan(&c, copy, r->len, &used), r->want);
		free(copy);
		assert_int_equal(c.total, r->total);
		assert_int_equal(c.error != NULL, r->want == H1_BAD);
		if (r->want != H1_BAD || r->used > 0)
			assert_int_equal(used, r->used);
		/* The same byte by byte. */
		struct h1_chunk slow = { 0 };
		enum h1_result got = H1_MORE;
		size_t at = 0;
		while (at < r->len && got == H1_MORE) {
			got = h1_chunk_scan(&slow, r->text + at, 1, &used);
			at += used;
		}
		assert_int_equal(got, r->want);
		assert_int_equal(slow.total, c.total);
		if (r->want != H1_BAD || r->used > 0)
			assert_int_equal(at, r->used);
	}
}

/* Text repeated n times, as one body that goes on. */
static unsigned
repeat(const char *first, const char *text, unsigned n)
{
	struct h1_chunk c = { 0 };
	size_t used;

	assert_int_equal(h1_chunk_scan(&c, first, strlen(first), &used), H1_MORE);
	for (unsigned i = 0; i < n; i++)
		if (h1_chunk_scan(&c, text, strlen(text), &used) != H1_MORE)
			return c.error->status;
	return 0;
}

static void
test_limits(void **state)
{
	(void)state;
	assert_int_equal(repeat("5;", "a", H1_CHUNK_EXT_MAX - 1), 0);
	assert_int_equal(repeat("5;", "a", H1_CHUNK_EXT_MAX + 1), 400);
	assert_int_equal(repeat("", "1;aaaaaaa\r\nx\r\n", H1_CHUNK_EXT_TOTAL / 8 - 1), 0);
	assert_int_equal(repeat("", "1;aaaaaaa\r\nx\r\n", H1_CHUNK_EXT_TOTAL / 8 + 2), 400);
	assert_int_equal(repeat("0\r\n", "X: a\r\n", H1_TRAILERS_MAX), 0);
	assert_int_equal(repeat("0\r\n", "X: a\r\n", H1_TRAILERS_MAX + 1), 431);
	assert_int_equal(repeat("0\r\nX: ", "a", H1_TRAILER_MAX - 3), 0);
	assert_int_equal(repeat("0\r\nX: ", "a", H1_TRAILER_MAX), 431);
	assert_int_equal(repeat("0\r\n", "a", H1_TRAILER_MAX), 0);
	/* Many chunks without extensions are no harm. */
	assert_int_equal(repeat("", "1\r\nx\r\n", 100000), 0);
}

/* Data that never came through here: spliced. */
static void
test_skip(void **state)
{
	struct h1_chunk c = { 0 };
	size_t used;

	(void)state;
	assert_false(h1_chunk_data(&c));
	assert_int_equal(h1_chunk_scan(&c, BYTES("100000\r\nab"), &used), H1_MORE);
	assert_true(h1_chunk_data(&c));
	assert_int_equal(c.left, 0x100000 - 2);
	h1_chunk_skip(&c, 0);
	h1_chunk_skip(&c, c.left - 1);
	assert_true(h1_chunk_data(&c));
	h1_chunk_skip(&c, 1);
	assert_false(h1_chunk_data(&c));
	assert_int_equal(c.total, 0x100000);
	assert_int_equal(h1_chunk_scan(&c, BYTES("\r\n0\r\n\r\n"), &used), H1_DONE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_skip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
