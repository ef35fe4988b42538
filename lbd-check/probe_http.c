/* probe_http.c - asks for one page and hands the answer to answer.c.
 *
 * One request on one connection, which is closed afterwards. Method, path and Host come from the check; without
 * a Host there the server's own address is used, with the port when it is not 80 (443 by TLS). A path may hold any UTF-8:
 * what must not stand in a request line is percent-encoded, so no field of the configuration can break the
 * request. An answer that comes before the request is sent (a full server that says 503 and closes) is read
 * like any other.
 *
 * A turn reads at most READ_TURN bytes, so that one fast server with a large page does not hold up the others. */
#include "probe.h"

#include "answer.h"

#include "base/buf.h"
#include "base/must.h"
#include "msg/msg.h"

#include <errno.h>
#include <string.h>

#define READ_SIZE 16384
#define READ_TURN (4 * READ_SIZE)

struct http {
	struct buf request;
	size_t sent;
	struct answer answer;
};

static void
put_path(struct buf *b, const char *path)
{
	for (const uint8_t *c = (const uint8_t *)path; *c; c++)
		if (*c <= 0x20 || *c >= 0x7f || *c == '#')
			buf_printf(b, "%%%02X", *c);
		else
			buf_put(b, c, 1);
}

static void
put_host(struct buf *b, const struct probe_ask *ask)
{
	char text[ADDR_TEXT];

	if (ask->check->host[0]) {
		buf_puts(b, ask->check->host);
		return;
	}
	addr_format(&ask->addr, ADDR_HOST, text);
	if (strchr(ask->name, ':'))
		buf_printf(b, "[%s]", text);
	else
		buf_puts(b, ask->name);
	if (ask->port != (ask->server_tls != server_tls_off ? 443 : 80))
		buf_printf(b, ":%u", ask->port);
}

static void
http_init(struct probing *p, void *state)
{
	const struct probe_ask *ask = probe_asked(p);
	struct http *h = state;

	answer_init(&h->answer, ask->check);
	buf_printf(&h->request, "%s ", word_text(&method_list, ask->check->method));
	put_path(&h->request, ask->check->path);
	buf_puts(&h->request, " HTTP/1.1\r\nHost: ");
	put_host(&h->request, ask);
	buf_puts(&h->request,
	    "\r\nUser-Agent: lbd-check/" LBD_VERSION
	    "\r\nAccept: */*\r\nAccept-Encoding: identity\r\nConnection: close\r\n\r\n");
}

static void
http_fini(void *state)
{
	struct http *h = state;

	answer_fini(&h->answer);
	buf_fini(&h->request);
}

/* As much of the request as the connection takes. */
static void
send_request(struct probing *p, struct http *h)
{
	size_t left = h->request.len - h->sent;
	ssize_t n = probe_send(p, h->request.p + h->sent, left);

	if (n == -1) {
		/* A server may answer and close before it has read all: look at what it said. */
		if (errno == EPIPE || errno == ECONNRESET)
			h->sent = h->request.len;
		else if (errno != EAGAIN && errno != EINTR)
			probe_end_errno(p, errno);
		return;
	}
	probe_say(p, h->request.p + h->sent, (size_t)n, true, "sent %zd bytes", n);
	h->sent += (size_t)n;
}

static void
end_answer(struct probing *p, struct http *h, int reason)
{
	const struct answer *a = &h->answer;

	if (a->status)
		probe_say(p, NULL, 0, false, "http status %u, %llu bytes of body", a->status,
		    (unsigned long long)a->body);
	if (a->expect.len && reason != REASON_status)
		probe_say(
		    p, NULL, 0, false, "expected text %s", a->expect.found ? "found" : "not found");
	if (a->reject.len && reason != REASON_status)
		probe_say(
		    p, NULL, 0, false, "rejected text %s", a->reject.found ? "found" : "not found");
	probe_end(p, reason, reason == REASON_closed || reason == REASON_protocol ? 0 : a->status);
}

static void
read_answer(struct probing *p, struct http *h)
{
	char room[READ_SIZE];

	for (size_t got = 0; got < READ_TURN;) {
		ssize_t n = probe_recv(p, room, sizeof(room));
		int reason;

		if (n == -1) {
			if (errno != EAGAIN && errno != EINTR)
				probe_end_errno(p, errno);
			return;
		}
		if (n == 0) {
			probe_say(p, NULL, 0, false, "closed by the server");
			end_answer(p, h, answer_end(&h->answer));
			return;
		}
		probe_say(p, room, (size_t)n, false, "received %zd bytes", n);
		reason = answer_feed(&h->answer, room, (size_t)n);
		if (reason != REASON_none) {
			end_answer(p, h, reason);
			return;
		}
		if ((size_t)n < sizeof(room))
			return;
		got += (size_t)n;
	}
}

static void
http_step(struct probing *p, void *state, unsigned ready)
{
	struct http *h = state;

	if (ready & LOOP_READ)
		read_answer(p, h);
	if (h->sent < h->request.len)
		send_request(p, h);
	probe_want(p, h->sent < h->request.len ? LOOP_READ | LOOP_WRITE : LOOP_READ);
}

const struct probe_kind probe_kind_http = {
	.name = "http",
	.talks = true,
	.size = sizeof(struct http),
	.init = http_init,
	.step = http_step,
	.fini = http_fini,
};
