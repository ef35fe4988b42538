/* PROXY headers: what is one, what is none, and that ours are read as they were meant. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/must.h"
#include "lbd-proxy/net/pp.h"

#define V2 "\r\n\r\n\0\r\nQUIT\n"
#define HEAD(s) s, sizeof(s) - 1

#define SUITE "SUITE"

static const struct row {
	const char *bytes;
	size_t len;
	ssize_t want; /* length of the header, 0 more, -EPROTO */
	const char *from;
	uint16_t port;
} rows[] = {
	{ HEAD("PROXY TCP4 192.0.2.1 192.0.2.2 40000 80\r\nGET"), 41, "192.0.2.1", 40000 },
	{ HEAD("PROXY TCP6 2001:db8::1 2001:db8::2 1 65535\r\n"), 44, "2001:db8::1", 1 },
	{ HEAD("PROXY UNKNOWN\r\n"), 15, NULL, 0 },
	{ HEAD("PROXY UNKNOWN ffff::1 ffff::1 1 1\r\n"), 35, NULL, 0 },
	{ HEAD("P"), 0, NULL, 0 },
	{ HEAD("PROXY TCP4 192.0.2.1 192.0.2.2 40000 80\r"), 0, NULL, 0 },
	{ HEAD("PROXY TCP4 192.0.2.1 192.0.2.2 40000 80\n"), 0, NULL, 0 }, /* CR may still come */
	{ HEAD("PROXY TCP4 192.0.2.1 192.0.2.2 40000 80\r\r"), -EPROTO, NULL, 0 },
	{ HEAD("PROXY TCP4 192.0.2.1 192.0.2.2 040000 80\r\n"), -EPROTO, NULL, 0 },
	{ HEAD("PROXY TCP4 192.0.2.1 192.0.2.2 65536 80\r\n"), -EPROTO, NULL, 0 },
	{ HEAD("PROXY TCP4 192.0.2.1 192.0.2.2 +1 80\r\n"), -EPROTO, NULL, 0 },
	{ HEAD("PROXY TCP4 192.0.2.1 192.0.2.2 1 80 \r\n"), -EPROTO, NULL, 0 },
	{ HEAD("PROXY TCP4  192.0.2.1 192.0.2.2 1 80\r\n"), -EPROTO, NULL, 0 },
	{ HEAD("PROXY TCP4 192.0.2.1 192.0.2.2 1 80 9\r\n"), -EPROTO, NULL, 0 },
	{ HEAD("PROXY TCP4 2001:db8::1 2001:db8::2 1 80\r\n"), -EPROTO, NULL, 0 },
	{ HEAD("PROXY TCP4 192.0.2.01 192.0.2.2 1 80\r\n"), -EPROTO, NULL, 0 },
	{ HEAD("PROXY UNKNOWNS\r\n"), -EPROTO, NULL, 0 },
	{ HEAD("PROXY tcp4 192.0.2.1 192.0.2.2 1 80\r\n"), -EPROTO, NULL, 0 },
	{ HEAD("proxy TCP4 192.0.2.1 192.0.2.2 1 80\r\n"), -EPROTO, NULL, 0 },
	{ HEAD("GET / HTTP/1.1\r\n"), -EPROTO, NULL, 0 },
	{ HEAD(V2), 0, NULL, 0 },
	{ HEAD(V2 "\x20\0\0\0"), 16, NULL, 0 },
	{ HEAD(V2 "\x20\0\0\x03"), 0, NULL, 0 },
	{ HEAD(V2 "\x20\x11\0\x03"
		  "abc"),
	    19, NULL, 0 }, /* LOCAL: what follows is passed over */
	{ HEAD(V2 "\x21\0\0\0"), 16, NULL, 0 },
	{ HEAD(V2 "\x21\x11\0\x0c"
		  "\xc0\0\2\1\xc0\0\2\2\x9c\x40\0\x50"),
	    28, "192.0.2.1", 40000 },
	{ HEAD(V2 "\x21\x11\0\x0b"
		  "\xc0\0\2\1\xc0\0\2\2\x9c\x40\0"),
	    -EPROTO, NULL, 0 },
	{ HEAD(V2 "\x21\x12\0\x0c"
		  "\xc0\0\2\1\xc0\0\2\2\x9c\x40\0\x50"),
	    -EPROTO, NULL, 0 }, /* datagrams */
	{ HEAD(V2 "\x31\x11\0\x0c"
		  "\xc0\0\2\1\xc0\0\2\2\x9c\x40\0\x50"),
	    -EPROTO, NULL, 0 },
	{ HEAD(V2 "\x22\x11\0\x0c"
		  "\xc0\0\2\1\xc0\0\2\2\x9c\x40\0\x50"),
	    -EPROTO, NULL, 0 },
	{ HEAD(V2 "\x21\x11\xff\xff"
		  "\xc0\0\2\1\xc0\0\2\2\x9c\x40\0\x50"),
	    -EPROTO, NULL, 0 }, /* too long */
	{ HEAD(V2 "\x21\x11\0\x10"
		  "\xc0\0\2\1\xc0\0\2\2\x9c\x40\0\x50"
		  "\x05\0\1x"),
	    32, "192.0.2.1", 40000 },
	{ HEAD(V2 "\x21\x11\0\x10"
		  "\xc0\0\2\1\xc0\0\2\2\x9c\x40\0\x50"
		  "\x05\0\2x"),
	    -EPROTO, NULL, 0 },
	{ HEAD(V2 "\x21\x11\0\x0e"
		  "\xc0\0\2\1\xc0\0\2\2\x9c\x40\0\x50"
		  "\x05\0"),
	    -EPROTO, NULL, 0 },
	{ HEAD(V2 "\x21\x11\0\x13"
		  "\xc0\0\2\1\xc0\0\2\2\x9c\x40\0\x50"
		  "\x03\0\4\0\0\0\0"),
	    -EPROTO, NULL, 0 },
};

