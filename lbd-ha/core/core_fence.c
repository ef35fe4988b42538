/* core_fence.c - the wish that the other node be switched off, told to the side (../fence.c), and that it was.
 *
 * A wish has a number, so that what was done for an earlier one is not taken for it. It ends when the other node is
 * heard, when nobody wants it any more, or FENCE_GOOD after it was carried out: by then this node has taken over, or the
 * other one may be on again. */
#include "core/core_priv.h"

#define FENCE_GOOD DUR_S(5) /* less than a machine needs to start */

bool
core_is_fenced(const struct core *c, mono_t now)
{
	return c->fenced_at != 0 && now - c->fenced_at < FENCE_GOOD &&
	       !carriers_alive(&c->pulse.set, now, c->damp);
}

void
core_fence_turn(struct core *c, bool wanted, mono_t now)
{
	uint32_t number = (uint32_t)(now / 1000) | 1;

	if (carriers_alive(&c->pulse.set, now, c->damp) ||
	    (c->fenced_at != 0 ? now - c->fenced_at >= FENCE_GOOD : !wanted))
		c->fence = 0;
	if (c->fence == 0)
		c->fenced_at = 0;
	else if (c->fenced_at == 0 && atomic_load(&c->sh->say.fenced) == c->fence)
		c->fenced_at = now;
	if (c->fence == 0 && wanted)
		c->fence = number != atomic_load(&c->sh->say.fenced) ? number : number + 2;
}
