/* The head that is forwarded, as edits of the head that came.
 *
 * One walk over the field lines decides for each by its id: keep, cut, or change. Neighbouring cuts become one edit, kept
 * lines cost nothing, and what we add stands in one piece before the empty line. A writer then copies the runs between
 * the edits, into flat memory or into an iovec.
 *
 * Fields that a client lists in Connection are cut (RFC 9110 section 7.6.1), but only names we have no use for ourselves:
 * otherwise a client could make us drop Host, framing, credentials or the trace of its address. */
#include "http_msg.h"

#include <string.h>
#include <strings.h>

#include "base/must.h"
#include "cookie.h"
#include "http_look.h"
#include "http_squeeze.h"
#include "http_tell.h"
#include "schema/schema.h"

/* Of HTTP_EDITS_MAX each field line may take one; what is left is for the start line, for what is added at the end, and
 * for further copies of our cookie within one line. */
#define EXTRA_MAX 8

/* A head that has no other names than these passes line by line, unless a policy or Connection has to do with all of them. */
#define KEPT                                                                                   \
	(H1_BIT(H1_OTHER) | H1_BIT(H1_HOST) | H1_BIT(H1_CONTENT_LENGTH) | H1_BIT(H1_TRAILER) | \
	    H1_BIT(H1_VIA) | H1_BIT(H1_AUTHORIZATION) | H1_BIT(H1_CACHE_CONTROL))

#define TEXT(s) (s), (uint32_t)(sizeof(s) - 1)

static void
edit(struct http_plan *p, uint32_t off, uint32_t cut, const char *text, uint32_t len)
{
	struct http_edit *e = p->n > 0 ? &p->edit[p->n - 1] : NULL;

	p->out_len = p->out_len + len - cut;
	if (e != NULL && len == 0 && e->off + e->cut == off) {
		e->cut += cut;
		return;
	}
	must(p->n < HTTP_EDITS_MAX && (e == NULL || e->off + e->cut <= off));
	p->edit[p->n++] = (struct http_edit){ .off = off, .cut = cut, .len = len, .text = text };
}

static void
cut_line(struct http_plan *p, const struct h1_head *h, unsigned i)
{
	uint32_t from = h1_line(h, i);

	edit(p, from, h1_line(h, i + 1) - from, NULL, 0);
}

/* Put text into the plan's own room; the result is valid as long as the plan. */
static const char *
room(struct http_plan *p, const char *text, size_t len)
{
	must(p->used + len <= sizeof(p->room));
	char *at = p->room + p->used;
	memcpy(at, text, len);
	p->used = (uint16_t)(p->used + len);
	return at;
}

static void
plan_init(struct http_plan *p, const struct h1_head *h)
{
	must(h->length > 0);
	p->start = h->start;
	p->end = h->length;
	p->out_len = h->length - h->start;
	p->n = p->used = p->extra = 0;
}

/* Is the name an element of a Connection field? */
static bool
nominated(const struct h1_head *h, const char *buf, const struct h1_header *f)
{
	for (unsigned i = 0; i < h->n; i++) {
		const struct h1_header *c = &h->header[i];
		if (c->id != H1_CONNECTION)
			continue;
		const char *s = buf + c->value_off, *end = s + c->value_len;
		while (s < end) {
			const char *w = s;
			while (s < end && *s != ',' && *s != ' ' && *s != '\t')
				s++;
			if (s - w == f->name_len &&
			    strncasecmp(w, buf + f->name_off, f->name_len) == 0)
				return true;
			while (s < end && (*s == ',' || *s == ' ' || *s == '\t'))
				s++;
		}
	}
	return false;
}

/* Our cookie out of one Cookie field; the line goes when nothing is left of it, or when it holds so many copies that
 * taking out each would not fit the plan. */
