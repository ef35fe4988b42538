/* packet.c - packets of the doctor: ARP, neighbour discovery, TCP and UDP without data, tunnels around them.
 *
 * Writing: each layer is written behind the one before, its length and checksum filled in at the end; room is counted in
 * one place (put). Reading: through bounded getters only, and only what the doctor asks for; everything else is
 * PACKET_OTHER. IPv6 packets with extension headers are not understood: no answer to these probes carries any. */
#include "doctor/packet.h"

#include "base/buf.h"
#include "base/must.h"
#include "schema/schema.h"

#include <linux/if_ether.h>
#include <netinet/in.h>
#include <string.h>

#define HOPS 64
#define ND_HOPS 255 /* RFC 4861: anything else came from afar */
#define TCP_HEAD 20
#define WINDOW 64240
#define MSS4 1460
#define MSS6 1440
#define OPT_END 0
#define OPT_NOP 1
#define OPT_MSS 2

enum { ARP_REQUEST = 1, ND_SOLICIT = 135, ND_ADVERT = 136 };

static void
put(struct packet_out *o, const void *p, size_t n)
{
	must(o->len + n <= PACKET_MAX);
	memcpy(o->b + o->len, p, n);
	o->len += n;
}

static void
put_be(struct packet_out *o, uint32_t v, unsigned bytes)
{
	must(o->len + bytes <= PACKET_MAX);
	while (bytes-- > 0)
		o->b[o->len++] = (uint8_t)(v >> 8 * bytes);
}

static void
patch16(struct packet_out *o, size_t at, unsigned v)
{
	o->b[at] = (uint8_t)(v >> 8);
	o->b[at + 1] = (uint8_t)v;
}

static size_t
addr_bytes(const struct addr *a)
{
	return a->family == 4 ? 4 : 16;
}

/* RFC 1071. */
static uint32_t
sum(uint32_t start, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i + 1 < n; i += 2)
		start += (uint32_t)p[i] << 8 | p[i + 1];
	if (n & 1)
		start += (uint32_t)p[n - 1] << 8;
	return start;
}

static uint16_t
fold(uint32_t s)
{
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return (uint16_t)~s;
}

/* Checksum of an upper layer, with the pseudo-header. */
static uint16_t
upper_sum(
    const struct addr *from, const struct addr *to, unsigned protocol, const uint8_t *p, size_t n)
{
	uint32_t s = sum(protocol + (uint32_t)n, from->b, addr_bytes(from));

	s = sum(s, to->b, addr_bytes(to));
	return fold(sum(s, p, n));
}

/* An IP header; its length is filled in by end_ip. Returns where it begins. */
static size_t
begin_ip(struct packet_out *o, const struct addr *from, const struct addr *to, unsigned protocol,
    unsigned hops)
{
	size_t at = o->len;

	if (from->family == 4) {
		put_be(o, 0x4500, 2);
		put_be(o, 0, 2); /* length */
		put_be(o, 0, 2);
		put_be(o, 0x4000, 2); /* don't fragment */
		put_be(o, hops, 1);
		put_be(o, protocol, 1);
		put_be(o, 0, 2); /* checksum */
	} else {
		put_be(o, 0x60000000, 4);
		put_be(o, 0, 2); /* length */
		put_be(o, protocol, 1);
		put_be(o, hops, 1);
	}
	put(o, from->b, addr_bytes(from));
	put(o, to->b, addr_bytes(to));
	return at;
}

static void
end_ip(struct packet_out *o, size_t at)
{
	if (o->b[at] >> 4 == 4) {
		patch16(o, at + 2, (unsigned)(o->len - at));
		patch16(o, at + 10, fold(sum(0, o->b + at, 20)));
	} else {
		patch16(o, at + 4, (unsigned)(o->len - at - 40));
	}
}

void
packet_arp(struct packet_out *out, const uint8_t mac[MAC_LEN], const struct addr *from,
    const struct addr *target)
{
	static const uint8_t head[] = { 0, 1, 8, 0, MAC_LEN, 4 }, nobody[MAC_LEN];

	out->len = 0;
	put(out, head, sizeof(head));
	put_be(out, ARP_REQUEST, 2);
	put(out, mac, MAC_LEN);
	put(out, from->b, 4);
	put(out, nobody, MAC_LEN);
	put(out, target->b, 4);
}

