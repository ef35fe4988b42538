/* Forwarded heads, whole: what comes in, what goes out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/must.h"
#include "lbd-proxy/http/cookie.h"
#include "lbd-proxy/http/http_msg.h"
#include "schema/schema.h"

#define GET "GET / HTTP/1.1\r\nHost: a\r\n"
#define XFF "X-Forwarded-For: 192.0.2.1\r\n"

/* Both ways of writing a plan give want. */
static void
assert_plan(const struct http_plan *p, const char *buf, const char *want)
{
	char *flat = malloc(p->out_len);
	struct iovec iov[HTTP_IOV_MAX];
	size_t at = 0;

	assert_int_equal(http_plan_write(p, buf, flat), p->out_len);
	assert_int_equal(p->out_len, strlen(want));
	assert_memory_equal(flat, want, p->out_len);
	unsigned n = http_plan_iov(p, buf, iov, HTTP_IOV_MAX);
	assert_true(n > 0);
	for (unsigned i = 0; i < n; i++) {
		assert_true(iov[i].iov_len > 0);
		assert_memory_equal(flat + at, iov[i].iov_base, iov[i].iov_len);
		at += iov[i].iov_len;
	}
	assert_int_equal(at, p->out_len);
	assert_int_equal(http_plan_iov(p, buf, iov, n - 1), 0);
	free(flat);
}

