/* A stream's two directions, as the bytes of HTTP/1.1 that its owner reads and writes.
 *
 * To the owner: the head as text, then the body, with the chunked coding when its length was not told; the coding is put around
 * whatever is there when it is read, so frames of one byte do not grow in memory. From the owner: heads are parsed as those of a
 * server are, their fields submitted; of the body the coding is taken off. What was written waits here until windows are open; how
 * much that can be is the owner's care, who writes no more while something waits. */
#include "h2_priv.h"

#include "base/must.h"

#include <stdio.h>

#define CODING 24 /* a chunk's size line and the end of its data */

struct h2_stream *
h2_stream_new(struct h2_session *h, int32_t id)
{
	struct h2_stream *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->h = h;
	s->id = id;
	list_init(&s->news);
	list_push(&h->streams, &s->link);
	h->n++;
	return s;
}

void
h2_stream_free(struct h2_stream *s)
{
	list_del(&s->link);
	list_del(&s->news);
	s->h->n--;
	if (s->h->wire != NULL)
		s->h->wire->free(s);
	h2_bytes_fini(&s->in);
	h2_bytes_fini(&s->tail);
	h2_bytes_fini(&s->out);
	h2_bytes_fini(&s->part);
	free(s);
}

void
h2_stream_tell(struct h2_stream *s)
{
	if (list_empty(&s->news) && s->asked)
		list_push(&s->h->news, &s->news);
}

void
h2_stream_refuse(struct h2_stream *s, uint32_t error)
{
	s->down = H2_BROKEN;
	h2_bytes_fini(&s->out);
	if (s->gone || s->id == 0)
		return;
	if (s->h->wire != NULL)
		s->h->wire->refuse(s, error);
	else
		(void)nghttp2_submit_rst_stream(s->h->ng, NGHTTP2_FLAG_NONE, s->id, error);
}

/* Sixteen bytes in base64 that differ from stream to stream: servers want them, nobody checks them (RFC 8441 section 5). */
static void
make_key(const struct h2_stream *s, char key[25])
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint64_t a = (s->h->random ^ (uint64_t)s->id) * UINT64_C(0x9e3779b97f4a7c15),
		 b = a ^ a >> 29;

	for (unsigned i = 0; i < 22; i++) {
		if (i == 11)
			b = (s->h->random + (uint64_t)s->id) * UINT64_C(0xbf58476d1ce4e5b9);
		key[i] = digits[(b >> (i % 11 * 5)) & (i == 21 ? 0x30 : 0x3f)];
	}
	memcpy(key + 22, "==", 3);
}

/* The head as text, into in. 0, or the error of the stream. */
static uint32_t
head_text(struct h2_stream *s, bool ended)
{
	struct h2_session *h = s->h;
	struct h2_request_about about = { .ended = ended, .absolute = h->limits.absolute };
	struct h2_request r;
	char key[25], *text;
	size_t n;

	if (h->large)
		text = malloc(H2_LARGE);
	else if (h2_request_read(h->field, h->fields, &r) != 0)
		return NGHTTP2_PROTOCOL_ERROR;
	else
		text = malloc(h2_request_room(h->field, h->fields));
	if (text == NULL)
		return NGHTTP2_REFUSED_STREAM;
	if (h->large) {
		n = h2_request_large(text);
	} else {
		make_key(s, key);
		about.key = key;
		n = h2_request_text(&r, h->field, h->fields, &about, text);
		s->tunnel = r.tunnel || r.h1_method == H1_M_CONNECT;
		s->h1_method = r.h1_method;
		s->chunked = !s->tunnel && !h2_request_length(&r, ended);
	}
	s->in = (struct h2_bytes){ .b = (uint8_t *)text, .len = (uint32_t)n, .room = (uint32_t)n };
	s->head_left = (uint32_t)n;
	return 0;
}

void
h2_stream_asked(struct h2_stream *s, bool ended)
{
	uint32_t error = head_text(s, ended);

	if (error != 0) {
		h2_stream_refuse(s, error);
		return;
	}
	s->asked = true;
	s->ended = ended;
	s->chunked = s->chunked && !ended;
	h2_stream_tell(s);
}