static void
test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint8_t *copy = malloc(rows[i].len); /* nothing behind it */
		struct addr want = { 0 };
		struct pp p;

		memcpy(copy, rows[i].bytes, rows[i].len);
		print_message("row %zu\n", i);
		assert_int_equal(pp_read(copy, rows[i].len, &p), rows[i].want);
		if (rows[i].want > 0) {
			assert_int_equal(p.known, rows[i].from != NULL);
			/* every beginning of it is an unfinished one */
			for (size_t n = 0; n < (size_t)rows[i].want; n++)
				assert_int_equal(pp_read(copy, n, &p), 0);
			(void)pp_read(copy, rows[i].len, &p);
		}
		if (rows[i].want > 0 && rows[i].from != NULL) {
			assert_int_equal(addr_parse(rows[i].from, ADDR_HOST, &want), 0);
			assert_memory_equal(&p.from, &want, sizeof(want));
			assert_int_equal(p.from_port, rows[i].port);
		}
		free(copy);
	}
}

static struct pp
pair(const char *from, const char *to)
{
	struct pp p = { .known = true, .from_port = 40000, .to_port = 443 };

	assert_int_equal(addr_parse(from, ADDR_HOST, &p.from), 0);
	assert_int_equal(addr_parse(to, ADDR_HOST, &p.to), 0);
	return p;
}

