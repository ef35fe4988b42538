/* The bytes of TCP segments that carry nothing but a question: is somebody there? Cutting (cut.c) sends them in the name
 * of the other end. No options, so nothing depends on what the ends once agreed upon. */
#include "conns/segment.h"

#include "base/must.h"

#include <netinet/in.h>
#include <string.h>

#define TCP_BYTES 20
#define HOPS 64
#define WINDOW 1024
#define GUE_PORT_FROM 49152 /* any; a flow needs none of its own */

static void
put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void
put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v & 0xffff);
}

static unsigned
get16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static uint32_t
get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

/* RFC 1071, without the complement at the end. */
static uint32_t
add_up(uint32_t sum, const uint8_t *p, size_t len)
{
	for (; len > 1; p += 2, len -= 2)
		sum += get16(p);
	if (len > 0)
		sum += (uint32_t)p[0] << 8;
	return sum;
}

static unsigned
fold(uint32_t sum)
{
	while (sum > 0xffff)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum & 0xffff;
}

static size_t
ip_bytes(const struct addr *a)
{
	return a->family == 6 ? 40 : 20;
}

static void
put_ip(uint8_t *p, const struct addr *from, const struct addr *to, uint8_t protocol, size_t payload)
{
	memset(p, 0, ip_bytes(from));
	if (from->family == 6) {
		p[0] = 0x60;
		put16(p + 4, (unsigned)payload);
		p[6] = protocol;
		p[7] = HOPS;
		memcpy(p + 8, from->b, 16);
		memcpy(p + 24, to->b, 16);
		return;
	}
	p[0] = 0x45;
	put16(p + 2, (unsigned)(20 + payload));
	p[6] = 0x40; /* do not fragment: then the identification may be 0 (RFC 6864) */
	p[8] = HOPS;
	p[9] = protocol;
	memcpy(p + 12, from->b, 4);
	memcpy(p + 16, to->b, 4);
	put16(p + 10, fold(add_up(0, p, 20)));
}

static uint32_t
pseudo_header(const struct addr *from, const struct addr *to, uint8_t protocol, size_t payload)
{
	size_t n = from->family == 6 ? 16 : 4;

	return add_up(add_up((uint32_t)(protocol + payload), from->b, n), to->b, n);
}

size_t
segment_put(uint8_t out[SEGMENT_MAX], const struct segment *s)
{
	size_t ip = ip_bytes(&s->from);
	uint8_t *p = out + ip;

	must(s->from.family == s->to.family);
	put_ip(out, &s->from, &s->to, IPPROTO_TCP, TCP_BYTES);
	memset(p, 0, TCP_BYTES);
	put16(p, s->from_port);
	put16(p + 2, s->to_port);
	put32(p + 4, s->seq);
	put32(p + 8, s->ack);
	p[12] = (TCP_BYTES / 4) << 4;
	p[13] = s->flags;
	put16(p + 14, WINDOW);
	put16(p + 16,
	    fold(add_up(pseudo_header(&s->from, &s->to, IPPROTO_TCP, TCP_BYTES), p, TCP_BYTES)));
	return ip + TCP_BYTES;
}

static bool
take_ip(const uint8_t *p, size_t len, struct segment *s, size_t *ip)
{
	if (len >= 20 && p[0] >> 4 == 4) {
		*ip = (size_t)(p[0] & 15) * 4;
		if (*ip < 20 || p[9] != IPPROTO_TCP || (get16(p + 6) & 0x3fff) != 0)
			return false;
		s->from = s->to = (struct addr){ .family = 4, .len = 32 };
		memcpy(s->from.b, p + 12, 4);
		memcpy(s->to.b, p + 16, 4);
		return true;
	}
	if (len < 40 || p[0] >> 4 != 6 || p[6] != IPPROTO_TCP)
		return false;
	*ip = 40;
	s->from = s->to = (struct addr){ .family = 6, .len = 128 };
	memcpy(s->from.b, p + 8, 16);
	memcpy(s->to.b, p + 24, 16);
	return true;
}

bool
segment_take(const uint8_t *p, size_t len, struct segment *out)
{
	size_t ip;

	if (!take_ip(p, len, out, &ip) || len < ip + TCP_BYTES)
		return false;
	p += ip;
	out->from_port = (uint16_t)get16(p);
	out->to_port = (uint16_t)get16(p + 2);
	out->seq = get32(p + 4);
	out->ack = get32(p + 8);
	out->flags = p[13];
	return true;
}

size_t
segment_wrap(uint8_t out[SEGMENT_MAX], size_t len, const struct segment_outer *o)
{
	size_t ip = ip_bytes(&o->to), between = 0;
	bool v6 = out[0] >> 4 == 6;
	uint8_t inner = v6 ? IPPROTO_IPV6 : IPPROTO_IPIP, protocol = inner;
	uint8_t *p = out + ip;

	if (o->kind == SEGMENT_PLAIN)
		return len;
	if (o->kind != SEGMENT_IPIP)
		between = o->kind == SEGMENT_GUE ? 12 : o->kind == SEGMENT_GRE_CSUM ? 8 : 4;
	must(o->from.family == o->to.family && len + ip + between <= SEGMENT_MAX);
	memmove(out + ip + between, out, len);
	memset(p, 0, between);
	len += between;
	if (o->kind == SEGMENT_GUE) {
		protocol = IPPROTO_UDP;
		put16(p, GUE_PORT_FROM);
		put16(p + 2, o->port);
		put16(p + 4, (unsigned)len);
		p[9] = inner;
		put16(
		    p + 6, fold(add_up(pseudo_header(&o->from, &o->to, IPPROTO_UDP, len), p, len)));
	} else if (o->kind != SEGMENT_IPIP) {
		protocol = IPPROTO_GRE;
		put16(p + 2, v6 ? 0x86dd : 0x0800);
		if (o->kind == SEGMENT_GRE_CSUM) {
			p[0] = 0x80;
			put16(p + 4, fold(add_up(0, p, len)));
		}
	}
	put_ip(out, &o->from, &o->to, protocol, len);
	return len + ip;
}
