/* The answer's way back.
 *
 * An answer's head is checked as strictly as a request's, rewritten, and sent together with what came with it of the
 * body; the rest goes from socket to socket, chunked bodies under the eyes of the decoder. Interim answers (1xx) are
 * passed on as they come. What a server sends beyond its answer, or answers before it has read the request, costs it the
 * connection. An answer that breaks off breaks off for the client too: it is never made to look complete. */
#include "http_priv.h"

#include "base/must.h"
#include "cookie.h"
#include "http_squeeze.h"

#include "rules/rules_http.h"
#include "schema/retry_words.h"
#include "store/state.h"
#include "stream/tcp_stream.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void
server_broke(struct http *h)
{
	COUNT(h->seat.srv->n->aborts);
	COUNT(h->c->svc->n->server_aborts);
}

void
http_break_off(struct http *h)
{
	http_abort(
	    h, h->down == H1_UNTIL_CLOSE || (h->squeeze != NULL && squeeze_closes(h->squeeze)));
}

static bool
bad_answer(struct http *h)
{
	if (http_retry(h, RETRY_JUNK))
		return false;
	server_broke(h);
	backend_observed(h->seat.srv, OBSERVED_BAD);
	story_ended(&h->story, h->s != NULL && h->s->eof ? 'S' : 'P', 'H');
	http_fail(h, 502);
	return false;
}

static bool
client_gone(struct http *h)
{
	http_count_left(h);
	http_ended(h, 'C');
	http_abort(h, true);
	return false;
}

/* 100, 102, 103 ...: to clients that know of them. */
static bool
interim(struct http *h, const char *buf)
{
	struct conn *c = h->c;
	struct http_answer_policy policy = { .client_minor = h->head.minor, .keep_alive = true };
	struct http_plan *p = &c->w->plan;

	COUNT(c->svc->n->http_1xx);
	if (h->head.minor > 0) {
		http_plan_answer(p, buf, &h->answer, &policy);
		http_plan_write(p, buf, (char *)c->w->out);
		h->story.heads_len += p->out_len;
		if (conn_send(c, c->w->out, p->out_len) < 0)
			return client_gone(h);
	}
	http_await(h);
	return true;
}

/* How much of the n bytes behind the head belongs to the answer; *over_out: all of it. -1: bad coding. */
static ssize_t
body_here(struct http *h, const char *p, size_t n, bool *over_out)
{
	size_t used = 0;

	*over_out = false;
	switch (h->down) {
	case H1_LENGTH:
		used = n < h->answer.body_length ? n : (size_t)h->answer.body_length;
		flow_init(&h->downflow, h->s, h->c, h->answer.body_length - used);
		*over_out = h->downflow.left == 0;
		break;
	case H1_CHUNKED:
		switch (h1_chunk_scan(&h->down_chunk, p, n, &used)) {
		case H1_DONE: *over_out = true; break;
		case H1_MORE: break;
		case H1_BAD: return -1;
		}
		break;
	case H1_UNTIL_CLOSE:
		used = n;
		flow_init(&h->downflow, h->s, h->c, FLOW_ENDLESS);
		break;
	default: *over_out = true; break;
	}
	return (ssize_t)used;
}

/* The same for a body that becomes another: it is read again, with what comes after it. */
static ssize_t
keep_body(struct http *h, const char *p, size_t n, bool *over_out)
{
	*over_out = false;
	return conn_keep(h->s, p, n);
}

#define ALT_SVC_MAX 40 /* bytes of that line */

/* The rewritten head into the worker's output; its length. */
static size_t
rewrite(
    struct http *h, const char *buf, const struct recode *recode, const struct http_edits *edits)
{
	struct conn *c = h->c;
	const struct view *v = c->svc->view;
	struct http_plan *p = &c->w->plan;
	char line[STICKY_LINE_MAX + sizeof(v->hsts) + ALT_SVC_MAX + RECODE_LINES_MAX];
	struct http_answer_policy policy = { .client_minor = h->head.minor, .edits = edits };

