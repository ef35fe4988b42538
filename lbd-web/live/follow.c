/* Links to the other daemons, one row each. What they say goes into the view, which knows what counts and for how
 * long; where that changes a state, an event is made. Counters are asked for each second while somebody looks at
 * them, and every ten seconds otherwise, for the history.
 *
 * A daemon that goes away keeps its last word for VIEW_STALE (view.h); when that has passed, the pages are told to
 * look again. The first words after a start are no events: nothing happened, we only came. */
#include "follow.h"
#include "base/mem.h"
#include "base/must.h"
#include "events.h"
#include "history.h"
#include "store/store.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define COUNT_SHARE 10

struct source_row {
	const char *daemon;
	unsigned topics;
	bool counts;
};
static const struct source_row sources[] = {
	{ "lbd-check", TOPIC_HEALTH, false },
	{ "lbd-proxy", 0, true },
	{ "lbd-ipvs", TOPIC_L4, true },
	{ "lbd-ha", TOPIC_HA, false },
};

struct source {
	struct follow *f;
	const struct source_row *row;
	struct bus_link *link;
	struct loop_timer stale;
	bool synced, was_up, asking;
	mono_t asked; /* for counters */
	dur_t took;   /* until they were all here */
};
struct follow {
	struct daemon *d;
	struct view *view;
	struct events *events;
	struct history *history;
	struct follow_ops ops;
	struct loop_timer tick;
	struct source s[ARRAY_LEN(sources)];
	mono_t looked, counted, sampled, status;
	int64_t started;
};

struct view *
follow_view(struct follow *f)
{
	view_clock(f->view, mono_now());
	return f->view;
}

void
follow_looked(struct follow *f)
{
	f->looked = mono_now();
}

/* ---- events ---- */

struct before {
	const struct server *server;
	const struct service *service;
	enum server_state state;
	enum status status;
};

static struct before
look(const struct follow *f, uint32_t server_id)
{
	const struct snapshot *s = view_snapshot(f->view);
	struct before b = { .server = s == NULL ? NULL : snapshot_find(s, KIND_server, server_id) };

	if (b.server == NULL)
		return b;
	b.service = snapshot_find(s, KIND_service, b.server->vip);
	b.state = view_server_state(f->view, b.server);
	if (b.service != NULL)
		b.status = view_service_status(f->view, b.service, NULL);
	return b;
}

static void
compare(struct follow *f, const struct before *was, bool known, const char *reason)
{
	enum server_state state;
	enum status status;
	char path[160];

	if (was->server == NULL || was->service == NULL)
		return;
	state = view_server_state(f->view, was->server);
	status = view_service_status(f->view, was->service, NULL);
	if (state != was->state && (known || was->state != SRV_UNKNOWN))
		events_add(f->events, "rip.state",
		    snapshot_path(view_snapshot(f->view), KIND_server, was->server->id, path),
		    server_token(was->state), server_token(state), reason);
	if (status != was->status && (known || was->status != ST_UNK))
		events_add(f->events, "vip.state", was->service->name, status_colour(was->status),
		    status_colour(status), "");
}

/* What is told of a service as a whole, in the words of events; NULL: not known. */
struct service_words {
	const char *quorum, *takes, *kernel;
};

static void
words_of(const struct follow *f, const struct service *svc, struct service_words *out)
{
	static const char *const met[] = { "lost", "met" },
				 *const takes[] = { "servers", "fallback" },
				 *const kernel[] = { "not in force", "in force" };
	const struct view_service *q = view_service(f->view, svc->id),
				  *l4 = view_l4(f->view, svc->id);

	/* What was known before lbd-check was away counts too: a change meanwhile is a change. */
	out->quorum = q != NULL && q->quorum_heard ? met[q->quorum_met] : NULL;
	out->takes = takes[view_fallback(f->view, svc)];
	out->kernel = kernel[l4 == NULL || l4->loaded];
}

