/* Parts of requests by which clients are known again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/must.h"
#include "lbd-proxy/pool/persist_key.h"
#include "lbd-proxy/pool/sticky.h"

enum what { ROUTE, PATH, QUERY, FORWARDED, FIELD };

static bool
find(enum what what, const char *buf, const struct h1_head *h, struct key_span *out)
{
	switch (what) {
	case PATH: return persist_key_path_param(buf, h, "JSESSIONID", 10, out);
	case QUERY: return persist_key_query(buf, h, out);
	case FORWARDED: return persist_key_forwarded(buf, h, NULL, out);
	default: return persist_key_field(buf, h, "User-Agent", 10, out);
	}
}

static void
test_requests(void **state)
{
	static const struct {
		enum what what;
		const char *target, *fields;
		const char *want; /* NULL: none */
	} rows[] = {
		{ PATH, "/a;jsessionid=1.b", "", "1.b" },
		{ PATH, "/a;JSESSIONID=1.b?x", "", "1.b" },
		{ PATH, "/a;x=y;jsessionid=1.b/c;d", "", "1.b" },
		{ PATH, "/a;jsessionid=1;jsessionid=2", "", "1" },
		{ PATH, "/a;jsessionid=", "", NULL },
		{ PATH, "/a;jsessionid", "", NULL },
		{ PATH, "/a;xjsessionid=1", "", NULL },
		{ PATH, "/a?;jsessionid=1", "", NULL },
		{ PATH, "/;", "", NULL },
		{ PATH, "http://h/a;jsessionid=1.b", "", "1.b" },
		{ QUERY, "/a?b=c&d", "", "b=c&d" },
		{ QUERY, "/a?b?c", "", "b?c" },
		{ QUERY, "/a?", "", NULL },
		{ QUERY, "/a", "", NULL },
		{ FORWARDED, "/", "X-Forwarded-For: 192.0.2.1\r\n", "192.0.2.1" },
		{ FORWARDED, "/", "x-forwarded-for: 10.0.0.1, 192.0.2.1\r\n", "192.0.2.1" },
		{ FORWARDED, "/", "X-Forwarded-For: 1\r\nX-Forwarded-For: 2,\t3\r\n", "3" },
		{ FORWARDED, "/", "X-Forwarded-For: 192.0.2.1:8080\r\n", "192.0.2.1" },
		{ FORWARDED, "/", "X-Forwarded-For: 2001:db8::1\r\n", "2001:db8::1" },
		{ FORWARDED, "/", "X-Forwarded-For: [2001:db8::1]:80\r\n", "2001:db8::1" },
		{ FORWARDED, "/", "X-Forwarded-For: [2001:db8::1]\r\n", "2001:db8::1" },
		{ FORWARDED, "/", "X-Forwarded-For: [x\r\n", "[x" },
		{ FORWARDED, "/", "X-Forwarded-For: 1,\r\n", NULL },
		{ FORWARDED, "/", "X-Forwarded-For:\r\n", NULL },
		{ FORWARDED, "/", "", NULL },
		{ FIELD, "/", "user-agent: x\r\n", "x" },
		{ FIELD, "/", "User-Agent:\r\n", NULL },
		{ FIELD, "/", "User-Agents: x\r\n", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct key_span got = { 0 };
		struct h1_head h;
		char buf[512];
		int n = snprintf(buf, sizeof(buf), "GET %s HTTP/1.1\r\nHost: h\r\n%s\r\n",
		    rows[i].target, rows[i].fields);
		bool any;

		h1_head_init(&h, false, 4096);
		assert_int_equal(h1_head_parse(&h, buf, (size_t)n), H1_DONE);
		any = find(rows[i].what, buf, &h, &got);
		if (any != (rows[i].want != NULL) ||
		    (any && (got.len != strlen(rows[i].want) ||
				memcmp(got.at, rows[i].want, got.len) != 0)))
			fail_msg("row %zu: %.*s", i, (int)got.len, any ? got.at : "");
	}
}

