/* sched.c - when each target is probed, and what becomes of the result.
 *
 * A target is in one of two heaps: waiting (the instant is when to probe) or flying (the instant is the
 * deadline). One timer of the loop serves both. At most `most` probes fly; while they do, due targets stay in
 * the waiting heap, so the longest overdue goes first. A turn starts at most START_TURN probes.
 *
 * A process that is stopped (SIGSTOP, a suspended guest, a starved machine) comes back to find every deadline
 * passed and every server's patience at its end. That proves nothing about the servers. So while probes fly
 * the loop is looked at each SCHED_BEAT; when it is found late by more than SCHED_STALL, every probe that was in
 * flight is repeated and its result thrown away. The same holds for a result that came of this node's own want of
 * descriptors or ports.
 *
 * Which targets there are is targets.c; what a result means is verdict.c. */
#include "sched_priv.h"

#include "base/mem.h"
#include "base/must.h"
#include "msg/msg.h"
#include "sys/sock.h"

#include <errno.h>
#include <sys/random.h>

#define START_TURN 64
#define FD_RESERVE 64 /* descriptors for the bus, the store and the resolver */

static void land(struct target *t, const struct result *r);

uint32_t
sched_roll(struct sched *s)
{
	s->dice ^= s->dice << 13;
	s->dice ^= s->dice >> 7;
	s->dice ^= s->dice << 17;
	return (uint32_t)(s->dice >> 32);
}

static void
arm(struct sched *s, mono_t at)
{
	mono_t now;

	if (s->armed && s->armed <= at)
		return;
	now = mono_now();
	s->armed = at;
	loop_timer_set(&s->timer, at > now ? at - now : 0);
}

/* Find out whether the loop stood still. */
static void
beat(struct sched *s, mono_t now)
{
	if (s->flying.n && now - s->seen > SCHED_BEAT + SCHED_STALL)
		s->stalled = now;
	s->seen = now;
}

static bool
overlaps_stall(const struct target *t)
{
	return t->started < t->sched->stalled;
}

/* The probe in flight, if there is one, is over. */
static void
drop_probe(struct target *t)
{
	if (!t->probe)
		return;
	heap_del(&t->sched->flying, &t->slot);
	probe_free(t->probe);
	t->probe = NULL;
	snapshot_unref(t->held);
	t->held = NULL;
	t->sched->counts.flying--;
}

void
sched_rest(struct target *t)
{
	drop_probe(t);
	heap_del(&t->sched->waiting, &t->slot);
}

void
sched_due(struct target *t, mono_t at)
{
	drop_probe(t);
	heap_put(&t->sched->waiting, &t->slot, at);
	arm(t->sched, at);
}

static dur_t
fresh_period(const struct sched *s)
{
	dur_t all = s->counts.targets * SCHED_FRESH_RATE;

	return all > SCHED_FRESH ? all : SCHED_FRESH;
}

static void
tell(struct target *t, bool turned)
{
	t->told = mono_now();
	t->sched->ops.told(t->sched->arg, t, turned);
}

void
sched_turned(struct target *t, unsigned before)
{
	t->sched->counts.verdicts[before]--;
	t->sched->counts.verdicts[t->st.verdict]++;
	tell(t, true);
}

void
sched_feed(struct target *t, const struct check *rule, const struct result *r)
{
	struct sched *s = t->sched;
	unsigned before = t->st.verdict;
	uint16_t reason = t->st.last.reason, shown = t->st.shown;
	bool turned = verdict_feed(&t->st, rule, r, mono_wall_ms() / 1000);

	s->counts.probes++;
	s->counts.failed += verdict_worth(r) == WORTH_BAD;
	if (turned)
		sched_turned(t, before);
	else if (t->st.last.reason != reason || t->st.shown != shown ||
		 mono_now() - t->told >= fresh_period(s))
		tell(t, false);
}

static void
step_to_watchers(void *arg, const struct probe_step *step)
{
	struct target *t = arg;
	struct list *it, *next;

	list_each_safe(it, next, &t->watchers)
	{
		struct watcher *w = container_of(it, struct watcher, in);

		w->step(w->arg, step);
	}
}

static void
end_watchers(struct target *t)
{
	while (!list_empty(&t->watchers)) {
		struct watcher *w = container_of(t->watchers.next, struct watcher, in);

		list_del(&w->in);
		w->end(w->arg, t);
	}
}

