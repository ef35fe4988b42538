/* A rate is what came between two looks, per second and rounded; never more than came. */
#include "pace.h"

void
pace_look(struct pace *p, uint64_t total, mono_t now)
{
	dur_t passed = now - p->at;

	if (passed < PACE_EACH - PACE_EACH / 10)
		return;
	if (passed < DUR_S(1))
		passed = DUR_S(1);
	p->rate =
	    ((total - p->total) * (uint64_t)DUR_S(1) + (uint64_t)passed / 2) / (uint64_t)passed;
	if (p->rate > p->peak)
		p->peak = p->rate;
	p->total = total;
	p->at = now;
}
