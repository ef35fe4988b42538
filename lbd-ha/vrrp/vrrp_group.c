/* vrrp_group.c - the rule of a sync group.
 *
 * A member whose master is silent only wants to take over; the group takes over when all of them want to. So a node
 * that lost the other on one of two networks stays backup on both, instead of being master here and there in turns:
 * on the network where it hears the master, nothing is wrong. When one member of a master group meets a better one, all
 * yield, with priority 0, so that the other node need not wait for their silence. One member's fault holds all. */
#include "vrrp/vrrp_group.h"

#include "base/must.h"

bool
vrrp_group_add(struct vrrp_group *g, struct vrrp *v)
{
	if (g->n == VRRP_GROUP)
		return false;
	v->grouped = true;
	g->member[g->n++] = v;
	return true;
}

/* The orders of a second step of the same member come after those of the first. */
static void
step(struct vrrp_group *g, unsigned i, enum vrrp_event_kind kind, mono_t now, struct vrrp_out *outs)
{
	struct vrrp_out more, *out = &outs[i];

	vrrp_step(g->member[i], (struct vrrp_event){ .kind = kind }, now, &more);
	for (unsigned k = 0; k < more.n && out->n < ARRAY_LEN(out->advert); k++)
		out->advert[out->n++] = more.advert[k];
	out->take = more.take || (out->take && !more.drop);
	out->drop = more.drop || (out->drop && !more.take);
	out->announce = more.announce || (out->announce && !more.drop);
	out->changed = out->changed || more.changed;
}

static bool
any_down(const struct vrrp_group *g)
{
	for (unsigned i = 0; i < g->n; i++)
		if (g->member[i]->down)
			return true;
	return false;
}

static bool
all_want(const struct vrrp_group *g)
{
	for (unsigned i = 0; i < g->n; i++) {
		const struct vrrp *v = g->member[i];

		if (v->state != VRRP_MASTER && !(v->state == VRRP_BACKUP && v->wants))
			return false;
	}
	return true;
}

static bool
any_in(const struct vrrp_group *g, enum vrrp_state s)
{
	for (unsigned i = 0; i < g->n; i++)
		if (g->member[i]->state == s)
			return true;
	return false;
}

void
vrrp_group_step(struct vrrp_group *g, unsigned who, struct vrrp_event e, mono_t now,
    struct vrrp_out outs[VRRP_GROUP])
{
	bool down;

	must(who < g->n);
	for (unsigned i = 0; i < g->n; i++)
		outs[i] = (struct vrrp_out){ 0 };
	vrrp_step(g->member[who], e, now, &outs[who]);
	down = any_down(g);
	for (unsigned i = 0; i < g->n; i++)
		if (g->member[i]->held != (down && !g->member[i]->down))
			step(g, i, g->member[i]->held ? VRRP_EV_RELEASE : VRRP_EV_HOLD, now, outs);
	if (any_in(g, VRRP_BACKUP) && !all_want(g))
		for (unsigned i = 0; i < g->n; i++)
			step(g, i, VRRP_EV_YIELD, now, outs);
	else if (all_want(g))
		for (unsigned i = 0; i < g->n; i++)
			step(g, i, VRRP_EV_TAKE, now, outs);
}
