/* Which answers are compressed, and whole heads: of such answers, and of requests from which something is taken out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/must.h"
#include "lbd-proxy/http/http_look.h"
#include "lbd-proxy/http/http_msg.h"
#include "lbd-proxy/http/http_squeeze.h"
#include "schema/schema.h"

#define TYPES "text/*,application/json"
#define OK "HTTP/1.1 200 OK\r\n"
#define HTML "Content-Type: text/html\r\n"
#define LONG "Content-Length: 5000\r\n"

static void
parse(struct h1_head *h, const char *text, bool answer, enum h1_method method)
{
	h1_head_init(h, answer, H1_HEAD_MAX);
	if (h1_head_parse(h, text, strlen(text)) != H1_DONE)
		fail_msg("%s", text);
	if (answer)
		assert_int_equal(h1_frame_answer(h, method, false, 1), 0);
}

static void
test_which(void **state)
{
	static const struct {
		const char *head;
		bool vary, squeeze;
	} rows[] = {
		{ OK HTML LONG "\r\n", true, true },
		{ OK "content-type: APPLICATION/JSON;a=b\r\nTransfer-Encoding: chunked\r\n\r\n",
		    true, true },
		{ OK HTML "\r\n", true, true },
		{ "HTTP/1.1 500 X\r\n" HTML LONG "\r\n", true, true },
		{ OK HTML LONG "Vary: a, Accept-Encoding\r\n\r\n", false, true },
		{ OK HTML LONG "Vary: *\r\n\r\n", false, true },
		{ OK HTML LONG "Vary: x-accept-encoding\r\n\r\n", true, true },
		{ OK HTML LONG "Cache-Control: private=\"no-transform\"\r\n\r\n", true, true },
		{ OK HTML LONG "Cache-Control: max-age=1,No-Transform\r\n\r\n", false, false },
		{ OK HTML LONG "Content-Encoding: identity\r\n\r\n", false, false },
		{ OK HTML LONG "Content-MD5: x\r\n\r\n", false, false },
		{ OK HTML LONG "Repr-Digest: x\r\n\r\n", false, false },
		{ OK HTML HTML LONG "\r\n", false, false },
		{ OK LONG "\r\n", false, false },
		{ OK "Content-Type: image/png\r\n" LONG "\r\n", false, false },
		{ OK HTML "Content-Length: 999\r\n\r\n", false, false },
		{ OK HTML "Content-Length: 0\r\n\r\n", false, false },
		{ "HTTP/1.1 206 X\r\n" HTML LONG "\r\n", false, false },
		{ "HTTP/1.1 204 X\r\n" HTML "\r\n", false, false },
		{ "HTTP/1.1 304 X\r\n" HTML "\r\n", false, false },
		{ "HTTP/1.1 103 X\r\n" HTML "\r\n", false, false },
	};
	struct h1_head h;
	struct recode r;

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		parse(&h, rows[i].head, true, H1_M_GET);
		r = recode_of(&h, rows[i].head, TYPES, 1000, CODING_GZIP);
		if (r.vary != rows[i].vary || r.squeeze != rows[i].squeeze)
			fail_msg("%s: %d %d", rows[i].head, r.vary, r.squeeze);
		r = recode_of(&h, rows[i].head, TYPES, 1000, CODING_NONE);
		assert_int_equal(r.vary, rows[i].vary);
		assert_false(r.squeeze);
	}
	parse(&h, OK HTML LONG "\r\n", true, H1_M_HEAD);
	r = recode_of(&h, OK HTML LONG "\r\n", TYPES, 1000, CODING_BR);
	assert_true(r.vary && !r.squeeze);
}

/* Answers in whose bodies texts can be replaced. */
static void
test_replaced(void **state)
{
	static const struct {
		const char *head;
		bool can;
	} rows[] = {
		{ OK HTML LONG "\r\n", true },
		{ OK HTML "Content-Length: 1\r\n\r\n", true },
		{ OK HTML "Content-Length: 0\r\n\r\n", false },
		{ OK HTML "Transfer-Encoding: chunked\r\n\r\n", true },
		{ OK HTML "\r\n", true },
		{ OK HTML LONG "Repr-Digest: sha-256=:a:\r\nContent-MD5: a\r\n\r\n", true },
		{ "HTTP/1.1 404 X\r\n" HTML LONG "\r\n", true },
		{ OK LONG "\r\n", false },
		{ OK HTML HTML LONG "\r\n", false },
		{ OK "Content-Type: image/png\r\n" LONG "\r\n", false },
		{ OK HTML LONG "Content-Encoding: gzip\r\n\r\n", false },
		{ OK HTML LONG "Cache-Control: public, no-transform\r\n\r\n", false },
		{ OK HTML LONG "Content-Range: bytes 0-1/2\r\n\r\n", false },
		{ "HTTP/1.1 206 X\r\n" HTML LONG "\r\n", false },
		{ "HTTP/1.1 204 X\r\n" HTML "\r\n", false },
		{ "HTTP/1.1 304 X\r\n" HTML LONG "\r\n", false },
	};
	struct h1_head h;

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		parse(&h, rows[i].head, true, H1_M_GET);
		if (recode_replaces(&h, rows[i].head, TYPES) != rows[i].can)
			fail_msg("%s", rows[i].head);
	}
	parse(&h, OK HTML LONG "\r\n", true, H1_M_HEAD);
	assert_false(recode_replaces(&h, OK HTML LONG "\r\n", TYPES));
}

