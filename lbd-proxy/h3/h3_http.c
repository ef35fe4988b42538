/* Streams, by nghttp3, as those of h2/: the head that it decodes becomes text by h2_stream_asked, what the owner writes fields and bytes.
 *
 * Nothing is called from inside of the libraries: they leave notes, and streams go on in the connection's turn. QUIC keeps bytes that were
 * sent until they are acknowledged, where they lie: so a stream's bytes are taken over whole when they are first sent, and freed by the
 * acknowledgement of the last. */
#include "h3_priv.h"

#include "base/must.h"

#include <stdlib.h>

/* Bytes that were given to nghttp3, in order. */
struct held {
	struct held *next;
	uint8_t *b;
	size_t left; /* not acknowledged */
};
struct more {
	struct held *first, **last;
};

static void
free_more(struct h2_stream *s)
{
	struct more *m = s->more;
	struct held *h;

	if (m == NULL)
		return;
	while ((h = m->first) != NULL) {
		m->first = h->next;
		free(h->b);
		free(h);
	}
	free(m);
	s->more = NULL;
}

struct h2_stream *
h3_http_stream(struct h3_conn *x, int64_t id)
{
	struct h2_stream *s = NULL;

	while ((s = h2_session_next(x->front.h, s)) != NULL)
		if (h3_id(s) == id)
			return s;
	return NULL;
}

int
h3_http_fail(struct h3_conn *x, int error)
{
	if (!x->failed)
		ngtcp2_connection_close_error_set_application_error(
		    &x->why, nghttp3_err_infer_quic_app_error_code(error), NULL, 0);
	x->failed = true;
	return NGTCP2_ERR_CALLBACK_FAILURE;
}

/* ---- from the client ---- */

static int
on_begin_headers(nghttp3_conn *http, int64_t id, void *arg, void *at)
{
	struct h3_conn *x = arg;
	struct h2_session *h = x->front.h;
	struct h2_stream *s = at;

	if (h2_session_begin_head(h) != 0)
		return NGHTTP3_ERR_CALLBACK_FAILURE;
	if (s != NULL)
		return 0; /* trailers */
	s = h2_stream_new(h, (int32_t)(id / 4 + 1));
	if (s == NULL || (s->more = calloc(1, sizeof(struct more))) == NULL)
		return NGHTTP3_ERR_CALLBACK_FAILURE;
	((struct more *)s->more)->last = &((struct more *)s->more)->first;
	return nghttp3_conn_set_stream_user_data(http, id, s) == 0 ? 0
								   : NGHTTP3_ERR_CALLBACK_FAILURE;
}

static int
on_header(nghttp3_conn *http, int64_t id, int32_t token, nghttp3_rcbuf *name, nghttp3_rcbuf *value,
    uint8_t flags, void *arg, void *at)
{
	struct h3_conn *x = arg;
	nghttp3_vec n = nghttp3_rcbuf_get_buf(name), v = nghttp3_rcbuf_get_buf(value);

	(void)http;
	(void)id;
	(void)token;
	(void)flags;
	(void)at;
	return h2_session_field(x->front.h, n.base, n.len, v.base, v.len) == 0
		   ? 0
		   : NGHTTP3_ERR_CALLBACK_FAILURE;
}

static int
on_end_headers(nghttp3_conn *http, int64_t id, int fin, void *arg, void *at)
{
	struct h3_conn *x = arg;

	(void)http;
	(void)id;
	x->front.h->opening = false;
	if (at == NULL)
		return 0;
	h2_session_settle(x->front.h);
	h2_stream_asked(at, fin != 0);
	return 0;
}

static int
on_end_trailers(nghttp3_conn *http, int64_t id, int fin, void *arg, void *at)
{
	struct h3_conn *x = arg;

	(void)http;
	(void)id;
	(void)fin;
	x->front.h->opening = false;
	if (at == NULL)
		return 0;
	h2_session_settle(x->front.h);
	h2_stream_trailers(at);
	return 0;
}

static int
on_data(nghttp3_conn *http, int64_t id, const uint8_t *p, size_t n, void *arg, void *at)
{
	struct h3_conn *x = arg;

	(void)http;
	(void)id;
	ngtcp2_conn_extend_max_offset(x->quic, n);
	if (at != NULL)
		h2_stream_data(at, p, n);
	return 0;
}

