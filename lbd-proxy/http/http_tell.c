/* Fields that tell a server about the client's request.
 *
 * What a client sent under these names is worth as much as the policy says: with replace it is cut, with append the first
 * proxy's X-Forwarded-... stand, and Forwarded gets one more element; of a client that is not believed it is cut in any case. A value of Host can be long, so it is never copied: text
 * that is made here and the Host of the request stand in turn. */
#include "http_tell.h"

#include "base/must.h"
#include "schema/schema.h"

#include <string.h>
#include <strings.h>

enum { NAME_NONE, NAME_PROTO, NAME_HOST, NAME_PORT, NAME_FORWARDED, NAME_ID };
static const struct {
	uint8_t len, id;
	char text[18];
} names[] = {
	{ 9, NAME_FORWARDED, "forwarded" },
	{ 12, NAME_ID, "x-request-id" },
	{ 16, NAME_HOST, "x-forwarded-host" },
	{ 16, NAME_PORT, "x-forwarded-port" },
	{ 17, NAME_PROTO, "x-forwarded-proto" },
};

static unsigned
name_of(const char *buf, const struct h1_header *f)
{
	if (f->id != H1_OTHER || f->name_len < 9 || f->name_len > 17)
		return NAME_NONE;
	for (unsigned i = 0; i < ARRAY_LEN(names); i++)
		if (names[i].len == f->name_len &&
		    strncasecmp(buf + f->name_off, names[i].text, f->name_len) == 0)
			return names[i].id;
	return NAME_NONE;
}

/* An underscore is a hyphen to servers that make variables of fields (RFC 3875 section 4.1.18): this is about who a client is. */
static bool
is_ssl_client(const char *buf, const struct h1_header *f)
{
	static const char text[] = "x-ssl-client";
	const char *name = buf + f->name_off;

	if (f->id != H1_OTHER || f->name_len < sizeof(text) - 1)
		return false;
	for (size_t i = 0; i < sizeof(text) - 1; i++)
		if (text[i] == '-' ? name[i] != '-' && name[i] != '_' : (name[i] | 0x20) != text[i])
			return false;
	return true;
}

/* An id that may stand in a field and in a log. */
static bool
id_fits(const char *p, unsigned n)
{
	if (n < HTTP_ID_MIN || n > HTTP_ID_MAX)
		return false;
	for (unsigned i = 0; i < n; i++) {
		char c = p[i];

		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			c == '-' || c == '_' || c == '.' || c == ':'))
			return false;
	}
	return true;
}

const struct h1_header *
http_tell_id(const char *buf, const struct h1_head *h)
{
	for (unsigned i = 0; i < h->n; i++)
		if (name_of(buf, &h->header[i]) == NAME_ID &&
		    id_fits(buf + h->header[i].value_off, h->header[i].value_len))
			return &h->header[i];
	return NULL;
}

static enum http_told
tell_id(struct http_tell *t, const char *buf, const struct h1_header *f)
{
	if (t->request_id == request_id_off)
		return HTTP_TOLD_PASS;
	if (t->request_id == request_id_keep && !t->id_kept &&
	    id_fits(buf + f->value_off, f->value_len)) {
		t->id_kept = true;
		t->id = buf + f->value_off;
		t->id_len = (uint8_t)f->value_len;
		return HTTP_TOLD_PASS;
	}
	return HTTP_TOLD_CUT;
}

/* The element goes behind the last one. */
static enum http_told
tell_forwarded(struct http_tell *t, const char *buf, const struct h1_head *h, unsigned i)
{
	if (t->distrust)
		return HTTP_TOLD_CUT;
	if (!t->forwarded || t->policy == forwarded_off)
		return HTTP_TOLD_PASS;
	if (t->policy == forwarded_replace)
		return HTTP_TOLD_CUT;
	for (unsigned k = i + 1; k < h->n; k++)
		if (name_of(buf, &h->header[k]) == NAME_FORWARDED)
			return HTTP_TOLD_PASS;
	t->seen |= 1u << NAME_FORWARDED;
	return HTTP_TOLD_EXTEND;
}

enum http_told
http_tell_line(struct http_tell *t, const char *buf, const struct h1_head *h, unsigned i)
{
	unsigned name = name_of(buf, &h->header[i]);

	if (t->ssl_client && is_ssl_client(buf, &h->header[i]))
		return HTTP_TOLD_CUT;
	switch (name) {
	case NAME_NONE: return HTTP_TOLD_PASS;
	case NAME_ID: return tell_id(t, buf, &h->header[i]);
	case NAME_FORWARDED: return tell_forwarded(t, buf, h, i);
	default:
		if (t->distrust)
			return HTTP_TOLD_CUT;
		if (!t->x_forwarded || t->policy == forwarded_off)
			return HTTP_TOLD_PASS;
		if (t->policy == forwarded_replace)
			return HTTP_TOLD_CUT;
		t->seen |= 1u << name;
		return HTTP_TOLD_PASS;
	}
}