void
h2_stream_trailers(struct h2_stream *s)
{
	struct h2_session *h = s->h;
	char *text;
	size_t n;

	if (!s->chunked || s->down == H2_BROKEN)
		return; /* a body whose length was told has no place for them (RFC 9112 section 6.3) */
	text = malloc(h2_request_room(h->field, h->fields));
	n = text == NULL || h->large ? 0 : h2_trailer_text(h->field, h->fields, text);
	if (n == 0) {
		free(text);
		h2_stream_refuse(s, NGHTTP2_PROTOCOL_ERROR);
		return;
	}
	s->tail =
	    (struct h2_bytes){ .b = (uint8_t *)text, .len = (uint32_t)n, .room = (uint32_t)n };
}

void
h2_stream_data(struct h2_stream *s, const uint8_t *p, size_t n)
{
	if (s->down == H2_BROKEN || (s->known && s->owner == NULL))
		return; /* it will be reset, or was: nobody reads it */
	if (h2_bytes_put(&s->in, p, n) != 0) {
		h2_stream_refuse(s, NGHTTP2_INTERNAL_ERROR);
		return;
	}
	s->owed += (uint32_t)n;
	h2_stream_tell(s);
}

void
h2_stream_ended(struct h2_stream *s)
{
	s->ended = true;
	if (s->chunked && h2_bytes_n(&s->tail) == 0 && h2_bytes_put(&s->tail, "0\r\n\r\n", 5) != 0)
		h2_stream_refuse(s, NGHTTP2_INTERNAL_ERROR);
	h2_stream_tell(s);
}

struct h2_session *
h2_stream_session(const struct h2_stream *s)
{
	return s->h;
}

void *
h2_stream_owner(const struct h2_stream *s)
{
	return s->owner;
}

void
h2_stream_own(struct h2_stream *s, void *owner)
{
	s->owner = owner;
}

bool
h2_stream_gone(const struct h2_stream *s)
{
	return s->lost;
}

bool
h2_stream_deaf(const struct h2_stream *s)
{
	return s->lost || (s->gone && s->h->back);
}

void
h2_stream_lose(struct h2_stream *s)
{
	s->gone = s->lost = true;
}

/* Bytes of the body, which may be sent again. */
static size_t
read_body(struct h2_stream *s, uint8_t *p, size_t room)
{
	size_t n = h2_bytes_take(&s->in, p, room), paid = n < s->owed ? n : s->owed;

	s->owed -= (uint32_t)paid;
	if (paid == 0 || s->gone)
		return n;
	if (s->h->wire != NULL)
		s->h->wire->consumed(s, paid);
	else
		(void)nghttp2_session_consume_stream(s->h->ng, s->id, paid);
	return n;
}

static size_t
read_chunk(struct h2_stream *s, uint8_t *p, size_t room)
{
	size_t n = h2_bytes_n(&s->in), head;

	if (n == 0 || room <= CODING)
		return 0;
	if (n > room - CODING)
		n = room - CODING;
	head = (size_t)sprintf((char *)p, "%zx\r\n", n);
	n = head + read_body(s, p + head, n);
	memcpy(p + n, "\r\n", 2);
	return n + 2;
}

ssize_t
h2_stream_read(struct h2_stream *s, void *p, size_t room)
{
	uint8_t *to = p;
	size_t n = 0;

	if (s->lost)
		return -ECONNRESET;
	if (s->head_left > 0) {
		n = h2_bytes_take(&s->in, to, room < s->head_left ? room : s->head_left);
		s->head_left -= (uint32_t)n;
	}
	if (s->head_left > 0)
		return (ssize_t)n;
	if (s->chunked)
		n += read_chunk(s, to + n, room - n);
	else
		n += read_body(s, to + n, room - n);
	if (h2_bytes_n(&s->in) == 0 && s->ended)
		n += h2_bytes_take(&s->tail, to + n, room - n);
	if (n == 0 && room > CODING && s->ended)
		return -ENODATA;
	return (ssize_t)n;
}

bool
h2_stream_readable(const struct h2_stream *s)
{
	return s->lost || h2_bytes_n(&s->in) > 0 ||
	       (s->ended && (h2_bytes_n(&s->tail) > 0 || s->tunnel));
}

bool
h2_stream_waits(const struct h2_stream *s)
{
	return h2_bytes_n(&s->out) > 0;
}

/* Data, or their end, have come. */
static int
resume(struct h2_stream *s)
{
	if (s->deferred && !s->gone) {
		s->deferred = false;
		if (s->h->wire != NULL)
			return s->h->wire->resume(s);
		return nghttp2_session_resume_data(s->h->ng, s->id) == NGHTTP2_ERR_NOMEM ? -ENOMEM
											 : 0;
	}
	return 0;
}

