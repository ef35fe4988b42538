/* The doctor's packets: what is written is read back, checksums are right, and no byte that comes in does harm. */
#include "doctor/packet.h"

#include "base/must.h"
#include "schema/schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#define ARP 0x0806
#define IP4 0x0800
#define IP6 0x86dd

static const uint8_t mac[MAC_LEN] = { 2, 0, 0, 0, 0, 7 };

static struct addr
host(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(text, ADDR_HOST, &a), 0);
	return a;
}

/* RFC 1071: over everything, with its checksum, the sum is all ones. */
static uint32_t
sum(uint32_t s, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		s += i % 2 ? p[i] : (uint32_t)p[i] << 8;
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return s;
}

static void
check_sums(const struct packet_out *p)
{
	bool six = p->b[0] >> 4 == 6;
	size_t head = six ? 40 : 20, addrs = six ? 32 : 8;
	unsigned protocol = six ? p->b[6] : p->b[9];
	uint32_t pseudo = sum(protocol + (uint32_t)(p->len - head), p->b + head - addrs, addrs);

	if (!six)
		assert_int_equal(sum(0, p->b, 20), 0xffff);
	assert_int_equal(
	    (six ? head : 0) + (size_t)(p->b[six ? 4 : 2] << 8 | p->b[six ? 5 : 3]), p->len);
	assert_int_equal(sum(pseudo, p->b + head, p->len - head), 0xffff);
}

static void
test_tcp(void **state)
{
	static const char *const ends[][2] = { { "10.0.0.1", "10.0.0.2" },
		{ "fd00::1", "fd00::2" } };

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct flow f = { host(ends[i][0]), host(ends[i][1]), 4000, 80 };
		struct packet_out out;
		struct packet_in in;

		packet_tcp(&out, &f, TCP_SYN, 0x80000001, 0);
		check_sums(&out);
		packet_parse(i ? IP6 : IP4, out.b, out.len, &in);
		assert_int_equal(in.kind, PACKET_TCP);
		assert_true(
		    addr_same_host(&in.flow.from, &f.from) && addr_same_host(&in.flow.to, &f.to));
		assert_int_equal(in.flow.from_port, 4000);
		assert_int_equal(in.flow.to_port, 80);
		assert_int_equal(in.seq, 0x80000001);
		assert_int_equal(in.tcp_flags, TCP_SYN);
		assert_int_equal(in.mss, i ? 1440 : 1460);
		packet_tcp(&out, &f, TCP_RST, 7, 0);
		check_sums(&out);
		packet_udp(&out, &f);
		check_sums(&out);
		packet_parse(i ? IP6 : IP4, out.b, out.len, &in);
		assert_int_equal(in.kind, PACKET_UDP);
		assert_int_equal(in.flow.to_port, 80);
		/* The other family's type on the wire is a lie. */
		packet_parse(i ? IP4 : IP6, out.b, out.len, &in);
		assert_int_equal(in.kind, PACKET_OTHER);
	}
}

static void
test_neighbours(void **state)
{
	struct addr me = host("10.0.0.1"), you = host("10.0.0.2"), me6 = host("fd00::1"),
		    you6 = host("fd00::12:3456");
	static const uint8_t group[MAC_LEN] = { 0x33, 0x33, 0xff, 0x12, 0x34, 0x56 };
	uint8_t to[MAC_LEN], advert[72] = { 0x60, 0, 0, 0, 0, 32, 58, 255 };
	struct packet_out out;
	struct packet_in in;

	(void)state;
	packet_arp(&out, mac, &me, &you);
	assert_int_equal(out.len, 28);
	packet_parse(ARP, out.b, out.len, &in);
	assert_int_equal(in.kind, PACKET_ARP);
	assert_true(in.request && in.has_mac && addr_same_host(&in.who, &me));
	assert_memory_equal(in.mac, mac, MAC_LEN);
	out.b[7] = 2;
	packet_parse(ARP, out.b, out.len, &in);
	assert_false(in.request);

	packet_solicit(&out, mac, &me6, &you6);
	check_sums(&out);
	packet_solicit_mac(&you6, to);
	assert_memory_equal(to, group, MAC_LEN);
	assert_memory_equal(out.b + 24 + 12, to + 2, 4); /* ff02::1:ffXX:XXXX */

	memcpy(advert + 24, me6.b, 16);
	advert[40] = 136;
	memcpy(advert + 48, you6.b, 16);
	advert[64] = 2;
	advert[65] = 1;
	memcpy(advert + 66, mac, MAC_LEN);
	packet_parse(IP6, advert, sizeof(advert), &in);
	assert_int_equal(in.kind, PACKET_NEIGHBOUR);
	assert_true(addr_same_host(&in.who, &you6) && in.has_mac);
	advert[7] = 64; /* RFC 4861 section 7.1.2: it passed a router */
	packet_parse(IP6, advert, sizeof(advert), &in);
	assert_int_equal(in.kind, PACKET_OTHER);
}

