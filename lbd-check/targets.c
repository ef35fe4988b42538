/* targets.c - which targets there are: the snapshot's servers, kept in step by its differences.
 *
 * A difference names rows; from them follow the servers that may be touched: the server itself, those of a
 * changed service, those with a changed check (each check knows its targets, so nothing is searched). Each is
 * then looked at as it was and as it is, and only what matters to a probe counts:
 *   other address or port      nothing is known about it any more
 *   other question             the verdict stands, unproven; probed anew
 *   other times or counts      the next probe moves
 * Everything else (weight, comment, an operator's order) is no business of a probe.
 *
 * Names are resolved as long as the target lives. Who says when the first probe of many new targets begins:
 * here, spread over at most their interval. */
#include "sched_priv.h"

#include "base/mem.h"
#include "base/must.h"
#include "msg/msg.h"
#include "store/named.h"
#include "sys/log.h"

#include <stdio.h>
#include <string.h>

enum { MOVED = 1, ASKED = 2, TIMED = 4 };

/* What a difference touched, until it is settled. */
struct touch {
	struct sched *s;
	struct snapshot *old, *now;
	struct buf ids; /* uint32_t, some twice */
};

static void
touch(struct touch *c, uint32_t id)
{
	buf_put(&c->ids, &id, sizeof(id));
}

static bool
same_ranges(const struct ranges *a, const struct ranges *b)
{
	return a->n == b->n && memcmp(a->r, b->r, a->n * sizeof(a->r[0])) == 0;
}

static unsigned
check_changes(const struct check *a, const struct check *b)
{
	unsigned flags = 0;

	if (a == b)
		return 0;
	if (a->kind != b->kind || a->method != b->method || strcmp(a->path, b->path) != 0 ||
	    strcmp(a->host, b->host) != 0 || !same_ranges(a->status, b->status) ||
	    strcmp(a->expect, b->expect) != 0 || strcmp(a->reject, b->reject) != 0 ||
	    a->answer_max != b->answer_max)
		flags |= ASKED;
	if (a->interval != b->interval || a->timeout != b->timeout || a->rise != b->rise ||
	    a->fall != b->fall || a->fast != b->fast || a->slow != b->slow ||
	    a->jitter != b->jitter)
		flags |= TIMED;
	return flags;
}

/* Whether a connection to the server begins in the same way: PROXY header, TLS. */
static bool
same_greeting(const struct touch *c, const struct server *was, const struct server *is)
{
	const struct service *a = snapshot_find(c->old, KIND_service, was->vip);
	const struct service *b = snapshot_find(c->now, KIND_service, is->vip);

	return a->proxy_to == b->proxy_to && a->server_tls == b->server_tls &&
	       a->server_ca == b->server_ca && strcmp(a->server_name, b->server_name) == 0;
}

/* How a server that was there before differs, as far as a probe sees it. */
static unsigned
changes(const struct touch *c, const struct server *was, const struct server *is)
{
	const struct check *rule_was = snapshot_check_of(c->old, was);
	const struct check *rule_is = snapshot_check_of(c->now, is);
	unsigned flags = check_changes(rule_was, rule_is);

	if (!named_same(was, is) ||
	    target_port(c->old, was, rule_was) != target_port(c->now, is, rule_is))
		flags |= MOVED;
	if (!same_greeting(c, was, is))
		flags |= ASKED;
	return flags;
}

static struct group *
group_of(struct sched *s, uint32_t check)
{
	struct group *g = idmap_get(&s->groups, check);

	if (!g) {
		g = mem_alloc(sizeof(*g));
		g->check = check;
		list_init(&g->targets);
		idmap_put(&s->groups, check, g);
	}
	return g;
}

/* Row 0, the defaults, never changes: nobody needs to find its targets. */
static void
join_group(struct target *t, const struct check *rule)
{
	list_del(&t->peers);
	if (rule->id)
		list_push(&group_of(t->sched, rule->id)->targets, &t->peers);
}

static void
say(const char *why)
{
	log_warn("%s", why);
}

void
sched_keep_names(struct sched *s, const char *folder)
{
	(void)snprintf(s->names, sizeof(s->names), "%s", folder);
}

static void
on_resolved(void *arg, const struct resolve_place *p, const char *why)
{
	struct target *t = arg;
	bool same = addr_same_host(&t->addr, &p->addr) && t->port == p->port;

	(void)why;
	must_obj(t, TARGET_MAGIC);
	t->unresolvable = !p->addr.family;
	if (t->addr.family && p->addr.family && !same)
		verdict_renew(&t->st);
	t->addr = p->addr;
	t->port = p->port;
	free(t->host);
	t->host = p->host[0] != '\0' ? mem_text(p->host) : NULL;
	if (same && !t->unresolvable)
		return; /* weight and priority are lbd-proxy's */
	if (t->probe || t->slot != HEAP_NONE)
		sched_due(t, mono_now());
}

static void
resolve(struct target *t, const struct server *srv)
{
	const struct resolve_want want = named_want(srv);
	struct sched *s = t->sched;

	if (t->resolve)
		resolver_unwatch(t->resolve);
	t->resolve = NULL;
	t->addr = (struct addr){ 0 };
	t->port = 0;
	FREE(t->host);
	t->unresolvable = false;
	if (srv->address.addr.family)
		return;
	if (!s->resolver) {
		s->resolver = resolver_new(s->loop);
		if (s->names[0] != '\0')
			resolver_keep(s->resolver, s->names, say);
	}
	t->resolve = resolver_watch(s->resolver, &want, on_resolved, t);
}

