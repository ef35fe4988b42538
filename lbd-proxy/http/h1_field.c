/* What the fields of a head mean for framing and persistence.
 *
 * Names are found by length and first letters; h1_field_apply takes one known field at a time as the scanner meets it,
 * h1_head_finish judges the whole. Everything about a body is here: Content-Length, Transfer-Encoding and the rules of
 * RFC 9112 section 6 on their combination, Host and its agreement with an absolute target, Connection, Expect and
 * Upgrade. It is stricter than the standard wherever that lets a recipient choose: no repeated Content-Length even with
 * equal values, no coding but chunked, no Host that might be two. */
#include <errno.h>
#include <strings.h>

#include "base/must.h"
#include "h1_priv.h"

H1_ERROR(two_hosts, 400, "more than one Host");
H1_ERROR(no_host, 400, "HTTP/1.1 without Host");
H1_ERROR(bad_host, 400, "invalid Host");
H1_ERROR(other_host, 400, "Host is not the target's");
H1_ERROR(two_lengths, 400, "more than one Content-Length");
H1_ERROR(bad_length, 400, "Content-Length is not a number");
H1_ERROR(long_length, 400, "Content-Length too large");
H1_ERROR(two_codings, 400, "more than one Transfer-Encoding");
H1_ERROR(no_coding, 400, "empty Transfer-Encoding");
H1_ERROR(bad_coding, 501, "Transfer-Encoding is not chunked");
H1_ERROR(old_coding, 400, "Transfer-Encoding in HTTP/1.0");
H1_ERROR(both_framings, 400, "Content-Length with Transfer-Encoding");
H1_ERROR(bad_connection, 400, "invalid Connection");
H1_ERROR(many_nominated, 400, "Connection lists too many names");
H1_ERROR(bad_expect, 417, "Expect is not 100-continue");
H1_ERROR(trace_body, 400, "TRACE with a body");
H1_ERROR(connect_body, 400, "CONNECT with a body");
H1_ERROR(bad_switch, 400, "101 to a request without Upgrade");
H1_ERROR(old_client, 400, "chunked answer to HTTP/1.0");

/* Bits of h->said: what Connection and Upgrade said so far. */
enum { SAID_CLOSE = 1, SAID_KEEP_ALIVE = 2, SAID_UPGRADE = 4, UPGRADE_H2C = 8 };

static const struct name {
	char text[20];
	uint8_t len, id;
} names[] = {
	{ "te", 2, H1_TE },
	{ "via", 3, H1_VIA },
	{ "host", 4, H1_HOST },
	{ "cookie", 6, H1_COOKIE },
	{ "expect", 6, H1_EXPECT },
	{ "upgrade", 7, H1_UPGRADE },
	{ "trailer", 7, H1_TRAILER },
	{ "connection", 10, H1_CONNECTION },
	{ "keep-alive", 10, H1_KEEP_ALIVE },
	{ "set-cookie", 10, H1_SET_COOKIE },
	{ "authorization", 13, H1_AUTHORIZATION },
	{ "cache-control", 13, H1_CACHE_CONTROL },
	{ "content-length", 14, H1_CONTENT_LENGTH },
	{ "http2-settings", 14, H1_HTTP2_SETTINGS },
	{ "x-forwarded-for", 15, H1_X_FORWARDED_FOR },
	{ "proxy-connection", 16, H1_PROXY_CONNECTION },
	{ "transfer-encoding", 17, H1_TRANSFER_ENCODING },
};
/* Where the names of a length begin in the list above; entry n + 1 is their end. */
static const uint8_t by_length[] = { 0, 0, 0, 1, 2, 3, 3, 5, 7, 7, 7, 10, 10, 10, 12, 14, 15, 16,
	17 };
#define LETTER(c) (1u << ((c)&31))
const uint32_t h1_initials[H1_KNOWN_MAX + 1] = {
	[2] = LETTER('t'),
	[3] = LETTER('v'),
	[4] = LETTER('h'),
	[6] = LETTER('c') | LETTER('e'),
	[7] = LETTER('u') | LETTER('t'),
	[10] = LETTER('c') | LETTER('k') | LETTER('s'),
	[13] = LETTER('a') | LETTER('c'),
	[14] = LETTER('c') | LETTER('h'),
	[15] = LETTER('x'),
	[16] = LETTER('p'),
	[17] = LETTER('t'),
};

enum h1_id
h1_lookup(const char *name, size_t len)
{
	if (len + 1 >= ARRAY_LEN(by_length))
		return H1_OTHER;
	for (unsigned i = by_length[len]; i < by_length[len + 1]; i++)
		if ((name[0] | 0x20) == names[i].text[0] && h1_same(name, names[i].text, len))
			return names[i].id;
	return H1_OTHER;
}

