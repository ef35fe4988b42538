/* Advertisements byte by byte as peers send them, every refusal, and both ways through all forms. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "vrrp/vrrp_packet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct addr
host(const char *text)
{
	struct addr a;

	if (addr_parse(text, ADDR_HOST, &a) != 0)
		abort();
	return a;
}

static struct vrrp_ip
ip(const char *src, const char *dst, unsigned ttl)
{
	return (struct vrrp_ip){ .src = host(src), .dst = host(dst), .ttl = (uint8_t)ttl };
}

/* As keepalived 2.2.7 sent them (virtual router 51, priority 101, 10.0.0.100, 1 s): version 3, and version 2 with the
 * password "1111". */
static const uint8_t v3[12] = { 0x31, 51, 101, 1, 0, 100, 0, 0, 10, 0, 0, 100 };
static const uint8_t v2[20] = { 0x21, 51, 101, 1, 1, 1, 0, 0, 10, 0, 0, 100, '1', '1', '1', '1' };
static const uint8_t v6[24] = { 0x31, 51, 101, 1, 0, 100, 0, 0, 0xfe, 0x80, [22] = 1, 0 };

static unsigned
sum(const uint8_t *p, size_t n, uint32_t s)
{
	for (size_t i = 0; i < n; i += 2)
		s += (uint32_t)p[i] << 8 | p[i + 1];
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return ~s & 0xffff;
}

/* A second opinion of the checksum: start is the sum of the pseudo header, done by hand below. */
static void
seal(uint8_t *p, size_t n, uint32_t start)
{
	unsigned c;

	p[6] = p[7] = 0;
	c = sum(p, n, start);
	p[6] = (uint8_t)(c >> 8);
	p[7] = (uint8_t)c;
}

#define PSEUDO4(n) (0x0a00 + 0x0001 + 0xe000 + 0x0012 + 112 + (n)) /* 10.0.0.1 to 224.0.0.18 */

static void
test_parse_v3(void **state)
{
	struct vrrp_ip from = ip("10.0.0.1", "224.0.0.18", 255);
	struct vrrp_packet p;
	uint8_t b[12];

	(void)state;
	memcpy(b, v3, sizeof(b));
	seal(b, sizeof(b), PSEUDO4(12));
	b[4] = 0; /* reserved bits are ignored */
	assert_int_equal(vrrp_packet_parse(b, sizeof(b), &from, 255, &p), VRRP_GOOD);
	assert_int_equal(p.version, 3);
	assert_int_equal(p.vrid, 51);
	assert_int_equal(p.priority, 101);
	assert_int_equal(p.interval, DUR_S(1));
	assert_int_equal(p.sum, VRRP_SUM_PSEUDO);
	assert_int_equal(p.n, 1);
	assert_int_equal(p.addr[0].len, 32);
	assert_int_equal(p.addr[0].b[3], 100);
	b[4] = 0xf0;
	seal(b, sizeof(b), 0);
	assert_int_equal(vrrp_packet_parse(b, sizeof(b), &from, 255, &p), VRRP_GOOD);
	assert_int_equal(p.interval, DUR_S(1));
	assert_int_equal(p.sum, VRRP_SUM_PLAIN);
}

static void
test_parse_v2(void **state)
{
	struct vrrp_ip from = ip("10.0.0.1", "224.0.0.18", 255);
	struct vrrp_packet p;
	uint8_t b[20];

	(void)state;
	memcpy(b, v2, sizeof(b));
	seal(b, sizeof(b), 0);
	assert_int_equal(vrrp_packet_parse(b, sizeof(b), &from, 255, &p), VRRP_GOOD);
	assert_int_equal(p.version, 2);
	assert_int_equal(p.interval, DUR_S(1));
	assert_int_equal(p.auth_type, VRRP_AUTH_PASS);
	assert_memory_equal(p.auth, "1111\0\0\0\0", 8);
	seal(b, sizeof(b), PSEUDO4(20)); /* there is no pseudo header in version 2 */
	assert_int_equal(vrrp_packet_parse(b, sizeof(b), &from, 255, &p), VRRP_BAD_CHECKSUM);
}

