/* Heads: no input may break the parser, what it takes keeps an independent, slow set of rules, the pieces in which it
 * arrives make no difference, and what is forwarded is itself a head that is taken, with the same body and our changes.
 * First byte: answer or request, policies; second byte: size of the pieces, and whether CONNECT is taken. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lbd-proxy/http/cookie.h"
#include "lbd-proxy/http/http_tell.h"
#include "schema/schema.h"

#define LIMIT 16384

static void
want(bool ok)
{
	if (!ok)
		abort();
}

static enum h1_result
in_pieces(struct h1_head *h, bool answer, bool connect, const char *buf, size_t len, size_t step)
{
	enum h1_result r = H1_MORE;

	h1_head_init(h, answer, LIMIT);
	h->connect = connect;
	for (size_t n = 0; r == H1_MORE && n < len;) {
		n = len - n < step ? len : n + step;
		char *copy = malloc(n);
		memcpy(copy, buf, n);
		r = h1_head_parse(h, copy, n);
		free(copy);
	}
	return r;
}

/* The rules again, without the parser's help: only CR LF ends a line, no other control byte, no folding, and the
 * fields that say where the body ends stand once. */
static void
check_bytes(const char *buf, const struct h1_head *h)
{
	unsigned hosts = 0, lengths = 0, codings = 0;

	for (uint32_t i = 0; i < h->length; i++) {
		uint8_t c = (uint8_t)buf[i];
		want(c != 0 && c != 0x7f && (c >= 0x20 || c == '\t' || c == '\r' || c == '\n'));
		want(c != '\n' || (i > 0 && buf[i - 1] == '\r'));
		want(c != '\r' || buf[i + 1] == '\n');
	}
	for (unsigned i = 0; i < h->n; i++) {
		const char *line = buf + h1_line(h, i);
		want(h1_line(h, i) >= 2 && line[-1] == '\n' && line[0] != ' ' && line[0] != '\t');
		hosts += strncasecmp(line, "host:", 5) == 0;
		lengths += strncasecmp(line, "content-length:", 15) == 0;
		codings += strncasecmp(line, "transfer-encoding:", 18) == 0;
		const struct h1_header *f = &h->header[i];
		want(f->name_len > 0 && f->name_off + f->name_len < f->value_off + 1u);
		want(f->value_off + f->value_len + 2u <= h1_line(h, i + 1));
	}
	want(lengths <= 1 && codings <= 1 && lengths + codings <= 1);
	want(h->answer || (hosts <= 1 && (hosts == 1 || h->minor == 0)));
}

/* A plan's head, parsed again. */
static char *
reparse(const struct http_plan *p, const char *buf, bool answer, struct h1_head *out)
{
	static struct iovec iov[HTTP_IOV_MAX];
	char *flat = malloc(p->out_len + 1);
	size_t at = 0;

	want(http_plan_write(p, buf, flat) == p->out_len);
	flat[p->out_len] = '\0';
	unsigned n = http_plan_iov(p, buf, iov, HTTP_IOV_MAX);
	for (unsigned i = 0; i < n; i++) {
		want(memcmp(flat + at, iov[i].iov_base, iov[i].iov_len) == 0);
		at += iov[i].iov_len;
	}
	want(at == p->out_len);
	h1_head_init(out, answer, H1_HEAD_MAX);
	out->connect = true;
	/* Our own lines may take it over the number of fields: that alone is no fault. */
	enum h1_result r = h1_head_parse(out, flat, p->out_len);
	want(r == H1_DONE || (r == H1_BAD && out->error->status == 431));
	if (r == H1_DONE)
		want(out->length == p->out_len && out->start == 0);
	return flat;
}

