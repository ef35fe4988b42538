/* The PROXY protocol's two headers.
 *
 * Version 1 is a line of text, at most 107 bytes; version 2 is binary: a signature, a command, addresses, then values with
 * their types. Numbers are taken only as the document writes them: no signs, no leading zeros, no white space but the single
 * blanks. Types of values that are not known are passed over; of those that are, only the checksum says anything to us. */
#include "pp.h"

#include "base/be.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define V1_MAX 107
#define V2_HEAD 16
#define CRC32C 0x03
#define AUTHORITY 0x02
#define SSL_TLV 0x20
#define SSL_VERSION 0x21
#define SSL_CN 0x22
#define SSL_CIPHER 0x23
#define CLIENT_SSL 0x01
#define CLIENT_CERT_CONN 0x02
#define CLIENT_CERT_SESS 0x04

static const uint8_t signature[12] = { 0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49,
	0x54, 0x0a };

/* The next word of a line that ends at end; up to a blank or the end. */
static bool
word(const char **at, const char *end, char *out, size_t room)
{
	const char *p = *at, *blank = memchr(p, ' ', (size_t)(end - p));
	size_t n = (size_t)((blank != NULL ? blank : end) - p);

	if (n == 0 || n >= room)
		return false;
	memcpy(out, p, n);
	out[n] = 0;
	*at = blank != NULL ? blank + 1 : end;
	return true;
}

static bool
port_of(const char *s, uint16_t *out)
{
	unsigned v = 0;
	size_t n = strlen(s), i;

	if (n == 0 || n > 5 || (n > 1 && s[0] == '0'))
		return false;
	for (i = 0; i < n; i++) {
		if (s[i] < '0' || s[i] > '9')
			return false;
		v = v * 10 + (unsigned)(s[i] - '0');
	}
	*out = (uint16_t)v;
	return v <= 65535;
}

static bool
address_of(const char *s, unsigned family, struct addr *out)
{
	return addr_parse(s, ADDR_HOST, out) == 0 && out->family == family;
}

/* The line without CRLF. */
static bool
line(const char *p, const char *end, struct pp *out)
{
	char w[5][48];
	unsigned family, i;

	if (end - p >= 13 && memcmp(p, "PROXY UNKNOWN", 13) == 0 && (end - p == 13 || p[13] == ' '))
		return true; /* the rest of the line is nothing to us */
	p += 6;
	for (i = 0; i < 5; i++)
		if (!word(&p, end, w[i], sizeof(w[i])))
			return false;
	if (p != end || end[-1] == ' ')
		return false;
	family = strcmp(w[0], "TCP4") == 0 ? 4 : strcmp(w[0], "TCP6") == 0 ? 6 : 0;
	out->known = true;
	return family != 0 && address_of(w[1], family, &out->from) &&
	       address_of(w[2], family, &out->to) && port_of(w[3], &out->from_port) &&
	       port_of(w[4], &out->to_port);
}

static ssize_t
read_v1(const uint8_t *p, size_t n, struct pp *out)
{
	size_t most = n < V1_MAX ? n : V1_MAX;
	const uint8_t *cr = memchr(p, '\r', most);

	if (cr == NULL)
		return n < V1_MAX ? 0 : -EPROTO;
	if (cr + 1 == p + n)
		return n < V1_MAX ? 0 : -EPROTO;
	if (cr[1] != '\n' || cr + 2 - p > V1_MAX || memchr(p, 0, (size_t)(cr - p)) != NULL ||
	    !line((const char *)p, (const char *)cr, out))
		return -EPROTO;
	return cr + 2 - p;
}

/* CRC-32C (RFC 9260 appendix A), bit by bit: headers are short. */
static uint32_t
crc32c(uint32_t crc, const uint8_t *p, size_t n)
{
	unsigned k;

	for (; n > 0; n--, p++) {
		crc ^= *p;
		for (k = 0; k < 8; k++)
			crc = (crc >> 1) ^ (0x82f63b78u & (0u - (crc & 1)));
	}
	return crc;
}

/* Values behind the addresses, from at on; their lengths must add up, and the checksum be right. */
static bool
values(const uint8_t *p, size_t at, size_t len)
{
	static const uint8_t zeros[4];
	size_t n;

	while (at < len) {
		if (len - at < 3)
			return false;
		n = (size_t)p[at + 1] << 8 | p[at + 2];
		if (n > len - at - 3)
			return false;
		if (p[at] == CRC32C) {
			const uint8_t *sum = p + at + 3;
			uint32_t crc = crc32c(UINT32_MAX, p, at + 3);

			if (n != 4)
				return false;
			crc = ~crc32c(crc32c(crc, zeros, 4), sum + 4, len - at - 7);
			if (crc != ((uint32_t)sum[0] << 24 | (uint32_t)sum[1] << 16 |
				       (uint32_t)sum[2] << 8 | sum[3]))
				return false;
		}
		at += 3 + n;
	}
	return true;
}

