/* members.c - when the quorum of which service is reckoned again.
 *
 * A service is touched by a verdict on a server of its, by an order, and by rows of the configuration; touched ones
 * wait in a list for the end of the turn, and each is reckoned once. What the weights mean is quorum.c. */
#include "members.h"

#include "base/idmap.h"
#include "base/list.h"
#include "base/mem.h"

struct member {
	uint32_t id;
	struct list touched;
	struct quorum q;
};
struct members {
	struct loop_timer timer; /* the end of this turn */
	struct members_ops ops;
	void *arg;
	struct idmap services;
	struct list touched;
	struct snapshot *now; /* NULL before the first */
};

static void
touch_service(struct members *m, uint32_t id)
{
	struct member *one = idmap_get(&m->services, id);

	if (one == NULL) {
		one = mem_alloc(sizeof(*one));
		one->id = id;
		list_init(&one->touched);
		idmap_put(&m->services, id, one);
	}
	if (list_empty(&m->touched))
		loop_timer_set(&m->timer, 0);
	list_del(&one->touched);
	list_push(&m->touched, &one->touched);
}

void
members_touch(struct members *m, uint32_t server)
{
	const struct server *srv =
	    m->now != NULL ? snapshot_find(m->now, KIND_server, server) : NULL;

	if (srv != NULL)
		touch_service(m, srv->vip);
}

static void
reckon(struct members *m, struct member *one)
{
	const struct service *svc = snapshot_find(m->now, KIND_service, one->id);
	struct quorum_weight w;
	enum quorum_news news;

	if (svc == NULL)
		return;
	quorum_weigh(m->now, svc, m->ops.verdict, m->arg, &w);
	news = quorum_feed(&one->q, svc, &w, mono_wall_ms() / 1000);
	if (news != QUORUM_SAME)
		m->ops.told(m->arg, one->id, &one->q, news == QUORUM_TURNED);
}

static void
on_timer(void *arg)
{
	struct members *m = arg;

	while (!list_empty(&m->touched)) {
		struct member *one = container_of(m->touched.next, struct member, touched);

		list_del(&one->touched);
		reckon(m, one);
	}
}

static void
drop(struct members *m, uint32_t id)
{
	struct member *one = idmap_take(&m->services, id);

	if (one == NULL)
		return;
	list_del(&one->touched);
	free(one);
}

static void
touch_all(struct members *m)
{
	for (uint32_t i = 0; i < snapshot_count(m->now, KIND_service); i++)
		touch_service(
		    m, ((const struct service *)snapshot_at(m->now, KIND_service, i))->id);
}

static void
on_change(void *arg, const struct change *c)
{
	const void *row = c->new != NULL ? c->new : c->old;
	struct members *m = arg;

	switch (c->o->kind) {
	case KIND_service:
		if (c->new == NULL)
			drop(m, ((const struct service *)row)->id);
		else
			touch_service(m, ((const struct service *)row)->id);
		break;
	case KIND_server:
		if (snapshot_find(m->now, KIND_service, ((const struct server *)row)->vip) != NULL)
			touch_service(m, ((const struct server *)row)->vip);
		break;
	case KIND_admin: members_touch(m, ((const struct admin *)row)->id); break;
	case KIND_check: touch_all(m); break; /* what unknown counts as may be another now */
	default: break;
	}
}

void
members_apply(struct members *m, struct snapshot *old, struct snapshot *now)
{
	struct snapshot *before = m->now;

	m->now = snapshot_ref(now);
	if (old != NULL)
		(void)snapshot_diff(old, now, on_change, m);
	else
		touch_all(m);
	snapshot_unref(before);
}

const struct quorum *
members_find(const struct members *m, uint32_t service)
{
	const struct member *one = idmap_get(&m->services, service);

	return one != NULL ? &one->q : NULL;
}

struct members *
members_new(struct loop *l, const struct members_ops *ops, void *arg)
{
	struct members *m = mem_alloc(sizeof(*m));

	m->ops = *ops;
	m->arg = arg;
	list_init(&m->touched);
	loop_timer_init(&m->timer, l, on_timer, m);
	return m;
}

void
members_free(struct members *m)
{
	struct member *one;
	uint32_t at = 0;

	if (m == NULL)
		return;
	while ((one = idmap_next(&m->services, &at, NULL)) != NULL)
		free(one);
	idmap_fini(&m->services);
	loop_timer_fini(&m->timer);
	snapshot_unref(m->now);
	free(m);
}
