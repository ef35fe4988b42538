/* What lbd-proxy counted of content rules, by their ids. */
#include "msg/view_priv.h"

#include "base/buf.h"
#include "base/mem.h"

#include <inttypes.h>
#include <stdlib.h>

const struct view_rule *
view_rule(const struct view *v, uint32_t id)
{
	return idmap_get(&v->rules, id);
}

void
view_on_rules(struct view *v, const struct msg_rule_is *m)
{
	struct rd r = { m->counts.p, m->counts.len, false };

	while (r.left > 0) {
		uint32_t id = (uint32_t)rd_be(&r, 4);
		struct view_rule n, *at;

		n.held = rd_be(&r, 8);
		n.unknown = rd_be(&r, 8);
		if (r.bad || v->snap == NULL)
			return;
		if (id == 0 || snapshot_find(v->snap, KIND_content_rule, id) == NULL)
			continue;
		at = idmap_get(&v->rules, id);
		if (at == NULL) {
			at = mem_alloc(sizeof(*at));
			idmap_put(&v->rules, id, at);
		}
		*at = n;
	}
}

/* Those of rows that stay. */
void
view_rules_use(struct view *v)
{
	struct idmap stay = { 0 };
	uint32_t at = 0, id;
	void *p;

	while ((p = idmap_next(&v->rules, &at, &id)) != NULL) {
		if (v->snap != NULL && snapshot_find(v->snap, KIND_content_rule, id) != NULL)
			idmap_put(&stay, id, p);
		else
			free(p);
	}
	idmap_fini(&v->rules);
	v->rules = stay;
}

void
view_rules_free(struct view *v)
{
	uint32_t at = 0;
	void *p;

	while ((p = idmap_next(&v->rules, &at, NULL)) != NULL)
		free(p);
	idmap_fini(&v->rules);
}

void
view_json_rule(struct buf *out, const struct view *v, uint32_t id)
{
	const struct view_rule *r = view_rule(v, id);

	if (r == NULL)
		buf_puts(out, "{\"hits\":null,\"unknown_pools\":null}");
	else
		buf_printf(out, "{\"hits\":%" PRIu64 ",\"unknown_pools\":%" PRIu64 "}", r->held,
		    r->unknown);
}