static unsigned
to_nv(const struct h2_field *f, unsigned n, nghttp2_nv *nv)
{
	for (unsigned i = 0; i < n; i++)
		nv[i] =
		    (nghttp2_nv){ (uint8_t *)(uintptr_t)f[i].name, (uint8_t *)(uintptr_t)f[i].value,
			    f[i].name_len, f[i].value_len, NGHTTP2_NV_FLAG_NONE };
	return n;
}

unsigned
h2_stream_last_fields(struct h2_stream *s, struct h2_field *f, char *names)
{
	size_t len = h2_bytes_n(&s->part);

	if (len == 0 || len > H1_TRAILER_MAX)
		return 0;
	return h2_trailer_fields((const char *)s->part.b, len, f, H1_TRAILERS_MAX, names);
}

/* Fields of a trailer section go after the data. True: there are some. */
static bool
submit_trailers(struct h2_stream *s)
{
	struct h2_field f[H1_TRAILERS_MAX];
	nghttp2_nv nv[H1_TRAILERS_MAX];
	char names[H1_TRAILER_MAX];
	unsigned n = h2_stream_last_fields(s, f, names);

	if (n == 0)
		return false;
	n = to_nv(f, n, nv);
	n = nghttp2_submit_trailer(s->h->ng, s->id, nv, n) == 0 ? n : 0;
	h2_bytes_fini(&s->part);
	return n > 0;
}

ssize_t
h2_stream_source(nghttp2_session *ng, int32_t id, uint8_t *buf, size_t room, uint32_t *flags,
    nghttp2_data_source *source, void *arg)
{
	struct h2_stream *s = source->ptr;
	size_t n = h2_bytes_n(&s->out);

	(void)ng;
	(void)id;
	(void)buf;
	(void)arg;
	if (n == 0 && s->down != H2_WHOLE) {
		s->deferred = true;
		return NGHTTP2_ERR_DEFERRED;
	}
	*flags |= NGHTTP2_DATA_FLAG_NO_COPY;
	if (n > room)
		return (ssize_t)room;
	if (s->down == H2_WHOLE) {
		*flags |= NGHTTP2_DATA_FLAG_EOF;
		if (submit_trailers(s))
			*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
	}
	return (ssize_t)n;
}

/* The body that the head announces. */
static void
begin_body(struct h2_stream *s, const struct h1_head *head)
{
	s->left = head->body_length;
	switch (head->framing) {
	case H1_LENGTH: s->down = s->left > 0 ? H2_LENGTH : H2_WHOLE; break;
	case H1_CHUNKED: s->down = H2_CHUNKED; break;
	case H1_UNTIL_CLOSE:
	case H1_TUNNEL: s->down = H2_ENDLESS; break;
	default: s->down = H2_WHOLE; break;
	}
}

/* Fields of a head, to nghttp2. */
static int
submit_fields(struct h2_stream *s, const struct h2_field *f, unsigned n, bool interim)
{
	nghttp2_data_provider body = { .source.ptr = s, .read_callback = h2_stream_source };
	nghttp2_nv nv[H2_ANSWER_FIELDS];
	int code;

	(void)to_nv(f, n, nv);
	code = interim
		   ? nghttp2_submit_headers(s->h->ng, NGHTTP2_FLAG_NONE, s->id, NULL, nv, n, NULL)
		   : nghttp2_submit_response(
			 s->h->ng, s->id, nv, n, s->down == H2_WHOLE ? NULL : &body);
	return code == 0 ? 0 : code == NGHTTP2_ERR_NOMEM ? -ENOMEM : -EPIPE;
}

/* A head that was read from buf. */
static int
submit_head(struct h2_stream *s, const char *buf, struct h1_head *head)
{
	struct h2_field f[H2_ANSWER_FIELDS];
	bool interim;
	char *names;
	unsigned n;
	int code;

	if (h1_frame_answer(head, (enum h1_method)s->h1_method, s->tunnel, 1) != 0)
		return -EPROTO;
	names = malloc(head->length + 8);
	if (names == NULL)
		return -ENOMEM;
	n = h2_answer_fields(buf, head, s->tunnel, f, names);
	interim = head->status < 200 && head->status != 101;
	if (!interim)
		begin_body(s, head);
	code = s->h->wire != NULL ? s->h->wire->head(s, f, n, interim)
				  : submit_fields(s, f, n, interim);
	free(names);
	return code;
}

