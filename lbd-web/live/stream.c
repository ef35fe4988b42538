/* Server-sent events (HTML Living Standard, section 9.2). A stream rests until something happened or its heartbeat is
 * due; then it is woken, and writes what is new for it.
 *
 * The JSON flavour writes events of the ring from where the client was (Last-Event-ID); a client that was away for
 * longer than the ring remembers gets "reset" first. The HTML flavour belongs to one view of the overview: it keeps a
 * hash of every part it sent, makes the parts anew and sends those that differ, so that what is sent is exactly what
 * the page itself would show. States go out at once, counters at most once in the time the user chose. */
#include "stream.h"
#include "base/mem.h"
#include "events.h"
#include "follow.h"
#include "pages/overview.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct part {
	uint32_t service;
	uint64_t hash;
};
struct stream {
	struct list in;
	struct streams *all;
	struct call *c;
	struct session *session; /* NULL: a token; counted there */
	uint8_t session_digest[32];
	bool html, due, moved, begun;
	mono_t said, rendered;
	dur_t every;   /* html: time between counters; 0 states only */
	uint64_t next; /* json */
	struct overview_query q;
	uint32_t revision;
	unsigned n;
	struct part parts[OVERVIEW_PAGE];
	uint64_t tiles, notes, bar;
};
struct streams {
	struct web *w;
	struct list list;
	unsigned n;
	struct loop_timer quick, beat;
	bool armed;
};

static uint64_t
hash(const struct buf *b, size_t from)
{
	uint64_t h = 14695981039346656037u; /* FNV-1a */

	for (size_t i = from; i < b->len; i++)
		h = (h ^ b->p[i]) * 1099511628211u;
	return h;
}

/* One message; data may have many lines. */
static void
put(struct buf *out, const char *event, const struct buf *data)
{
	const char *p = (const char *)data->p, *end = p + data->len;

	buf_printf(out, "event: %s\n", event);
	while (p < end) {
		const char *stop = memchr(p, '\n', (size_t)(end - p));
		size_t n = (size_t)((stop != NULL ? stop : end) - p);

		buf_puts(out, "data: ");
		buf_put(out, p, n);
		buf_puts(out, "\n");
		p += n + 1;
	}
	buf_puts(out, "\n");
}

/* ---- parts of the overview ---- */

static void
select_rows(struct stream *s)
{
	struct overview_rows *r = mem_alloc(sizeof(*r));

	overview_select(web_view(s->c), &s->q, r);
	s->n = r->n;
	for (unsigned i = 0; i < r->n; i++)
		s->parts[i] = (struct part){ .service = r->v[i]->id };
	s->revision = snapshot_revision(daemon_snapshot(s->c->w->d), SCOPE_SHARED);
	free(r);
}

static void
put_changed(struct buf *out, struct buf *part, uint64_t *was, const char *event, bool send)
{
	uint64_t h = hash(part, 0);

	if (h != *was && send)
		put(out, event, part);
	*was = h;
	part->len = 0;
}

/* The first round only takes the hashes: the page that opened the stream has just been made. */
static void
put_parts(struct stream *s, struct buf *out)
{
	struct snapshot *snap = daemon_snapshot(s->c->w->d);
	struct buf part = { 0 };

	overview_notes(s->c, &part);
	put_changed(out, &part, &s->notes, "part", s->begun);
	overview_tiles(s->c, &part);
	put_changed(out, &part, &s->tiles, "part", s->begun);
	frame_bar(s->c, &part);
	put_changed(out, &part, &s->bar, "part", s->begun);
	for (unsigned i = 0; i < s->n; i++) {
		const struct service *v = snapshot_find(snap, KIND_service, s->parts[i].service);

		if (v == NULL)
			continue;
		overview_tbody(s->c, &part, &s->q, v);
		put_changed(out, &part, &s->parts[i].hash, "row", s->begun);
	}
	s->begun = true;
	buf_fini(&part);
}

static void
render(struct stream *s, struct buf *out, mono_t now)
{
	struct buf none = { 0 };

	follow_looked(s->c->w->follow);
	if (s->revision != snapshot_revision(daemon_snapshot(s->c->w->d), SCOPE_SHARED)) {
		/* Services may have come or gone: the page is asked for anew. */
		select_rows(s);
		s->begun = false;
		buf_puts(&none, "configuration\n");
		put(out, "reload", &none);
	}
	put_parts(s, out);
	s->rendered = now;
	s->moved = false;
	buf_fini(&none);
}

static void
put_events(struct stream *s, struct buf *out)
{
	struct events *e = s->c->w->events;
	struct buf line = { 0 };

	if (s->next < events_first(e)) {
		buf_puts(out, "event: reset\ndata: {}\n\n");
		s->next = events_first(e);
	}
	for (; s->next <= events_last(e) && out->len < 65536; s->next++) {
		const struct event_row *ev = events_get(e, s->next);

		line.len = 0;
		events_json(ev, &line);
		buf_printf(out, "id: %llu\n", (unsigned long long)ev->seq);
		put(out, ev->type, &line);
	}
	buf_fini(&line);
}

