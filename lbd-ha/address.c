/* address.c - the plan for floating addresses: configuration on one side, the kernel's list on the other.
 *
 * An address is wanted because an enabled service or rule of translation uses it or because somebody asked for it by
 * hand; both together make one entry, with the prefix length and interface of the manual one. Nothing that derives
 * from services is stored anywhere: the last one takes its address with it because the next plan no longer has it.
 *
 * What is in the kernel falls into three: addresses with our mark that are in our record are ours to delete;
 * addresses with the mark but not in the record are another instance's; all others are the administrator's. Only
 * the last kind says where subnets are and can be in the way of a floating address.
 *
 * No I/O, no logging; garp.c announces and hold.c does it. */
#include "address.h"

#include "vrrp/vmac.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int
compare_addr(const struct addr *a, const struct addr *b)
{
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	return memcmp(a->b, b->b, sizeof(a->b));
}

int
floating_compare(const void *a, const void *b)
{
	return compare_addr(
	    &((const struct floating *)a)->addr, &((const struct floating *)b)->addr);
}

int
place_compare(const void *a, const void *b)
{
	const struct place *x = a, *y = b;
	int r = compare_addr(&x->addr, &y->addr);

	if (r == 0)
		r = (int)x->addr.len - (int)y->addr.len;
	return r ? r : strncmp(x->ifname, y->ifname, sizeof(x->ifname));
}

static struct place
place_of(const char *ifname, const struct addr *a)
{
	struct place p = { .addr = *a };

	(void)snprintf(p.ifname, sizeof(p.ifname), "%s", ifname);
	return p;
}

bool
places_have(const struct places *p, const char *ifname, const struct addr *a)
{
	struct place key = place_of(ifname, a);

	return p->n && bsearch(&key, p->a, p->n, sizeof(*p->a), place_compare) != NULL;
}

void
places_fini(struct places *p)
{
	FREE(p->a);
	p->n = 0;
}

static void
places_add(struct places *p, const char *ifname, const struct addr *a)
{
	if ((p->n & (p->n - 1)) == 0)
		p->a = mem_grow(p->a, (p->n ? p->n * 2 : 1) * sizeof(*p->a));
	p->a[p->n++] = place_of(ifname, a);
}

struct wanted {
	struct floating *f;
	uint32_t n, room;
};

static struct floating *
want(struct wanted *w, const struct addr *a)
{
	if (w->n == w->room) {
		w->room = w->room ? w->room * 2 : 64;
		w->f = mem_grow(w->f, w->room * sizeof(*w->f));
	}
	w->f[w->n] = (struct floating){ .addr = *a, .group = 1 };
	return &w->f[w->n++];
}

static bool
step(struct addr *a)
{
	for (unsigned i = a->family == 4 ? 4 : 16; i-- > 0;)
		if (++a->b[i] != 0)
			return true;
	return false;
}

/* Each of them is an address by itself: the field's range bounds how many there are. */
static void
want_ranges(struct wanted *w, const struct addrs *list, uint8_t group)
{
	for (unsigned i = 0; list && i < list->n; i++) {
		struct addr at = list->r[i].lo;

		do {
			struct floating *f = want(w, &at);

			f->services = 1;
			f->group = group;
		} while (memcmp(at.b, list->r[i].hi.b, sizeof(at.b)) != 0 && step(&at));
	}
}

static void
want_all(const struct snapshot *s, struct wanted *w)
{
	for (uint32_t i = 0; i < snapshot_count(s, KIND_fip); i++) {
		const struct fip *row = snapshot_at(s, KIND_fip, i);
		struct floating *f = want(w, &row->address);

		f->manual = true;
		f->group = (uint8_t)row->group;
		(void)snprintf(f->ifname, IFNAME_MAX, "%s", row->interface);
	}
	for (uint32_t i = 0; i < snapshot_count(s, KIND_service); i++) {
		const struct service *row = snapshot_at(s, KIND_service, i);
		struct floating *f;

		if (!row->enabled || !row->address.family)
			continue;
		f = want(w, &row->address);
		f->services = 1;
		f->group = (uint8_t)row->group;
		want_ranges(w, row->more_addresses, f->group);
	}
	for (uint32_t i = 0; i < snapshot_count(s, KIND_natrule); i++) {
		const struct natrule *row = snapshot_at(s, KIND_natrule, i);

		if (row->enabled && row->outside.family)
			want(w, &row->outside)->services = 1;
	}
}

/* All that is wanted, sorted, one row each; where they go is still open. ifname of a manual one is its own. */
static void
collect(const struct snapshot *s, struct address_plan *out)
{
	struct wanted w = { 0 };
	struct floating *f;
	uint32_t to = 0, n;

	want_all(s, &w);
	f = w.f;
	n = w.n;
	if (n)
		qsort(f, n, sizeof(*f), floating_compare);
	for (uint32_t i = 0; i < n; i++) {
		struct floating *last = to ? &f[to - 1] : NULL;

		if (!last || floating_compare(last, &f[i]) != 0) {
			f[to++] = f[i];
			continue;
		}
		f[i].services += last->services;
		f[i].manual |= last->manual;
		f[i].group =
		    last->services > 0 && last->group > f[i].group ? last->group : f[i].group;
		if (last->addr.len != f[i].addr.len && last->manual)
			f[i].addr.len = last->addr.len;
		if (last->ifname[0])
			memcpy(f[i].ifname, last->ifname, sizeof(last->ifname));
		*last = f[i];
	}
	out->want = f;
	out->n = to;
}

