/* pace.h - how fast a total rises: in the last second, and at most. Pure. It is looked at once a second, so the events themselves cost
 * nothing. */
#ifndef LBD_PROXY_PACE_H
#define LBD_PROXY_PACE_H

#include "base/mono.h"

#define PACE_EACH DUR_S(1)

struct pace {
	uint64_t total; /* when it was looked at last */
	mono_t at;	/* then; 0: never, and nothing rose before */
	uint64_t rate, peak;
};
/* pace_begin - a total that is 0 now. */
static inline void
pace_begin(struct pace *p, mono_t now)
{
	*p = (struct pace){ .at = now };
}
/* pace_look - the total now. When PACE_EACH is not over, but for a little, it waits for the next look. */
void pace_look(struct pace *p, uint64_t total, mono_t now);

#endif