static int
on_deferred(nghttp3_conn *http, int64_t id, size_t n, void *arg, void *at)
{
	struct h3_conn *x = arg;

	(void)http;
	(void)at;
	ngtcp2_conn_extend_max_offset(x->quic, n);
	(void)ngtcp2_conn_extend_max_stream_offset(x->quic, id, n);
	return 0;
}

static int
on_end_stream(nghttp3_conn *http, int64_t id, void *arg, void *at)
{
	struct h2_stream *s = at;

	(void)http;
	(void)id;
	(void)arg;
	if (s != NULL && !s->ended)
		h2_stream_ended(s);
	return 0;
}

static int
on_stream_close(nghttp3_conn *http, int64_t id, uint64_t error, void *arg, void *at)
{
	struct h3_conn *x = arg;
	struct h2_stream *s = at;

	(void)http;
	(void)id;
	(void)error;
	x->front.h->opening = false;
	if (s == NULL)
		return 0;
	s->gone = true;
	if (!s->answered)
		s->lost = true;
	if (!s->known || s->owner == NULL)
		h2_stream_free(s);
	else
		h2_stream_tell(s);
	return 0;
}

/* nghttp3 refuses what is malformed. */
static int
on_stop(nghttp3_conn *http, int64_t id, uint64_t error, void *arg, void *at)
{
	struct h3_conn *x = arg;

	(void)http;
	(void)at;
	(void)ngtcp2_conn_shutdown_stream_read(x->quic, id, error);
	return 0;
}

static int
on_reset(nghttp3_conn *http, int64_t id, uint64_t error, void *arg, void *at)
{
	struct h3_conn *x = arg;

	(void)http;
	(void)at;
	(void)ngtcp2_conn_shutdown_stream_write(x->quic, id, error);
	return 0;
}

/* ---- to the client ---- */

static int
on_acked(nghttp3_conn *http, int64_t id, uint64_t n, void *arg, void *at)
{
	struct h2_stream *s = at;
	struct more *m = s == NULL ? NULL : s->more;

	(void)http;
	(void)id;
	(void)arg;
	while (m != NULL && n > 0 && m->first != NULL) {
		struct held *h = m->first;
		size_t took = n < h->left ? (size_t)n : h->left;

		h->left -= took;
		n -= took;
		if (h->left > 0)
			break;
		m->first = h->next;
		if (m->first == NULL)
			m->last = &m->first;
		free(h->b);
		free(h);
	}
	return 0;
}

static unsigned
to_nv(const struct h2_field *f, unsigned n, nghttp3_nv *nv)
{
	for (unsigned i = 0; i < n; i++)
		nv[i] =
		    (nghttp3_nv){ (uint8_t *)(uintptr_t)f[i].name, (uint8_t *)(uintptr_t)f[i].value,
			    f[i].name_len, f[i].value_len, NGHTTP3_NV_FLAG_NONE };
	return n;
}

static bool
submit_trailers(struct h2_stream *s, nghttp3_conn *http)
{
	struct h2_field f[H1_TRAILERS_MAX];
	nghttp3_nv nv[H1_TRAILERS_MAX];
	char names[H1_TRAILER_MAX];
	unsigned n = h2_stream_last_fields(s, f, names);

	if (n == 0)
		return false;
	n = nghttp3_conn_submit_trailers(http, h3_id(s), nv, to_nv(f, n, nv)) == 0 ? n : 0;
	h2_bytes_fini(&s->part);
	return n > 0;
}

/* All that waits, as it lies. */
static nghttp3_ssize
on_read(nghttp3_conn *http, int64_t id, nghttp3_vec *vec, size_t room, uint32_t *flags, void *arg,
    void *at)
{
	struct h2_stream *s = at;
	size_t n = s == NULL ? 0 : h2_bytes_n(&s->out);
	struct held *held;

	(void)id;
	(void)arg;
	(void)room;
	if (s == NULL || s->more == NULL)
		return NGHTTP3_ERR_CALLBACK_FAILURE;
	if (n == 0 && s->down != H2_WHOLE) {
		s->deferred = true;
		return NGHTTP3_ERR_WOULDBLOCK;
	}
	if (n > 0) {
		struct more *m = s->more;

		held = malloc(sizeof(*held));
		if (held == NULL)
			return NGHTTP3_ERR_CALLBACK_FAILURE;
		*held = (struct held){ .b = s->out.b, .left = n };
		vec[0] = (nghttp3_vec){ s->out.b + s->out.off, n };
		s->out = (struct h2_bytes){ 0 };
		*m->last = held;
		m->last = &held->next;
		h2_stream_tell(s);
	}
	if (s->down == H2_WHOLE) {
		*flags |= NGHTTP3_DATA_FLAG_EOF;
		if (submit_trailers(s, http))
			*flags |= NGHTTP3_DATA_FLAG_NO_END_STREAM;
	}
	return n > 0;
}

