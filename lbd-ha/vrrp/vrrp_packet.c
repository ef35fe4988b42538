/* vrrp_packet.c - an advertisement to bytes and back.
 *
 * The layouts of the versions differ in three fields and in the tail:
 *   byte  0 version, type   1 virtual router   2 priority   3 number of addresses   6-7 checksum   8.. addresses
 *   v2    4 kind of authentication   5 interval in seconds   after the addresses: 8 bytes of authentication
 *   v3    4-5 interval in hundredths of a second, the upper four bits reserved: zero when sent, ignored when received
 *
 * The checks come in the order of RFC 9568 section 7.1, the cheap ones first, and each has an answer of its own, so that
 * an operator sees in the counters what is wrong on his network. What depends on an instance's configuration is not
 * looked at here. CARP has the same protocol number, group and first byte; its 36 bytes with 7 in the place of the count
 * can never be VRRP, whose length would be 44 then. */
#include "vrrp/vrrp_packet.h"

#include "base/be.h"
#include "base/buf.h"
#include "base/must.h"

#include <string.h>

#define HEADER 8
#define AUTH 8
#define TYPE_ADVERT 1
#define CARP_BYTES 36
#define CARP_COUNT 7 /* its length of authentication, in words */

const struct addr vrrp_group4 = { .family = 4, .len = 32, .b = { 224, 0, 0, 18 } };
const struct addr vrrp_group6 = { .family = 6, .len = 128, .b = { 0xff, 0x02, [15] = 0x12 } };

const char *
vrrp_bad_name(enum vrrp_bad b)
{
	static const char *const names[VRRP_BADS] = {
		[VRRP_GOOD] = "good",
		[VRRP_BAD_TTL] = "ttl",
		[VRRP_BAD_SHORT] = "short",
		[VRRP_BAD_VERSION] = "version",
		[VRRP_BAD_TYPE] = "type",
		[VRRP_BAD_CARP] = "carp",
		[VRRP_BAD_COUNT] = "no addresses",
		[VRRP_BAD_LENGTH] = "length",
		[VRRP_BAD_LONG] = "too long",
		[VRRP_BAD_CHECKSUM] = "checksum",
		[VRRP_BAD_ID] = "router 0",
		[VRRP_BAD_INTERVAL] = "interval 0",
		[VRRP_BAD_LINKLOCAL] = "not link-local",
		[VRRP_BAD_VRID] = "unknown router",
		[VRRP_BAD_OTHER_VERSION] = "other version",
		[VRRP_BAD_OWN] = "own address",
		[VRRP_BAD_SOURCE] = "source",
		[VRRP_BAD_AUTH] = "authentication",
		[VRRP_BAD_OTHER_INTERVAL] = "other interval",
		[VRRP_BAD_ADDRS] = "other addresses",
	};

	return b >= 0 && b < VRRP_BADS ? names[b] : "?";
}

/* ---- checksum, RFC 1071 ---- */

static uint32_t
sum_bytes(uint32_t s, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i + 1 < n; i += 2)
		s += (uint32_t)p[i] << 8 | p[i + 1];
	return n % 2 ? s + ((uint32_t)p[n - 1] << 8) : s;
}

/* RFC 9293 section 3.1 and RFC 8200 section 8.1: both pseudo headers sum up the same words. */
static uint32_t
sum_pseudo(const struct addr *src, const struct addr *dst, size_t n)
{
	size_t width = src->family == 4 ? 4 : 16;

	return sum_bytes(sum_bytes((uint32_t)n + VRRP_PROTO, src->b, width), dst->b, width);
}

/* 0 over a message whose checksum is right, else what belongs into the empty field. */
static unsigned
checksum(const uint8_t *p, size_t n, const struct vrrp_ip *ip, enum vrrp_sum form)
{
	const struct addr *dst = &ip->dst;
	uint32_t s = 0;

	if (form == VRRP_SUM_GROUP)
		dst = ip->src.family == 4 ? &vrrp_group4 : &vrrp_group6;
	if (form != VRRP_SUM_PLAIN)
		s = sum_pseudo(&ip->src, dst, n);
	s = sum_bytes(s, p, n);
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return ~s & 0xffff;
}

static bool
form_allowed(unsigned version, unsigned family, enum vrrp_sum form)
{
	if (version == 2)
		return form == VRRP_SUM_PLAIN;
	return family == 4 || form != VRRP_SUM_PLAIN;
}

static bool
find_form(const uint8_t *p, size_t n, const struct vrrp_ip *ip, struct vrrp_packet *out)
{
	for (enum vrrp_sum form = 0; form < VRRP_SUMS; form++) {
		if (!form_allowed(out->version, out->family, form) || checksum(p, n, ip, form) != 0)
			continue;
		out->sum = form;
		return true;
	}
	return false;
}

/* ---- reading ---- */

static bool
is_multicast(const struct addr *a)
{
	return a->family == 4 ? a->b[0] >= 224 : a->b[0] == 0xff; /* broadcast too */
}

static bool
is_linklocal(const struct addr *a)
{
	return a->family == 6 && a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80;
}

