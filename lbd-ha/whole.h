/* whole.h - whether what the other node has is here too, so that this one may take over without loss: part by part, and how long
 * each is waited for. Pure. */
#ifndef HA_WHOLE_H
#define HA_WHOLE_H

#include "base/mono.h"

#include <stdbool.h>

enum whole_part {
	WHOLE_CHANNEL,	/* the other node can be asked at all */
	WHOLE_CONFIG,	/* revisions */
	WHOLE_PERSIST,	/* persistence of layer 7 */
	WHOLE_CONNS,	/* connections and persistence of layer 4 */
	WHOLE_VERDICTS, /* lbd-check's word on every server */
	WHOLE_PARTS
};
#define WHOLE_TEXT 160
#define WHOLE_WAIT DUR_S(30) /* a part that may be given up: so long without progress */

struct whole { /* { 0 }: nothing is missing */
	struct {
		bool missing;
		mono_t since; /* when it last made progress */
		char why[WHOLE_TEXT];
	} part[WHOLE_PARTS];
};

/* whole_set - why a part is missing, or NULL: it is here. Another text than before is progress. true: something changed. */
bool whole_set(struct whole *w, enum whole_part p, const char *why, mono_t now);
/* whole_meet - the other node is there from now on: what is missing is waited for from now. */
void whole_meet(struct whole *w, mono_t now);
/* whole_is - nothing is missing that is still waited for. Configuration and persistence are waited for without end: what would
 * take over without them serves something else. deadline_out: when the answer changes by itself; 0 never. */
bool whole_is(const struct whole *w, mono_t now, mono_t *deadline_out);
/* whole_why - what is missing and still waited for, with commas; "": nothing. */
void whole_why(const struct whole *w, mono_t now, char out[WHOLE_TEXT]);
/* whole_is_given_up - missing, and not waited for any more. */
bool whole_is_given_up(const struct whole *w, enum whole_part p, mono_t now);

#endif
