/* Heads between HTTP/2 and HTTP/1.1.
 *
 * nghttp2 has looked at the fields already; they are looked at again, because here they become lines, and a byte that is not
 * seen here would be one that a server reads. The text is then read by the parser that reads all requests, with its own rules. */
#include "h2_head.h"

#include <errno.h>
#include <string.h>

#include "base/must.h"

#define IS(p, n, text) ((n) == sizeof(text) - 1 && memcmp(p, text, sizeof(text) - 1) == 0)
#define NAME_IS(f, text) IS((f)->name, (f)->name_len, text)
#define VALUE_IS(f, text) IS((f)->value, (f)->value_len, text)

static bool
is_space(char c)
{
	return c == ' ' || c == '\t';
}

/* RFC 9110 section 5.5, with no white space around it (RFC 9113 section 8.2.1). */
static bool
value_ok(const char *s, size_t n)
{
	if (n > 0 && (is_space(s[0]) || is_space(s[n - 1])))
		return false;
	for (size_t i = 0; i < n; i++) {
		uint8_t b = (uint8_t)s[i];

		if ((b < 0x20 && b != '\t') || b == 0x7f)
			return false;
	}
	return true;
}

/* Nothing that would end a word of the request line. */
static bool
word_ok(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((uint8_t)s[i] <= ' ' || (uint8_t)s[i] >= 0x7f)
			return false;
	return n > 0;
}

static bool
name_ok(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (s[i] >= 'A' && s[i] <= 'Z')
			return false;
	return h1_is_token(s, n);
}

/* Of one connection of HTTP/1.1 (RFC 9113 section 8.2.2). */
static bool
is_of_connection(const struct h2_field *f)
{
	return NAME_IS(f, "connection") || NAME_IS(f, "keep-alive") ||
	       NAME_IS(f, "proxy-connection") || NAME_IS(f, "transfer-encoding") ||
	       NAME_IS(f, "upgrade") || NAME_IS(f, "http2-settings") ||
	       (NAME_IS(f, "te") && !VALUE_IS(f, "trailers"));
}

bool
h2_field_ok(const struct h2_field *f)
{
	return name_ok(f->name, f->name_len) && value_ok(f->value, f->value_len) &&
	       !is_of_connection(f);
}

/* Where a pseudo-header field belongs; NULL: unknown. */
static const struct h2_field **
pseudo(struct h2_request *r, const struct h2_field *f)
{
	if (NAME_IS(f, ":method"))
		return &r->method;
	if (NAME_IS(f, ":scheme"))
		return &r->scheme;
	if (NAME_IS(f, ":authority"))
		return &r->authority;
	if (NAME_IS(f, ":path"))
		return &r->path;
	if (NAME_IS(f, ":protocol"))
		return &r->protocol;
	return NULL;
}

static bool
scheme_ok(const struct h2_field *f)
{
	return VALUE_IS(f, "http") || VALUE_IS(f, "https");
}

static bool
path_ok(const struct h2_field *f, bool options)
{
	return word_ok(f->value, f->value_len) &&
	       (f->value[0] == '/' || (options && VALUE_IS(f, "*")));
}

/* Equal but for the case of letters; hosts have no others that differ in this bit alone. */
static bool
same_host(const struct h2_field *a, const struct h2_field *b)
{
	if (a->value_len != b->value_len)
		return false;
	for (uint32_t i = 0; i < a->value_len; i++) {
		char x = a->value[i], y = b->value[i];

		if (x != y && ((x | 0x20) != (y | 0x20) || (x | 0x20) < 'a' || (x | 0x20) > 'z'))
			return false;
	}
	return true;
}

/* RFC 9113 sections 8.3.1 and 8.5, RFC 8441 section 4. */
static bool
pseudo_ok(struct h2_request *r)
{
	bool connect;

	if (r->method == NULL || !h1_is_token(r->method->value, r->method->value_len))
		return false;
	if (r->authority != NULL && !word_ok(r->authority->value, r->authority->value_len))
		return false;
	connect = VALUE_IS(r->method, "CONNECT");
	r->h1_method = VALUE_IS(r->method, "HEAD") ? H1_M_HEAD : H1_M_OTHER;
	if (connect && r->protocol == NULL) {
		r->h1_method = H1_M_CONNECT;
		return r->scheme == NULL && r->path == NULL && r->authority != NULL;
	}
	if (r->scheme == NULL || r->path == NULL || !scheme_ok(r->scheme) ||
	    !path_ok(r->path, VALUE_IS(r->method, "OPTIONS")))
		return false;
	if (r->protocol == NULL)
		return true;
	r->tunnel = VALUE_IS(r->protocol, "websocket");
	return connect && r->authority != NULL &&
	       h1_is_token(r->protocol->value, r->protocol->value_len);
}

