/* What a service asks of a request before it goes on its way.
 *
 * A path is brought into normal form where it stands, so that everything that reads it later (rules, hashes, the server) reads
 * the same: it only gets shorter, and what is before it moves up to it. A body that is waited for stays in the connection's
 * memory; it and the head must be here within the request timeout, so a slow client takes no server's place meanwhile. */
#include "http_look.h"

#include "http_priv.h"

#include "coding/accept.h"
#include "schema/error_rules.h"
#include "uri.h"

#include <string.h>
#include <strings.h>

static bool
is_plain_name(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!((s[i] >= 'a' && s[i] <= 'z') || (s[i] >= 'A' && s[i] <= 'Z') ||
			(s[i] >= '0' && s[i] <= '9') || s[i] == '-'))
			return false;
	return true;
}

bool
http_look_cuts(unsigned cut, const char *buf, const struct h1_header *f)
{
	if (f->id != H1_OTHER)
		return false;
	if ((cut & CUT_NAMES) != 0 && !is_plain_name(buf + f->name_off, f->name_len))
		return true;
	return (cut & CUT_CODINGS) != 0 && accept_is_field(buf + f->name_off, f->name_len);
}

bool
http_look_path(struct h1_head *h, char *buf, bool *same_out)
{
	size_t end = (size_t)h->target_off + h->target_len, n = end - h->path_off, less;
	const char *query = memchr(buf + h->path_off, '?', n);
	char out[H1_TARGET_MAX];
	size_t len = query != NULL ? (size_t)(query - buf) - h->path_off : n, got;

	*same_out = true;
	if (h->form == H1_ASTERISK || len == 0 || len > sizeof(out))
		return true;
	switch (uri_normalise(buf + h->path_off, len, out, &got)) {
	case URI_SAME: return true;
	case URI_BAD: return false;
	case URI_CHANGED: break;
	}
	*same_out = false;
	less = len - got;
	memmove(buf + h->start + less, buf + h->start, (size_t)h->path_off - h->start);
	if (h->host_len > 0 && h->host_off < h->path_off)
		h->host_off = (uint16_t)(h->host_off + less);
	h->start = (uint16_t)(h->start + less);
	h->target_off = (uint16_t)(h->target_off + less);
	h->path_off = (uint16_t)(h->path_off + less);
	h->target_len = (uint16_t)(h->target_len - less);
	memcpy(buf + h->path_off, out, got);
	return true;
}

static bool
names_are_plain(const struct h1_head *h, const char *buf)
{
	for (unsigned i = 0; i < h->n; i++)
		if (http_look_cuts(CUT_NAMES, buf, &h->header[i]))
			return false;
	return true;
}

static void
answer(struct http *h, unsigned status, uint16_t own)
{
	h->state = HTTP_SEAT; /* the head is known: HEAD gets no body */
	seat_init(&h->seat, h->c->svc, NULL, NULL);
	h->own = own;
	http_fail(h, status);
}

static bool
refuse(struct http *h)
{
	COUNT(h->c->svc->n->bad_requests);
	http_ended(h, 'P');
	answer(h, 400, 0);
	return false;
}

/* So much of the body as is waited for is among the len bytes, or is wrong, which the next reader says. */
static bool
is_here(const struct http *h, const char *buf, size_t len)
{
	uint64_t want = h->c->svc->view->wait_body, have = len - h->head.length;
	struct h1_chunk chunk = { 0 };
	size_t used;

	if (have >= want)
		return true;
	if (h->head.framing == H1_LENGTH)
		return have >= h->head.body_length;
	if (h->head.framing != H1_CHUNKED)
		return true;
	return h1_chunk_scan(&chunk, buf + h->head.length, (size_t)have, &used) != H1_MORE;
}

/* False: the stream is over. */
static bool
wait_more(struct http *h, const char *buf, size_t len)
{
	struct conn *c = h->c;

	if (conn_keep(c, buf, len) != 0 || !conn_watch(c)) {
		COUNT(c->svc->n->refused_total);
		http_ended(h, 'R');
		http_abort(h, true);
		return false;
	}
	if (c->can_read)
		conn_again(c);
	return true;
}

/* The client does not send before it was told to, and the server shall not be asked before it was sent. */
static bool
invite(struct http *h)
{
	size_t n;
	const char *text = http_continue(&n);

	if (conn_send(h->c, text, n) >= 0) {
		h->cut |= CUT_EXPECT;
		return true;
	}
	COUNT(h->c->svc->n->client_aborts);
	http_ended(h, 'C');
	http_abort(h, true);
	return false;
}

static bool
is_shut(const struct view *v, const struct conn *c)
{
	return v->maintenance && !addrs_contain(v->bypass, &c->addr);
}

bool
http_look(struct http *h, char *buf, size_t len)
{
	const struct view *v = h->c->svc->view;
	bool same;

	if (v->uri_check != uri_check_off) {
		if (!http_look_path(&h->head, buf, &same) ||
		    (!same && v->uri_check == uri_check_refuse))
			return refuse(h);
	}
	if (v->header_names == header_names_refuse && !names_are_plain(&h->head, buf))
		return refuse(h);
	if (v->header_names == header_names_drop)
		h->cut |= CUT_NAMES;
	if (is_shut(v, h->c)) {
		http_ended(h, 'P');
		answer(h, 503, ERROR_MAINTENANCE);
		return false;
	}
	if (v->compress != compress_off)
		h->coding = accept_choose(&h->head, buf);
	if (v->compress == compress_own)
		h->cut |= CUT_CODINGS;
	if (v->wait_body == 0 || is_here(h, buf, len))
		return true;
	h->waits = true;
	if (!h->head.expect_continue || invite(h))
		(void)wait_more(h, buf, len);
	return false;
}

void
http_look_more(struct http *h, const char *buf, size_t len)
{
	if (!h->c->eof && !is_here(h, buf, len)) {
		(void)wait_more(h, buf, len);
		return;
	}
	h->waits = false;
	http_start(h, buf, len);
}
