/* want_vrrp.c - from a row to a virtual router.
 *
 * Advertised are the floating addresses of its group that are of its family and on its interface, in their order, of IPv6
 * a link-local one first (RFC 9568 section 5.2.9). More of them than a packet carries move all the same, and are not
 * advertised. Sent is from the row's source, else from the first address that the interface has as its own. */
#include "want_vrrp.h"

#include <stdio.h>
#include <string.h>

#define IPV6_MOST 90 /* as in vrrp/vrrp_conf.c */

static bool
is_link_local(const struct addr *a)
{
	return a->family == 6 && a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80;
}

static struct addr
host(struct addr a)
{
	a.len = a.family == 4 ? 32 : 128;
	return a;
}

static void
take_peers(struct vrrp_conf *c, const struct addrs *list)
{
	for (unsigned i = 0; list != NULL && i < list->n; i++) {
		struct addr a = host(list->r[i].lo);

		while (c->peers < VRRP_PEERS) {
			unsigned k = a.family == 4 ? 4 : 16;

			c->peer[c->peers++] = a;
			if (memcmp(a.b, list->r[i].hi.b, sizeof(a.b)) == 0)
				break;
			while (k-- > 0 && ++a.b[k] == 0)
				;
		}
	}
}

static void
take_addresses(
    struct vrrp_conf *c, const struct vrouter *row, const struct floating *fips, uint32_t n)
{
	unsigned most = c->family == 4 ? VRRP_ADDRS : IPV6_MOST;

	for (unsigned turn = 0; turn < 2; turn++)
		for (uint32_t i = 0; i < n && c->n < most; i++) {
			const struct floating *f = &fips[i];

			if (f->router == row->id && f->advertised && f->fault[0] == '\0' &&
			    is_link_local(&f->addr) == (turn == 0))
				c->addr[c->n++] = host(f->addr);
		}
}

static void
take_conf(struct vrrp_conf *c, const struct vrouter *row, const struct setting *set)
{
	static const enum vrrp_way ways[] = { VRRP_MULTICAST, VRRP_UNICAST, VRRP_BROADCAST };
	static const enum vrrp_sum_use sums[] = { VRRP_SUM_AUTO, VRRP_SUM_USE_PSEUDO,
		VRRP_SUM_USE_PLAIN };

	vrrp_conf_default(c);
	c->version = (uint8_t)row->version;
	c->family = row->family == vrouter_family_ipv6 ? 6 : 4;
	c->vrid = (uint8_t)row->vrid;
	c->priority = (uint8_t)row->priority;
	c->interval = DUR_MS(row->interval);
	c->preempt = row->preempt;
	c->preempt_delay = DUR_MS(row->preempt_delay);
	c->startup_delay = DUR_MS(row->startup_delay);
	c->way = ways[row->way];
	c->sum = sums[row->checksum];
	c->min_ttl = (uint8_t)row->min_ttl;
	c->down_adverts = (uint8_t)row->down_adverts;
	c->any_addrs = row->any_addresses;
	c->refresh = DUR_MS(set->ha_refresh);
	take_peers(c, row->peers);
	if (row->password[0] != '\0') {
		c->auth_type = VRRP_AUTH_PASS;
		memcpy(c->auth, row->password, strnlen(row->password, sizeof(c->auth)));
	}
}

/* The interface, and the address to send from. */
static void
take_place(struct shared_vrrp *out, const struct vrouter *row, const struct iface_list *kernel)
{
	(void)snprintf(out->ifname, sizeof(out->ifname), "%s", row->interface);
	for (unsigned i = 0; i < kernel->n; i++) {
		const struct iface_addr *e = &kernel->a[i];

		if (strcmp(e->name, row->interface) != 0)
			continue;
		out->index = e->index;
		memcpy(out->mac, e->mac, sizeof(out->mac));
		if (!e->ours && out->self.family == 0 && e->addr.family == out->conf.family &&
		    (e->addr.family == 4 || is_link_local(&e->addr)))
			out->self = host(e->addr);
	}
	if (row->source.family != 0)
		out->self = host(row->source);
}

void
want_vrrp(struct shared_vrrp *out, const struct vrouter *row, const struct setting *set,
    const struct floating *fips, uint32_t n, const struct iface_list *kernel, char why[WANT_WHY])
{
	struct vrrp_conf *c = &out->conf;
	struct err err;

	why[0] = '\0';
	out->id = row->id;
	out->group = (uint8_t)(row->group - 1);
	out->ipvlan = row->ipvlan;
	out->on_base = row->base_transmit || row->ipvlan;
	take_conf(c, row, set);
	take_addresses(c, row, fips, n);
	take_place(out, row, kernel);
	if (out->index == 0)
		(void)snprintf(why, WANT_WHY, "interface %s does not exist, or has no address",
		    row->interface);
	else if (out->self.family == 0)
		(void)snprintf(why, WANT_WHY, "interface %s has no %s to send from", row->interface,
		    c->family == 4 ? "IPv4 address" : "link-local IPv6 address");
	else if (c->n == 0)
		(void)snprintf(why, WANT_WHY, "no floating IPv%u address of group %u is on %s",
		    c->family, row->group, row->interface);
	else if (vrrp_conf_check(c, &err) != 0)
		(void)snprintf(why, WANT_WHY, "%.*s", WANT_WHY - 1, err.text);
	if (why[0] != '\0')
		out->self = (struct addr){ 0 };
}
