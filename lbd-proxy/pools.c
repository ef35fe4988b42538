/* Services that content rules lead to. A pool is a service like any to the workers, but all of them must know it, also when its own clients
 * are one worker's alone; and it is told to them before the rules that name it, so that no request meets a pool that is not
 * there yet. */
#include "pools.h"

#include "base/mem.h"
#include "base/must.h"

#include "net/letters.h"
#include "rules/rules.h"

/* NULL: it is not served. */
static struct svc *
pool_of(struct control *k, const struct snapshot *now, const struct content_rule *r)
{
	const struct service *row = snapshot_find(now, KIND_service, r->pool);
	struct ctl_service *c;

	if (!control_serves(row))
		return NULL;
	c = control_service(k, row);
	if (c->owner >= 0 && !c->pooled)
		for (unsigned i = 0; c->view != NULL && i < k->px.n; i++)
			if (c->owner != (int)i)
				must(worker_post(
					 k->px.w[i], letter_view, view_ref(c->view), NULL) == 0);
	c->pooled = true;
	return c->svc;
}

struct rules *
pools_rules(struct control *k, const struct snapshot *now, const struct ctl_service *c,
    const struct service *row)
{
	uint32_t n;
	const void *const *rows = snapshot_children(now, KIND_content_rule, row->id, &n);
	struct svc **pools;
	struct rules *x;

	if (n == 0)
		return NULL;
	pools = mem_alloc(n * sizeof(struct svc *));
	for (uint32_t i = 0; i < n; i++)
		pools[i] = pool_of(k, now, rows[i]);
	x = rules_new(row, rows, n, pools, c->view != NULL ? c->view->rules : NULL);
	free(pools);
	return x;
}

bool
pools_leads(const struct snapshot *now, uint32_t service)
{
	uint32_t n;

	(void)snapshot_children(now, KIND_content_rule, service, &n);
	return n > 0;
}

void
pools_each_leading(const struct snapshot *now, uint32_t service,
    void (*fn)(void *arg, uint32_t leading), void *arg)
{
	for (uint32_t i = 0; i < snapshot_count(now, KIND_content_rule); i++) {
		const struct content_rule *r = snapshot_at(now, KIND_content_rule, i);

		if (r->pool == service)
			fn(arg, r->vip);
	}
}
