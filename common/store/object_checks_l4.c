/* Rules of layer 4: fields of the other layer, and what IPVS can carry of a service, a server, a fallback, the
 * settings and the rules of translation. Pure, as object_checks.c, which calls this.
 *
 * A field of one layer keeps its default in the other, so that what is written is in force; whoever changes the mode
 * of a service is told what is left over. How a server is reached follows from its own "forward" or the mode of its
 * service, and decides about families, ports and tunnels. */
#include "store/object_checks_priv.h"

#include <stdio.h>
#include <string.h>

#define L4_MODES "dr, nat, tun, snat"
#define L7_MODES "http, tcp"

enum { HAS_IPV4 = 1, HAS_IPV6 = 2 };

/* Families of all addresses of a service. */
static unsigned
families(const struct service *s)
{
	const struct addrs *more = s->more_addresses;
	unsigned f = s->address.family == 4 ? HAS_IPV4 : HAS_IPV6;

	for (unsigned i = 0; more != NULL && i < more->n; i++)
		f |= more->r[i].lo.family == 4 ? HAS_IPV4 : HAS_IPV6;
	return f;
}

static bool
has_family(const struct service *s, const struct addr *a)
{
	return (families(s) & (a->family == 4 ? HAS_IPV4 : HAS_IPV6)) != 0;
}

/* ---- fields of the other layer ------------------------------------------------------------ */

static int
wrong_layer(
    struct look *l, const struct service *s, unsigned kind, const void *row, const struct field *f)
{
	unsigned layer = service_layer(s), wants = layer == 4 ? 7 : 4;
	struct buf value = { 0 }, whose = { 0 };
	struct names names;
	struct cell c;
	int rc;

	snapshot_names(l->s, &names);
	value_save(f, row, l->a, &c);
	value_format(f, &c, &names, &value);
	if (kind == KIND_server)
		buf_printf(&whose, " of vip %s", s->name);
	rc = look_bad(l, kind, row, f->name,
	    "\"%s\" is of layer %u, and mode %s%s is layer %u; unset %s, or take one of the modes %s",
	    buf_text(&value), wants, word_text(&mode_list, s->mode), buf_text(&whose), layer,
	    f->name, layer == 4 ? L7_MODES : L4_MODES);
	buf_fini(&value);
	buf_fini(&whose);
	return rc;
}

static int
other_layer(struct look *l, const struct service *s, unsigned kind, const void *row)
{
	const struct layer_fields *of = kind == KIND_service ? l->of_service : l->of_server;
	const void *def =
	    kind == KIND_service ? (const void *)&l->service : (const void *)&l->server;

	of += service_layer(s) == 4;
	for (unsigned i = 0; i < of->n; i++)
		if (!value_same(of->f[i], row, def))
			return wrong_layer(l, s, kind, row, of->f[i]);
	return 0;
}

/* ---- ways of forwarding ------------------------------------------------------------------- */

static unsigned
mode_forward(unsigned mode)
{
	return mode == mode_dr ? forward_dr : mode == mode_tun ? forward_tun : forward_nat;
}

/* forward_dr, forward_nat or forward_tun. */
static unsigned
way_of(const struct service *s, unsigned forward)
{
	return forward == forward_service ? mode_forward(s->mode) : forward;
}

/* "mode dr" or "forwarding tun", as it was written. */
struct way {
	char text[32];
};
static const char *
way_text(const struct service *s, unsigned forward, struct way *w)
{
	if (forward == forward_service)
		(void)snprintf(w->text, sizeof(w->text), "mode %s", word_text(&mode_list, s->mode));
	else
		(void)snprintf(
		    w->text, sizeof(w->text), "forwarding %s", word_text(&forward_list, forward));
	return w->text;
}

/* 0: more than one port, or a range. */
static uint16_t
single_port(const struct service *s)
{
	return s->ports->n == 1 && s->ports->r[0].lo == s->ports->r[0].hi ? s->ports->r[0].lo : 0;
}

