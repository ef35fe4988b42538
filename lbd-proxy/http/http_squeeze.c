/* The way of an answer whose body becomes another: from the server's framing through what replaces texts and the coder, and out
 * in chunks; to a client of HTTP/1.0 until the end of the connection.
 *
 * A turn reads at most FLOW_COPY bytes, after everything before went out; so what a stream holds is its coder and one turn's
 * bytes. When the server has nothing more for now, the coder is flushed: an event of a slow stream is not held back for the
 * next. Chunk data of the server is taken out of its coding under the eyes of the same scanner that checks what is passed
 * on; a trailer section ends with the old coding. The coder goes as soon as the body is over.
 *
 * Bodies in which texts are replaced grow by any measure: a turn ends when the worker's output was full once, and what was not
 * taken of the server's bytes is kept in front of those that are still to be read. */
#include "http_squeeze.h"

#include "coding/coder.h"
#include "coding/replacer.h"
#include "http_priv.h"

#include "base/must.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIZE_LINE 6 /* "ffff\r\n" */
#define CHUNK_MAX 0xffff
#define END "0\r\n\r\n"
#define PIECE 4096 /* from the replacer to the coder */

struct squeeze {
	struct coder *coder;	   /* NULL: it is not compressed */
	struct replacer *replacer; /* NULL: nothing is replaced */
	uint64_t left;		   /* of a body with a length; UINT64_MAX: endless */
	uint32_t head;		   /* bytes of the worker's output that go first */
	bool held;		   /* the coder may have bytes that it did not give */
	bool close;		   /* no chunks: the end of the connection is that of the body */
	bool full;		   /* the replacer has more to give */
	bool over;		   /* all of the body was read */
};

/* Output of one turn: chunks in the worker's memory, behind what is there. */
struct turn {
	struct http *h;
	uint8_t *out;
	size_t base, at; /* where the chunk began, where its data ends */
	int code;	 /* of conn_send */
	bool sent;	 /* the output was full, and sent */
};

void
squeeze_free(struct squeeze *q)
{
	if (q != NULL) {
		coder_free(q->coder);
		replacer_free(q->replacer);
	}
	free(q);
}

bool
squeeze_waits(const struct squeeze *q)
{
	return q->full;
}

bool
squeeze_closes(const struct squeeze *q)
{
	return q->close;
}

bool
squeeze_begin(struct http *h, const char *buf, const struct replacement *replace, unsigned n,
    struct recode *r)
{
	const struct view *v = h->c->svc->view;
	enum coding coding = h->head.minor > 0 ? (enum coding)h->coding : CODING_NONE;
	bool sized = h->answer.framing == H1_LENGTH;
	struct squeeze *q;

	if (v->compress != compress_off)
		*r = recode_of(&h->answer, buf, v->types, v->compress_min, coding);
	if (!r->squeeze && n == 0)
		return true;
	q = calloc(1, sizeof(*q));
	if (q != NULL && r->squeeze)
		q->coder = coder_new(coding, v->compress_level,
		    sized && n == 0 ? h->answer.body_length : UINT64_MAX);
	if (q != NULL && n > 0)
		q->replacer = replacer_new(replace, n);
	r->squeeze = q != NULL && q->coder != NULL;
	r->replace = q != NULL && q->replacer != NULL;
	if (!recode_any(r) || r->replace != (n > 0)) {
		squeeze_free(q);
		r->squeeze = false;
		return n == 0;
	}
	r->close = q->close = h->head.minor == 0;
	q->left = sized ? h->answer.body_length : UINT64_MAX;
	h->squeeze = q;
	if (r->squeeze)
		COUNT(h->c->svc->n->compressed_total);
	return true;
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
	t->at += t->h->squeeze->close ? 0 : SIZE_LINE;
}

static void
chunk_end(struct turn *t)
{
	size_t n = t->at - t->base - SIZE_LINE;
	char line[16];

	if (t->h->squeeze->close)
		return;
	if (n == 0) { /* an empty one would be the last */
		t->at = t->base;
		return;
	}
	(void)snprintf(line, sizeof(line), "%04x\r\n", (unsigned)n);
	memcpy(t->out + t->base, line, SIZE_LINE);
	memcpy(t->out + t->at, "\r\n", 2);
	t->at += 2;
	if (t->h->squeeze->coder != NULL)
		COUNT_ADD(t->h->c->svc->n->compress_out, n);
}

/* How much more data the chunk can take, with room for its end and the last chunk. */
static size_t
chunk_room(const struct turn *t)
{
	size_t left = SCRATCH_OUT - t->at - 2 - sizeof(END), most = CHUNK_MAX - (t->at - t->base);

	return left < most ? left : most;
}

static bool
send_turn(struct turn *t)
{
	t->code = t->at > 0 ? conn_send(t->h->c, t->out, t->at) : 0;
	t->at = 0;
	return t->code >= 0;
}