static void
test_there_and_back(void **state)
{
	static const char *const from[] = { "192.0.2.1", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff" };
	static const char *const to[] = { "192.0.2.2", "2001:db8:ffff:ffff:ffff:ffff:ffff:fffe" };
	const struct pp_tls tls = {
		.version = "TLSv1.3", .cipher = SUITE, .name = "www.example.org", .cn = ""
	};
	uint8_t out[PP_ROOM];
	struct pp p, q;
	size_t n;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(from); i++) {
		p = pair(from[i], to[i]);
		n = pp_write_v1(&p, out);
		assert_int_equal(pp_read(out, n, &q), n);
		assert_memory_equal(&p.from, &q.from, sizeof(p.from));
		n = pp_write_v2(&p, &tls, out);
		assert_int_equal(pp_read(out, n, &q), n);
		assert_memory_equal(&p.from, &q.from, sizeof(p.from));
		assert_int_equal(q.to_port, 443);
		assert_non_null(memmem(out, n, "\x02\0\x0fwww.example.org", 18));
		assert_non_null(
		    memmem(out, n, "\x20\0\x17\x01\0\0\0\1\x21\0\x07TLSv1.3\x23\0\x05" SUITE, 26));
		n = pp_write_v2(&p, NULL, out);
		assert_int_equal(n, 16 + (i == 0 ? 12 : 36));
	}
	p = pair(from[0], to[1]); /* no header can say that */
	assert_int_equal(pp_write_v1(&p, out), 15);
	assert_int_equal(pp_write_v2(&p, NULL, out), 16);
	assert_int_equal(pp_read(out, 16, &q), 16);
	assert_false(q.known);
}

/* What is said of a certificate; names that are too long are left out, and everything at its longest has room. */
static void
test_certificate(void **state)
{
	char longest[PP_WORD + 2];
	struct pp_tls t = { "TLSv1.3", SUITE, "", true, false, "Jo" };
	uint8_t out[PP_ROOM];
	struct pp p = pair("2001:db8::1", "2001:db8::2"), q;
	size_t n;

	(void)state;
	n = pp_write_v2(&p, &t, out);
	assert_non_null(memmem(out, n, "\x07\0\0\0\0\x21\0\x07TLSv1.3\x22\0\2Jo\x23", 21));
	t.resumed = true;
	n = pp_write_v2(&p, &t, out);
	assert_non_null(memmem(out, n, "\x05\0\0\0\0\x21", 6));
	t.cert = false;
	n = pp_write_v2(&p, &t, out);
	assert_non_null(memmem(out, n, "\x01\0\0\0\1\x21", 6));
	assert_null(memmem(out, n, "Jo", 2));
	memset(longest, 'a', sizeof(longest));
	longest[PP_WORD + 1] = 0;
	t = (struct pp_tls){ "TLSv1.3", "TLS_CHACHA20_POLY1305_SHA256", longest + 1, true, true,
		longest + 1 };
	n = pp_write_v2(&p, &t, out);
	assert_in_range(n, 2 * PP_WORD + 100, PP_ROOM);
	assert_int_equal(pp_read(out, n, &q), n);
	t.name = t.cn = longest;
	n = pp_write_v2(&p, &t, out);
	assert_in_range(n, 60, 120);
	assert_int_equal(pp_read(out, n, &q), n);
}

/* The example of a checksum: computed over the header with zeros in its place. */
static void
test_checksum(void **state)
{
	uint8_t head[] = V2 "\x21\x11\0\x13"
			    "\xc0\0\2\1\xc0\0\2\2\x9c\x40\0\x50"
			    "\x03\0\4\0\0\0\0";
	size_t n = sizeof(head) - 1;
	uint32_t crc = UINT32_MAX;
	struct pp p;

	(void)state;
	for (size_t i = 0; i < n; i++) {
		crc ^= head[i];
		for (int k = 0; k < 8; k++)
			crc = crc & 1 ? crc >> 1 ^ 0x82f63b78 : crc >> 1;
	}
	crc = ~crc;
	for (int i = 0; i < 4; i++)
		head[n - 4 + (size_t)i] = (uint8_t)(crc >> (24 - 8 * i));
	assert_int_equal(pp_read(head, n, &p), n);
	head[20] ^= 1;
	assert_int_equal(pp_read(head, n, &p), -EPROTO);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_certificate),
		cmocka_unit_test(test_checksum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
