/* role_order.c - what people and other programs say: who is to be active, and that this process ends.
 *
 * An order is given to the core with a number, and is over when the core says so; the node that is active gives, the other
 * one takes, so that "failover" means the same on both. */
#include "role_priv.h"

#include "witness/keyfile.h"

#include "base/mem.h"
#include "sys/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define ORDER_LIMIT DUR_S(5)

void
role_end_order(struct ha_role *r, int code, const char *text)
{
	if (!r->waits)
		return;
	r->waits = false;
	loop_timer_cancel(&r->limit);
	if (bus_request_alive(&r->asked))
		bus_result(&r->asked, code, text);
}

void
role_look_at_order(struct ha_role *r, const struct shared_is *is)
{
	if (!r->waits)
		return;
	for (unsigned g = 0; g < SHARED_GROUPS; g++)
		if ((r->ordered >> g & 1) != 0 && is->group[g].order_done != r->order)
			return;
	role_end_order(r, 0, "");
}

void
role_order_is_late(void *arg)
{
	role_end_order(arg, -ETIMEDOUT,
	    "the other node has not taken over: it is away, not fit, or cannot be heard; lbctl ha status tells");
}

/* What is held here goes there; only when nothing is, what is there comes here. */
static unsigned
wanted_order(const struct ha_role *r, const struct shared_is *is, unsigned g, unsigned asked)
{
	if ((asked != 0 && asked != g + 1) || role_addresses(r, g) == 0)
		return FSM_NONE;
	if (is->group[g].hold)
		return FSM_GIVE;
	return asked == 0 && (is->group[0].hold || is->group[1].hold) ? FSM_NONE : FSM_TAKE;
}

void
role_order(struct ha_role *r, const struct bus_request *rq, const struct msg_ha_order *m)
{
	struct shared_is is;
	char why[200];

	if (role_is_outside(r)) {
		bus_result(rq, ERR_CONFLICT,
		    "another program decides who is active (setting ha_roles): let that one do it");
		return;
	}
	if (r->core == NULL || !r->paired) {
		bus_result(rq, ERR_CONFLICT,
		    r->core == NULL
			? "this node is not one of a pair: there is no other to be active"
			: "this node is not one of a pair: virtual routers move by priority (lbctl set vrrp NAME "
			  "priority=...)");
		return;
	}
	if (r->waits) {
		bus_result(rq, ERR_CONFLICT, "another order is under way");
		return;
	}
	core_link_is(r->core, &is);
	if (!is.alive && role_active(r)) {
		bus_result(rq, ERR_CONFLICT, "the other node is silent: it cannot take over");
		return;
	}
	span_text(m->why, why, sizeof(why));
	if (m->group == 0)
		log_info("failover by order%s%s", why[0] != '\0' ? ": " : "", why);
	else
		log_info(
		    "failover of group %u by order%s%s", m->group, why[0] != '\0' ? ": " : "", why);
	r->order++;
	r->ordered = 0;
	for (unsigned g = 0; g < SHARED_GROUPS; g++) {
		unsigned word = wanted_order(r, &is, g, m->group);

		if (word == FSM_NONE)
			continue;
		r->ordered |= 1u << g;
		atomic_store(&core_link_say(r->core)->order[g], r->order << 4 | word);
	}
	if (r->ordered == 0) {
		bus_result(rq, ERR_CONFLICT,
		    m->group == 1   ? "group 1 has no addresses that could change sides"
		    : m->group == 2 ? "group 2 has no addresses that could change sides"
				    : "there are no addresses that could change sides");
		return;
	}
	r->asked = *rq;
	r->waits = true;
	loop_timer_set(&r->limit, ORDER_LIMIT);
	core_link_poke(r->core);
}

static void
say_outside(struct ha_role *r, unsigned g, uint8_t role, const char *why)
{
	const struct role_turn t = {
		.group = (uint8_t)(g + 1),
		.was = r->outside.since[g] != 0 ? r->outside.role[g] : FSM_INIT,
		.now = role,
		.cause = "another program decided it",
		.at_ms = mono_wall_ms(),
	};

	if (!outside_say(&r->outside, g, role) && t.was != FSM_INIT)
		return;
	r->changes[g] += turn_state(t.was) != turn_state(t.now);
	log_info("group %u: %s: %s%s%s", g + 1, fsm_role_word[role], t.cause,
	    why[0] != '\0' ? ": " : "", why);
	notify_tell(r->notify, &t);
}

void
role_told(struct ha_role *r, const struct bus_request *rq, const struct msg_ha_told *m)
{
	char word[20], why[200];
	uint8_t role;

	span_text(m->role, word, sizeof(word));
	span_text(m->why, why, sizeof(why));
	if (!role_is_outside(r)) {
		bus_result(rq, ERR_CONFLICT,
		    "setting ha_roles is own: lbd-ha decides who is active; lbctl ha failover changes it");
		return;
	}
	if (!outside_role(word, &role) || m->group > SHARED_GROUPS) {
		bus_result(
		    rq, ERR_INVALID, "role: allowed are active, passive and fault; group: 1 and 2");
		return;
	}
	for (unsigned g = 0; g < SHARED_GROUPS; g++) {
		if (m->group != 0 && m->group != g + 1)
			continue;
		if (outside_is_late(&r->outside, g, m->began))
			log_info(
			    "group %u: %s: it was said later than what came after it", g + 1, word);
		else
			say_outside(r, g, role, why);
	}
	role_look_at_routes(r);
	r->ops.changed(r->ops.arg);
	bus_result(rq, 0, "");
}

void
role_leave(struct ha_role *r, void (*done)(void *arg), void *arg)
{
	r->left = r->core != NULL;
	if (r->core == NULL)
		loop_defer(r->loop, done, arg);
	else
		core_link_leave(r->core, done, arg);
}
