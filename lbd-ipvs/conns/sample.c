/* Counts half-open connections by server, and hands what follows (hints.c) to main.
 *
 * One look at a time, by a thread (walk.c) that only counts. The next is SAMPLE_LEAST after it at the soonest, and at
 * least SAMPLE_SHARE times as long after as it took of a processor: a hundred thousand connections are looked at every
 * few minutes, a thousand every few seconds. Without a service of layer 4 there is no look at all.
 *
 * half_open tells how many more connections of a server stay half open than at the look before: those that are new. */
#include "conns/sample.h"
#include "conns/conns_priv.h"
#include "conns/hints.h"

#include "base/idmap.h"
#include "base/mem.h"
#include "base/must.h"

#include <stdio.h>
#include <string.h>

#define SAMPLE_MAGIC 0x5a3b1e00
#define SAMPLE_LEAST DUR_S(5)
#define SAMPLE_SHARE 100
/* Of the kernel, in seconds (ip_vs_proto_tcp.c: tcp_timeouts); the last while secure_tcp is at work. */
#define KERNEL_ESTABLISHED_S 900
#define KERNEL_HALF_OPEN_S 60
#define DEFENSE_HALF_OPEN_S 10

struct watched { /* a server */
	struct hint hint;
	struct hint_sample now;
	uint32_t half_before;
};
struct sample {
	uint32_t magic;
	struct conns *c;
	struct loop_timer timer;
	struct idmap servers; /* struct watched; the thread only reads the map, and counts in now */
	struct hint_times times;
	struct walk *walk;
	struct index *index; /* of the walk */
	bool wanted;
};

static void
on_row(void *arg, const struct walk_row *row)
{
	struct sample *s = arg;
	struct watched *w = row->server != 0 ? idmap_get(&s->servers, row->server) : NULL;

	if (w != NULL)
		hint_count(&w->now, &row->e, &s->times);
}

static unsigned
forward_of(const struct service *svc, const struct server *srv)
{
	switch (srv->forward) {
	case forward_dr: return mode_dr;
	case forward_nat: return mode_nat;
	case forward_tun: return mode_tun;
	default: return svc->mode;
	}
}

static void
tell(struct sample *s, uint32_t id, struct watched *w)
{
	const struct conns_ops *ops = &s->c->ops;
	struct snapshot *snap = index_snapshot(s->index);
	const struct server *srv = snapshot_find(snap, KIND_server, id);
	const struct service *svc =
	    srv != NULL ? snapshot_find(snap, KIND_service, srv->vip) : NULL;
	char vip[ADDR_TEXT], path[160], who[300], text[HINT_TEXT];
	unsigned forward;

	if (svc == NULL)
		return;
	forward = forward_of(svc, srv);
	if (w->now.half > w->half_before && ops->half_open != NULL)
		ops->half_open(ops->arg, id, w->now.half - w->half_before);
	w->half_before = w->now.half;
	if (!hint_decide(&w->hint, &w->now, forward, mono_now()))
		return;
	addr_format(&svc->address, ADDR_HOST, vip);
	(void)snprintf(who, sizeof(who), "%s (%.100s)", snapshot_path(snap, KIND_server, id, path),
	    srv->address.text);
	hint_text(text, who, vip, &w->now, forward);
	if (ops->hint != NULL)
		ops->hint(ops->arg, id, w->hint.what, w->hint.what == FINDING_none ? NULL : text);
}

static void
end_walk(struct sample *s)
{
	walk_free(s->walk);
	s->walk = NULL;
	index_unref(s->index);
	s->index = NULL;
}

static void
on_more(void *arg)
{
	struct sample *s = arg;
	struct watched *w;
	uint32_t at = 0, id;
	dur_t rest;
	int code;

	must_obj(s, SAMPLE_MAGIC);
	if (!walk_ended(s->walk, &code))
		return;
	while (code == 0 && (w = idmap_next(&s->servers, &at, &id)) != NULL)
		tell(s, id, w);
	rest = walk_cost(s->walk) * SAMPLE_SHARE;
	end_walk(s);
	loop_timer_set(&s->timer, rest > SAMPLE_LEAST ? rest : SAMPLE_LEAST);
}

static void
on_timer(void *arg)
{
	struct sample *s = arg;
	const struct walk_want want = { .kinds = WALK_CONNECTIONS };
	const struct walk_ops ops = { .more = on_more, .each = on_row, .arg = s };
	struct watched *w;
	uint32_t at = 0;

	must_obj(s, SAMPLE_MAGIC);
	if (s->walk != NULL || !s->wanted || conns_index(s->c) == NULL)
		return;
	while ((w = idmap_next(&s->servers, &at, NULL)) != NULL)
		w->now = (struct hint_sample){ 0 };
	s->index = index_ref(conns_index(s->c));
	s->walk = walk_new(s->c->walks, s->index, &want, &ops);
}

/* Servers that stay keep their hint; those that went take it with them. */
static void
take_servers(struct sample *s, const struct snapshot *now)
{
	struct idmap old = s->servers;
	struct watched *w;
	uint32_t n = snapshot_count(now, KIND_server), at = 0;

	s->servers = (struct idmap){ 0 };
	for (uint32_t i = 0; i < n; i++) {
		const struct server *srv = snapshot_at(now, KIND_server, i);
		const struct service *svc = snapshot_find(now, KIND_service, srv->vip);

		if (svc == NULL || service_layer(svc) != 4)
			continue;
		w = idmap_take(&old, srv->id);
		if (w == NULL)
			w = mem_alloc(sizeof(*w));
		idmap_put(&s->servers, srv->id, w);
		s->wanted = true;
	}
	while ((w = idmap_next(&old, &at, NULL)) != NULL)
		free(w);
	idmap_fini(&old);
}

void
sample_apply(struct sample *s, const struct snapshot *now)
{
	const struct setting *set = snapshot_setting(now);

	must_obj(s, SAMPLE_MAGIC);
	if (s->walk != NULL) /* it counts in what is about to change */
		end_walk(s);
	s->wanted = false;
	take_servers(s, now);
	s->times.established =
	    set->tcp_timeout >= 1000 ? set->tcp_timeout / 1000 : KERNEL_ESTABLISHED_S;
	s->times.half_open = KERNEL_HALF_OPEN_S;
	s->times.least = set->syn_defense ? DEFENSE_HALF_OPEN_S + 1 : 0;
	loop_timer_set(&s->timer, SAMPLE_LEAST);
}

struct sample *
sample_new(struct loop *l, struct conns *c)
{
	struct sample *s = mem_alloc(sizeof(*s));

	s->magic = SAMPLE_MAGIC;
	s->c = c;
	loop_timer_init(&s->timer, l, on_timer, s);
	return s;
}

void
sample_free(struct sample *s)
{
	struct watched *w;
	uint32_t at = 0;

	if (s == NULL)
		return;
	must_obj(s, SAMPLE_MAGIC);
	end_walk(s);
	loop_timer_fini(&s->timer);
	while ((w = idmap_next(&s->servers, &at, NULL)) != NULL)
		free(w);
	idmap_fini(&s->servers);
	s->magic = 0;
	free(s);
}
