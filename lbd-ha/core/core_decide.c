/* core_decide.c - what is known, put before the decision (fsm.c) for each group; what it asks of the network and the witness is
 * begun here, the rest is core_act.c's. */
#include "core/core_priv.h"
#include <string.h>

#define CORE_COMES_AGAIN DUR_MS(500) /* one that ended, by its side process */

uint32_t
core_health(const struct core *c, unsigned group)
{
	uint32_t pings = (uint32_t)__builtin_popcount(ping_reachable(&c->ping));

	/* Who sees more of the network first, then who has more fit services. */
	return pings << 24 | (atomic_load(&c->sh->say.health[group]) & 0xffffff);
}

static void
know_peer(const struct core *c, unsigned group, mono_t now, struct fsm_peer *out)
{
	const struct beat_group *b = &c->pulse.peer.group[group];
	const struct carrier_set *set = &c->pulse.set;

	*out = (struct fsm_peer){
		.known = c->pulse.peer_at != 0,
		.alive = carriers_alive(set, now, c->damp),
		.role = b->role < FSM_ROLES ? b->role : FSM_PASSIVE,
		.leaving = (b->flags & BEAT_LEAVING) != 0,
		.whole = (b->flags & BEAT_WHOLE) != 0,
		.fit = b->flags & BEAT_FAULT ? FSM_FAULTY
		       : b->flags & BEAT_FIT ? FSM_FIT
					     : FSM_UNFIT,
		.generation = b->generation,
		.merit = b->merit,
		.health = b->score,
		.priority = b->priority,
	};
	out->late = !out->alive || carriers_late(set, now, c->damp);
	for (unsigned i = 0; i < CARRIER_SET; i++) {
		const struct carrier *k = &set->c[i];
		mono_t at;

		if (!k->used || k->proof_at == 0)
			continue;
		/* On a slower carrier the other node waits for longer. */
		at = k->proof_at + c->want->carrier[i].agreed - c->want->group[group].dead;
		if (at > out->echoed)
			out->echoed = at;
		out->hears = out->hears || now - k->proof_at < k->conf.dead;
	}
}

bool
core_links_up(const struct core *c)
{
	for (unsigned i = 0; i < c->want->links; i++)
		if (!link_is_up(&c->link, c->want->link[i]))
			return false;
	return true;
}

static bool
has_addrs(const struct core *c, unsigned group)
{
	for (uint32_t i = 0; i < c->want->n; i++)
		if (c->want->a[i].group == group)
			return true;
	return false;
}

/* Nobody listens for heartbeats there, and has not for longer than a core takes to come again: what still answers is what
 * one that ended has left, for the rest of its lease. With one way only and nobody to ask, service goes first; who has a
 * second way or a witness wants never two that answer, and has the lease waited for. */
static bool
is_left_over(const struct core *c, mono_t now)
{
	const struct carrier_udp *only = NULL;
	unsigned n = 0;

	for (unsigned i = 0; i < CARRIER_SET; i++) {
		if (c->want->carrier[i].kind == SHARED_UNUSED)
			continue;
		n++;
		if (c->want->carrier[i].kind == SHARED_UDP && c->way[i].fault == 0)
			only = &c->way[i].udp;
	}
	return n == 1 && only != NULL && !c->want->group[0].witness &&
	       only->refused_at > c->pulse.peer_at && now - c->pulse.peer_at >= CORE_COMES_AGAIN;
}

static mono_t
newest_ping(const struct core *c)
{
	mono_t at = 0;

	for (unsigned i = 0; i < PING_TARGETS; i++) {
		const struct ping_target *t = &c->ping.target[i];

		if (t->conf.addr.family != 0 && t->answered_at != 0 && t->answered_at - t->rtt > at)
			at = t->answered_at - t->rtt; /* when it was asked */
	}
	return at;
}

static unsigned
order_of(struct core *c, unsigned group)
{
	unsigned word = atomic_load(&c->sh->say.order[group]);

	if (atomic_load(&c->sh->say.stop))
		return FSM_STOP;
	c->g[group].order = word >> 4;
	if ((word & 15) == FSM_NONE)
		c->g[group].order_done = word >> 4; /* an order for the other group only */
	return word >> 4 != c->g[group].order_done ? word & 15 : FSM_NONE;
}

static void
decide(struct core *c, unsigned group, mono_t now, bool stalled)
{
	struct core_group *g = &c->g[group];
	const struct witness_client *k = &g->witness;
	struct fsm_in in = {
		.now = now,
		.vips = has_addrs(c, group),
		.link = core_links_up(c),
		.fault = atomic_load(&c->sh->say.fault[group]),
		.whole = atomic_load(&c->sh->say.whole[group]),
		.stalled = stalled,
		.answered = probe_is_answered(&c->probe, group, now) && !is_left_over(c, now),
		.pings = (unsigned)__builtin_popcount(ping_reachable(&c->ping)),
		.ping_at = newest_ping(c),
		.fenced = core_is_fenced(c, now),
		.health = core_health(c, group),
		.order = (uint8_t)order_of(c, group),
	};

	know_peer(c, group, now, &in.peer);
	if (k->held_generation == (g->out.hold ? g->fsm.claim : g->fsm.generation + 1))
		in.grant_until = k->until;
	fsm_step(&g->fsm, &c->want->group[group], &in, &g->out);
	core_group_act(c, group, now);
}

void
core_decide(struct core *c, mono_t now, bool stalled)
{
	bool fence = false;
	unsigned asks = 0, seen = atomic_load(&c->sh->say.announce);
	dur_t every = DUR_MS(50);

	for (unsigned i = 0; i < SHARED_GROUPS; i++) {
		decide(c, i, now, stalled);
		fence = fence || c->g[i].out.fence;
		if (c->g[i].out.probe)
			asks |= 1u << i;
		if (seen != c->announce_seen && c->g[i].held)
			announce_order(&c->announce, c->want, i, now);
	}
	c->announce_seen = seen;
	for (unsigned i = 0; i < CARRIER_SET; i++)
		if (c->pulse.set.c[i].used && c->pulse.set.c[i].conf.interval < every)
			every = c->pulse.set.c[i].conf.interval;
	if (asks != 0) {
		ping_hurry(&c->ping, c->want->group[0].lease / 3);
		(void)probe_ask(&c->probe, c->want, asks, every, now);
	} else {
		probe_close(&c->probe, c->side, CORE_NEWS);
	}
	core_witness_turn(c, now);
	core_fence_turn(c, fence, now);
}