/* Only rewriting changes a port: in dr and tun the packet arrives as the client sent it. */
uint16_t
check_l4_port(const struct service *s, const struct server *r)
{
	return way_of(s, r->forward) != forward_nat || r->port == single_port(s) ? 0 : r->port;
}

/* Names of the fields that say where packets go: of a server, or of a fallback. */
struct target {
	unsigned kind;
	const void *row;
	const struct host *host;
	unsigned forward;
	uint16_t port;
	const char *address_field, *port_field, *forward_field;
};

static int
check_port(struct look *l, const struct service *s, const struct target *t)
{
	uint16_t one = single_port(s);
	char allowed[32];
	struct way w;

	if (t->port == 0 || t->port == one || way_of(s, t->forward) == forward_nat)
		return 0;
	if (one != 0)
		(void)snprintf(allowed, sizeof(allowed), "are 0 and %u", one);
	else
		(void)snprintf(allowed, sizeof(allowed), "is 0");
	return look_bad(l, t->kind, t->row, t->port_field,
	    "%u is not possible with %s, which leaves ports as the client sent them; allowed %s, or "
	    "forwarding nat",
	    t->port, way_text(s, t->forward, &w), allowed);
}

static int
check_family(struct look *l, const struct service *s, const struct target *t)
{
	const struct addr *a = &t->host->addr;
	const char *role = word_text(&sync_role_list, snapshot_setting(l->s)->sync_role);
	unsigned own = families(s);
	struct way w;

	if (has_family(s, a))
		return 0;
	if (way_of(s, t->forward) != forward_tun)
		return look_bad(l, t->kind, t->row, t->address_field,
		    "\"%s\" is IPv%d, and %s cannot change the family; allowed is IPv%d like the virtual "
		    "service's, or forwarding tun",
		    t->host->text, a->family, way_text(s, t->forward, &w), own == HAS_IPV4 ? 4 : 6);
	/* sync_role pair does without the sync then: want_sync. */
	if (snapshot_setting(l->s)->sync_role != sync_role_off &&
	    snapshot_setting(l->s)->sync_role != sync_role_pair)
		return look_bad(l, t->kind, t->row, t->address_field,
		    "\"%s\" is IPv%d in a virtual service of IPv%d, which the kernel's connection sync cannot "
		    "carry (setting sync_role %s); allowed is IPv%d, or sync_role off",
		    t->host->text, a->family, own == HAS_IPV4 ? 4 : 6, role,
		    own == HAS_IPV4 ? 4 : 6);
	return 0;
}

static int
check_target(struct look *l, const struct service *s, const struct target *t)
{
	int rc = 0;

	if (t->host->addr.family == 0)
		return look_bad(l, t->kind, t->row, t->address_field,
		    "\"%s\" is a name, and mode %s is layer 4; allowed is an address",
		    t->host->text, word_text(&mode_list, s->mode));
	if (s->mode == mode_snat && way_of(s, t->forward) != forward_nat)
		return look_bad(l, t->kind, t->row, t->forward_field,
		    "\"%s\" is not possible in mode snat, which rewrites addresses; allowed are service and "
		    "nat",
		    word_text(&forward_list, t->forward));
	rc = check_family(l, s, t);
	return rc != 0 ? rc : check_port(l, s, t);
}

/* ---- tunnels ------------------------------------------------------------------------------ */

struct tun_fields {
	unsigned kind; /* of the row */
	const void *row;
	bool used;
	const char *where; /* how it would be used */
	uint8_t tunnel, csum;
	uint16_t port;
};

static int
check_unused(struct look *l, const struct tun_fields *t)
{
	const char *field = "tunnel", *value = word_text(&tunnel_list, t->tunnel);
	char port[8];

	if (t->port != l->service.tunnel_port) {
		(void)snprintf(port, sizeof(port), "%u", t->port);
		field = "tunnel_port";
		value = port;
	}
	if (t->csum != checksum_none) {
		field = "tunnel_csum";
		value = word_text(&checksum_list, t->csum);
	}
	if (t->tunnel == tunnel_ipip && t->port == l->service.tunnel_port &&
	    t->csum == checksum_none)
		return 0;
	return look_bad(l, t->kind, t->row, field,
	    "\"%s\" has no tunnel to go with; unset %s, or take %s", value, field, t->where);
}

