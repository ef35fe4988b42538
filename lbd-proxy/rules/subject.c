/* Where each field of a condition finds its value. Nothing of a path is decoded here. */
#include "subject.h"

#include "base/must.h"

#include "hello.h"
#include "http/cookie.h"
#include "rates/meters.h"
#include "tls/tls.h"

#include <string.h>
#include <strings.h>

void
subject_url(struct subject *s, const char *url, uint32_t len)
{
	const char *mark = memchr(url, '?', len);

	s->url = url;
	s->url_len = len;
	s->path_len = mark == NULL ? len : (uint32_t)(mark - url);
}

static struct target
target_now(const struct subject *s)
{
	return (struct target){ s->url, s->url_len, s->path_len };
}

void
subject_request(struct subject *s, struct conn *c, const char *buf, const struct h1_head *head)
{
	uint32_t len = (uint32_t)head->target_off + head->target_len - head->path_off;

	*s = (struct subject){ .c = c, .buf = buf, .head = head };
	if (len == 0 && head->form == H1_ABSOLUTE) /* http://host alone */
		subject_url(s, "/", 1);
	else
		subject_url(s, buf + head->path_off, len);
	s->asked = target_now(s);
}

static bool
text(struct when_found *out, const char *p, size_t n)
{
	out->text = p;
	out->len = (uint32_t)n;
	return true;
}

/* Without the port; an IPv6 address keeps its brackets. */
static bool
host(const struct subject *s, struct when_found *out)
{
	const char *p = s->buf + s->head->host_off, *end;
	size_t n = s->head->host_len;

	if (n == 0)
		return false;
	end = p[0] == '[' ? memchr(p, ']', n) : memchr(p, ':', n);
	if (end != NULL)
		n = (size_t)(end - p) + (p[0] == '[');
	return text(out, p, n);
}

static bool
query(struct target t, struct when_found *out)
{
	if (t.path_len == t.len)
		return false;
	return text(out, t.url + t.path_len + 1, t.len - t.path_len - 1);
}

static bool
param(struct target t, const char *name, unsigned name_len, unsigned nth, struct when_found *out)
{
	const char *p = t.url + t.path_len + 1, *end = t.url + t.len, *stop;

	for (; p <= end && t.path_len < t.len; p = stop + 1) {
		size_t n;

		stop = memchr(p, '&', (size_t)(end - p));
		stop = stop == NULL ? end : stop;
		n = (size_t)(stop - p);
		if (n < name_len || memcmp(p, name, name_len) != 0 ||
		    (n > name_len && p[name_len] != '='))
			continue;
		if (nth-- > 0)
			continue;
		return n == name_len ? text(out, p + n, 0)
				     : text(out, p + name_len + 1, n - name_len - 1);
	}
	return false;
}

static bool
header(const char *buf, const struct h1_head *h, const char *name, unsigned name_len, unsigned nth,
    struct when_found *out)
{
	for (unsigned i = 0; h != NULL && i < h->n; i++) {
		const struct h1_header *f = &h->header[i];

		if (f->name_len == name_len &&
		    strncasecmp(buf + f->name_off, name, name_len) == 0 && nth-- == 0)
			return text(out, buf + f->value_off, f->value_len);
	}
	return false;
}

static bool
cookie(const struct subject *s, const char *name, unsigned name_len, struct when_found *out)
{
	struct cookie_span v;

	if ((s->head->seen & H1_BIT(H1_COOKIE)) == 0)
		return false;
	for (unsigned i = 0; i < s->head->n; i++) {
		const struct h1_header *f = &s->head->header[i];

		if (f->id == H1_COOKIE &&
		    cookie_find(s->buf + f->value_off, f->value_len, name, name_len, &v))
			return text(out, v.at, v.len);
	}
	return false;
}

static bool
by_tls(const struct subject *s)
{
	return s->said != NULL ? s->said->tls : s->c->tls != NULL;
}

static bool
sni(const struct subject *s, struct when_found *out)
{
	const char *name;

	if (s->said != NULL)
		return s->said->sni != NULL && text(out, s->said->sni, s->said->sni_len);
	if (s->hello != NULL)
		return s->hello->sni != NULL && text(out, s->hello->sni, s->hello->sni_len);
	if (s->c->tls == NULL)
		return false;
	name = tls_name(s->c->tls);
	return name[0] != '\0' && text(out, name, strlen(name));
}

/* A line of what servers are told of the client's certificate. */
static bool
cert_line(const struct subject *s, const char *name, struct when_found *out)
{
	size_t len = 0, n = strlen(name);
	const char *p = s->c->tls == NULL ? "" : tls_client_lines(s->c->tls, &len), *end = p + len;

	while (p < end) {
		const char *stop = memchr(p, '\r', (size_t)(end - p));

		if (stop == NULL)
			break;
		if ((size_t)(stop - p) >= n && memcmp(p, name, n) == 0)
			return text(out, p + n, (size_t)(stop - p) - n);
		p = stop + 2;
	}
	return false;
}

