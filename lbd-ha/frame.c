/* frame.c - the bytes of gratuitous ARP and unsolicited neighbour advertisements.
 *
 * Written one after the other in the order of the standards, so that each can be compared with its picture there.
 * Nothing is received or parsed here, and nothing is sent: garp.c does. */
#include "frame.h"

#include "base/be.h"
#include "base/must.h"

#include <string.h>

#define ARP_LEAST 60 /* a frame of 64 bytes without its checksum */

static uint8_t *
put(uint8_t *p, const void *bytes, size_t n)
{
	memcpy(p, bytes, n);
	return p + n;
}

size_t
frame_arp(uint8_t out[FRAME_MAX], const uint8_t mac[6], const struct addr *a, bool reply)
{
	static const uint8_t all[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, nobody[6];
	uint8_t *p = out;

	must(a->family == 4);
	memset(out, 0, FRAME_MAX);
	p = put(p, all, 6);
	p = put(p, mac, 6);
	p = be_put16(p, 0x0806);
	p = be_put16(p, 1);	 /* Ethernet */
	p = be_put16(p, 0x0800); /* IPv4 */
	*p++ = 6;
	*p++ = 4;
	p = be_put16(p, reply ? 2 : 1);
	p = put(p, mac, 6);
	p = put(p, a->b, 4);
	/* RFC 5227 section 2.3: zero in an announcement. Who learns from replies looks for himself as the target. */
	p = put(p, reply ? mac : nobody, 6);
	p = put(p, a->b, 4);
	return p - out > ARP_LEAST ? (size_t)(p - out) : ARP_LEAST;
}

/* RFC 1071, over 16 bit words; n is even. */
static uint32_t
sum(uint32_t s, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i += 2)
		s += (uint32_t)p[i] << 8 | p[i + 1];
	return s;
}

static unsigned
fold(uint32_t s)
{
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return ~s & 0xffff;
}

size_t
frame_na(uint8_t out[FRAME_MAX], const uint8_t mac[6], const struct addr *a, bool router)
{
	static const uint8_t group_mac[6] = { 0x33, 0x33, 0, 0, 0, 1 };
	static const uint8_t all_nodes[16] = { 0xff, 0x02, [15] = 1 };
	static const unsigned payload = 32;
	uint8_t *p = out, *ip, *icmp;

	must(a->family == 6);
	memset(out, 0, FRAME_MAX);
	p = put(p, group_mac, 6);
	p = put(p, mac, 6);
	p = be_put16(p, 0x86dd);
	ip = p;
	p = be_put16(p, 0x6000);
	p = be_put16(p, 0);
	p = be_put16(p, payload);
	*p++ = 58;  /* ICMPv6 */
	*p++ = 255; /* anything less is dropped */
	p = put(p, a->b, 16);
	p = put(p, all_nodes, 16);
	icmp = p;
	*p++ = 136; /* neighbour advertisement */
	*p++ = 0;
	p = be_put16(p, 0);
	p = be_put16(p, router ? 0xa000 : 0x2000); /* override; not solicited */
	p = be_put16(p, 0);
	p = put(p, a->b, 16);
	*p++ = 2; /* target link-layer address */
	*p++ = 1; /* in units of eight bytes */
	p = put(p, mac, 6);
	(void)be_put16(icmp + 2, fold(sum(sum(payload + 58, ip + 8, 32), icmp, payload)));
	return (size_t)(p - out);
}