static int
wire_head(struct h2_stream *s, const struct h2_field *f, unsigned n, bool interim)
{
	static const nghttp3_data_reader body = { .read_data = on_read };
	struct h3_conn *x = h3_of(s->h);
	nghttp3_nv nv[H2_ANSWER_FIELDS];
	int code;

	(void)to_nv(f, n, nv);
	code = interim ? nghttp3_conn_submit_info(x->http, h3_id(s), nv, n)
		       : nghttp3_conn_submit_response(
			     x->http, h3_id(s), nv, n, s->down == H2_WHOLE ? NULL : &body);
	return code == 0 ? 0 : code == NGHTTP3_ERR_NOMEM ? -ENOMEM : -EPIPE;
}

static int
wire_resume(struct h2_stream *s)
{
	return nghttp3_conn_resume_stream(h3_of(s->h)->http, h3_id(s)) == NGHTTP3_ERR_NOMEM
		   ? -ENOMEM
		   : 0;
}

static void
wire_consumed(struct h2_stream *s, size_t n)
{
	(void)ngtcp2_conn_extend_max_stream_offset(h3_of(s->h)->quic, h3_id(s), n);
}

/* What an error of HTTP/2 is here (RFC 9114 section 8.1). */
static uint64_t
error_of(uint32_t error)
{
	switch (error) {
	case NGHTTP2_NO_ERROR: return NGHTTP3_H3_NO_ERROR;
	case NGHTTP2_PROTOCOL_ERROR: return NGHTTP3_H3_MESSAGE_ERROR;
	case NGHTTP2_REFUSED_STREAM: return NGHTTP3_H3_REQUEST_REJECTED;
	case NGHTTP2_CANCEL: return NGHTTP3_H3_REQUEST_CANCELLED;
	default: return NGHTTP3_H3_INTERNAL_ERROR;
	}
}

static void
wire_refuse(struct h2_stream *s, uint32_t error)
{
	struct h3_conn *x = h3_of(s->h);

	if (error == NGHTTP2_PROTOCOL_ERROR)
		s->h->malformed++;
	nghttp3_conn_shutdown_stream_write(x->http, h3_id(s));
	(void)ngtcp2_conn_shutdown_stream(x->quic, h3_id(s), error_of(error));
}

const struct h2_wire h3_wire = {
	.refuse = wire_refuse,
	.consumed = wire_consumed,
	.resume = wire_resume,
	.head = wire_head,
	.free = free_more,
};

int
h3_http_begin(struct h3_conn *x)
{
	static const nghttp3_callbacks cb = {
		.acked_stream_data = on_acked,
		.stream_close = on_stream_close,
		.recv_data = on_data,
		.deferred_consume = on_deferred,
		.begin_headers = on_begin_headers,
		.recv_header = on_header,
		.end_headers = on_end_headers,
		.begin_trailers = on_begin_headers,
		.recv_trailer = on_header,
		.end_trailers = on_end_trailers,
		.stop_sending = on_stop,
		.end_stream = on_end_stream,
		.reset_stream = on_reset,
	};
	const struct h2_limits *limits = &x->front.h->limits;
	nghttp3_settings ours;
	int64_t control, encoder, decoder;

	if (x->http != NULL)
		return 0;
	nghttp3_settings_default(&ours);
	ours.max_field_section_size = limits->head_max;
	ours.qpack_max_dtable_capacity = 4096;
	ours.qpack_blocked_streams = limits->streams < 100 ? limits->streams : 100;
	if (nghttp3_conn_server_new(&x->http, &cb, &ours, nghttp3_mem_default(), x) != 0)
		return -1;
	nghttp3_conn_set_max_client_streams_bidi(x->http, limits->streams);
	if (ngtcp2_conn_open_uni_stream(x->quic, &control, NULL) != 0 ||
	    nghttp3_conn_bind_control_stream(x->http, control) != 0 ||
	    ngtcp2_conn_open_uni_stream(x->quic, &encoder, NULL) != 0 ||
	    ngtcp2_conn_open_uni_stream(x->quic, &decoder, NULL) != 0 ||
	    nghttp3_conn_bind_qpack_streams(x->http, encoder, decoder) != 0)
		return -1;
	return 0;
}
