/* The way of an answer that is compressed: from the server's framing into the coder, and out in chunks.
 *
 * A turn reads at most FLOW_COPY bytes, after everything before went out; so what a stream holds is its coder and one turn's
 * bytes. When the server has nothing more for now, the coder is flushed: an event of a slow stream is not held back for the
 * next. Chunk data of the server is taken out of its coding under the eyes of the same scanner that checks what is passed
 * on; a trailer section ends with the old coding. The coder goes as soon as the body is over. */
#include "http_squeeze.h"

#include "coding/coder.h"
#include "http_priv.h"

#include "base/must.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIZE_LINE 6 /* "ffff\r\n" */
#define CHUNK_MAX 0xffff
#define END "0\r\n\r\n"

struct squeeze {
	struct coder *coder;
	uint64_t left; /* of a body with a length; UINT64_MAX: endless */
	uint32_t head; /* bytes of the worker's output that go first */
	bool held;     /* the coder may have bytes that it did not give */
};

/* Output of one turn: chunks in the worker's memory, behind what is there. */
struct turn {
	struct http *h;
	uint8_t *out;
	size_t base, at; /* where the chunk began, where its data ends */
	int code;	 /* of conn_send */
};

void
squeeze_free(struct squeeze *q)
{
	if (q != NULL)
		coder_free(q->coder);
	free(q);
}

void
squeeze_begin(struct http *h, const char *buf, struct recode *r)
{
	const struct view *v = h->c->svc->view;
	enum coding coding = h->head.minor > 0 ? (enum coding)h->coding : CODING_NONE;
	bool sized = h->answer.framing == H1_LENGTH;
	struct squeeze *q;

	*r = recode_of(&h->answer, buf, v->types, v->compress_min, coding);
	if (!r->squeeze)
		return;
	r->squeeze = false;
	q = calloc(1, sizeof(*q));
	if (q == NULL)
		return;
	q->left = sized ? h->answer.body_length : UINT64_MAX;
	q->coder = coder_new(coding, v->compress_level, q->left);
	if (q->coder == NULL) {
		free(q);
		return;
	}
	h->squeeze = q;
	COUNT(h->c->svc->n->compressed_total);
	r->squeeze = true;
}

void
squeeze_head(struct http *h, size_t n)
{
	h->squeeze->head = (uint32_t)n;
}

static void
chunk_begin(struct turn *t)
{
	t->base = t->at;
	t->at += SIZE_LINE;
}

static void
chunk_end(struct turn *t)
{
	size_t n = t->at - t->base - SIZE_LINE;
	char line[16];

	if (n == 0) { /* an empty one would be the last */
		t->at = t->base;
		return;
	}
	(void)snprintf(line, sizeof(line), "%04x\r\n", (unsigned)n);
	memcpy(t->out + t->base, line, SIZE_LINE);
	memcpy(t->out + t->at, "\r\n", 2);
	t->at += 2;
	COUNT_ADD(t->h->c->svc->n->compress_out, n);
}

/* How much more data the chunk can take, with room for its end and the last chunk. */
static size_t
chunk_room(const struct turn *t)
{
	size_t left = SCRATCH_OUT - t->at - 2 - sizeof(END),
	       most = CHUNK_MAX - (t->at - t->base - SIZE_LINE);

	return left < most ? left : most;
}

static bool
send_turn(struct turn *t)
{
	t->code = t->at > 0 ? conn_send(t->h->c, t->out, t->at) : 0;
	t->at = 0;
	return t->code >= 0;
}

/* false: the coder or the client broke. */
static bool
code_bytes(struct turn *t, enum coder_op op, const uint8_t *p, size_t n)
{
	size_t room;
	ssize_t got;

	COUNT_ADD(t->h->c->svc->n->compress_in, n);
	for (;;) {
		room = chunk_room(t);
		got = coder_step(t->h->squeeze->coder, op, &p, &n, t->out + t->at, room);
		if (got < 0)
			return false;
		t->at += (size_t)got;
		if ((size_t)got < room)
			return true;
		chunk_end(t);
		if (!send_turn(t))
			return false;
		chunk_begin(t);
	}
}

