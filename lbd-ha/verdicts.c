/* verdicts.c - the link to lbd-check: which servers have a verdict, and which services their quorum. While it is away, nothing is known. */
#include "verdicts.h"

#include "base/idmap.h"
#include "base/mem.h"
#include "store/state.h"

#include <stdio.h>

struct verdicts {
	struct daemon *d;
	struct ha_role *role;
	struct verdicts_ops ops;
	struct bus_link *link;
	bool synced;
	struct idmap judged; /* id of a server: this */
};

/* Servers of services in use that are probed and have no verdict. */
static uint32_t
open_of(const struct verdicts *v, const struct snapshot *s)
{
	uint32_t n = snapshot_count(s, KIND_server), open = 0;

	for (uint32_t i = 0; i < n; i++) {
		const struct server *srv = snapshot_at(s, KIND_server, i);
		const struct service *svc = snapshot_find(s, KIND_service, srv->vip);

		if (svc != NULL && svc->enabled && snapshot_check_of(s, srv)->kind != probe_none &&
		    idmap_get(&v->judged, srv->id) == NULL)
			open++;
	}
	return open;
}

static void
look(struct verdicts *v)
{
	const struct snapshot *s = daemon_snapshot(v->d);
	uint32_t open = s != NULL ? open_of(v, s) : 0;
	char why[100];

	if (open == 0) {
		role_whole(v->role, WHOLE_VERDICTS, NULL);
		return;
	}
	if (v->synced)
		(void)snprintf(why, sizeof(why), "verdicts of lbd-check on %u servers", open);
	else
		(void)snprintf(why, sizeof(why), "verdicts: lbd-check is away");
	role_whole(v->role, WHOLE_VERDICTS, why);
}

static void
on_row(void *arg, const struct msg_row *row, const union msg_any *m)
{
	struct verdicts *v = arg;
	bool judged = row->number == MSG_HEALTH && m->health.verdict != VERDICT_UNKNOWN;

	if (row->number == MSG_QUORUM)
		v->ops.quorum(v->ops.arg, &m->quorum);
	if (row->number != MSG_HEALTH ||
	    judged == (idmap_get(&v->judged, m->health.server) != NULL))
		return;
	idmap_put(&v->judged, m->health.server, judged ? v : NULL);
	if (v->synced)
		look(v);
}

static void
on_synced(void *arg)
{
	struct verdicts *v = arg;

	v->synced = true;
	look(v);
}

static void
on_down(void *arg)
{
	struct verdicts *v = arg;

	v->synced = false;
	idmap_fini(&v->judged);
	v->judged = (struct idmap){ 0 };
	look(v);
}

void
verdicts_apply(struct verdicts *v)
{
	look(v);
}

struct verdicts *
verdicts_new(struct daemon *d, struct ha_role *r, const struct verdicts_ops *ops)
{
	struct verdicts *v = mem_alloc(sizeof(*v));
	const struct bus_link_ops link = {
		.daemon = "lbd-check",
		.topics = TOPIC_HEALTH,
		.synced = on_synced,
		.row = on_row,
		.down = on_down,
		.arg = v,
	};

	*v = (struct verdicts){ .d = d, .role = r, .ops = *ops };
	v->link = bus_link_new(daemon_loop(d), daemon_paths(d), "lbd-ha", &link);
	return v;
}

void
verdicts_free(struct verdicts *v)
{
	if (v == NULL)
		return;
	bus_link_free(v->link);
	idmap_fini(&v->judged);
	free(v);
}