/* Bytes of a head; *used_out of them belong to it. */
static int
write_head(struct h2_stream *s, const char *p, size_t n, size_t *used_out)
{
	struct h1_head *head = &s->h->head;
	size_t had = h2_bytes_n(&s->part);
	const char *buf = p;
	size_t len = n;
	int code;

	*used_out = n;
	if (s->h->back)
		return h2_stream_ask(s, p, n, used_out);
	if (had > 0) {
		if (h2_bytes_put(&s->part, p, n) != 0)
			return -ENOMEM;
		buf = (const char *)s->part.b + s->part.off;
		len = had + n;
	}
	h1_head_init(head, true, H1_HEAD_MAX);
	head->both = true;
	switch (h1_head_parse(head, buf, len)) {
	case H1_MORE: return had > 0 ? 0 : h2_bytes_put(&s->part, p, n);
	case H1_BAD: return -EPROTO;
	case H1_DONE: break;
	}
	code = submit_head(s, buf, head);
	*used_out = head->length - had;
	h2_bytes_fini(&s->part);
	return code;
}

/* Bytes of a chunked body: its data to out, its trailer section to part. */
static int
write_chunked(struct h2_stream *s, const char *p, size_t n)
{
	enum h1_result r;
	size_t used;

	while (n > 0) {
		if (h1_chunk_data(&s->chunk)) {
			used = n < s->chunk.left ? n : (size_t)s->chunk.left;
			if (h2_bytes_put(&s->out, p, used) != 0)
				return -ENOMEM;
			h1_chunk_skip(&s->chunk, used);
		} else {
			r = h1_chunk_scan(&s->chunk, p, 1, &used);
			if (r == H1_BAD)
				return -EPROTO;
			if (s->chunk.trailer > 0 && h2_bytes_put(&s->part, p, 1) != 0)
				return -ENOMEM;
			if (r == H1_DONE) {
				s->down = H2_WHOLE;
				return 0;
			}
		}
		p += used;
		n -= used;
	}
	return 0;
}

static int
write_body(struct h2_stream *s, const char *p, size_t n)
{
	switch (s->down) {
	case H2_LENGTH:
		if (n > s->left)
			n = (size_t)s->left;
		if (h2_bytes_put(&s->out, p, n) != 0)
			return -ENOMEM;
		s->left -= n;
		if (s->left == 0)
			s->down = H2_WHOLE;
		return 0;
	case H2_CHUNKED: return write_chunked(s, p, n);
	case H2_ENDLESS: return h2_bytes_put(&s->out, p, n);
	default: return 0; /* nothing belongs behind it */
	}
}

int
h2_stream_write(struct h2_stream *s, const void *p, size_t n)
{
	const char *at = p;
	size_t used;
	int code = 0;

	if (h2_stream_deaf(s) || s->down == H2_BROKEN)
		return -EPIPE;
	while (code == 0 && n > 0 && s->down == H2_HEAD) {
		code = write_head(s, at, n, &used);
		at += used;
		n -= used;
	}
	if (code == 0 && n > 0)
		code = write_body(s, at, n);
	if (code == 0)
		code = resume(s);
	if (code != 0) {
		h2_stream_refuse(s, NGHTTP2_INTERNAL_ERROR);
		return code;
	}
	return h2_stream_waits(s);
}

void
h2_stream_end(struct h2_stream *s)
{
	if (s->down != H2_ENDLESS)
		return;
	s->down = H2_WHOLE;
	(void)resume(s);
}

/* All that was written was sent, or its end alone was not. */
static bool
is_said(const struct h2_stream *s, bool reset)
{
	return s->answered || (!reset && s->down == H2_WHOLE && !h2_stream_waits(s));
}

void
h2_stream_close(struct h2_stream *s, bool reset)
{
	bool went_on = s->answered && h2_stream_goes_on(s);

	s->owner = NULL;
	h2_bytes_fini(&s->in);
	if (!reset)
		h2_stream_end(s);
	if (s->gone || s->id == 0) { /* no frame of it was, or will be */
		h2_stream_free(s);
		return;
	}
	if (s->h->back && !(s->ended && is_said(s, reset)))
		h2_stream_refuse(s, NGHTTP2_CANCEL);
	else if (!s->answered && (reset || s->down != H2_WHOLE) && s->down != H2_BROKEN)
		h2_stream_refuse(s, NGHTTP2_INTERNAL_ERROR);
	else if (went_on && !s->ended)
		h2_stream_refuse(s, reset ? NGHTTP2_CANCEL : NGHTTP2_NO_ERROR);
	list_del(&s->news);
}
