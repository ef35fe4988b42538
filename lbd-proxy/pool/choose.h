/* choose.h - which server of a view a seat goes to: who takes part, with what weight and limit, and the scheduler's choice. */
#ifndef LBD_PROXY_CHOOSE_H
#define LBD_PROXY_CHOOSE_H

#include "backend.h"
#include "store/state.h"

/* choose_other - after the first look, when the service is not plain.
 * choose_limit - the most that server i may have now; 0 is no limit. */
int64_t choose_other(struct seat *s, uint32_t n);
uint32_t choose_limit(const struct seat *s, uint32_t i);
bool choose_tried(const struct seat *s, uint32_t id);
/* choose_another - whether a server that was not tried yet, and is not the seat's own, would take it. */
bool choose_another(const struct seat *s);

/* Fit unless lbd-check says that it is down; without a verdict as its check's assume says. */
static inline bool
choose_fit(const struct view_server *at)
{
	unsigned verdict = atomic_load_explicit(&at->srv->verdict, memory_order_relaxed);

	return at->addr.family != 0 && verdict != VERDICT_DOWN &&
	       (!at->proven || verdict == VERDICT_UP);
}

static inline bool
choose_untried(const struct seat *s, const struct view_server *at)
{
	return s->tries == 0 || !choose_tried(s, at->srv->id);
}

/* choose_server - among the first n servers of the seat's view: index, BALANCE_NONE or BALANCE_FULL. Here because most
 * services need no more than this. */
static inline int64_t
choose_server(struct seat *s, uint32_t n)
{
	struct wsvc *svc = s->svc;
	const struct view *v = svc->view;

	for (uint32_t i = 0; i < n; i++) {
		const struct view_server *at = &v->at[i];
		bool takes = at->fresh && choose_fit(at) && choose_untried(s, at);

		svc->item[i].weight = takes ? at->share : 0;
		svc->item[i].active = atomic_load_explicit(&at->srv->conns, memory_order_relaxed);
	}
	return v->plain ? balance_pick(svc->item, n, v->scheduler) : choose_other(s, n);
}

/* The pure parts.
 *
 * choose_ramp - share of its weight that a server has, so long after it came back: at least 1, all of it after slow.
 * choose_elastic - limit of a server by the load of its service: most * load / full, between least and most.
 * choose_panic - whether all take part because too few are fit. spare: fit backup servers that take it when none is. */
uint32_t choose_ramp(uint32_t weight, dur_t slow, dur_t since);
uint32_t choose_elastic(uint32_t least, uint32_t most, uint64_t load, uint64_t full);
bool choose_panic(uint32_t fit, uint32_t all, unsigned pct, bool spare);

#endif
