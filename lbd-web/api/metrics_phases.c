/* Histograms of /metrics: how long the phases of requests took. */
#include "live/follow.h"
#include "metrics_priv.h"
#include "msg/phases.h"
#include "web.h"

/* Buckets in seconds, each with those below it. */
void
metrics_phases(struct scrape *x, struct buf *b, const void *object)
{
	const struct service *s = object;
	const struct view_service *v = view_service(follow_view(x->w->follow), s->id);

	for (unsigned p = 0; v != NULL && v->phases != NULL && p < PHASES_N; p++) {
		const struct phase_counts *c = &v->phases->of[p];
		uint64_t n = 0;

		for (unsigned i = 0; i < PHASE_BUCKETS - 1; i++) {
			n += c->count[i];
			buf_printf(b, "%s_bucket{vip=\"%s\",phase=\"%s\",le=\"%.9g\"} %llu\n",
			    x->name, s->name, phase_names[p],
			    (double)((uint64_t)PHASE_LEAST_US << i) / 1e6, (unsigned long long)n);
		}
		n += c->count[PHASE_BUCKETS - 1];
		buf_printf(b,
		    "%s_bucket{vip=\"%s\",phase=\"%s\",le=\"+Inf\"} %llu\n"
		    "%s_sum{vip=\"%s\",phase=\"%s\"} %.6f\n%s_count{vip=\"%s\",phase=\"%s\"} %llu\n",
		    x->name, s->name, phase_names[p], (unsigned long long)n, x->name, s->name,
		    phase_names[p], (double)c->sum_us / 1e6, x->name, s->name, phase_names[p],
		    (unsigned long long)n);
	}
}