/* Bytes of the server's framing. used_out: how many belong to the body. H1_BAD: broken, by whomever. */
static enum h1_result
take_bytes(struct turn *t, const uint8_t *p, size_t n, size_t *used_out)
{
	struct http *h = t->h;
	struct h1_chunk *k = &h->down_chunk;
	enum h1_result r = H1_MORE;
	size_t at = 0, run, one;

	if (h->down != H1_CHUNKED) {
		run = n < h->squeeze->left ? n : (size_t)h->squeeze->left;
		*used_out = run;
		if (h->squeeze->left != UINT64_MAX)
			h->squeeze->left -= run;
		if (!code_bytes(t, CODER_GO, p, run))
			return H1_BAD;
		return h->squeeze->left == 0 ? H1_DONE : H1_MORE;
	}
	while (r == H1_MORE && at < n) {
		if (h1_chunk_data(k)) {
			run = n - at < k->left ? n - at : (size_t)k->left;
			if (!code_bytes(t, CODER_GO, p + at, run))
				return H1_BAD;
			h1_chunk_skip(k, run);
			at += run;
		} else {
			r = h1_chunk_scan(k, (const char *)p + at, 1, &one);
			at += one;
		}
	}
	*used_out = at;
	return r;
}

static bool
end_body(struct turn *t)
{
	struct squeeze *q = t->h->squeeze;

	if (!code_bytes(t, CODER_END, NULL, 0))
		return false;
	chunk_end(t);
	memcpy(t->out + t->at, END, sizeof(END) - 1);
	t->at += sizeof(END) - 1;
	coder_free(q->coder);
	q->coder = NULL;
	return true;
}

/* The end of a turn in which nothing ended. */
static enum flow_result
rest(struct turn *t)
{
	struct conn *s = t->h->s;
	bool more = s->can_read || s->eof || conn_kept(s) > 0;

	if (!more && t->h->squeeze->held) {
		if (!code_bytes(t, CODER_FLUSH, NULL, 0))
			return t->code < 0 ? FLOW_TO : FLOW_FROM;
		t->h->squeeze->held = false;
	}
	chunk_end(t);
	if (!send_turn(t))
		return FLOW_TO;
	if (t->code == 1)
		return FLOW_FULL;
	if (more)
		return FLOW_TURN;
	return conn_watch(s) ? FLOW_EMPTY : FLOW_FROM;
}

static enum flow_result
finish(struct turn *t)
{
	if (!end_body(t))
		return t->code < 0 ? FLOW_TO : FLOW_FROM;
	http_completes(t->h);
	return send_turn(t) ? FLOW_DONE : FLOW_TO;
}

enum flow_result
squeeze_run(struct http *h)
{
	struct conn *c = h->c, *s = h->s;
	struct squeeze *q = h->squeeze;
	struct turn t = { .h = h, .out = c->w->out, .at = q->head };
	int code = q->head > 0 ? 0 : conn_flush(c);
	enum h1_result r;
	size_t used;
	ssize_t n;

	if (code != 0)
		return code < 0 ? FLOW_TO : FLOW_FULL;
	q->head = 0;
	chunk_begin(&t);
	n = conn_recv(s, c->w->in, FLOW_COPY);
	if (n == -ENODATA && h->down == H1_UNTIL_CLOSE)
		return finish(&t);
	if (n < 0) { /* what came before it broke was the answer's too */
		chunk_end(&t);
		return send_turn(&t) ? FLOW_FROM : FLOW_TO;
	}
	if (n == 0)
		return rest(&t);
	q->held = true;
	r = take_bytes(&t, c->w->in, (size_t)n, &used);
	if (r == H1_BAD) {
		if (t.code < 0)
			return FLOW_TO;
		chunk_end(&t);
		return send_turn(&t) ? FLOW_FROM : FLOW_TO;
	}
	if (r == H1_MORE)
		return rest(&t);
	h->down_reuse = h->down_reuse && used == (size_t)n;
	return finish(&t);
}
