/* The ring of events. Numbers rise by one and never repeat within a run of lbd-web, so a stream that was interrupted
 * can go on where it was, and notices when it was away for too long. Events are made in follow.c, where what is
 * known changes; they are shown by stream.c and lbctl. The lasting record is the journal, not this ring. */
#include "events.h"
#include "base/mem.h"
#include "base/mono.h"
#include "msg/view.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

struct events {
	uint64_t last;
	void (*changed)(void *arg);
	void *arg;
	struct event_row ring[EVENTS_MAX];
};

struct events *
events_new(void (*changed)(void *arg), void *arg)
{
	struct events *e = mem_alloc(sizeof(*e));

	e->changed = changed;
	e->arg = arg;
	return e;
}

void
events_free(struct events *e)
{
	free(e);
}

void
events_add(struct events *e, const char *type, const char *name, const char *from, const char *to,
    const char *reason)
{
	struct event_row *ev = &e->ring[++e->last % EVENTS_MAX];

	*ev = (struct event_row){ .seq = e->last, .at_ms = mono_wall_ms(), .type = type };
	(void)snprintf(ev->name, sizeof(ev->name), "%s", name != NULL ? name : "");
	(void)snprintf(ev->from, sizeof(ev->from), "%s", from != NULL ? from : "");
	(void)snprintf(ev->to, sizeof(ev->to), "%s", to != NULL ? to : "");
	(void)snprintf(ev->reason, sizeof(ev->reason), "%s", reason != NULL ? reason : "");
	if (e->changed != NULL)
		e->changed(e->arg);
}

uint64_t
events_last(const struct events *e)
{
	return e->last;
}

uint64_t
events_first(const struct events *e)
{
	return e->last < EVENTS_MAX ? 1 : e->last - EVENTS_MAX + 1;
}

const struct event_row *
events_get(const struct events *e, uint64_t seq)
{
	return seq >= events_first(e) && seq <= e->last ? &e->ring[seq % EVENTS_MAX] : NULL;
}

void
events_json(const struct event_row *ev, struct buf *out)
{
	time_t t = (time_t)(ev->at_ms / 1000);
	char stamp[32] = "";
	struct tm tm;

	if (gmtime_r(&t, &tm) != NULL)
		(void)strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &tm);
	buf_printf(out, "{\"seq\":%llu,\"time\":\"%s.%03dZ\",\"type\":\"%s\",\"name\":",
	    (unsigned long long)ev->seq, stamp, (int)(ev->at_ms % 1000), ev->type);
	view_json_text(out, ev->name);
	buf_puts(out, ",\"from\":");
	view_json_text(out, ev->from);
	buf_puts(out, ",\"to\":");
	view_json_text(out, ev->to);
	buf_puts(out, ",\"reason\":");
	view_json_text(out, ev->reason);
	buf_puts(out, "}");
}

void
events_message(const struct event_row *ev, struct msg_event *out)
{
	*out = (struct msg_event){ .seq = ev->seq, .at = ev->at_ms };
	out->type = SPAN(ev->type);
	out->name = SPAN(ev->name);
	out->from = SPAN(ev->from);
	out->to = SPAN(ev->to);
	out->reason = SPAN(ev->reason);
}

struct answer {
	struct events *e;
	uint64_t next;
	int64_t since_ms;
	bool follow;
};

static bool
answer_step(void *state, const struct bus_request *rq)
{
	struct answer *a = state;

	for (; a->next <= a->e->last; a->next++) {
		const struct event_row *ev = events_get(a->e, a->next);
		struct msg_event m;

		if (ev == NULL || ev->at_ms < a->since_ms)
			continue;
		events_message(ev, &m);
		if (!bus_reply(rq, MSG_EVENT, &m)) {
			a->next++;
			return false;
		}
	}
	return !a->follow; /* bus_pump_again brings us back */
}

void
events_answer(struct events *e, const struct bus_request *rq, const struct msg_events *m)
{
	struct answer *a = mem_alloc(sizeof(*a));

	a->e = e;
	a->next = events_first(e);
	a->follow = m->follow;
	a->since_ms = m->since * 1000;
	bus_pump(rq, answer_step, free, a);
}
