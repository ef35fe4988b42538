/* Announcements byte by byte, as the pictures of the standards have them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lbd-ha/frame.h"

#include <string.h>

static const uint8_t mac[6] = { 0x02, 0x11, 0x22, 0x33, 0x44, 0x55 };

static void
test_frame_arp_request(void **state)
{
	static const uint8_t want[60] = {
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, /* to all */
		0x02, 0x11, 0x22, 0x33, 0x44, 0x55, /* from us */
		0x08, 0x06,			    /* ARP */
		0x00, 0x01, 0x08, 0x00, 6, 4,	    /* Ethernet, IPv4, their lengths */
		0x00, 0x01,			    /* request */
		0x02, 0x11, 0x22, 0x33, 0x44, 0x55, /* sender */
		192, 0, 2, 10,			    /* the address */
		0, 0, 0, 0, 0, 0,		    /* RFC 5227 section 2.3: zero */
		192, 0, 2, 10,			    /* the address again */
	};
	uint8_t out[FRAME_MAX];
	struct addr a;

	(void)state;
	assert_int_equal(addr_parse("192.0.2.10", ADDR_HOST, &a), 0);
	memset(out, 0xaa, sizeof(out));
	assert_int_equal(frame_arp(out, mac, &a, false), sizeof(want));
	assert_memory_equal(out, want, sizeof(want));
}

static void
test_frame_arp_reply(void **state)
{
	uint8_t request[FRAME_MAX], reply[FRAME_MAX];
	struct addr a;

	(void)state;
	assert_int_equal(addr_parse("192.0.2.10/24", ADDR_CIDR, &a), 0);
	assert_int_equal(frame_arp(request, mac, &a, false), 60);
	assert_int_equal(frame_arp(reply, mac, &a, true), 60);
	assert_int_equal(reply[21], 2);
	assert_memory_equal(reply + 32, mac, 6); /* the target is the sender */
	reply[21] = 1;
	memset(reply + 32, 0, 6);
	assert_memory_equal(request, reply, 60);
}

static unsigned
checksum(const uint8_t *frame)
{
	uint32_t s =
	    32 + 58; /* RFC 8200 section 8.1: length and next header of the pseudo-header */

	for (int i = 22; i < 86; i += 2)
		s += (uint32_t)frame[i] << 8 | frame[i + 1];
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return s;
}

static void
test_frame_na(void **state)
{
	static const uint8_t want[86] = {
		0x33, 0x33, 0, 0, 0, 1,		    /* all nodes */
		0x02, 0x11, 0x22, 0x33, 0x44, 0x55, /* from us */
		0x86, 0xdd,			    /* IPv6 */
		0x60, 0, 0, 0, 0, 32, 58, 255,	    /* 32 bytes of ICMPv6, hop limit 255 */
		0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10, 0xff, 0x02, 0, 0, 0,
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 136, 0, 0, 0, /* advertisement, checksum below */
		0x20, 0, 0, 0,				       /* override */
		0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10, 2, 1, 0x02, 0x11,
		0x22, 0x33, 0x44, 0x55, /* our hardware address */
	};
	uint8_t out[FRAME_MAX];
	struct addr a;

	(void)state;
	assert_int_equal(addr_parse("2001:db8::10", ADDR_HOST, &a), 0);
	assert_int_equal(frame_na(out, mac, &a, false), sizeof(want));
	assert_int_equal(checksum(out), 0xffff);
	assert_false(out[56] == 0 && out[57] == 0);
	out[56] = out[57] = 0;
	assert_memory_equal(out, want, sizeof(want));
	assert_int_equal(frame_na(out, mac, &a, true), sizeof(want));
	assert_int_equal(checksum(out), 0xffff);
	assert_int_equal(out[58], 0xa0); /* router and override */
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_frame_arp_request),
		cmocka_unit_test(test_frame_arp_reply),
		cmocka_unit_test(test_frame_na),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
