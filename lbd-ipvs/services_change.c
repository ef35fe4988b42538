/* services_change.c - what touches a service of layer 4: rows, orders, and what lbd-check says.
 *
 * A difference of snapshots names rows; from them follow the services that may be touched. Verdicts are kept for every
 * server that lbd-check knows, also before its row came and for those of layer 7: a mode may change. A change of fitness
 * is logged here, with what it means for the weight. */
#include "services_priv.h"

#include "base/mem.h"
#include "sys/log.h"

#include <stdio.h>
#include <string.h>

static void
server_changed(struct services *s, uint32_t service)
{
	if (s->away)
		idmap_put(&s->quorums, service, NULL);
	services_touch(s, service);
}

static void
on_change(void *arg, const struct change *c)
{
	struct services *s = arg;
	const struct server *was = c->old, *is = c->new;
	const void *row = c->new != NULL ? c->new : c->old;
	uint32_t id = *(const uint32_t *)row; /* every row begins with it */

	switch (c->o->kind) {
	case KIND_service:
		if (c->new == NULL)
			idmap_put(&s->quorums, id, NULL);
		services_touch(s, id);
		break;
	case KIND_server:
		if (was != NULL)
			server_changed(s, was->vip);
		if (is != NULL)
			server_changed(s, is->vip);
		else
			free(idmap_take(&s->servers, id));
		break;
	case KIND_admin:
		is = snapshot_find(s->now, KIND_server, id);
		if (is != NULL)
			server_changed(s, is->vip);
		break;
	case KIND_check:
	case KIND_setting:
		if (c->f != NULL &&
		    (strcmp(c->f->name, "assume") == 0 || strcmp(c->f->name, "sorry_port") == 0))
			services_touch_all(s);
		break;
	default: break;
	}
}

void
services_apply(struct services *s, struct snapshot *old, struct snapshot *now)
{
	const struct service *svc;

	snapshot_unref(s->now);
	s->now = snapshot_ref(now);
	s->applies++;
	s->applying = s->settling = true;
	if (old != NULL)
		(void)snapshot_diff(old, now, on_change, s);
	for (uint32_t i = 0; old == NULL && i < snapshot_count(now, KIND_service); i++) {
		svc = snapshot_at(now, KIND_service, i);
		services_touch(s, svc->id);
	}
	s->settling = false;
	services_settle(s);
	s->applying = false;
}

const struct service_state *
services_refused(const struct services *s)
{
	uint32_t at = 0;
	const struct entry *e;

	while ((e = idmap_next(&s->entries, &at, NULL)) != NULL)
		if (e->applied == s->applies && e->st.fault[0] != '\0')
			return &e->st;
	return NULL;
}

void
services_start(struct services *s)
{
	if (s->started)
		return;
	s->started = true;
	services_settle(s);
}

static void
log_verdict(const struct services *s, const struct server *srv, const struct service *svc, bool fit,
    const char *why)
{
	char fields[200], path[160];

	if (!svc->enabled || service_layer(svc) != 4 ||
	    snapshot_admin(s->now, srv->id)->state != admin_state_online)
		return;
	(void)snprintf(fields, sizeof(fields), "LBD_VIP=%s\nLBD_RIP=%s\n", svc->name, srv->name);
	(void)snapshot_path(s->now, KIND_server, srv->id, path);
	if (fit)
		log_at(LOG_P_INFO, fields, "rip %s: weight %u%s: %s", path,
		    snapshot_weight(s->now, srv),
		    svc->slow_start > 0 ? " after its slow start" : "", why);
	else if (svc->on_failure == failure_remove)
		log_at(LOG_P_WARN, fields, "rip %s: taken out: %s", path, why);
	else
		log_at(LOG_P_WARN, fields, "rip %s: weight 0: %s", path, why);
}

void
services_verdict(struct services *s, uint32_t server, enum verdict v, const char *why, bool live)
{
	struct known *k = idmap_get(&s->servers, server);
	const struct server *srv = s->now ? snapshot_find(s->now, KIND_server, server) : NULL;
	const struct service *svc = srv ? snapshot_find(s->now, KIND_service, srv->vip) : NULL;
	const struct check *check;
	enum verdict was;

	if (k == NULL) {
		k = mem_alloc(sizeof(*k));
		idmap_put(&s->servers, server, k);
	}
	was = k->fit.verdict;
	k->fit.verdict = v;
	if (was == v || svc == NULL)
		return;
	check = snapshot_check_of(s->now, srv);
	if (server_fit(check, v) != server_fit(check, was)) {
		k->up = server_fit(check, v) && (live || was == VERDICT_DOWN) ? mono_now() : 0;
		log_verdict(s, srv, svc, server_fit(check, v), why);
	}
	services_touch(s, svc->id);
}

void
services_quorum(struct services *s, uint32_t service, bool enough)
{
	void *is = enough ? MET : NOT_MET;

	if (idmap_get(&s->quorums, service) == is)
		return;
	idmap_put(&s->quorums, service, is);
	if (s->now != NULL)
		services_touch(s, service);
}

void
services_check_away(struct services *s, bool away)
{
	s->away = away;
}
