/* Counters of services and servers: those of all workers together, which go on counting meanwhile.
 *
 * A flush only remembers what to take off of totals (base), and sets peaks back. To base come, below zero, the totals of
 * processes that were before this one, and their peaks as they are (upgrade/tally.c). Rates are measured by the control thread. */
#include "runtime.h"

#include "base/mem.h"

static void
collect(uint64_t *sum, const uint64_t *of, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		sum[i] += __atomic_load_n(&of[i], __ATOMIC_RELAXED);
}

static void
less(const struct counter *rows, uint64_t *sum, const uint64_t *base, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (rows[i].kind == COUNTER_TOTAL)
			sum[i] -= base[i];
		else if (rows[i].kind == COUNTER_PEAK && base[i] > sum[i])
			sum[i] = base[i];
}

static void
forget_peaks(const struct counter *rows, uint64_t *of, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (rows[i].kind == COUNTER_PEAK)
			__atomic_store_n(&of[i], 0, __ATOMIC_RELAXED);
}

static void
raise(uint64_t *peak, uint64_t now)
{
	if (now > *peak)
		*peak = now;
}

static void
svc_raw(const struct svc *s, struct service_counters *out)
{
	*out = (struct service_counters){ 0 };
	for (unsigned i = 0; i < s->workers; i++)
		counters_add(service_counters, service_counters_n, out, &s->of[i].n);
}

static struct server_counters *
of_worker(const struct srv *s, unsigned worker)
{
	return atomic_load_explicit(&s->of[worker].n, memory_order_acquire);
}

static void
srv_raw(const struct srv *s, struct server_counters *out)
{
	*out = (struct server_counters){ 0 };
	for (unsigned i = 0; i < s->workers; i++) {
		const struct server_counters *n = of_worker(s, i);

		if (n != NULL)
			counters_add(server_counters, server_counters_n, out, n);
	}
}

void
svc_counts(const struct svc *s, struct service_counters *out)
{
	svc_raw(s, out);
	out->conns_rate_peak = s->new_conns.peak;
	out->requests_rate_peak = s->requests.peak;
	less(service_counters, (uint64_t *)out, (const uint64_t *)&s->base, service_counters_n);
	out->conns = atomic_load_explicit(&s->conns, memory_order_relaxed);
	out->queue = atomic_load_explicit(&s->waiting, memory_order_relaxed);
	out->conns_rate = s->new_conns.rate;
	out->requests_rate = s->requests.rate;
	raise(&out->conns_peak, out->conns); /* those that were there at a flush */
	raise(&out->queue_peak, out->queue);
}

void
srv_counts(const struct srv *s, struct server_counters *out)
{
	srv_raw(s, out);
	out->requests_rate_peak = s->requests.peak;
	out->last_request = (uint64_t)s->last_request;
	less(server_counters, (uint64_t *)out, (const uint64_t *)&s->base, server_counters_n);
	out->conns = atomic_load_explicit(&s->conns, memory_order_relaxed);
	out->queue = atomic_load_explicit(&s->waiting, memory_order_relaxed);
	out->requests_rate = s->requests.rate;
	raise(&out->conns_peak, out->conns);
	raise(&out->queue_peak, out->queue);
}

void
svc_pace(struct svc *s, mono_t now)
{
	uint64_t conns = 0, requests = 0;

	for (unsigned i = 0; i < s->workers; i++) {
		conns += __atomic_load_n(&s->of[i].n.conns_total, __ATOMIC_RELAXED);
		requests += __atomic_load_n(&s->of[i].n.requests_total, __ATOMIC_RELAXED);
	}
	pace_look(&s->new_conns, conns, now);
	pace_look(&s->requests, requests, now);
}

void
srv_pace(struct srv *s, mono_t now, int64_t now_s)
{
	uint64_t requests = 0;

	for (unsigned i = 0; i < s->workers; i++) {
		const struct server_counters *n = of_worker(s, i);

		if (n != NULL)
			requests += __atomic_load_n(&n->requests_total, __ATOMIC_RELAXED);
	}
	if (requests != s->requests.total)
		s->last_request = now_s;
	pace_look(&s->requests, requests, now);
}

static void
phases_raw(const struct svc *s, struct phases *out)
{
	*out = (struct phases){ 0 };
	for (unsigned i = 0; i < s->workers; i++) {
		const struct phases *p =
		    atomic_load_explicit(&s->of[i].phases, memory_order_acquire);

		if (p != NULL)
			collect((uint64_t *)out, (const uint64_t *)p, PHASES_NUMBERS);
	}
}

void
svc_phases(const struct svc *s, struct phases *out)
{
	phases_raw(s, out);
	for (unsigned i = 0; s->base_phases != NULL && i < PHASES_NUMBERS; i++)
		((uint64_t *)out)[i] -= ((const uint64_t *)s->base_phases)[i];
}

void
svc_flush(struct svc *s, int64_t now_s)
{
	svc_raw(s, &s->base);
	if (s->base_phases == NULL)
		s->base_phases = mem_alloc(sizeof(*s->base_phases));
	phases_raw(s, s->base_phases);
	s->since = now_s;
	forget_peaks(service_counters, (uint64_t *)&s->base, service_counters_n);
	for (unsigned i = 0; i < s->workers; i++)
		forget_peaks(service_counters, (uint64_t *)&s->of[i].n, service_counters_n);
	s->new_conns.peak = s->requests.peak = 0;
}

void
srv_flush(struct srv *s)
{
	srv_raw(s, &s->base);
	forget_peaks(server_counters, (uint64_t *)&s->base, server_counters_n);
	for (unsigned i = 0; i < s->workers; i++) {
		struct server_counters *n = of_worker(s, i);

		if (n != NULL)
			forget_peaks(server_counters, (uint64_t *)n, server_counters_n);
	}
	s->requests.peak = 0;
	s->last_request = 0;
}
