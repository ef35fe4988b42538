/* What servers are told of clients, and what becomes of fields that clients forged: heads in, heads out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/must.h"
#include "http/http_tell.h"
#include "log/request_id.h"
#include "schema/schema.h"

#define GET "GET / HTTP/1.1\r\nHost: a:8\r\n"
#define XF "X-Forwarded-Proto: http\r\nX-Forwarded-Port: 80\r\nX-Forwarded-Host: a:8\r\n"
#define EL "for=192.0.2.1;by=10.0.0.1;proto=http;host=\"a:8\""
#define EL6 "for=\"[fd00::1]\";by=\"[fd00::2]\";proto=http;host=\"a:8\""
#define REPLACE forwarded_replace
#define APPEND forwarded_append
#define OFF forwarded_off

static const struct row {
	const char *why, *in, *out;
	bool x, forwarded, via, v6;
	uint8_t policy, id;
	const char *id_is;
} rows[] = {
	{ "nothing", GET "Forwarded: for=1\r\n\r\n", GET "Forwarded: for=1\r\n\r\n", 0, 0, 0, 0,
	    REPLACE, 0, "mine-mine" },
	{ "three fields", GET "\r\n", GET XF "\r\n", 1, 0, 0, 0, REPLACE, 0, "mine-mine" },
	{ "forged ones go",
	    GET
	    "X-Forwarded-Proto: https\r\nA: b\r\nx-forwarded-host: evil\r\nX-FORWARDED-PORT: 1\r\n\r\n",
	    GET "A: b\r\n" XF "\r\n", 1, 0, 0, 0, REPLACE, 0, "mine-mine" },
	{ "those of a proxy before stand", GET "X-Forwarded-Proto: https\r\n\r\n",
	    GET "X-Forwarded-Proto: https\r\nX-Forwarded-Port: 80\r\nX-Forwarded-Host: a:8\r\n\r\n",
	    1, 0, 0, 0, APPEND, 0, "mine-mine" },
	{ "named away, and there again",
	    GET "X-Forwarded-Proto: https\r\nConnection: X-Forwarded-Proto\r\n\r\n", GET XF "\r\n",
	    1, 0, 0, 0, APPEND, 0, "mine-mine" },
	{ "off touches nothing", GET "X-Forwarded-Host: x\r\nForwarded: for=1\r\n\r\n",
	    GET "X-Forwarded-Host: x\r\nForwarded: for=1\r\n\r\n", 1, 1, 0, 0, OFF, 0,
	    "mine-mine" },
	{ "Forwarded", GET "\r\n", GET "Forwarded: " EL "\r\n\r\n", 0, 1, 0, 0, REPLACE, 0,
	    "mine-mine" },
	{ "Forwarded of IPv6", GET "\r\n", GET "Forwarded: " EL6 "\r\n\r\n", 0, 1, 0, 1, REPLACE, 0,
	    "mine-mine" },
	{ "forged Forwarded goes", GET "Forwarded: for=1\r\nforwarded: for=2\r\n\r\n",
	    GET "Forwarded: " EL "\r\n\r\n", 0, 1, 0, 0, REPLACE, 0, "mine-mine" },
	{ "one more element", GET "Forwarded: for=1\r\nA: b\r\nForwarded: for=2\r\nC: d\r\n\r\n",
	    GET "Forwarded: for=1\r\nA: b\r\nForwarded: for=2, " EL "\r\nC: d\r\n\r\n", 0, 1, 0, 0,
	    APPEND, 0, "mine-mine" },
	{ "behind an empty one", GET "Forwarded:\r\n\r\n", GET "Forwarded:" EL "\r\n\r\n", 0, 1, 0,
	    0, APPEND, 0, "mine-mine" },
	{ "without Host", "GET / HTTP/1.0\r\n\r\n",
	    "GET / HTTP/1.0\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Port: 80\r\n"
	    "Forwarded: for=192.0.2.1;by=10.0.0.1;proto=http\r\nVia: 1.0 lbd\r\n\r\n",
	    1, 1, 1, 0, REPLACE, 0, "mine-mine" },
	{ "Via is always one more", GET "Via: 1.0 x\r\n\r\n",
	    GET "Via: 1.0 x\r\nVia: 1.1 lbd\r\n\r\n", 0, 0, 1, 0, OFF, 0, "mine-mine" },
	{ "an id", GET "X-Request-Id: theirs-0\r\n\r\n", GET "X-Request-ID: mine-mine\r\n\r\n", 0,
	    0, 0, 0, REPLACE, request_id_replace, "mine-mine" },
	{ "the client's id", GET "X-Request-Id: theirs-0\r\nA: b\r\n\r\n",
	    GET "X-Request-Id: theirs-0\r\nA: b\r\n\r\n", 0, 0, 0, 0, REPLACE, request_id_keep,
	    "theirs-0" },
	{ "no id to keep", GET "X-Request-Id: a b c d e f\r\nX-Request-Id: short\r\n\r\n",
	    GET "X-Request-ID: mine-mine\r\n\r\n", 0, 0, 0, 0, REPLACE, request_id_keep,
	    "mine-mine" },
	{ "the first counts", GET "X-Request-Id: theirs-0\r\nX-Request-Id: theirs-1\r\n\r\n",
	    GET "X-Request-Id: theirs-0\r\n\r\n", 0, 0, 0, 0, REPLACE, request_id_keep,
	    "theirs-0" },
	{ "all at once", GET "Forwarded: for=1\r\n\r\n",
	    GET "Forwarded: for=1, " EL6 "\r\n" XF
		"Via: 1.1 lbd\r\nX-Request-ID: mine-mine\r\n\r\n",
	    1, 1, 1, 1, APPEND, request_id_replace, "mine-mine" },
};

static void
test_heads(void **state)
{
	static struct http_plan p;
	static struct h1_head h;
	char out[2048];

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *r = &rows[i];
		struct http_tell t = {
			.x_forwarded = r->x,
			.forwarded = r->forwarded,
			.via = r->via,
			.policy = r->policy,
			.request_id = r->id,
			.port = 80,
			.scheme = "http",
			.client = r->v6 ? "fd00::1" : "192.0.2.1",
			.client_len = r->v6 ? 7 : 9,
			.client_v6 = r->v6,
			.by = r->v6 ? "fd00::2" : "10.0.0.1",
			.by_len = r->v6 ? 7 : 8,
			.by_v6 = r->v6,
			.id = "mine-mine",
			.id_len = 9,
		};
		struct http_request_policy policy = { .forwarded = forwarded_off, .tell = &t };

		print_message("%s\n", r->why);
		h1_head_init(&h, false, 16384);
		assert_int_equal(h1_head_parse(&h, r->in, strlen(r->in)), H1_DONE);
		http_plan_request(&p, r->in, &h, &policy);
		assert_true(p.out_len < sizeof(out));
		out[http_plan_write(&p, r->in, out)] = '\0';
		assert_string_equal(out, r->out);
		assert_int_equal(t.id_len, strlen(r->id_is));
		assert_memory_equal(t.id, r->id_is, t.id_len);
	}
}

/* What such a client sent goes, whatever the policy. */
static void
test_distrust(void **state)
{
	static const char in[] = GET
	    "X-Forwarded-For: 1\r\nForwarded: for=1\r\nX-Forwarded-Proto: https\r\nA: b\r\nx-forwarded-for: 2\r\n\r\n";
	static const struct {
		bool x, forwarded;
		uint8_t policy;
		const char *out;
	} of[] = {
		{ true, true, APPEND,
		    GET "A: b\r\nX-Forwarded-For: 192.0.2.1\r\n" XF "Forwarded: " EL "\r\n\r\n" },
		{ false, false, APPEND, GET "A: b\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n" },
		{ true, true, OFF, GET "A: b\r\n\r\n" },
		{ false, false, OFF, GET "A: b\r\n\r\n" },
	};
	static struct http_plan p;
	static struct h1_head h;
	char out[2048];

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(of); i++) {
		struct http_tell t = {
			.x_forwarded = of[i].x,
			.forwarded = of[i].forwarded,
			.policy = of[i].policy,
			.distrust = true,
			.port = 80,
			.scheme = "http",
			.client = "192.0.2.1",
			.client_len = 9,
			.by = "10.0.0.1",
			.by_len = 8,
		};
		struct http_request_policy policy = { .forwarded = of[i].policy,
			.distrust = true,
			.client = "192.0.2.1",
			.client_len = 9,
			.tell = &t };

		h1_head_init(&h, false, 16384);
		assert_int_equal(h1_head_parse(&h, in, strlen(in)), H1_DONE);
		http_plan_request(&p, in, &h, &policy);
		out[http_plan_write(&p, in, out)] = '\0';
		assert_string_equal(out, of[i].out);
	}
}