/* With proxies that are believed the first address behind them counts. */
static void
test_proxies(void **state)
{
	static const struct {
		const char *fields, *want;
	} rows[] = {
		{ "X-Forwarded-For: 192.0.2.1\r\n", "192.0.2.1" },
		{ "X-Forwarded-For: 192.0.2.1, 10.0.0.1\r\n", "192.0.2.1" },
		{ "X-Forwarded-For: 192.0.2.9, 192.0.2.1 , 10.0.0.1:80, 10.9.0.1\r\n",
		    "192.0.2.1" },
		{ "X-Forwarded-For: 192.0.2.1\r\nA: b\r\nX-Forwarded-For: 10.0.0.1\r\n",
		    "192.0.2.1" },
		{ "X-Forwarded-For: 10.0.0.2, 10.0.0.1\r\n", "10.0.0.2" },
		{ "X-Forwarded-For: unknown, 10.0.0.1\r\n", "unknown" },
		{ "X-Forwarded-For: , 10.0.0.1\r\n", "10.0.0.1" },
		{ "X-Forwarded-For: 192.0.2.1, fd00::7, [fd00::8]:443\r\n", "192.0.2.1" },
		{ "X-Forwarded-For: 1.1.1.1,10.0.0.1,10.0.0.1,10.0.0.1,10.0.0.1,10.0.0.1,10.0.0.1,10.0.0.1,"
		  "10.0.0.1,10.0.0.1,10.0.0.1,10.0.0.1,10.0.0.1,10.0.0.1,10.0.0.1,10.0.0.2,10.0.0.1,10.0.0.1\r\n",
		    "10.0.0.1" }, /* enough */
		{ "X-Forwarded-For:\r\n", NULL },
		{ "A: b\r\n", NULL },
	};
	struct addrs *from = calloc(1, sizeof(*from) + 2 * sizeof(from->r[0]));

	(void)state;
	assert_non_null(from);
	from->n = 2;
	assert_int_equal(addr_parse("10.0.0.0", ADDR_HOST, &from->r[0].lo), 0);
	assert_int_equal(addr_parse("10.255.255.255", ADDR_HOST, &from->r[0].hi), 0);
	assert_int_equal(addr_parse("fd00::", ADDR_HOST, &from->r[1].lo), 0);
	assert_int_equal(addr_parse("fd00::ff", ADDR_HOST, &from->r[1].hi), 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct key_span got = { 0 };
		struct h1_head h;
		char buf[512];
		int n = snprintf(
		    buf, sizeof(buf), "GET / HTTP/1.1\r\nHost: h\r\n%s\r\n", rows[i].fields);
		bool any;

		h1_head_init(&h, false, 4096);
		assert_int_equal(h1_head_parse(&h, buf, (size_t)n), H1_DONE);
		any = persist_key_forwarded(buf, &h, from, &got);
		if (any != (rows[i].want != NULL) ||
		    (any && (got.len != strlen(rows[i].want) ||
				memcmp(got.at, rows[i].want, got.len) != 0)))
			fail_msg("row %zu: %.*s", i, (int)got.len, any ? got.at : "");
	}
	free(from);
}

static void
test_routes(void **state)
{
	static const struct {
		const char *session, *first, *second;
	} rows[] = {
		{ "abc.tomcat1", "tomcat1", NULL },
		{ "abc.site.tomcat1", "site.tomcat1", "tomcat1" },
		{ "abc", NULL, NULL },
		{ "abc.", NULL, NULL },
		{ ".x", "x", NULL },
		{ "", NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct key_span s = { rows[i].session, strlen(rows[i].session) };
		const char *want[] = { rows[i].first, rows[i].second };

		for (unsigned k = 0; k < 2; k++) {
			assert_int_equal(persist_key_route(s, &s), want[k] != NULL);
			if (want[k] == NULL)
				break;
			assert_int_equal(s.len, strlen(want[k]));
			assert_memory_equal(s.at, want[k], s.len);
		}
	}
	assert_true(sticky_route("a", 1) != sticky_route("b", 1));
	assert_true(sticky_route("a", 1) == sticky_route("ab", 1));
}

static void
test_sticky(void **state)
{
	static const struct {
		uint16_t mask;
		uint8_t four, six;
	} rows[] = { { 128, 32, 128 }, { 64, 32, 64 }, { 24, 24, 24 }, { 0, 0, 0 } };
	struct service s = { .id = 7, .persistence = persistence_prefix };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct sticky y = { 0 };

		s.persist_mask = rows[i].mask;
		sticky_compile(&y, &s);
		assert_int_equal(y.mask4, rows[i].four);
		assert_int_equal(y.mask6, rows[i].six);
		assert_int_equal(y.table, 7);
		assert_true(y.cookies);
	}
}

/* The lines around a value, and that the longest have room. */
static void
test_line(void **state)
{
	char name[STICKY_KEY_MAX + 1] = "", attributes[201] = "";
	struct service s = { .persistence = persistence_cookie, .cookie = "LB" };
	struct sticky y = { 0 };

	(void)state;
	s.cookie_attributes = "Path=/; Secure";
	sticky_compile(&y, &s);
	assert_memory_equal(y.head, "Set-Cookie: LB=", y.head_len);
	assert_memory_equal(y.tail, "; Path=/; Secure\r\nCache-Control: private\r\n", y.tail_len);
	s.cookie_attributes = "";
	sticky_compile(&y, &s);
	assert_memory_equal(y.tail, "\r\nCache-Control: private\r\n", y.tail_len);
	memset(name, 'x', sizeof(name) - 1);
	memset(attributes, 'y', sizeof(attributes) - 1);
	s.cookie = name;
	s.cookie_attributes = attributes;
	sticky_compile(&y, &s);
	assert_int_equal(y.head_len, 77);
	assert_int_equal(y.tail_len, 228);
	assert_memory_equal(y.tail + y.tail_len - 9, "private\r\n", 9);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_proxies),
		cmocka_unit_test(test_routes),
		cmocka_unit_test(test_sticky),
		cmocka_unit_test(test_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