/* ff02::1:ffXX:XXXX */
static struct addr
solicited_node(const struct addr *target)
{
	struct addr a = { .family = 6, .len = 128, .b = { 0xff, 2 } };

	a.b[11] = 1;
	a.b[12] = 0xff;
	memcpy(a.b + 13, target->b + 13, 3);
	return a;
}

void
packet_solicit_mac(const struct addr *target, uint8_t out[MAC_LEN])
{
	struct addr a = solicited_node(target);

	out[0] = out[1] = 0x33;
	memcpy(out + 2, a.b + 12, 4);
}

void
packet_solicit(struct packet_out *out, const uint8_t mac[MAC_LEN], const struct addr *from,
    const struct addr *target)
{
	struct addr to = solicited_node(target);
	size_t at, icmp;

	out->len = 0;
	at = begin_ip(out, from, &to, IPPROTO_ICMPV6, ND_HOPS);
	icmp = out->len;
	put_be(out, (uint32_t)ND_SOLICIT << 24, 4); /* type, code, checksum */
	put_be(out, 0, 4);
	put(out, target->b, 16);
	put_be(out, 0x0101, 2); /* source link-layer address, 8 bytes */
	put(out, mac, MAC_LEN);
	patch16(
	    out, icmp + 2, upper_sum(from, &to, IPPROTO_ICMPV6, out->b + icmp, out->len - icmp));
	end_ip(out, at);
}

void
packet_tcp(struct packet_out *out, const struct flow *f, unsigned flags, uint32_t seq, uint32_t ack)
{
	bool option = (flags & TCP_SYN) != 0;
	size_t at, tcp;

	out->len = 0;
	at = begin_ip(out, &f->from, &f->to, IPPROTO_TCP, HOPS);
	tcp = out->len;
	put_be(out, f->from_port, 2);
	put_be(out, f->to_port, 2);
	put_be(out, seq, 4);
	put_be(out, ack, 4);
	put_be(out, (option ? 6u : 5u) << 4, 1);
	put_be(out, flags, 1);
	put_be(out, flags & TCP_RST ? 0 : WINDOW, 2);
	put_be(out, 0, 4); /* checksum, urgent pointer */
	if (option)
		put_be(out,
		    (uint32_t)(OPT_MSS << 24 | 4 << 16) | (f->from.family == 4 ? MSS4 : MSS6), 4);
	patch16(
	    out, tcp + 16, upper_sum(&f->from, &f->to, IPPROTO_TCP, out->b + tcp, out->len - tcp));
	end_ip(out, at);
}

/* The rest of a UDP datagram that begins at `at` is there: length and checksum. */
static void
end_udp(struct packet_out *o, const struct addr *from, const struct addr *to, size_t at, bool csum)
{
	uint16_t s;

	patch16(o, at + 4, (unsigned)(o->len - at));
	if (!csum)
		return;
	s = upper_sum(from, to, IPPROTO_UDP, o->b + at, o->len - at);
	patch16(o, at + 6, s ? s : 0xffff); /* RFC 768: 0 is no checksum */
}

void
packet_udp(struct packet_out *out, const struct flow *f)
{
	size_t at, udp;

	out->len = 0;
	at = begin_ip(out, &f->from, &f->to, IPPROTO_UDP, HOPS);
	udp = out->len;
	put_be(out, f->from_port, 2);
	put_be(out, f->to_port, 2);
	put_be(out, 0, 4);
	end_udp(out, &f->from, &f->to, udp, true);
	end_ip(out, at);
}

unsigned
packet_overhead(const struct wrap *w)
{
	unsigned ip = w->from.family == 4 ? 20 : 40;

	switch (w->kind) {
	case tunnel_gre: return ip + (w->csum ? 8 : 4);
	case tunnel_gue: return ip + 8 + 4;
	default: return ip;
	}
}

