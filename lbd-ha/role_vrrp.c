/* role_vrrp.c - virtual routers between the configuration and the core: their places in its table, their macvlans, and
 * what is told of them.
 *
 * A row keeps its place as long as it is there, so that the core knows it again; a side that was started again finds the
 * places in what the core shows. A macvlan is made here, since that allocates, before the core is told of it, and taken
 * away after the core has let it go: its last advertisement leaves by it. */
#include "role_priv.h"

#include "vrrp/vrrp_advice.h"

#include "sys/log.h"

#include <stdio.h>
#include <string.h>

unsigned
role_vrrp_rows(const struct snapshot *s)
{
	unsigned n = 0;

	if (snapshot_setting(s)->ha_roles == ha_roles_outside)
		return 0; /* another program holds the addresses */
	for (uint32_t i = 0; i < snapshot_count(s, KIND_vrouter); i++)
		n += ((const struct vrouter *)snapshot_at(s, KIND_vrouter, i))->enabled;
	return n;
}

int
role_vrrp_place(const struct ha_role *r, uint32_t id)
{
	for (unsigned i = 0; id != 0 && i < SHARED_VRRPS; i++)
		if (r->router[i].id == id)
			return (int)i;
	return -1;
}

void
role_vrrp_adopt(struct ha_role *r)
{
	struct shared_is is;

	core_link_is(r->core, &is);
	for (unsigned i = 0; i < SHARED_VRRPS; i++)
		r->router[i] =
		    (struct role_router){ .id = is.vrrp[i].id, .vmac.fd = -1, .old.fd = -1 };
}

bool
role_vrrp_has(const struct ha_role *r, const struct shared_is *is, unsigned group)
{
	bool any = false;

	for (unsigned i = 0; i < SHARED_VRRPS; i++) {
		const struct vrouter *v = r->router[i].id != 0
					      ? snapshot_find(r->now, KIND_vrouter, r->router[i].id)
					      : NULL;

		if (v == NULL || v->group != group + 1)
			continue;
		any = true;
		if (is->vrrp[i].id == v->id && is->vrrp[i].held)
			return true;
	}
	return !any;
}

/* ---- macvlans --------------------------------------------------------------------------------------------------- */

static void
give_up(struct role_router *p)
{
	preflight_fini(&p->preflight);
	if (p->vmac.name[0] == '\0')
		return;
	if (p->old.name[0] != '\0')
		(void)vmac_remove(&p->old);
	p->old = p->vmac;
	p->vmac = (struct vmac){ .fd = -1 };
}

void
role_vrrp_tidy(struct ha_role *r, bool all)
{
	for (unsigned i = 0; i < SHARED_VRRPS; i++) {
		struct role_router *p = &r->router[i];

		if (all)
			give_up(p);
		if (p->old.name[0] != '\0')
			(void)vmac_remove(&p->old);
		p->old = (struct vmac){ .fd = -1 };
	}
}

static void
use_vmac(struct role_router *p, const struct vrouter *row, int parent)
{
	uint8_t family = row->family == vrouter_family_ipv6 ? 6 : 4;
	char name[IFNAME_MAX];
	struct link_info have;
	struct err err;

	vmac_name(name, family, (uint8_t)row->vrid, parent);
	if (!row->virtual_mac || parent == 0) {
		give_up(p);
		return;
	}
	if (strcmp(p->vmac.name, name) == 0 && netlink_link_get(name, &have) == 0 &&
	    have.index == p->vmac.index)
		return;
	if (strcmp(p->vmac.name, name) != 0)
		give_up(p);
	if (strcmp(p->old.name, name) == 0)
		p->old = (struct vmac){ .fd = -1 }; /* it is wanted again */
	if (vmac_open(&p->vmac, row->interface, family, (uint8_t)row->vrid, &err) == 0) {
		vmac_close(&p->vmac); /* the core raises and lowers it */
		return;
	}
	if (p->why[0] == '\0')
		(void)snprintf(p->why, sizeof(p->why), "%.*s", (int)sizeof(p->why) - 1, err.text);
	p->vmac = (struct vmac){ .fd = -1 };
}