static void
cut_cookie(struct http_plan *p, const char *buf, const struct h1_head *h, unsigned i,
    const struct http_request_policy *policy)
{
	const struct h1_header *f = &h->header[i];
	const char *value = buf + f->value_off;
	size_t at = 0, from, to, cut = 0;
	unsigned n = 0;

	while (
	    cookie_cut(value, f->value_len, policy->cookie, policy->cookie_len, at, &from, &to)) {
		cut += to - from;
		at = to;
		n++;
	}
	if (n == 0)
		return;
	p->extra = (uint16_t)(p->extra + n - 1);
	if (cut == f->value_len || p->extra > EXTRA_MAX) {
		cut_line(p, h, i);
		p->extra = (uint16_t)(p->extra - (n - 1));
		return;
	}
	for (at = 0; n > 0; n--, at = to) {
		must(cookie_cut(
		    value, f->value_len, policy->cookie, policy->cookie_len, at, &from, &to));
		edit(p, f->value_off + (uint32_t)from, (uint32_t)(to - from), NULL, 0);
	}
}

/* The token before its value is taken off; of a crowd of copies only from the first ones. */
static void
cut_prefix(struct http_plan *p, const char *buf, const struct h1_head *h, unsigned i,
    const struct http_request_policy *policy)
{
	const struct h1_header *f = &h->header[i];
	struct cookie_span v;
	uint64_t token;
	unsigned n = 0;
	size_t at = 0;

	while (p->extra < EXTRA_MAX && cookie_next(buf + f->value_off, f->value_len, policy->cookie,
					   policy->cookie_len, &at, &v)) {
		size_t cut = cookie_prefix(v.at, v.len, &token);

		if (cut == 0)
			continue;
		edit(p, (uint32_t)(v.at - buf), (uint32_t)cut, NULL, 0);
		p->extra = (uint16_t)(p->extra + (n++ > 0));
	}
}

/* The client's address behind what the last X-Forwarded-For says. */
static void
append_client(struct http_plan *p, const struct h1_head *h, unsigned i,
    const struct http_request_policy *policy)
{
	const struct h1_header *f = &h->header[i];

	for (unsigned k = i + 1; k < h->n; k++)
		if (h->header[k].id == H1_X_FORWARDED_FOR)
			return;
	const char *text = f->value_len > 0 ? room(p, ", ", 2) : p->room + p->used;
	room(p, policy->client, policy->client_len);
	edit(p, f->value_off + f->value_len, 0, text, (uint32_t)(p->room + p->used - text));
}

/* What a rule says of the path and query, from there on. */
static void
new_target(struct http_plan *p, const struct h1_head *h, uint32_t from, const struct http_edits *e)
{
	edit(p, from, (uint32_t)h->target_off + h->target_len - from, e->target, e->target_len);
}

/* Absolute form becomes origin form (RFC 9112 section 3.2.2) for servers that are origins; for a proxy it stays. An empty path is "/",
 * and that of OPTIONS without one the server itself. */
static void
plan_target(struct http_plan *p, const char *buf, const struct h1_head *h, bool stays)
{
	uint32_t end = (uint32_t)h->target_off + h->target_len,
		 cut = stays ? 0 : (uint32_t)(h->path_off - h->target_off),
		 at = stays ? h->path_off : h->target_off;
	bool bare = h->path_off == end;

	if (bare && h->method == H1_M_OPTIONS) {
		if (!stays)
			edit(p, at, cut, TEXT("*"));
	} else if (bare || buf[h->path_off] == '?') {
		edit(p, at, cut, TEXT("/"));
	} else if (!stays) {
		edit(p, at, cut, NULL, 0);
	}
}

static void
put_pieces(struct http_plan *p, uint32_t off, const struct http_piece *piece, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		edit(p, off, 0, piece[i].p, piece[i].n);
}

/* A field that may be one of those of http_tell.h. */
static void
told_line(struct http_plan *p, const char *buf, const struct h1_head *h, unsigned i,
    struct http_tell *tell)
{
	const struct h1_header *f = &h->header[i];
	struct http_piece piece[HTTP_TELL_PIECES];