static ssize_t
copy(const uint8_t **p, size_t *n, uint8_t *out, size_t room)
{
	size_t got = *n < room ? *n : room;

	if (got == 0)
		return 0;
	memcpy(out, *p, got);
	*p += got;
	*n -= got;
	return (ssize_t)got;
}

/* false: the coder or the client broke. */
static bool
code_bytes(struct turn *t, enum coder_op op, const uint8_t *p, size_t n)
{
	struct coder *coder = t->h->squeeze->coder;
	size_t room;
	ssize_t got;

	if (coder != NULL)
		COUNT_ADD(t->h->c->svc->n->compress_in, n);
	for (;;) {
		room = chunk_room(t);
		got = coder != NULL ? coder_step(coder, op, &p, &n, t->out + t->at, room)
				    : copy(&p, &n, t->out + t->at, room);
		if (got < 0)
			return false;
		t->at += (size_t)got;
		if ((size_t)got < room)
			return true;
		chunk_end(t);
		if (!send_turn(t))
			return false;
		t->sent = true;
		chunk_begin(t);
	}
}

/* Bytes of the body, moved on by what was taken: all, but when squeeze.full. */
static bool
body_bytes(struct turn *t, const uint8_t **p, size_t *n)
{
	struct squeeze *q = t->h->squeeze;
	uint8_t piece[PIECE];
	size_t got;

	if (q->replacer == NULL) {
		got = *n;
		*n = 0;
		return code_bytes(t, CODER_GO, *p, got);
	}
	do {
		got = replacer_step(q->replacer, p, n, q->over, piece, PIECE);
		q->full = got == PIECE;
		if (got > 0 && !code_bytes(t, CODER_GO, piece, got))
			return false;
	} while (q->full && !t->sent);
	return true;
}

/* The same of what the replacer has yet. */
static bool
rest_bytes(struct turn *t)
{
	const uint8_t *none = (const uint8_t *)"";
	size_t n = 0;

	return body_bytes(t, &none, &n);
}

/* Bytes of the server's framing. used_out: how many belong to the body. H1_BAD: broken, by whomever. */
static enum h1_result
take_bytes(struct turn *t, const uint8_t *p, size_t n, size_t *used_out)
{
	struct http *h = t->h;
	struct h1_chunk *k = &h->down_chunk;
	struct squeeze *q = h->squeeze;
	enum h1_result r = H1_MORE;
	size_t at = 0, run, one, rest;
	const uint8_t *data = p;

	if (h->down != H1_CHUNKED) {
		rest = run = n < q->left ? n : (size_t)q->left;
		if (!body_bytes(t, &data, &rest))
			return H1_BAD;
		*used_out = run - rest;
		if (q->left != UINT64_MAX)
			q->left -= run - rest;
		return q->left == 0 ? H1_DONE : H1_MORE;
	}
	while (r == H1_MORE && at < n && !q->full) {
		if (h1_chunk_data(k)) {
			rest = run = n - at < k->left ? n - at : (size_t)k->left;
			data = p + at;
			if (!body_bytes(t, &data, &rest))
				return H1_BAD;
			h1_chunk_skip(k, run - rest);
			at += run - rest;
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

	if (q->coder != NULL && !code_bytes(t, CODER_END, NULL, 0))
		return false;
	chunk_end(t);
	if (q->close)
		return true;
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

	if (!more && t->h->squeeze->coder != NULL && t->h->squeeze->held) {
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

/* The coder, the server or the client broke; what came before was the answer's too. */
static enum flow_result
broken(struct turn *t)
{
	if (t->code < 0)
		return FLOW_TO;
	chunk_end(t);
	return send_turn(t) ? FLOW_FROM : FLOW_TO;
}

/* The end of a turn that has filled the output, and would again. */
static enum flow_result
stop(struct turn *t)
{
	chunk_end(t);
	if (!send_turn(t))
		return FLOW_TO;
	return t->code == 1 ? FLOW_FULL : FLOW_TURN;
}

static enum flow_result
finish(struct turn *t)
{
	struct squeeze *q = t->h->squeeze;

	q->over = true;
	if (q->replacer != NULL && !rest_bytes(t))
		return broken(t);
	if (q->full)
		return stop(t);
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
	if (q->over)
		return finish(&t);
	if (q->full)
		return rest_bytes(&t) ? stop(&t) : broken(&t);
	n = conn_recv(s, c->w->in, FLOW_COPY);
	if (n == -ENODATA && h->down == H1_UNTIL_CLOSE)
		return finish(&t);
	if (n < 0)
		return broken(&t);
	if (n == 0)
		return rest(&t);
	q->held = true;
	r = take_bytes(&t, c->w->in, (size_t)n, &used);
	if (r == H1_BAD)
		return broken(&t);
	if (r == H1_MORE && q->full)
		return conn_keep(s, c->w->in + used, (size_t)n - used) == 0 ? stop(&t) : broken(&t);
	if (r == H1_MORE)
		return rest(&t);
	h->down_reuse = h->down_reuse && used == (size_t)n;
	return finish(&t);
}
