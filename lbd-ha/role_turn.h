/* role_turn.h - one change of the role in a group, as hooks are told of it. Pure. */
#ifndef HA_TURN_H
#define HA_TURN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TURN_LINE 200 /* of a line, with its end */
#define TURN_VARS 8   /* variables */
#define TURN_VAR 160  /* of one */
#define TURN_TIME 40  /* an instant */

/* What the roles are to those outside: a node that listens after its start is nothing yet. */
enum turn_state { TURN_NONE, TURN_ACTIVE, TURN_PASSIVE, TURN_FAULT };

struct role_turn {
	uint8_t group;	     /* 1 or 2 */
	uint8_t was, now;    /* enum fsm_role */
	uint64_t generation; /* the highest that this node knows of */
	const char *cause;   /* a sentence; it stays */
	int64_t at_ms;	     /* since 1970 */
};

/* turn_time - "2026-11-21T13:00:00.123Z"; ms since 1970. */
void turn_time(int64_t ms, char out[TURN_TIME]);
/* turn_line - "2026-11-21T13:00:00.123Z 1 passive active 12 the peer is silent on every carrier", and a line end. */
size_t turn_line(const struct role_turn *e, char out[TURN_LINE]);
/* turn_lost - the line that stands for n events that nobody was told of: the words lost and n. */
size_t turn_lost(uint64_t n, char out[TURN_LINE]);
/* turn_vars - "LBD_NEW=active" and others; the rest of out is "". lost: what the program was not told before. */
void turn_vars(const struct role_turn *e, uint64_t lost, char out[TURN_VARS][TURN_VAR]);
enum turn_state turn_state(uint8_t role);
/* turn_is_for - whether a row of the configuration (enum notify_on, its group or 0) asks for it. */
bool turn_is_for(const struct role_turn *e, uint8_t on, unsigned group);

#endif
