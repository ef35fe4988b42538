/* Answers, with the headers that every one of them carries. Faults go out in one of two forms: problem+json
 * (RFC 9457) for programs, with the same sentence that lbctl prints, or a page for people.
 *
 * The content security policy allows nothing inline and nothing from elsewhere. Strict transport security is not
 * sent, because the first certificate is self-signed and the address may serve other things on other ports. */
#include "web.h"
#include "pages/page.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct code_row {
	int code;
	unsigned status;
	const char *name;
};
static const struct code_row codes[] = {
	{ ERR_INVALID, 422, "invalid" },
	{ ERR_UNKNOWN, 404, "unknown" },
	{ ERR_CONFLICT, 409, "conflict" },
	{ ERR_DENIED, 403, "denied" },
	{ ERR_AWAY, 503, "away" },
	{ ERR_STORE, 503, "store" },
	{ ERR_USAGE, 400, "usage" },
	{ ERR_REVERTED, 409, "reverted" },
	{ -ENOSPC, 507, "store" },
	{ -ETIMEDOUT, 504, "timeout" },
};

unsigned
reply_status_of(const struct err *err)
{
	/* A field that names what is not there is a wrong value, not a missing page. */
	if (err->code == ERR_UNKNOWN && err->field[0] != '\0')
		return 422;
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (codes[i].code == err->code)
			return codes[i].status;
	return 500;
}

static const char *
code_name(int code)
{
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (codes[i].code == code)
			return codes[i].name;
	return "internal";
}

static const char *
title(unsigned status)
{
	switch (status) {
	case 400: return "Bad request";
	case 401: return "Not logged in";
	case 403: return "Not allowed";
	case 404: return "Not found";
	case 405: return "Method not allowed";
	case 406: return "Not acceptable";
	case 409: return "Conflict";
	case 412: return "Changed in the meantime";
	case 413: return "Body too long";
	case 415: return "Unsupported media type";
	case 422: return "Not allowed by the schema";
	case 429: return "Too many attempts";
	case 503: return "Not available now";
	default: return "Internal fault";
	}
}

void
problem_json(
    struct buf *b, unsigned status, const struct err *err, const char *instance, const char *id)
{
	char pointer[80];

	buf_printf(b, "{\"type\":\"urn:lbd:problem:%s\",\"title\":", code_name(err->code));
	view_json_text(b, title(status));
	buf_printf(b, ",\"status\":%u,\"detail\":", status);
	view_json_text(b, err->text);
	buf_puts(b, ",\"instance\":");
	view_json_text(b, utf8_valid(instance, strlen(instance)) ? instance : "");
	buf_puts(b, ",\"request_id\":");
	view_json_text(b, id);
	if (err->field[0] != '\0') {
		(void)snprintf(pointer, sizeof(pointer), "/%s", err->field);
		buf_puts(b, ",\"errors\":[{\"pointer\":");
		view_json_text(b, pointer);
		buf_printf(b, ",\"code\":\"%s\",\"detail\":", code_name(err->code));
		view_json_text(b, err->text);
		buf_puts(b, "}]");
	}
	buf_puts(b, "}\n");
}

void
reply_headers(struct call *c)
{
	static const char *const fixed[][2] = {
		{ "Content-Security-Policy",
		    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
		    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'" },
		{ "X-Content-Type-Options", "nosniff" },
		{ "Referrer-Policy", "no-referrer" },
		{ "Cross-Origin-Opener-Policy", "same-origin" },
		{ "Cross-Origin-Resource-Policy", "same-origin" },
	};

	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
		http_set(c->rq, fixed[i][0], fixed[i][1]);
	http_set(c->rq, "X-Request-Id", c->id);
}

void
reply_text(struct call *c, unsigned status, const char *type, struct buf *body)
{
	reply_headers(c);
	if (type != NULL)
		http_set(c->rq, "Content-Type", type);
	http_set(c->rq, "Cache-Control", "no-store");
	http_send(c->rq, status, body);
}

void
reply_json(struct call *c, unsigned status, struct buf *body)
{
	reply_text(c, status, "application/json", body);
}

void
reply_page(struct call *c, unsigned status, struct buf *body)
{
	reply_text(c, status, "text/html; charset=utf-8", body);
}

void
reply_redirect(struct call *c, const char *where)
{
	struct buf none = { 0 };

	http_set(c->rq, "Location", where);
	reply_text(c, 303, NULL, &none);
}

void
reply_overview(struct call *c, const char *query, const char *anchor)
{
	struct buf url = { 0 };

	/* Only a query: a whole address could lead elsewhere. */
	buf_puts(&url, "/");
	for (const char *p = query[0] == '?' ? query : ""; *p != '\0'; p++)
		buf_printf(&url,
		    strchr("\"<>\\^`{|}", *p) == NULL && *p > ' ' && *p < 0x7f ? "%c" : "%%%02X",
		    (unsigned)(unsigned char)*p);
	if (anchor != NULL)
		buf_printf(&url, "#%s", anchor);
	reply_redirect(c, buf_text(&url));
	buf_fini(&url);
}

void
reply_error(struct call *c, unsigned status, const struct err *err)
{
	struct frame f = { .lone = c->session == NULL };
	struct buf b = { 0 };

	status = status != 0 ? status : reply_status_of(err);
	if (c->api) {
		problem_json(&b, status, err, c->rq->path, c->id);
		reply_text(c, status, "application/problem+json", &b);
		return;
	}
	f.title = title(status);
	frame_begin(c, &b, &f);
	page_add(&b,
	    "<section class=\"note e\" role=\"alert\" aria-labelledby=\"fault\"><h1 id=\"fault\">%s</h1>"
	    "<p>%s</p></section>\n<p><a class=\"btn\" href=\"/\">System Overview</a></p>\n",
	    f.title, err->text);
	frame_end(c, &b, &f);
	reply_page(c, status, &b);
}

void
reply_fail(struct call *c, unsigned status, const char *fmt, ...)
{
	struct err err = { .code = ERR_USAGE };
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(err.text, sizeof(err.text), fmt, ap);
	va_end(ap);
	if (!utf8_valid(err.text, strlen(err.text))) /* a header said so, or it was cut */
		for (char *p = err.text; *p != '\0'; p++)
			*p = (char)((*p & 0x80) != 0 ? '?' : *p);
	switch (status) {
	case 401:
	case 403: err.code = ERR_DENIED; break;
	case 404: err.code = ERR_UNKNOWN; break;
	case 409:
	case 412: err.code = ERR_CONFLICT; break;
	case 503: err.code = ERR_AWAY; break;
	default: break;
	}
	reply_error(c, status, &err);
}
