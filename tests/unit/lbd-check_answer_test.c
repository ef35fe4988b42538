/* Answers of servers, good and hostile. Every row is fed whole, byte by byte, and cut in two at every place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "lbd-check/answer.h"
#include "msg/msg.h"

#include <stdio.h>
#include <string.h>

#define H "HTTP/1.1 200 OK\r\n"
#define CL(n) H "Content-Length: " #n "\r\n\r\n"
#define TE H "Transfer-Encoding: chunked\r\n\r\n"

static const struct row {
	const char *in;
	const char *expect, *reject;
	int reason; /* of feeding and then closing */
	uint8_t method;
	uint16_t most;
} rows[] = {
	/* framing */
	{ CL(5) "hello", .reason = REASON_ok }, { CL(0), .reason = REASON_ok },
	{ CL(5) "hell", .reason = REASON_closed },
	{ H "\r\nanything until the end", .reason = REASON_ok },
	{ TE "5\r\nhello\r\n0\r\n\r\n", .reason = REASON_ok },
	{ TE "5;a=\"b\"\r\nhello\r\nA\r\n0123456789\r\n0\r\nX: y\r\n\r\n", .reason = REASON_ok },
	{ TE "5\r\nhello\r\n", .reason = REASON_closed },
	{ TE "5\r\nhello\r\n0\r\n", .reason = REASON_closed },
	{ TE "5\r\nhelloX\r\n0\r\n\r\n", .reason = REASON_protocol },
	{ TE "5\nhello\r\n0\r\n\r\n", .reason = REASON_protocol },
	{ TE "5\r\nhello\n0\r\n\r\n", .reason = REASON_protocol },
	{ TE "\r\n", .reason = REASON_protocol },
	{ TE "-5\r\nhello\r\n", .reason = REASON_protocol },
	{ TE "0x5\r\nhello\r\n", .reason = REASON_protocol },
	{ TE "123456789\r\n", .reason = REASON_protocol },
	{ TE "5 \r\nhello\r\n0\r\n\r\n", .reason = REASON_ok },
	{ TE "0\r\n: x\r\n\r\n", .reason = REASON_protocol },
	{ H "Transfer-Encoding: ChunKed\r\n\r\n0\r\n\r\n", .reason = REASON_ok },
	{ H "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", .reason = REASON_protocol },
	{ H "Transfer-Encoding: identity\r\n\r\n", .reason = REASON_protocol },
	{ H "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	    .reason = REASON_protocol },
	{ H "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
	    .reason = REASON_protocol },
	{ "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	    .reason = REASON_protocol },
	{ H "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", .reason = REASON_protocol },
	{ H "Content-Length: +5\r\n\r\nhello", .reason = REASON_protocol },
	{ H "Content-Length: \r\n\r\n", .reason = REASON_protocol },
	{ H "Content-Length: 5, 5\r\n\r\nhello", .reason = REASON_protocol },
	{ H "Content-Length: 1234567890123456789\r\n\r\n", .reason = REASON_protocol },
	{ H "content-length:\t5 \r\n\r\nhello", .reason = REASON_ok },
	{ H "Content-Length : 5\r\n\r\nhello", .reason = REASON_protocol },
	/* heads */
	{ "HTTP/1.0 200\r\n\r\n", .reason = REASON_ok },
	{ "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", .reason = REASON_ok },
	{ "HTTP/1.1 200 OK\nContent-Length: 2\n\nok", .reason = REASON_ok },
	{ "HTTP/2 200 OK\r\n\r\n", .reason = REASON_protocol },
	{ "HTTP/1.1  200 OK\r\n\r\n", .reason = REASON_protocol },
	{ "HTTP/1.1 2000 OK\r\n\r\n", .reason = REASON_protocol },
	{ "HTTP/1.1 20 OK\r\n\r\n", .reason = REASON_protocol },
	{ "HTTP/1.1 099 OK\r\n\r\n", .reason = REASON_protocol },
	{ "HTTP/1.1 600 OK\r\n\r\n", .reason = REASON_protocol },
	{ "http/1.1 200 OK\r\n\r\n", .reason = REASON_protocol },
	{ "220 mail.example ESMTP\r\n", .reason = REASON_protocol },
	{ "SSH-2.0-OpenSSH_9.2\r\n", .reason = REASON_protocol },
	{ "\r\nHTTP/1.1 200 OK\r\n\r\n", .reason = REASON_protocol },
	{ "", .reason = REASON_closed },
	{ "HTTP/1.1 200 OK\r\nServer: x", .reason = REASON_closed },
	{ H "Bare: a\rb\r\n\r\n", .reason = REASON_protocol },
	{ H "Bell: \a\r\n\r\n", .reason = REASON_protocol },
	{ H ": no name\r\n\r\n", .reason = REASON_protocol },
	{ H "no colon\r\n\r\n", .reason = REASON_protocol },
	{ H "A: b\r\n folded\r\n\r\n", .reason = REASON_protocol },
	{ H "Latin: \xe9\r\nContent-Length: 0\r\n\r\n", .reason = REASON_ok },
	/* statuses */
	{ "HTTP/1.1 500 Oh\r\n\r\n", .reason = REASON_status },
	{ "HTTP/1.1 404 Oh\r\nContent-Length: 99\r\n\r\n", .reason = REASON_status },
	{ "HTTP/1.1 399 Oh\r\nContent-Length: 0\r\n\r\n", .reason = REASON_ok },
	{ "HTTP/1.1 204 No\r\nContent-Length: 9\r\n\r\n", .reason = REASON_ok },
	{ "HTTP/1.1 304 No\r\nContent-Length: 9\r\n\r\n", .reason = REASON_ok },
	{ "HTTP/1.1 101 Up\r\n\r\n", .reason = REASON_status },
	{ "HTTP/1.1 100 Continue\r\n\r\n" CL(2) "ok", .reason = REASON_ok },
	{ "HTTP/1.1 103 Hints\r\nContent-Length: 7\r\n\r\n" CL(2) "ok", .reason = REASON_ok },
	{ "HTTP/1.1 100 Continue\r\n\r\n", .reason = REASON_closed },
	{ CL(99), .reason = REASON_ok, .method = method_HEAD },
	/* bodies */
	{ CL(11) "hello world", .expect = "o w", .reason = REASON_ok },
	{ CL(11) "hello world", .expect = "xyz", .reason = REASON_body },
	{ CL(11) "hello world", .reject = "o w", .reason = REASON_rejected },
	{ CL(11) "hello world", .reject = "xyz", .reason = REASON_ok },
	{ CL(11) "hello world", .expect = "hello", .reject = "world", .reason = REASON_rejected },
	{ CL(11) "hello world", .expect = "world", .reject = "x", .reason = REASON_ok },
	{ CL(50) "hello world", .expect = "hello",
	    .reason = REASON_ok }, /* the rest does not matter */
	{ CL(50) "hello world", .expect = "hello", .reject = "x", .reason = REASON_closed },
	{ TE "3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n", .expect = "hello", .reason = REASON_ok },
	{ TE "3\r\nbad\r\n2\r\nly\r\n0\r\n\r\n", .reject = "badly", .reason = REASON_rejected },
	{ H "\r\naaaaaaab", .expect = "aaab", .reason = REASON_ok },
	{ H "\r\nababac", .expect = "abac", .reason = REASON_ok },
	{ H "X: hello\r\n\r\nworld", .expect = "hello",
	    .reason = REASON_body }, /* not in the head */
	{ CL(5) "hello", .expect = "hello", .reason = REASON_body, .method = method_HEAD },
	/* limits */
	{ CL(9) "012345678", .most = 50, .reason = REASON_ok },	      /* longer than what is read */
	{ CL(9) "012345678", .most = 20, .reason = REASON_too_long }, /* the head is */
	{ CL(20) "01234567890123456789", .expect = "9", .most = 45, .reason = REASON_too_long },
	{ CL(20) "01234567890123456789", .expect = "5", .most = 45, .reason = REASON_ok },
	{ CL(20) "0123456789012345678X", .reject = "X", .most = 45, .reason = REASON_ok },
	{ CL(5) "hello", .expect = "lo", .most = 43, .reason = REASON_ok }, /* exactly */
};

/* Feeds in pieces: the first of `cut` bytes, then of `step`. */
static int
run(const struct row *row, const char *in, size_t len, size_t cut, size_t step)
{
	struct ranges *good = mem_alloc(sizeof(*good) + sizeof(good->r[0]));
	struct check rule = { .status = good,
		.expect = row->expect ? row->expect : "",
		.reject = row->reject ? row->reject : "",
		.method = row->method,
		.answer_max = row->most ? row->most : 65536 };
	struct answer a;
	int r = REASON_none;

	good->n = 1;
	good->r[0].lo = 200;
	good->r[0].hi = 399;
	answer_init(&a, &rule);
	for (size_t at = 0, n = cut; at < len && r == REASON_none; at += n, n = step) {
		char *copy;

		if (n > len - at)
			n = len - at;
		copy = mem_alloc(n + 1); /* of exactly that size, for the sanitizer */
		memcpy(copy, in + at, n);
		r = answer_feed(&a, copy, n);
		free(copy);
	}
	if (r == REASON_none)
		r = answer_end(&a);
	answer_fini(&a);
	free(good);
	return r;
}

static void
test_answer_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t len = strlen(rows[i].in);
		int r = run(&rows[i], rows[i].in, len, len, len);

		if (r != rows[i].reason)
			fail_msg("row %zu, whole: %d (%s)\n%s", i, r, reason_text[r], rows[i].in);
		r = run(&rows[i], rows[i].in, len, 1, 1);
		if (r != rows[i].reason)
			fail_msg("row %zu, bytes: %d (%s)\n%s", i, r, reason_text[r], rows[i].in);
		for (size_t cut = 1; cut < len; cut++) {
			r = run(&rows[i], rows[i].in, len, cut, len);
			if (r != rows[i].reason)
				fail_msg("row %zu, cut at %zu: %d (%s)\n%s", i, cut, r,
				    reason_text[r], rows[i].in);
		}
	}
}

