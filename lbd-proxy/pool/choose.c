/* Which server takes a seat.
 *
 * First the picture: an item for each server with the weight it has now, 0 when it takes no part. For a plain service
 * that is one look at each. A service with a panic threshold, backup servers, a slow start, elastic limits (min_conns) or zones
 * is looked at once more, in this order: panic brings in those that are not fit; backup servers leave while any other
 * takes part; who came back lately has part of its weight; limits follow the load; who is in
 * another zone leaves while one of the node's own has room. Then the scheduler chooses: balance.c
 * by the servers alone, spread.c by a key. A request without the key is balanced by turns. */
#include "choose.h"

#include "latency.h"
#include "net/worker.h"

bool
choose_tried(const struct seat *s, uint32_t id)
{
	unsigned i;

	for (i = 0; i < s->tries; i++)
		if (s->tried[i] == id)
			return true;
	return false;
}

/* Would take part if it was fit. */
static bool
wanted(const struct view_server *at)
{
	return at->fresh && at->share > 0 && at->addr.family != 0;
}

bool
choose_another(const struct seat *s)
{
	const struct view *v = s->svc->view;
	bool last =
	    v->fallback && atomic_load_explicit(&s->svc->svc->no_quorum, memory_order_relaxed);

	for (uint32_t i = last ? v->n - 1 : 0; i < v->n; i++) {
		const struct view_server *at = &v->at[i];
		bool takes = wanted(at) || (v->fallback && i == v->n - 1);

		if (takes && choose_fit(at) && at->srv != s->srv->srv && choose_untried(s, at))
			return true;
	}
	return false;
}

/* ---- the second look --------------------------------------------------------------------- */

bool
choose_panic(uint32_t fit, uint32_t all, unsigned pct, bool spare)
{
	return (fit > 0 || !spare) && (uint64_t)fit * 100 < (uint64_t)all * pct;
}

static void
panic(struct seat *s, uint32_t n)
{
	const struct view *v = s->svc->view;
	uint32_t fit = 0, all = 0;
	bool spare = false;

	for (uint32_t i = 0; i < n; i++) {
		const struct view_server *at = &v->at[i];

		if (!wanted(at))
			continue;
		if (at->backup)
			spare = spare || choose_fit(at);
		else {
			all++;
			fit += choose_fit(at);
		}
	}
	if (!choose_panic(fit, all, v->panic, spare))
		return;
	for (uint32_t i = 0; i < n; i++)
		if (wanted(&v->at[i]) && !v->at[i].backup && choose_untried(s, &v->at[i]))
			s->svc->item[i].weight = v->at[i].share;
}

static void
rest_backups(struct wsvc *svc, uint32_t n)
{
	const struct view *v = svc->view;
	bool others = false;

	for (uint32_t i = 0; i < n && !others; i++)
		others = !v->at[i].backup && svc->item[i].weight > 0;
	for (uint32_t i = 0; i < n && others; i++)
		if (v->at[i].backup)
			svc->item[i].weight = 0;
}

uint32_t
choose_ramp(uint32_t weight, dur_t slow, dur_t since)
{
	uint64_t w;

	if (weight == 0 || since >= slow)
		return weight;
	w = since <= 0 ? 0 : (uint64_t)weight * (uint64_t)since / (uint64_t)slow;
	return w == 0 ? 1 : (uint32_t)w;
}

static void
ramp(struct wsvc *svc, uint32_t n)
{
	const struct view *v = svc->view;

	for (uint32_t i = 0; i < n; i++) {
		mono_t up = atomic_load_explicit(&v->at[i].srv->up, memory_order_relaxed);

		if (up != 0)
			svc->item[i].weight =
			    choose_ramp(svc->item[i].weight, v->slow, svc->w->now - up);
	}
}

uint32_t
choose_elastic(uint32_t least, uint32_t most, uint64_t load, uint64_t full)
{
	uint64_t limit;

	if (least == 0 || most == 0 || load >= full)
		return most;
	limit = most * load / full;
	return limit < least ? least : (uint32_t)limit;
}

/* What the service has to do: requests at its servers, those that wait, and this one, which may be among these. */
static uint64_t
load_of(const struct seat *s)
{
	const struct view *v = s->svc->view;
	uint64_t load = atomic_load_explicit(&s->svc->svc->waiting, memory_order_relaxed);

	load += list_empty(&s->link);

	for (uint32_t i = 0; i < v->n; i++)
		load += atomic_load_explicit(&v->at[i].srv->conns, memory_order_relaxed);
	return load;
}

uint32_t
choose_limit(const struct seat *s, uint32_t i)
{
	const struct view *v = s->svc->view;

	if (!v->elastic)
		return v->at[i].max_conns;
	return choose_elastic(v->at[i].min_conns, v->at[i].max_conns, load_of(s), v->full);
}

static void
limits(const struct seat *s, uint32_t n)
{
	const struct view *v = s->svc->view;
	uint64_t load = load_of(s);

	for (uint32_t i = 0; i < n; i++)
		s->svc->item[i].limit =
		    choose_elastic(v->at[i].min_conns, v->at[i].max_conns, load, v->full);
}

/* Servers of other zones, while one of the node's own has room. */
static void
rest_far(struct wsvc *svc, uint32_t n)
{
	const struct view *v = svc->view;
	bool near = false;

	for (uint32_t i = 0; i < n && !near; i++) {
		const struct balance_item *it = &svc->item[i];

		near =
		    !v->at[i].far && it->weight > 0 && (it->limit == 0 || it->active < it->limit);
	}
	for (uint32_t i = 0; i < n && near; i++)
		if (v->at[i].far)
			svc->item[i].weight = 0;
}

static void
shape(struct seat *s, uint32_t n)
{
	struct wsvc *svc = s->svc;
	const struct view *v = svc->view;

	if (v->panic > 0)
		panic(s, n);
	if (v->backups)
		rest_backups(svc, n);
	if (v->slow > 0)
		ramp(svc, n);
	if (v->elastic)
		limits(s, n);
	if (v->far)
		rest_far(svc, n);
}

/* ---- the choice -------------------------------------------------------------------------- */

static int64_t
by_time(struct wsvc *svc, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		svc->item[i].latency = latency_now(
		    atomic_load_explicit(&svc->view->at[i].srv->latency, memory_order_relaxed),
		    svc->w->now);
	return balance_least_time(svc->item, n);
}

static int64_t
by_lot(struct wsvc *svc, uint32_t n)
{
	svc->random += UINT64_C(0x9e3779b97f4a7c15);
	return balance_twos(svc->item, n, spread_mix(svc->random));
}

int64_t
choose_other(struct seat *s, uint32_t n)
{
	struct wsvc *svc = s->svc;
	const struct view *v = svc->view;

	if (v->shaped)
		shape(s, n);
	if (v->hashes && s->hashed && v->spread != NULL)
		return spread_pick(v->spread, svc->item, n, s->hash, v->balance_factor);
	switch (v->scheduler) {
	case scheduler_twos: return by_lot(svc, n);
	case scheduler_first: return balance_first(svc->item, n);
	case scheduler_least_time: return by_time(svc, n);
	default: return balance_pick(svc->item, n, v->scheduler);
	}
}