/* An error quotes the packet that it is about; 8 bytes behind its header are enough. */
static void
test_errors(void **state)
{
	struct flow f = { host("10.0.0.100"), host("198.18.0.1"), 80, 4000 };
	struct packet_out syn;
	struct packet_in in;
	uint8_t p[20 + 8 + 28] = { 0x45, 0, 0, sizeof(p), 0, 0, 0, 0, 64, 1, 0, 0, 10, 0, 0, 254,
		10, 0, 0, 100, 3 };

	(void)state;
	packet_tcp(&syn, &f, TCP_SYN | TCP_ACK, 77, 1);
	memcpy(p + 28, syn.b, 28);
	packet_parse(IP4, p, sizeof(p), &in);
	assert_int_equal(in.kind, PACKET_ERROR);
	assert_true(addr_same_host(&in.flow.from, &f.from) && addr_same_host(&in.flow.to, &f.to));
	assert_int_equal(in.flow.from_port, 80);
	assert_int_equal(in.seq, 77);
	assert_int_equal(in.protocol, 6);
	assert_int_equal(in.from.b[3], 254);
	packet_parse(IP4, p, sizeof(p) - 1, &in);
	assert_int_equal(in.kind, PACKET_OTHER);
	p[20] = 8; /* an echo request is none */
	packet_parse(IP4, p, sizeof(p), &in);
	assert_int_equal(in.kind, PACKET_OTHER);
}

static void
test_tunnels(void **state)
{
	static const struct {
		uint8_t kind, protocol;
		bool csum, six;
		unsigned overhead;
	} rows[] = {
		{ tunnel_ipip, 4, false, false, 20 },
		{ tunnel_ipip, 41, false, true, 20 },
		{ tunnel_gre, 47, false, false, 24 },
		{ tunnel_gre, 47, true, false, 28 },
		{ tunnel_gue, 17, false, false, 32 },
		{ tunnel_gue, 17, true, true, 32 },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		struct wrap w = { host("10.0.0.1"), host("10.9.0.1"), rows[i].kind, 6080,
			rows[i].csum };
		struct flow f = { host(rows[i].six ? "fd00::1" : "10.0.0.1"),
			host(rows[i].six ? "fd00::9" : "10.0.0.9"), 1, 2 };
		struct packet_out inner, out;

		packet_tcp(&inner, &f, TCP_SYN, 1, 0);
		packet_wrap(&out, &w, &inner);
		assert_int_equal(packet_overhead(&w), rows[i].overhead);
		assert_int_equal(out.len, inner.len + rows[i].overhead);
		assert_int_equal(out.b[9], rows[i].protocol);
		assert_memory_equal(out.b + rows[i].overhead, inner.b, inner.len);
		assert_int_equal(sum(0, out.b, 20), 0xffff);
		if (rows[i].kind == tunnel_gre && rows[i].csum)
			assert_int_equal(sum(0, out.b + 20, out.len - 20), 0xffff);
		if (rows[i].kind == tunnel_gue && rows[i].csum)
			check_sums(&out);
		if (rows[i].kind == tunnel_gue)
			assert_int_equal(out.b[29], rows[i].six ? 41 : 4);
	}
}

/* Every truncation, and bytes by chance: nothing is read past the end (the sanitizers look). */
static void
test_anything(void **state)
{
	static const uint16_t types[] = { ARP, IP4, IP6, 1 };
	struct flow f = { host("fd00::1"), host("fd00::2"), 1, 2 };
	struct packet_out out;
	struct packet_in in;

	(void)state;
	packet_tcp(&out, &f, TCP_SYN, 1, 2);
	for (size_t n = 0; n < out.len; n++) {
		uint8_t *p = malloc(n + 1);

		memcpy(p, out.b, n);
		packet_parse(IP6, p, n, &in);
		assert_true(in.kind == PACKET_OTHER || n >= 60);
		free(p);
	}
	for (unsigned i = 0; i < 20000; i++) {
		size_t n = (size_t)(random() % 120);
		uint8_t *p = malloc(n + 1);

		for (size_t k = 0; k < n; k++)
			p[k] = (uint8_t)random();
		if (n > 9 && i % 2) {
			p[0] = i % 4 == 1 ? 0x45 : 0x60;
			p[9] = (uint8_t)(i % 3 == 0 ? 1 : 6);
			p[6] = (uint8_t)(i % 3 == 0 ? 58 : 6);
		}
		packet_parse(types[i % 4], p, n, &in);
		free(p);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tcp),
		cmocka_unit_test(test_neighbours),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_tunnels),
		cmocka_unit_test(test_anything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
