/* What VRRP asks of its rows: only what the wire can carry, and no floating address in two virtual routers. Pure.
 *
 * The limits of intervals are those of the fields of an advertisement (RFC 9568 section 5.2.7, RFC 3768 section 5.3.7).
 * That a virtual router has addresses at all is not asked here: they come and go with services; lbd-ha shows it. */
#include "store/object_checks_priv.h"

#include "base/must.h"

#include <string.h>

#define ROUTERS_MOST 16

static int
check_version(struct look *l, const struct vrouter *v)
{
	bool two = v->version == 2;

	if (two && v->family == vrouter_family_ipv6)
		return look_bad(l, KIND_vrouter, v, "version",
		    "2 is not possible with family ipv6; allowed is 3");
	if (two && (v->interval % 1000 != 0 || v->interval > 255000))
		return look_bad(l, KIND_vrouter, v, "interval",
		    "%u ms cannot be said in version 2; allowed are whole seconds, 1s to 255s",
		    (unsigned)v->interval);
	if (!two && (v->interval % 10 != 0 || v->interval > 40950))
		return look_bad(l, KIND_vrouter, v, "interval",
		    "%u ms cannot be said in version 3; allowed are 10ms to 40950ms in steps of 10ms",
		    (unsigned)v->interval);
	if (!two && v->password[0] != '\0')
		return look_bad(l, KIND_vrouter, v, "password",
		    "is not possible with version 3, which has none; unset password, or take version 2");
	if (strlen(v->password) > 8)
		return look_bad(l, KIND_vrouter, v, "password",
		    "is longer than the field of an advertisement; allowed are up to 8 characters");
	if (v->checksum != vrouter_checksum_auto && (two || v->family == vrouter_family_ipv6))
		return look_bad(l, KIND_vrouter, v, "checksum",
		    "%s is not possible here: only version 3 over IPv4 has a choice; unset checksum",
		    word_text(&vrouter_checksum_list, v->checksum));
	return 0;
}

static int
check_host(struct look *l, const struct vrouter *v, const char *field, const struct addr *a)
{
	unsigned family = v->family == vrouter_family_ipv6 ? 6 : 4;
	const char *why = look_no_host(a);
	char text[ADDR_TEXT];

	addr_format(a, ADDR_HOST, text);
	if (a->family != family)
		return look_bad(l, KIND_vrouter, v, field, "\"%s\" is IPv%u; allowed is IPv%u",
		    text, a->family, family);
	if (why != NULL)
		return look_bad(l, KIND_vrouter, v, field,
		    "\"%s\" is %s; allowed is the address of one host", text, why);
	return 0;
}

static int
check_way(struct look *l, const struct vrouter *v)
{
	unsigned n = v->peers != NULL ? v->peers->n : 0;
	bool unicast = v->way == vrouter_way_unicast;
	int rc = 0;

	if (unicast && n == 0)
		return look_bad(l, KIND_vrouter, v, "peers",
		    "is required with way unicast; allowed are addresses of the other routers");
	if (!unicast && n > 0)
		return look_bad(l, KIND_vrouter, v, "peers",
		    "is not possible with way %s; unset peers, or take way unicast",
		    word_text(&vrouter_way_list, v->way));
	if (!unicast && v->min_ttl != 255)
		return look_bad(l, KIND_vrouter, v, "min_ttl",
		    "%u is not possible with way %s; allowed is 255, or way unicast", v->min_ttl,
		    word_text(&vrouter_way_list, v->way));
	if (v->way == vrouter_way_broadcast && v->family == vrouter_family_ipv6)
		return look_bad(l, KIND_vrouter, v, "way",
		    "broadcast is not possible with family ipv6; allowed are multicast and unicast");
	for (unsigned i = 0; rc == 0 && i < n; i++)
		rc = check_host(l, v, "peers", &v->peers->r[i].lo);
	if (rc == 0 && v->source.family != 0)
		rc = check_host(l, v, "source", &v->source);
	return rc;
}

static int
check_router(struct look *l, const struct vrouter *v)
{
	int rc = look_interface(l, KIND_vrouter, v, "interface", v->interface);

	if (rc == 0 && strcmp(v->interface, "lo") == 0)
		return look_bad(l, KIND_vrouter, v, "interface",
		    "\"lo\" reaches nobody; allowed is the interface on which the other routers are");
	if (rc == 0)
		rc = check_version(l, v);
	if (rc == 0)
		rc = check_way(l, v);
	if (rc == 0 && v->ipvlan && v->virtual_mac)
		return look_bad(l, KIND_vrouter, v, "ipvlan",
		    "yes is not possible with virtual_mac: an ipvlan has the hardware address of the "
		    "interface; unset one of them");
	if (rc == 0 && v->base_transmit && !v->virtual_mac)
		return look_bad(l, KIND_vrouter, v, "base_transmit",
		    "yes is not possible without virtual_mac; unset base_transmit");
	return rc;
}

/* Two on one interface: of one family, each packet and each address must belong to one of them. */
static int
check_two(struct look *l, const struct vrouter *v, const struct vrouter *o)
{
	if (strcmp(v->interface, o->interface) != 0)
		return 0;
	if ((v->ipvlan && o->virtual_mac) || (v->virtual_mac && o->ipvlan))
		return look_bad(l, KIND_vrouter, v, v->ipvlan ? "ipvlan" : "virtual_mac",
		    "yes is not possible on %s, where vrrp %s has %s: the kernel allows one of them on "
		    "an interface",
		    o->interface, o->name, o->ipvlan ? "ipvlan" : "virtual_mac");
	if (v->family != o->family)
		return 0;
	if (v->vrid == o->vrid)
		return look_bad(l, KIND_vrouter, v, "vrid",
		    "%u is the number of vrrp %s on %s; allowed is another one", v->vrid, o->name,
		    o->interface);
	if (v->group == o->group)
		return look_bad(l, KIND_vrouter, v, "group",
		    "the addresses of group %u on %s move by vrrp %s already; allowed is another group, "
		    "interface or family",
		    v->group, o->interface, o->name);
	return 0;
}

int
check_vrrp(struct look *l)
{
	const struct vrouter *on[ROUTERS_MOST];
	unsigned n = 0;
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < snapshot_count(l->s, KIND_vrouter); i++) {
		const struct vrouter *v = snapshot_at(l->s, KIND_vrouter, i);

		rc = check_router(l, v);
		for (unsigned j = 0; rc == 0 && v->enabled && j < n; j++)
			rc = check_two(l, v, on[j]);
		if (rc != 0 || !v->enabled)
			continue;
		if (n == ROUTERS_MOST)
			return look_bad(l, KIND_vrouter, v, "enabled",
			    "is one too many: allowed are %d enabled virtual routers",
			    ROUTERS_MOST);
		on[n++] = v;
	}
	return rc;
}