static void
host(struct addr *a, unsigned family, const uint8_t *b)
{
	size_t n = family == 4 ? 4 : 16;

	*a = (struct addr){ .family = (uint8_t)family, .len = (uint8_t)(n * 8) };
	memcpy(a->b, b, n);
}

static ssize_t
read_v2(const uint8_t *p, size_t n, struct pp *out)
{
	size_t len, each;
	unsigned family;

	if (n < V2_HEAD)
		return 0;
	len = V2_HEAD + ((size_t)p[14] << 8 | p[15]);
	if ((p[12] != 0x20 && p[12] != 0x21) || len > PP_MAX)
		return -EPROTO;
	family = p[13] == 0x11 ? 4 : p[13] == 0x21 ? 6 : 0;
	if (n < len)
		return 0;
	each = family == 4 ? 4 : 16;
	if (p[12] == 0x21 && family != 0) {
		const uint8_t *a = p + V2_HEAD, *ports = a + 2 * each;

		if (len < V2_HEAD + 2 * each + 4)
			return -EPROTO;
		out->known = true;
		host(&out->from, family, a);
		host(&out->to, family, a + each);
		out->from_port = (uint16_t)(ports[0] << 8 | ports[1]);
		out->to_port = (uint16_t)(ports[2] << 8 | ports[3]);
		if (!values(p, V2_HEAD + 2 * each + 4, len))
			return -EPROTO;
	} else if (p[12] == 0x21 && p[13] != 0x00) {
		return -EPROTO; /* datagrams and Unix sockets do not come here */
	}
	return (ssize_t)len;
}

ssize_t
pp_read(const uint8_t *p, size_t n, struct pp *out)
{
	static const char v1[] = "PROXY ";
	size_t most;

	*out = (struct pp){ 0 };
	most = n < sizeof(signature) ? n : sizeof(signature);
	if (memcmp(p, signature, most) == 0)
		return n < sizeof(signature) ? 0 : read_v2(p, n, out);
	most = n < sizeof(v1) - 1 ? n : sizeof(v1) - 1;
	if (memcmp(p, v1, most) != 0)
		return -EPROTO;
	return n < sizeof(v1) - 1 ? 0 : read_v1(p, n, out);
}

static bool
one_family(const struct pp *p)
{
	return p->known && p->from.family == p->to.family && p->from.family != 0;
}

size_t
pp_write_v1(const struct pp *p, uint8_t *out)
{
	char from[ADDR_TEXT], to[ADDR_TEXT];

	if (!one_family(p)) {
		memcpy(out, "PROXY UNKNOWN\r\n", 15);
		return 15;
	}
	addr_format(&p->from, ADDR_HOST, from);
	addr_format(&p->to, ADDR_HOST, to);
	return (size_t)snprintf((char *)out, PP_ROOM, "PROXY TCP%u %s %s %u %u\r\n", p->from.family,
	    from, to, p->from_port, p->to_port);
}

static uint8_t *
value(uint8_t *o, uint8_t type, const char *text)
{
	size_t n = strlen(text);

	if (n == 0 || n > PP_WORD)
		return o;
	*o++ = type;
	o = be_put16(o, (unsigned)n);
	return mempcpy(o, text, n);
}

/* Section 2.2.5: verify is 0 only of a certificate that is good. */
static uint8_t *
of_tls(uint8_t *o, const struct pp_tls *t)
{
	uint8_t *at;

	o = value(o, AUTHORITY, t->name);
	*o++ = SSL_TLV;
	at = o;
	o += 2;
	*o++ = (uint8_t)(CLIENT_SSL |
			 (!t->cert ? 0 : CLIENT_CERT_SESS | (t->resumed ? 0 : CLIENT_CERT_CONN)));
	o = be_put32(o, t->cert ? 0 : 1);
	o = value(o, SSL_VERSION, t->version);
	o = value(o, SSL_CN, t->cert ? t->cn : "");
	o = value(o, SSL_CIPHER, t->cipher);
	(void)be_put16(at, (unsigned)(o - at - 2));
	return o;
}

size_t
pp_write_v2(const struct pp *p, const struct pp_tls *tls, uint8_t *out)
{
	size_t each = p->from.family == 4 ? 4 : 16;
	bool known = one_family(p);
	uint8_t *o = mempcpy(out, signature, sizeof(signature));

	*o++ = known ? 0x21 : 0x20;
	*o++ = !known ? 0x00 : p->from.family == 4 ? 0x11 : 0x21;
	o += 2; /* the length, below */
	if (known) {
		o = mempcpy(o, p->from.b, each);
		o = mempcpy(o, p->to.b, each);
		o = be_put16(o, p->from_port);
		o = be_put16(o, p->to_port);
		if (tls != NULL)
			o = of_tls(o, tls);
	}
	(void)be_put16(out + 14, (unsigned)(o - out - V2_HEAD));
	return (size_t)(o - out);
}
