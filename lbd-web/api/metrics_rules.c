/* Counts of content rules in /metrics. */
#include "live/follow.h"
#include "metrics_priv.h"
#include "web.h"

static void
each(struct scrape *x, struct buf *b, const struct service *s, bool unknown)
{
	const struct view *v = follow_view(x->w->follow);
	uint32_t n;
	const void *const *rows = snapshot_children(x->s, KIND_content_rule, s->id, &n);

	for (uint32_t i = 0; i < n; i++) {
		const struct content_rule *r = rows[i];
		const struct view_rule *now = view_rule(v, r->id);

		if (now == NULL || (unknown && r->pool_by[0] == '\0'))
			continue;
		buf_printf(b, "%s{vip=\"%s\",rule=\"%s\"} %llu\n", x->name, s->name, r->name,
		    (unsigned long long)(unknown ? now->unknown : now->held));
	}
}

void
metrics_rule_hits(struct scrape *x, struct buf *b, const void *object)
{
	each(x, b, object, false);
}

void
metrics_rule_unknown(struct scrape *x, struct buf *b, const void *object)
{
	each(x, b, object, true);
}
