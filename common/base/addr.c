/* Addresses: text, socket form, membership. Pure. */
#include "base/addr.h"
#include "base/must.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int
parse_len(const char *text, long max, long *out)
{
	char *end;

	if (!isdigit((unsigned char)text[0]) || strlen(text) > 3)
		return -EINVAL;
	*out = strtol(text, &end, 10);
	return *end != '\0' || *out > max ? -EINVAL : 0;
}

int
addr_parse(const char *text, enum addr_form form, struct addr *out)
{
	struct addr v = { 0 };
	char host[ADDR_TEXT], *slash;
	long max, len;

	*out = v;
	if (text[0] == '\0')
		return 0;
	if (snprintf(host, sizeof(host), "%s", text) >= (int)sizeof(host))
		return -EINVAL;
	slash = strchr(host, '/');
	if (slash != NULL)
		*slash++ = '\0';
	if (inet_pton(AF_INET, host, v.b) == 1)
		v.family = 4;
	else if (inet_pton(AF_INET6, host, v.b) == 1)
		v.family = 6;
	else
		return -EINVAL;
	max = len = v.family == 4 ? 32 : 128;
	if (slash != NULL && (form == ADDR_HOST || parse_len(slash, max, &len) != 0))
		return -EINVAL;
	for (long bit = len; form == ADDR_NET && bit < max; bit++)
		if ((v.b[bit / 8] & (0x80 >> (bit % 8))) != 0)
			return -EINVAL;
	v.len = (uint8_t)len;
	*out = v;
	return 0;
}

int
addr_parse_link(const char *text, struct addr *out, char ifname[ADDR_IFNAME])
{
	static const char word[] = " interface ";
	const char *at = strstr(text, word);
	const char *name = at != NULL ? at + sizeof(word) - 1 : "";
	int n = at != NULL ? (int)(at - text) : (int)strnlen(text, ADDR_TEXT);
	char host[ADDR_TEXT];
	struct addr a;

	if (n >= (int)sizeof(host) || strlen(name) >= ADDR_IFNAME || (at != NULL && *name == '\0'))
		return -EINVAL;
	(void)snprintf(host, sizeof(host), "%.*s", n, text);
	if (addr_parse(host, ADDR_HOST, &a) != 0 || a.family == 0)
		return -EINVAL;
	*out = a;
	(void)snprintf(ifname, ADDR_IFNAME, "%s", name);
	return 0;
}

void
addr_format(const struct addr *a, enum addr_form form, char *out)
{
	char host[INET6_ADDRSTRLEN];

	out[0] = '\0';
	if (a->family == 0)
		return;
	must(inet_ntop(a->family == 4 ? AF_INET : AF_INET6, a->b, host, sizeof(host)) != NULL);
	if (form == ADDR_HOST)
		(void)snprintf(out, ADDR_TEXT, "%s", host);
	else
		(void)snprintf(out, ADDR_TEXT, "%s/%u", host, a->len);
}

socklen_t
addr_sockaddr(const struct addr *a, uint16_t port, struct sockaddr_storage *out)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)out;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;

	must(a->family == 4 || a->family == 6);
	memset(out, 0, sizeof(*out));
	if (a->family == 4) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		memcpy(&v4->sin_addr, a->b, 4);
		return sizeof(*v4);
	}
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons(port);
	memcpy(&v6->sin6_addr, a->b, 16);
	return sizeof(*v6);
}