static void
on_health(struct source *s, const struct msg_row *row, const union msg_any *m)
{
	struct follow *f = s->f;
	struct before was = look(f, m->health.server);
	char reason[200];

	span_text(m->health.text, reason, sizeof(reason));
	if (!view_row(f->view, row, m))
		return;
	compare(f, &was, s->synced, reason);
	f->ops.moved(f->ops.arg);
}

static enum status
status_of(const struct follow *f, uint32_t service)
{
	const struct service *s = snapshot_find(view_snapshot(f->view), KIND_service, service);

	return s != NULL ? view_service_status(f->view, s, NULL) : ST_UNK;
}

/* A row about a service as a whole: its state may be another, and its quorum or who takes its clients. */
static void
on_service(struct source *s, const struct msg_row *row, const union msg_any *m, uint32_t id)
{
	struct follow *f = s->f;
	const struct snapshot *snap = view_snapshot(f->view);
	const struct service *svc = snap != NULL ? snapshot_find(snap, KIND_service, id) : NULL;
	const struct view_service *q;
	struct service_words was, is;
	enum status status;
	char why[120] = "", note[VIEW_NOTE];

	if (svc == NULL) {
		(void)view_row(f->view, row, m); /* for later: the revision is on its way */
		return;
	}
	status = status_of(f, id);
	words_of(f, svc, &was);
	if (!view_row(f->view, row, m))
		return;
	words_of(f, svc, &is);
	q = view_quorum(f->view, id);
	if (q != NULL)
		(void)snprintf(why, sizeof(why), "weight %llu of %u",
		    (unsigned long long)q->quorum_weight, (unsigned)svc->quorum);
	if (was.quorum != NULL && is.quorum != NULL && was.quorum != is.quorum)
		events_add(f->events, "vip.quorum", svc->name, was.quorum, is.quorum, why);
	(void)view_note(f->view, svc, note);
	if (was.takes != is.takes && s->synced)
		events_add(f->events, "vip.fallback", svc->name, was.takes, is.takes, why);
	if (was.kernel != is.kernel && s->synced)
		events_add(f->events, "vip.kernel", svc->name, was.kernel, is.kernel, note);
	if (status != status_of(f, id) && (s->synced || status != ST_UNK))
		events_add(f->events, "vip.state", svc->name, status_colour(status),
		    status_colour(status_of(f, id)), note);
	f->ops.moved(f->ops.arg);
}

static void
on_hint(struct source *s, const struct msg_row *row, const union msg_any *m)
{
	struct follow *f = s->f;
	struct before was = look(f, m->l4_hint.server);
	char text[200];

	span_text(m->l4_hint.text, text, sizeof(text));
	if (!view_row(f->view, row, m))
		return;
	compare(f, &was, s->synced, text);
	f->ops.moved(f->ops.arg);
}

static const struct view_floating *
floating(const struct follow *f, const char *address)
{
	const struct view_floating *it = view_floating(f->view);

	while (it != NULL && strcmp(it->address, address) != 0)
		it = it->next;
	return it;
}

static void
on_floating(struct source *s, const struct msg_row *row, const union msg_any *m)
{
	struct follow *f = s->f;
	char address[ADDR_TEXT], fault[200];
	const struct view_floating *it;
	const char *route;
	bool was;

	span_text(m->floating.address, address, sizeof(address));
	span_text(m->floating.fault, fault, sizeof(fault));
	it = floating(f, address);
	was = it != NULL && it->held;
	route = it != NULL ? it->route : "";
	if (!view_row(f->view, row, m))
		return;
	it = floating(f, address);
	if (it != NULL && it->route != route && it->route[0] != '\0' && s->synced)
		events_add(f->events, "fip.route", address, route, it->route,
		    it->cause != NULL ? it->cause : "");
	if (was != m->floating.held && s->synced)
		events_add(f->events, "fip.held", address, was ? "held" : "not held",
		    m->floating.held ? "held" : "not held", fault);
	f->ops.moved(f->ops.arg);
}