static void
test_parse_group_form(void **state)
{
	struct vrrp_ip from = ip("10.0.0.1", "10.0.0.2", 255);
	struct vrrp_packet p;
	uint8_t b[12];

	(void)state;
	memcpy(b, v3, sizeof(b));
	seal(b, sizeof(b), PSEUDO4(12)); /* as if it went to 224.0.0.18 */
	assert_int_equal(vrrp_packet_parse(b, sizeof(b), &from, 255, &p), VRRP_GOOD);
	assert_int_equal(p.sum, VRRP_SUM_GROUP);
}

/* One change of a good packet each; seals: 1 sum it up again. */
static void
test_parse_refusals(void **state)
{
	static const struct {
		const uint8_t *base;
		size_t n;
		unsigned at, value, ttl;
		bool seals;
		enum vrrp_bad want;
	} rows[] = {
		{ v3, 12, 0, 0x31, 254, true, VRRP_BAD_TTL },
		{ v3, 12, 0, 0x31, 0, true, VRRP_BAD_TTL },
		{ v3, 7, 0, 0x31, 255, false, VRRP_BAD_SHORT },
		{ v3, 0, 0, 0x31, 255, false, VRRP_BAD_SHORT },
		{ v3, 12, 0, 0x41, 255, true, VRRP_BAD_VERSION },
		{ v3, 12, 0, 0x11, 255, true, VRRP_BAD_VERSION },
		{ v3, 12, 0, 0x32, 255, true, VRRP_BAD_TYPE },
		{ v3, 12, 0, 0x30, 255, true, VRRP_BAD_TYPE },
		{ v3, 8, 3, 0, 255, true, VRRP_BAD_COUNT },
		{ v3, 12, 3, 0, 255, true, VRRP_BAD_COUNT },
		{ v3, 12, 3, 2, 255, true, VRRP_BAD_LENGTH },
		{ v3, 12, 3, 255, 255, true, VRRP_BAD_LENGTH },
		{ v3, 11, 3, 1, 255, false, VRRP_BAD_LENGTH },
		{ v2, 12, 3, 1, 255, true, VRRP_BAD_LENGTH }, /* without authentication data */
		{ v2, 20, 0, 0x31, 255, true, VRRP_BAD_LONG },
		{ v3, 12, 11, 101, 255, false, VRRP_BAD_CHECKSUM },
		{ v3, 12, 2, 102, 255, false, VRRP_BAD_CHECKSUM },
		{ v3, 12, 1, 0, 255, true, VRRP_BAD_ID },
		{ v3, 12, 5, 0, 255, true, VRRP_BAD_INTERVAL },
		{ v2, 20, 5, 0, 255, true, VRRP_BAD_INTERVAL },
	};
	struct vrrp_packet p;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct vrrp_ip from = ip("10.0.0.1", "224.0.0.18", rows[i].ttl);
		uint8_t *b = malloc(rows[i].n + 1), whole[20] = { 0 };

		memcpy(whole, rows[i].base, rows[i].base == v2 ? 20 : 12);
		seal(whole, rows[i].base == v2 ? 20 : 12, 0);
		whole[rows[i].at] = (uint8_t)rows[i].value;
		if (rows[i].seals)
			seal(whole, rows[i].n, 0);
		memcpy(b, whole, rows[i].n);
		if (vrrp_packet_parse(b, rows[i].n, &from, 255, &p) != rows[i].want)
			fail_msg("row %zu: not %s", i, vrrp_bad_name(rows[i].want));
		free(b);
	}
}

static void
test_parse_ipv6(void **state)
{
	struct vrrp_ip from = ip("fe80::1", "ff02::12", 255);
	uint8_t b[24];
	struct vrrp_packet p;
	uint32_t pseudo = 0xfe80 + 1 + 0xff02 + 0x12 + 112 + 24;

	(void)state;
	memcpy(b, v6, sizeof(b));
	seal(b, sizeof(b), pseudo);
	assert_int_equal(vrrp_packet_parse(b, sizeof(b), &from, 255, &p), VRRP_GOOD);
	assert_int_equal(p.family, 6);
	assert_int_equal(p.addr[0].len, 128);
	from.ttl = 64;
	assert_int_equal(vrrp_packet_parse(b, sizeof(b), &from, 255, &p), VRRP_BAD_TTL);
	from.ttl = 255;
	seal(b, sizeof(b), 0);
	assert_int_equal(vrrp_packet_parse(b, sizeof(b), &from, 255, &p), VRRP_BAD_CHECKSUM);
	b[8] = 0x20;
	seal(b, sizeof(b), pseudo);
	assert_int_equal(vrrp_packet_parse(b, sizeof(b), &from, 255, &p), VRRP_BAD_LINKLOCAL);
	b[0] = 0x21; /* version 2 is of IPv4 alone */
	seal(b, sizeof(b), pseudo);
	assert_int_equal(vrrp_packet_parse(b, sizeof(b), &from, 255, &p), VRRP_BAD_VERSION);
}