/* The first eight bytes. */
static enum vrrp_bad
read_header(struct rd *r, size_t n, struct vrrp_packet *p)
{
	unsigned first = (unsigned)rd_be(r, 1);

	p->vrid = (uint8_t)rd_be(r, 1);
	p->priority = (uint8_t)rd_be(r, 1);
	p->n = (unsigned)rd_be(r, 1);
	p->version = (uint8_t)(first >> 4);
	if ((first & 15) != TYPE_ADVERT)
		return VRRP_BAD_TYPE;
	if (p->version == 2 && n == CARP_BYTES && p->n == CARP_COUNT)
		return VRRP_BAD_CARP;
	if (p->version != 3 && (p->version != 2 || p->family != 4))
		return VRRP_BAD_VERSION;
	if (p->version == 2) {
		p->auth_type = (uint8_t)rd_be(r, 1);
		p->interval = DUR_S(rd_be(r, 1));
	} else
		p->interval = DUR_MS(10) * (dur_t)(rd_be(r, 2) & 0xfff);
	(void)rd_be(r, 2); /* the checksum was looked at over the whole */
	return VRRP_GOOD;
}

static void
read_rest(struct rd *r, struct vrrp_packet *p)
{
	size_t width = p->family == 4 ? 4 : 16;
	const uint8_t *auth;

	for (unsigned i = 0; i < p->n; i++) {
		const uint8_t *b = rd_bytes(r, width);

		p->addr[i] = (struct addr){ .family = p->family, .len = (uint8_t)(width * 8) };
		if (b != NULL)
			memcpy(p->addr[i].b, b, width);
	}
	auth = p->version == 2 ? rd_bytes(r, AUTH) : NULL;
	if (auth != NULL)
		memcpy(p->auth, auth, AUTH);
}

static size_t
length(const struct vrrp_packet *p)
{
	return HEADER + p->n * (p->family == 4 ? 4u : 16u) + (p->version == 2 ? AUTH : 0);
}

static enum vrrp_bad
check_whole(const uint8_t *bytes, size_t n, const struct vrrp_ip *ip, struct vrrp_packet *p)
{
	if (p->n == 0)
		return VRRP_BAD_COUNT;
	if (n != length(p))
		return n < length(p) ? VRRP_BAD_LENGTH : VRRP_BAD_LONG;
	if (!find_form(bytes, n, ip, p))
		return VRRP_BAD_CHECKSUM;
	if (p->vrid == 0)
		return VRRP_BAD_ID;
	return p->interval == 0 ? VRRP_BAD_INTERVAL : VRRP_GOOD;
}

enum vrrp_bad
vrrp_packet_parse(
    const void *bytes, size_t n, const struct vrrp_ip *ip, uint8_t min_ttl, struct vrrp_packet *out)
{
	struct rd r = { .p = bytes, .left = n };
	struct vrrp_packet p;
	enum vrrp_bad bad;

	must(ip->src.family == ip->dst.family && (ip->src.family == 4 || ip->src.family == 6));
	if (ip->ttl < (is_multicast(&ip->dst) ? VRRP_TTL : min_ttl))
		return VRRP_BAD_TTL;
	if (n < HEADER)
		return VRRP_BAD_SHORT;
	p.family = ip->src.family;
	p.auth_type = VRRP_AUTH_NONE;
	memset(p.auth, 0, sizeof(p.auth));
	bad = read_header(&r, n, &p);
	if (bad == VRRP_GOOD)
		bad = check_whole(bytes, n, ip, &p);
	if (bad != VRRP_GOOD)
		return bad;
	read_rest(&r, &p);
	must(!r.bad && r.left == 0);
	if (p.family == 6 && !is_linklocal(&p.addr[0]))
		return VRRP_BAD_LINKLOCAL;
	*out = p;
	return VRRP_GOOD;
}

/* ---- writing ---- */

size_t
vrrp_packet_format(
    const struct vrrp_packet *p, const struct vrrp_ip *ip, uint8_t out[VRRP_BYTES_MAX])
{
	size_t width = p->family == 4 ? 4 : 16;
	uint8_t *at = out;
	enum vrrp_sum form = p->sum;

	must(p->n <= VRRP_ADDRS && p->interval > 0 && (p->version == 3 || p->family == 4));
	*at++ = (uint8_t)(p->version << 4 | TYPE_ADVERT);
	*at++ = p->vrid;
	*at++ = p->priority;
	*at++ = (uint8_t)p->n;
	if (p->version == 2) {
		*at++ = p->auth_type;
		*at++ = (uint8_t)(p->interval / DUR_S(1));
	} else
		at = be_put16(at, (unsigned)(p->interval / DUR_MS(10)) & 0xfff);
	at = be_put16(at, 0);
	for (unsigned i = 0; i < p->n; i++, at += width)
		memcpy(at, p->addr[i].b, width);
	if (p->version == 2) {
		memcpy(at, p->auth, AUTH);
		at += AUTH;
	}
	if (!form_allowed(p->version, p->family, form))
		form = p->version == 2 ? VRRP_SUM_PLAIN : VRRP_SUM_PSEUDO;
	(void)be_put16(out + 6, checksum(out, (size_t)(at - out), ip, form));
	return (size_t)(at - out);
}
