/* From what a stream remembers to a record. Of a head only what may be logged is copied, as the buffer it is in goes to the next
 * connection; fields that hold secrets (Authorization, Cookie) are never looked at. */
#include "story.h"

#include "http/h1_parse.h"
#include "net/conn.h"
#include "net/worker.h"
#include "pool/backend.h"

#include <stdlib.h>
#include <strings.h>

static const struct {
	uint8_t note, len;
	char name[11];
} wanted[] = { { NOTE_REFERER, 7, "referer" }, { NOTE_AGENT, 10, "user-agent" } };

static void
note_field(struct log_notes *n, const char *buf, const struct h1_head *h, unsigned which)
{
	for (unsigned i = 0; i < h->n; i++) {
		const struct h1_header *f = &h->header[i];

		if (f->id != H1_OTHER || f->name_len != wanted[which].len ||
		    strncasecmp(buf + f->name_off, wanted[which].name, f->name_len) != 0)
			continue;
		logs_note(n, wanted[which].note, buf + f->value_off, f->value_len, LINE_TEXT);
		return;
	}
	logs_note(n, wanted[which].note, "", 0, 0);
}

void
story_head(struct story *s, struct conn *c, const char *buf, const struct h1_head *h)
{
	struct log_notes *n = s->notes = logs_notes(c->w);

	if (n == NULL)
		return;
	logs_note(n, NOTE_METHOD, buf + h->start, h->method_len, LINE_TEXT);
	logs_note(n, NOTE_TARGET, buf + h->target_off, h->target_len, LINE_TARGET);
	logs_note(n, NOTE_VERSION,
	    h->minor == 0   ? "HTTP/1.0"
	    : c->h3	    ? "HTTP/3.0"
	    : c->h2 != NULL ? "HTTP/2.0"
			    : "HTTP/1.1",
	    8, LINE_TEXT);
	if ((line_needs(c->svc->view->log) & LINE_NEEDS_FIELDS) != 0) {
		logs_note(n, NOTE_HOST, buf + h->host_off, h->host_len, LINE_TEXT);
		note_field(n, buf, h, 0);
		note_field(n, buf, h, 1);
	} else {
		n->end[NOTE_HOST] = n->end[NOTE_REFERER] = n->end[NOTE_AGENT] =
		    n->end[NOTE_VERSION];
	}
	n->end[NOTE_ID] = n->end[NOTE_SERVER] = n->end[NOTE_AGENT];
}

void
story_id(struct story *s, const char *id, size_t len)
{
	if (s->notes == NULL)
		return;
	logs_note(s->notes, NOTE_ID, id, len, LINE_TEXT);
	logs_note(s->notes, NOTE_SERVER, "", 0, 0);
}

void
story_notes(struct story *s, struct conn *c)
{
	s->notes = logs_notes(c->w);
}

void
story_server(struct story *s, const struct seat *seat)
{
	const struct view_server *at = &seat->svc->view->at[seat->index];
	struct log_notes *n = s->notes;
	const char *name = at->name;

	if (n == NULL)
		return;
	logs_note(n, NOTE_SERVER, name, strlen(name), LINE_TEXT);
	n->real = at->addr;
	n->real_port = at->port;
	n->server_conns = atomic_load_explicit(&at->srv->conns, memory_order_relaxed);
	n->server_queue = atomic_load_explicit(&at->srv->waiting, memory_order_relaxed);
}

static void
tell_notes(const struct log_notes *n, const struct conn *c, struct line_record *r)
{
	r->method = logs_noted(n, NOTE_METHOD);
	r->target = logs_noted(n, NOTE_TARGET);
	r->version = logs_noted(n, NOTE_VERSION);
	r->host = logs_noted(n, NOTE_HOST);
	r->referer = logs_noted(n, NOTE_REFERER);
	r->agent = logs_noted(n, NOTE_AGENT);
	r->id = logs_noted(n, NOTE_ID);
	r->server = logs_noted(n, NOTE_SERVER);
	r->rule = (struct line_text){ n->rule, n->rule_len };
	r->pool = (struct line_text){ n->pool, n->pool_len };
	if (n->real.family == 0)
		return;
	r->real = &n->real;
	r->real_port = n->real_port != 0 ? n->real_port : c->port;
	r->server_conns = n->server_conns;
	r->server_queue = n->server_queue;
}