int
h2_request_read(const struct h2_field *f, unsigned n, struct h2_request *out)
{
	struct h2_request r = { 0 };
	unsigned i;

	for (i = 0; i < n && f[i].name_len > 0 && f[i].name[0] == ':'; i++) {
		const struct h2_field **at = pseudo(&r, &f[i]);

		if (at == NULL || *at != NULL)
			return -EPROTO;
		*at = &f[i];
	}
	if (!pseudo_ok(&r))
		return -EPROTO;
	for (; i < n; i++) {
		if (!h2_field_ok(&f[i]))
			return -EPROTO;
		if (NAME_IS(&f[i], "host") && r.authority != NULL && !same_host(&f[i], r.authority))
			return -EPROTO;
		r.has_length = r.has_length || NAME_IS(&f[i], "content-length");
		r.announces = r.announces || NAME_IS(&f[i], "trailer");
		r.has_cookie = r.has_cookie || NAME_IS(&f[i], "cookie");
	}
	*out = r;
	return 0;
}

size_t
h2_request_room(const struct h2_field *f, unsigned n)
{
	size_t room = H2_TEXT_MORE;

	for (unsigned i = 0; i < n; i++)
		room += (size_t)f[i].name_len + f[i].value_len + 4 +
			(NAME_IS(&f[i], ":authority") ? f[i].value_len : 0); /* of a URL, too */
	return room;
}

static char *
put(char *o, const char *s, size_t n)
{
	return mempcpy(o, s, n);
}
#define PUT(o, text) put(o, text, sizeof(text) - 1)

static char *
put_line(char *o, const struct h2_field *f)
{
	o = put(o, f->name, f->name_len);
	o = PUT(o, ": ");
	o = put(o, f->value, f->value_len);
	return PUT(o, "\r\n");
}

static char *
put_request_line(char *o, const struct h2_request *r, bool absolute)
{
	const struct h2_field *target = r->path != NULL ? r->path : r->authority;

	o = r->tunnel ? PUT(o, "GET") : put(o, r->method->value, r->method->value_len);
	*o++ = ' ';
	if (absolute && r->protocol == NULL && r->path != NULL && r->path->value[0] == '/' &&
	    r->authority != NULL) {
		o = put(o, r->scheme->value, r->scheme->value_len);
		o = PUT(o, "://");
		o = put(o, r->authority->value, r->authority->value_len);
	}
	o = put(o, target->value, target->value_len);
	o = PUT(o, " HTTP/1.1\r\n");
	if (r->authority == NULL)
		return o;
	o = PUT(o, "Host: ");
	o = put(o, r->authority->value, r->authority->value_len);
	return PUT(o, "\r\n");
}

/* RFC 9113 section 8.2.3 */
static char *
put_cookie(char *o, const struct h2_field *f, unsigned n)
{
	bool first = true;

	o = PUT(o, "cookie: ");
	for (unsigned i = 0; i < n; i++) {
		if (!NAME_IS(&f[i], "cookie"))
			continue;
		if (!first)
			o = PUT(o, "; ");
		first = false;
		o = put(o, f[i].value, f[i].value_len);
	}
	return PUT(o, "\r\n");
}

/* A method for which servers expect to be told that there is no body (RFC 9110 section 8.6). */
static bool
means_body(const struct h2_field *method)
{
	return VALUE_IS(method, "POST") || VALUE_IS(method, "PUT") || VALUE_IS(method, "PATCH");
}

bool
h2_request_length(const struct h2_request *r, bool ended)
{
	return r->has_length &&
	       (!r->announces || ended || r->tunnel || r->h1_method == H1_M_CONNECT);
}

static bool
is_copied(const struct h2_request *r, const struct h2_field *f, bool length)
{
	if (f->name[0] == ':' || NAME_IS(f, "cookie"))
		return false;
	if (NAME_IS(f, "host"))
		return r->authority == NULL;
	if (NAME_IS(f, "content-length"))
		return length;
	return !r->tunnel || !NAME_IS(f, "sec-websocket-key");
}

