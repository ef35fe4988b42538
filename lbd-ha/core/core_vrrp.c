/* core_vrrp.c - the virtual routers of a node: their sockets, their events, and which of them goes on under another want.
 *
 * The decision is vrrp/vrrp_fsm.c; here its events are made: packets, timers, and what is wrong on this node (a track of
 * weight 0, no carrier, no socket, no address to send from), which is fault until it is over. What tracks take away lowers
 * the priority. Packets are read before timers run, so that a machine that stood still hears what is new first.
 *
 * A virtual router keeps its place in the table as long as its row is there. One with the same place, number and
 * interface goes on under another want, whatever else has changed; any other says goodbye and begins anew. */
#include "core/core_priv.h"

#include "base/must.h"

#include <errno.h>
#include <string.h>

#define PORT_RETRY DUR_S(1)
#define READ_TURN 100 /* packets of a port in one turn; the rest stays for the next */

/* ---- ports ------------------------------------------------------------------------------------------------------ */

static void
open_port(struct core_port *p, mono_t now)
{
	struct err err;

	p->fault = vrrp_sock_open(&p->sock, p->ifname, p->family, &err);
	p->retry = now + PORT_RETRY;
}

static struct core_port *
find_port(struct core *c, const struct shared_vrrp *row, mono_t now)
{
	struct core_port *empty = NULL;

	for (unsigned i = 0; i < SHARED_VRRPS; i++) {
		struct core_port *p = &c->port[i];

		if (p->ifname[0] == '\0')
			empty = empty != NULL ? empty : p;
		else if (p->index == row->index && p->family == row->conf.family &&
			 strcmp(p->ifname, row->ifname) == 0)
			return p;
	}
	must(empty != NULL); /* there are as many as virtual routers */
	*empty = (struct core_port){ .index = row->index, .family = row->conf.family };
	memcpy(empty->ifname, row->ifname, sizeof(empty->ifname));
	open_port(empty, now);
	return empty;
}

static void
close_ports(struct core *c)
{
	for (unsigned i = 0; i < SHARED_VRRPS; i++) {
		struct core_port *p = &c->port[i];
		bool used = false;

		for (unsigned k = 0; k < SHARED_VRRPS; k++)
			used = used || (c->router[k].used && c->router[k].port == p);
		if (used || p->ifname[0] == '\0')
			continue;
		vrrp_sock_close(&p->sock);
		p->ifname[0] = '\0';
	}
}

/* ---- events ----------------------------------------------------------------------------------------------------- */

static void
event(struct core *c, unsigned i, struct vrrp_event e, mono_t now)
{
	static struct vrrp_out outs[VRRP_GROUP];
	struct core_router *r = &c->router[i];
	struct vrrp_group *g = &c->sync[c->want->vrrp[i].sync];
	struct vrrp_out out;
	unsigned who = 0;

	if (!r->v.grouped) {
		vrrp_step(&r->v, e, now, &out);
		core_vrrp_obey(c, i, &out, now);
		return;
	}
	while (g->member[who] != &r->v)
		who++;
	vrrp_group_step(g, who, e, now, outs);
	for (unsigned k = 0; k < g->n; k++)
		for (unsigned m = 0; m < SHARED_VRRPS; m++)
			if (g->member[k] == &c->router[m].v)
				core_vrrp_obey(c, m, &outs[k], now);
}

static void
simple(struct core *c, unsigned i, enum vrrp_event_kind kind, mono_t now)
{
	event(c, i, (struct vrrp_event){ .kind = kind }, now);
}

static int
find_router(const struct core *c, const struct core_port *p, uint8_t vrid)
{
	for (unsigned i = 0; i < SHARED_VRRPS; i++)
		if (c->router[i].used && c->router[i].port == p &&
		    c->router[i].v.conf->vrid == vrid)
			return (int)i;
	return -1;
}

