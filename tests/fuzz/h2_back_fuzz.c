/* A session of HTTP/2 to a server, without a socket: bytes of a server in pieces, for a few requests whose bodies come late or never. Beside
 * that nothing breaks: what a stream reads as an answer is heads that the parser of HTTP/1.1 takes or refuses, and behind the last is its body
 * and no byte more. First byte: the way; then frames, or, when bit 7 is set, an empty SETTINGS is put in front of them. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lbd-proxy/h2/h2_head.h"
#include "lbd-proxy/h2/h2_session.h"
#include "lbd-proxy/http/h1_parse.h"

#define ROOM (64 * 1024 + H2_FRAME_ROOM)
#define STREAMS 5
#define TUNNEL 4 /* asks for a WebSocket */

static void
want(bool ok)
{
	if (!ok)
		abort();
}

/* The owner of a stream: the answer as far as it was read. */
struct owner {
	struct h2_stream *s; /* NULL: let go */
	char *text;
	size_t len;
	struct h1_head head;
	struct h1_chunk chunk;
	bool asked, over;
};

static const char *const requests[STREAMS] = {
	"GET / HTTP/1.1\r\nHost: a\r\nCookie: b\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhello",
	"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\nfirst",
};

static struct h2_stream *
ask(struct h2_session *h, struct owner *o, unsigned i)
{
	const struct h2_ask how = { .trailers = i == 1, .both = i == 0, .tunnel = i == TUNNEL };
	struct h2_stream *s = h2_session_open(h, &how);

	want(s != NULL);
	h2_stream_own(s, o);
	return s;
}

/* False: it was no answer. */
static bool
check_head(struct owner *o, unsigned i)
{
	while (o->head.length == 0 || (o->head.status < 200 && o->head.status != 101)) {
		h1_head_init(&o->head, true, H1_HEAD_MAX);
		o->head.both = i == 0;
		switch (h1_head_parse(&o->head, o->text, o->len)) {
		case H1_MORE: o->head.length = 0; return true;
		case H1_BAD: return false;
		case H1_DONE: break;
		}
		want(o->head.status != 101 || i == TUNNEL);
		if (h1_frame_answer(&o->head, i == 3 ? H1_M_HEAD : H1_M_GET, i == TUNNEL, 1) != 0)
			return false;
		o->len -= o->head.length;
		memmove(o->text, o->text + o->head.length, o->len);
	}
	return true;
}

/* What was read so far is a prefix of one answer. */
static void
check_answer(struct owner *o, unsigned i)
{
	enum h1_result r;
	size_t used;

	if (o->over || !check_head(o, i)) {
		o->over = true;
		o->len = 0;
		return;
	}
	if (o->head.length == 0 || o->len == 0)
		return;
	switch (o->head.framing) {
	case H1_LENGTH:
		want(o->len <= o->head.body_length);
		o->head.body_length -= o->len;
		break;
	case H1_CHUNKED:
		r = h1_chunk_scan(&o->chunk, o->text, o->len, &used);
		want(r != H1_DONE || used == o->len);
		o->over = r != H1_MORE; /* a trailer that the parser refuses, or the end */
		break;
	case H1_TUNNEL: break;
	default: want(false);
	}
	o->len = 0;
}

static void
let_go(struct owner *o, bool reset)
{
	h2_stream_close(o->s, reset);
	free(o->text);
	o->s = NULL;
	o->text = NULL;
}

static void
go_on(struct owner *o, unsigned i, unsigned way)
{
	size_t room = (way & 8) != 0 ? 40 : 5000;
	ssize_t n;

	if (!o->asked && !h2_stream_gone(o->s)) {
		o->asked = true;
		if (h2_stream_write(o->s, requests[i], strlen(requests[i])) < 0) {
			let_go(o, true);
			return;
		}
	}
	do {
		o->text = realloc(o->text, o->len + room);
		want(o->text != NULL);
		n = h2_stream_read(o->s, o->text + o->len, room);
		want(n <= (ssize_t)room);
		if (n > 0) {
			o->len += (size_t)n;
			check_answer(o, i);
		}
	} while (n > 0);
	if (n == -ENODATA && i == TUNNEL && h2_stream_write(o->s, "more", 4) >= 0)
		h2_stream_end(o->s); /* its other half */
	if (n < 0 || (o->over && (way & 16) != 0))
		let_go(o, (way & 32) != 0);
}

static void
news(struct h2_session *h, struct owner *all, unsigned way)
{
	struct h2_stream *s;

	while ((s = h2_session_news(h)) != NULL) {
		struct owner *o = h2_stream_owner(s);

		want(o != NULL);
		go_on(o, (unsigned)(o - all), way);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char settings[] = "\0\0\0\4\0\0\0\0";
	static uint8_t out[ROOM];
	const struct h2_limits limits = { .streams = 8, .head_max = 4096 };
	struct owner all[STREAMS] = { 0 };
	struct h2_session *h = h2_session_new_back(&limits, NULL);
	unsigned way = size > 0 ? data[0] : 0;
	size_t step = (way & 64) != 0 ? 7 : 1000, n;
	bool up = false;
	mono_t now = 1;
	int code = 0;

	want(h != NULL && h2_session_room(h) == 8);
	for (unsigned i = 0; i < STREAMS; i++)
		all[i].s = ask(h, &all[i], i);
	want(h2_session_out(h, out, sizeof(out), now) > 24);
	if ((way & 128) != 0)
		code = h2_session_in(h, settings, sizeof(settings), now);
	for (size_t at = 1; at < size && code == 0 && !h2_session_over(h); at += n, now += 1000) {
		if (!up && h2_session_greeted(h)) {
			up = true;
			h2_session_admit(h);
			news(h, all, way);
		}
		want(h2_session_out(h, out, sizeof(out), now) >= 0);
		n = size - at < step ? size - at : step;
		code = h2_session_in(h, data + at, n, now);
		news(h, all, way);
	}
	if ((way & 3) == 0)
		h2_session_ping(h);
	want(h2_session_out(h, out, sizeof(out), now) <= (ssize_t)sizeof(out));
	news(h, all, way);
	h2_session_lose(h);
	news(h, all, way);
	for (unsigned i = 0; i < STREAMS; i++)
		if (all[i].s != NULL)
			let_go(&all[i], true);
	h2_session_free(h);
	return 0;
}