static void
on_role(struct source *s, const struct msg_row *row, const union msg_any *m)
{
	struct follow *f = s->f;
	const struct view_role *r = view_role(f->view);
	bool heard = r != NULL && r->heard, active = heard && r->active;

	if (!view_row(f->view, row, m))
		return;
	if (heard && active != m->role.active)
		events_add(f->events, "ha.role", "node", active ? "active" : "passive",
		    m->role.active ? "active" : "passive", "");
	f->ops.moved(f->ops.arg);
}

static void
on_row(void *arg, const struct msg_row *row, const union msg_any *m)
{
	struct source *s = arg;
	struct follow *f = s->f;

	view_clock(f->view, mono_now());
	switch (row->number) {
	case MSG_HEALTH: on_health(s, row, m); break;
	case MSG_QUORUM: on_service(s, row, m, m->quorum.service); break;
	case MSG_L4_SERVICE: on_service(s, row, m, m->l4_service.service); break;
	case MSG_L4_HINT: on_hint(s, row, m); break;
	case MSG_FLOATING: on_floating(s, row, m); break;
	case MSG_ROLE: on_role(s, row, m); break;
	default:
		if (view_row(f->view, row, m))
			f->ops.moved(f->ops.arg);
	}
}

/* ---- links ---- */

static void
ask_status(struct source *s)
{
	static const struct msg_empty none;

	(void)bus_link_ask(s->link, MSG_STATUS, &none, on_row, NULL, s); /* away: tried again */
}

static void
on_up(void *arg)
{
	struct source *s = arg;
	struct follow *f = s->f;

	s->synced = s->row->topics == 0;
	s->asking = false;
	loop_timer_cancel(&s->stale);
	view_clock(f->view, mono_now());
	view_here(f->view, s->row->daemon, true);
	if (s->was_up)
		events_add(f->events, "daemon.state", s->row->daemon, "away", "running", "");
	s->was_up = true;
	ask_status(s);
	f->counted = 0;
	f->ops.moved(f->ops.arg);
}

static void
on_synced(void *arg)
{
	struct source *s = arg;

	s->synced = true;
	view_synced(s->f->view, s->row->daemon);
	s->f->ops.moved(s->f->ops.arg);
}

static void
on_down(void *arg)
{
	struct source *s = arg;
	struct follow *f = s->f;

	s->synced = s->asking = false;
	view_clock(f->view, mono_now());
	view_here(f->view, s->row->daemon, false);
	if (s->was_up)
		events_add(f->events, "daemon.state", s->row->daemon, "running", "away", "");
	loop_timer_set(&s->stale, VIEW_STALE + DUR_MS(50));
	f->ops.moved(f->ops.arg);
}

static void
on_stale(void *arg)
{
	struct source *s = arg;

	s->f->ops.moved(s->f->ops.arg);
}

/* ---- counters ---- */

static void
counts_end(void *arg, int code, const char *text)
{
	struct source *s = arg;

	(void)text;
	s->asking = false;
	s->took = mono_now() - s->asked;
	if (code == 0)
		s->f->ops.counted(s->f->ops.arg);
}

static void
ask_counts(struct follow *f)
{
	static const struct msg_select all;

	f->counted = mono_now();
	for (size_t i = 0; i < ARRAY_LEN(f->s); i++) {
		struct source *s = &f->s[i];

		/* At most a tenth of the time, however many services there are. */
		if (!s->row->counts || s->asking || !bus_link_is_up(s->link) ||
		    f->counted - s->asked < COUNT_SHARE * s->took)
			continue;
		s->asked = f->counted;
		s->asking = bus_link_ask(s->link, MSG_COUNTERS, &all, on_row, counts_end, s) == 0;
	}
}