static const struct request {
	const char *why, *in, *out;
	uint8_t forwarded;
	bool close;
	const char *cookie;
} requests[] = {
	{ "nothing to do", GET "\r\n", GET "\r\n", forwarded_off, false, "" },
	{ "address added", GET "\r\n", GET XFF "\r\n", forwarded_replace, false, "" },
	{ "forged address replaced",
	    GET "X-Forwarded-For: 1.1.1.1\r\nA: b\r\nx-forwarded-for: 2\r\n\r\n",
	    GET "A: b\r\n" XFF "\r\n", forwarded_replace, false, "" },
	{ "address appended", GET "X-Forwarded-For: 1.1.1.1\r\nA: b\r\n\r\n",
	    GET "X-Forwarded-For: 1.1.1.1, 192.0.2.1\r\nA: b\r\n\r\n", forwarded_append, false,
	    "" },
	{ "appended to the last", GET "X-Forwarded-For: 1\r\nX-Forwarded-For: 2\t\r\n\r\n",
	    GET "X-Forwarded-For: 1\r\nX-Forwarded-For: 2, 192.0.2.1\t\r\n\r\n", forwarded_append,
	    false, "" },
	{ "appended to nothing", GET "X-Forwarded-For:\r\n\r\n",
	    GET "X-Forwarded-For:192.0.2.1\r\n\r\n", forwarded_append, false, "" },
	{ "append where there is none", GET "\r\n", GET XFF "\r\n", forwarded_append, false, "" },
	{ "forged address passed on", GET "X-Forwarded-For: 1\r\n\r\n",
	    GET "X-Forwarded-For: 1\r\n\r\n", forwarded_off, false, "" },
	{ "hop by hop",
	    "GET / HTTP/1.1\r\nConnection: keep-alive\r\nKeep-Alive: 5\r\nHost: a\r\nTE: trailers\r\nA: b\r\n"
	    "Proxy-Connection: keep-alive\r\nUpgrade: x\r\n\r\n",
	    GET "A: b\r\n\r\n", forwarded_off, false, "" },
	{ "named in Connection",
	    GET "X-A: 1\r\nConnection: x-a,close , x-c\r\nX-B: 2\r\nX-C: 3\r\n\r\n",
	    GET "X-B: 2\r\n\r\n", forwarded_off, false, "" },
	{ "names that stay",
	    GET
	    "Content-Length: 1\r\nCookie: a=b\r\nConnection: host, content-length, cookie\r\n\r\n",
	    GET "Content-Length: 1\r\nCookie: a=b\r\n\r\n", forwarded_off, false, "" },
	{ "address cannot be named away",
	    GET "X-Forwarded-For: 1\r\nConnection: X-Forwarded-For\r\n\r\n",
	    GET "X-Forwarded-For: 1, 192.0.2.1\r\n\r\n", forwarded_append, false, "" },
	{ "upgrade", GET "Connection: Upgrade, keep-alive\r\nUpgrade: websocket\r\n\r\n",
	    GET "Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n", forwarded_off, false, "" },
	{ "h2c is not passed on",
	    GET "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n\r\n",
	    GET "\r\n", forwarded_off, false, "" },
	{ "close", GET "\r\n", GET "Connection: close\r\n\r\n", forwarded_off, true, "" },
	{ "1.0 stays 1.0", "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
	    "GET / HTTP/1.0\r\n" XFF "\r\n", forwarded_replace, true, "" },
	{ "absolute target", "GET http://a/x?y HTTP/1.1\r\nHost: a\r\n\r\n",
	    "GET /x?y HTTP/1.1\r\nHost: a\r\n\r\n", forwarded_off, false, "" },
	{ "absolute without path", "GET http://a HTTP/1.1\r\nHost: a\r\n\r\n", GET "\r\n",
	    forwarded_off, false, "" },
	{ "absolute with query only", "GET http://a?q HTTP/1.1\r\nHost: a\r\n\r\n",
	    "GET /?q HTTP/1.1\r\nHost: a\r\n\r\n", forwarded_off, false, "" },
	{ "absolute and no Host", "GET http://a:81/x HTTP/1.0\r\nX: 1\r\n\r\n",
	    "GET /x HTTP/1.0\r\nX: 1\r\nHost: a:81\r\n\r\n", forwarded_off, false, "" },
	{ "absolute for OPTIONS", "OPTIONS http://a HTTP/1.1\r\nHost: a\r\n\r\n",
	    "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", forwarded_off, false, "" },
	{ "empty line before is gone", "\r\n" GET "\r\n", GET "\r\n", forwarded_off, false, "" },
	{ "our cookie alone", GET "Cookie: LB=x\r\nA: b\r\n\r\n", GET "A: b\r\n\r\n", forwarded_off,
	    false, "LB" },
	{ "our cookie first", GET "Cookie: LB=x; a=b\r\n\r\n", GET "Cookie: a=b\r\n\r\n",
	    forwarded_off, false, "LB" },
	{ "our cookie last", GET "Cookie: a=b; LB=x\r\n\r\n", GET "Cookie: a=b\r\n\r\n",
	    forwarded_off, false, "LB" },
	{ "our cookie twice around", GET "Cookie: LB=x; a=b;LB=y;  c=d; LB=z\r\n\r\n",
	    GET "Cookie: a=b;  c=d\r\n\r\n", forwarded_off, false, "LB" },
	{ "only ours", GET "Cookie: LB=x; LB=y\r\n\r\n", GET "\r\n", forwarded_off, false, "LB" },
	{ "two Cookie fields", GET "Cookie: LB=x\r\nCookie: a=b; LB=y\r\n\r\n",
	    GET "Cookie: a=b\r\n\r\n", forwarded_off, false, "LB" },
	{ "names that only look like ours", GET "Cookie: lb=x; LBX=y; XLB=z; LB\r\n\r\n",
	    GET "Cookie: lb=x; LBX=y; XLB=z; LB\r\n\r\n", forwarded_off, false, "LB" },
	{ "a crowd of ours takes the field with it",
	    GET
	    "Cookie: L=; b; L=; b; L=; b; L=; b; L=; b; L=; b; L=; b; L=; b; L=; b; L=; b; L=; b\r\n\r\n",
	    GET "\r\n", forwarded_off, false, "L" },
	{ "no cookie of ours configured", GET "Cookie: LB=x\r\n\r\n", GET "Cookie: LB=x\r\n\r\n",
	    forwarded_off, false, "" },
};