void
packet_wrap(struct packet_out *out, const struct wrap *w, const struct packet_out *inner)
{
	bool six = inner->b[0] >> 4 == 6;
	unsigned what = six ? IPPROTO_IPV6 : IPPROTO_IPIP;
	size_t at, mid;

	must(inner != out);
	out->len = 0;
	at = begin_ip(out, &w->from, &w->to,
	    w->kind == tunnel_gre   ? IPPROTO_GRE
	    : w->kind == tunnel_gue ? IPPROTO_UDP
				    : what,
	    HOPS);
	mid = out->len;
	if (w->kind == tunnel_gre) {
		put_be(out, w->csum ? 0x8000 : 0, 2);
		put_be(out, six ? ETH_P_IPV6 : ETH_P_IP, 2);
		if (w->csum)
			put_be(out, 0, 4);
	} else if (w->kind == tunnel_gue) {
		put_be(out, w->port, 2);
		put_be(out, w->port, 2);
		put_be(out, 0, 4);
		put_be(out, what << 16, 4); /* version 0, no options, protocol, flags */
	}
	put(out, inner->b, inner->len);
	if (w->kind == tunnel_gre && w->csum)
		patch16(out, mid + 4, fold(sum(0, out->b + mid, out->len - mid)));
	if (w->kind == tunnel_gue) /* IPv6 wants a checksum in any case (RFC 8200 section 8.1) */
		end_udp(out, &w->from, &w->to, mid, w->csum || w->from.family == 6);
	end_ip(out, at);
}

static void
take_addr(struct rd *r, unsigned family, struct addr *out)
{
	size_t n = family == 4 ? 4 : 16;
	const void *p = rd_bytes(r, n);

	*out = (struct addr){ .family = (uint8_t)family, .len = family == 4 ? 32 : 128 };
	if (p)
		memcpy(out->b, p, n);
}

static void
take_mac(struct rd *r, struct packet_in *out)
{
	const void *p = rd_bytes(r, MAC_LEN);

	if (p)
		memcpy(out->mac, p, MAC_LEN);
	out->has_mac = p != NULL;
}

static void
parse_arp(struct rd *r, struct packet_in *out)
{
	if (rd_be(r, 4) != 0x00010800 || rd_be(r, 2) != (MAC_LEN << 8 | 4))
		return;
	out->request = rd_be(r, 2) == ARP_REQUEST; /* it tells of its sender too (RFC 826) */
	take_mac(r, out);
	take_addr(r, 4, &out->who);
	if (!r->bad)
		out->kind = PACKET_ARP;
}

/* Length of an IP header's upper layer is what is left; false: not one that is understood. */
static bool
parse_ip(struct rd *r, struct flow *flow, unsigned *protocol, unsigned *hops)
{
	unsigned first = (unsigned)rd_be(r, 1), total;

	if (first >> 4 == 4) {
		unsigned options = (first & 15) * 4, where;

		(void)rd_be(r, 1);
		total = (unsigned)rd_be(r, 2);
		(void)rd_be(r, 2);
		where = (unsigned)rd_be(r, 2);
		*hops = (unsigned)rd_be(r, 1);
		*protocol = (unsigned)rd_be(r, 1);
		(void)rd_be(r, 2);
		take_addr(r, 4, &flow->from);
		take_addr(r, 4, &flow->to);
		if (options < 20 || where & 0x1fff || total < options)
			return false;
		(void)rd_bytes(r, options - 20);
		total -= options;
	} else {
		(void)rd_be(r, 3);
		total = (unsigned)rd_be(r, 2);
		*protocol = (unsigned)rd_be(r, 1);
		*hops = (unsigned)rd_be(r, 1);
		take_addr(r, 6, &flow->from);
		take_addr(r, 6, &flow->to);
		if (first >> 4 != 6)
			return false;
	}
	if (total < r->left) /* padding of a short frame */
		*r = rd_sub(r, total);
	return !r->bad;
}

