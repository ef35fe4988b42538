/* What is known of keepalived's instances only when the file is read: groups, names, families, versions and priorities of
 * the virtual routers, their addresses, and the group of services on these. */
#include "import/keepalived_vrrp.h"

#include "base/must.h"

#include <stdio.h>
#include <string.h>

#define PRIORITY 100
#define PRIORITY_MOST 254 /* with what positive weights add; 255 is an owner */
#define TTL6 64		  /* of keepalived's unicast advertisements over IPv6 */

bool
ka_is_member(const struct ka_vrrp *v, const char *group, const struct ka_instance *i)
{
	for (const struct ka_member *m = v->members; m != NULL && group != NULL; m = m->next)
		if (strcmp(m->group, group) == 0 && strcmp(m->instance, i->name) == 0)
			return true;
	return false;
}

static struct ka_instance *
find(const struct ka_vrrp *v, const char *name)
{
	for (struct ka_instance *i = v->instances; i != NULL; i = i->next)
		if (strcmp(i->name, name) == 0)
			return i;
	return NULL;
}

static void
put_members(struct ka_vrrp *v)
{
	for (const struct ka_member *m = v->members; m != NULL; m = m->next) {
		struct ka_instance *i = find(v, m->instance);

		if (i != NULL)
			(void)import_take(v->im, i->row, m->at, m->what, "sync", m->group, NULL);
		else
			import_say(v->im, m->at, NOT_TAKEN, m->what,
			    "vrrp.sync: there is no such vrrp_instance");
	}
}

static const char *
device_of(const struct ka_instance *i, const struct ka_address *a)
{
	return a->dev != NULL ? a->dev : i->interface != NULL ? i->interface : "";
}

static unsigned
family_of(const struct ka_instance *i)
{
	for (const struct ka_address *a = i->addresses; a != NULL; a = a->next)
		if (!a->excluded)
			return a->addr.family;
	return i->six ? 6 : 4;
}

/* The first group that no instance before it has on its interface, in its family. 0: none. */
static uint8_t
free_group(const struct ka_vrrp *v, const struct ka_instance *i)
{
	bool taken[3] = { false };

	for (const struct ka_instance *k = v->instances; k != i; k = k->next)
		if (k->interface != NULL && i->interface != NULL &&
		    strcmp(k->interface, i->interface) == 0 && family_of(k) == family_of(i))
			taken[k->group] = true;
	return !taken[1] ? 1 : !taken[2] ? 2 : 0;
}

/* What of an address is otherwise here; NULL: nothing. */
static const char *
difference(const struct ka_instance *i, const struct ka_address *a)
{
	bool here = a->addr.family == family_of(i) && i->interface != NULL &&
		    strcmp(device_of(i, a), i->interface) == 0;

	if (a->excluded && here)
		return "it is advertised, being on the interface: the other routers need it in "
		       "virtual_ipaddress";
	if (!a->excluded && !here)
		return "it moves, and is not advertised, being of another interface or family";
	if (a->more)
		return "what follows the address is lbd-ha's to choose";
	return NULL;
}

static void
put_address(struct ka_vrrp *v, struct ka_instance *i, struct ka_address *a)
{
	struct import_row *r = import_extra_new(v->im, KIND_fip, a->at);
	char text[ADDR_TEXT];
	struct buf name = { 0 };

	r->with = i->row;
	addr_format(&a->addr, ADDR_CIDR, text);
	if (!import_take(v->im, r, a->at, a->what, "address", text, difference(i, a)))
		return;
	(void)import_put(v->im, r, "interface", device_of(i, a), NULL);
	if (i->group == 2)
		import_putf(v->im, r, "group", "2");
	name_host(&a->addr, &name);
	import_name(v->im, r, "fip ", buf_text(&name));
	buf_fini(&name);
}

/* Services on an address are in the group of the address. */
static void
put_services(struct ka_vrrp *v, const struct ka_instance *i, const struct ka_address *a)
{
	for (struct import_service *s = v->im->services; s != NULL && i->group == 2; s = s->next)
		for (const struct import_end *e = s->ends; e != NULL; e = e->next)
			if (memcmp(e->lo.b, a->addr.b, sizeof(e->lo.b)) <= 0 &&
			    memcmp(e->hi.b, a->addr.b, sizeof(e->hi.b)) >= 0 &&
			    e->lo.family == a->addr.family)
				import_putf(v->im, &s->row, "group", "2");
}