/* As iface_list_subnet, also on interfaces that are down. */
static const struct iface_addr *
any_subnet(const struct iface_list *own, const struct addr *host)
{
	const struct iface_addr *best = NULL;

	for (unsigned i = 0; i < own->n; i++) {
		const struct iface_addr *e = &own->a[i];

		if (e->addr.len == (e->addr.family == 4 ? 32 : 128) ||
		    !addr_contains(&e->addr, host))
			continue;
		if (!best || e->addr.len > best->addr.len)
			best = e;
	}
	return best;
}

static void
choose_interface(const struct snapshot *s, const struct iface_list *own, struct floating *f)
{
	const struct iface_addr *e;

	if (f->ifname[0])
		return;
	if (addr_is_loopback(&f->addr)) {
		(void)snprintf(f->ifname, sizeof(f->ifname), "lo");
		return;
	}
	e = iface_list_subnet(own, &f->addr);
	if (!e)
		e = any_subnet(own, &f->addr);
	if (e)
		memcpy(f->ifname, e->name, sizeof(f->ifname));
	else if (snapshot_node(s)->interface[0])
		(void)snprintf(f->ifname, sizeof(f->ifname), "%s", snapshot_node(s)->interface);
	else
		(void)snprintf(f->ifname, sizeof(f->ifname), "lo");
}

static bool
is_on(const struct vrouter *v, const struct floating *f)
{
	return f->addr.family == (v->family == vrouter_family_ipv6 ? 6 : 4) &&
	       strcmp(f->ifname, v->interface) == 0;
}

static void
choose_router(const struct snapshot *s, const struct iface_list *kernel, struct floating *f)
{
	const struct vrouter *with = NULL;

	for (uint32_t i = 0; i < snapshot_count(s, KIND_vrouter) && !f->advertised; i++) {
		const struct vrouter *v = snapshot_at(s, KIND_vrouter, i);

		if (!v->enabled || v->group != f->group)
			continue;
		f->advertised = is_on(v, f);
		if (f->advertised || with == NULL)
			with = v;
	}
	if (with == NULL)
		return;
	f->router = with->id;
	if (!f->advertised || (!with->virtual_mac && !with->ipvlan))
		return;
	f->addr.len = f->addr.family == 4 ? 32 : 128;
	for (unsigned i = 0; i < kernel->n; i++)
		if (strcmp(kernel->a[i].name, with->interface) == 0) {
			vmac_name(f->ifname, with->ipvlan ? VMAC_IPVLAN : VMAC_MACVLAN,
			    f->addr.family, (uint8_t)with->vrid, kernel->a[i].index);
			return;
		}
}

/* The administrator's addresses, and where marked ones are. own borrows nothing: own->a is the caller's. */
static void
split(const struct iface_list *kernel, struct iface_list *own, struct places *marked)
{
	own->a = mem_alloc((kernel->n + 1) * sizeof(*own->a));
	for (unsigned i = 0; i < kernel->n; i++) {
		const struct iface_addr *e = &kernel->a[i];

		if (e->ours)
			places_add(marked, e->name, &e->addr);
		else
			own->a[own->n++] = *e;
	}
	if (marked->n)
		qsort(marked->a, marked->n, sizeof(*marked->a), place_compare);
}

void
address_plan(const struct snapshot *s, const struct iface_list *kernel, const struct places *mine,
    struct address_plan *out)
{
	struct places marked = { 0 }, wanted = { 0 };
	struct iface_list own = { 0 };
	bool outside = snapshot_setting(s)->ha_roles == ha_roles_outside;

	*out = (struct address_plan){ 0 };
	split(kernel, &own, &marked);
	collect(s, out);
	for (uint32_t i = 0; i < out->n; i++) {
		struct floating *f = &out->want[i];
		const struct iface_addr *e = iface_list_find(&own, &f->addr, false);

		choose_interface(s, &own, f);
		if (outside) {
			f->held = e != NULL;
			if (e)
				memcpy(f->ifname, e->name, sizeof(f->ifname));
			continue;
		}
		choose_router(s, kernel, f);
		if (e) {
			(void)snprintf(f->fault, sizeof(f->fault),
			    "it is an address of interface %s", e->name);
			continue;
		}
		places_add(&wanted, f->ifname, &f->addr); /* in the order of place_compare */
		f->held = places_have(&marked, f->ifname, &f->addr);
		if (!f->held)
			places_add(&out->add, f->ifname, &f->addr);
	}
	for (uint32_t i = 0; i < marked.n; i++)
		if (places_have(mine, marked.a[i].ifname, &marked.a[i].addr) &&
		    !places_have(&wanted, marked.a[i].ifname, &marked.a[i].addr))
			places_add(&out->del, marked.a[i].ifname, &marked.a[i].addr);
	places_fini(&marked);
	places_fini(&wanted);
	free(own.a);
}

void
address_plan_fini(struct address_plan *p)
{
	FREE(p->want);
	p->n = 0;
	places_fini(&p->add);
	places_fini(&p->del);
}