static void
take_packet(struct core *c, struct core_port *p, const struct vrrp_frame *f, mono_t now)
{
	static struct vrrp_packet packet;
	enum vrrp_bad bad = vrrp_packet_parse(f->p, f->n, &f->ip, 1, &packet);
	int i = bad == VRRP_GOOD ? find_router(c, p, packet.vrid) : -1;
	struct vrrp *v;

	if (i == -1) {
		p->bad[bad == VRRP_GOOD ? VRRP_BAD_VRID : bad]++;
		return;
	}
	v = &c->router[i].v;
	if (vrrp_admit(v, &packet, &f->ip) != VRRP_GOOD)
		return;
	if (c->want->paired)
		core_face_hear(c, (unsigned)i, &packet, &f->ip, now);
	else
		event(c, (unsigned)i, vrrp_received(v, &packet, &f->ip), now);
}

void
core_vrrp_read(struct core *c, unsigned port, mono_t now)
{
	static struct vrrp_frame f;
	struct core_port *p = &c->port[port];
	int code = 0;

	for (unsigned k = 0; k < READ_TURN; k++) {
		code = vrrp_sock_receive(&p->sock, &f);
		if (code != 1)
			break;
		take_packet(c, p, &f, now);
	}
	if (code < 0 && code != -ENETDOWN) { /* the carrier is watched elsewhere */
		vrrp_sock_close(&p->sock);
		p->fault = code;
		p->retry = now + PORT_RETRY;
	}
}

/* ---- the turn --------------------------------------------------------------------------------------------------- */

static bool
is_faulty(const struct core *c, unsigned i)
{
	const struct shared_vrrp *row = &c->want->vrrp[i];

	return row->self.family == 0 || c->router[i].port->fault != 0 ||
	       !link_is_up(&c->link, row->index) || atomic_load(&c->sh->say.fault[row->group]);
}

static void
begin(struct core *c, unsigned i, mono_t now)
{
	core_vrrp_clear(c, i);
	c->router[i].started = true;
	c->router[i].since = now;
	if (is_faulty(c, i))
		simple(c, i, VRRP_EV_DOWN, now);
	simple(c, i, VRRP_EV_START, now);
}

static void
turn_router(struct core *c, unsigned i, mono_t now)
{
	struct core_router *r = &c->router[i];
	int weight = -(int)atomic_load(&c->sh->say.lost);

	if (!r->started)
		begin(c, i, now);
	if (is_faulty(c, i) != r->v.down)
		simple(c, i, r->v.down ? VRRP_EV_UP : VRRP_EV_DOWN, now);
	/* The fault that held a group may have left it: the others are asked again. */
	if (weight != r->v.weight || r->regrouped)
		event(c, i, (struct vrrp_event){ .kind = VRRP_EV_WEIGHT, .weight = weight }, now);
	r->regrouped = false;
	if (atomic_load(&c->sh->say.stop) && r->v.state != VRRP_INIT && r->v.state != VRRP_LEAVING)
		simple(c, i, VRRP_EV_STOP, now);
	if (r->v.deadline <= now)
		simple(c, i, VRRP_EV_TIMER, now);
	if (r->held && now >= r->renew)
		core_renew(c, SHARED_GROUPS + i, &r->at, &r->renew, now);
}

void
core_vrrp_turn(struct core *c, mono_t now)
{
	unsigned seen = atomic_load(&c->sh->say.announce);

	if (c->link.n == 0 && c->link.fd != -1)
		return; /* which interfaces have a carrier is known in a moment */
	for (unsigned i = 0; i < SHARED_VRRPS; i++) {
		struct core_port *p = &c->port[i];

		if (p->ifname[0] != '\0' && p->fault != 0 && now >= p->retry)
			open_port(p, now);
	}
	for (unsigned i = 0; i < SHARED_VRRPS; i++) {
		if (!c->router[i].used)
			continue;
		if (c->want->paired)
			core_face_turn(c, i, is_faulty(c, i), now);
		else
			turn_router(c, i, now);
		if (seen != c->vrrp_announce_seen && c->router[i].held)
			announce_once(&c->announce, SHARED_GROUPS + i, now);
	}
	c->vrrp_announce_seen = seen;
}

mono_t
core_vrrp_deadline(const struct core *c)
{
	mono_t at = VRRP_NEVER;

	for (unsigned i = 0; i < SHARED_VRRPS; i++) {
		const struct core_router *r = &c->router[i];

		if (!r->used)
			continue;
		at = r->v.deadline < at ? r->v.deadline : at;
		at = r->held && r->renew < at ? r->renew : at;
	}
	return at;
}