/* What this daemon itself would answer to STATUS. */
static void
say_self(struct follow *f)
{
	const struct snapshot *s = daemon_snapshot(f->d);
	struct msg_daemon m = { .program = SPAN("lbd-web"), .release = SPAN(LBD_VERSION) };
	struct rusage ru;

	m.pid = (uint32_t)getpid();
	m.started = f->started;
	m.revision = snapshot_revision(s, SCOPE_SHARED);
	m.local = snapshot_revision(s, SCOPE_LOCAL);
	m.oper = snapshot_revision(s, SCOPE_OPER);
	m.cpu = (uint64_t)mono_cpu_us();
	if (getrusage(RUSAGE_SELF, &ru) == 0)
		m.rss = (uint64_t)ru.ru_maxrss * 1024;
	(void)view_row(f->view, msg_row(MSG_DAEMON), (const union msg_any *)(const void *)&m);
}

static void
on_tick(void *arg)
{
	struct follow *f = arg;
	mono_t now = mono_now();
	dur_t every = now - f->looked < FOLLOW_LOOK ? FOLLOW_COUNT_SEEN : FOLLOW_COUNT_IDLE;

	view_clock(f->view, now);
	if (now - f->sampled >= DUR_S(HISTORY_STEP_S) - DUR_MS(50)) {
		f->sampled = now;
		history_take(f->history, f->view, (int64_t)time(NULL));
	}
	if (now - f->counted >= every - DUR_MS(50))
		ask_counts(f);
	if (now - f->status >= DUR_S(10) - DUR_MS(50)) {
		f->status = now;
		say_self(f);
		for (size_t i = 0; i < ARRAY_LEN(f->s); i++)
			if (bus_link_is_up(f->s[i].link))
				ask_status(&f->s[i]);
	}
	loop_timer_set(&f->tick, DUR_S(1));
}

/* ---- configuration ---- */

#define TOUCHED_MAX \
	256 /* services of which an order's effect is told; the others are seen in the view */

struct orders {
	struct follow *f;
	struct snapshot *old, *now;
	uint32_t last; /* server of the change before: one event per server */
	unsigned n;
	struct {
		uint32_t id;
		enum status was;
	} touched[TOUCHED_MAX];
};

/* How a service stood before the orders: asked while the view still has the old snapshot. */
static void
touch(struct orders *o, const struct server *srv)
{
	const struct service *s = snapshot_find(o->old, KIND_service, srv->vip);

	for (unsigned i = 0; i < o->n; i++)
		if (o->touched[i].id == srv->vip)
			return;
	if (s == NULL || o->n == TOUCHED_MAX)
		return;
	o->touched[o->n].id = s->id;
	o->touched[o->n++].was = view_service_status(o->f->view, s, NULL);
}

static void
order_words(const struct admin *a, bool state, char out[40])
{
	if (state)
		(void)snprintf(out, 40, "%s", word_text(&admin_state_list, a->state));
	else if (a->weighted)
		(void)snprintf(out, 40, "weight %u", a->weight);
	else
		(void)snprintf(out, 40, "weight as configured");
}

static void
on_change(void *arg, const struct change *c)
{
	struct orders *o = arg;
	const struct admin *a, *was, *is;
	const struct server *srv;
	char reason[300], path[160], from[40], to[40];

	if (c->o->kind != KIND_admin)
		return;
	a = c->new != NULL ? c->new : c->old;
	srv = snapshot_find(o->now, KIND_server, a->id);
	if (a->id == o->last || srv == NULL)
		return;
	o->last = a->id;
	touch(o, srv);
	was = snapshot_admin(o->old, a->id);
	is = snapshot_admin(o->now, a->id);
	order_words(was, was->state != is->state, from);
	order_words(is, was->state != is->state, to);
	(void)snprintf(reason, sizeof(reason), "%s from %s%s%s", a->who, a->origin,
	    a->why[0] != '\0' ? ": " : "", a->why);
	events_add(o->f->events, "rip.admin", snapshot_path(o->now, KIND_server, a->id, path), from,
	    to, reason);
}