static int
check_tunnel(struct look *l, const struct tun_fields *t)
{
	const char *kind = word_text(&tunnel_list, t->tunnel);

	if (!t->used)
		return check_unused(l, t);
	if (t->tunnel != tunnel_gue && t->port != l->service.tunnel_port)
		return look_bad(l, t->kind, t->row, "tunnel_port",
		    "%u is not possible with tunnel %s, which has no port; unset tunnel_port, or take tunnel "
		    "gue",
		    t->port, kind);
	if (t->tunnel == tunnel_ipip && t->csum != checksum_none)
		return look_bad(l, t->kind, t->row, "tunnel_csum",
		    "\"%s\" is not possible with tunnel ipip, which has no header of its own; allowed is "
		    "none, or tunnel gre or gue",
		    word_text(&checksum_list, t->csum));
	if (t->tunnel == tunnel_gre && t->csum == checksum_remote)
		return look_bad(l, t->kind, t->row, "tunnel_csum",
		    "\"remote\" is not possible with tunnel gre; allowed are none and full, or tunnel gue");
	return 0;
}

/* ---- a service ---------------------------------------------------------------------------- */

static int
check_mask(struct look *l, const struct service *s)
{
	unsigned own = families(s), mask = s->persist_mask;

	if ((own & HAS_IPV4) != 0 && mask > 32 && mask != l->service.persist_mask)
		return look_bad(l, KIND_service, s, "persist_mask",
		    "%u is longer than an IPv4 address; allowed is 0 to 32, or 128 for the whole address",
		    mask);
	if ((own & HAS_IPV6) != 0 && mask == 0)
		return look_bad(l, KIND_service, s, "persist_mask",
		    "0 is not possible with IPv6 addresses; allowed is 1 to 128");
	return 0;
}

static int
check_flags(struct look *l, const struct service *s)
{
	bool hash = s->scheduler == scheduler_sh || s->scheduler == scheduler_mh;

	if (!hash && (s->hash_fallback || s->hash_port))
		return look_bad(l, KIND_service, s,
		    s->hash_fallback ? "hash_fallback" : "hash_port",
		    "\"yes\" is not possible with scheduler %s; allowed is no, or scheduler sh or mh",
		    word_text(&scheduler_list, s->scheduler));
	if (s->one_packet && s->protocol != protocol_udp)
		return look_bad(l, KIND_service, s, "one_packet",
		    "\"yes\" is not possible with protocol %s; allowed is no, or protocol udp",
		    word_text(&protocol_list, s->protocol));
	if (s->max_conns != 0)
		return look_bad(l, KIND_service, s, "max_conns",
		    "%u is not possible in mode %s, where only servers have a limit; allowed is 0, or one of "
		    "the modes " L7_MODES,
		    (unsigned)s->max_conns, word_text(&mode_list, s->mode));
	if (s->persistence != persistence_none && s->persist_timeout % 1000 != 0)
		return look_bad(l, KIND_service, s, "persist_timeout",
		    "%u ms are no whole seconds, and layer 4 counts in these; allowed are whole seconds",
		    (unsigned)s->persist_timeout);
	return 0;
}

static int
check_source(struct look *l, const struct service *s)
{
	const char *why = s->source.family != 0 ? look_no_host(&s->source) : NULL;
	char text[ADDR_TEXT];

	if (s->source.family == 0)
		return 0;
	addr_format(&s->source, ADDR_HOST, text);
	if (s->mode != mode_snat)
		return look_bad(l, KIND_service, s, "source",
		    "\"%s\" is not possible in mode %s, where servers see the client; unset source, or take "
		    "mode snat, http or tcp",
		    text, word_text(&mode_list, s->mode));
	if (why != NULL)
		return look_bad(l, KIND_service, s, "source",
		    "\"%s\" is %s; allowed is the address of one host", text, why);
	if (!has_family(s, &s->source))
		return look_bad(l, KIND_service, s, "source",
		    "\"%s\" is IPv%d, and the virtual service is not; allowed is IPv%d", text,
		    s->source.family, s->address.family);
	return 0;
}

