/* role_vrrp.c - virtual routers between the configuration and the core: their places in its table, their devices (macvlan
 * or ipvlan), and what is told of them.
 *
 * A row keeps its place as long as it is there, so that the core knows it again; a side that was started again finds the
 * places in what the core shows. A device is made here, since that allocates, before the core is told of it, and taken
 * away after the core has let it go: its last advertisement leaves by it. A row whose device cannot be made takes no part:
 * another node is to be master then. It is tried again, also because the kernel lets one kind be on an interface: where
 * macvlans become ipvlans, the old ones go first. Devices of an earlier process that no row has any more are known by the
 * record of addresses (record.h). */
#include "role_priv.h"

#include "record.h"

#include "vrrp/vrrp_advice.h"

#include "sys/log.h"

#include <errno.h>
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

/* ---- devices ---------------------------------------------------------------------------------------------------- */

void
role_vrrp_recall(struct ha_role *r)
{
	record_read(&r->paths, &r->before);
}

static bool
has_name(const struct ha_role *r, const char *name)
{
	for (unsigned i = 0; i < SHARED_VRRPS; i++)
		if (strcmp(r->router[i].vmac.name, name) == 0)
			return true;
	return false;
}

/* Those of an earlier process that nobody wants. */
static void
forget(struct ha_role *r)
{
	for (uint32_t i = 0; i < r->before.n; i++) {
		const char *name = r->before.a[i].ifname;

		if (vmac_is_name(name) && !has_name(r, name))
			(void)netlink_link_del(name);
	}
	places_fini(&r->before);
}

bool
role_vrrp_lacks(const struct ha_role *r)
{
	for (unsigned i = 0; i < SHARED_VRRPS; i++)
		if (r->router[i].lacks)
			return true;
	return false;
}

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
	bool freed = false;

	for (unsigned i = 0; i < SHARED_VRRPS; i++) {
		struct role_router *p = &r->router[i];

		if (all)
			give_up(p);
		freed = freed || p->old.name[0] != '\0';
		if (p->old.name[0] != '\0')
			(void)vmac_remove(&p->old);
		p->old = (struct vmac){ .fd = -1 };
	}
	freed = freed || r->before.n > 0;
	forget(r);
	if (!all && freed && role_vrrp_lacks(r)) /* what was in the way is gone */
		role_tell_core(r);
}

static enum vmac_kind
kind_of(const struct vrouter *row)
{
	return row->ipvlan ? VMAC_IPVLAN : VMAC_MACVLAN;
}

static uint8_t
family_of(const struct vrouter *row)
{
	return row->family == vrouter_family_ipv6 ? 6 : 4;
}

static bool
has_device(const struct vrouter *row)
{
	return row->virtual_mac || row->ipvlan;
}

/* A device that is not the one that the row wants now. */
static void
leave_device(struct role_router *p, const struct vrouter *row, int parent)
{
	char name[IFNAME_MAX];

	vmac_name(name, kind_of(row), family_of(row), (uint8_t)row->vrid, parent);
	p->lacks = false;
	if (!has_device(row) || parent == 0 || strcmp(p->vmac.name, name) != 0)
		give_up(p);
	if (has_device(row) && strcmp(p->old.name, name) == 0)
		p->old = (struct vmac){ .fd = -1 }; /* it is wanted again */
}

/* What is in the way on an interface is about to go: nothing to be told of. */
static bool
waits(const struct ha_role *r, int code)
{
	for (unsigned i = 0; code == -EBUSY && i < SHARED_VRRPS; i++)
		if (r->router[i].old.name[0] != '\0')
			return true;
	return code == -EBUSY && r->before.n > 0;
}

/* Of a row that has one; the interface is there. */
static void
use_device(struct ha_role *r, struct role_router *p, const struct vrouter *row)
{
	struct link_info have;
	struct err err;
	int code;

	if (p->vmac.name[0] != '\0' && netlink_link_get(p->vmac.name, &have) == 0 &&
	    have.index == p->vmac.index) {
		memcpy(p->vmac.mac, have.mac, sizeof(have.mac)); /* an ipvlan's is its parent's */
		return;
	}
	code = vmac_open(
	    &p->vmac, kind_of(row), row->interface, family_of(row), (uint8_t)row->vrid, &err);
	vmac_close(&p->vmac); /* the core raises and lowers it */
	if (code == 0)
		return;
	p->lacks = true;
	p->vmac = (struct vmac){ .fd = -1 };
	if (p->why[0] == '\0' && !waits(r, code))
		(void)snprintf(p->why, sizeof(p->why), "%.*s", (int)sizeof(p->why) - 1, err.text);
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
			p->lacks = false;
			p->why[0] = '\0'; /* the next one here has faults of its own */
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

static void
want_row(struct ha_role *r, struct shared_vrrp *out, unsigned i, const struct vrouter *v)
{
	struct role_router *p = &r->router[i];

	(void)snprintf(p->name, sizeof(p->name), "%s", v->name);
	(void)snprintf(p->sync, sizeof(p->sync), "%s", v->sync);
	(void)snprintf(p->ifname, sizeof(p->ifname), "%s", v->interface);
	want_vrrp(out, v, snapshot_setting(r->now), r->fips, r->fips_n, &r->kernel, p->why);
	out->sync = sync_number(r, i);
	leave_device(p, v, out->index);
}

static void
want_device(struct ha_role *r, struct shared_vrrp *out, unsigned i, const struct vrouter *v)
{
	struct role_router *p = &r->router[i];

	if (has_device(v) && out->index != 0)
		use_device(r, p, v);
	if (has_device(v) && p->vmac.name[0] == '\0')
		out->self = (struct addr){ 0 };
	memcpy(out->vmac, p->vmac.name, sizeof(out->vmac));
	out->vmac_index = p->vmac.index;
}

/* All devices that go, before any that comes. */
void
role_vrrp_want(struct ha_role *r, struct shared_want *w)
{
	char before[SHARED_VRRPS][WANT_WHY];

	use_places(r);
	for (unsigned i = 0; i < SHARED_VRRPS; i++) {
		const struct vrouter *v = row_of(r->now, r->router[i].id);

		memcpy(before[i], r->router[i].why, sizeof(before[i]));
		if (v != NULL)
			want_row(r, &w->vrrp[i], i, v);
	}
	for (unsigned i = 0; i < SHARED_VRRPS; i++) {
		const struct role_router *p = &r->router[i];
		const struct vrouter *v = row_of(r->now, p->id);

		if (v == NULL)
			continue;
		want_device(r, &w->vrrp[i], i, v);
		if (p->why[0] != '\0' && strcmp(before[i], p->why) != 0)
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

		if (v == NULL || !v->virtual_mac || p->vmac.name[0] == '\0' ||
		    is->vrrp[i].id != p->id)
			continue; /* an ipvlan has no second hardware address */
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
	if (p->lacks)
		return "it waits for the interface, which still has a device of another kind";
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
	_Static_assert(PREFLIGHT_TEXT <= VRRP_ADVICE, "either of them has room");
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
