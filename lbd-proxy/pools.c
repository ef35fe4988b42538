/* Services that content rules lead to. A pool is a service like any to the workers, but all of them must know it, also when its own clients
 * are one worker's alone; and it is told to them before the rules that name it, so that no request meets a pool that is not
 * there yet. */
#include "pools.h"

#include "base/mem.h"
#include "base/must.h"

#include "lists/lists.h"
#include "net/letters.h"
#include "rules/rules.h"

#include <stdlib.h>
#include <string.h>

/* To all workers. */
static struct svc *
made_known(struct control *k, const struct service *row)
{
	struct ctl_service *c = control_service(k, row);

	if (c->owner >= 0 && !c->pooled)
		for (unsigned i = 0; c->view != NULL && i < k->px.n; i++)
			if (c->owner != (int)i)
				must(worker_post(
					 k->px.w[i], letter_view, view_ref(c->view), NULL) == 0);
	c->pooled = true;
	return c->svc;
}

static struct rules_pool
pool_of(struct control *k, const struct snapshot *now, const struct content_rule *r)
{
	const struct service *row = snapshot_find(now, KIND_service, r->pool);

	if (!control_serves(row))
		return (struct rules_pool){ NULL, row == NULL ? NULL : row->name };
	return (struct rules_pool){ made_known(k, row), row->name };
}

struct svc *
pools_mirror(struct control *k, const struct snapshot *now, const struct service *row)
{
	const struct service *to;

	if (row->mirror == NULL || row->mirror[0] == '\0' || row->mirror_share == 0)
		return NULL;
	to = snapshot_find_path(now, KIND_service, row->mirror);
	return control_serves(to) ? made_known(k, to) : NULL;
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(((const struct rules_pool *)a)->name, ((const struct rules_pool *)b)->name);
}

static bool
names_pools(const void *const *rows, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		const struct content_rule *r = rows[i];

		if (r->enabled && r->pool_by[0] != '\0')
			return true;
	}
	return false;
}

/* Pools that rules of this service may name: those without address, which all workers know anyway. */
static struct rules_pool *
named(struct control *k, const struct snapshot *now, const struct service *of, uint32_t *n_out)
{
	uint32_t all = snapshot_count(now, KIND_service);
	struct rules_pool *out = mem_alloc((all + 1) * sizeof(*out));

	*n_out = 0;
	for (uint32_t i = 0; i < all; i++) {
		const struct service *row = snapshot_at(now, KIND_service, i);

		if (row != of && row->address.family == 0 && row->mode == of->mode &&
		    control_serves(row))
			out[(*n_out)++] =
			    (struct rules_pool){ control_service(k, row)->svc, row->name };
	}
	qsort(out, *n_out, sizeof(*out), by_name);
	return out;
}

struct rules *
pools_rules(struct control *k, const struct snapshot *now, const struct ctl_service *c,
    const struct service *row)
{
	uint32_t n;
	const void *const *rows = snapshot_children(now, KIND_content_rule, row->id, &n);
	struct rules_pool *pools;
	struct rules_env env = {
		.lists = k->lists, .lists_now = lists_now(k->lists), .svc = c->svc
	};
	struct rules_pool *by = NULL;
	struct rules *x;

	if (n == 0)
		return NULL;
	if (names_pools(rows, n))
		env.named = by = named(k, now, row, &env.named_n);
	pools = mem_alloc(n * sizeof(*pools));
	for (uint32_t i = 0; i < n; i++)
		pools[i] = pool_of(k, now, rows[i]);
	x = rules_new(row, rows, n, pools, &env, c->view != NULL ? c->view->rules : NULL);
	free(pools);
	free(by);
	return x;
}

bool
pools_leads(const struct snapshot *now, uint32_t service)
{
	const struct service *row = snapshot_find(now, KIND_service, service);
	uint32_t n;

	(void)snapshot_children(now, KIND_content_rule, service, &n);
	return n > 0 || (row != NULL && row->mirror[0] != '\0');
}

void
pools_each_mirroring(const struct snapshot *now, const char *pool,
    void (*fn)(void *arg, uint32_t mirroring), void *arg)
{
	for (uint32_t i = 0; i < snapshot_count(now, KIND_service); i++) {
		const struct service *s = snapshot_at(now, KIND_service, i);

		if (s->mirror[0] != '\0' && strcmp(s->mirror, pool) == 0)
			fn(arg, s->id);
	}
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

void
pools_each_naming(const struct snapshot *now, void (*fn)(void *arg, uint32_t naming), void *arg)
{
	for (uint32_t i = 0; i < snapshot_count(now, KIND_content_rule); i++) {
		const struct content_rule *r = snapshot_at(now, KIND_content_rule, i);

		if (r->pool_by[0] != '\0')
			fn(arg, r->vip);
	}
}