	h->keep = h->keep && h->up_over && (h->down != H1_UNTIL_CLOSE || recode_any(recode)) &&
		  !recode->close && !http_last(c);
	policy.keep_alive = h->keep;
	if (h->seat.svc->view->sticky.cookies)
		persist_answer(&h->persist, h->seat.svc, h->seat.srv->srv, h->known, buf,
		    &h->answer, &policy, line, h->story.cookie);
	if (v->hsts[0] != 0) {
		size_t n = strlen(v->hsts);

		memcpy(line + policy.insert_len, v->hsts, n);
		policy.insert = line;
		policy.insert_len = (uint16_t)(policy.insert_len + n);
		policy.hsts = true;
	}
	if (v->http3 && c->tls != NULL) {
		policy.insert_len = (uint16_t)(policy.insert_len +
					       sprintf(line + policy.insert_len,
						   "Alt-Svc: h3=\":%u\"; ma=86400\r\n", c->port));
		policy.insert = line;
	}
	if (recode->vary || recode_any(recode)) {
		const char *text = recode_lines(*recode, h->coding);
		size_t n = strlen(text);

		memcpy(line + policy.insert_len, text, n);
		policy.insert = line;
		policy.insert_len = (uint16_t)(policy.insert_len + n);
		policy.recode = recode_any(recode);
	}
	http_plan_answer(p, buf, &h->answer, &policy);
	return http_plan_write(p, buf, (char *)c->w->out);
}

/* 101, or 2xx to CONNECT: from here on it is a tunnel. */
static void
upgrade(struct http *h, const char *rest, size_t n)
{
	struct conn *c = h->c, *s = h->s;
	struct seat seat = h->seat;
	struct story story = h->story;

	if (conn_keep(s, rest, n) != 0) {
		(void)client_gone(h);
		return;
	}
	h->s = NULL;
	h->seat.srv = NULL;
	h->seat.pooled = false;
	s->task = NULL;
	h->story.notes = NULL;
	h->untold = true; /* its line comes when the tunnel ends */
	http_free(h);
	tcp_upgrade(c, s, &seat, &story);
}

/* The final head is complete, in the first of len bytes at buf. */
static bool
begin(struct http *h, const char *buf, size_t len)
{
	struct conn *c = h->c;
	const char *rest = buf + h->answer.length;
	size_t n = len - h->answer.length, head;
	struct recode recode = { 0 };
	const struct http_edits *edits = NULL;
	const struct rules_scratch *w = NULL;
	ssize_t here;
	bool over;
	int code;

	seat_heard(&h->seat);
	h->down = h->answer.framing;
	if (h->down == H1_CHUNKED)
		h->down_chunk = (struct h1_chunk){ 0 };
	if (h->rules != NULL) {
		edits = rules_answer(h, buf);
		w = h->rules->replaces ? c->w->rules : NULL;
	}
	if ((w != NULL || c->svc->view->compress != compress_off) && h->down != H1_TUNNEL &&
	    !squeeze_begin(
		h, buf, w != NULL ? w->replace : NULL, w != NULL ? w->replaces : 0, &recode)) {
		http_ended(h, 'R');
		http_fail(h, 503);
		return false;
	}
	here = recode_any(&recode) ? keep_body(h, rest, n, &over) : body_here(h, rest, n, &over);
	if (here < 0)
		return bad_answer(h);
	h->down_reuse = h->answer.keep_alive && h->down != H1_UNTIL_CLOSE &&
			(recode_any(&recode) || (size_t)here == n);
	head = rewrite(h, buf, &recode, edits);
	h->story.status = h->answer.status;
	story_phase(&h->story, PHASE_ANSWER, c->w->now);
	h->story.heads_len += (uint32_t)head;
	http_count_status(h, h->answer.status);
	persist_keep_head(&h->persist, h->seat.svc, c, h->seat.srv->srv, buf, &h->answer);
	h->told = true;
	if (recode_any(&recode)) {
		squeeze_head(h, head);
		h->state = HTTP_ANSWER;
		return true;
	}
	memcpy(c->w->out + head, rest, (size_t)here);
	h->downflow.ends = !h->keep;
	if ((over && h->down != H1_TUNNEL) || (h->down == H1_UNTIL_CLOSE && h->s->eof))
		http_completes(h);
	code = conn_send(c, c->w->out, head + (size_t)here);
	if (code < 0)
		return client_gone(h);
	if (h->down == H1_TUNNEL) {
		upgrade(h, rest, n);
		return false;
	}
	if (over) {
		http_complete(h);
		return false;
	}
	h->state = HTTP_ANSWER;
	return true;
}

