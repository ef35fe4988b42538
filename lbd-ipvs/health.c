/* health.c - the link to lbd-check: every verdict and quorum that it has, then every change. While it is away, what
 * is known stays.
 *
 * A daemon that starts beside a kernel full of services must not take a server in or out because it has not heard of
 * it yet. So it waits for lbd-check's state before it acts, but not long: without lbd-check the servers count as
 * their checks assume. */
#include "health.h"

#include "base/mem.h"

struct health {
	struct daemon *d;
	struct services *services;
	struct bus_link *link;
	struct loop_timer wait;
	void (*ready)(void *arg);
	void *arg;
	bool live;   /* its state was handed over: what comes now is news */
	bool waited; /* for the link, and it came */
};

static void
be_ready(struct health *h)
{
	void (*ready)(void *arg) = h->ready;

	loop_timer_cancel(&h->wait);
	h->ready = NULL;
	if (ready != NULL)
		ready(h->arg);
}

static void
on_wait(void *arg)
{
	struct health *h = arg;

	if (!h->waited && bus_link_is_up(h->link)) {
		h->waited = true;
		loop_timer_set(&h->wait, HEALTH_MOST - HEALTH_WAIT);
		return;
	}
	be_ready(h);
}

static void
on_row(void *arg, const struct msg_row *row, const union msg_any *m)
{
	struct health *h = arg;
	char text[200];

	switch (row->number) {
	case MSG_HEALTH:
		span_text(m->health.text, text, sizeof(text));
		if (m->health.verdict > VERDICT_DOWN)
			return; /* a word of a newer build */
		services_verdict(h->services, m->health.server, m->health.verdict,
		    text[0] == '\0' && m->health.reason < REASONS ? reason_text[m->health.reason]
								  : text,
		    h->live);
		return;
	case MSG_QUORUM: services_quorum(h->services, m->quorum.service, m->quorum.met); return;
	default: return;
	}
}

static void
on_up(void *arg)
{
	struct health *h = arg;

	services_check_away(h->services, false);
}

static void
on_synced(void *arg)
{
	struct health *h = arg;

	h->live = true;
	be_ready(h);
}

static void
on_down(void *arg)
{
	struct health *h = arg;

	h->live = false;
	services_check_away(h->services, true);
}

struct health *
health_new(struct daemon *d, struct services *s, void (*ready)(void *arg), void *arg)
{
	struct health *h = mem_alloc(sizeof(*h));
	const struct bus_link_ops ops = {
		.daemon = "lbd-check",
		.topics = TOPIC_HEALTH,
		.up = on_up,
		.synced = on_synced,
		.row = on_row,
		.down = on_down,
		.arg = h,
	};

	h->d = d;
	h->services = s;
	h->ready = ready;
	h->arg = arg;
	loop_timer_init(&h->wait, daemon_loop(d), on_wait, h);
	loop_timer_set(&h->wait, HEALTH_WAIT);
	h->link = bus_link_new(daemon_loop(d), daemon_paths(d), "lbd-ipvs", &ops);
	return h;
}

void
health_free(struct health *h)
{
	if (h == NULL)
		return;
	loop_timer_fini(&h->wait);
	bus_link_free(h->link);
	free(h);
}

void
health_half_open(struct health *h, uint32_t server, uint32_t count)
{
	const struct msg_observed m = { .server = server, .what = 4, .count = count };

	if (bus_link_is_up(h->link))
		(void)bus_link_ask(h->link, MSG_OBSERVED, &m, NULL, NULL, NULL);
}