	switch (http_tell_line(tell, buf, h, i)) {
	case HTTP_TOLD_PASS: return;
	case HTTP_TOLD_CUT: cut_line(p, h, i); return;
	case HTTP_TOLD_EXTEND:
		put_pieces(
		    p, f->value_off + f->value_len, piece, http_tell_element(tell, buf, h, piece));
		return;
	}
}

/* What content rules do to a field line; false: nothing. */
static bool
edited(struct http_plan *p, const struct h1_head *h, unsigned i, const struct http_edits *e)
{
	const struct h1_header *f = &h->header[i];

	if (http_edit_cuts(e, i)) {
		cut_line(p, h, i);
		return true;
	}
	for (unsigned k = 0; k < e->changed_n; k++)
		if (e->changed[k].line == i) {
			edit(p, f->value_off, f->value_len, e->changed[k].text, e->changed[k].len);
			return true;
		}
	return false;
}

/* A client of HTTP/1.0 that named the host in the target alone: the server is told (RFC 9112 section 3.2.2), unless a rule
 * tells it. */
static void
put_host(struct http_plan *p, const char *buf, const struct h1_head *h, const struct http_edits *e)
{
	for (unsigned i = 0; e != NULL && i < e->added_n; i++)
		if (e->added[i].len > 5 && strncasecmp(e->added[i].text, "host:", 5) == 0)
			return;
	edit(p, h->length - 2, 0, TEXT("Host: "));
	edit(p, h->length - 2, 0, buf + h->host_off, h->host_len);
	edit(p, h->length - 2, 0, TEXT("\r\n"));
}

static void
put_added(struct http_plan *p, const struct h1_head *h, const struct http_edits *e)
{
	for (unsigned i = 0; i < e->added_n; i++)
		edit(p, h->length - 2, 0, e->added[i].text, e->added[i].len);
}

static void
request_line(struct http_plan *p, const char *buf, const struct h1_head *h, unsigned i,
    const struct http_request_policy *policy)
{
	if (policy->edits != NULL && edited(p, h, i, policy->edits))
		return;
	switch (h->header[i].id) {
	case H1_OTHER:
		if ((h->nominates && nominated(h, buf, &h->header[i])) ||
		    (policy->cut != 0 && http_look_cuts(policy->cut, buf, &h->header[i])))
			cut_line(p, h, i);
		else if (policy->tell != NULL)
			told_line(p, buf, h, i, policy->tell);
		return;
	case H1_CONNECTION:
	case H1_KEEP_ALIVE:
	case H1_PROXY_CONNECTION:
	case H1_TE:
	case H1_HTTP2_SETTINGS: cut_line(p, h, i); return;
	case H1_EXPECT:
		if ((policy->cut & CUT_EXPECT) != 0)
			cut_line(p, h, i);
		return;
	case H1_UPGRADE:
		if (!h->upgrade)
			cut_line(p, h, i);
		return;
	case H1_COOKIE:
		if (policy->cookie_prefix)
			cut_prefix(p, buf, h, i, policy);
		else if (policy->cookie_len > 0)
			cut_cookie(p, buf, h, i, policy);
		return;
	case H1_X_FORWARDED_FOR:
		if (policy->forwarded == forwarded_replace || policy->distrust)
			cut_line(p, h, i);
		else if (policy->forwarded == forwarded_append)
			append_client(p, h, i, policy);
		return;
	default: return;
	}
}

