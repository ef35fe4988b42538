/* A stream to a server: the request that is written to it, and the answer as text. The rest is as for streams of clients (h2_stream.c).
 *
 * A request's head is whole in the first bytes that are written, as http/ keeps it for another attempt. An answer that is malformed before
 * its head was told becomes bytes that are no answer of HTTP/1.1, so whoever reads them does what it does for any bad answer; one that is
 * malformed later is lost. */
#include "h2_priv.h"

#include "base/must.h"

#define NOT_AN_ANSWER "HTTP/2 malformed\r\n\r\n"

/* Fields of different clients do not share a table of the connection's compression where they are secrets (RFC 7541 section 7.1). */
static uint8_t
nv_flags(const struct h2_field *f)
{
	bool secret = (f->name_len == 6 && memcmp(f->name, "cookie", 6) == 0) ||
		      (f->name_len == 13 && memcmp(f->name, "authorization", 13) == 0);

	return secret ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE;
}

static int
submit(struct h2_stream *s, const struct h2_field *f, unsigned n, nghttp2_nv *nv)
{
	nghttp2_data_provider body = { .source.ptr = s, .read_callback = h2_stream_source };
	int32_t id;

	for (unsigned i = 0; i < n; i++)
		nv[i] =
		    (nghttp2_nv){ (uint8_t *)(uintptr_t)f[i].name, (uint8_t *)(uintptr_t)f[i].value,
			    f[i].name_len, f[i].value_len, nv_flags(&f[i]) };
	id = nghttp2_submit_request(s->h->ng, NULL, nv, n, s->down == H2_WHOLE ? NULL : &body, s);
	if (id < 0)
		return id == NGHTTP2_ERR_NOMEM ? -ENOMEM : -EPIPE;
	s->id = id;
	return 0;
}

int
h2_stream_ask(struct h2_stream *s, const char *p, size_t n, size_t *used_out)
{
	size_t end, most = h2_ask_lines(p, n, &end) + H2_ASK_MORE;
	struct h2_field *f;
	nghttp2_nv *nv;
	unsigned fields;
	int code = -EPROTO;

	if (most == H2_ASK_MORE)
		return -EPROTO;
	f = malloc(most * (sizeof(*f) + sizeof(*nv)) + end);
	if (f == NULL)
		return -ENOMEM;
	nv = (nghttp2_nv *)(void *)(f + most);
	fields = h2_ask_fields(p, end, &s->ask, f, (char *)(nv + most));
	if (fields > 0) {
		s->left = s->ask.length;
		s->down = s->ask.tunnel	   ? H2_ENDLESS
			  : s->ask.chunked ? H2_CHUNKED
			  : s->left > 0	   ? H2_LENGTH
					   : H2_WHOLE;
		code = submit(s, f, fields, nv);
	}
	free(f);
	*used_out = end;
	return code;
}

/* What comes of it is no answer. */
static void
spoil(struct h2_stream *s)
{
	s->bad = true;
	if (s->told) {
		s->lost = true;
	} else if (h2_bytes_put(&s->in, NOT_AN_ANSWER, sizeof(NOT_AN_ANSWER) - 1) == 0) {
		s->told = s->ended = true;
		s->head_left += sizeof(NOT_AN_ANSWER) - 1;
	} else {
		s->lost = true;
	}
	h2_stream_tell(s);
}

static int
head_text(struct h2_stream *s, bool ended)
{
	struct h2_session *h = s->h;
	struct h2_answer a;
	char *text;
	size_t n;
	int code;

	if (h->large || h2_answer_read(h->field, h->fields, &a) != 0)
		return -EPROTO;
	text = malloc(h2_request_room(h->field, h->fields));
	if (text == NULL)
		return -ENOMEM;
	n = h2_answer_text(&a, h->field, h->fields, ended, &s->ask, text);
	code = h2_bytes_put(&s->in, text, n);
	free(text);
	if (code != 0)
		return code;
	s->head_left += (uint32_t)n;
	if (a.status >= 200) {
		s->told = true;
		s->chunked = a.chunked;
		s->tunnel = (s->ask.tunnel && a.status < 300) || /* read until it ends */
			    (s->ask.old && !ended && !a.has_length);
	}
	return 0;
}