/* A head of as many lines as may be, each of which is changed: there is room for all edits. */
static void
test_many(void **state)
{
	static struct http_plan p;
	static struct h1_head h;
	static char in[16384];
	struct http_tell t = { .x_forwarded = true,
		.forwarded = true,
		.via = true,
		.policy = forwarded_append,
		.request_id = request_id_replace,
		.port = 65535,
		.scheme = "https",
		.client = "fd00:1111:2222:3333:4444:5555:6666:7777",
		.client_len = 39,
		.client_v6 = true,
		.by = "fd00:1111:2222:3333:4444:5555:6666:7777",
		.by_len = 39,
		.by_v6 = true,
		.id = "0123456789012345678901234567890123456",
		.id_len = 36 };
	struct http_request_policy policy = { .client = "fd00::1",
		.client_len = 7,
		.forwarded = forwarded_append,
		.cookie = "L",
		.cookie_len = 1,
		.tell = &t };
	size_t n = (size_t)snprintf(in, sizeof(in), "GET http://a HTTP/1.1\r\nHost: a\r\n");

	(void)state;
	for (unsigned i = 1; i < H1_HEADERS_MAX - 3; i += 2)
		n += (size_t)snprintf(in + n, sizeof(in) - n, "X-Request-ID: %u\r\nB: c\r\n", i);
	n += (size_t)snprintf(in + n, sizeof(in) - n,
	    "Cookie: L=; b; L=; b; L=; b; L=; b; L=; b; L=; b; L=; b; L=; b\r\nForwarded: for=_x\r\n\r\n");
	h1_head_init(&h, false, sizeof(in));
	assert_int_equal(h1_head_parse(&h, in, n), H1_DONE);
	http_plan_request(&p, in, &h, &policy);
	assert_true(p.out_len > 0);
}

static void
test_request_id(void **state)
{
	char a[REQUEST_ID + 1] = "", b[REQUEST_ID + 1] = "";

	(void)state;
	request_id_format(0x0123456789ab, 0, 0, 0, a);
	assert_string_equal(a, "01234567-89ab-7000-8000-000000000000");
	request_id_format(0x0123456789ab, 63, 0xffffffff, UINT64_MAX, b);
	assert_string_equal(b, "01234567-89ab-7fff-bfff-ffffffffffff");
	request_id_format(0x0123456789ab, 5, 0x12345678, 0xabcdef0123, a);
	assert_string_equal(a, "01234567-89ab-7678-848d-145bcdef0123");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_heads),
		cmocka_unit_test(test_distrust),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_request_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
