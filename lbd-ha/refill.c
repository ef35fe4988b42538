/* refill.c - see refill.h; when to ask is refill_plan.c, the rest is passed on.
 *
 * lbd-ipvs is there while its CONNS_FOLLOW is: one that breaks off is noticed when something is passed on, and at the latest a
 * second later. */
#include "refill.h"

#include "refill_plan.h"
#include "whole.h"

#include "base/mem.h"

#include <string.h>

#define LOOK DUR_S(1)
#define SHOW DUR_MS(250) /* progress is shown so often */

struct refill {
	struct bus *bus;
	struct ha_role *role;
	struct peer_channel *k; /* NULL: down */
	struct refill_plan plan;
	struct bus_request follow;
	bool followed;	 /* follow is, or was, lbd-ipvs */
	unsigned groups; /* that have services of layer 4, as bits */
	mono_t shown;
	struct loop_timer look;
};

/* ---- to whom ------------------------------------------------------------------------------------------------- */

static bool
is_followed(struct refill *r)
{
	if (r->followed && !bus_request_alive(&r->follow)) {
		r->followed = false;
		refill_plan_local(&r->plan, CONNS_AWAY);
	}
	return r->followed;
}

static void
to_local(struct refill *r, const struct msg_conns_letter *m)
{
	if (is_followed(r))
		(void)bus_reply(&r->follow, MSG_CONNS_LETTER, m);
}

static bool
to_peer(struct refill *r, const struct msg_conns_letter *m)
{
	return r->k != NULL && peer_channel_send(r->k, MSG_PEER_CONNS, m) == 0;
}

/* ---- what to do ---------------------------------------------------------------------------------------------- */

static bool
peer_holds(const struct shared_is *is, unsigned g)
{
	uint8_t role = is->group[g].peer_role;

	return is->alive && (role == FSM_ACTIVE || role == FSM_LEAVING);
}

static unsigned
held(const struct refill *r, bool *sole_out)
{
	struct shared_is is;
	unsigned bits = 0;

	role_is(r->role, &is);
	*sole_out = r->groups != 0;
	for (unsigned g = 0; g < SHARED_GROUPS; g++) {
		if (is.group[g].hold)
			bits |= 1u << g;
		if ((r->groups >> g & 1) != 0 && (!is.group[g].hold || peer_holds(&is, g)))
			*sole_out = false;
	}
	return bits;
}

static void
show(struct refill *r)
{
	char why[WHOLE_TEXT];
	mono_t now = mono_now();

	if (!refill_plan_why(&r->plan, why, sizeof(why))) {
		role_whole(r->role, WHOLE_CONNS, NULL);
		return;
	}
	if (r->plan.stage == REFILL_TAKES && now - r->shown < SHOW)
		return;
	r->shown = now;
	role_whole(r->role, WHOLE_CONNS, why);
}

static void
go_on(struct refill *r)
{
	mono_t at, now = mono_now();
	bool sole;
	unsigned bits = held(r, &sole);
	struct msg_conns_letter m = { .what = LETTER_ASK, .count = bits };

	(void)is_followed(r);
	refill_plan_needed(&r->plan, (r->groups & ~bits) != 0, sole);
	if (refill_plan_ask(&r->plan, now, &at)) {
		m.job = r->plan.job;
		if (!to_peer(r, &m))
			(void)refill_plan_refused(&r->plan, m.job, "the channel is full", now);
	}
	show(r);
	loop_timer_set(&r->look, at != 0 && at - now < LOOK ? at - now : LOOK);
}

static void
on_look(void *arg)
{
	go_on(arg);
}

/* ---- letters --------------------------------------------------------------------------------------------------- */

static void
refuse(struct refill *r, uint32_t job)
{
	const struct msg_conns_letter m = { .what = LETTER_CANNOT,
		.job = job,
		.text = SPAN("lbd-ipvs of the other node is away") };

	(void)to_peer(r, &m);
}

static void
on_refused(struct refill *r, const struct msg_conns_letter *m)
{
	char why[100];

	span_text(m->text, why, sizeof(why));
	if (refill_plan_refused(&r->plan, m->job, why, mono_now()))
		go_on(r);
}