void
h2_stream_told(struct h2_stream *s, bool ended)
{
	if (s->down == H2_BROKEN || s->owner == NULL || s->bad)
		return;
	if (s->told) {
		h2_stream_trailers(s);
	} else if (head_text(s, ended) != 0) {
		spoil(s);
		h2_stream_refuse(s, NGHTTP2_PROTOCOL_ERROR);
		return;
	}
	if (ended && s->down != H2_BROKEN && !s->ended)
		h2_stream_ended(s);
	h2_stream_tell(s);
}

/* An error that we found in what came, rather than one of the server's or of the connection. */
static bool
is_fault(const struct h2_stream *s, uint32_t error)
{
	return !s->reset && s->h->failed == 0 &&
	       (error == NGHTTP2_PROTOCOL_ERROR || error == NGHTTP2_INTERNAL_ERROR ||
		   error == NGHTTP2_FLOW_CONTROL_ERROR || error == NGHTTP2_COMPRESSION_ERROR);
}

void
h2_stream_over(struct h2_stream *s, uint32_t error)
{
	h2_bytes_fini(&s->out); /* nobody takes it any more */
	if (s->ended || s->owner == NULL)
		return;
	s->refused = error == NGHTTP2_REFUSED_STREAM;
	if (is_fault(s, error))
		spoil(s);
	else
		s->lost = true;
}

bool
h2_session_greeted(const struct h2_session *h)
{
	return h->greeted;
}

uint32_t
h2_session_most(const struct h2_session *h)
{
	return nghttp2_session_get_remote_settings(h->ng, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
}

uint32_t
h2_session_room(const struct h2_session *h)
{
	uint32_t most = h->limits.streams;

	if (h->failed != 0 || nghttp2_session_check_request_allowed(h->ng) == 0)
		return 0;
	if (h->greeted && h2_session_most(h) < most)
		most = h2_session_most(h);
	return h->n < most ? most - h->n : 0;
}

struct h2_stream *
h2_session_open(struct h2_session *h, const struct h2_ask *ask)
{
	struct h2_stream *s = h2_stream_new(h, 0);

	if (s == NULL)
		return NULL;
	s->known = s->asked = true;
	s->ask = *ask;
	return s;
}

bool
h2_session_connects(const struct h2_session *h)
{
	return nghttp2_session_get_remote_settings(
		   h->ng, NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL) == 1;
}

/* Streams beyond so many are over before they began, and tunnels at a server that has none. */
static void
admit(struct h2_session *h, uint32_t left)
{
	bool tunnels = h2_session_connects(h);
	struct list *it;

	list_each(it, &h->streams)
	{
		struct h2_stream *s = container_of(it, struct h2_stream, link);

		if (left > 0 && (tunnels || !s->ask.tunnel))
			left--;
		else
			s->refused = s->lost = s->gone = true;
		h2_stream_tell(s);
	}
}

void
h2_session_admit(struct h2_session *h)
{
	admit(h, h2_session_most(h));
}

void
h2_session_turn_away(struct h2_session *h)
{
	admit(h, 0);
}

void
h2_session_lose(struct h2_session *h)
{
	struct list *it;

	list_each(it, &h->streams)
	{
		struct h2_stream *s = container_of(it, struct h2_stream, link);

		s->gone = true;
		s->lost = s->lost || !s->ended;
		if (s->owner != NULL)
			h2_stream_tell(s);
	}
}

void
h2_session_ping(struct h2_session *h)
{
	(void)nghttp2_submit_ping(h->ng, NGHTTP2_FLAG_NONE, NULL);
}

bool
h2_stream_refused(const struct h2_stream *s)
{
	return s->lost && s->refused;
}

bool
h2_stream_moved(const struct h2_stream *s)
{
	return h2_stream_refused(s) && !s->reset;
}
