/* From a difference to the services that are compiled anew. */
#include "touched.h"

#include "pools.h"
#include "sorry.h"
#include "lists/lists.h"
#include "tls/tls_rows.h"

#include <string.h>

void
touched_one(struct touched *t, uint32_t service)
{
	if (service != 0)
		idmap_put(&t->ids, service, t);
}

/* Whoever is tested by this check. */
static void
users_of_check(struct touched *t, uint32_t check)
{
	for (uint32_t i = 0; i < snapshot_count(t->now, KIND_service); i++) {
		const struct service *s = snapshot_at(t->now, KIND_service, i);

		if (s->check == check)
			touched_one(t, s->id);
	}
	for (uint32_t i = 0; i < snapshot_count(t->now, KIND_server); i++) {
		const struct server *r = snapshot_at(t->now, KIND_server, i);

		if (r->check == check)
			touched_one(t, r->vip);
	}
}

/* Whoever speaks TLS: contexts that are as they were are found again. */
static void
users_of_tls(struct touched *t)
{
	for (uint32_t i = 0; i < snapshot_count(t->now, KIND_service); i++) {
		const struct service *s = snapshot_at(t->now, KIND_service, i);

		if (s->tls != 0 || s->server_tls != server_tls_off)
			touched_one(t, s->id);
	}
}

void
touched_all(struct touched *t)
{
	for (uint32_t i = 0; i < snapshot_count(t->now, KIND_service); i++)
		touched_one(t, ((const struct service *)snapshot_at(t->now, KIND_service, i))->id);
}

static void
on_one(void *arg, uint32_t service)
{
	touched_one(arg, service);
}

/* Lists have other entries: whose rules look anything up; or all, when one says who is blocked. */
void
touched_by_lists(struct touched *t)
{
	if (!lists_apply(t->k->lists, t->now))
		return;
	if (t->now != NULL && snapshot_setting(t->now)->block[0] != '\0')
		touched_all(t); /* those for whom it is the same stay as they are */
	for (uint32_t i = 0; i < snapshot_count(t->now, KIND_content_rule); i++) {
		const struct content_rule *r = snapshot_at(t->now, KIND_content_rule, i);

		if (strchr(r->when, '@') != NULL)
			touched_one(t, r->vip);
	}
}

/* A pool comes, goes, or is named otherwise: whose rules name pools looks again. What stays the same is found the same. */
static void
service_changed(struct touched *t, const struct change *c)
{
	static const char *const about[] = { "enabled", "name", "mode", "address" };
	bool all = c->f == NULL;
	const struct service *row = c->new != NULL ? c->new : c->old;
	uint32_t id = row->id;

	touched_one(t, id);
	if (c->f != NULL && strcmp(c->f->name, "enabled") == 0)
		pools_each_leading(t->now, id, on_one, t);
	for (unsigned i = 0; i < sizeof(about) / sizeof(*about); i++)
		all = all || strcmp(c->f->name, about[i]) == 0;
	if (all)
		pools_each_mirroring(t->now, row->name, on_one, t);
	if (all)
		pools_each_naming(t->now, on_one, t);
}

/* Which services a difference touches. */
void
touched_on_change(void *arg, const struct change *c)
{
	struct touched *t = arg;
	const void *row = c->new != NULL ? c->new : c->old;
	const struct ctl_server *s;

	switch (c->o->kind) {
	case KIND_service: service_changed(t, c); break;
	case KIND_content_rule: touched_one(t, ((const struct content_rule *)row)->vip); break;
	case KIND_server:
		touched_one(t, ((const struct server *)row)->vip);
		if (c->old != NULL)
			touched_one(t, ((const struct server *)c->old)->vip);
		break;
	case KIND_admin:
		s = idmap_get(&t->k->servers, ((const struct admin *)row)->id);
		if (s != NULL)
			touched_one(t, s->of->id);
		break;
	case KIND_node:
		if (c->f == NULL || strcmp(c->f->name, "zone") == 0)
			touched_all(t);
		break;
	case KIND_error_page:
		sorry_forget(&t->k->bodies, ((const struct error_page *)row)->id);
		touched_all(t); /* those that do not name it stay as they are */
		break;
	case KIND_setting:
		if (c->f == NULL || strncmp(c->f->name, "block", 5) == 0)
			touched_all(t);
		break;
	case KIND_check:
		if (c->f != NULL && strcmp(c->f->name, "assume") == 0)
			users_of_check(t, ((const struct check *)row)->id);
		break;
	default:
		if (tls_rows_touch(c->o->kind))
			users_of_tls(t);
		break;
	}
}

void
touched_missing(struct touched *t)
{
	const struct ctl_service *c;
	uint32_t at = 0;

	while ((c = idmap_next(&t->k->services, &at, NULL)) != NULL)
		if (c->ports.missing || c->tls_missing)
			touched_one(t, c->id);
}
