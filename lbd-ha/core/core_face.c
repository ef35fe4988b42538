/* core_face.c - virtual routers of a pair. The pair decides; to routers of other makes it looks like one that wins.
 *
 * Whoever holds the group's addresses advertises, whatever others say; the other node is silent, and hears. There is no
 * election here: a router that does not belong to the pair and has a higher priority is answered, and does not yield;
 * its user must give it less. With a virtual MAC the addresses of the group are on the macvlan, which is up on the node
 * that holds them alone, so neighbours never learn another hardware address. An ipvlan is up there alone too. */
#include "core/core_priv.h"

#include <string.h>

static void
go(struct core *c, unsigned i, enum vrrp_state to, mono_t now)
{
	struct core_router *r = &c->router[i];
	const struct core_group *g = &c->g[c->want->vrrp[i].group];

	if (r->v.state == to)
		return;
	/* Nobody else of the pair has it: who is outside may, at once. */
	if (r->v.state == VRRP_MASTER && c->pulse.peer.group[g - c->g].role != FSM_ACTIVE) {
		core_vrrp_advert(c, i, VRRP_LEAVING_PRIORITY, true, now);
		r->v.counts.sent++;
		r->v.counts.zero_sent++;
	}
	r->v.state = to;
	r->v.advert_at = now;
	r->v.master_interval = r->v.conf->interval;
	if (to == VRRP_MASTER) {
		r->v.counts.masters++;
		r->v.master = r->v.self;
		r->v.master_priority = vrrp_priority(&r->v);
	}
	core_vrrp_tell(c, i, now);
}

void
core_face_turn(struct core *c, unsigned i, bool faulty, mono_t now)
{
	struct core_router *r = &c->router[i];
	struct vrrp *v = &r->v;

	r->started = true;
	go(c, i,
	    faulty				? VRRP_FAULT
	    : c->g[c->want->vrrp[i].group].held ? VRRP_MASTER
						: VRRP_BACKUP,
	    now);
	if (v->state == VRRP_MASTER && now >= v->advert_at) {
		core_vrrp_advert(c, i, vrrp_priority(v), false, now);
		v->counts.sent++;
		v->advert_at = now + v->conf->interval;
	}
	v->deadline = v->state == VRRP_MASTER ? v->advert_at : VRRP_NEVER;
}

void
core_face_hear(
    struct core *c, unsigned i, const struct vrrp_packet *p, const struct vrrp_ip *ip, mono_t now)
{
	struct vrrp *v = &c->router[i].v;

	(void)vrrp_received(v, p, ip); /* learns the form of the checksum */
	if (v->state == VRRP_MASTER) {
		v->counts.answers += p->priority != VRRP_LEAVING_PRIORITY;
		if (v->advert_at > now + VRRP_ANSWER_GAP)
			v->advert_at = v->deadline = now + VRRP_ANSWER_GAP;
		return;
	}
	v->master = p->priority != VRRP_LEAVING_PRIORITY ? ip->src : (struct addr){ 0 };
	v->master_priority = p->priority;
	v->master_interval = p->interval;
}

void
core_face_end(struct core *c, unsigned i, mono_t now)
{
	go(c, i, VRRP_INIT, now);
}

bool
core_face_has_mac(const struct core *c, unsigned group)
{
	for (unsigned i = 0; i < SHARED_VRRPS; i++)
		if (c->want->paired && c->router[i].used && c->want->vrrp[i].group == group &&
		    c->router[i].vmac.name[0] != '\0' && !c->want->vrrp[i].ipvlan)
			return true;
	return false;
}

void
core_face_raise(struct core *c, unsigned group, bool up)
{
	for (unsigned i = 0; i < SHARED_VRRPS; i++)
		if (c->want->paired && c->router[i].used && c->want->vrrp[i].group == group &&
		    c->router[i].vmac.name[0] != '\0')
			(void)vmac_set(&c->router[i].vmac, up);
}
