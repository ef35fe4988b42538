/* Two leaky buckets that leak once a second at most, so that a turn of the loop costs a comparison. */
#include "h2_calm.h"

static void
take(uint32_t *level, uint64_t n)
{
	*level = n >= *level ? 0 : *level - (uint32_t)n;
}

static void
leak(struct h2_calm *c, mono_t now)
{
	uint64_t seconds;

	if (c->since == 0)
		c->since = now;
	if (now - c->since < DUR_S(1))
		return;
	seconds = (uint64_t)(now - c->since) / DUR_S(1);
	take(&c->resets, seconds * H2_RESETS_A_SECOND);
	take(&c->noise, seconds * H2_NOISE_A_SECOND);
	c->since += (mono_t)seconds * DUR_S(1);
}

bool
h2_calm_reset(struct h2_calm *c, mono_t now)
{
	leak(c, now);
	return ++c->resets <= H2_RESETS_MAX;
}

bool
h2_calm_noise(struct h2_calm *c, mono_t now)
{
	leak(c, now);
	return ++c->noise <= H2_NOISE_MAX;
}

void
h2_calm_answered(struct h2_calm *c)
{
	take(&c->resets, 1);
}

void
h2_calm_earned(struct h2_calm *c)
{
	take(&c->noise, H2_NOISE_EARNED);
}