static void
test_requests(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
		const struct request *r = &requests[i];
		struct http_request_policy policy = { .client = "192.0.2.1!",
			.client_len = 9,
			.forwarded = r->forwarded,
			.close = r->close,
			.cookie = r->cookie,
			.cookie_len = (uint8_t)strlen(r->cookie) };
		struct http_plan p;
		struct h1_head h;
		print_message("%s\n", r->why);
		h1_head_init(&h, false, 16384);
		assert_int_equal(h1_head_parse(&h, r->in, strlen(r->in)), H1_DONE);
		http_plan_request(&p, r->in, &h, &policy);
		assert_plan(&p, r->in, r->out);
	}
}

/* To a proxy: the target stays, but for a path of a rule. */
static void
test_absolute_kept(void **state)
{
	static const struct {
		const char *in, *target, *out;
	} row[] = {
		{ "GET http://a/x?y HTTP/1.1\r\nHost: a\r\n\r\n", NULL,
		    "GET http://a/x?y HTTP/1.1\r\nHost: a\r\n\r\n" },
		{ "OPTIONS HTTPS://a HTTP/1.1\r\nHost: A\r\n\r\n", NULL,
		    "OPTIONS HTTPS://a HTTP/1.1\r\nHost: A\r\n\r\n" },
		{ "GET http://a?b HTTP/1.1\r\nHost: a\r\n\r\n", NULL,
		    "GET http://a/?b HTTP/1.1\r\nHost: a\r\n\r\n" },
		{ "GET http://a HTTP/1.1\r\nHost: a\r\n\r\n", NULL,
		    "GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n" },
		{ "GET http://a:81/x HTTP/1.0\r\n\r\n", NULL,
		    "GET http://a:81/x HTTP/1.0\r\nHost: a:81\r\n\r\n" },
		{ GET "\r\n", NULL, GET "\r\n" },
		{ "GET http://a/x?y HTTP/1.1\r\nHost: a\r\n\r\n", "/new",
		    "GET http://a/new HTTP/1.1\r\nHost: a\r\n\r\n" },
		{ "GET http://a HTTP/1.1\r\nHost: a\r\n\r\n", "/new",
		    "GET http://a/new HTTP/1.1\r\nHost: a\r\n\r\n" },
		{ GET "\r\n", "/new", "GET /new HTTP/1.1\r\nHost: a\r\n\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		struct http_edits e = { .target = row[i].target };
		struct http_request_policy policy = {
			.absolute = true, .forwarded = forwarded_off, .edits = &e
		};
		struct http_plan p;
		struct h1_head h;

		if (e.target != NULL)
			e.target_len = (uint32_t)strlen(e.target);
		h1_head_init(&h, false, 16384);
		assert_int_equal(h1_head_parse(&h, row[i].in, strlen(row[i].in)), H1_DONE);
		http_plan_request(&p, row[i].in, &h, &policy);
		assert_plan(&p, row[i].in, row[i].out);
	}
}

static const struct answer {
	const char *why, *in, *out;
	const char *insert;
	uint8_t minor;
	bool keep;
} answers[] = {
	{ "nothing to do", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n",
	    "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n", "", 1, true },
	{ "hop by hop",
	    "HTTP/1.1 200 OK\r\nConnection: close, x-a\r\nX-A: b\r\nKeep-Alive: 5\r\nUpgrade: h2\r\nA: b\r\n\r\n",
	    "HTTP/1.1 200 OK\r\nA: b\r\n\r\n", "", 1, true },
	{ "close and cookie", "HTTP/1.1 200 OK\r\n\r\n",
	    "HTTP/1.1 200 OK\r\nConnection: close\r\nSet-Cookie: a=b\r\n\r\n",
	    "Set-Cookie: a=b\r\n", 1, false },
	{ "keep-alive for 1.0", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
	    "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n", "", 0, true },
	{ "1.0 server", "HTTP/1.0 404 N\r\nContent-Length: 0\r\n\r\n",
	    "HTTP/1.1 404 N\r\nContent-Length: 0\r\n\r\n", "", 1, true },
	{ "chunked stays", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
	    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "", 1, true },
	{ "no coding for 1.0, as after HEAD",
	    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
	    "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n\r\n", "", 0, true },
	{ "no length in 204", "HTTP/1.1 204 N\r\nContent-Length: 0\r\n\r\n",
	    "HTTP/1.1 204 N\r\n\r\n", "", 1, true },
	{ "length in 304", "HTTP/1.1 304 N\r\nContent-Length: 5\r\n\r\n",
	    "HTTP/1.1 304 N\r\nContent-Length: 5\r\n\r\n", "", 1, true },
	{ "100 gets nothing", "HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\n",
	    "Set-Cookie: a=b\r\n", 1, false },
	{ "101", "HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
	    "HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", "", 1, true },
};

static void
test_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		const struct answer *a = &answers[i];
		struct http_answer_policy policy = { .insert = a->insert,
			.insert_len = (uint16_t)strlen(a->insert),
			.client_minor = a->minor,
			.keep_alive = a->keep };
		struct http_plan p;
		struct h1_head h;
		print_message("%s\n", a->why);
		h1_head_init(&h, true, 16384);
		assert_int_equal(h1_head_parse(&h, a->in, strlen(a->in)), H1_DONE);
		http_plan_answer(&p, a->in, &h, &policy);
		assert_plan(&p, a->in, a->out);
	}
}