static void
put_priority(struct ka_vrrp *v, const struct ka_instance *i)
{
	uint32_t own = i->priority_what != NULL ? i->priority : PRIORITY, all = own + i->raise;
	const char *what = i->priority_what != NULL ? i->priority_what : i->what;

	if (own < 255 && i->raise > 0) {
		all = all < PRIORITY_MOST ? all : PRIORITY_MOST;
		import_putf(v->im, i->row, "priority", "%u", all);
		import_say(v->im, i->priority_at, TAKEN_OTHERWISE, what,
		    "vrrp.priority: %u, with the weights of what is tracked, and less while that is bad",
		    all);
		return;
	}
	import_putf(v->im, i->row, "priority", "%u", own);
	if (i->priority_what != NULL)
		import_say(v->im, i->priority_at, TAKEN, what, "vrrp.priority");
}

static void
put_password(struct ka_vrrp *v, const struct ka_instance *i, unsigned version)
{
	if (i->password == NULL)
		return;
	if (version != 2)
		import_say(v->im, i->password_at, NOT_TAKEN, "auth_pass",
		    "vrrp.password: version 3 has none");
	else
		(void)import_take(
		    v->im, i->row, i->password_at, "auth_pass", "password", i->password, NULL);
}

static void
put_wire(struct ka_vrrp *v, const struct ka_instance *i)
{
	unsigned family = family_of(i);
	unsigned version = i->version != 0   ? i->version
			   : family == 6     ? 3
			   : v->version != 0 ? v->version
					     : 2;

	import_putf(v->im, i->row, "family", "ipv%u", family);
	import_putf(v->im, i->row, "version", "%u", version);
	if (import_value(i->row, "interval") == NULL)
		import_putf(v->im, i->row, "interval", "1s");
	if (i->unicast) {
		import_putf(v->im, i->row, "way", "unicast");
		if (family == 6 && import_value(i->row, "min_ttl") == NULL)
			import_putf(v->im, i->row, "min_ttl", "%u", TTL6);
	}
	put_password(v, i, version);
}

static void
put_instance(struct ka_vrrp *v, struct ka_instance *i)
{
	struct buf name = { 0 };

	i->group = free_group(v, i);
	if (i->interface == NULL || import_value(i->row, "vrid") == NULL || i->group == 0) {
		import_say(v->im, i->row->at, NOT_TAKEN, i->what,
		    "left out, with its addresses: %s",
		    i->group == 0 ? "an interface has two virtual routers of a family at most"
		    : i->interface == NULL ? "vrrp.interface is required"
					   : "vrrp.vrid: a number is required (virtual_router_id)");
		i->row->left_out = true;
		return;
	}
	put_wire(v, i);
	put_priority(v, i);
	if (i->group == 2)
		import_putf(v->im, i->row, "group", "2");
	for (struct ka_address *a = i->addresses; a != NULL; a = a->next) {
		put_address(v, i, a);
		put_services(v, i, a);
	}
	for (const struct ka_route *k = i->routes; k != NULL && i->group == 2; k = k->next)
		import_putf(v->im, k->row, "group", "2");
	name_clean(i->name, 50, &name);
	import_name(v->im, i->row, "vrrp ", buf_text(&name));
	buf_fini(&name);
	import_say(v->im, i->row->at, i->addresses != NULL ? TAKEN : TAKEN_OTHERWISE, i->what, "%s",
	    i->addresses != NULL ? "vrrp" : "vrrp: it has no address, and waits for one");
}

static bool
has_host(const struct ka_vrrp *v, const struct addr *host)
{
	for (const struct ka_instance *i = v->instances; i != NULL; i = i->next)
		for (const struct ka_address *a = i->addresses; a != NULL; a = a->next)
			if (addr_same_host(&a->addr, host))
				return true;
	return false;
}

bool
ka_vrrp_lacks(const struct ka_vrrp *v, const struct import_service *s)
{
	for (const struct import_end *e = s->ends; v->instances != NULL && e != NULL; e = e->next)
		if (!addr_same_host(&e->lo, &e->hi) || !has_host(v, &e->lo))
			return true;
	return false;
}

void
ka_vrrp_finish(struct ka_vrrp *v)
{
	put_members(v);
	ka_track_finish(v); /* it raises priorities */
	for (struct ka_instance *i = v->instances; i != NULL; i = i->next)
		put_instance(v, i);
}