static void
parse_mss(struct rd r, struct packet_in *out)
{
	while (r.left > 0 && !r.bad) {
		unsigned kind = (unsigned)rd_be(&r, 1), len;

		if (kind == OPT_END)
			return;
		if (kind == OPT_NOP)
			continue;
		len = (unsigned)rd_be(&r, 1);
		if (len < 2)
			return;
		if (kind == OPT_MSS && len == 4) {
			out->mss = (uint16_t)rd_be(&r, 2);
			return;
		}
		(void)rd_bytes(&r, len - 2);
	}
}

static void
parse_tcp(struct rd *r, struct packet_in *out)
{
	unsigned words;

	out->flow.from_port = (uint16_t)rd_be(r, 2);
	out->flow.to_port = (uint16_t)rd_be(r, 2);
	out->seq = (uint32_t)rd_be(r, 4);
	out->ack = (uint32_t)rd_be(r, 4);
	words = (unsigned)rd_be(r, 1) >> 4;
	out->tcp_flags = (uint8_t)rd_be(r, 1);
	(void)rd_be(r, 6);
	if (r->bad)
		return;
	out->kind = PACKET_TCP;
	if (words > TCP_HEAD / 4 && (words - TCP_HEAD / 4) * 4 <= r->left)
		parse_mss(rd_sub(r, (words - TCP_HEAD / 4) * 4), out);
}

/* The packet that an error quotes: its header, ports, and of TCP the sequence number. */
static void
parse_error(struct rd *r, struct packet_in *out)
{
	unsigned protocol = 0, hops;

	(void)rd_be(r, 6); /* checksum; unused, or the pointer and MTU */
	if (!parse_ip(r, &out->flow, &protocol, &hops))
		return;
	out->protocol = (uint8_t)protocol;
	if (protocol == IPPROTO_TCP || protocol == IPPROTO_UDP) {
		out->flow.from_port = (uint16_t)rd_be(r, 2);
		out->flow.to_port = (uint16_t)rd_be(r, 2);
		out->seq = (uint32_t)rd_be(r, 4);
	}
	if (!r->bad)
		out->kind = PACKET_ERROR;
}

static void
parse_advert(struct rd *r, unsigned hops, struct packet_in *out)
{
	(void)rd_be(r, 6);
	take_addr(r, 6, &out->who);
	if (r->bad || hops != ND_HOPS)
		return;
	out->kind = PACKET_NEIGHBOUR;
	if (r->left >= 8 && rd_be(r, 2) == 0x0201) /* target link-layer address, 8 bytes */
		take_mac(r, out);
}

static void
parse_icmp(struct rd *r, unsigned protocol, unsigned hops, struct packet_in *out)
{
	bool six = protocol == IPPROTO_ICMPV6;

	out->from = out->flow.from;
	out->type = (uint8_t)rd_be(r, 1);
	out->code = (uint8_t)rd_be(r, 1);
	if (six && out->type == ND_ADVERT)
		parse_advert(r, hops, out);
	else if (six ? out->type == 1 || out->type == 3 : out->type == 3 || out->type == 11)
		parse_error(r, out);
}

void
packet_parse(uint16_t type, const void *p, size_t len, struct packet_in *out)
{
	struct rd r = { .p = p, .left = len };
	unsigned protocol = 0, hops = 0;

	*out = (struct packet_in){ 0 };
	if (type == ETH_P_ARP) {
		parse_arp(&r, out);
		return;
	}
	if ((type != ETH_P_IP && type != ETH_P_IPV6) ||
	    !parse_ip(&r, &out->flow, &protocol, &hops) ||
	    out->flow.from.family != (type == ETH_P_IP ? 4 : 6))
		return;
	if (protocol == IPPROTO_TCP) {
		parse_tcp(&r, out);
	} else if (protocol == IPPROTO_UDP) {
		out->flow.from_port = (uint16_t)rd_be(&r, 2);
		out->flow.to_port = (uint16_t)rd_be(&r, 2);
		out->kind = r.bad ? PACKET_OTHER : PACKET_UDP;
	} else if (protocol == (type == ETH_P_IP ? IPPROTO_ICMP : IPPROTO_ICMPV6)) {
		parse_icmp(&r, protocol, hops, out);
	}
}