static void
test_answer_heads(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{ OK HTML LONG "X: y\r\n\r\n", OK HTML "X: y\r\n" },
		{ OK "ETag: \"a\"\r\nAccept-Ranges: bytes\r\n" HTML "\r\n",
		    OK "ETag: W/\"a\"\r\n" HTML },
		{ OK "Content-MD5: a\r\nDigest: a\r\n" HTML "Content-Digest: a\r\n\r\n", OK HTML },
		{ OK "ETag: W/\"a\"\r\nTransfer-Encoding: chunked\r\nTrailer: A\r\n\r\n",
		    OK "ETag: W/\"a\"\r\n" },
		{ OK "Connection: etag, close\r\nEtag: \"a\"\r\n\r\n", OK },
		{ "HTTP/1.0 200 OK\r\nKeep-Alive: 1\r\n" LONG "\r\n", OK },
	};
	static struct http_plan p;
	struct h1_head h;
	char out[1000], want[1000];

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		struct http_answer_policy policy = {
			.client_minor = 1, .keep_alive = true, .recode = true
		};

		policy.insert =
		    recode_lines((struct recode){ .vary = true, .squeeze = true }, CODING_BR);
		policy.insert_len = (uint16_t)strlen(policy.insert);
		assert_true(policy.insert_len < RECODE_LINES_MAX);
		parse(&h, rows[i].in, true, H1_M_GET);
		http_plan_answer(&p, rows[i].in, &h, &policy);
		(void)snprintf(want, sizeof(want),
		    "%sContent-Encoding: br\r\nTransfer-Encoding: chunked\r\nVary: Accept-Encoding\r\n\r\n",
		    rows[i].out);
		assert_int_equal(p.out_len, strlen(want));
		assert_int_equal(http_plan_write(&p, rows[i].in, out), p.out_len);
		assert_memory_equal(out, want, p.out_len);
	}
}

static void
test_request_heads(void **state)
{
#define GET "GET / HTTP/1.1\r\nHost: a\r\n"
	static const struct {
		const char *in, *out;
		uint8_t cut;
	} rows[] = {
		{ GET "A_B: 1\r\nA.B: 2\r\nA-B: 3\r\nCookie: a_b=c\r\n\r\n",
		    GET "A-B: 3\r\nCookie: a_b=c\r\n\r\n", CUT_NAMES },
		{ GET
		    "A_B: 1\r\nAccept-Encoding: br\r\nAccept: */*\r\naccept-encoding: gzip\r\n\r\n",
		    GET "A_B: 1\r\nAccept: */*\r\n\r\n", CUT_CODINGS },
		{ GET "Expect: 100-continue\r\nAccept-Encoding: br\r\n\r\n",
		    GET "Accept-Encoding: br\r\n\r\n", CUT_EXPECT },
		{ GET "Expect: 100-continue\r\nAccept-Encoding: br\r\nX_: 1\r\n\r\n", GET "\r\n",
		    CUT_EXPECT | CUT_CODINGS | CUT_NAMES },
		{ GET "Expect: 100-continue\r\nX_: 1\r\n\r\n",
		    GET "Expect: 100-continue\r\nX_: 1\r\n\r\n", 0 },
	};
	static struct http_plan p;
	struct h1_head h;
	char out[1000];

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		struct http_request_policy policy = { .forwarded = forwarded_off,
			.cut = rows[i].cut };

		parse(&h, rows[i].in, false, H1_M_GET);
		http_plan_request(&p, rows[i].in, &h, &policy);
		assert_int_equal(p.out_len, strlen(rows[i].out));
		assert_int_equal(http_plan_write(&p, rows[i].in, out), p.out_len);
		assert_memory_equal(out, rows[i].out, p.out_len);
	}
}

/* In place; the head that goes out. */
static void
test_paths(void **state)
{
	static const struct {
		const char *in, *out; /* NULL: no normal form */
		bool same;
	} rows[] = {
		{ "GET /a/../b?x=/../ HTTP/1.1\r\nHost: a\r\n\r\n",
		    "GET /b?x=/../ HTTP/1.1\r\nHost: a\r\n\r\n", false },
		{ "\r\nPOST //a HTTP/1.1\r\nHost: a\r\n\r\n", "POST /a HTTP/1.1\r\nHost: a\r\n\r\n",
		    false },
		{ "GET http://a/b/.. HTTP/1.1\r\nHost: a\r\n\r\n",
		    "GET / HTTP/1.1\r\nHost: a\r\n\r\n", false },
		{ "GET http://a HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
		    true },
		{ "GET http://a?b HTTP/1.1\r\nHost: a\r\n\r\n",
		    "GET /?b HTTP/1.1\r\nHost: a\r\n\r\n", true },
		{ "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
		    true },
		{ "GET /%61?%61 HTTP/1.1\r\nHost: a\r\n\r\n",
		    "GET /a?%61 HTTP/1.1\r\nHost: a\r\n\r\n", false },
		{ "GET /.. HTTP/1.1\r\nHost: a\r\n\r\n", NULL, false },
	};
	struct http_request_policy policy = { .forwarded = forwarded_off };
	static struct http_plan p;
	char buf[200], out[200];
	struct h1_head h;
	bool same;

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		memcpy(buf, rows[i].in, strlen(rows[i].in) + 1);
		parse(&h, buf, false, H1_M_GET);
		assert_int_equal(http_look_path(&h, buf, &same), rows[i].out != NULL);
		if (rows[i].out == NULL)
			continue;
		assert_int_equal(same, rows[i].same);
		http_plan_request(&p, buf, &h, &policy);
		assert_int_equal(p.out_len, strlen(rows[i].out));
		assert_int_equal(http_plan_write(&p, buf, out), p.out_len);
		assert_memory_equal(out, rows[i].out, p.out_len);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_which),
		cmocka_unit_test(test_replaced),
		cmocka_unit_test(test_answer_heads),
		cmocka_unit_test(test_request_heads),
		cmocka_unit_test(test_paths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
