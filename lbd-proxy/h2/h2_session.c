/* Frames, by nghttp2.
 *
 * Its callbacks only take notes; who reads and writes streams is told afterwards, so nothing that they do happens inside of it.
 * Windows: what arrived on the connection makes room at once, what belongs to a stream when its owner has read it, so no
 * stream can hold up the others, and a connection holds at most H2_STREAM_WINDOW for each stream that may be open. DATA goes out
 * without a copy of nghttp2's own. A client that resets requests or sends frames for nothing is told to calm down (h2_calm.h);
 * nghttp2 has limits of its own for CONTINUATION, SETTINGS and acknowledgements that nobody fetches. */
#include "h2_priv.h"

#include "base/must.h"

/* The client breaks off, or is refused, one request more. */
static void
count_reset(struct h2_session *h)
{
	if (!h2_calm_reset(&h->calm, h->now))
		h->too_much = true;
}

static int
on_begin_frame(nghttp2_session *ng, const nghttp2_frame_hd *hd, void *arg)
{
	struct h2_session *h = arg;
	bool quiet = true;

	(void)ng;
	h->opening = hd->type == NGHTTP2_CONTINUATION && h->opening;
	switch (hd->type) {
	case NGHTTP2_HEADERS:
	case NGHTTP2_RST_STREAM:
	case NGHTTP2_GOAWAY:
	case NGHTTP2_CONTINUATION: break;
	case NGHTTP2_DATA:
		quiet = hd->length > 0 || (hd->flags & NGHTTP2_FLAG_END_STREAM) != 0;
		if (quiet)
			h2_calm_earned(&h->calm);
		break;
	default: quiet = false; break;
	}
	if (!quiet && !h2_calm_noise(&h->calm, h->now))
		h->too_much = true;
	return h->too_much ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

int
h2_session_begin_head(struct h2_session *h)
{
	h->fields = h->size = 0;
	h->large = false;
	h->text.off = h->text.len = 0;
	h->opening = true;
	if (h->field == NULL)
		h->field = malloc(H2_FIELDS_MAX * sizeof(*h->field));
	return h->field == NULL ? -ENOMEM : 0;
}

static int
on_begin_headers(nghttp2_session *ng, const nghttp2_frame *frame, void *arg)
{
	struct h2_session *h = arg;
	struct h2_stream *s;

	if (h2_session_begin_head(h) != 0)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	if (frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0; /* to a server: always */
	s = h2_stream_new(h, frame->hd.stream_id);
	if (s == NULL || nghttp2_session_set_stream_user_data(ng, s->id, s) != 0)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	return 0;
}

/* Notes of a field: where it begins in text, until all are there and text stays where it is. */
int
h2_session_field(struct h2_session *h, const uint8_t *name, size_t name_len, const uint8_t *value,
    size_t value_len)
{
	if (h->large)
		return 0;
	h->size += (uint32_t)(name_len + value_len);
	if (h->size > h->limits.head_max || h->fields == H2_FIELDS_MAX) {
		h->large = true;
		return 0;
	}
	h->field[h->fields++] =
	    (struct h2_field){ .name_len = (uint32_t)name_len, .value_len = (uint32_t)value_len };
	return h2_bytes_put(&h->text, name, name_len) != 0 ||
		       h2_bytes_put(&h->text, value, value_len) != 0
		   ? -ENOMEM
		   : 0;
}

static int
on_header(nghttp2_session *ng, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
    const uint8_t *value, size_t value_len, uint8_t flags, void *arg)
{
	(void)ng;
	(void)frame;
	(void)flags;
	if (h2_session_field(arg, name, name_len, value, value_len) != 0)
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	return 0;
}

static int
on_invalid_header(nghttp2_session *ng, const nghttp2_frame *frame, const uint8_t *name,
    size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags, void *arg)
{
	(void)ng;
	(void)frame;
	(void)name;
	(void)name_len;
	(void)value;
	(void)value_len;
	(void)flags;
	(void)arg;
	return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; /* malformed: RST_STREAM */
}

void
h2_session_settle(struct h2_session *h)
{
	const char *p = (const char *)h->text.b;

	for (unsigned i = 0; i < h->fields; i++) {
		h->field[i].name = p;
		p += h->field[i].name_len;
		h->field[i].value = p;
		p += h->field[i].value_len;
	}
}

static void
on_head(struct h2_session *h, struct h2_stream *s, const nghttp2_frame *frame)
{
	bool ended = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;

	h->opening = false;
	if (s == NULL)
		return;
	h2_session_settle(h);
	if (h->back) {
		h2_stream_told(s, ended);
		return;
	}
	if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
		h2_stream_asked(s, ended);
		return;
	}
	h2_stream_trailers(s);
	if (ended)
		h2_stream_ended(s);
}

static int
on_frame_recv(nghttp2_session *ng, const nghttp2_frame *frame, void *arg)
{
	struct h2_session *h = arg;
	struct h2_stream *s = nghttp2_session_get_stream_user_data(ng, frame->hd.stream_id);

	switch (frame->hd.type) {
	case NGHTTP2_HEADERS: on_head(h, s, frame); break;
	case NGHTTP2_DATA:
		if (s != NULL && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0)
			h2_stream_ended(s);
		break;
	case NGHTTP2_RST_STREAM:
		if (s != NULL && !s->answered && !h->back)
			count_reset(h);
		if (s != NULL)
			s->reset = true;
		break;
	case NGHTTP2_SETTINGS:
		h->greeted = h->greeted || (frame->hd.flags & NGHTTP2_FLAG_ACK) == 0;
		break;
	default: break;
	}
	return h->too_much ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

static int
on_data(nghttp2_session *ng, uint8_t flags, int32_t id, const uint8_t *p, size_t n, void *arg)
{
	struct h2_stream *s = nghttp2_session_get_stream_user_data(ng, id);

	(void)flags;
	(void)arg;
	if (nghttp2_session_consume_connection(ng, n) != 0)
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	if (s != NULL)
		h2_stream_data(s, p, n);
	return 0;
}

static int
on_frame_send(nghttp2_session *ng, const nghttp2_frame *frame, void *arg)
{
	struct h2_session *h = arg;
	struct h2_stream *s = nghttp2_session_get_stream_user_data(ng, frame->hd.stream_id);

	if (frame->hd.type == NGHTTP2_RST_STREAM && !h->back &&
	    frame->rst_stream.error_code != NGHTTP2_NO_ERROR &&
	    frame->rst_stream.error_code != NGHTTP2_INTERNAL_ERROR &&
	    frame->rst_stream.error_code != NGHTTP2_CANCEL)
		count_reset(h);
	if (frame->hd.type == NGHTTP2_RST_STREAM && !h->back &&
	    frame->rst_stream.error_code == NGHTTP2_PROTOCOL_ERROR)
		h->malformed++;
	if ((frame->hd.type != NGHTTP2_DATA && frame->hd.type != NGHTTP2_HEADERS) ||
	    (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0 || s == NULL)
		return 0;
	s->answered = true;
	h2_calm_answered(&h->calm);
	if (!s->ended && !h->back && !h2_stream_goes_on(s))
		(void)nghttp2_submit_rst_stream(ng, NGHTTP2_FLAG_NONE, s->id, NGHTTP2_NO_ERROR);
	return 0;
}

static int
on_stream_close(nghttp2_session *ng, int32_t id, uint32_t error, void *arg)
{
	struct h2_session *h = arg;
	struct h2_stream *s = nghttp2_session_get_stream_user_data(ng, id);

	h->opening = false;
	if (s == NULL)
		return 0;
	s->gone = true;
	if (h->back)
		h2_stream_over(s, error);
	else if (!s->answered)
		s->lost = true;
	if (!s->known || s->owner == NULL)
		h2_stream_free(s);
	else
		h2_stream_tell(s);
	return 0;
}

/* A frame's head and its data, as they go out. */
static int
on_send_data(nghttp2_session *ng, nghttp2_frame *frame, const uint8_t *head, size_t n,
    nghttp2_data_source *source, void *arg)
{
	struct h2_session *h = arg;
	struct h2_stream *s = source->ptr;

	(void)ng;
	(void)frame;
	memcpy(h->out + h->out_len, head, 9);
	h->out_len += 9;
	h->out_len += h2_bytes_take(&s->out, h->out + h->out_len, n);
	if (n >= H2_EARNEST || h->back || (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0)
		h2_calm_earned(&h->calm);
	if (!h2_stream_waits(s))
		h2_stream_tell(s);
	return NGHTTP2_ERR_PAUSE; /* h2_session_out looks whether there is room for another */
}

static nghttp2_session *
ng_new(struct h2_session *h)
{
	nghttp2_session_callbacks *cb = NULL;
	nghttp2_option *option = NULL;
	nghttp2_session *ng = NULL;

	if (nghttp2_session_callbacks_new(&cb) != 0 || nghttp2_option_new(&option) != 0) {
		nghttp2_session_callbacks_del(cb);
		return NULL;
	}
	nghttp2_session_callbacks_set_on_begin_frame_callback(cb, on_begin_frame);
	nghttp2_session_callbacks_set_on_begin_headers_callback(cb, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
	nghttp2_session_callbacks_set_on_invalid_header_callback(cb, on_invalid_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame_recv);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
	nghttp2_session_callbacks_set_on_frame_send_callback(cb, on_frame_send);
	nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_stream_close);
	nghttp2_session_callbacks_set_send_data_callback(cb, on_send_data);
	nghttp2_option_set_no_auto_window_update(option, 1);
	nghttp2_option_set_no_closed_streams(option, 1);
	if ((h->back ? nghttp2_session_client_new2(&ng, cb, h, option)
		     : nghttp2_session_server_new2(&ng, cb, h, option)) != 0)
		ng = NULL;
	nghttp2_option_del(option);
	nghttp2_session_callbacks_del(cb);
	return ng;
}

struct h2_session *
h2_session_new_on(
    const struct h2_limits *limits, uint64_t random, const struct h2_wire *wire, void *host)
{
	struct h2_session *h = calloc(1, sizeof(*h));

	if (h == NULL)
		return NULL;
	list_init(&h->streams);
	list_init(&h->news);
	h->limits = *limits;
	h->random = random;
	h->wire = wire;
	h->host = host;
	return h;
}

static struct h2_session *
session_new(const struct h2_limits *limits, bool back, void *host,
    const nghttp2_settings_entry *ours, size_t n)
{
	struct h2_session *h = calloc(1, sizeof(*h));

	if (h == NULL)
		return NULL;
	list_init(&h->streams);
	list_init(&h->news);
	h->limits = *limits;
	h->back = back;
	h->host = host;
	h->ng = ng_new(h);
	if (h->ng != NULL && nghttp2_submit_settings(h->ng, NGHTTP2_FLAG_NONE, ours, n) == 0 &&
	    nghttp2_session_set_local_window_size(h->ng, NGHTTP2_FLAG_NONE, 0, H2_CONN_WINDOW) == 0)
		return h;
	h2_session_free(h);
	return NULL;
}

struct h2_session *
h2_session_new(const struct h2_limits *limits, uint64_t random, void *host)
{
	const nghttp2_settings_entry ours[] = {
		{ NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits->streams },
		{ NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, H2_STREAM_WINDOW },
		{ NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, limits->head_max },
		{ NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1 },
		{ NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1 },
	};
	struct h2_session *h = session_new(limits, false, host, ours, ARRAY_LEN(ours));

	if (h != NULL)
		h->random = random;
	return h;
}

struct h2_session *
h2_session_new_back(const struct h2_limits *limits, void *host)
{
	const nghttp2_settings_entry ours[] = {
		{ NGHTTP2_SETTINGS_ENABLE_PUSH, 0 },
		{ NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, H2_STREAM_WINDOW },
		{ NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, limits->head_max },
	};

	return session_new(limits, true, host, ours, ARRAY_LEN(ours));
}

void *
h2_session_host(const struct h2_session *h)
{
	return h->host;
}

void
h2_session_free(struct h2_session *h)
{
	if (h == NULL)
		return;
	while (!list_empty(&h->streams)) {
		struct h2_stream *s = container_of(h->streams.next, struct h2_stream, link);

		must(s->owner == NULL);
		h2_stream_free(s);
	}
	nghttp2_session_del(h->ng);
	h2_bytes_fini(&h->text);
	free(h->field);
	free(h);
}

/* The client has to know why. */
static int
end(struct h2_session *h, int code)
{
	if (h->failed == 0) {
		h->failed = code;
		(void)nghttp2_session_terminate_session(
		    h->ng, h->too_much ? NGHTTP2_ENHANCE_YOUR_CALM : NGHTTP2_PROTOCOL_ERROR);
	}
	return h->failed;
}

int
h2_session_in(struct h2_session *h, const void *p, size_t n, mono_t now)
{
	ssize_t used;

	h->now = now;
	if (h->failed != 0)
		return h->failed;
	used = nghttp2_session_mem_recv(h->ng, p, n);
	if (used == NGHTTP2_ERR_FLOODED || used == NGHTTP2_ERR_TOO_MANY_CONTINUATIONS)
		h->too_much = true;
	if (used < 0 || h->too_much)
		return end(h, used == NGHTTP2_ERR_NOMEM ? -ENOMEM : -EPROTO);
	if (h->n == 0 && !h->opening) { /* a silent connection keeps nothing of its last head */
		h2_bytes_fini(&h->text);
		free(h->field);
		h->field = NULL;
	}
	return 0;
}

ssize_t
h2_session_out(struct h2_session *h, void *p, size_t room, mono_t now)
{
	const uint8_t *frame;
	ssize_t n;

	h->now = now;
	h->out = p;
	h->out_len = 0;
	while (room - h->out_len >= H2_FRAME_ROOM) {
		size_t had = h->out_len;

		n = nghttp2_session_mem_send(h->ng, &frame);
		if (n < 0)
			return -ENOMEM;
		if (h->too_much && h->failed == 0)
			(void)end(h, -EPROTO);
		if (n == 0 && h->out_len == had)
			break;
		if (n > 0)
			memcpy(h->out + h->out_len, frame, (size_t)n);
		h->out_len += (size_t)n;
	}
	return (ssize_t)h->out_len;
}

struct h2_stream *
h2_session_news(struct h2_session *h)
{
	struct h2_stream *s;

	if (list_empty(&h->news))
		return NULL;
	s = container_of(h->news.next, struct h2_stream, news);
	list_del(&s->news);
	s->known = true;
	return s;
}

bool
h2_session_over(const struct h2_session *h)
{
	return h->failed != 0 ||
	       (nghttp2_session_want_read(h->ng) == 0 && nghttp2_session_want_write(h->ng) == 0);
}

bool
h2_session_opening(const struct h2_session *h)
{
	return h->opening;
}

unsigned
h2_session_malformed(struct h2_session *h)
{
	unsigned n = h->malformed;

	h->malformed = 0;
	return n;
}

unsigned
h2_session_streams(const struct h2_session *h)
{
	return h->n;
}

void
h2_session_notice(struct h2_session *h)
{
	(void)nghttp2_submit_shutdown_notice(h->ng);
}

void
h2_session_goaway(struct h2_session *h)
{
	(void)nghttp2_submit_goaway(h->ng, NGHTTP2_FLAG_NONE,
	    nghttp2_session_get_last_proc_stream_id(h->ng), NGHTTP2_NO_ERROR, NULL, 0);
}

struct h2_stream *
h2_session_next(const struct h2_session *h, const struct h2_stream *s)
{
	struct list *at = s == NULL ? h->streams.next : s->link.next;

	return at == &h->streams ? NULL : container_of(at, struct h2_stream, link);
}