int
addr_from_sockaddr(const struct sockaddr *sa, struct addr *out, uint16_t *port_out)
{
	const struct sockaddr_in *v4 = (const void *)sa;
	const struct sockaddr_in6 *v6 = (const void *)sa;

	*out = (struct addr){ 0 };
	if (sa->sa_family == AF_INET) {
		*out = (struct addr){ .family = 4, .len = 32 };
		memcpy(out->b, &v4->sin_addr, 4);
		*port_out = ntohs(v4->sin_port);
		return 0;
	}
	if (sa->sa_family != AF_INET6)
		return -EAFNOSUPPORT;
	*port_out = ntohs(v6->sin6_port);
	if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
		*out = (struct addr){ .family = 4, .len = 32 };
		memcpy(out->b, v6->sin6_addr.s6_addr + 12, 4);
		return 0;
	}
	*out = (struct addr){ .family = 6, .len = 128 };
	memcpy(out->b, &v6->sin6_addr, 16);
	return 0;
}

bool
addr_contains(const struct addr *net, const struct addr *host)
{
	unsigned whole = net->len / 8, rest = net->len % 8;
	uint8_t mask = (uint8_t)(0xff00 >> rest);

	if (net->family == 0 || net->family != host->family || memcmp(net->b, host->b, whole) != 0)
		return false;
	return rest == 0 || ((net->b[whole] ^ host->b[whole]) & mask) == 0;
}

bool
addr_same_host(const struct addr *a, const struct addr *b)
{
	return a->family == b->family && memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

bool
addr_is_loopback(const struct addr *a)
{
	static const uint8_t one[16] = { [15] = 1 };

	return (a->family == 4 && a->b[0] == 127) ||
	       (a->family == 6 && memcmp(a->b, one, sizeof(one)) == 0);
}

/* Every octet as it is written, with the dot behind it; the last ten go beyond what there is. */
#define OCTET_1(u)                    \
	{                             \
		{ '0' + (u), '.' }, 2 \
	}
#define OCTET_2(t, u)                            \
	{                                        \
		{ '0' + (t), '0' + (u), '.' }, 3 \
	}
#define OCTET_3(h, t, u)                                    \
	{                                                   \
		{ '0' + (h), '0' + (t), '0' + (u), '.' }, 4 \
	}
#define UNITS_2(t)                                                                                \
	OCTET_2(t, 0), OCTET_2(t, 1), OCTET_2(t, 2), OCTET_2(t, 3), OCTET_2(t, 4), OCTET_2(t, 5), \
	    OCTET_2(t, 6), OCTET_2(t, 7), OCTET_2(t, 8), OCTET_2(t, 9)
#define UNITS_3(h, t)                                                                             \
	OCTET_3(h, t, 0), OCTET_3(h, t, 1), OCTET_3(h, t, 2), OCTET_3(h, t, 3), OCTET_3(h, t, 4), \
	    OCTET_3(h, t, 5), OCTET_3(h, t, 6), OCTET_3(h, t, 7), OCTET_3(h, t, 8),               \
	    OCTET_3(h, t, 9)
static const struct {
	char text[4];
	uint8_t len;
} octets[260] = { OCTET_1(0), OCTET_1(1), OCTET_1(2), OCTET_1(3), OCTET_1(4), OCTET_1(5),
	OCTET_1(6), OCTET_1(7), OCTET_1(8), OCTET_1(9), UNITS_2(1), UNITS_2(2), UNITS_2(3),
	UNITS_2(4), UNITS_2(5), UNITS_2(6), UNITS_2(7), UNITS_2(8), UNITS_2(9), UNITS_3(1, 0),
	UNITS_3(1, 1), UNITS_3(1, 2), UNITS_3(1, 3), UNITS_3(1, 4), UNITS_3(1, 5), UNITS_3(1, 6),
	UNITS_3(1, 7), UNITS_3(1, 8), UNITS_3(1, 9), UNITS_3(2, 0), UNITS_3(2, 1), UNITS_3(2, 2),
	UNITS_3(2, 3), UNITS_3(2, 4), UNITS_3(2, 5) };

char *
addr_put4(const uint8_t b[4], char *p)
{
	for (unsigned i = 0; i < 4; i++) {
		memcpy(p, octets[b[i]].text, 4);
		p += octets[b[i]].len;
	}
	return p - 1;
}