static enum http_more
more(void *state, struct buf *out)
{
	struct stream *s = state;
	mono_t now = mono_now();

	if ((s->session != NULL &&
		memcmp(s->session->digest, s->session_digest, sizeof(s->session_digest)) != 0) ||
	    !auth_still(s->c))
		return HTTP_END; /* logged out */
	if (s->said == 0)
		buf_puts(out, "retry: 2000\n\n");
	if (!s->html)
		put_events(s, out);
	else if (s->due)
		render(s, out, now);
	s->due = false;
	if (out->len == 0 && now - s->said >= STREAM_BEAT - DUR_MS(500))
		buf_puts(out, ": beat\n\n");
	if (out->len == 0)
		return HTTP_WAIT;
	s->said = now;
	return HTTP_MORE;
}

static void
fini(void *state)
{
	struct stream *s = state;

	if (s->session != NULL && s->session->streams > 0)
		s->session->streams--;
	s->all->n--;
	list_del(&s->in);
	call_free(s->c);
	free(s);
}

static const struct http_pull pull = { more, fini };

/* ---- waking ---- */

static void
on_quick(void *arg)
{
	struct streams *all = arg;
	struct list *it, *n;

	all->armed = false;
	list_each_safe(it, n, &all->list)
	{
		struct stream *s = container_of(it, struct stream, in);

		s->due = true;
		http_wake(s->c->rq);
	}
}

void
streams_moved(struct streams *s)
{
	if (s == NULL || s->armed || list_empty(&s->list))
		return;
	s->armed = true;
	loop_timer_set(&s->quick, STREAM_QUICK);
}

void
streams_counted(struct streams *all)
{
	mono_t now = mono_now();
	struct list *it, *n;

	list_each_safe(it, n, &all->list)
	{
		struct stream *s = container_of(it, struct stream, in);

		if (!s->html || s->every == 0 || now - s->rendered < s->every - DUR_MS(100))
			continue;
		s->due = true;
		http_wake(s->c->rq);
	}
}

static void
on_beat(void *arg)
{
	struct streams *all = arg;
	mono_t now = mono_now();
	struct list *it, *n;

	list_each_safe(it, n, &all->list)
	{
		struct stream *s = container_of(it, struct stream, in);

		if (now - s->said >= STREAM_BEAT)
			http_wake(s->c->rq);
	}
	loop_timer_set(&all->beat, DUR_S(1));
}

/* ---- beginning ---- */

static bool
room(struct call *c)
{
	if (c->w->streams->n < STREAMS_MAX &&
	    (c->session == NULL || c->session->streams < SESSION_STREAMS))
		return true;
	http_set(c->rq, "Retry-After", "10");
	reply_fail(c, 503, "too many event streams are open: %d in all, %d in a session",
	    STREAMS_MAX, SESSION_STREAMS);
	return false;
}

static struct stream *
begin(struct call *c)
{
	struct stream *s = mem_alloc(sizeof(*s));

	s->all = c->w->streams;
	s->c = c;
	s->session = c->session;
	if (s->session != NULL) {
		memcpy(s->session_digest, s->session->digest, sizeof(s->session_digest));
		s->session->streams++;
	}
	s->all->n++;
	list_push(&s->all->list, &s->in);
	c->later = true;
	return s;
}

static void
start(struct stream *s)
{
	reply_headers(s->c);
	http_set(s->c->rq, "Content-Type", "text/event-stream; charset=utf-8");
	http_set(s->c->rq, "Cache-Control", "no-store");
	http_set(s->c->rq, "X-Accel-Buffering", "no");
	http_send_pull(s->c->rq, 200, &pull, s);
}

void
stream_ui(struct call *c)
{
	struct stream *s;

	if (!room(c))
		return;
	s = begin(c);
	s->html = true;
	s->due = true;
	s->every = DUR_S(frame_refresh(c));
	overview_parse(&c->query, &s->q);
	select_rows(s);
	start(s);
}

static void
as_list(struct call *c)
{
	struct events *e = c->w->events;
	struct buf b = { 0 };

	buf_puts(&b, "{\"items\":[");
	for (uint64_t i = events_first(e); i <= events_last(e); i++) {
		buf_puts(&b, i > events_first(e) ? ",\n" : "\n");
		events_json(events_get(e, i), &b);
	}
	buf_puts(&b, "]}\n");
	reply_json(c, 200, &b);
}

void
stream_api(struct call *c)
{
	const char *accept = http_header(c->rq, "Accept"),
		   *last = http_header(c->rq, "Last-Event-ID");
	struct events *e = c->w->events;
	struct stream *s;

	if (accept != NULL && strstr(accept, "application/json") != NULL) {
		as_list(c);
		return;
	}
	if (!room(c))
		return;
	s = begin(c);
	s->next = last != NULL ? strtoull(last, NULL, 10) + 1 : events_last(e) + 1;
	if (s->next > events_last(e) + 1)
		s->next = 0; /* of an earlier run: reset */
	start(s);
}

struct streams *
streams_new(struct web *w)
{
	struct streams *s = mem_alloc(sizeof(*s));

	s->w = w;
	list_init(&s->list);
	loop_timer_init(&s->quick, daemon_loop(w->d), on_quick, s);
	loop_timer_init(&s->beat, daemon_loop(w->d), on_beat, s);
	loop_timer_set(&s->beat, DUR_S(1));
	return s;
}

void
streams_free(struct streams *s)
{
	if (s == NULL)
		return;
	loop_timer_fini(&s->quick);
	loop_timer_fini(&s->beat);
	free(s);
}
