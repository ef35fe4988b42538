/* role_want.c - what the core is to do: the configuration, the pair and the interfaces as one table.
 *
 * It is made whole each time that one of them changes, and is written when the core has room for it. */
#include "role_priv.h"

#include "witness/keyfile.h"

#include "base/mem.h"
#include "sys/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct iface_addr *
port_of(const struct iface_list *l, const char *ifname)
{
	for (unsigned i = 0; i < l->n; i++)
		if (strcmp(l->a[i].name, ifname) == 0)
			return &l->a[i];
	return NULL;
}

/* Where an address goes, by an interface that has some: a device of a virtual router has its parent's place. */
static const struct iface_addr *
port_for(const struct ha_role *r, const struct floating *f)
{
	int place = vmac_is_name(f->ifname) ? role_vrrp_place(r, f->router) : -1;

	if (place == -1)
		return port_of(&r->kernel, f->ifname);
	return r->router[place].vmac.name[0] != '\0' ? port_of(&r->kernel, r->router[place].ifname)
						     : NULL;
}

static void
want_witness(struct ha_role *r, struct shared_want *w, const struct setting *s)
{
	struct keyfile key;
	struct err err = { 0 };
	char path[300];

	if (s->witness.family == 0)
		return;
	(void)snprintf(path, sizeof(path), "%s/ha/witness.key", r->paths.state);
	if (keyfile_load(path, &key, &err) != 0) {
		log_warn("witness: %s; it cannot be asked", err.text);
		return;
	}
	memcpy(w->witness_secret, key.secret[0], sizeof(w->witness_secret));
	explicit_bzero(&key, sizeof(key));
	w->witness = s->witness;
	w->witness_port = s->witness_port;
}

static void
want_link(struct shared_want *w, int32_t index)
{
	for (unsigned i = 0; i < w->links; i++)
		if (w->link[i] == index)
			return;
	if (w->links < SHARED_LINKS)
		w->link[w->links++] = index;
}

static void
want_address(struct ha_role *r, struct shared_want *w, const struct floating *f,
    const struct iface_addr *port)
{
	struct shared_addr *a = &w->a[w->n];
	int len, place = role_vrrp_place(r, f->router);
	const struct vmac *vmac =
	    place >= 0 && vmac_is_name(f->ifname) ? &r->router[place].vmac : NULL;

	*a = (struct shared_addr){
		.addr = f->addr,
		.index = vmac != NULL ? vmac->index : port->index,
		.group = (uint8_t)(r->paired ? f->group - 1 : SHARED_GROUPS + place),
		.tell = !port->loopback,
	};
	memcpy(a->mac, vmac != NULL ? vmac->mac : port->mac, sizeof(a->mac));
	len = snprintf(a->label, sizeof(a->label), "%.15s:lbd", f->ifname);
	if (f->addr.family != 4 || len < 0 || (size_t)len >= sizeof(a->label))
		a->label[0] = '\0';
	if (r->paired && !port->loopback && want_counts(r->now, port->name))
		want_link(w, port->index);
}

static void
want_addresses(struct ha_role *r, struct shared_want *w)
{
	for (uint32_t i = 0; i < r->fips_n && w->n < SHARED_ADDRS; i++) {
		const struct iface_addr *port = port_for(r, &r->fips[i]);

		if (r->fips[i].fault[0] != '\0' || port == NULL ||
		    (!r->paired && role_vrrp_place(r, r->fips[i].router) == -1))
			continue;
		want_address(r, w, &r->fips[i], port);
		r->table[w->n++] = i;
	}
	r->placed = w->n;
}

bool
role_is_outside(const struct ha_role *r)
{
	return r->now != NULL && snapshot_setting(r->now)->ha_roles == ha_roles_outside;
}

static void
want_pair(struct ha_role *r, struct shared_want *w, const struct setting *s)
{
	w->cluster = r->cluster.id;
	w->node = r->cluster.node;
	w->inherit = r->alone && r->cluster.node == 1;
	memcpy(w->secret, r->cluster.secret, sizeof(w->secret));
	want_carriers(w, &r->names, &r->cluster, r->now, &r->kernel);
	want_groups(w, &r->cluster, r->now);
	for (unsigned g = 0; g < SHARED_GROUPS; g++)
		w->group[g].fence = fence_required(r->now);
	want_pings(w, &r->names, r->now);
	want_witness(r, w, s);
}