/* ---- text ------------------------------------------------------------------------------------- */

static void
put(struct http_tell *t, const char *p, size_t n)
{
	must(t->used + n <= sizeof(t->room));
	memcpy(t->room + t->used, p, n);
	t->used = (uint16_t)(t->used + n);
}
#define PUT(t, text) put(t, text, sizeof(text) - 1)

struct pieces {
	struct http_piece *out;
	unsigned n;
	uint16_t from; /* where the piece that is being made begins */
};

/* What was made up to here becomes a piece. */
static void
cut_here(struct http_tell *t, struct pieces *s)
{
	if (t->used > s->from)
		s->out[s->n++] = (struct http_piece){ t->room + s->from, t->used - s->from };
	s->from = t->used;
}

static void
put_host(struct http_tell *t, struct pieces *s, const char *buf, const struct h1_head *h)
{
	cut_here(t, s);
	s->out[s->n++] = (struct http_piece){ buf + h->host_off, h->host_len };
}

/* node of RFC 7239 section 6: an IPv6 address stands in brackets, and so between quotes. */
static void
put_node(struct http_tell *t, const char *p, unsigned n, bool v6)
{
	if (v6)
		PUT(t, "\"[");
	put(t, p, n);
	if (v6)
		PUT(t, "]\"");
}

static void
put_element(struct http_tell *t, struct pieces *s, const char *buf, const struct h1_head *h)
{
	PUT(t, "for=");
	put_node(t, t->client, t->client_len, t->client_v6);
	if (t->by_len > 0) {
		PUT(t, ";by=");
		put_node(t, t->by, t->by_len, t->by_v6);
	}
	PUT(t, ";proto=");
	put(t, t->scheme, strlen(t->scheme));
	if (h->host_len == 0)
		return;
	PUT(t, ";host=\""); /* the parser lets no quote or backslash into it */
	put_host(t, s, buf, h);
	PUT(t, "\"");
}

unsigned
http_tell_element(struct http_tell *t, const char *buf, const struct h1_head *h,
    struct http_piece out[HTTP_TELL_PIECES])
{
	const struct h1_header *f = NULL;
	struct pieces s = { .out = out, .from = t->used };

	for (unsigned i = 0; i < h->n; i++)
		if (name_of(buf, &h->header[i]) == NAME_FORWARDED)
			f = &h->header[i];
	if (f != NULL && f->value_len > 0)
		PUT(t, ", ");
	put_element(t, &s, buf, h);
	cut_here(t, &s);
	return s.n;
}

static void
put_port(struct http_tell *t)
{
	char text[5];
	unsigned n = sizeof(text), v = t->port;

	do
		text[--n] = (char)('0' + v % 10);
	while ((v /= 10) != 0);
	put(t, text + n, sizeof(text) - n);
}

static void
put_x_forwarded(struct http_tell *t, struct pieces *s, const char *buf, const struct h1_head *h)
{
	if ((t->seen & 1u << NAME_PROTO) == 0) {
		PUT(t, "X-Forwarded-Proto: ");
		put(t, t->scheme, strlen(t->scheme));
		PUT(t, "\r\n");
	}
	if ((t->seen & 1u << NAME_PORT) == 0) {
		PUT(t, "X-Forwarded-Port: ");
		put_port(t);
		PUT(t, "\r\n");
	}
	if ((t->seen & 1u << NAME_HOST) == 0 && h->host_len > 0) {
		PUT(t, "X-Forwarded-Host: ");
		put_host(t, s, buf, h);
		PUT(t, "\r\n");
	}
}

unsigned
http_tell_lines(struct http_tell *t, const char *buf, const struct h1_head *h,
    struct http_piece out[HTTP_TELL_PIECES])
{
	struct pieces s = { .out = out, .from = t->used };

	if (t->x_forwarded && t->policy != forwarded_off)
		put_x_forwarded(t, &s, buf, h);
	if (t->forwarded && t->policy != forwarded_off && (t->seen & 1u << NAME_FORWARDED) == 0) {
		PUT(t, "Forwarded: ");
		put_element(t, &s, buf, h);
		PUT(t, "\r\n");
	}
	if (t->via) {
		PUT(t, "Via: ");
		put(t, t->h3 ? "3.0" : t->h2 ? "2.0" : h->minor == 0 ? "1.0" : "1.1", 3);
		PUT(t, " lbd\r\n");
	}
	if (t->request_id != request_id_off && !t->id_kept) {
		PUT(t, "X-Request-ID: ");
		put(t, t->id, t->id_len);
		PUT(t, "\r\n");
	}
	cut_here(t, &s);
	if (t->lines_len > 0)
		s.out[s.n++] = (struct http_piece){ t->lines, t->lines_len };
	return s.n;
}
