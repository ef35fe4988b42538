/* core_act.c - a decision carried out: addresses on and off the interfaces, prolonged, announced; and told.
 *
 * Nothing is done at the start until the state machine has left INIT: a core that was started again soon enough finds the
 * addresses still there and goes on with them. */
#include "core/core_priv.h"

#include <string.h>

/* Prolonged in one turn: heartbeats do not wait for thousands. */
#define FEW \
	50 /* what the core's share of the deadline class is enough for, with a pause after it */
#define FEW_PAUSE DUR_MS(5)
#define MANY 500 /* more would not be done in time that way: 200 a turn, in real-time priority */
#define MANY_TURN 200

#define ALL(c, g, i)                                \
	for (uint32_t i = 0; i < (c)->want->n; i++) \
		if ((c)->want->a[i].group == (g))

/* From *at on, at most `most`: then it is done, or goes on at the next turn. */
static void
put_some(struct core *c, unsigned set, uint32_t *at, mono_t *renew, uint32_t most, mono_t now)
{
	uint32_t i = *at;

	if (most > FEW && c->want->n > FEW)
		core_sched_long(now);
	for (; i < c->want->n && most > 0; i++) {
		if (c->want->a[i].group != set)
			continue;
		atomic_store_explicit(&c->sh->error[c->number & 1][i], 0, memory_order_relaxed);
		(void)lease_put(&c->lease, &c->want->a[i], i);
		most--;
	}
	(void)lease_flush(&c->lease);
	*at = i < c->want->n ? i : 0;
	*renew = *at != 0 ? now : now + LEASE_RENEW;
}

void
core_put(struct core *c, unsigned set, uint32_t *at, mono_t *renew, mono_t now)
{
	*at = 0;
	put_some(c, set, at, renew, SHARED_ADDRS, now);
}

void
core_renew(struct core *c, unsigned set, uint32_t *at, mono_t *renew, mono_t now)
{
	bool many = c->want->n > MANY;

	put_some(c, set, at, renew, many ? MANY_TURN : FEW, now);
	if (!many && *at != 0)
		*renew = now + FEW_PAUSE;
}

void
core_drop(struct core *c, unsigned set)
{
	announce_cancel(&c->announce, set);
	if (c->want->n > FEW)
		core_sched_long(mono_now());
	ALL(c, set, i)
	(void)lease_drop(&c->lease, &c->want->a[i], i);
	(void)lease_flush(&c->lease);
}

bool
core_holds(const struct core *c, unsigned set)
{
	return set < SHARED_GROUPS ? c->g[set].held : c->router[set - SHARED_GROUPS].held;
}

static void
drop_group(struct core *c, unsigned group)
{
	c->g[group].linger = 0;
	core_face_raise(c, group, false);
	core_drop(c, group);
}

void
core_drop_all(struct core *c)
{
	for (unsigned g = 0; c->want != NULL && g < SHARED_GROUPS; g++)
		drop_group(c, g);
}

static void
count_turn(struct core *c, uint8_t why, mono_t now)
{
	if (why != FSM_WHY_PEER_DEAD && why != FSM_WHY_LOST && why != FSM_WHY_ISOLATED)
		return;
	memmove(c->turns + 1, c->turns, sizeof(c->turns) - sizeof(c->turns[0]));
	c->turns[0] = now;
}

void
core_damp(struct core *c, mono_t now)
{
	unsigned recent = 0;

	for (unsigned i = 0; i < sizeof(c->turns) / sizeof(c->turns[0]); i++)
		recent += c->turns[i] != 0 && now - c->turns[i] < DUR_S(60);
	/* The first one is an ordinary failure. */
	c->damp = recent <= 1 ? 1 : recent >= 4 ? CARRIER_DAMP : 1u << (recent - 1);
}

static void
tell_change(struct core *c, unsigned group, mono_t now)
{
	const struct fsm *f = &c->g[group].fsm;
	const struct shared_event e = {
		.group = (uint8_t)group,
		.was = c->g[group].told,
		.role = f->role,
		.why = f->why,
		.generation = f->generation,
		.at = now,
	};

	c->g[group].told = f->role;
	shared_note(c->sh, &e);
	c->urgent = true;
}

/* One late frame is nobody's news: it comes and goes with the load of either machine. */
static bool
is_news(const struct core *c, unsigned group, mono_t now)
{
	uint8_t role = c->g[group].fsm.role;

	return role != c->g[group].told &&
	       (role != FSM_SUSPECT || !carriers_alive(&c->pulse.set, now, c->damp));
}

/* What was handed over stays for a moment more: what is under way here, from clients that have not heard of the other
 * node yet and answers to them, still gets through. The other node announces itself meanwhile, and again at its end. */
static void
let_go(struct core *c, unsigned group, mono_t now)
{
	struct core_group *g = &c->g[group];

	/* Two with one hardware address would take each other's frames. */
	if (!g->held || g->fsm.why != FSM_WHY_PEER_HAS || core_face_has_mac(c, group)) {
		drop_group(c, group);
		return;
	}
	announce_cancel(&c->announce, group);
	g->linger = now + LINGER;
}

void
core_group_act(struct core *c, unsigned group, mono_t now)
{
	struct core_group *g = &c->g[group];
	const struct fsm_out *o = &g->out;

	if (o->changed)
		count_turn(c, g->fsm.why, now);
	if (is_news(c, group, now))
		tell_change(c, group, now);
	if (g->fsm.role == FSM_INIT)
		return;
	if (o->hold && !g->held) {
		core_face_raise(c, group, true);
		/* A take-over: nobody waits for half of it. */
		core_put(c, group, &g->at, &g->renew, now);
	} else if (o->hold && now >= g->renew) {
		core_renew(c, group, &g->at, &g->renew, now);
	}
	if (o->hold)
		g->linger = 0;
	else if (g->held || !g->applied)
		let_go(c, group, now);
	else if (g->linger != 0 && now >= g->linger)
		drop_group(c, group);
	c->urgent = c->urgent || g->held != o->hold;
	g->held = o->hold;
	g->applied = true;
	if (o->hold && o->announce)
		announce_order(&c->announce, c->want, group, now);
	if (o->done && g->order != g->order_done)
		g->order_done = g->order;
}
