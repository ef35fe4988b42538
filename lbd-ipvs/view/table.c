/* table.c - the kernel's table as rows: every service before its servers, ours and those that others made.
 *
 * A long answer goes on over many turns of the loop, and the table is read anew meanwhile: where it stands is kept as
 * the key of a service, so nothing that stays is left out or shown twice. */
#include "view/view.h"

#include "base/mem.h"

#include <linux/ip_vs.h>
#include <string.h>

struct table_answer {
	struct reconcile *kernel;
	uint32_t only, most, rows;
	bool begun;
	struct ipvs_key key; /* of the service that is being shown */
	uint32_t shown;	     /* its rows so far: itself and servers */
};

static bool
put_service(const struct bus_request *rq, const struct ipvs_service *s)
{
	char key[KEY_TEXT], scheduler[KEY_TEXT];
	struct msg_kernel_row m = { .service = s->service };

	key_format(&s->key, key);
	scheduler_format(s, scheduler);
	m.key = SPAN(key);
	m.scheduler = SPAN(scheduler);
	m.persist = (s->flags & IP_VS_SVC_F_PERSISTENT) != 0 ? s->timeout_s : 0;
	return bus_reply(rq, MSG_KERNEL_ROW, &m);
}

static bool
put_dest(const struct bus_request *rq, const struct ipvs_service *s, const struct ipvs_dest *d)
{
	char key[KEY_TEXT], forward[KEY_TEXT];
	struct msg_kernel_row m = { .service = s->service,
		.server = d->server,
		.real = true,
		.weight = d->weight,
		.active = d->active,
		.inactive = d->inactive };

	dest_format(d, key);
	forward_format(d, forward);
	m.key = SPAN(key);
	m.forward = SPAN(forward);
	return bus_reply(rq, MSG_KERNEL_ROW, &m);
}

/* The first service that is not wholly shown. */
static uint32_t
resume(struct table_answer *a, const struct ipvs_table *t)
{
	uint32_t lo = 0, hi = t->n;

	if (!a->begun)
		return 0;
	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (key_compare(&t->service[mid].key, &a->key) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == t->n || key_compare(&t->service[lo].key, &a->key) != 0)
		return lo;
	return a->shown > t->service[lo].n ? lo + 1 : lo;
}

static bool
step(void *state, const struct bus_request *rq)
{
	struct table_answer *a = state;
	const struct ipvs_table *t = reconcile_have(a->kernel, NULL);
	uint32_t n = 0;
	bool more = true;

	if (t == NULL)
		return true;
	for (uint32_t i = resume(a, t); i < t->n; i++) {
		const struct ipvs_service *s = &t->service[i];

		if (a->only != 0 && s->service != a->only)
			continue;
		if (!a->begun || key_compare(&s->key, &a->key) != 0)
			a->shown = 0;
		a->begun = true;
		a->key = s->key;
		for (; a->shown <= s->n; a->shown++, a->rows++, n++) {
			if (a->most != 0 && a->rows >= a->most)
				return true;
			if (!more || n >= VIEW_STEP)
				return false;
			more = a->shown == 0 ? put_service(rq, s)
					     : put_dest(rq, s, &s->dest[a->shown - 1]);
		}
	}
	return true;
}

void
view_table(const struct view_source *v, const struct bus_request *rq, const struct msg_select *m)
{
	struct table_answer *a = mem_alloc(sizeof(*a));

	a->kernel = v->kernel;
	a->only = m->service;
	a->most = m->most;
	bus_pump(rq, step, free, a);
}