void
http_plan_request(struct http_plan *p, const char *buf, const struct h1_head *h,
    const struct http_request_policy *policy)
{
	static const char xff[] = "X-Forwarded-For: ";

	plan_init(p, h);
	bool absolute = policy->absolute && h->form == H1_ABSOLUTE;
	if (policy->edits != NULL && policy->edits->target != NULL)
		new_target(p, h, absolute ? h->path_off : h->target_off, policy->edits);
	else if (h->form == H1_ABSOLUTE)
		plan_target(p, buf, h, absolute);
	bool all =
	    h->nominates || policy->tell != NULL || policy->cut != 0 || policy->edits != NULL;
	if (all || (h->seen & ~KEPT) != 0)
		for (unsigned i = 0; i < h->n; i++)
			if (h->header[i].id != H1_OTHER || all)
				request_line(p, buf, h, i, policy);
	if (h->form == H1_ABSOLUTE && (h->seen & H1_BIT(H1_HOST)) == 0)
		put_host(p, buf, h, policy->edits);
	const char *text = p->room + p->used;
	bool there = policy->forwarded == forwarded_append && !policy->distrust &&
		     (h->seen & H1_BIT(H1_X_FORWARDED_FOR)) != 0;
	if (policy->forwarded != forwarded_off && !there) {
		room(p, xff, sizeof(xff) - 1);
		room(p, policy->client, policy->client_len);
		room(p, "\r\n", 2);
	}
	if (h->upgrade)
		room(p, TEXT("Connection: Upgrade\r\n"));
	else if (policy->close && h->minor == 1)
		room(p, TEXT("Connection: close\r\n"));
	uint32_t len = (uint32_t)(p->room + p->used - text);
	if (len > 0)
		edit(p, h->length - 2, 0, text, len);
	if (policy->tell != NULL) {
		struct http_piece piece[HTTP_TELL_PIECES];

		put_pieces(p, h->length - 2, piece, http_tell_lines(policy->tell, buf, h, piece));
	}
	if (policy->edits != NULL)
		put_added(p, h, policy->edits);
}

/* A cookie that the server sets, under the name of the one by which clients are kept. */
static void
set_cookie(struct http_plan *p, const char *buf, const struct h1_head *h, unsigned i,
    const struct http_answer_policy *policy)
{
	const struct h1_header *f = &h->header[i];
	struct cookie_span v;
	uint32_t off;

	if (!cookie_set_find(
		buf + f->value_off, f->value_len, policy->cookie, policy->cookie_len, &v, NULL))
		return;
	off = (uint32_t)(v.at - buf);
	if (policy->set_cookie == HTTP_COOKIE_CUT)
		cut_line(p, h, i);
	else if (v.len > 0 && policy->set_cookie == HTTP_COOKIE_REPLACE)
		edit(p, off, (uint32_t)v.len, policy->token, COOKIE_TOKEN_LEN);
	else if (v.len > 0)
		edit(p, off, 0, policy->token, COOKIE_PREFIX_LEN);
}

/* Of an answer that is compressed; false: it is a line as any other. */
static bool
recoded_line(struct http_plan *p, const char *buf, const struct h1_head *h, unsigned i)
{
	const struct h1_header *f = &h->header[i];

	switch (recode_line(buf, f)) {
	case RECODE_CUT: cut_line(p, h, i); return true;
	case RECODE_WEAKEN:
		if (h->nominates && nominated(h, buf, f))
			return false;
		edit(p, f->value_off, 0, TEXT("W/"));
		return true;
	default: return false;
	}
}

static void
answer_line(struct http_plan *p, const char *buf, const struct h1_head *h, unsigned i,
    const struct http_answer_policy *policy)
{
	bool bodiless = h->status < 200 || h->status == 204 || h->framing == H1_TUNNEL;

	switch (h->header[i].id) {
	case H1_OTHER:
		if (h->nominates && nominated(h, buf, &h->header[i]))
			cut_line(p, h, i);
		return;
	case H1_CONNECTION:
	case H1_KEEP_ALIVE:
	case H1_PROXY_CONNECTION: cut_line(p, h, i); return;
	case H1_UPGRADE:
		if (h->status != 101)
			cut_line(p, h, i);
		return;
	case H1_CONTENT_LENGTH:
		if (bodiless)
			cut_line(p, h, i);
		return;
	case H1_TRANSFER_ENCODING:
		if (bodiless || policy->client_minor == 0)
			cut_line(p, h, i);
		return;
	case H1_SET_COOKIE:
		if (policy->set_cookie != HTTP_COOKIE_KEEP)
			set_cookie(p, buf, h, i, policy);
		return;
	default: return;
	}
}