const struct h1_header *
h1_find(const struct h1_head *h, enum h1_id id)
{
	if ((h->seen & H1_BIT(id)) == 0)
		return NULL;
	for (unsigned i = 0; i < h->n; i++)
		if (h->header[i].id == id)
			return &h->header[i];
	return NULL;
}

static bool
refuse(struct h1_head *h, const struct h1_error *e)
{
	h->error = e;
	return false;
}

static bool
word_is(const char *s, size_t len, const char *lower, size_t lower_len)
{
	return len == lower_len && strncasecmp(s, lower, len) == 0;
}
#define WORD_IS(s, len, text) word_is(s, len, text, sizeof(text) - 1)

/* host [ ":" port ] (RFC 9110 section 7.2): a name, an IPv4 address or a bracketed IPv6 address; never empty.
 * *host_out: length of the host alone. */
static bool
host_port(const char *s, size_t len, size_t *host_out)
{
	size_t i = 0, port;

	if (len > 0 && s[0] == '[') {
		for (i = 1; i < len && s[i] != ']'; i++)
			if (strchr("0123456789abcdefABCDEF:.", s[i]) == NULL || s[i] == '\0')
				return false;
		if (i < 3 || i >= len)
			return false;
		i++;
	} else {
		while (i < len && h1_is(s[i], H1_C_HOST))
			i++;
		if (i == 0)
			return false;
	}
	*host_out = i;
	if (i == len)
		return true;
	if (s[i++] != ':')
		return false;
	unsigned value = 0;
	for (port = i; i < len; i++) {
		if (s[i] < '0' || s[i] > '9' || i - port >= 5)
			return false;
		value = value * 10 + (unsigned)(s[i] - '0');
	}
	return value <= 65535;
}

static bool
host_ok(const char *s, size_t len)
{
	size_t host;

	return host_port(s, len, &host);
}

bool
h1_authority_ok(const char *s, size_t len)
{
	size_t host;

	if (!host_port(s, len, &host) || memchr(s, '%', host) != NULL)
		return false;
	for (size_t i = host + 1; i < len; i++)
		if (s[i] != '0')
			return true;
	return false; /* no port, or none that there is */
}

static bool
apply_length(struct h1_head *h, const char *s, size_t len)
{
	uint64_t v = 0;

	if (h->has_length)
		return refuse(h, &two_lengths);
	for (size_t i = 0; i < len; i++) {
		if (s[i] < '0' || s[i] > '9')
			return refuse(h, &bad_length);
		if (v > (INT64_MAX - 9) / 10)
			return refuse(h, &long_length);
		v = v * 10 + (uint64_t)(s[i] - '0');
	}
	if (len == 0)
		return refuse(h, &bad_length);
	h->has_length = true;
	h->body_length = v;
	return true;
}

static bool
apply_coding(struct h1_head *h, const char *s, size_t len)
{
	if ((h->seen & H1_BIT(H1_TRANSFER_ENCODING)) != 0)
		return refuse(h, &two_codings);
	if (h->minor == 0)
		return refuse(h, &old_coding);
	if (len == 0)
		return refuse(h, &no_coding);
	if (!WORD_IS(s, len, "chunked"))
		return refuse(h, &bad_coding);
	h->chunked = true;
	return true;
}

static bool
apply_option(struct h1_head *h, const char *s, size_t len)
{
	if (WORD_IS(s, len, "close"))
		h->said |= SAID_CLOSE;
	else if (WORD_IS(s, len, "keep-alive"))
		h->said |= SAID_KEEP_ALIVE;
	else if (WORD_IS(s, len, "upgrade"))
		h->said |= SAID_UPGRADE;
	else if (!h1_is_token(s, len))
		return refuse(h, &bad_connection);
	else if (h->nominated == H1_NOMINATED_MAX)
		return refuse(h, &many_nominated);
	else {
		h->nominated++;
		h->nominates = true;
	}
	return true;
}

static bool
apply_connection(struct h1_head *h, const char *s, size_t len)
{
	size_t from = 0, to;

	for (; from < len; from = to + 1) {
		for (to = from; to < len && s[to] != ','; to++)
			;
		size_t a = from, b = to;
		while (a < b && (s[a] == ' ' || s[a] == '\t'))
			a++;
		while (b > a && (s[b - 1] == ' ' || s[b - 1] == '\t'))
			b--;
		if (b > a && !apply_option(h, s + a, b - a))
			return false;
	}
	return true;
}

/* An upgrade to cleartext HTTP/2 would hide all further requests from us: such an offer is not passed on. */
static void
apply_upgrade(struct h1_head *h, const char *s, size_t len)
{
	for (size_t i = 0; i + 3 <= len; i++)
		if (strncasecmp(s + i, "h2c", 3) == 0)
			h->said |= UPGRADE_H2C;
}