/* Heads: any number of interim ones, then the final one. */
static bool
heads(struct http *h)
{
	struct conn *s = h->s;
	char *buf = (char *)h->c->w->in;
	uint32_t had = conn_kept(s);
	ssize_t n = conn_recv(s, buf, had + HTTP_READ);

	if (n < 0 || (s->eof && (uint32_t)n == had)) {
		if (had == 0) {
			http_server_lost(h);
			return false;
		}
		return bad_answer(h);
	}
	if ((uint32_t)n > had)
		h->sure = false; /* an answer has begun */
	while (n > 0) {
		switch (h1_head_parse(&h->answer, buf, (size_t)n)) {
		case H1_BAD: return bad_answer(h);
		case H1_MORE:
			if (conn_keep(s, buf, (size_t)n) != 0)
				return bad_answer(h);
			if (s->can_read)
				conn_again(s);
			return true;
		case H1_DONE: break;
		}
		if (h1_frame_answer(&h->answer, h->head.method, h->head.upgrade, h->head.minor) !=
		    0)
			return bad_answer(h);
		if (h->answer.status >= 400 && http_retry(h, retry_status_bit(h->answer.status)))
			return false;
		if (h->answer.status >= 200 || h->answer.status == 101)
			return begin(h, buf, (size_t)n);
		n -= h->answer.length;
		buf += h->answer.length;
		if (!interim(h, buf - h->answer.length))
			return false;
	}
	return true;
}

static enum flow_result
down_chunked(struct http *h)
{
	struct conn *c = h->c, *s = h->s;
	uint8_t *p = c->w->in;
	int code = conn_flush(c);
	enum h1_result r;
	size_t used;
	ssize_t n;

	if (code != 0)
		return code < 0 ? FLOW_TO : FLOW_FULL;
	n = conn_recv(s, p, FLOW_COPY);
	if (n < 0)
		return FLOW_FROM;
	if (n == 0)
		return conn_watch(s) ? FLOW_EMPTY : FLOW_FROM;
	r = h1_chunk_scan(&h->down_chunk, (const char *)p, (size_t)n, &used);
	if (r == H1_DONE)
		http_completes(h);
	code = conn_send(c, p, used);
	if (code < 0)
		return FLOW_TO;
	if (r == H1_BAD)
		return FLOW_FROM;
	if (r == H1_DONE) {
		h->down_reuse = h->down_reuse && used == (size_t)n;
		return FLOW_DONE;
	}
	if (code == 1)
		return FLOW_FULL;
	return s->can_read ? FLOW_TURN : FLOW_EMPTY;
}

bool
http_pump_down(struct http *h)
{
	if (h->state == HTTP_WAIT) {
		if (conn_unsent(h->c))
			return true;
		if (!heads(h))
			return false;
		if (h->state != HTTP_ANSWER)
			return true;
	}
	switch (h->squeeze != NULL	? squeeze_run(h)
		: h->down == H1_CHUNKED ? down_chunked(h)
					: flow_run(&h->downflow)) {
	case FLOW_DONE: http_complete(h); return false;
	case FLOW_TURN: conn_again(h->s); return true;
	case FLOW_EMPTY:
	case FLOW_FULL: return true;
	case FLOW_TO: return client_gone(h);
	case FLOW_END:
		if (h->down == H1_UNTIL_CLOSE) {
			http_complete(h);
			return false;
		}
		break;
	case FLOW_FROM: break;
	}
	server_broke(h);
	http_ended(h, 'S');
	http_break_off(h);
	return false;
}

static void
on_event(struct conn *s, unsigned ready)
{
	struct http *h = s->task;

	(void)ready;
	must_obj(h, HTTP_MAGIC);
	if (h->state == HTTP_SEND) {
		(void)http_send_out(h);
		return;
	}
	if (conn_unsent(s) && conn_flush(s) < 0)
		h->up_stop = true;
	if (!h->up_over && !h->up_stop && !http_pump_up(h))
		return;
	if ((s->can_read || conn_kept(s) > 0 || h->downflow.in_pipe > 0 ||
		(h->squeeze != NULL && squeeze_waits(h->squeeze))) &&
	    !http_pump_down(h))
		return;
	http_time(h);
}

static void
on_timeout(struct conn *s)
{
	struct http *h = s->task;

	must_obj(h, HTTP_MAGIC);
	if (h->state == HTTP_SEND && !s->up && !s->reused) {
		h->slow = true;
		http_server_lost(h); /* no connection in time */
		return;
	}
	if (http_retry(h, RETRY_TIMEOUT))
		return;
	server_broke(h);
	http_ended(h, 's');
	if (h->told)
		http_break_off(h);
	else
		http_fail(h, 504);
}

static void
on_cut(struct conn *s)
{
	struct http *h = s->task;
	bool down = atomic_load(&h->seat.srv->srv->verdict) == VERDICT_DOWN;

	must_obj(h, HTTP_MAGIC);
	if (!h->told && h->sure) {
		http_server_lost(h); /* another server can answer as well */
		return;
	}
	http_ended(h, down ? 'D' : 'K');
	if (h->told)
		http_abort(h, true);
	else
		http_fail(h, 503);
}

const struct conn_ops http_server_ops = {
	.event = on_event,
	.timeout = on_timeout,
	.cut = on_cut,
};