static struct target *
add(struct sched *s, const struct server *srv)
{
	struct target *t = mem_alloc(sizeof(*t));

	t->magic = TARGET_MAGIC;
	t->id = srv->id;
	t->slot = HEAP_NONE;
	t->sched = s;
	list_init(&t->peers);
	list_init(&t->watchers);
	idmap_put(&s->targets, t->id, t);
	s->counts.targets++;
	s->counts.verdicts[VERDICT_UNKNOWN]++;
	resolve(t, srv);
	return t;
}

/* Its memory, not its place in the map. */
static void
release(struct target *t)
{
	struct sched *s = t->sched;

	sched_rest(t);
	while (!list_empty(&t->watchers)) {
		struct watcher *w = container_of(t->watchers.next, struct watcher, in);

		list_del(&w->in);
		w->end(w->arg, NULL);
	}
	if (t->resolve)
		resolver_unwatch(t->resolve);
	free(t->host);
	list_del(&t->peers);
	s->counts.targets--;
	s->counts.verdicts[t->st.verdict]--;
	t->magic = 0;
	free(t);
}

static void
drop(struct sched *s, uint32_t id)
{
	struct target *t = idmap_take(&s->targets, id);

	must_obj(t, TARGET_MAGIC);
	release(t);
}

/* First probes do not all begin in one moment. */
static mono_t
spread(struct sched *s, const struct check *rule, uint32_t many)
{
	dur_t room = many * SCHED_SPREAD, most = DUR_MS(rule->interval);

	if (room > most)
		room = most;
	return mono_now() + (dur_t)((uint64_t)room * (sched_roll(s) >> 8) >> 24);
}

/* It is to be probed anew, or counts as fit untested. */
static void
begin(struct target *t, const struct check *rule, uint32_t many)
{
	if (rule->kind != probe_none) {
		sched_due(t, spread(t->sched, rule, many));
		return;
	}
	sched_rest(t);
	sched_feed(t, rule, &(struct result){ .reason = REASON_not_checked });
}

static void
settle(struct touch *c, struct target *t, const struct server *is, uint32_t many)
{
	const struct check *rule = snapshot_check_of(c->now, is);
	const struct server *was = c->old ? snapshot_find(c->old, KIND_server, t->id) : NULL;
	unsigned flags = was ? changes(c, was, is) : 0, before = t->st.verdict;

	join_group(t, rule);
	if (flags & MOVED) {
		if (!named_same(was, is))
			resolve(t, is);
		if (verdict_reset(&t->st, mono_wall_ms() / 1000))
			sched_turned(t, before);
	}
	if (flags & ASKED)
		verdict_renew(&t->st);
	if (!was || (flags & (MOVED | ASKED)))
		begin(t, rule, many);
	else if ((flags & TIMED) && !t->probe && t->slot != HEAP_NONE && t->started)
		sched_due(t, t->started + verdict_interval(&t->st, rule, sched_roll(t->sched)));
}

static void
on_server(struct touch *c, const struct change *ch)
{
	if (ch->new) {
		touch(c, ((const struct server *)ch->new)->id);
		return;
	}
	drop(c->s, ((const struct server *)ch->old)->id);
}

static void
on_service(struct touch *c, const struct change *ch)
{
	const void *const *rows;
	uint32_t n;

	if (!ch->new || !ch->old)
		return; /* its servers come and go as rows of their own */
	rows = snapshot_children(c->now, KIND_server, ((const struct service *)ch->new)->id, &n);
	for (uint32_t i = 0; i < n; i++)
		touch(c, ((const struct server *)rows[i])->id);
}

static void
on_check(struct touch *c, const struct change *ch)
{
	uint32_t id = ((const struct check *)(ch->new ? ch->new : ch->old))->id;
	struct group *g = idmap_get(&c->s->groups, id);
	struct list *it;

	if (!g)
		return;
	list_each(it, &g->targets) touch(c, container_of(it, struct target, peers)->id);
}

static void
on_change(void *arg, const struct change *ch)
{
	switch (ch->o->kind) {
	case KIND_check: on_check(arg, ch); break;
	case KIND_service: on_service(arg, ch); break;
	case KIND_server: on_server(arg, ch); break;
	default: break;
	}
}

static void
settle_all(struct touch *c)
{
	const uint32_t *ids = (const void *)c->ids.p;
	uint32_t n = (uint32_t)(c->ids.len / sizeof(*ids));

	for (uint32_t i = 0; i < n; i++) {
		const struct server *srv = snapshot_find(c->now, KIND_server, ids[i]);
		struct target *t = idmap_get(&c->s->targets, ids[i]);

		if (srv)
			settle(c, t ? t : add(c->s, srv), srv, n);
	}
}

void
sched_apply(struct sched *s, struct snapshot *old, struct snapshot *now)
{
	struct touch c = { .s = s, .old = old, .now = now };
	struct snapshot *before = s->now;

	s->now = snapshot_ref(now);
	if (old) {
		(void)snapshot_diff(old, now, on_change, &c);
	} else {
		for (uint32_t i = 0; i < snapshot_count(now, KIND_server); i++)
			touch(&c, ((const struct server *)snapshot_at(now, KIND_server, i))->id);
	}
	settle_all(&c);
	buf_fini(&c.ids);
	snapshot_unref(before);
}

void
sched_free(struct sched *s)
{
	struct target *t;
	struct group *g;
	uint32_t at = 0;

	if (!s)
		return;
	while ((t = idmap_next(&s->targets, &at, NULL)) != NULL)
		release(t);
	for (at = 0; (g = idmap_next(&s->groups, &at, NULL)) != NULL;)
		free(g);
	idmap_fini(&s->targets);
	idmap_fini(&s->groups);
	heap_fini(&s->waiting);
	heap_fini(&s->flying);
	loop_timer_fini(&s->timer);
	if (s->resolver)
		resolver_free(s->resolver);
	snapshot_unref(s->now);
	free(s);
}