static int
check_page(struct look *l, const struct service *s)
{
	if (!s->fallback_page)
		return 0;
	if (s->protocol != protocol_tcp && s->protocol != protocol_tcp_udp)
		return look_bad(l, KIND_service, s, "fallback_page",
		    "\"yes\" is not possible with protocol %s, since the page is sent by HTTP; allowed is no, "
		    "or protocol tcp or tcp_udp",
		    word_text(&protocol_list, s->protocol));
	if (s->fallback.text[0] != '\0')
		return look_bad(l, KIND_service, s, "fallback_page",
		    "\"yes\" goes not with the fallback server %s; allowed is one of the two",
		    s->fallback.text);
	return 0;
}

static int
check_fallback(struct look *l, const struct service *s)
{
	const struct target t = { KIND_service, s, &s->fallback, s->fallback_forward,
		s->fallback_port, "fallback", "fallback_port", "fallback_forward" };

	return s->fallback.text[0] == '\0' ? 0 : check_target(l, s, &t);
}

int
check_l4_service(struct look *l, const struct service *s)
{
	const struct tun_fields t = { KIND_service, s,
		s->mode == mode_tun || s->fallback_forward == forward_tun, "mode tun", s->tunnel,
		s->tunnel_csum, s->tunnel_port };
	static int (*const parts[])(struct look *, const struct service *) = { check_flags,
		check_source, check_page, check_fallback };
	int rc = other_layer(l, s, KIND_service, s);

	if (rc == 0)
		rc = check_mask(l, s);
	if (rc != 0 || service_layer(s) != 4)
		return rc;
	for (unsigned i = 0; rc == 0 && i < sizeof(parts) / sizeof(parts[0]); i++)
		rc = parts[i](l, s);
	return rc != 0 ? rc : check_tunnel(l, &t);
}

/* ---- a server ----------------------------------------------------------------------------- */

/* Whether the node has this address, or will have it while it is active. */
static bool
is_ours(const struct look *l, const struct addr *a)
{
	if (iface_list_find(l->local, a, true) != NULL)
		return true;
	for (uint32_t i = 0; i < snapshot_count(l->s, KIND_service); i++) {
		const struct service *s = snapshot_at(l->s, KIND_service, i);

		if (addr_same_host(&s->address, a) || addrs_contain(s->more_addresses, a))
			return true;
	}
	for (uint32_t i = 0; i < snapshot_count(l->s, KIND_fip); i++)
		if (addr_same_host(
			&((const struct fip *)snapshot_at(l->s, KIND_fip, i))->address, a))
			return true;
	return false;
}

/* S080: direct routing is a frame to the server's own network card, so it must be in a network of this node. A node
 * without any network is one that is being set up, or a place where a file is looked at: nothing is known of it. */