void
refill_from_peer(struct refill *r, const struct msg_conns_letter *m)
{
	switch (m->what) {
	case LETTER_ASK:
		if (is_followed(r))
			to_local(r, m);
		else
			refuse(r, m->job);
		return;
	case LETTER_TAKEN:
	case LETTER_STOP: to_local(r, m); return;
	case LETTER_GIVE:
	case LETTER_END:
		if (refill_plan_taken(&r->plan, m->job, 0, mono_now()))
			to_local(r, m);
		return;
	case LETTER_CANNOT: on_refused(r, m); return;
	default: return; /* a word of a newer build */
	}
}

static void
on_given_fails(struct refill *r, const struct msg_conns_letter *m)
{
	const struct msg_conns_letter stop = { .what = LETTER_STOP, .job = m->job };

	if (m->what == LETTER_GIVE || m->what == LETTER_END) {
		to_local(r, &stop);
		return;
	}
}

static void
from_local(struct refill *r, const struct msg_conns_letter *m)
{
	const struct msg_conns_letter stop = { .what = LETTER_STOP, .job = m->job };

	switch (m->what) {
	case LETTER_STATE:
		refill_plan_local(
		    &r->plan, m->count <= CONNS_OFF ? (enum conns_state)m->count : CONNS_WAITS);
		go_on(r);
		return;
	case LETTER_TAKEN:
		if (refill_plan_taken(&r->plan, m->job, m->count, mono_now())) {
			(void)to_peer(r, m);
			show(r);
		}
		return;
	case LETTER_HERE:
		if (refill_plan_here(&r->plan, m->job))
			go_on(r);
		return;
	case LETTER_FAILED:
		(void)to_peer(r, &stop);
		on_refused(r, m);
		return;
	case LETTER_GIVE:
	case LETTER_END:
	case LETTER_CANNOT:
		if (!to_peer(r, m))
			on_given_fails(r, m);
		return;
	default: return;
	}
}

void
refill_on_letter(struct refill *r, const struct bus_request *rq, const struct msg_conns_letter *m)
{
	from_local(r, m);
	bus_result(rq, 0, NULL);
}

void
refill_on_follow(struct refill *r, const struct bus_request *rq)
{
	if (is_followed(r))
		bus_result(&r->follow, ERR_CONFLICT, "another lbd-ipvs follows");
	r->follow = *rq;
	r->followed = true;
	refill_plan_local(&r->plan, CONNS_AWAY);
	refill_plan_local(&r->plan, CONNS_WAITS);
	go_on(r);
}

/* ---- ------------------------------------------------------------------------------------------------------------ */

void
refill_up(struct refill *r, struct peer_channel *k)
{
	r->k = k;
	refill_plan_up(&r->plan, false); /* another one than before */
	refill_plan_up(&r->plan, true);
	go_on(r);
}

void
refill_down(struct refill *r)
{
	const struct msg_conns_letter stop = { .what = LETTER_STOP };

	r->k = NULL;
	refill_plan_up(&r->plan, false);
	to_local(r, &stop);
	go_on(r);
}

void
refill_apply(struct refill *r, const struct snapshot *s)
{
	uint32_t n = snapshot_count(s, KIND_service);

	r->groups = 0;
	for (uint32_t i = 0; i < n; i++) {
		const struct service *svc = snapshot_at(s, KIND_service, i);

		if (svc->enabled && service_layer(svc) == 4)
			r->groups |= 1u << (svc->group - 1);
	}
	go_on(r);
}

void
refill_roles(struct refill *r)
{
	go_on(r);
}

struct refill *
refill_new(struct loop *l, struct bus *b, struct ha_role *role)
{
	struct refill *r = mem_alloc(sizeof(*r));

	*r = (struct refill){ .bus = b, .role = role };
	loop_timer_init(&r->look, l, on_look, r);
	return r;
}

void
refill_free(struct refill *r)
{
	if (r == NULL)
		return;
	if (is_followed(r))
		bus_result(&r->follow, ERR_AWAY, "lbd-ha ends");
	loop_timer_fini(&r->look);
	free(r);
}
