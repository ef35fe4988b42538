/* refill_plan.c - see refill_plan.h.
 *
 * A node lacks connections when it could not hear the other's kernel: before its lbd-ipvs had started the receiver, and while
 * the nodes were apart. So it asks each time that the channel comes up or lbd-ipvs is there anew, unless it holds everything
 * itself. */
#include "refill_plan.h"

#include <stdio.h>

void
refill_plan_up(struct refill_plan *p, bool up)
{
	if (p->up == up)
		return;
	p->up = up;
	p->stage = REFILL_IDLE;
	p->why[0] = '\0';
}

void
refill_plan_local(struct refill_plan *p, enum conns_state s)
{
	p->local = (uint8_t)s;
	/* One that waits for a change of the configuration has what it had. */
	if (s == CONNS_AWAY || s == CONNS_OFF || p->stage != REFILL_HERE)
		p->stage = REFILL_IDLE;
}

void
refill_plan_needed(struct refill_plan *p, bool needed, bool sole)
{
	p->needed = needed;
	if (sole)
		p->stage = REFILL_HERE;
}

static bool
can_ask(const struct refill_plan *p)
{
	return p->up && p->needed && p->local == CONNS_READY;
}

bool
refill_plan_ask(struct refill_plan *p, mono_t now, mono_t *deadline_out)
{
	dur_t wait = p->stage == REFILL_IDLE	  ? 0
		     : p->stage == REFILL_REFUSED ? REFILL_AGAIN
						  : REFILL_STALL;

	*deadline_out = 0;
	if (!can_ask(p) || p->stage == REFILL_HERE)
		return false;
	if (wait > 0 && now < p->at + wait) {
		*deadline_out = p->at + wait;
		return false;
	}
	p->stage = REFILL_ASKED;
	p->job++;
	p->job += p->job == 0;
	p->taken = 0;
	p->at = now;
	*deadline_out = now + REFILL_STALL;
	return true;
}

static bool
is_current(const struct refill_plan *p, uint32_t job)
{
	return job == p->job && (p->stage == REFILL_ASKED || p->stage == REFILL_TAKES);
}

bool
refill_plan_taken(struct refill_plan *p, uint32_t job, uint64_t entries, mono_t now)
{
	if (!is_current(p, job))
		return false;
	p->stage = REFILL_TAKES;
	p->why[0] = '\0';
	p->taken += entries;
	p->at = now;
	return true;
}

bool
refill_plan_here(struct refill_plan *p, uint32_t job)
{
	if (!is_current(p, job))
		return false;
	p->stage = REFILL_HERE;
	return true;
}

bool
refill_plan_refused(struct refill_plan *p, uint32_t job, const char *why, mono_t now)
{
	if (!is_current(p, job))
		return false;
	p->stage = REFILL_REFUSED;
	p->at = now;
	(void)snprintf(p->why, sizeof(p->why), "%s", why);
	return true;
}

bool
refill_plan_why(const struct refill_plan *p, char *out, size_t room)
{
	if (!p->up || !p->needed || p->stage == REFILL_HERE || p->local == CONNS_OFF)
		return false;
	if (p->local == CONNS_AWAY)
		(void)snprintf(out, room, "connections of layer 4: lbd-ipvs is away");
	else if (p->local == CONNS_WAITS)
		(void)snprintf(out, room, "connections of layer 4: lbd-ipvs is not ready");
	else if (p->stage == REFILL_TAKES)
		(void)snprintf(
		    out, room, "connections of layer 4: %llu so far", (unsigned long long)p->taken);
	else if (p->why[0] != '\0') /* also while it is asked for again */
		(void)snprintf(out, room, "connections of layer 4: %s", p->why);
	else
		(void)snprintf(out, room, "connections of layer 4: asked for");
	return true;
}