static int
check_subnet(struct look *l, const struct service *s, const struct server *r)
{
	const struct addr *a = &r->address.addr;
	struct buf nets = { 0 };
	char text[ADDR_TEXT];
	bool any = false;
	struct way w;
	int rc;

	if (l->local == NULL || way_of(s, r->forward) != forward_dr)
		return 0;
	for (unsigned i = 0; i < l->nets_n; i++) {
		if (addr_contains(&l->nets[i], a))
			return 0;
		any = any || !addr_is_loopback(&l->nets[i]);
	}
	if (!any || is_ours(l, a) ||
	    (look_unchanged(l, KIND_server, r, "address") &&
		look_unchanged(l, KIND_server, r, "forward") &&
		look_unchanged(l, KIND_service, s, "mode")))
		return 0;
	for (unsigned i = 0; i < l->nets_n && nets.len < 150; i++) {
		struct addr net = l->nets[i];

		if (net.family != a->family || addr_is_loopback(&net))
			continue;
		for (unsigned bit = net.len; bit < (net.family == 4 ? 32 : 128); bit++)
			net.b[bit / 8] &= (uint8_t) ~(0x80 >> (bit % 8));
		addr_format(&net, ADDR_NET, text);
		buf_printf(&nets, "%s%s", nets.len > 0 ? ", " : "", text);
	}
	rc = look_bad(l, KIND_server, r, "address",
	    "\"%s\" is in no network of this node, and %s needs that; allowed is an address in %s, or "
	    "forwarding tun, which reaches it through routers",
	    r->address.text, way_text(s, r->forward, &w),
	    nets.len > 0 ? buf_text(&nets) : "a network of an interface");
	buf_fini(&nets);
	return rc;
}

static int
check_conns(struct look *l, const struct server *r)
{
	if (r->min_conns <= r->max_conns)
		return 0;
	if (r->max_conns == 0)
		return look_bad(l, KIND_server, r, "min_conns",
		    "%u has no max_conns to go with; allowed is 0, or up to a max_conns",
		    (unsigned)r->min_conns);
	return look_bad(l, KIND_server, r, "min_conns",
	    "%u is more than max_conns (%u); allowed is up to that", (unsigned)r->min_conns,
	    (unsigned)r->max_conns);
}

int
check_l4_server(struct look *l, const struct service *s, const struct server *r)
{
	const struct target t = { KIND_server, r, &r->address, r->forward, r->port, "address",
		"port", "forward" };
	const struct tun_fields tun = { KIND_server, r, r->forward == forward_tun, "forward tun",
		r->tunnel, r->tunnel_csum, r->tunnel_port };
	int rc = other_layer(l, s, KIND_server, r);

	if (rc == 0)
		rc = check_conns(l, r);
	if (rc != 0 || service_layer(s) != 4)
		return rc;
	rc = check_target(l, s, &t);
	if (rc == 0)
		rc = check_tunnel(l, &tun);
	return rc != 0 ? rc : check_subnet(l, s, r);
}

/* ---- settings ----------------------------------------------------------------------------- */

static int
check_seconds(struct look *l, const struct setting *g, const char *field, uint32_t ms)
{
	return ms % 1000 == 0
		   ? 0
		   : look_bad(l, KIND_setting, g, field,
			 "%u ms are no whole seconds, and the kernel counts in these; allowed are whole "
			 "seconds",
			 (unsigned)ms);
}

int
check_l4_setting(struct look *l, const struct setting *g)
{
	const struct addr *a = &g->sync_group;
	int rc = check_seconds(l, g, "tcp_timeout", g->tcp_timeout);
	char text[ADDR_TEXT];

	if (rc == 0)
		rc = check_seconds(l, g, "fin_timeout", g->fin_timeout);
	if (rc == 0)
		rc = check_seconds(l, g, "udp_timeout", g->udp_timeout);
	if (rc != 0)
		return rc;
	if (g->sorry_port == g->https_port || g->sorry_port == g->http_port)
		return look_bad(l, KIND_setting, g, "sorry_port",
		    "%u is the %s port of the panel too; allowed is any other port", g->sorry_port,
		    g->sorry_port == g->https_port ? "HTTPS" : "HTTP");
	if (a->family == 0 || (a->family == 4 && (a->b[0] & 0xf0) == 0xe0) ||
	    (a->family == 6 && a->b[0] == 0xff))
		return 0;
	addr_format(a, ADDR_HOST, text);
	return look_bad(l, KIND_setting, g, "sync_group",
	    "\"%s\" is no multicast address; allowed are 224.0.0.0 to 239.255.255.255, and ff00::/8",
	    text);
}

/* ---- rules of translation ----------------------------------------------------------------- */

static bool
is_host(const struct addr *a)
{
	return a->len == (a->family == 4 ? 32 : 128);
}

