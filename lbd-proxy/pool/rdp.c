/* Routing tokens of RDP. A broker tells a client whose session lives elsewhere to come again with the server's address in its
 * first packet. Only servers of the service are reached that way, so a token that a client made up opens nothing new. */
#include "rdp.h"

#include "key.h"
#include "runtime.h"

#include <string.h>

#define COOKIE "Cookie: msts="

/* Digits up to a mark, at most max. */
static bool
take_number(const char **p, const char *end, char mark, uint32_t max, uint32_t *out)
{
	uint64_t n = 0;
	const char *from = *p;

	while (*p < end && **p >= '0' && **p <= '9' && n <= max)
		n = n * 10 + (uint64_t)(*(*p)++ - '0');
	if (*p == from || n > max || *p == end || **p != mark)
		return false;
	(*p)++;
	*out = (uint32_t)n;
	return true;
}

enum h1_result
rdp_token(const uint8_t *p, size_t len, struct addr *out, uint16_t *port_out)
{
	struct key_span rest;
	enum h1_result r = key_rdp_rest(p, len, &rest);
	const char *at = rest.at, *end = rest.at + rest.len;
	uint32_t host, port, zero;

	if (r != H1_DONE)
		return r;
	if (rest.len < sizeof(COOKIE) - 1 || memcmp(at, COOKIE, sizeof(COOKIE) - 1) != 0)
		return H1_BAD;
	at += sizeof(COOKIE) - 1;
	if (!take_number(&at, end, '.', UINT32_MAX, &host) ||
	    !take_number(&at, end, '.', UINT16_MAX, &port) ||
	    !take_number(&at, end, '\r', 0, &zero) || at == end || *at != '\n')
		return H1_BAD;
	*out = (struct addr){ .family = 4,
		.len = 32,
		.b = { (uint8_t)host, (uint8_t)(host >> 8), (uint8_t)(host >> 16),
		    (uint8_t)(host >> 24) } };
	*port_out = (uint16_t)(port << 8 | port >> 8);
	return H1_DONE;
}

enum h1_result
rdp_server(const struct view *v, uint16_t port, const uint8_t *p, size_t len, uint32_t *id_out)
{
	struct addr a;
	uint16_t at;
	enum h1_result r = rdp_token(p, len, &a, &at);

	*id_out = 0;
	for (uint32_t i = 0; r == H1_DONE && i < v->n; i++)
		if (addr_same_host(&v->at[i].addr, &a) &&
		    (v->at[i].port != 0 ? v->at[i].port : port) == at)
			*id_out = v->at[i].srv->id;
	return r;
}