/* ucarp's packet: version 2, type 1, id, skew, 7 words, pad, base, checksum, counter, HMAC. */
static void
test_parse_carp(void **state)
{
	struct vrrp_ip from = ip("10.0.0.1", "224.0.0.18", 255);
	uint8_t b[36] = { 0x21, 51, 0, 7, 0, 1, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0xaa, 0xbb };
	struct vrrp_packet p;

	(void)state;
	seal(b, sizeof(b), 0);
	assert_int_equal(vrrp_packet_parse(b, sizeof(b), &from, 255, &p), VRRP_BAD_CARP);
}

static void
test_parse_ttl_of_unicast(void **state)
{
	struct vrrp_ip from = ip("10.0.0.1", "10.9.0.2", 250);
	struct vrrp_packet p;
	uint8_t b[12];

	(void)state;
	memcpy(b, v3, sizeof(b));
	seal(b, sizeof(b), 0);
	assert_int_equal(vrrp_packet_parse(b, sizeof(b), &from, 250, &p), VRRP_GOOD);
	assert_int_equal(vrrp_packet_parse(b, sizeof(b), &from, 251, &p), VRRP_BAD_TTL);
	from.dst = vrrp_group4;
	assert_int_equal(vrrp_packet_parse(b, sizeof(b), &from, 250, &p), VRRP_BAD_TTL);
}

/* Every version, family, form and count both ways, and every shorter piece of it refused. */
static void
test_both_ways(void **state)
{
	static const unsigned counts[] = { 1, 2, 20, 255 };
	static struct vrrp_packet p, q;
	static uint8_t b[VRRP_BYTES_MAX];

	(void)state;
	for (unsigned k = 0; k < 3 * VRRP_SUMS * 4 * 2; k++) {
		unsigned kind = k % 3, unicast = k / 3 % 2;
		struct vrrp_ip from =
		    kind == 2 ? ip("fe80::1", unicast ? "fe80::2" : "ff02::12", 255)
			      : ip("10.0.0.1", unicast ? "10.0.0.2" : "224.0.0.18", 255);
		size_t n;

		p = (struct vrrp_packet){ .version = kind == 0 ? 2 : 3,
			.family = kind == 2 ? 6 : 4 };
		p.sum = k / 6 % VRRP_SUMS;
		p.n = counts[k / 18 % 4];
		p.vrid = (uint8_t)(k + 1);
		p.priority = (uint8_t)(k * 7);
		p.interval = kind == 0 ? DUR_S(255) : DUR_MS(40950);
		for (unsigned i = 0; i < p.n; i++) {
			p.addr[i] = host(kind == 2 ? "fe80::" : "10.1.0.0");
			p.addr[i].b[kind == 2 ? 15 : 3] = (uint8_t)i;
		}
		n = vrrp_packet_format(&p, &from, b);
		assert_int_equal(vrrp_packet_parse(b, n, &from, 255, &q), VRRP_GOOD);
		assert_int_equal(q.n, p.n);
		assert_int_equal(q.interval, p.interval);
		assert_int_equal(q.vrid, p.vrid);
		assert_int_equal(q.priority, p.priority);
		assert_memory_equal(q.addr, p.addr, p.n * sizeof(p.addr[0]));
		if (kind == 1 && (unicast || p.sum != VRRP_SUM_GROUP))
			assert_int_equal(q.sum, p.sum);
		for (size_t cut = 0; cut < n; cut++)
			assert_int_not_equal(vrrp_packet_parse(b, cut, &from, 255, &q), VRRP_GOOD);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse_v3),
		cmocka_unit_test(test_parse_v2),
		cmocka_unit_test(test_parse_group_form),
		cmocka_unit_test(test_parse_refusals),
		cmocka_unit_test(test_parse_ipv6),
		cmocka_unit_test(test_parse_carp),
		cmocka_unit_test(test_parse_ttl_of_unicast),
		cmocka_unit_test(test_both_ways),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