static void
say(struct target *t, const char *text)
{
	struct probe_step step = { .at = mono_now() - t->started, .text = text };

	step_to_watchers(t, &step);
}

static void
starve(struct sched *s, bool now)
{
	s->counts.starved += now;
	if (s->starving == now)
		return;
	s->starving = now;
	s->ops.starved(s->arg, now);
}

/* A probe ended, in the air or on the ground. What it gave is copied: it may lie in the probe. */
static void
land(struct target *t, const struct result *given)
{
	const struct result r = *given;
	struct sched *s = t->sched;
	const struct server *srv = snapshot_find(s->now, KIND_server, t->id);
	const struct check *rule = snapshot_check_of(s->now, srv);
	mono_t now = mono_now(), next;

	beat(s, now);
	drop_probe(t);
	if (overlaps_stall(t)) {
		s->counts.repeated++;
		say(t, "the daemon stood still meanwhile: probing again");
		sched_due(t, now);
		return;
	}
	starve(s, r.reason == REASON_resources);
	if (verdict_worth(&r) == WORTH_VOID) {
		next = now + SCHED_STARVED_GAP;
	} else {
		sched_feed(t, rule, &r);
		next = t->started + verdict_interval(&t->st, rule, sched_roll(s));
	}
	if (t->traced)
		end_watchers(t);
	t->traced = false;
	if (!list_empty(&t->watchers))
		next = now;
	sched_due(t, next > now ? next : now);
}

static void
on_done(void *arg, const struct result *r)
{
	struct target *t = arg;

	must_obj(t, TARGET_MAGIC);
	land(t, r);
}

uint16_t
target_port(const struct snapshot *s, const struct server *srv, const struct check *rule)
{
	const struct service *svc;

	if (rule->port)
		return rule->port;
	if (srv->port)
		return srv->port;
	svc = snapshot_find(s, KIND_service, srv->vip);
	return svc && svc->ports->n ? svc->ports->r[0].lo : 0;
}

/* False: where the server is, is not known yet; on_resolved comes back to it. */
static bool
find_address(struct target *t, const struct server *srv, const struct check *rule, struct addr *out)
{
	*out = srv->address.addr.family ? srv->address.addr : t->addr;
	if (out->family)
		return true;
	if (!t->unresolvable)
		sched_due(t, mono_now() + DUR_MS(rule->interval));
	else
		land(t, &(struct result){ .reason = REASON_resolve });
	return false;
}

/* It is the other node's to probe. */
static bool
suspended(const struct sched *s, const struct server *srv, const struct check *rule, unsigned away)
{
	const struct service *svc = snapshot_find(s->now, KIND_service, srv->vip);

	return rule->active_only && svc != NULL && (away >> svc->group & 1) != 0;
}

void
sched_away(struct sched *s, unsigned groups)
{
	const unsigned were = s->away;
	uint32_t at = 0, id;

	s->away = groups;
	while (
	    s->now != NULL && (were & ~groups) != 0 && idmap_next(&s->targets, &at, &id) != NULL) {
		struct target *t = idmap_get(&s->targets, id);
		const struct server *srv = snapshot_find(s->now, KIND_server, t->id);
		const struct check *rule = snapshot_check_of(s->now, srv);

		if (t->slot != HEAP_NONE && t->probe == NULL &&
		    suspended(s, srv, rule, were & ~groups))
			sched_due(t, mono_now());
	}
}

/* How a connection to the server begins: as lbd-proxy's do. */
static void
greet(const struct snapshot *s, const struct server *srv, struct probe_ask *ask)
{
	const struct service *of = snapshot_find(s, KIND_service, srv->vip);
	const struct ca *ca = snapshot_find(s, KIND_ca, of->server_ca);

	ask->proxy_to = of->proxy_to;
	ask->server_tls = of->server_tls;
	ask->ca = ca != NULL ? ca->certs : "";
	ask->tls_name = of->server_name[0] != '\0' ? of->server_name : ask->name;
}