static bool
cert(const struct subject *s, struct when_found *out)
{
	bool shown = cert_line(s, "X-SSL-Client-Verify: SUCCESS", out);

	return text(out, shown ? "yes" : "no", shown ? 3 : 2);
}

/* The first CN of a subject (RFC 2253), as it stands there. */
static bool
common_name(const struct subject *s, struct when_found *out)
{
	const char *p, *end;
	bool begins = true;

	if (!cert_line(s, "X-SSL-Client-Subject: ", out))
		return false;
	for (p = out->text, end = p + out->len; p < end; p++) {
		if (begins && end - p > 3 && memcmp(p, "CN=", 3) == 0) {
			const char *from = p += 3;

			while (p < end && *p != ',' && *p != '+')
				p += *p == '\\' && p + 1 < end ? 2 : 1;
			return text(out, from, (size_t)(p - from));
		}
		begins = *p == ',' || *p == '+';
		if (*p == '\\')
			p++;
	}
	return false;
}

/* What may be there more than once. */
static bool
get_named(const struct subject *s, unsigned source, const char *name, unsigned name_len,
    unsigned nth, struct when_found *out)
{
	switch (source) {
	case WHEN_header: return header(s->buf, s->head, name, name_len, nth, out);
	case WHEN_answer_header: return header(s->answer_buf, s->answer, name, name_len, nth, out);
	case WHEN_param: return param(target_now(s), name, name_len, nth, out);
	case WHEN_asked_param: return param(s->asked, name, name_len, nth, out);
	case WHEN_alpn:
		return s->hello != NULL && nth < s->hello->alpn_n &&
		       text(out, s->hello->alpn[nth].p, s->hello->alpn[nth].len);
	default: return nth == 0 && cookie(s, name, name_len, out);
	}
}

/* What is about the connection. */
static bool
get_conn(const struct subject *s, unsigned source, struct when_found *out)
{
	switch (source) {
	case WHEN_src: out->addr = &s->c->addr; return true;
	case WHEN_src_port: out->number = s->c->peer_port; return true;
	case WHEN_dst: out->addr = &s->c->svc->view->address; return true;
	case WHEN_port: out->number = s->c->port; return true;
	case WHEN_sni: return sni(s, out);
	case WHEN_scheme: return by_tls(s) ? text(out, "https", 5) : text(out, "http", 4);
	case WHEN_cert: return cert(s, out);
	case WHEN_cert_subject: return cert_line(s, "X-SSL-Client-Subject: ", out);
	case WHEN_cert_issuer: return cert_line(s, "X-SSL-Client-Issuer: ", out);
	case WHEN_cert_serial: return cert_line(s, "X-SSL-Client-Serial: ", out);
	case WHEN_cert_cn: return common_name(s, out);
	default: return false;
	}
}

static bool
by_server(const struct subject *s, const struct addr **addr_out, uint64_t *port_out)
{
	if (s->server == NULL)
		return false;
	if (addr_out != NULL)
		*addr_out = &s->server->addr;
	if (port_out != NULL)
		*port_out = s->server->port;
	return true;
}

bool
subject_get(void *arg, unsigned source, const char *name, unsigned name_len, unsigned nth,
    struct when_found *out)
{
	const struct subject *s = arg;

	if (source == WHEN_rate || source == WHEN_conns)
		return nth == 0 && meters_get(s->meters, (const void *)name, out);
	if (name != NULL || source == WHEN_alpn)
		return (source == WHEN_alpn || source == WHEN_answer_header || s->head != NULL) &&
		       get_named(s, source, name, name_len, nth, out);
	if (nth > 0)
		return false;
	if (s->head == NULL)
		return get_conn(s, source, out);
	switch (source) {
	case WHEN_host: return host(s, out);
	case WHEN_path: return text(out, s->url, s->path_len);
	case WHEN_url: return text(out, s->url, s->url_len);
	case WHEN_query: return query(target_now(s), out);
	case WHEN_asked_path: return text(out, s->asked.url, s->asked.path_len);
	case WHEN_asked_url: return text(out, s->asked.url, s->asked.len);
	case WHEN_asked_query: return query(s->asked, out);
	case WHEN_method: return text(out, s->buf + s->head->start, s->head->method_len);
	case WHEN_version: return text(out, s->head->minor == 0 ? "1.0" : "1.1", 3);
	case WHEN_body: return s->body != NULL && text(out, s->body, s->body_len);
	case WHEN_status:
		if (s->answer == NULL)
			return false;
		out->number = s->answer->status;
		return true;
	case WHEN_server_address: return by_server(s, &out->addr, NULL);
	case WHEN_server_port: return by_server(s, NULL, &out->number);
	default: return get_conn(s, source, out);
	}
}
