/* refill_plan.h - when this node asks the other for its connections of layer 4, and how that stands. Pure. */
#ifndef HA_REFILL_PLAN_H
#define HA_REFILL_PLAN_H

#include "base/mono.h"
#include "msg/conns_letter.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum refill_stage {
	REFILL_IDLE,
	REFILL_ASKED,
	REFILL_TAKES,
	REFILL_HERE,
	REFILL_REFUSED, /* why says what the matter was; asked again soon */
};
#define REFILL_AGAIN DUR_S(1)  /* after a refusal */
#define REFILL_STALL DUR_S(10) /* no word from the other: asked again */

struct refill_plan {   /* { 0 } knows nothing */
	bool up;       /* the channel */
	bool needed;   /* there are services of layer 4 whose addresses are not here */
	uint8_t local; /* enum conns_state */
	uint8_t stage; /* enum refill_stage */
	uint32_t job;  /* the last one */
	uint64_t taken;
	mono_t at; /* of the last progress */
	char why[120];
};

void refill_plan_up(struct refill_plan *p, bool up);
void refill_plan_local(struct refill_plan *p, enum conns_state s);
/* refill_plan_needed - sole: everything is held here, and nobody else says so of himself: then nothing is missing later, when
 * it was given away, either: both kernels tell each other what is new. */
void refill_plan_needed(struct refill_plan *p, bool needed, bool sole);
/* refill_plan_ask - true: ask now, under p->job (another number). deadline_out: look again then; 0: when told. */
bool refill_plan_ask(struct refill_plan *p, mono_t now, mono_t *deadline_out);
/* What became of a job; of another than the present one it is passed over (false). */
bool refill_plan_taken(struct refill_plan *p, uint32_t job, uint64_t entries, mono_t now);
bool refill_plan_here(struct refill_plan *p, uint32_t job);
bool refill_plan_refused(struct refill_plan *p, uint32_t job, const char *why, mono_t now);
/* refill_plan_why - what is missing, in words; false: nothing, or it is not for this part to say. */
bool refill_plan_why(const struct refill_plan *p, char *out, size_t room);

#endif