size_t
h2_request_text(const struct h2_request *r, const struct h2_field *f, unsigned n,
    const struct h2_request_about *about, char *out)
{
	bool length = h2_request_length(r, about->ended);
	char *o = put_request_line(out, r, about->absolute);

	for (unsigned i = 0; i < n; i++)
		if (is_copied(r, &f[i], length))
			o = put_line(o, &f[i]);
	if (r->has_cookie)
		o = put_cookie(o, f, n);
	if (r->tunnel) {
		o = PUT(o, "Upgrade: websocket\r\nSec-WebSocket-Key: ");
		o = put(o, about->key, strlen(about->key));
		o = PUT(o, "\r\nConnection: Upgrade, close\r\n\r\n");
		return (size_t)(o - out);
	}
	if (!about->ended && !length && r->h1_method != H1_M_CONNECT)
		o = PUT(o, "Transfer-Encoding: chunked\r\n");
	else if (about->ended && !r->has_length && means_body(r->method))
		o = PUT(o, "Content-Length: 0\r\n");
	o = PUT(o, "Connection: close\r\n\r\n");
	return (size_t)(o - out);
}

size_t
h2_request_large(char *out)
{
	char *o = PUT(out, "GET / HTTP/1.1\r\n");

	for (unsigned i = 0; i <= H1_HEADERS_MAX; i++)
		o = PUT(o, "a:\r\n");
	o = PUT(o, "\r\n");
	must((size_t)(o - out) <= H2_LARGE);
	return (size_t)(o - out);
}

size_t
h2_trailer_text(const struct h2_field *f, unsigned n, char *out)
{
	char *o = PUT(out, "0\r\n");

	for (unsigned i = 0; i < n; i++) {
		if (!h2_field_ok(&f[i]))
			return 0;
		o = put_line(o, &f[i]);
	}
	o = PUT(o, "\r\n");
	return (size_t)(o - out);
}

/* The name in lower case, at names; its end. */
static char *
put_name(struct h2_field *f, char *names, const char *s, size_t n)
{
	f->name = names;
	f->name_len = (uint32_t)n;
	for (size_t i = 0; i < n; i++)
		names[i] = s[i] >= 'A' && s[i] <= 'Z' ? (char)(s[i] - 'A' + 'a') : s[i];
	return names + n;
}

static bool
is_forwarded(const struct h1_header *f, const struct h2_field *named, bool switched)
{
	switch (f->id) {
	case H1_CONNECTION:
	case H1_KEEP_ALIVE:
	case H1_PROXY_CONNECTION:
	case H1_TRANSFER_ENCODING:
	case H1_UPGRADE:
	case H1_HTTP2_SETTINGS: return false;
	case H1_CONTENT_LENGTH: return !switched;
	default: return !switched || !NAME_IS(named, "sec-websocket-accept");
	}
}

unsigned
h2_answer_fields(
    const char *buf, const struct h1_head *h, bool tunnel, struct h2_field *out, char *names)
{
	bool switched = tunnel && h->status == 101;
	unsigned status = switched ? 200 : h->status, n = 1;

	names[0] = (char)('0' + status / 100);
	names[1] = (char)('0' + status / 10 % 10);
	names[2] = (char)('0' + status % 10);
	out[0] = (struct h2_field){ ":status", names, 7, 3 };
	names += 3;
	for (unsigned i = 0; i < h->n; i++) {
		const struct h1_header *f = &h->header[i];
		char *end = put_name(&out[n], names, buf + f->name_off, f->name_len);

		if (!is_forwarded(f, &out[n], switched))
			continue;
		out[n].value = buf + f->value_off;
		out[n++].value_len = f->value_len;
		names = end;
	}
	return n;
}

/* One line without its end; false: not to be passed on. */
static bool
trailer_line(const char *s, size_t len, struct h2_field *f, char *names)
{
	const char *colon = memchr(s, ':', len), *v, *end = s + len;

	if (colon == NULL || !h1_is_token(s, (size_t)(colon - s)))
		return false;
	(void)put_name(f, names, s, (size_t)(colon - s));
	for (v = colon + 1; v < end && is_space(*v); v++)
		;
	while (end > v && is_space(end[-1]))
		end--;
	f->value = v;
	f->value_len = (uint32_t)(end - v);
	return h2_field_ok(f);
}

unsigned
h2_trailer_fields(const char *text, size_t len, struct h2_field *out, unsigned max, char *names)
{
	const char *s = text, *end = text + len, *eol;
	unsigned n = 0;

	for (; n < max && (eol = memchr(s, '\r', (size_t)(end - s))) != NULL && eol > s;
	     s = eol + 2) {
		if (trailer_line(s, (size_t)(eol - s), &out[n], names))
			names += out[n++].name_len;
		if (end - eol < 2)
			break;
	}
	return n;
}