/* A browser takes the first field of that name alone (RFC 6797 section 8.1). */
static bool
is_hsts(const char *buf, const struct h1_header *f)
{
	static const char name[] = "strict-transport-security";

	return f->id == H1_OTHER && f->name_len == sizeof(name) - 1 &&
	       strncasecmp(buf + f->name_off, name, sizeof(name) - 1) == 0;
}

static void
answer_lines(struct http_plan *p, const char *buf, const struct h1_head *h,
    const struct http_answer_policy *policy)
{
	for (unsigned i = 0; i < h->n; i++) {
		if (policy->edits != NULL && edited(p, h, i, policy->edits))
			continue;
		if (policy->recode && recoded_line(p, buf, h, i))
			continue;
		if (policy->hsts && is_hsts(buf, &h->header[i])) {
			cut_line(p, h, i);
			continue;
		}
		if (h->header[i].id != H1_OTHER || h->nominates)
			answer_line(p, buf, h, i, policy);
	}
}

void
http_plan_answer(struct http_plan *p, const char *buf, const struct h1_head *h,
    const struct http_answer_policy *policy)
{
	uint32_t end = h->length - 2;
	bool tunnel = h->framing == H1_TUNNEL; /* no next request to speak of */
	bool bodiless = h->status < 200 || h->status == 204 || tunnel;

	plan_init(p, h);
	if (h->minor == 0)
		edit(p, 7, 1, TEXT("1"));
	if (h->nominates || policy->recode || policy->hsts || policy->edits != NULL || bodiless ||
	    (h->seen & ~KEPT) != 0)
		answer_lines(p, buf, h, policy);
	if (h->status == 101)
		edit(p, end, 0, TEXT("Connection: Upgrade\r\n"));
	if (h->status < 200)
		return;
	if (!policy->keep_alive && !tunnel)
		edit(p, end, 0, TEXT("Connection: close\r\n"));
	else if (policy->client_minor == 0 && !tunnel)
		edit(p, end, 0, TEXT("Connection: keep-alive\r\n"));
	if (policy->insert_len > 0)
		edit(p, end, 0, policy->insert, policy->insert_len);
	if (policy->edits != NULL)
		put_added(p, h, policy->edits);
}

size_t
http_plan_write(const struct http_plan *p, const char *buf, char *out)
{
	uint32_t at = p->start;
	char *o = out;

	for (unsigned i = 0; i < p->n; i++) {
		const struct http_edit *e = &p->edit[i];
		o = mempcpy(o, buf + at, e->off - at);
		if (e->len > 0)
			o = mempcpy(o, e->text, e->len);
		at = e->off + e->cut;
	}
	if (p->end - at == 2) /* mostly it is the empty line */
		return (size_t)((char *)mempcpy(o, buf + at, 2) - out);
	o = mempcpy(o, buf + at, p->end - at);
	return (size_t)(o - out);
}

/* A run for writev; empty ones are left out. */
static unsigned
add_run(struct iovec *iov, unsigned n, unsigned max, const char *s, size_t len)
{
	if (len == 0)
		return n;
	if (n < max)
		iov[n] = (struct iovec){ .iov_base = (void *)(uintptr_t)s, .iov_len = len };
	return n + 1;
}

unsigned
http_plan_iov(const struct http_plan *p, const char *buf, struct iovec *iov, unsigned max)
{
	uint32_t at = p->start;
	unsigned n = 0;

	for (unsigned i = 0; i < p->n; i++) {
		const struct http_edit *e = &p->edit[i];
		n = add_run(iov, n, max, buf + at, e->off - at);
		n = add_run(iov, n, max, e->text, e->len);
		at = e->off + e->cut;
	}
	n = add_run(iov, n, max, buf + at, p->end - at);
	return n <= max ? n : 0;
}

size_t
http_client_text(const struct addr *a, char *out)
{
	char text[ADDR_TEXT];
	size_t len;

	if (a->family == 4)
		return (size_t)(addr_put4(a->b, out) - out);
	addr_format(a, ADDR_HOST, text);
	len = strnlen(text, HTTP_CLIENT_TEXT);
	memcpy(out, text, len);
	return len;
}
