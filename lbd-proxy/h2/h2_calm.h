/* h2_calm.h - how much a client may ask that is of no use to it; pure. Requests that it resets (CVE-2023-44487) or that are malformed,
 * and frames that bring nothing forward, fill a bucket each, which empties with time and with what is done in earnest. */
#ifndef H2_CALM_H
#define H2_CALM_H

#include "base/mono.h"

#include <stdbool.h>

#define H2_RESETS_MAX 200 /* at once, beyond those that answered requests made up for */
#define H2_RESETS_A_SECOND 10
#define H2_NOISE_MAX 1000 /* PING, SETTINGS, PRIORITY, WINDOW_UPDATE, empty DATA */
#define H2_NOISE_A_SECOND 100
#define H2_NOISE_EARNED \
	4 /* for each frame of data in either direction: its windows have to be opened */
#define H2_EARNEST 1024 /* bytes of DATA to the client that count as such */

struct h2_calm {
	mono_t since;
	uint32_t resets, noise;
};

/* now: of the call; since is set by the first. h2_calm_reset, h2_calm_noise: false when it is too much. */
bool h2_calm_reset(struct h2_calm *c, mono_t now);
bool h2_calm_noise(struct h2_calm *c, mono_t now);
void h2_calm_answered(struct h2_calm *c);
void h2_calm_earned(struct h2_calm *c);

#endif