void
role_tell_core(struct ha_role *r)
{
	const struct setting *s;
	struct shared_want *w;

	r->due = true;
	/* Before the addresses are known the core would take away what it holds. */
	if (r->core == NULL || r->now == NULL || r->fips == NULL ||
	    (w = core_link_edit(r->core)) == NULL)
		return;
	s = snapshot_setting(r->now);
	r->due = false;
	r->placed = 0;
	w->paired = r->paired;
	if (r->paired)
		want_pair(r, w, s);
	role_vrrp_want(r, w);
	w->announce = s->announce;
	w->announce_gap = DUR_MS(s->announce_gap);
	w->refresh = DUR_MS(s->ha_refresh);
	memcpy(w->peer_mac, r->mac, sizeof(w->peer_mac));
	w->macs = r->macs;
	if (!role_is_outside(r))
		want_addresses(r, w);
	core_link_commit(r->core);
	r->alone = r->alone && !r->paired;
}

static bool
same_ports(const struct iface_list *a, const struct iface_list *b)
{
	if (a->n != b->n)
		return false;
	for (unsigned i = 0; i < a->n; i++)
		if (a->a[i].index != b->a[i].index || strcmp(a->a[i].name, b->a[i].name) != 0 ||
		    memcmp(&a->a[i].addr, &b->a[i].addr, sizeof(a->a[i].addr)) != 0 ||
		    memcmp(a->a[i].mac, b->a[i].mac, sizeof(a->a[i].mac)) != 0)
			return false;
	return true;
}

static bool
same_fips(const struct ha_role *r, const struct address_plan *plan)
{
	if (r->fips_n != plan->n)
		return false;
	for (uint32_t i = 0; i < plan->n; i++)
		if (floating_compare(&r->fips[i], &plan->want[i]) != 0 ||
		    r->fips[i].group != plan->want[i].group ||
		    r->fips[i].router != plan->want[i].router ||
		    r->fips[i].advertised != plan->want[i].advertised ||
		    strcmp(r->fips[i].ifname, plan->want[i].ifname) != 0 ||
		    r->fips[i].addr.len != plan->want[i].addr.len ||
		    (r->fips[i].fault[0] == '\0') != (plan->want[i].fault[0] == '\0'))
			return false;
	return true;
}

/* Faults of the core's tries into the plan. */
static void
take_faults(const struct ha_role *r, struct address_plan *plan)
{
	for (uint32_t i = 0; i < r->placed; i++) {
		int code = core_link_error(r->core, i);
		struct floating *f = &plan->want[r->table[i]];

		if (code != 0 && f->fault[0] == '\0')
			(void)snprintf(f->fault, sizeof(f->fault), "%s: %s", f->ifname,
			    code == EPERM ? "operation not permitted" : strerror(code));
	}
	for (uint32_t i = 0; i < plan->n; i++) {
		struct floating *f = &plan->want[i];
		int place = role_vrrp_place(r, f->router);
		const char *why = place >= 0 ? r->router[place].why : "";

		if (f->fault[0] != '\0' || port_for(r, f) != NULL)
			continue;
		if (vmac_is_name(f->ifname) && why[0] != '\0')
			(void)snprintf(
			    f->fault, sizeof(f->fault), "%.*s", (int)sizeof(f->fault) - 1, why);
		else
			(void)snprintf(
			    f->fault, sizeof(f->fault), "%s: no such interface", f->ifname);
	}
}

/* Those of virtual routers wait for a core. */
static void
lack_core(struct address_plan *plan)
{
	for (uint32_t i = 0; i < plan->n; i++)
		if (plan->want[i].router != 0 && plan->want[i].fault[0] == '\0')
			(void)snprintf(plan->want[i].fault, sizeof(plan->want[i].fault),
			    "%s: the core process does not run", plan->want[i].ifname);
}

bool
role_place(struct ha_role *r, struct address_plan *plan, const struct iface_list *kernel)
{
	bool same;

	if (r->core == NULL && !role_is_outside(r)) {
		lack_core(plan);
		return false;
	}
	same =
	    same_fips(r, plan) && same_ports(&r->kernel, kernel) && !r->due && !role_vrrp_lacks(r);
	free(r->fips);
	iface_list_fini(&r->kernel);
	r->fips = mem_alloc((plan->n + 1) * sizeof(*r->fips));
	if (plan->n > 0)
		memcpy(r->fips, plan->want, plan->n * sizeof(*r->fips));
	r->fips_n = plan->n;
	r->kernel.n = kernel->n;
	r->kernel.a = mem_alloc((kernel->n + 1) * sizeof(*kernel->a));
	if (kernel->n > 0)
		memcpy(r->kernel.a, kernel->a, kernel->n * sizeof(*kernel->a));
	if (!same)
		role_tell_core(r);
	if (!role_is_outside(r))
		take_faults(r, plan);
	return r->paired || role_is_outside(r);
}
