/* exam_init.c - before a server is examined: where it is, with which addresses of this node it is asked, and who stands
 * for a client from outside. Reads the addresses of this node; sends nothing.
 *
 * Outside is best played by an address of this node in another network, when there is one where clients come from (the
 * virtual address's own network, or that of the way to the world): its answer must come back, so silence proves a fault.
 * Otherwise an address that nobody has stands in (RFC 2544), and the routers' errors tell. */
#include "doctor/exam.h"

#include <string.h>

void
ward_foreign(const struct iface_list *l, unsigned family, struct addr *out)
{
	/* RFC 2544, RFC 5180: for tests of devices; RFC 5737, RFC 3849: for examples. */
	static const char *const four[] = { "198.18.71.68", "198.19.71.68", "203.0.113.68" };
	static const char *const six[] = { "2001:2:0:4c42::1", "2001:db8:4c42::1" };
	unsigned n = family == 4 ? 3 : 2;

	for (unsigned i = 0; i < n; i++) {
		(void)addr_parse(family == 4 ? four[i] : six[i], ADDR_HOST, out);
		bool free_of = true;

		for (unsigned k = 0; k < l->n; k++)
			free_of &= !addr_contains(&l->a[k].addr, out);
		if (free_of)
			return;
	}
	*out = (struct addr){ 0 };
}

/* An address of this node that answers for clients of another network than the server's: in the virtual address's own
 * network, or on the way to the world. */
static void
choose_outside(struct ward *w, struct exam *e)
{
	struct seen *s = &e->seen;
	const struct addr *to = s->forward == forward_nat ? &s->rip : &s->vip;
	const struct addr *foreign = &w->foreign[to->family == 6];
	const struct iface_addr *a = iface_list_subnet(&w->ifaces, &s->vip);
	struct addr out;

	s->outside_addr = *foreign;
	s->outside = foreign->family != 0 ? OUTSIDE_FOREIGN : OUTSIDE_NONE;
	if (s->forward == forward_nat)
		return;
	if (a && addr_contains(&a->addr, &s->rip))
		a = NULL;
	if (!a && foreign->family != 0 && wire_source(foreign, &out) == 0)
		a = iface_list_find(&w->ifaces, &out, false);
	if (!a || a->loopback || addr_contains(&a->addr, &s->rip))
		return;
	s->outside = OUTSIDE_OWN;
	s->outside_addr = a->addr;
	s->outside_addr.len = s->vip.family == 4 ? 32 : 128;
}

static void
init_tunnel(const struct ward *w, struct exam *e, const struct service *svc)
{
	bool own = e->srv->forward == forward_tun;

	e->wrap = (struct wrap){
		.from = e->seen.local,
		.to = e->seen.rip,
		.kind = own ? e->srv->tunnel : svc->tunnel,
		.port = own ? e->srv->tunnel_port : svc->tunnel_port,
		.csum = (own ? e->srv->tunnel_csum : svc->tunnel_csum) == checksum_full,
	};
	e->seen.overhead = packet_overhead(&e->wrap);
	e->seen.mtu = wire_mtu(&w->ifaces, &e->seen.local);
}

static uint16_t
first_port(const struct service *svc)
{
	return svc->ports->n > 0 ? svc->ports->r[0].lo : 0;
}

/* Where the server is, and with which addresses of this node it is asked. */
static void
place(struct ward *w, struct exam *e)
{
	static const uint8_t none[MAC_LEN];
	const struct iface_addr *net;
	struct seen *s = &e->seen;

	if (addr_is_loopback(&s->rip) || iface_list_find(&w->ifaces, &s->rip, true)) {
		s->place = PLACE_HERE;
		return;
	}
	net = iface_list_subnet(&w->ifaces, &s->rip);
	s->place = net && memcmp(net->mac, none, MAC_LEN) != 0 ? PLACE_LINK : PLACE_ROUTED;
	if (s->place == PLACE_LINK) {
		e->hop.index = net->index;
		s->local = net->addr;
		s->local.len = s->rip.family == 4 ? 32 : 128;
	} else if (wire_source(&s->rip, &s->local) != 0) {
		s->local = (struct addr){ 0 };
		s->blind = s->forward == forward_dr ? NULL : "this node has no route to it";
	} else if (net && s->forward == forward_dr) {
		s->blind = "it is not on an Ethernet";
	}
	e->virt_from = s->local;
	if (s->vip.family != s->rip.family &&
	    wire_source(&w->foreign[s->vip.family == 6], &e->virt_from) != 0)
		e->virt_from = (struct addr){ 0 };
}

void
exam_init(struct ward *w, struct exam *e)
{
	const struct service *svc = e->patient->svc;
	struct seen *s = &e->seen;

	s->snat = svc->mode == mode_snat;
	s->forward = e->srv->forward != forward_service ? e->srv->forward
		     : svc->mode == mode_dr		? forward_dr
		     : svc->mode == mode_tun		? forward_tun
							: forward_nat;
	s->protocol = svc->protocol;
	s->rip = e->srv->address.addr;
	s->vip = svc->address.family != 0 ? svc->address : s->rip; /* a pool has none */
	s->vport = first_port(svc);
	s->rport = s->forward == forward_nat && e->srv->port != 0 ? e->srv->port : s->vport;
	s->vip_here = iface_list_find(&w->ifaces, &s->vip, true) != NULL;
	if (s->rip.family == 0)
		s->blind = "its address is a DNS name: only addresses are probed";
	else
		place(w, e);
	if (s->place != PLACE_HERE && !s->blind)
		choose_outside(w, e);
	if (s->forward == forward_tun)
		init_tunnel(w, e, svc);
}