bool
core_vrrp_done(const struct core *c)
{
	for (unsigned i = 0; i < SHARED_VRRPS; i++)
		if (c->router[i].used && !c->want->paired && c->router[i].v.state != VRRP_INIT)
			return false;
	return true;
}

/* ---- another want ----------------------------------------------------------------------------------------------- */

/* Says goodbye; its addresses go. */
static void
end_router(struct core *c, unsigned i, mono_t now)
{
	struct core_router *r = &c->router[i];
	struct vrrp_out out;

	if (c->want->paired)
		core_face_end(c, i, now);
	for (unsigned k = 0; k < 2 && r->v.state != VRRP_INIT; k++) { /* asked twice: now */
		vrrp_step(&r->v, (struct vrrp_event){ .kind = VRRP_EV_STOP }, now, &out);
		core_vrrp_obey(c, i, &out, now);
	}
	if (r->vmac.name[0] != '\0')
		(void)vmac_set(&r->vmac, false);
	r->used = false;
}

static bool
goes_on(const struct shared_want *old, const struct shared_want *next, unsigned i)
{
	const struct shared_vrrp *a = &old->vrrp[i], *b = &next->vrrp[i];

	return old->paired == next->paired && a->id == b->id && a->index == b->index &&
	       strcmp(a->ifname, b->ifname) == 0 && a->vmac_index == b->vmac_index &&
	       strcmp(a->vmac, b->vmac) == 0 && (a->sync != 0) == (b->sync != 0) &&
	       a->group == b->group && a->conf.vrid == b->conf.vrid &&
	       a->conf.family == b->conf.family && a->conf.version == b->conf.version &&
	       a->conf.way == b->conf.way;
}

void
core_vrrp_leave(struct core *c, const struct shared_want *next, mono_t now)
{
	for (unsigned i = 0; i < SHARED_VRRPS; i++)
		if (c->router[i].used && !goes_on(c->want, next, i))
			end_router(c, i, now);
}

static void
make_router(struct core *c, unsigned i, mono_t now)
{
	const struct shared_vrrp *row = &c->want->vrrp[i];
	struct core_router *r = &c->router[i];

	memset(r, 0, sizeof(*r));
	r->used = true;
	r->since = now;
	vrrp_init(&r->v, &row->conf, &row->self);
	r->port = find_port(c, row, now);
	r->vmac.fd = c->vmac_fd;
	memcpy(r->vmac.name, row->vmac, sizeof(r->vmac.name));
	r->vmac.index = row->vmac_index;
	if (c->want->paired && c->g[row->group].held)
		core_face_raise(c, row->group, true);
}

void
core_vrrp_take(struct core *c, mono_t now)
{
	/* Those of who has left, first: with 16 on as many interfaces there is no other room. */
	close_ports(c);
	for (unsigned i = 0; i <= SHARED_VRRPS; i++)
		c->sync[i].n = 0;
	for (unsigned i = 0; i < SHARED_VRRPS; i++) {
		const struct shared_vrrp *row = &c->want->vrrp[i];
		struct core_router *r = &c->router[i];

		if (row->id == 0)
			continue;
		if (r->used)
			vrrp_conf_set(&r->v, &row->conf, &row->self);
		else
			make_router(c, i, now);
		r->renew = now; /* put what is new */
		r->at = 0;
		r->regrouped = row->sync != 0;
		if (row->sync != 0)
			must(vrrp_group_add(&c->sync[row->sync], &r->v));
	}
}

/* Who was master a moment ago goes on before anybody notices. */
void
core_vrrp_resume(struct core *c, const struct shared_is *is, mono_t now)
{
	for (unsigned i = 0; i < SHARED_VRRPS; i++) {
		const struct shared_vrrp_is *was = &is->vrrp[i];
		struct core_router *r = &c->router[i];
		struct vrrp_out out;

		if (!r->used || c->want->paired || was->id != c->want->vrrp[i].id ||
		    was->state != VRRP_MASTER || now >= was->safe_until || r->port->fault != 0)
			continue;
		r->started = true;
		vrrp_resume(&r->v, now, &out);
		core_vrrp_obey(c, i, &out, now);
	}
}

void
core_vrrp_end(struct core *c, mono_t now)
{
	for (unsigned i = 0; i < SHARED_VRRPS; i++)
		if (c->router[i].used)
			end_router(c, i, now);
}