/* As many edits as a head can cause: every second line goes, and each that stays holds a cookie of ours. */
static void
test_most_edits(void **state)
{
	char text[16384];
	struct http_request_policy policy = { .client = "::1",
		.client_len = 3,
		.forwarded = forwarded_replace,
		.close = true,
		.cookie = "L",
		.cookie_len = 1 };
	struct http_plan p;
	struct h1_head h;
	size_t len = (size_t)snprintf(text, sizeof(text), "GET http://a HTTP/1.1\r\nHost: a\r\n");

	(void)state;
	for (unsigned i = 1; i < H1_HEADERS_MAX; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s\r\n",
		    i % 3 == 0 ? "TE: x" : "Cookie: a; L=b; c; L=; d");
	len += (size_t)snprintf(text + len, sizeof(text) - len, "\r\n");
	h1_head_init(&h, false, 16384);
	assert_int_equal(h1_head_parse(&h, text, len), H1_DONE);
	http_plan_request(&p, text, &h, &policy);
	assert_true(p.n <= HTTP_EDITS_MAX);
	char *out = malloc(p.out_len + 1);
	assert_int_equal(http_plan_write(&p, text, out), p.out_len);
	out[p.out_len] = '\0';
	assert_null(strstr(out, "L="));
	assert_null(strstr(out, "TE:"));
	free(out);
}