/* ---- what is wanted --------------------------------------------------------------------------------------------- */

static const struct vrouter *
row_of(const struct snapshot *s, uint32_t id)
{
	const struct vrouter *v = id != 0 ? snapshot_find(s, KIND_vrouter, id) : NULL;

	return v != NULL && v->enabled && role_vrrp_rows(s) > 0 ? v : NULL;
}

/* Those that are gone leave their places; new ones get the first that are free. */
static void
use_places(struct ha_role *r)
{
	for (unsigned i = 0; i < SHARED_VRRPS; i++) {
		struct role_router *p = &r->router[i];

		if (p->id != 0 && row_of(r->now, p->id) == NULL) {
			give_up(p);
			p->id = 0;
		}
	}
	for (uint32_t k = 0; k < snapshot_count(r->now, KIND_vrouter); k++) {
		const struct vrouter *v = snapshot_at(r->now, KIND_vrouter, k);
		unsigned i = 0;

		if (row_of(r->now, v->id) == NULL || role_vrrp_place(r, v->id) != -1)
			continue;
		while (i < SHARED_VRRPS && r->router[i].id != 0)
			i++;
		if (i < SHARED_VRRPS)
			r->router[i].id = v->id;
	}
}

/* By the first place that has the word. */
static uint8_t
sync_number(const struct ha_role *r, unsigned place)
{
	const char *word = r->router[place].sync;

	for (unsigned i = 0; word[0] != '\0' && i <= place; i++)
		if (r->router[i].id != 0 && strcmp(r->router[i].sync, word) == 0)
			return (uint8_t)(i + 1);
	return 0;
}

void
role_vrrp_want(struct ha_role *r, struct shared_want *w)
{
	use_places(r);
	for (unsigned i = 0; i < SHARED_VRRPS; i++) {
		struct role_router *p = &r->router[i];
		const struct vrouter *v = row_of(r->now, p->id);
		struct shared_vrrp *out = &w->vrrp[i];
		char before[WANT_WHY];

		if (v == NULL)
			continue;
		memcpy(before, p->why, sizeof(before));
		(void)snprintf(p->name, sizeof(p->name), "%s", v->name);
		(void)snprintf(p->sync, sizeof(p->sync), "%s", v->sync);
		(void)snprintf(p->ifname, sizeof(p->ifname), "%s", v->interface);
		want_vrrp(out, v, snapshot_setting(r->now), r->fips, r->fips_n, &r->kernel, p->why);
		use_vmac(p, v, out->index);
		if (v->virtual_mac && p->vmac.name[0] == '\0')
			out->self = (struct addr){ 0 };
		memcpy(out->vmac, p->vmac.name, sizeof(out->vmac));
		out->vmac_index = p->vmac.index;
		out->sync = sync_number(r, i);
		if (p->why[0] != '\0' && strcmp(before, p->why) != 0)
			log_warn("vrrp %s: %s", p->name, p->why);
	}
}

void
role_vrrp_look(struct ha_role *r, const struct shared_is *is)
{
	for (unsigned i = 0; i < SHARED_VRRPS; i++) {
		struct role_router *p = &r->router[i];
		const struct vrouter *v = row_of(r->now, p->id);
		struct addr target, self = { 0 };

		if (v == NULL || p->vmac.name[0] == '\0' || is->vrrp[i].id != p->id)
			continue;
		if (is->vrrp[i].state == VRRP_MASTER)
			self = is->vrrp[i].master;
		p->preflight.loop = r->loop;
		memcpy(p->preflight.ifname, p->ifname, sizeof(p->preflight.ifname));
		if (preflight_target(
			r->now, &r->kernel, p->ifname, &self, &is->vrrp[i].master, &target))
			preflight_look(&p->preflight, &target, mono_now());
	}
}

/* ---- what is ---------------------------------------------------------------------------------------------------- */

