/* One line of the kernel's list of connections, as a value.
 *
 *   Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData
 *   TCP 0A010203 04D2 0A090001 0050 0A09000B 0050 ESTABLISHED     899
 *
 * Addresses are hexadecimal: eight digits, or eight groups of four for IPv6; each of the three may be of either family.
 * ip_vs_conn_sync has one word more, SYNC or LOCAL, before the seconds. The seconds are an unsigned difference: of an
 * entry whose timer runs out just now it is enormous, which counts as 0.
 *
 * A persistence template has client port 0. So has a connection that FTP expects, but that is in LISTEN; templates are
 * in NONE or ASSURED, and with older kernels, which name state 0 by protocol, in UDP. A template of a service by mark is
 * of protocol IP and has the mark for a virtual address. What a template becomes when its server is gone (every port
 * 65535, net/netfilter/ipvs/ip_vs_conn.c ip_vs_check_template) is no entry.
 *
 * The reader is bounded and takes nothing on trust: it does not know whether a line is whole. */
#include "conns/entry.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

struct word {
	const char *p;
	size_t len;
};

static const struct {
	uint8_t number;
	const char *name;
} protocols[] = {
	{ IPPROTO_TCP, "TCP" },
	{ IPPROTO_UDP, "UDP" },
	{ IPPROTO_SCTP, "SCTP" },
	{ IPPROTO_IP, "IP" },
	{ IPPROTO_AH, "AH" },
	{ IPPROTO_ESP, "ESP" },
};
#define PROTOCOLS (sizeof(protocols) / sizeof(protocols[0]))

static bool
next_word(struct word *rest, struct word *out)
{
	while (rest->len > 0 && *rest->p == ' ') {
		rest->p++;
		rest->len--;
	}
	out->p = rest->p;
	while (rest->len > 0 && *rest->p != ' ') {
		rest->p++;
		rest->len--;
	}
	out->len = (size_t)(rest->p - out->p);
	return out->len > 0;
}

static bool
is(struct word w, const char *text)
{
	return w.len == strlen(text) && memcmp(w.p, text, w.len) == 0;
}

static bool
take_hex(const char *p, size_t digits, uint32_t *out)
{
	uint32_t v = 0;

	for (size_t i = 0; i < digits; i++) {
		char c = p[i];
		unsigned d = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
			     : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A') + 10
			     : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
						    : 16;

		if (d == 16)
			return false;
		v = v << 4 | d;
	}
	*out = v;
	return true;
}

static bool
take_address(struct word w, struct addr *out)
{
	uint32_t v;

	*out = (struct addr){ 0 };
	if (w.len == 41 && w.p[0] == '[' && w.p[40] == ']')
		w = (struct word){ w.p + 1, 39 };
	if (w.len == 8) {
		if (!take_hex(w.p, 8, &v))
			return false;
		out->family = 4;
		out->len = 32;
		for (unsigned i = 0; i < 4; i++)
			out->b[i] = (uint8_t)(v >> (24 - 8 * i));
		return true;
	}
	if (w.len != 39)
		return false;
	out->family = 6;
	out->len = 128;
	for (unsigned i = 0; i < 8; i++) {
		if (!take_hex(w.p + (size_t)5 * i, 4, &v) || (i < 7 && w.p[5 * i + 4] != ':'))
			return false;
		out->b[2 * i] = (uint8_t)(v >> 8);
		out->b[2 * i + 1] = (uint8_t)v;
	}
	return true;
}

static bool
take_end(struct word *rest, struct addr *a, uint16_t *port)
{
	struct word w;
	uint32_t v;

	if (!next_word(rest, &w) || !take_address(w, a))
		return false;
	if (!next_word(rest, &w) || w.len != 4 || !take_hex(w.p, 4, &v))
		return false;
	*port = (uint16_t)v;
	return true;
}

static bool
take_protocol(struct word w, uint8_t *out)
{
	unsigned n = 0;

	for (size_t i = 0; i < PROTOCOLS; i++) {
		if (is(w, protocols[i].name)) {
			*out = protocols[i].number;
			return true;
		}
	}
	if (w.len < 4 || w.len > 6 || memcmp(w.p, "IP_", 3) != 0) /* IP_47 */
		return false;
	for (size_t i = 3; i < w.len; i++) {
		if (w.p[i] < '0' || w.p[i] > '9')
			return false;
		n = n * 10 + (unsigned)(w.p[i] - '0');
	}
	*out = (uint8_t)n;
	return n < 256;
}

static bool
take_text(struct word w, char *out, size_t room)
{
	if (w.len >= room)
		return false;
	memcpy(out, w.p, w.len);
	out[w.len] = '\0';
	return true;
}

static bool
take_seconds(struct word w, uint32_t *out)
{
	uint64_t v = 0;

	if (w.len == 0 || w.len > 20)
		return false;
	for (size_t i = 0; i < w.len; i++) {
		if (w.p[i] < '0' || w.p[i] > '9')
			return false;
		v = v * 10 + (unsigned)(w.p[i] - '0');
	}
	*out = v > INT32_MAX ? 0 : (uint32_t)v;
	return true;
}

static bool
take_tail(struct word *rest, struct entry *e)
{
	struct word w;

	if (!next_word(rest, &w) || !take_text(w, e->state, sizeof(e->state)) ||
	    !next_word(rest, &w))
		return false;
	if ((is(w, "SYNC") || is(w, "LOCAL")) && !next_word(rest, &w))
		return false;
	if (!take_seconds(w, &e->left_s))
		return false;
	if (!next_word(rest, &w))
		return true;
	if (!take_text(w, e->pe, sizeof(e->pe)))
		return false;
	/* the rest as it stands, after one space */
	w = *rest;
	if (w.len > 0)
		w = (struct word){ w.p + 1, w.len - 1 };
	return take_text(w, e->pe_data, sizeof(e->pe_data));
}

bool
entry_parse(const char *line, size_t len, struct entry *out)
{
	struct word rest = { line, len }, w;

	if (len > ENTRY_LINE || memchr(line, '\0', len) != NULL)
		return false;
	out->pe[0] = out->pe_data[0] = '\0';
	out->mark = 0;
	if (!next_word(&rest, &w) || !take_protocol(w, &out->protocol) ||
	    !take_end(&rest, &out->client, &out->client_port) ||
	    !take_end(&rest, &out->virtual, &out->virtual_port) ||
	    !take_end(&rest, &out->real, &out->real_port) || !take_tail(&rest, out))
		return false;
	if (out->client_port == 0 && out->virtual_port == 0xffff && out->real_port == 0xffff)
		return false;
	out->template = out->client_port == 0 &&
			(strcmp(out->state, "NONE") == 0 || strcmp(out->state, "ASSURED") == 0 ||
			    (out->protocol == IPPROTO_UDP && strcmp(out->state, "UDP") == 0));
	if (out->protocol == IPPROTO_IP)
		for (unsigned i = 0; i < 4; i++)
			out->mark = out->mark << 8 | out->virtual.b[i];
	return true;
}

const char *
entry_protocol(unsigned protocol)
{
	for (size_t i = 0; i < PROTOCOLS; i++)
		if (protocols[i].number == protocol)
			return protocols[i].name;
	return "?";
}

void
entry_end(const struct addr *a, uint16_t port, char out[ENTRY_END])
{
	char text[ADDR_TEXT];

	addr_format(a, ADDR_HOST, text);
	(void)snprintf(out, ENTRY_END, a->family == 6 ? "[%s]:%u" : "%s:%u", text, port);
}
