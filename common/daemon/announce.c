/* A commit that this daemon made, told to the others without waiting for them. Links to all daemons
 * are kept up, so a commit costs one packet each; who is not connected is not running, or will look
 * into the store within a second.
 *
 * An announcement collects refusals until every answer is there or its time is over; answers
 * that come later go nowhere. It is freed when nobody can call it any more. */
#include "daemon/announce.h"
#include "base/mem.h"
#include "base/must.h"
#include "daemon/daemon_priv.h"
#include "msg/client.h"

#include <stdio.h>
#include <string.h>

#define ANNOUNCE_MAGIC 0x00a77007

struct announcement {
	uint32_t magic;
	struct list link;
	struct daemon *d;
	struct loop_timer timer;
	unsigned open; /* answers that are missing */
	bool told;
	char refused[600];
	void (*done)(void *arg, const char *refused);
	void *arg;
};
/* Who answers: one for each request. */
struct answerer {
	struct announcement *a;
	const char *daemon;
};

static void
free_announcement(void *arg)
{
	struct announcement *a = arg;

	a->magic = 0;
	free(a);
}

/* Gone when it has told and no answer is missing. */
static void
settle(struct announcement *a)
{
	if (!a->told || a->open > 0)
		return;
	list_del(&a->link);
	loop_timer_fini(&a->timer);
	loop_defer(a->d->loop, free_announcement, a);
}

static void
tell(struct announcement *a)
{
	if (a->told)
		return;
	a->told = true;
	loop_timer_cancel(&a->timer);
	if (a->done != NULL)
		a->done(a->arg, a->refused);
}

static void
add_refusal(struct announcement *a, const char *daemon, const char *why)
{
	size_t at = strlen(a->refused);

	(void)snprintf(
	    a->refused + at, sizeof(a->refused) - at, "%s%s: %s", at > 0 ? "; " : "", daemon, why);
}

/* All answers are there, or the time is over. Our own apply came first: it was poked before. */
static void
on_timer(void *arg)
{
	struct announcement *a = arg;

	must_obj(a, ANNOUNCE_MAGIC);
	if (a->open > 0)
		add_refusal(a, "some daemons", "no answer in time");
	if (a->d->apply_fault[0] != '\0')
		add_refusal(a, a->d->ops->name, a->d->apply_fault);
	tell(a);
	settle(a);
}

static void
on_row(void *arg, const struct msg_row *row, const union msg_any *m)
{
	struct answerer *w = arg;
	char why[300];

	must_obj(w->a, ANNOUNCE_MAGIC);
	if (row->number != MSG_APPLIED || m->applied.ok)
		return;
	span_text(m->applied.reason, why, sizeof(why));
	add_refusal(w->a, w->daemon, why);
}

static void
on_end(void *arg, int code, const char *text)
{
	struct answerer *w = arg;
	struct announcement *a = w->a;

	must_obj(a, ANNOUNCE_MAGIC);
	if (code != 0 && code != ERR_AWAY)
		add_refusal(a, w->daemon, text);
	free(w);
	if (--a->open == 0 && !a->told)
		loop_timer_set(&a->timer, 0);
	settle(a);
}

static void
ask_all(struct announcement *a, const struct msg_revision *m)
{
	for (unsigned i = 0; client_daemons[i] != NULL; i++) {
		struct bus_link *k = a->d->links[i];
		struct answerer *w;

		if (k == NULL || !bus_link_is_up(k))
			continue;
		w = mem_alloc(sizeof(*w));
		*w = (struct answerer){ .a = a, .daemon = client_daemons[i] };
		a->open++;
		if (bus_link_ask(k, MSG_REVISION, m, on_row, on_end, w) != 0) {
			a->open--;
			free(w);
		}
	}
}

void
announce_commit(struct daemon *d, const struct commit_result *r, dur_t wait,
    void (*done)(void *arg, const char *refused), void *arg)
{
	struct announcement *a;

	must_obj(d, DAEMON_MAGIC);
	if (d->stopping) {
		/* The links are ending; the others look into the store by themselves. */
		if (done != NULL)
			done(arg, "");
		return;
	}
	announce_init(d);
	a = mem_alloc(sizeof(*a));
	*a = (struct announcement){ .magic = ANNOUNCE_MAGIC, .d = d, .done = done, .arg = arg };
	list_push(&d->announcements, &a->link);
	loop_timer_init(&a->timer, d->loop, on_timer, a);
	daemon_poke(d);
	for (unsigned scope = 0; scope < SCOPES; scope++) {
		struct msg_revision m;

		if (!client_revision(r, scope, &m))
			continue;
		ask_all(a, &m);
	}
	loop_timer_set(&a->timer, a->open > 0 ? wait : 0);
}

void
announce_init(struct daemon *d)
{
	for (unsigned i = 0; client_daemons[i] != NULL; i++) {
		struct bus_link_ops ops = { .daemon = client_daemons[i] };

		must(i < DAEMON_LINKS);
		if (d->links[i] == NULL && strcmp(client_daemons[i], d->ops->name) != 0)
			d->links[i] = bus_link_new(d->loop, &d->paths, d->ops->name, &ops);
	}
}

void
announce_links(struct daemon *d)
{
	must_obj(d, DAEMON_MAGIC);
	if (!d->stopping)
		announce_init(d);
}

void
announce_fini(struct daemon *d)
{
	/* Whoever waits is told before its memory goes. */
	for (struct list *it = d->announcements.next; it != &d->announcements; it = it->next)
		tell(container_of(it, struct announcement, link));
	for (unsigned i = 0; i < DAEMON_LINKS; i++) {
		bus_link_free(d->links[i]);
		d->links[i] = NULL;
	}
	while (!list_empty(&d->announcements))
		settle(container_of(d->announcements.next, struct announcement, link));
}
