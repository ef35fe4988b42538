/* A session of HTTP/2 without a socket: bytes of a client in pieces, requests answered in one of several ways, everything that is to be
 * sent taken, some of it late. Beside that nothing breaks: what a stream reads as a request is one head that the parser of HTTP/1.1
 * takes or refuses, and behind it is its body and no byte more. First byte: the way; then frames, or, when bit 7 is set, the client's
 * preface is put in front of them. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lbd-proxy/h2/h2_session.h"
#include "lbd-proxy/http/h1_parse.h"

#define ROOM (64 * 1024 + H2_FRAME_ROOM)

static void
want(bool ok)
{
	if (!ok)
		abort();
}

/* The owner of a stream: the request as far as it was read. */
struct owner {
	char *text;
	size_t len;
	struct h1_head head;
	struct h1_chunk chunk;
	bool parsed, answered;
};

static const char *const answers[] = {
	"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
	"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-A: b\r\n\r\n",
	"HTTP/1.1 200 OK\r\n\r\nuntil the end",
	"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n",
	"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
	"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\ndata",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nhalf",
	"not HTTP\r\n\r\n",
};

/* What was read so far is a prefix of one request. */
static void
check_request(struct owner *o)
{
	size_t used;

	if (!o->parsed) {
		h1_head_init(&o->head, false, H1_HEAD_MAX);
		switch (h1_head_parse(&o->head, o->text, o->len)) {
		case H1_MORE: return;
		case H1_BAD: o->parsed = true; return;
		case H1_DONE: break;
		}
		want(!o->head.keep_alive);
		o->parsed = true;
		o->len -= o->head.length;
		memmove(o->text, o->text + o->head.length, o->len);
	}
	if (o->head.error != NULL || o->head.upgrade) {
		o->len = 0;
		return;
	}
	switch (o->head.framing) {
	case H1_LENGTH:
		want(o->len <= o->head.body_length);
		o->head.body_length -= o->len;
		break;
	case H1_CHUNKED:
		if (o->len > 0 && o->chunk.error == NULL) {
			enum h1_result r = h1_chunk_scan(&o->chunk, o->text, o->len, &used);

			want(r != H1_DONE || used == o->len);
			if (r == H1_DONE)
				o->head.framing = H1_NO_BODY;
			else if (r == H1_BAD)
				o->head.error =
				    o->chunk.error; /* a trailer that the parser refuses */
		}
		break;
	default: want(o->len == 0); break;
	}
	o->len = 0;
}

static void
let_go(struct h2_stream *s, bool reset)
{
	struct owner *o = h2_stream_owner(s);

	h2_stream_close(s, reset);
	free(o->text);
	free(o);
}

static void
read_request(struct h2_stream *s, struct owner *o, size_t room)
{
	ssize_t n;

	do {
		o->text = realloc(o->text, o->len + room);
		want(o->text != NULL);
		n = h2_stream_read(s, o->text + o->len, room);
		want(n <= (ssize_t)room);
		if (n > 0) {
			o->len += (size_t)n;
			check_request(o);
		}
	} while (n > 0);
}

static void
write_answer(struct h2_stream *s, struct owner *o, const char *text, size_t step)
{
	size_t len = strlen(text), at = 0, n;

	o->answered = true;
	for (; at < len; at += n) {
		n = len - at < step ? len - at : step;
		if (h2_stream_write(s, text + at, n) < 0)
			return;
	}
}

static void
news(struct h2_session *h, unsigned way)
{
	size_t room = (way & 8) != 0 ? 40 : 5000, step = (way & 16) != 0 ? 1 : 4096;
	struct h2_stream *s;

	while ((s = h2_session_news(h)) != NULL) {
		struct owner *o = h2_stream_owner(s);

		if (o == NULL) {
			o = calloc(1, sizeof(*o));
			want(o != NULL);
			h2_stream_own(s, o);
		}
		if (h2_stream_gone(s)) {
			want(h2_stream_read(s, o, 1) == -ECONNRESET);
			let_go(s, true);
			continue;
		}
		read_request(s, o, room);
		if (o->parsed && !o->answered)
			write_answer(s, o, answers[way & 7], step);
		if (o->answered && !h2_stream_waits(s))
			let_go(s, (way & 32) != 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
	static uint8_t out[ROOM];
	const struct h2_limits limits = { .streams = 8, .head_max = 4096 };
	struct h2_session *h;
	struct h2_stream *s;
	mono_t now = 1;
	unsigned way;
	size_t at, n, step;
	int code = 0;

	if (size < 2)
		return 0;
	way = data[0];
	step = (way & 64) != 0 ? 7 : 1000;
	h = h2_session_new(&limits, 1, NULL);
	want(h != NULL && h2_session_host(h) == NULL);
	if ((way & 128) != 0)
		code = h2_session_in(h, preface, sizeof(preface) - 1, now);
	for (at = 1; at < size && code == 0 && !h2_session_over(h); at += n, now += 1000) {
		n = size - at < step ? size - at : step;
		code = h2_session_in(h, data + at, n, now);
		news(h, way);
		if (at % 3 != 0 || (way & 64) == 0)
			want(h2_session_out(h, out, sizeof(out), now) >= 0);
		news(h, way);
	}
	if ((way & 3) == 0)
		h2_session_goaway(h);
	want(h2_session_out(h, out, sizeof(out), now) <= (ssize_t)sizeof(out));
	news(h, way);
	for (s = h2_session_next(h, NULL); s != NULL;) {
		struct h2_stream *next = h2_session_next(h, s);

		if (h2_stream_owner(s) != NULL) {
			h2_stream_lose(s);
			let_go(s, true);
		}
		s = next;
	}
	h2_session_free(h);
	return 0;
}