static void
check_request(const char *buf, const struct h1_head *h, uint8_t options)
{
	static struct h1_head out;
	struct http_request_policy policy = { .client = "192.0.2.1",
		.client_len = 9,
		.forwarded = (options >> 1) % 3,
		.close = (options & 8) != 0,
		.cookie = "L",
		.cookie_len = 1 };
	static struct http_plan p;
	struct cookie_span v;
	struct http_tell t = { .x_forwarded = true,
		.forwarded = true,
		.via = true,
		.policy = policy.forwarded,
		.request_id = (options >> 5) % 3,
		.scheme = "http",
		.client = "192.0.2.1",
		.client_len = 9,
		.id = "123456789",
		.id_len = 9 };

	if ((options & 16) != 0)
		policy.tell = &t;

	http_plan_request(&p, buf, h, &policy);
	char *flat = reparse(&p, buf, false, &out);
	if (out.length > 0) {
		want(out.framing == h->framing && out.body_length == h->body_length &&
		     out.method == h->method);
		want(h->form != H1_ABSOLUTE ||
		     (out.host_len == h->host_len &&
			 strncasecmp(flat + out.host_off, buf + h->host_off, h->host_len) == 0));
		want((h->form == H1_AUTHORITY) == (out.form == H1_AUTHORITY) &&
		     (out.form == H1_AUTHORITY) == (out.method == H1_M_CONNECT));
		want(out.form != H1_ABSOLUTE && out.minor == h->minor && out.upgrade == h->upgrade);
		want((out.seen & (H1_BIT(H1_TE) | H1_BIT(H1_KEEP_ALIVE) |
				     H1_BIT(H1_PROXY_CONNECTION))) == 0);
		want(policy.forwarded == forwarded_off ||
		     (out.seen & H1_BIT(H1_X_FORWARDED_FOR)) != 0);
		for (unsigned i = 0; i < out.n; i++)
			if (out.header[i].id == H1_COOKIE)
				want(!cookie_find(flat + out.header[i].value_off,
				    out.header[i].value_len, "L", 1, &v));
	}
	free(flat);
}

static void
check_answer(const char *buf, struct h1_head *h, uint8_t options)
{
	static struct h1_head out;
	static struct http_plan p;
	unsigned method = options & 128 ? H1_M_CONNECT : options >> 1 & 3, minor = options >> 3 & 1;
	struct http_answer_policy policy = { .insert = "Set-Cookie: L=x\r\n",
		.insert_len = options & 16 ? 17 : 0,
		.client_minor = (uint8_t)minor,
		.keep_alive = (options & 32) != 0 };

	if (h1_frame_answer(h, method, (options & 64) != 0, minor) != 0)
		return;
	http_plan_answer(&p, buf, h, &policy);
	free(reparse(&p, buf, true, &out));
	if (out.length > 0 && h1_frame_answer(&out, method, true, minor) == 0)
		want(out.framing == h->framing && out.minor == 1 && out.status == h->status);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct h1_head whole, pieces;

	if (size < 3)
		return 0;
	bool answer = data[0] & 1, connect = data[1] >= 128;
	char *buf = malloc(size - 2);
	memcpy(buf, data + 2, size - 2);
	h1_head_init(&whole, answer, LIMIT);
	whole.connect = connect;
	enum h1_result r = h1_head_parse(&whole, buf, size - 2);
	want(in_pieces(&pieces, answer, connect, buf, size - 2, data[1] % 64 + 1u) == r);
	if (r == H1_DONE) {
		want(pieces.length == whole.length && pieces.n == whole.n &&
		     pieces.seen == whole.seen);
		want(pieces.framing == whole.framing && pieces.body_length == whole.body_length);
		want(pieces.keep_alive == whole.keep_alive && pieces.upgrade == whole.upgrade);
		check_bytes(buf, &whole);
		want(connect || whole.method != H1_M_CONNECT);
		if (answer)
			check_answer(buf, &whole, data[0]);
		else
			check_request(buf, &whole, data[0]);
	}
	if (r == H1_BAD)
		want(whole.error->status >= 400 && whole.error->text[0] != '\0');
	free(buf);
	return 0;
}
