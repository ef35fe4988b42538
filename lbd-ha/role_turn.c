/* role_turn.c - a change of the role put into words: a line for readers of the FIFO, variables for scripts. Pure.
 *
 * A line has fixed words in fixed places and the cause as its rest, so that `read time group old new generation cause` of
 * a shell takes it apart. */
#include "role_turn.h"

#include "core/fsm.h"

#include "schema/schema.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

static const char *const states[] = { "none", "active", "passive", "fault" };

void
turn_time(int64_t ms, char out[TURN_TIME])
{
	time_t seconds = (time_t)(ms / 1000);
	struct tm tm;
	size_t n;

	(void)gmtime_r(&seconds, &tm);
	n = strftime(out, TURN_TIME, "%Y-%m-%dT%H:%M:%S", &tm);
	(void)snprintf(out + n, TURN_TIME - n, ".%03dZ", (int)(ms % 1000));
}

static const char *
role(uint8_t r)
{
	return r < FSM_ROLES ? fsm_role_word[r] : "unknown";
}

static size_t
shown(int n)
{
	return n < 0 ? 0 : n < TURN_LINE ? (size_t)n : TURN_LINE - 1;
}

size_t
turn_line(const struct role_turn *e, char out[TURN_LINE])
{
	char at[TURN_TIME];

	turn_time(e->at_ms, at);
	return shown(snprintf(out, TURN_LINE, "%s %u %s %s %" PRIu64 " %.110s\n", at, e->group,
	    role(e->was), role(e->now), e->generation, e->cause));
}

size_t
turn_lost(uint64_t n, char out[TURN_LINE])
{
	return shown(snprintf(out, TURN_LINE, "lost %" PRIu64 "\n", n));
}

void
turn_vars(const struct role_turn *e, uint64_t lost, char out[TURN_VARS][TURN_VAR])
{
	char at[TURN_TIME];

	turn_time(e->at_ms, at);
	(void)snprintf(out[0], TURN_VAR, "LBD_TIME=%s", at);
	(void)snprintf(out[1], TURN_VAR, "LBD_GROUP=%u", e->group);
	(void)snprintf(out[2], TURN_VAR, "LBD_OLD=%s", role(e->was));
	(void)snprintf(out[3], TURN_VAR, "LBD_NEW=%s", role(e->now));
	(void)snprintf(out[4], TURN_VAR, "LBD_STATE=%s", states[turn_state(e->now)]);
	(void)snprintf(out[5], TURN_VAR, "LBD_GENERATION=%" PRIu64, e->generation);
	(void)snprintf(out[6], TURN_VAR, "LBD_CAUSE=%.140s", e->cause);
	(void)snprintf(out[7], TURN_VAR, "LBD_LOST=%" PRIu64, lost);
}

enum turn_state
turn_state(uint8_t r)
{
	switch (r) {
	case FSM_ACTIVE:
	case FSM_LEAVING: return TURN_ACTIVE;
	case FSM_PASSIVE:
	case FSM_SUSPECT: return TURN_PASSIVE;
	case FSM_FAULT: return TURN_FAULT;
	default: return TURN_NONE;
	}
}

bool
turn_is_for(const struct role_turn *e, uint8_t on, unsigned group)
{
	enum turn_state now = turn_state(e->now);

	if (group != 0 && group != e->group)
		return false;
	if (on == notify_on_any)
		return true;
	if (now == turn_state(e->was))
		return false;
	return (on == notify_on_active && now == TURN_ACTIVE) ||
	       (on == notify_on_passive && now == TURN_PASSIVE) ||
	       (on == notify_on_fault && now == TURN_FAULT);
}