/* Each phase from the end of the one before; one that was not come to is -1. */
static void
tell_times(const struct story *s, struct conn *c, struct line_record *r)
{
	mono_t from = s->began;

	for (unsigned i = 0; i < PHASE_TOTAL; i++) {
		r->phase_ms[i] = s->ended[i] == 0 ? -1 : (s->ended[i] - from) / 1000;
		if (s->ended[i] != 0)
			from = s->ended[i];
	}
	r->phase_ms[PHASE_TOTAL] = (c->w->now - s->began) / 1000;
	r->open_ms = c->w->now / 1000 - (int64_t)c->since_s * 1000;
	r->began_ms = logs_wall_ms(c->w, s->began);
	r->accepted_ms = r->began_ms;
	if (s->http)
		r->accepted_ms -= (s->began - (mono_t)c->since_s * 1000000) / 1000;
}

static uint32_t
unsent(const struct conn *c)
{
	return c->out == NULL ? 0 : c->out->len - c->out->off;
}

static void
tell(const struct story *s, struct conn *c, struct line_record *r)
{
	const struct view *v = c->svc->view;

	*r = (struct line_record){
		.service = { v->name, (uint32_t)strlen(v->name) },
		.client = &c->addr,
		.client_port = c->peer_port,
		.port = c->port,
		.status = s->status,
		.http = s->http,
		.elsewhere = s->tries > 0,
		.tries = s->tries,
		.queue = s->queue,
		.number = c->requests,
		.conns = atomic_load_explicit(&c->w->px->conns, memory_order_relaxed),
		.service_conns = atomic_load_explicit(&c->svc->svc->conns, memory_order_relaxed),
		.bytes_in = c->bytes_in - s->in_before - conn_kept(c),
		.bytes_out = c->bytes_out - s->out_before + s->own_len,
		.state = "----",
	};
	if (s->cause != 0) {
		r->state[0] = s->cause;
		r->state[1] = s->where;
	} else {
		r->bytes_out += unsent(c);
	}
	if (s->cookie[0] != 0)
		memcpy(r->state + 2, s->cookie, 2);
	if (s->heads_len < r->bytes_out && s->own_len == 0)
		r->body = r->bytes_out - s->heads_len;
	tell_times(s, c, r);
	if (!s->http)
		r->open_ms = r->phase_ms[PHASE_TOTAL];
	if (s->notes != NULL)
		tell_notes(s->notes, c, r);
}

/* One duration more; a counter has one writer. */
static void
count_phase(struct phase_counts *p, mono_t took)
{
	uint64_t us = took > 0 ? (uint64_t)took : 0;

	COUNT(p->count[phase_bucket(us)]);
	COUNT_ADD(p->sum_us, us);
}

/* Of a request whose head was whole, as far as it came; of a tunnel not the time that it was open. */
static void
count_phases(const struct story *s, const struct conn *c)
{
	struct svc_local *of = &c->svc->svc->of[c->w->index];
	struct phases *p = atomic_load_explicit(&of->phases, memory_order_relaxed);
	const mono_t *ended = s->ended;

	if (p == NULL) {
		p = calloc(1, sizeof(*p));
		if (p == NULL)
			return;
		atomic_store_explicit(&of->phases, p, memory_order_release);
	}
	if (ended[PHASE_QUEUE] != 0)
		count_phase(&p->of[PHASES_QUEUE], ended[PHASE_QUEUE] - ended[PHASE_REQUEST]);
	if (ended[PHASE_CONNECT] != 0)
		count_phase(&p->of[PHASES_CONNECT], ended[PHASE_CONNECT] - ended[PHASE_QUEUE]);
	if (ended[PHASE_ANSWER] != 0)
		count_phase(&p->of[PHASES_ANSWER], ended[PHASE_ANSWER] - ended[PHASE_CONNECT]);
	if (s->status != 101)
		count_phase(&p->of[PHASES_TOTAL], c->w->now - s->began);
}

void
story_end(struct story *s, struct conn *c)
{
	const struct view *v = c->svc->view;
	struct line_record r;
	bool whole =
	    s->notes != NULL || s->ended[PHASE_REQUEST] == 0; /* logged from its beginning */

	if (s->ended[PHASE_REQUEST] != 0)
		count_phases(s, c);
	if (v->log != NULL && whole && logs_sampled(c->w, v->log_sample)) {
		tell(s, c, &r);
		logs_line(c->w, v->log, &r);
	}
	if (s->notes != NULL)
		logs_notes_free(c->w, s->notes);
	s->notes = NULL;
}
