/* core_vrrp_act.c - what a step of a virtual router orders, in the order that vrrp_fsm.h asks for: its device up,
 * advertisements, its device down, addresses off, addresses on, announcements. */
#include "core/core_priv.h"

#include <string.h>

/* A unicast one goes with the interface's own MAC: it must not move the virtual one. An ipvlan has that MAC anyway. */
static int
way_out(const struct core_router *r, const struct shared_vrrp *row, bool plain_mac)
{
	return r->vmac.name[0] != '\0' && !plain_mac && !row->on_base &&
		       row->conf.way != VRRP_UNICAST
		   ? r->vmac.index
		   : row->index;
}

static struct addr
destination(const struct vrrp_conf *c, unsigned i)
{
	static const struct addr everyone = { .family = 4, .len = 32, .b = { 255, 255, 255, 255 } };

	return c->way == VRRP_UNICAST	  ? c->peer[i]
	       : c->way == VRRP_BROADCAST ? everyone
	       : c->family == 4		  ? vrrp_group4
					  : vrrp_group6;
}

void
core_vrrp_advert(struct core *c, unsigned i, uint8_t priority, bool plain_mac, mono_t now)
{
	static struct vrrp_packet p;
	static uint8_t bytes[VRRP_BYTES_MAX];
	struct core_router *r = &c->router[i];
	const struct shared_vrrp *row = &c->want->vrrp[i];
	const struct vrrp_conf *k = r->v.conf;
	struct vrrp_ip ip = { .src = r->v.self, .ttl = VRRP_TTL };
	unsigned n = k->way == VRRP_UNICAST ? k->peers : 1;
	bool any = false;

	if (r->port->fault != 0 || ip.src.family == 0)
		return;
	vrrp_advert(&r->v, priority, &p);
	r->fault = 0;
	for (unsigned d = 0; d < n; d++) {
		int code;

		ip.dst = destination(k, d);
		code = vrrp_sock_send(&r->port->sock, way_out(r, row, plain_mac), &ip, bytes,
		    vrrp_packet_format(&p, &ip, bytes));
		r->fault = code != 0 ? code : r->fault;
		any = any || code == 0;
	}
	if (any && priority != VRRP_LEAVING_PRIORITY)
		r->sent_at = now;
}

static void
set_vmac(struct core_router *r, bool up)
{
	if (r->vmac.name[0] != '\0')
		(void)vmac_set(&r->vmac, up); /* its absence shows as a fault of the addresses */
}

void
core_vrrp_clear(struct core *c, unsigned i)
{
	set_vmac(&c->router[i], false);
	core_drop(c, SHARED_GROUPS + i);
}

void
core_vrrp_tell(struct core *c, unsigned i, mono_t now)
{
	struct core_router *r = &c->router[i];
	const struct shared_event e = {
		.group = c->want->vrrp[i].group,
		.role = (uint8_t)r->v.state,
		.vrrp = (uint8_t)(i + 1),
		.at = now,
	};

	r->since = now;
	shared_note(c->sh, &e);
}

void
core_vrrp_obey(struct core *c, unsigned i, const struct vrrp_out *out, mono_t now)
{
	struct core_router *r = &c->router[i];

	if (out->take)
		set_vmac(r, true);
	for (unsigned k = 0; k < out->n; k++)
		core_vrrp_advert(c, i, out->advert[k].priority, out->advert[k].plain_mac, now);
	if (out->drop) {
		core_vrrp_clear(c, i);
		r->held = false;
	}
	if (out->take) {
		core_put(c, SHARED_GROUPS + i, &r->at, &r->renew, now);
		r->held = true;
	}
	if (out->announce && r->held)
		announce_once(&c->announce, SHARED_GROUPS + i, now);
	if (out->changed)
		core_vrrp_tell(c, i, now);
}
