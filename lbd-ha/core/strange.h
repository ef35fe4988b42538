/* strange.h - heartbeats that are not of this pair, and what they tell: who else is here. Pure. */
#ifndef HA_STRANGE_H
#define HA_STRANGE_H

#include "core/beat.h"
#include "core/carrier.h"

enum strange_kind {
	STRANGE_OTHER, /* another pair's: it has a number of its own, so nothing is mixed up */
	STRANGE_SAME, /* our number, and not made with our secret: a second pair of that number, or a forger */
	STRANGES
};
struct strange {
	uint64_t frames;  /* heard so far */
	mono_t at;	  /* the newest; 0: none */
	struct addr from; /* its sender; family 0: of a serial line */
	uint64_t cluster;
};

/* strange_note - a frame that does not count (f) and why. One that is ours, sent back by a loop in the network, is none
 * of both kinds: its seal is right. */
void strange_note(struct strange s[STRANGES], enum beat_fault f, const struct seal *seal,
    const struct carrier_in *in);

#endif
