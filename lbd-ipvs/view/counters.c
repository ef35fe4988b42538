/* counters.c - the kernel's counters in the rows of counters.def.
 *
 * The kernel counts; its table is read every second or so (apply/reconcile.h), and this looks at what was read. A
 * service of two address families is two in the kernel and one here. What the kernel does not count (requests,
 * answers) stays 0, and zeros do not travel.
 *
 * Counters outlive the daemon, not the entry: a server that was taken out and comes back counts from zero when the
 * kernel has forgotten it meanwhile. */
#include "view/view.h"

#include "base/mem.h"
#include "msg/counters.h"

#include <string.h>

struct counters_answer {
	struct view_source v;
	uint32_t *id, n, at; /* services */
	uint32_t next;	     /* row within the service: itself, then its servers */
	uint32_t most, rows;
};

/* One service, summed up. */
struct sums {
	struct service_counters service;
	struct server_counters *server;
	uint32_t *id, n;
};

static uint32_t
position(uint32_t id, uint32_t n, const uint32_t *ids)
{
	uint32_t lo = 0, hi = n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (ids[mid] < id)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

void
view_add(const struct ipvs_service *k, struct service_counters *sum, uint32_t n,
    const uint32_t *ids, struct server_counters *servers)
{
	const struct ipvs_dest *d;
	uint32_t at;

	sum->conns_total += k->counts.conns;
	sum->packets_in += k->counts.packets_in;
	sum->packets_out += k->counts.packets_out;
	sum->bytes_in += k->counts.bytes_in;
	sum->bytes_out += k->counts.bytes_out;
	for (uint32_t i = 0; i < k->n; i++) {
		d = &k->dest[i];
		sum->conns += d->active;
		sum->inactive += d->inactive;
		sum->persist_entries += d->persistent;
		at = position(d->server, n, ids);
		if (d->server == 0 || at == n || ids[at] != d->server)
			continue;
		servers[at].conns += d->active;
		servers[at].inactive += d->inactive;
		servers[at].persistent += d->persistent;
		servers[at].conns_total += d->counts.conns;
		servers[at].packets_in += d->counts.packets_in;
		servers[at].packets_out += d->counts.packets_out;
		servers[at].bytes_in += d->counts.bytes_in;
		servers[at].bytes_out += d->counts.bytes_out;
	}
}

static void
sum_up(const struct view_source *v, const struct service_state *st, struct sums *out)
{
	const struct ipvs_table *have = reconcile_have(v->kernel, NULL);
	const void *const *rows =
	    snapshot_children(daemon_snapshot(v->d), KIND_server, st->id, &out->n);
	const struct ipvs_service *k;

	out->service = (struct service_counters){ 0 };
	out->id = mem_alloc((out->n + 1) * sizeof(*out->id));
	out->server = mem_alloc((out->n + 1) * sizeof(*out->server));
	for (uint32_t i = 0; i < out->n; i++) {
		out->id[i] = ((const struct server *)rows[i])->id;
		out->server[i].cut = conns_cut_total(v->conns, out->id[i]);
	}
	for (unsigned i = 0; i < st->keys; i++) {
		k = have != NULL ? table_find(have, &st->key[i]) : NULL;
		if (k != NULL)
			view_add(k, &out->service, out->n, out->id, out->server);
	}
}

static bool
put(const struct bus_request *rq, bool server, uint32_t id, int64_t since, const void *values)
{
	struct msg_counts m = { .id = id, .since = since };
	struct buf b = { 0 };
	bool more;

	if (server)
		counters_put(server_counters, server_counters_n, values, &b);
	else
		counters_put(service_counters, service_counters_n, values, &b);
	m.values = (struct span){ b.p != NULL ? b.p : (const uint8_t *)"", b.len };
	more = bus_reply(rq, server ? MSG_SERVER_COUNTS : MSG_SERVICE_COUNTS, &m);
	buf_fini(&b);
	return more;
}

/* Rows of one service, from the next on; true: that was the last of them. */
static bool
put_service(struct counters_answer *a, const struct service_state *st, const struct bus_request *rq,
    bool *more)
{
	struct sums sums;
	bool last;

	sum_up(&a->v, st, &sums);
	for (unsigned i = 0; *more && i < VIEW_STEP && a->next <= sums.n; i++) {
		uint32_t row = a->next++;

		if (row == 0)
			*more = put(rq, false, st->id, st->since, &sums.service);
		else
			*more = put(rq, true, sums.id[row - 1], st->since, &sums.server[row - 1]);
		a->rows++;
	}
	last = a->next > sums.n;
	free(sums.id);
	free(sums.server);
	return last;
}

static bool
step(void *state, const struct bus_request *rq)
{
	struct counters_answer *a = state;
	uint32_t before = a->rows;
	bool more = true;

	while (more && a->at < a->n && a->rows - before < VIEW_STEP) {
		const struct service_state *st = services_find(a->v.services, a->id[a->at]);

		if (a->most != 0 && a->rows >= a->most)
			return true;
		if (st != NULL && !put_service(a, st, rq, &more))
			continue;
		a->at++;
		a->next = 0;
	}
	return a->at == a->n;
}

static void
fini(void *state)
{
	struct counters_answer *a = state;

	free(a->id);
	free(a);
}

void
view_counters(const struct view_source *v, const struct bus_request *rq, const struct msg_select *m)
{
	const struct snapshot *s = daemon_snapshot(v->d);
	struct counters_answer *a = mem_alloc(sizeof(*a));
	uint32_t n = snapshot_count(s, KIND_service);

	a->v = *v;
	a->most = m->most;
	a->id = mem_alloc((n + 1) * sizeof(*a->id));
	for (uint32_t i = 0; i < n; i++) {
		const struct service *svc = snapshot_at(s, KIND_service, i);

		if (service_layer(svc) == 4 && (m->service == 0 || m->service == svc->id))
			a->id[a->n++] = svc->id;
	}
	bus_pump(rq, step, fini, a);
}
