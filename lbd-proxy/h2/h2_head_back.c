/* Heads of requests as fields, and of answers as text: the way to a server and back.
 *
 * The request is ours: read strictly, and written anew, before it comes here; so its lines are only taken apart. The answer is of a stranger, and
 * looked at as closely as what clients send; its text is then read by the parser that reads all answers. */
#include "h2_head.h"

#include "http/reason.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define IS(p, n, text) ((n) == sizeof(text) - 1 && memcmp(p, text, sizeof(text) - 1) == 0)
#define NAME_IS(f, text) IS((f)->name, (f)->name_len, text)
#define PUT(o, text) mempcpy(o, text, sizeof(text) - 1)

unsigned
h2_ask_lines(const char *text, size_t len, size_t *end_out)
{
	const char *s = text, *eol;
	unsigned n = 0;

	while ((eol = memchr(s, '\r', len - (size_t)(s - text))) != NULL && eol + 1 < text + len) {
		if (eol == s) {
			*end_out = (size_t)(eol + 2 - text);
			return n;
		}
		n++;
		s = eol + 2;
	}
	return 0;
}

/* The next line, without its end. */
static const char *
next_line(const char **at, const char *end, size_t *len_out)
{
	const char *s = *at, *eol = memchr(s, '\r', (size_t)(end - s));

	*len_out = (size_t)(eol - s);
	*at = eol + 2;
	return s;
}

/* Of a target in absolute form, which its service passes on: scheme and path apart. Host says what is between them. */
static void
take_apart(struct h2_field *scheme, struct h2_field *path)
{
	const char *s = path->value, *end = s + path->value_len, *p;

	if (*s == '/' || (p = memmem(s, (size_t)(end - s), "://", 3)) == NULL)
		return;
	scheme->value = p - s == 5 ? "https" : "http";
	scheme->value_len = (uint32_t)(p - s);
	for (p += 3; p < end && *p != '/'; p++)
		;
	if (p == end) /* of OPTIONS alone */
		*path = (struct h2_field){ ":path", "*", 5, 1 };
	else
		*path = (struct h2_field){ ":path", p, 5, (uint32_t)(end - p) };
}

/* Into :method, :scheme and :path; of a tunnel :protocol too. */
static bool
ask_line(const char *s, size_t len, struct h2_ask *a, struct h2_field *out)
{
	const char *sp = memchr(s, ' ', len), *path = sp == NULL ? NULL : sp + 1, *version;

	version = path == NULL ? NULL : memchr(path, ' ', len - (size_t)(path - s));
	if (version == NULL || s + len - version != 9)
		return false;
	a->head = IS(s, (size_t)(sp - s), "HEAD");
	a->old = version[8] == '0';
	out[0] = (struct h2_field){ ":method", s, 7, (uint32_t)(sp - s) };
	out[1] = (struct h2_field){ ":scheme", a->tls ? "https" : "http", 7, a->tls ? 5 : 4 };
	out[2] = (struct h2_field){ ":path", path, 5, (uint32_t)(version - path) };
	take_apart(&out[1], &out[2]);
	if (a->tunnel) {
		out[0] = (struct h2_field){ ":method", "CONNECT", 7, 7 };
		out[3] = (struct h2_field){ ":protocol", "websocket", 9, 9 };
	}
	return true;
}

/* A line as a field with its name in lower case; false: it has none. */
static bool
read_line(const char *s, size_t len, struct h2_field *f, char *names)
{
	const char *colon = memchr(s, ':', len), *v, *end = s + len;

	if (colon == NULL)
		return false;
	f->name = names;
	f->name_len = (uint32_t)(colon - s);
	for (size_t i = 0; i < f->name_len; i++)
		names[i] = s[i] >= 'A' && s[i] <= 'Z' ? (char)(s[i] - 'A' + 'a') : s[i];
	for (v = colon + 1; v < end && (*v == ' ' || *v == '\t'); v++)
		;
	while (end > v && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	f->value = v;
	f->value_len = (uint32_t)(end - v);
	return true;
}

static uint64_t
number(const struct h2_field *f)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < f->value_len; i++)
		n = n * 10 + (uint64_t)(f->value[i] - '0');
	return n;
}

/* Whether a field goes to the server; what it says of the body is noted. */
static bool
is_asked(const struct h2_field *f, struct h2_ask *a)
{
	switch (f->name_len) {
	case 2: return !NAME_IS(f, "te");
	case 7: return !NAME_IS(f, "upgrade");
	case 10: return !NAME_IS(f, "connection") && !NAME_IS(f, "keep-alive");
	case 14:
		if (NAME_IS(f, "content-length"))
			a->length = number(f);
		return !NAME_IS(f, "http2-settings");
	case 16: return !NAME_IS(f, "proxy-connection");
	case 17:
		if (a->tunnel && NAME_IS(f, "sec-websocket-key")) {
			websocket_accept(f->value, f->value_len, a->accept);
			return false;
		}
		if (!NAME_IS(f, "transfer-encoding"))
			return true;
		a->chunked = true; /* the only coding that the parser takes */
		return false;
	default: return true;
	}
}

