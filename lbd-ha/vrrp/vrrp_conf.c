/* vrrp_conf.c - which settings of a virtual router can work, alone and with the other node's.
 *
 * The limits are those of the fields on the wire: an interval must be sayable in them, since a peer computes with what
 * it reads. 90 IPv6 addresses fill a packet of the least MTU that a LAN has in practice (1,500 bytes); more would be
 * sent in fragments, which filters drop. The surplus of a long list is simply not advertised.
 *
 * That both nodes have the same priority works (the higher address wins) but is nearly always a copied file, so it is
 * named when both sides are at hand. */
#include "vrrp/vrrp_conf.h"

#include <string.h>

#define IPV6_MOST 90

void
vrrp_conf_default(struct vrrp_conf *c)
{
	*c = (struct vrrp_conf){
		.version = 3,
		.family = 4,
		.priority = VRRP_PRIORITY,
		.down_adverts = VRRP_DOWN_ADVERTS,
		.min_ttl = VRRP_TTL,
		.preempt = true,
		.linger = true,
		.interval = DUR_S(1),
		.refresh = DUR_S(30),
	};
}

static int
check_interval(const struct vrrp_conf *c, struct err *err)
{
	dur_t unit = c->version == 2 ? DUR_S(1) : DUR_MS(10);
	dur_t most = c->version == 2 ? DUR_S(255) : DUR_MS(40950);

	if (c->interval >= unit && c->interval <= most && c->interval % unit == 0)
		return 0;
	if (c->version == 2)
		return err_field(
		    err, ERR_INVALID, NULL, "interval", "whole seconds, 1 s to 255 s (version 2)");
	return err_field(
	    err, ERR_INVALID, NULL, "interval", "10 ms to 40.95 s in steps of 10 ms (version 3)");
}

static int
check_addrs(const struct vrrp_conf *c, struct err *err)
{
	unsigned most = c->family == 4 ? VRRP_ADDRS : IPV6_MOST;

	if (c->n < 1 || c->n > most)
		return err_field(err, ERR_INVALID, NULL, "addresses", "1 to %u", most);
	for (unsigned i = 0; i < c->n; i++)
		if (c->addr[i].family != c->family)
			return err_field(
			    err, ERR_INVALID, NULL, "addresses", "all of IPv%u", c->family);
	if (c->family == 6 && (c->addr[0].b[0] != 0xfe || (c->addr[0].b[1] & 0xc0) != 0x80))
		return err_field(err, ERR_INVALID, NULL, "addresses",
		    "the first IPv6 address must be link-local (fe80::/10)");
	return 0;
}

static int
check_peers(const struct vrrp_conf *c, struct err *err)
{
	if (c->way == VRRP_BROADCAST && c->family != 4)
		return err_field(err, ERR_INVALID, NULL, "way", "IPv6 has no broadcast");
	if (c->peers > VRRP_PEERS || (c->way == VRRP_UNICAST) != (c->peers > 0))
		return err_field(
		    err, ERR_INVALID, NULL, "peers", "1 to %u with unicast, else none", VRRP_PEERS);
	for (unsigned i = 0; i < c->peers; i++)
		if (c->peer[i].family != c->family)
			return err_field(
			    err, ERR_INVALID, NULL, "peers", "all of IPv%u", c->family);
	return 0;
}

int
vrrp_conf_check(const struct vrrp_conf *c, struct err *err)
{
	int code;

	if (c->version != 2 && c->version != 3)
		return err_field(err, ERR_INVALID, NULL, "version", "2 or 3");
	if (c->family != 4 && (c->family != 6 || c->version == 2))
		return err_field(err, ERR_INVALID, NULL, "version", "IPv6 needs version 3");
	if (c->vrid == 0)
		return err_field(err, ERR_INVALID, NULL, "id", "1 to 255");
	if (c->priority == 0)
		return err_field(err, ERR_INVALID, NULL, "priority", "1 to 255");
	if (c->down_adverts < 1 || c->down_adverts > 100)
		return err_field(err, ERR_INVALID, NULL, "down_adverts", "1 to 100");
	if (c->auth_type > VRRP_AUTH_PASS || (c->auth_type != VRRP_AUTH_NONE && c->version != 2))
		return err_field(
		    err, ERR_INVALID, NULL, "auth", "none, or a password with version 2");
	code = check_interval(c, err);
	if (code == 0)
		code = check_addrs(c, err);
	return code == 0 ? check_peers(c, err) : code;
}

static bool
has(const struct addr *list, unsigned n, const struct addr *a)
{
	for (unsigned i = 0; i < n; i++)
		if (addr_same_host(&list[i], a))
			return true;
	return false;
}

bool
vrrp_addrs_same(const struct addr *a, unsigned a_n, const struct addr *b, unsigned b_n)
{
	unsigned i = 0;

	if (a_n != b_n)
		return false;
	while (i < a_n && addr_same_host(&a[i], &b[i]))
		i++; /* nearly always to the end */
	for (unsigned k = i; k < a_n; k++)
		if (!has(b, b_n, &a[k]) || !has(a, a_n, &b[k]))
			return false;
	return true;
}

int
vrrp_conf_pair_check(const struct vrrp_conf *a, const struct vrrp_conf *b, struct err *err)
{
	if (a->vrid != b->vrid || a->version != b->version || a->family != b->family)
		return err_field(err, ERR_INVALID, NULL, "id",
		    "number, version and family must be those of the peer");
	if (!vrrp_addrs_same(a->addr, a->n, b->addr, b->n))
		return err_field(
		    err, ERR_INVALID, NULL, "addresses", "must be the same on both nodes");
	if (a->version == 2 && a->interval != b->interval)
		return err_field(err, ERR_INVALID, NULL, "interval",
		    "must be the same on both nodes (version 2)");
	if (a->auth_type != b->auth_type || memcmp(a->auth, b->auth, sizeof(a->auth)) != 0)
		return err_field(err, ERR_INVALID, NULL, "auth", "must be the same on both nodes");
	if (a->way != b->way)
		return err_field(err, ERR_INVALID, NULL, "way", "must be the same on both nodes");
	if (a->priority == b->priority)
		return err_field(err, ERR_INVALID, NULL, "priority",
		    "is %u on both nodes: give the preferred one more", a->priority);
	return 0;
}