static void
tell_touched(struct orders *o)
{
	for (unsigned i = 0; i < o->n; i++) {
		const struct service *s = snapshot_find(o->now, KIND_service, o->touched[i].id);
		enum status is =
		    s != NULL ? view_service_status(o->f->view, s, NULL) : o->touched[i].was;

		if (is != o->touched[i].was)
			events_add(o->f->events, "vip.state", s->name,
			    status_colour(o->touched[i].was), status_colour(is), "by order");
	}
}

static int
take_revision(void *arg, const struct revision *r)
{
	struct follow *f = arg;
	char number[24], reason[300];

	(void)snprintf(number, sizeof(number), "%u", r->n);
	(void)snprintf(reason, sizeof(reason), "%s from %s%s%s", r->who, r->origin,
	    r->why != NULL && r->why[0] != '\0' ? ": " : "", r->why != NULL ? r->why : "");
	events_add(f->events, "config.revision", r->scope == SCOPE_LOCAL ? "local" : "shared", "",
	    number, reason);
	return 1;
}

void
follow_apply(struct follow *f, struct snapshot *old, struct snapshot *now)
{
	struct orders o = { .f = f, .old = old, .now = now };

	view_clock(f->view, mono_now());
	if (old != NULL && snapshot_revision(old, SCOPE_OPER) != snapshot_revision(now, SCOPE_OPER))
		(void)snapshot_diff(old, now, on_change, &o);
	view_use(f->view, now);
	history_use(f->history, now);
	say_self(f);
	tell_touched(&o);
	for (int scope = SCOPE_SHARED; old != NULL && scope <= SCOPE_LOCAL; scope++)
		if (snapshot_revision(old, scope) != snapshot_revision(now, scope))
			(void)store_history(daemon_store(f->d), scope, 1, take_revision, f);
	f->ops.moved(f->ops.arg);
}

int
follow_ask(struct follow *f, const char *daemon, unsigned number, const void *payload,
    void (*row)(void *arg, const struct msg_row *row, const union msg_any *m),
    void (*end)(void *arg, int code, const char *text), void *arg)
{
	for (size_t i = 0; i < ARRAY_LEN(f->s); i++)
		if (strcmp(f->s[i].row->daemon, daemon) == 0)
			return bus_link_ask(f->s[i].link, number, payload, row, end, arg);
	return ERR_AWAY;
}

struct follow *
follow_new(struct daemon *d, struct events *ev, struct history *hist, const struct follow_ops *ops)
{
	struct follow *f = mem_alloc(sizeof(*f));

	f->d = d;
	f->events = ev;
	f->history = hist;
	f->ops = *ops;
	f->view = view_new();
	f->started = (int64_t)time(NULL);
	view_here(f->view, "lbd-web", true);
	for (size_t i = 0; i < ARRAY_LEN(sources); i++) {
		struct source *s = &f->s[i];
		struct bus_link_ops link = { .daemon = sources[i].daemon,
			.topics = sources[i].topics,
			.up = on_up,
			.synced = on_synced,
			.row = on_row,
			.down = on_down,
			.arg = s };

		s->f = f;
		s->row = &sources[i];
		loop_timer_init(&s->stale, daemon_loop(d), on_stale, s);
		s->link = bus_link_new(daemon_loop(d), daemon_paths(d), "lbd-web", &link);
	}
	loop_timer_init(&f->tick, daemon_loop(d), on_tick, f);
	loop_timer_set(&f->tick, DUR_S(1));
	return f;
}

void
follow_free(struct follow *f)
{
	if (f == NULL)
		return;
	loop_timer_fini(&f->tick);
	for (size_t i = 0; i < ARRAY_LEN(f->s); i++) {
		bus_link_free(f->s[i].link);
		loop_timer_fini(&f->s[i].stale);
	}
	view_free(f->view);
	free(f);
}