bool
h1_field_apply(struct h1_head *h, const char *buf, const struct h1_header *f)
{
	const char *s = buf + f->value_off;
	size_t len = f->value_len;

	switch (f->id) {
	case H1_HOST:
		if (h->answer)
			return true;
		if ((h->seen & H1_BIT(H1_HOST)) != 0)
			return refuse(h, &two_hosts);
		h->host_off = f->value_off;
		h->host_len = f->value_len;
		return host_ok(s, len) ? true : refuse(h, &bad_host);
	case H1_CONTENT_LENGTH: return apply_length(h, s, len);
	case H1_TRANSFER_ENCODING: return apply_coding(h, s, len);
	case H1_CONNECTION: return apply_connection(h, s, len);
	case H1_EXPECT:
		if (h->answer || h->minor == 0)
			return true;
		h->expect_continue = WORD_IS(s, len, "100-continue");
		return h->expect_continue ? true : refuse(h, &bad_expect);
	case H1_UPGRADE: apply_upgrade(h, s, len); return true;
	default: return true;
	}
}

/* Two names for the target would be two readings of it. An Upgrade has no meaning beside the tunnel that is asked for. */
static bool
finish_connect(struct h1_head *h, const char *buf)
{
	const char *target = buf + h->target_off;
	size_t host;

	must(host_port(target, h->target_len, &host));
	if (h->host_len > 0 && !word_is(target, h->target_len, buf + h->host_off, h->host_len) &&
	    !word_is(target, host, buf + h->host_off, h->host_len))
		return refuse(h, &other_host);
	h->host_off = h->target_off;
	h->host_len = h->target_len;
	h->upgrade = false;
	if (h->has_length || h->chunked)
		return refuse(h, &connect_body);
	h->framing = H1_NO_BODY;
	return true;
}

static bool
finish_request(struct h1_head *h, const char *buf)
{
	if (h->minor == 1 && (h->seen & H1_BIT(H1_HOST)) == 0)
		return refuse(h, &no_host);
	if (h->form == H1_AUTHORITY)
		return finish_connect(h, buf);
	if (h->form == H1_ABSOLUTE) {
		const char *authority = buf + h->target_off;
		while (*authority != '/')
			authority++;
		authority += 2;
		size_t len = (size_t)(buf + h->path_off - authority);
		if (!host_ok(authority, len))
			return refuse(h, &bad_host);
		if (h->host_len > 0 && !word_is(authority, len, buf + h->host_off, h->host_len))
			return refuse(h, &other_host);
		h->host_off = (uint16_t)(h->host_len > 0 ? h->host_off : authority - buf);
		h->host_len = (uint16_t)len;
	}
	h->framing = h->chunked ? H1_CHUNKED : h->has_length ? H1_LENGTH : H1_NO_BODY;
	if (h->method == H1_M_TRACE && h->framing != H1_NO_BODY)
		return refuse(h, &trace_body);
	return true;
}

bool
h1_head_finish(struct h1_head *h, const char *buf)
{
	if (h->chunked && h->has_length && !h->both)
		return refuse(h, &both_framings);
	h->keep_alive =
	    (h->said & SAID_CLOSE) == 0 && (h->minor == 1 || (h->said & SAID_KEEP_ALIVE) != 0);
	h->upgrade = (h->said & (SAID_UPGRADE | UPGRADE_H2C)) == SAID_UPGRADE && h->minor == 1 &&
		     (h->seen & H1_BIT(H1_UPGRADE)) != 0;
	return h->answer || finish_request(h, buf);
}

int
h1_frame_answer(struct h1_head *h, enum h1_method method, bool upgrade, unsigned client_minor)
{
	must(h->answer && h->length > 0);
	if (h->status == 101) {
		h->framing = H1_TUNNEL;
		if (upgrade)
			return 0;
		h->error = &bad_switch;
		return -EPROTO;
	}
	if (method == H1_M_CONNECT && h->status / 100 == 2) {
		h->framing = H1_TUNNEL;
		return 0;
	}
	if (h->status < 200 || h->status == 204 || h->status == 304 || method == H1_M_HEAD)
		h->framing = H1_NO_BODY;
	else if (h->chunked)
		h->framing = H1_CHUNKED;
	else if (h->has_length)
		h->framing = H1_LENGTH;
	else
		h->framing = H1_UNTIL_CLOSE;
	if (h->framing == H1_CHUNKED && client_minor == 0) {
		h->error = &old_client;
		return -EPROTO;
	}
	if (h->framing == H1_UNTIL_CLOSE)
		h->keep_alive = false;
	return 0;
}