void
role_vrrp_event(const struct ha_role *r, const struct shared_event *e)
{
	const struct role_router *p = &r->router[(e->vrrp - 1u) % SHARED_VRRPS];

	log_info("vrrp %s: %s", p->name[0] != '\0' ? p->name : "?",
	    e->role < VRRP_STATES ? vrrp_state_name(e->role) : "?");
}

static int64_t
wall(mono_t at)
{
	return at == 0 ? 0 : (mono_wall_ms() - (mono_now() - at) / 1000) / 1000;
}

static const char *
fault_text(const struct role_router *p, const struct shared_vrrp_is *k)
{
	if (p->why[0] != '\0')
		return p->why;
	if (k->fault != 0)
		return strerror(-k->fault);
	return k->state == VRRP_FAULT ? "the interface has no carrier, or a track is bad" : "";
}

static void
tell_one(
    struct ha_role *r, const struct bus_request *rq, const struct shared_vrrp_is *k, unsigned i)
{
	const struct role_router *p = &r->router[i];
	const struct vrouter *v = row_of(r->now, p->id);
	struct shared_vrrp want = { 0 };
	char master[ADDR_TEXT] = "", mac[20] = "", why[WANT_WHY], advice[VRRP_ADVICE];
	char discarded[VRRP_DISCARDED];
	struct msg_ha_vrrp m = { .number = (uint8_t)i };

	want_vrrp(&want, v, snapshot_setting(r->now), r->fips, r->fips_n, &r->kernel, why);
	if (k->master.family != 0)
		addr_format(&k->master, ADDR_HOST, master);
	if (p->vmac.name[0] != '\0')
		(void)snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", p->vmac.mac[0],
		    p->vmac.mac[1], p->vmac.mac[2], p->vmac.mac[3], p->vmac.mac[4], p->vmac.mac[5]);
	preflight_advice(&p->preflight, advice);
	if (advice[0] == '\0')
		vrrp_advice(&want.conf, k->priority, &k->counts, advice);
	vrrp_discarded(&k->counts, discarded);
	m.name = SPAN(p->name);
	m.state = SPAN(vrrp_state_name(k->state < VRRP_STATES ? k->state : VRRP_INIT));
	m.interface = SPAN(p->ifname);
	m.vrid = want.conf.vrid;
	m.version = want.conf.version;
	m.family = want.conf.family;
	m.group = (uint8_t)v->group;
	m.priority = k->priority != 0 ? k->priority : want.conf.priority;
	m.master = SPAN(master);
	m.master_priority = k->master_priority;
	m.interval = (uint64_t)k->master_interval;
	m.since = wall(k->since);
	m.addresses = want.conf.n;
	m.mac = SPAN(mac);
	m.fault = SPAN(fault_text(p, k));
	m.advice = SPAN(advice);
	m.sent = k->counts.sent;
	m.received = k->counts.received;
	m.zero_sent = k->counts.zero_sent;
	m.zero_received = k->counts.zero_received;
	m.masters = k->counts.masters;
	m.answers = k->counts.answers;
	m.equal = k->counts.equal;
	m.stalls = k->counts.stalls;
	m.discarded = SPAN(discarded);
	role_say(r, rq, MSG_HA_VRRP, &m);
}

void
role_vrrp_tell(struct ha_role *r, const struct bus_request *rq, const struct shared_is *is)
{
	static const struct shared_vrrp_is none;

	for (unsigned i = 0; i < SHARED_VRRPS; i++) {
		const struct role_router *p = &r->router[i];
		const struct msg_ha_vrrp gone = { .number = (uint8_t)i, .state = SPAN("gone") };

		bool here = r->core != NULL && row_of(r->now, p->id) != NULL;

		if (here)
			tell_one(r, rq, is->vrrp[i].id == p->id ? &is->vrrp[i] : &none, i);
		else if (rq == NULL && (r->routers_told >> i & 1) != 0)
			role_say(r, NULL, MSG_HA_VRRP, &gone);
		if (rq == NULL && here)
			r->routers_told |= 1u << i;
		else if (rq == NULL)
			r->routers_told &= ~(1u << i);
	}
}
