/* outside.h - roles that another program decides (setting ha_roles outside), as it said last. */
#ifndef HA_OUTSIDE_H
#define HA_OUTSIDE_H

#include "core/shared.h"

#include "sys/paths.h"

struct outside {
	char path[300];
	uint8_t role
	    [SHARED_GROUPS]; /* FSM_PASSIVE until somebody said something, FSM_ACTIVE, FSM_FAULT */
	int64_t since[SHARED_GROUPS];  /* seconds since 1970; 0: nobody has said anything */
	uint64_t began[SHARED_GROUPS]; /* of the program that said it last; 0: not known */
};

/* outside_read - what was said before this process was started; none after a start of the machine. */
void outside_read(struct outside *o, const struct paths *p);
/* outside_say - group 0 or 1. True: it is another role than before. What cannot be written down is logged: a start of
 * this process would not know of it. */
bool outside_say(struct outside *o, unsigned group, uint8_t role);
/* outside_is_late - a program that was started then says it, and one that was started later has said something: the words of two
 * changes came in the wrong order. Remembers when, if not. began 0: never late. */
bool outside_is_late(struct outside *o, unsigned group, uint64_t began);
/* outside_role - the word of lbctl ha role as a role; false: it is none. */
bool outside_role(const char *word, uint8_t *role);

#endif
