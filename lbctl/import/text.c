/* Words of foreign configurations as values: numbers, ports, endpoints, masks, ranges, times.
 *
 * Strict: what is not wholly of its form is refused, and the caller says so in the report. Names of hosts are never
 * resolved: what an address is must not depend on the day of the import. Names of ports are those of the system's
 * list of services, as the programs that these configurations are for read them. */
#include "import/text.h"

#include <ctype.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

bool
text_number(const char *s, uint32_t max, uint32_t *out)
{
	uint64_t v = 0;

	if (*s == '\0')
		return false;
	for (; *s != '\0'; s++) {
		if (*s < '0' || *s > '9')
			return false;
		v = v * 10 + (uint64_t)(*s - '0');
		if (v > max)
			return false;
	}
	*out = (uint32_t)v;
	return true;
}

bool
text_port(const char *s, const char *protocol, uint16_t *out)
{
	const struct servent *e;
	uint32_t v;

	if (text_number(s, UINT16_MAX, &v)) {
		*out = (uint16_t)v;
		return v > 0;
	}
	if (!isalpha((unsigned char)*s) || strlen(s) > 32)
		return false;
	e = getservbyname(s, protocol);
	if (e != NULL)
		*out = (uint16_t)(((unsigned)e->s_port & 0xff) << 8 |
				  ((unsigned)e->s_port >> 8 & 0xff));
	return e != NULL;
}

bool
text_host(const char *s, struct addr *out)
{
	return addr_parse(s, ADDR_HOST, out) == 0 && out->family != 0;
}

bool
text_endpoint(const char *s, const char *protocol, struct addr *out, uint16_t *port_out)
{
	const char *end, *port = NULL;
	char host[ADDR_TEXT];
	size_t n;

	*port_out = 0;
	if (*s == '[') {
		end = strchr(++s, ']');
		if (end == NULL || (end[1] != '\0' && end[1] != ':'))
			return false;
		port = end[1] == ':' ? end + 2 : NULL;
	} else {
		end = strchr(s, ':');
		if (end == NULL || strchr(end + 1, ':') != NULL) /* none, or IPv6 without a port */
			end = s + strlen(s);
		port = *end == ':' ? end + 1 : NULL;
	}
	n = (size_t)(end - s);
	if (n >= sizeof(host))
		return false;
	memcpy(host, s, n);
	host[n] = '\0';
	if (!text_host(host, out))
		return false;
	return port == NULL || strcmp(port, "0") == 0 || text_port(port, protocol, port_out);
}

int
text_mask(const char *s, unsigned family)
{
	struct addr m;
	unsigned bits = family == 6 ? 128 : 32;
	uint32_t n, v;

	if (text_number(s, bits, &n))
		return (int)n;
	if (family == 6 || !text_host(s, &m) || m.family != 4)
		return -1;
	v = (uint32_t)m.b[0] << 24 | (uint32_t)m.b[1] << 16 | (uint32_t)m.b[2] << 8 | m.b[3];
	for (n = 0; n < 32 && (v & (0x80000000U >> n)) != 0; n++)
		;
	return n == 32 || (v << n) == 0 ? (int)n : -1;
}

/* All bits behind the prefix: 1. */
static void
fill_host_bits(struct addr *a, unsigned prefix)
{
	unsigned bits = a->family == 4 ? 32 : 128;

	for (unsigned i = prefix; i < bits; i++)
		a->b[i / 8] |= (uint8_t)(0x80 >> (i % 8));
	a->len = (uint8_t)bits;
}

static bool
range_of_net(const char *s, struct addr *lo, struct addr *hi)
{
	if (addr_parse(s, ADDR_NET, lo) != 0 || lo->family == 0)
		return false;
	*hi = *lo;
	fill_host_bits(hi, lo->len);
	lo->len = hi->len;
	return true;
}

/* "9" behind 10.0.0.1, or "1f" behind fd00::1: the last octet, or the last group. */
static bool
last_part(const char *s, const struct addr *lo, struct addr *hi)
{
	uint32_t v = 0;
	size_t n = strlen(s);

	*hi = *lo;
	if (lo->family == 4) {
		if (!text_number(s, 255, &v))
			return false;
		hi->b[3] = (uint8_t)v;
		return true;
	}
	if (n == 0 || n > 4)
		return false;
	for (; *s != '\0'; s++) {
		if (!isxdigit((unsigned char)*s))
			return false;
		v = v * 16 +
		    (uint32_t)(isdigit((unsigned char)*s) ? *s - '0' : (*s | 0x20) - 'a' + 10);
	}
	hi->b[14] = (uint8_t)(v >> 8);
	hi->b[15] = (uint8_t)v;
	return true;
}

bool
text_range(const char *s, struct addr *lo, struct addr *hi)
{
	const char *dash = strchr(s, '-');
	char first[ADDR_TEXT];

	if (strchr(s, '/') != NULL)
		return range_of_net(s, lo, hi);
	if (dash == NULL) {
		if (!text_host(s, lo))
			return false;
		*hi = *lo;
		return true;
	}
	if ((size_t)(dash - s) >= sizeof(first))
		return false;
	memcpy(first, s, (size_t)(dash - s));
	first[dash - s] = '\0';
	if (!text_host(first, lo) || (!last_part(dash + 1, lo, hi) && !text_host(dash + 1, hi)))
		return false;
	return lo->family == hi->family && memcmp(lo->b, hi->b, sizeof(lo->b)) <= 0;
}

bool
text_ms(const char *s, uint32_t *out)
{
	uint64_t ms = 0;
	unsigned scale = 100;

	if (*s < '0' || *s > '9')
		return false;
	for (; *s >= '0' && *s <= '9'; s++) {
		ms = ms * 10 + (uint64_t)(*s - '0') * 1000;
		if (ms > UINT32_MAX)
			return false;
	}
	if (*s == '.')
		for (s++; *s >= '0' && *s <= '9'; s++, scale /= 10)
			ms += (uint64_t)(*s - '0') * scale;
	if (*s != '\0' || ms > UINT32_MAX)
		return false;
	*out = (uint32_t)ms;
	return true;
}

bool
text_literal(const char *regex, char *out, unsigned room)
{
	unsigned n = 0;

	for (; *regex != '\0'; regex++) {
		char c = *regex;

		if (strchr("^$.[]|()?*+{}", c) != NULL)
			return false;
		if (c == '\\') {
			c = *++regex;
			if (!ispunct((unsigned char)c))
				return false;
		}
		if (n + 1 >= room)
			return false;
		out[n++] = c;
	}
	out[n] = '\0';
	return n > 0;
}