unsigned
h2_ask_fields(const char *text, size_t end, struct h2_ask *a, struct h2_field *out, char *names)
{
	const char *at = text, *s;
	unsigned lead = a->tunnel ? 4 : 3,
		 n = lead + 1; /* pseudo-header fields before :authority */
	struct h2_field host = { 0 }, *f = out + n;
	size_t len;

	a->chunked = false;
	a->length = 0;
	a->accept[0] = '\0';
	s = next_line(&at, text + end, &len);
	if (!ask_line(s, len, a, out))
		return 0;
	while (at < text + end - 2) {
		s = next_line(&at, text + end, &len);
		if (!read_line(s, len, f, names))
			return 0;
		if (NAME_IS(f, "host")) {
			if (host.value == NULL)
				host = *f;
			continue;
		}
		if (!is_asked(f, a))
			continue;
		names += f->name_len;
		f++;
		n++;
	}
	if (a->trailers) {
		*f = (struct h2_field){ "te", "trailers", 2, 8 };
		n++;
	}
	if (host.value_len > 0) {
		out[lead] = (struct h2_field){ ":authority", host.value, 10, host.value_len };
		return n;
	}
	memmove(out + lead, out + lead + 1,
	    (n - lead - 1) * sizeof(*out)); /* of HTTP/1.0: it names no host */
	return n - 1;
}

int
h2_answer_read(const struct h2_field *f, unsigned n, struct h2_answer *out)
{
	struct h2_answer a = { 0 };

	if (n == 0 || !NAME_IS(f, ":status") || f->value_len != 3)
		return -EPROTO;
	for (unsigned i = 0; i < 3; i++) {
		if (f->value[i] < '0' || f->value[i] > '9')
			return -EPROTO;
		a.status = (uint16_t)(a.status * 10 + (f->value[i] - '0'));
	}
	if (a.status < 100 || a.status > 599 || a.status == 101)
		return -EPROTO;
	for (unsigned i = 1; i < n; i++) {
		if (!h2_field_ok(&f[i]))
			return -EPROTO;
		a.has_length = a.has_length || NAME_IS(&f[i], "content-length");
	}
	*out = a;
	return 0;
}

static char *
put_line(char *o, const struct h2_field *f)
{
	o = mempcpy(o, f->name, f->name_len);
	o = PUT(o, ": ");
	o = mempcpy(o, f->value, f->value_len);
	return PUT(o, "\r\n");
}

/* The tunnel stands: what a server of HTTP/1.1 would say. */
static size_t
switch_text(const struct h2_field *f, unsigned n, const struct h2_ask *ask, char *out)
{
	char *o = PUT(out, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
			   "Connection: Upgrade\r\n");

	if (ask->accept[0] != '\0') {
		o = PUT(o, "Sec-WebSocket-Accept: ");
		o = stpcpy(o, ask->accept);
		o = PUT(o, "\r\n");
	}
	for (unsigned i = 1; i < n; i++)
		if (!NAME_IS(&f[i], "content-length") && !NAME_IS(&f[i], "sec-websocket-accept"))
			o = put_line(o, &f[i]);
	o = PUT(o, "\r\n");
	return (size_t)(o - out);
}

size_t
h2_answer_text(struct h2_answer *a, const struct h2_field *f, unsigned n, bool ended,
    const struct h2_ask *ask, char *out)
{
	bool bodiless = a->status < 200 || a->status == 204 || a->status == 304 || ask->head;
	char *o;

	a->chunked = false;
	if (ask->tunnel && a->status / 100 == 2)
		return switch_text(f, n, ask, out);
	o = PUT(out, "HTTP/1.1 ");
	o = mempcpy(o, f->value, 3);
	*o++ = ' ';
	o = stpcpy(o, http_reason(a->status)); /* HTTP/2 has none (RFC 9113 section 8.3.2) */
	o = PUT(o, "\r\n");
	for (unsigned i = 1; i < n; i++)
		o = put_line(o, &f[i]);
	a->chunked = !bodiless && !ended && !ask->old && (!a->has_length || ask->both);
	if (a->chunked)
		o = PUT(o, "Transfer-Encoding: chunked\r\n");
	else if (ended && !bodiless && !a->has_length)
		o = PUT(o, "Content-Length: 0\r\n");
	o = PUT(o, "\r\n");
	return (size_t)(o - out);
}