static int
check_outside(struct look *l, const struct natrule *r)
{
	const char *kind = word_text(&nat_kind_list, r->kind);
	char text[ADDR_TEXT];
	const char *why;

	addr_format(&r->outside, ADDR_HOST, text);
	if (r->kind == nat_kind_masquerade) {
		if (r->interface[0] == '\0')
			return look_bad(l, KIND_natrule, r, "interface",
			    "is required with kind masquerade; allowed is the name of the interface on the "
			    "outside");
		return r->outside.family == 0
			   ? 0
			   : look_bad(l, KIND_natrule, r, "outside",
				 "\"%s\" is not possible with kind masquerade, which takes the address of the "
				 "interface; unset outside, or take kind snat",
				 text);
	}
	if (r->outside.family == 0)
		return look_bad(l, KIND_natrule, r, "outside",
		    "is required with kind %s; allowed is an address, or kind masquerade", kind);
	why = look_no_host(&r->outside);
	if (why != NULL)
		return look_bad(l, KIND_natrule, r, "outside",
		    "\"%s\" is %s; allowed is the address of one host", text, why);
	if (r->outside.family != r->inside.family)
		return look_bad(l, KIND_natrule, r, "outside",
		    "\"%s\" is IPv%d, and inside is not; allowed is IPv%d", text, r->outside.family,
		    r->inside.family);
	return look_own_address(l, KIND_natrule, r, "outside", &r->outside, &r->outside);
}

static int
check_inside(struct look *l, const struct natrule *r)
{
	bool reached = r->kind == nat_kind_dnat || r->kind == nat_kind_both;
	char text[ADDR_TEXT];
	const char *why;

	addr_format(&r->inside, is_host(&r->inside) ? ADDR_HOST : ADDR_NET, text);
	if (reached && !is_host(&r->inside))
		return look_bad(l, KIND_natrule, r, "inside",
		    "\"%s\" is a network, and kind %s reaches one server; allowed is the address of one host",
		    text, word_text(&nat_kind_list, r->kind));
	why = is_host(&r->inside) ? look_no_host(&r->inside) : NULL;
	if (why != NULL)
		return look_bad(l, KIND_natrule, r, "inside",
		    "\"%s\" is %s; allowed is the address of a host or a network", text, why);
	if (reached && addr_same_host(&r->inside, &r->outside))
		return look_bad(l, KIND_natrule, r, "inside",
		    "\"%s\" is the outside address too; allowed is any other", text);
	return 0;
}

static int
check_nat_ports(struct look *l, const struct natrule *r)
{
	const char *field = r->ports != NULL && r->ports->n > 0 ? "ports"
			    : r->inside_port != 0		? "inside_port"
								: NULL;

	if (field == NULL)
		return 0;
	if (r->kind != nat_kind_dnat)
		return look_bad(l, KIND_natrule, r, field,
		    "is not possible with kind %s; unset %s, or take kind dnat",
		    word_text(&nat_kind_list, r->kind), field);
	if (r->protocol == nat_protocol_any)
		return look_bad(l, KIND_natrule, r, field,
		    "is not possible with protocol any, which may have no ports; allowed are protocol tcp and "
		    "udp");
	if (r->inside_port != 0 && r->ports != NULL &&
	    (r->ports->n > 1 || (r->ports->n == 1 && r->ports->r[0].lo != r->ports->r[0].hi)))
		return look_bad(l, KIND_natrule, r, "inside_port",
		    "%u cannot stand for several ports; allowed is 0, or one port in ports",
		    r->inside_port);
	return 0;
}

int
check_natrule(struct look *l, const struct natrule *r)
{
	int rc = 0;

	if (r->inside.family == 0)
		return look_bad(l, KIND_natrule, r, "inside", "is required");
	rc = look_interface(l, KIND_natrule, r, "interface", r->interface);
	if (rc == 0)
		rc = check_outside(l, r);
	if (rc == 0)
		rc = check_inside(l, r);
	return rc != 0 ? rc : check_nat_ports(l, r);
}
