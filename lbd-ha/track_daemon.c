/* track_daemon.c - the other daemons of the suite on this node: a node whose lbd-proxy is gone has its addresses to no
 * avail while the other node's works.
 *
 * Each is asked how it does, in the interval of the track; one that has not answered for the timeout is bad, whether it
 * does not run, is stopped, or hangs. One that was never there gives no result: it may not be installed, or not have
 * been started yet. The daemons that the configuration needs are watched without a row; a row of one takes the place
 * of that, also when it is not enabled. */
#include "track_priv.h"

#include "msg/bus.h"

#include <stdio.h>
#include <string.h>

#define OWN_ID 0xffff0000u
#define OWN_INTERVAL 1000 /* ms */
#define OWN_TIMEOUT 5000

static const char *const daemons[TRACK_DAEMONS] = { "lbd-proxy", "lbd-ipvs", "lbd-check" };

static bool
needed(const struct snapshot *s, const char *name)
{
	bool ipvs = strcmp(name, "lbd-ipvs") == 0, any = strcmp(name, "lbd-check") == 0;

	for (uint32_t i = 0; i < snapshot_count(s, KIND_service); i++) {
		const struct service *v = snapshot_at(s, KIND_service, i);

		if (v->enabled && (any || (service_layer(v) == 4) == ipvs))
			return true;
	}
	return ipvs && snapshot_node(s)->autonat[0] != '\0';
}

static bool
has_row(const struct snapshot *s, const char *name)
{
	for (uint32_t i = 0; i < snapshot_count(s, KIND_track); i++) {
		const struct track *row = snapshot_at(s, KIND_track, i);

		if (row->kind == track_kind_daemon && strcmp(row->target, name) == 0)
			return true;
	}
	return false;
}

bool
track_daemon_row(const struct snapshot *s, unsigned i, struct track *out)
{
	if (!needed(s, daemons[i]) || has_row(s, daemons[i]))
		return false;
	*out = (struct track){ .id = OWN_ID + i,
		.enabled = true,
		.name = "suite",
		.target = daemons[i],
		.kind = track_kind_daemon,
		.interval = OWN_INTERVAL,
		.timeout = OWN_TIMEOUT,
		.rise = 1,
		.fall = 1 };
	return true;
}

/* ---- at work ----------------------------------------------------------------------------------------------- */

static void
on_answer(void *arg, int code, const char *text)
{
	struct tracked *t = arg;

	(void)text;
	t->asked = false;
	if (code != 0)
		return;
	t->started = mono_now();
	track_result(t, true, "answers");
}

void
track_daemon_look(struct tracked *t)
{
	const struct msg_empty none = { 0 };
	mono_t now = mono_now();

	loop_timer_set(&t->due, t->interval);
	if (t->started != 0 && now - t->started > t->timeout)
		track_result(
		    t, false, bus_link_is_up(t->link) ? "does not answer" : "does not run");
	if (bus_link_is_up(t->link) && !t->asked)
		t->asked = bus_link_ask(t->link, MSG_STATUS, &none, NULL, on_answer, t) == 0;
}

static void
on_up(void *arg)
{
	struct tracked *t = arg;

	t->asked = false;
	track_daemon_look(t);
}

void
track_daemon_begin(struct tracked *t)
{
	const struct bus_link_ops ops = { .daemon = t->target, .up = on_up, .arg = t };

	t->link = bus_link_new(t->all->loop, t->all->paths, "lbd-ha", &ops);
	loop_timer_set(&t->due, t->interval);
}

void
track_daemon_end(struct tracked *t)
{
	bus_link_free(t->link);
	t->link = NULL;
}
