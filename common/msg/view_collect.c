/* Fills a view by asking each daemon in turn, blocking: one connection a daemon, closed afterwards.
 * A daemon that is away is noted in the view and is no error. */
#include "msg/view_priv.h"

#include "msg/client.h"

#include <errno.h>
#include <string.h>

struct collect {
	struct view *v;
	dur_t wait;
};

static int
on_row(void *arg, const struct msg_row *row, const union msg_any *m)
{
	struct collect *c = arg;

	(void)view_row(c->v, row, m);
	return 0;
}

static int
subscribe(struct collect *c, struct client *k, unsigned topics, struct err *err)
{
	struct msg_subscribe m = { .topics = topics };

	return client_call(k, MSG_SUBSCRIBE, &m, on_row, c, c->wait, err);
}

static int
ask(struct collect *c, struct client *k, const char *daemon, unsigned what, struct err *err)
{
	struct msg_empty none = { 0 };
	struct msg_select all = { 0 };
	int rc = 0;

	if (what & VIEW_DAEMONS)
		rc = client_call(k, MSG_STATUS, &none, on_row, c, c->wait, err);
	if (rc == 0 && (what & VIEW_HEALTH) && strcmp(daemon, "lbd-check") == 0)
		rc = subscribe(c, k, TOPIC_HEALTH, err);
	if (rc == 0 && (what & VIEW_HEALTH) && strcmp(daemon, "lbd-ipvs") == 0)
		rc = subscribe(c, k, TOPIC_L4, err);
	if (rc == 0 && (what & VIEW_HA) && strcmp(daemon, "lbd-ha") == 0)
		rc = subscribe(c, k, TOPIC_HA, err);
	if (rc == 0 && (what & VIEW_COUNTS) &&
	    (strcmp(daemon, "lbd-proxy") == 0 || strcmp(daemon, "lbd-ipvs") == 0)) {
		view_clock(c->v, mono_now());
		rc = client_call(k, MSG_COUNTERS, &all, on_row, c, c->wait, err);
	}
	return rc;
}

static unsigned
wanted_of(const char *daemon, unsigned what)
{
	unsigned w = what & VIEW_DAEMONS;

	if (strcmp(daemon, "lbd-check") == 0 || strcmp(daemon, "lbd-ipvs") == 0)
		w |= what & VIEW_HEALTH;
	if (strcmp(daemon, "lbd-ha") == 0)
		w |= what & VIEW_HA;
	if (strcmp(daemon, "lbd-proxy") == 0 || strcmp(daemon, "lbd-ipvs") == 0)
		w |= what & VIEW_COUNTS;
	return w;
}

/* One daemon; ERR_AWAY also when it is there but does not answer: its silence is shown, it holds nobody up twice. */
static int
collect_one(
    struct collect *c, struct view_daemon *d, const struct paths *p, unsigned what, struct err *err)
{
	struct client *k;
	int rc = client_open(p, d->name, &k, err);

	d->why[0] = '\0';
	view_here(c->v, d->name, rc == 0);
	if (rc == 0) {
		rc = ask(c, k, d->name, what, err);
		client_close(k);
	}
	if (rc != ERR_AWAY && rc != -ETIMEDOUT)
		return rc;
	view_here(c->v, d->name, false);
	span_text(SPAN(err->text), d->why, sizeof(d->why));
	return ERR_AWAY;
}

int
view_collect(struct view *v, const struct paths *p, unsigned what, dur_t wait, struct err *err)
{
	struct collect c = { .v = v, .wait = wait };
	int rc = 0, one;
	unsigned i;

	view_clock(v, mono_now());
	for (i = 0; i < v->daemons_n; i++) {
		unsigned wanted = wanted_of(v->daemons[i].name, what);
		struct err why = { 0 };

		if (wanted == 0)
			continue;
		one = collect_one(&c, &v->daemons[i], p, wanted, &why);
		if (one == 0 || one == ERR_AWAY || rc != 0)
			continue;
		rc = one;
		if (err != NULL)
			*err = why;
	}
	return rc;
}