/* Cookies that servers set, under the name of ours; and ours before a value, on its way to the server. */
static void
test_cookies(void **state)
{
#define SET(s) "HTTP/1.1 200 OK\r\n" s "\r\n"
	static const struct {
		enum http_cookie what;
		const char *in, *out;
	} answer[] = {
		{ HTTP_COOKIE_KEEP, SET("Set-Cookie: S=1\r\n"), SET("Set-Cookie: S=1\r\n") },
		{ HTTP_COOKIE_CUT, SET("A: b\r\nSet-Cookie: S=1; Path=/\r\nSet-Cookie: T=2\r\n"),
		    SET("A: b\r\nSet-Cookie: T=2\r\n") },
		{ HTTP_COOKIE_REPLACE, SET("Set-Cookie: S=1; Path=/\r\nset-cookie: T=2\r\n"),
		    SET("Set-Cookie: S=aaaaaaaaaaaab; Path=/\r\nset-cookie: T=2\r\n") },
		{ HTTP_COOKIE_REPLACE, SET("Set-Cookie: S=\"1\"\r\n"),
		    SET("Set-Cookie: S=\"aaaaaaaaaaaab\"\r\n") },
		{ HTTP_COOKIE_REPLACE, SET("Set-Cookie: S=; Max-Age=0\r\n"),
		    SET("Set-Cookie: S=; Max-Age=0\r\n") },
		{ HTTP_COOKIE_PREFIX, SET("Set-Cookie: S=1\r\nSet-Cookie: S=2; Secure\r\n"),
		    SET("Set-Cookie: S=aaaaaaaaaaaab~1\r\nSet-Cookie: S=aaaaaaaaaaaab~2; Secure\r\n") },
		{ HTTP_COOKIE_PREFIX, SET("Set-Cookie: S=\r\n"), SET("Set-Cookie: S=\r\n") },
	};
	static const struct {
		const char *in, *out;
	} request[] = {
		{ GET "Cookie: S=aaaaaaaaaaaab~1\r\n\r\n", GET "Cookie: S=1\r\n\r\n" },
		{ GET "Cookie: a=b; S=aaaaaaaaaaaab~1; S=aaaaaaaaaaaac~2\r\n\r\n",
		    GET "Cookie: a=b; S=1; S=2\r\n\r\n" },
		{ GET "Cookie: S=\"aaaaaaaaaaaab~1\"\r\n\r\n", GET "Cookie: S=\"1\"\r\n\r\n" },
		{ GET "Cookie: S=1~2; T=aaaaaaaaaaaab~1\r\n\r\n",
		    GET "Cookie: S=1~2; T=aaaaaaaaaaaab~1\r\n\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(answer); i++) {
		struct http_answer_policy policy = { .client_minor = 1,
			.keep_alive = true,
			.set_cookie = (uint8_t)answer[i].what,
			.cookie = "S",
			.cookie_len = 1,
			.token = "aaaaaaaaaaaab~" };
		struct http_plan p;
		struct h1_head h;

		h1_head_init(&h, true, 16384);
		assert_int_equal(h1_head_parse(&h, answer[i].in, strlen(answer[i].in)), H1_DONE);
		http_plan_answer(&p, answer[i].in, &h, &policy);
		assert_plan(&p, answer[i].in, answer[i].out);
	}
	for (size_t i = 0; i < ARRAY_LEN(request); i++) {
		struct http_request_policy policy = { .forwarded = forwarded_off,
			.cookie = "S",
			.cookie_len = 1,
			.cookie_prefix = true };
		struct http_plan p;
		struct h1_head h;

		h1_head_init(&h, false, 16384);
		assert_int_equal(h1_head_parse(&h, request[i].in, strlen(request[i].in)), H1_DONE);
		http_plan_request(&p, request[i].in, &h, &policy);
		assert_plan(&p, request[i].in, request[i].out);
	}
#undef SET
}

/* A head full of cookies with ours before each value: more edits than there is room for are not made. */
static void
test_most_prefixes(void **state)
{
	char text[16384];
	struct http_request_policy policy = { .client = "::1",
		.client_len = 3,
		.forwarded = forwarded_replace,
		.close = true,
		.cookie = "L",
		.cookie_len = 1,
		.cookie_prefix = true };
	struct http_plan p;
	struct h1_head h;
	size_t len = (size_t)snprintf(text, sizeof(text), "GET http://a HTTP/1.1\r\nHost: a\r\n");
	char *out;

	(void)state;
	for (unsigned i = 1; i < H1_HEADERS_MAX; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len,
		    "Cookie: L=aaaaaaaaaaaab~1; c; L=aaaaaaaaaaaab~2; L=aaaaaaaaaaaab~3\r\n");
	len += (size_t)snprintf(text + len, sizeof(text) - len, "\r\n");
	h1_head_init(&h, false, 16384);
	assert_int_equal(h1_head_parse(&h, text, len), H1_DONE);
	http_plan_request(&p, text, &h, &policy);
	assert_true(p.n <= HTTP_EDITS_MAX);
	out = malloc(p.out_len + 1);
	assert_int_equal(http_plan_write(&p, text, out), p.out_len);
	out[p.out_len] = '\0';
	assert_non_null(strstr(out, "Cookie: L=1; c; L=2; L=3"));
	free(out);
}

static void
test_client_text(void **state)
{
	static const char *const row[] = { "0.0.0.0", "1.2.3.4", "10.20.30.40", "255.255.255.255",
		"100.9.99.200", "::1", "fd00::1:2", "2001:db8:1111:2222:3333:4444:5555:6666" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		char out[HTTP_CLIENT_TEXT];
		struct addr a;
		assert_int_equal(addr_parse(row[i], ADDR_HOST, &a), 0);
		assert_int_equal(http_client_text(&a, out), strlen(row[i]));
		assert_memory_equal(out, row[i], strlen(row[i]));
	}
}

/* A CONNECT goes on as it came but for what is of one connection; what begins its tunnel says nothing of a body. */
static void
test_connect(void **state)
{
	static const char in[] =
	    "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\nProxy-Connection: x\r\n"
	    "Upgrade: y\r\nConnection: upgrade\r\nProxy-Authorization: z\r\n\r\n";
	static const struct {
		const char *in, *out;
		bool keep;
		uint8_t minor;
	} row[] = {
		{ "HTTP/1.0 200 Connection established\r\nProxy-agent: a\r\n\r\n",
		    "HTTP/1.1 200 Connection established\r\nProxy-agent: a\r\n\r\n", false, 1 },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\n",
		    "HTTP/1.1 200 OK\r\n\r\n", true, 0 },
		{ "HTTP/1.1 204 N\r\nTransfer-Encoding: chunked\r\nUpgrade: a\r\n\r\n",
		    "HTTP/1.1 204 N\r\n\r\n", false, 1 },
		{ "HTTP/1.1 407 P\r\nContent-Length: 5\r\n\r\n",
		    "HTTP/1.1 407 P\r\nContent-Length: 5\r\nConnection: close\r\n\r\n", false, 1 },
	};
	struct http_request_policy policy = { .forwarded = forwarded_off };
	struct http_plan p;
	struct h1_head h;

	(void)state;
	h1_head_init(&h, false, 16384);
	h.connect = true;
	assert_int_equal(h1_head_parse(&h, in, strlen(in)), H1_DONE);
	http_plan_request(&p, in, &h, &policy);
	assert_plan(
	    &p, in, "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\nProxy-Authorization: z\r\n\r\n");
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		struct http_answer_policy answer = { .client_minor = row[i].minor,
			.keep_alive = row[i].keep };

		h1_head_init(&h, true, 16384);
		assert_int_equal(h1_head_parse(&h, row[i].in, strlen(row[i].in)), H1_DONE);
		assert_int_equal(h1_frame_answer(&h, H1_M_CONNECT, false, row[i].minor), 0);
		http_plan_answer(&p, row[i].in, &h, &answer);
		assert_plan(&p, row[i].in, row[i].out);
	}
}

/* Our own answers are themselves strictly right. */
static void
test_error_answers(void **state)
{
	static const unsigned status[] = { 400, 408, 413, 414, 417, 431, 500, 501, 502, 503, 504,
		505, 999 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(status); i++) {
		struct h1_head h;
		size_t len, head_len;
		const char *text = http_error_answer(status[i], false, &len);
		(void)http_error_answer(status[i], true, &head_len);
		h1_head_init(&h, true, 16384);
		assert_int_equal(h1_head_parse(&h, text, len), H1_DONE);
		assert_int_equal(h1_frame_answer(&h, H1_M_GET, false, 1), 0);
		assert_int_equal(h.status, status[i] == 999 ? 500 : status[i]);
		assert_int_equal(h.length, head_len);
		assert_int_equal(h.length + h.body_length, len);
		assert_false(h.keep_alive);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_absolute_kept),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_most_edits),
		cmocka_unit_test(test_cookies),
		cmocka_unit_test(test_most_prefixes),
		cmocka_unit_test(test_connect),
		cmocka_unit_test(test_client_text),
		cmocka_unit_test(test_error_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
