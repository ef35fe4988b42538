/* rate_window.h - how much came within the last while. Pure.
 *
 * Two stretches of the window's length are counted, this one and the one before; what the window sees of the one before is
 * taken as spread evenly over it. So nothing is kept per event, and the answer is exact for a steady rate. */
#ifndef LBD_PROXY_RATE_WINDOW_H
#define LBD_PROXY_RATE_WINDOW_H

#include "base/mono.h"

struct rate_window {
	mono_t begin; /* of this stretch */
	uint64_t now, before;
};

/* rate_window_add - n more at an instant; window is the length of both stretches, above 0. An instant before the last one is taken
 * as the last one. */
void rate_window_add(struct rate_window *w, mono_t at, dur_t window, uint64_t n);
/* rate_window_get - within window before the instant. */
uint64_t rate_window_get(const struct rate_window *w, mono_t at, dur_t window);

#endif