static void
launch(struct target *t)
{
	struct sched *s = t->sched;
	const struct server *srv = snapshot_find(s->now, KIND_server, t->id);
	const struct check *rule = snapshot_check_of(s->now, srv);
	struct probe_ask ask = { .loop = s->loop,
		.check = rule,
		.name = t->host != NULL ? t->host : srv->address.text };
	struct result r;

	if (list_empty(&t->watchers) && suspended(s, srv, rule, s->away)) {
		sched_due(t, mono_now() + DUR_MS(rule->interval));
		return;
	}
	t->started = mono_now();
	t->traced = !list_empty(&t->watchers);
	if (!find_address(t, srv, rule, &ask.addr))
		return;
	ask.port = rule->port == 0 && t->port != 0 ? t->port : target_port(s->now, srv, rule);
	greet(s->now, srv, &ask);
	ask.done = on_done;
	ask.step = t->traced ? step_to_watchers : NULL;
	ask.arg = t;
	heap_del(&s->waiting, &t->slot);
	t->probe = probe_start(&ask, &r);
	if (!t->probe) {
		land(t, &r);
		return;
	}
	if (s->counts.flying++ == 0)
		s->seen = t->started;
	t->held = snapshot_ref(s->now);
	heap_put(&s->flying, &t->slot, t->started + DUR_MS(rule->timeout));
}

static struct target *
target_of(const struct heap_row *row)
{
	struct target *t = container_of(row->slot, struct target, slot);

	must_obj(t, TARGET_MAGIC);
	return t;
}

static void
rearm(struct sched *s)
{
	const struct heap_row *next = heap_top(&s->flying);

	s->armed = 0;
	if (next) {
		arm(s, next->at);
		arm(s, s->seen + SCHED_BEAT);
	}
	next = heap_top(&s->waiting);
	if (next && s->counts.flying < s->most)
		arm(s, next->at);
}

static void
on_timer(void *arg)
{
	struct sched *s = arg;
	mono_t now = mono_now();
	const struct heap_row *row;

	beat(s, now);
	/* The deadline moves far away: its end is told once, after this turn. */
	while ((row = heap_top(&s->flying)) && row->at <= now) {
		struct target *t = target_of(row);

		heap_put(&s->flying, &t->slot, now + DUR_S(3600));
		probe_late(t->probe);
	}
	for (unsigned i = 0; i < START_TURN && s->counts.flying < s->most; i++) {
		row = heap_top(&s->waiting);
		if (!row || row->at > now)
			break;
		launch(target_of(row));
	}
	rearm(s);
}

struct sched *
sched_new(struct loop *l, const struct sched_ops *ops, void *arg)
{
	struct sched *s = mem_alloc(sizeof(*s));
	unsigned fds = sock_fd_limit();

	s->loop = l;
	s->ops = *ops;
	s->arg = arg;
	s->most = fds > 2 * FD_RESERVE ? fds - FD_RESERVE : FD_RESERVE;
	if (s->most > SCHED_FLIGHT_MAX)
		s->most = SCHED_FLIGHT_MAX;
	if (getrandom(&s->dice, sizeof(s->dice), GRND_NONBLOCK) != sizeof(s->dice) || !s->dice)
		s->dice = (uint64_t)mono_now() | 1;
	loop_timer_init(&s->timer, l, on_timer, s);
	return s;
}

const struct target *
sched_find(const struct sched *s, uint32_t id)
{
	return idmap_get(&s->targets, id);
}

const struct sched_counts *
sched_counts(const struct sched *s)
{
	return &s->counts;
}

int
sched_watch(struct sched *s, uint32_t id, struct watcher *w)
{
	struct target *t = idmap_get(&s->targets, id);

	if (!t)
		return -ENOENT;
	list_push(&t->watchers, &w->in);
	if (t->slot == HEAP_NONE) /* not probed at all */
		end_watchers(t);
	else if (!t->probe)
		sched_due(t, mono_now());
	return 0;
}

void
sched_unwatch(struct watcher *w)
{
	list_del(&w->in);
}

void
sched_observe(struct sched *s, uint32_t id, uint32_t count)
{
	struct target *t = idmap_get(&s->targets, id);
	mono_t now = mono_now(), sooner;

	s->counts.observed += count;
	if (!t)
		return;
	t->observed += count;
	if (t->probe || t->slot == HEAP_NONE)
		return;
	sooner = t->started + SCHED_OBSERVED_GAP;
	if (sooner < now)
		sooner = now;
	if (sooner < s->waiting.rows[t->slot].at)
		sched_due(t, sooner);
}
