/* Keys of requests and of RDP connections. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/must.h"
#include "lbd-proxy/pool/key.h"
#include "schema/schema.h"

static void
test_request(void **state)
{
	static const struct {
		unsigned scheduler;
		const char *name, *target, *fields;
		const char *want; /* NULL: none */
	} row[] = {
		{ scheduler_path, "", "/a/b?x=1", "", "/a/b" },
		{ scheduler_path, "", "/a/b", "", "/a/b" },
		{ scheduler_path, "", "/a?", "", "/a" },
		{ scheduler_uri, "", "/a/b?x=1", "", "/a/b?x=1" },
		{ scheduler_uri, "", "/", "", "/" },
		{ scheduler_path, "", "http://h/a?x", "", "/a" },
		{ scheduler_uri, "", "http://h/a?x", "", "/a?x" },
		{ scheduler_path, "", "http://h", "", "/" },
		{ scheduler_url_param, "id", "/?id=7", "", "7" },
		{ scheduler_url_param, "id", "/?x=1&id=7&id=8", "", "7" },
		{ scheduler_url_param, "id", "/?xid=1&idx=2&id=a%20b", "", "a%20b" },
		{ scheduler_url_param, "id", "/?id=7=8", "", "7=8" },
		{ scheduler_url_param, "id", "/?id=", "", NULL },
		{ scheduler_url_param, "id", "/?id", "", NULL },
		{ scheduler_url_param, "id", "/?&&id=1", "", "1" },
		{ scheduler_url_param, "id", "/id=1", "", NULL },
		{ scheduler_url_param, "id", "/?ID=1", "", NULL },
		{ scheduler_url_param, "id", "/?", "", NULL },
		{ scheduler_header, "X-User", "/", "x-user: anna\r\n", "anna" },
		{ scheduler_header, "X-User", "/", "X-USER: anna\r\nX-User: b\r\n", "anna" },
		{ scheduler_header, "X-User", "/", "X-Users: anna\r\n", NULL },
		{ scheduler_header, "X-User", "/", "X-User:\r\n", NULL },
		{ scheduler_header, "host", "/", "", "h" },
		{ scheduler_wrr, "X-User", "/", "X-User: anna\r\n", NULL },
		{ scheduler_sh, "", "/", "", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		struct h1_head h;
		struct key_span got = { 0 };
		char buf[512];
		int n = snprintf(buf, sizeof(buf), "GET %s HTTP/1.1\r\nHost: h\r\n%s\r\n",
		    row[i].target, row[i].fields);
		bool any;

		h1_head_init(&h, false, 4096);
		assert_int_equal(h1_head_parse(&h, buf, (size_t)n), H1_DONE);
		any = key_of_request(
		    row[i].scheduler, row[i].name, strlen(row[i].name), buf, &h, &got);
		if (any != (row[i].want != NULL) ||
		    (any && (got.len != strlen(row[i].want) ||
				memcmp(got.at, row[i].want, got.len) != 0)))
			fail_msg(
			    "row %zu: %s: %.*s", i, row[i].target, (int)got.len, any ? got.at : "");
	}
}

/* A connection request with this in its variable part. */
static size_t
packet(uint8_t out[256], const char *text, size_t len)
{
	size_t all = 11 + len;
	const uint8_t head[] = { 3, 0, (uint8_t)(all >> 8), (uint8_t)all, (uint8_t)(all - 5), 0xe0,
		0, 0, 0, 0, 0 };

	memcpy(out, head, sizeof(head));
	memcpy(out + sizeof(head), text, len);
	return all;
}

static void
test_rdp(void **state)
{
	static const struct {
		const char *text, *want; /* want NULL: no key */
	} row[] = {
		{ "Cookie: mstshash=anna\r\n", "anna" },
		{ "Cookie: mstshash=anna\r\n\x01\x02\x08\x03\x04\x05\x06\x07", "anna" },
		{ "Cookie: mstshash=DOM\\anna\r\n", "DOM\\anna" },
		{ "Cookie: mstshash=\r\n", NULL },
		{ "Cookie: mstshash=anna", NULL },
		{ "Cookie: mstshash=anna\r", NULL },
		{ "Cookie: mstshash=anna\rx", NULL },
		{ "Cookie: msts=3640205228.15629.0000\r\n", NULL },
		{ "Cookie: mst", NULL },
		{ "", NULL },
	};
	uint8_t p[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		size_t n = packet(p, row[i].text, strlen(row[i].text)), k;
		struct key_span got = { 0 };

		for (k = 0; k < n; k++) { /* byte by byte, in memory of just that size */
			uint8_t *part = malloc(k + 1);

			memcpy(part, p, k);
			assert_int_equal(key_of_rdp(part, k, &got), H1_MORE);
			free(part);
		}
		assert_int_equal(key_of_rdp(p, n, &got), row[i].want != NULL ? H1_DONE : H1_BAD);
		if (row[i].want == NULL)
			continue;
		assert_int_equal(got.len, strlen(row[i].want));
		assert_memory_equal(got.at, row[i].want, got.len);
	}
}

/* What is no connection request is known as soon as it can be. */
static void
test_not_rdp(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} row[] = { { "GET / HTTP/1.1\r\n", 1 }, { "\x16\x03\x01", 1 },
		{ "\x03\x00\x00\x13\x0e\xd0", 6 }, { "\x03\x00\x00\x0a", 4 },
		{ "\x03\x00\xff\xff", 4 } };
	struct key_span got;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++)
		assert_int_equal(
		    key_of_rdp((const uint8_t *)row[i].bytes, row[i].len, &got), H1_BAD);
	assert_int_equal(key_of_rdp((const uint8_t *)"", 0, &got), H1_MORE);
}

/* The bytes behind the address of a v4 client do not count; services have orders of their own. */
static void
test_hash(void **state)
{
	struct addr a = { .family = 4, .b = { 10, 0, 0, 1, 99 } }, b = a;

	(void)state;
	b.b[4] = 1;
	assert_true(key_hash_addr(1, &a) == key_hash_addr(1, &b));
	assert_true(key_hash_addr(1, &a) != key_hash_addr(2, &a));
	b.b[3] = 2;
	assert_true(key_hash_addr(1, &a) != key_hash_addr(1, &b));
	assert_true(key_hash(1, "a", 1) != key_hash(1, "b", 1));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request),
		cmocka_unit_test(test_rdp),
		cmocka_unit_test(test_not_rdp),
		cmocka_unit_test(test_hash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