static void
test_answer_nul(void **state)
{
	static const char in[] = H "X: a\0b\r\n\r\n";
	struct row row = { 0 };

	(void)state;
	assert_int_equal(run(&row, in, sizeof(in) - 1, 5, 3), REASON_protocol);
}

/* Heads without end, in each of the ways a server could try. */
static void
test_answer_endless(void **state)
{
	static const struct {
		const char *begin, *again;
	} ways[] = {
		{ "", "HTTP/1.1 " },
		{ H "Cookie: ", "aaaaaaaaaaaaaaaa" },
		{ H, "X: y\r\n" },
		{ "", "HTTP/1.1 100 Continue\r\n\r\n" },
		{ TE "5;", "aaaaaaaaaa" },
		{ TE "0\r\n", "X: y\r\n" },
	};
	struct row row = { .most = 65535 };

	(void)state;
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		struct buf b = { 0 };
		int r;

		buf_puts(&b, ways[i].begin);
		while (b.len < 200000)
			buf_puts(&b, ways[i].again);
		r = run(&row, (const char *)b.p, b.len, 1000, 1000);
		if (r != REASON_too_long && !(i >= 4 && r == REASON_ok))
			fail_msg("way %zu: %d", i, r);
		buf_fini(&b);
	}
}

static void
test_answer_long_header(void **state)
{
	struct row row = { 0 };
	struct buf b = { 0 };

	(void)state;
	buf_puts(&b, H "X: ");
	for (int i = 0; i < 1000; i++)
		buf_puts(&b, "0123456789");
	buf_puts(&b, "\r\nContent-Length: 2\r\n\r\nok");
	assert_int_equal(run(&row, (const char *)b.p, b.len, b.len, 1), REASON_ok);
	b.len = 0;
	buf_puts(&b, H "Content-Length:");
	for (int i = 0; i < 300; i++)
		buf_puts(&b, " ");
	buf_puts(&b, "2\r\n\r\nok");
	assert_int_equal(run(&row, (const char *)b.p, b.len, b.len, 1), REASON_protocol);
	buf_fini(&b);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answer_rows),
		cmocka_unit_test(test_answer_nul),
		cmocka_unit_test(test_answer_endless),
		cmocka_unit_test(test_answer_long_header),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
