/* Questions for an address and answers to them, byte by byte. */
#include "core/probe.h"

#include "frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

static const uint8_t mac[6] = { 0x02, 0x11, 0x22, 0x33, 0x44, 0x55 };

static struct addr
address(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(text, ADDR_HOST, &a), 0);
	return a;
}

static void
test_probe_arp(void **state)
{
	static const uint8_t want[42] = {
		0xff,
		0xff,
		0xff,
		0xff,
		0xff,
		0xff, /* to all */
		0x02,
		0x11,
		0x22,
		0x33,
		0x44,
		0x55, /* from us */
		0x08,
		0x06,
		0x00,
		0x01,
		0x08,
		0x00,
		6,
		4,
		0x00,
		0x01,
		0x02,
		0x11,
		0x22,
		0x33,
		0x44,
		0x55, /* sender */
		0,
		0,
		0,
		0, /* RFC 5227 section 2.1.1: nobody learns */
		0,
		0,
		0,
		0,
		0,
		0, /* target: not known */
		192,
		0,
		2,
		10,
	};
	uint8_t out[FRAME_MAX];
	struct addr a = address("192.0.2.10");

	(void)state;
	memset(out, 0xaa, sizeof(out));
	assert_int_equal(probe_arp(out, mac, &a), sizeof(want));
	assert_memory_equal(out, want, sizeof(want));
}

static unsigned
sum(const uint8_t *frame)
{
	uint32_t s = 24 + 58; /* RFC 8200 section 8.1 */

	for (unsigned i = 22; i < 78; i += 2)
		s += (uint32_t)frame[i] << 8 | frame[i + 1];
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return s;
}

static void
test_probe_ns(void **state)
{
	uint8_t out[FRAME_MAX], zero[16] = { 0 };
	static const uint8_t group[16] = { 0xff, 2, [11] = 1, 0xff, 0xab, 0xcd, 0xef };
	static const uint8_t to[6] = { 0x33, 0x33, 0xff, 0xab, 0xcd, 0xef };
	struct addr a = address("2001:db8::12ab:cdef");

	(void)state;
	memset(out, 0xaa, sizeof(out));
	assert_int_equal(probe_ns(out, mac, &a), 78);
	assert_memory_equal(out, to, 6);
	assert_memory_equal(out + 6, mac, 6);
	assert_int_equal(out[14], 0x60);
	assert_int_equal(out[18] << 8 | out[19], 24);
	assert_int_equal(out[20], 58);
	assert_int_equal(out[21], 255);
	assert_memory_equal(out + 22, zero, 16); /* RFC 4862 section 5.4.2: unspecified */
	assert_memory_equal(out + 38, group, 16);
	assert_int_equal(out[54], 135);
	assert_memory_equal(out + 62, a.b, 16);
	assert_int_equal(sum(out), 0xffff);
}

static void
test_probe_parse(void **state)
{
	uint8_t f[FRAME_MAX], from[6];
	struct addr four = address("192.0.2.10"), six = address("2001:db8::1"), a;
	size_t len = frame_arp(f, mac, &four, true);

	(void)state;
	assert_true(probe_parse(f, len, &a, from));
	assert_true(addr_same_host(&a, &four));
	assert_memory_equal(from, mac, 6);
	for (size_t i = 0; i < 42; i++)
		assert_false(probe_parse(f, i, &a, from));
	len = frame_arp(f, mac, &four, false);
	assert_false(probe_parse(f, len, &a, from)); /* a request is no answer */
	len = frame_na(f, mac, &six, false);
	assert_true(probe_parse(f, len, &a, from));
	assert_true(addr_same_host(&a, &six));
	assert_memory_equal(from, mac, 6);
	for (size_t i = 0; i < 78; i++)
		assert_false(probe_parse(f, i, &a, from));
	f[21] = 254; /* it has passed a router: RFC 4861 section 7.1.2 */
	assert_false(probe_parse(f, len, &a, from));
	len = probe_ns(f, mac, &six);
	assert_false(probe_parse(f, len, &a, from));
}

static void
test_probe_is_answered(void **state)
{
	struct probe p;

	(void)state;
	probe_init(&p);
	assert_false(probe_is_answered(&p, 0, DUR_S(9)));
	p.answered[1] = DUR_S(9);
	p.every = DUR_MS(2);
	assert_false(probe_is_answered(&p, 0, DUR_S(9)));
	assert_true(probe_is_answered(&p, 1, DUR_S(9) + PROBE_KEEP * DUR_MS(2) - 1));
	assert_false(probe_is_answered(&p, 1, DUR_S(9) + PROBE_KEEP * DUR_MS(2)));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_probe_arp),
		cmocka_unit_test(test_probe_ns),
		cmocka_unit_test(test_probe_parse),
		cmocka_unit_test(test_probe_is_answered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
