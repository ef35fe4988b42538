/* What the pair asks of its rows: carriers, ping nodes, tracks, and the interfaces of this node that do not count. Pure.
 *
 * Carriers and tracks are of this node alone, so nothing here compares them with the other node's, nor with the settings,
 * which the other node may change: a carrier's times give way to those (lbd-ha/want.c).
 */
#include "store/object_checks_priv.h"

#include "base/must.h"

#include <string.h>

#define CARRIERS_MOST 8
#define PINGNODES_MOST 8
#define TRACKS_MOST 64

static bool
is_multicast(const struct addr *a)
{
	return (a->family == 4 && (a->b[0] & 0xf0) == 0xe0) || (a->family == 6 && a->b[0] == 0xff);
}

static bool
is_link_local(const struct addr *a)
{
	return a->family == 6 && a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80;
}

static int
bad_carrier(struct look *l, const struct ha_carrier *k, const char *field, const char *needs)
{
	return look_bad(l, KIND_ha_carrier, k, field, "is not possible with kind %s; unset %s%s",
	    word_text(&carrier_kind_list, k->kind), field, needs);
}

/* Fields of another kind. */
static int
check_foreign(struct look *l, const struct ha_carrier *k)
{
	bool serial = k->kind == carrier_kind_serial;

	if (serial && k->interface[0] != '\0')
		return bad_carrier(l, k, "interface", ", or take kind udp or multicast");
	if (serial && k->address.family != 0)
		return bad_carrier(l, k, "address", ", or take kind udp or multicast");
	if (serial && k->peer.family != 0)
		return bad_carrier(l, k, "peer", ", or take kind udp");
	if (k->kind != carrier_kind_multicast && k->group.family != 0)
		return bad_carrier(l, k, "group", ", or take kind multicast");
	if (!serial && k->device[0] != '\0')
		return bad_carrier(l, k, "device", ", or take kind serial");
	return 0;
}

static int
check_line(struct look *l, const struct ha_carrier *k)
{
	static const uint32_t speeds[] = { 9600, 19200, 38400, 57600, 115200, 230400, 460800,
		921600 };
	bool known = false;

	if (k->device[0] == '\0')
		return look_bad(l, KIND_ha_carrier, k, "device",
		    "is required with kind serial; allowed is the path of a line, such as /dev/ttyS0");
	if (strncmp(k->device, "/dev/", 5) != 0 || k->device[5] == '\0' ||
	    strstr(k->device, "/..") != NULL)
		return look_bad(l, KIND_ha_carrier, k, "device",
		    "\"%s\" is no device; allowed is a path that begins with /dev/, such as /dev/ttyS0",
		    k->device);
	for (unsigned i = 0; i < ARRAY_LEN(speeds); i++)
		known = known || speeds[i] == k->speed;
	if (!known)
		return look_bad(l, KIND_ha_carrier, k, "speed",
		    "%u is no speed of a serial line; allowed are 9600, 19200, 38400, 57600, 115200, 230400, "
		    "460800 and 921600",
		    (unsigned)k->speed);
	return 0;
}

/* An address of one host, of the family of the other end. */
static int
check_end(struct look *l, const struct ha_carrier *k, const char *field, const struct addr *a,
    const struct addr *other, const char *other_field)
{
	const char *why = look_no_host(a);
	char text[ADDR_TEXT];

	addr_format(a, ADDR_HOST, text);
	if (why != NULL)
		return look_bad(l, KIND_ha_carrier, k, field,
		    "\"%s\" is %s; allowed is the address of one host", text, why);
	if (other->family != 0 && other->family != a->family)
		return look_bad(l, KIND_ha_carrier, k, field,
		    "\"%s\" is IPv%d, and %s is not; allowed is IPv%d", text, a->family,
		    other_field, other->family);
	return 0;
}

static int
check_peer(struct look *l, const struct ha_carrier *k)
{
	char text[ADDR_TEXT];
	int rc;

	if (k->peer.family == 0)
		return look_bad(l, KIND_ha_carrier, k, "peer",
		    "is required with kind udp; allowed is an address of the other node");
	rc = check_end(l, k, "peer", &k->peer, &k->address, "address");
	if (rc != 0)
		return rc;
	addr_format(&k->peer, ADDR_HOST, text);
	if (addr_same_host(&k->peer, &k->address))
		return look_bad(l, KIND_ha_carrier, k, "peer",
		    "\"%s\" is the address of this node too; allowed is an address of the other node",
		    text);
	if (is_link_local(&k->peer) && k->interface[0] == '\0')
		return look_bad(l, KIND_ha_carrier, k, "interface",
		    "is required with the peer \"%s\", which is of one link; allowed is the name of an "
		    "interface",
		    text);
	return look_own_address(l, KIND_ha_carrier, k, "peer", &k->peer, &k->peer);
}

static int
check_group(struct look *l, const struct ha_carrier *k)
{
	char text[ADDR_TEXT];

	if (k->group.family == 0)
		return look_bad(l, KIND_ha_carrier, k, "group",
		    "is required with kind multicast; allowed is a multicast address, such as "
		    "239.255.94.44 or ff02::5e2c");
	addr_format(&k->group, ADDR_HOST, text);
	if (!is_multicast(&k->group))
		return look_bad(l, KIND_ha_carrier, k, "group",
		    "\"%s\" is the address of a host; allowed are 224.0.0.0 to 239.255.255.255 and "
		    "ff00::/8",
		    text);
	if (k->interface[0] == '\0')
		return look_bad(l, KIND_ha_carrier, k, "interface",
		    "is required with kind multicast; allowed is the name of an interface");
	return k->peer.family == 0 ? 0 : check_end(l, k, "peer", &k->peer, &k->group, "group");
}

static int
check_times(struct look *l, const struct ha_carrier *k)
{
	if (k->dead == 0 || k->dead >= 4 * k->interval)
		return 0;
	return look_bad(l, KIND_ha_carrier, k, "dead",
	    "%u ms is shorter than four intervals of %u ms; allowed is 0s, or %u ms and more",
	    (unsigned)k->dead, (unsigned)k->interval, 4 * (unsigned)k->interval);
}

static int
check_carrier(struct look *l, const struct ha_carrier *k)
{
	int rc = look_interface(l, KIND_ha_carrier, k, "interface", k->interface);

	if (rc == 0)
		rc = check_foreign(l, k);
	if (rc == 0 && k->address.family != 0)
		rc = check_end(l, k, "address", &k->address, &k->group, "group");
	if (rc == 0)
		rc = k->kind == carrier_kind_serial	 ? check_line(l, k)
		     : k->kind == carrier_kind_multicast ? check_group(l, k)
							 : check_peer(l, k);
	return rc != 0 ? rc : check_times(l, k);
}

static bool
differ(const char *a, const char *b)
{
	return a[0] != '\0' && b[0] != '\0' && strcmp(a, b) != 0;
}

/* Whether frames of one could arrive at the other: two sockets cannot be at one place of this node. */
static bool
same_place(const struct ha_carrier *a, const struct ha_carrier *b)
{
	if (a->kind != b->kind)
		return false;
	if (a->kind == carrier_kind_serial)
		return strcmp(a->device, b->device) == 0;
	if (a->port != b->port || differ(a->interface, b->interface))
		return false;
	if (a->kind == carrier_kind_multicast)
		return addr_same_host(&a->group, &b->group);
	return a->peer.family == b->peer.family &&
	       (a->address.family == 0 || b->address.family == 0 ||
		   addr_same_host(&a->address, &b->address));
}

static int
check_apart(struct look *l, const struct ha_carrier *k, const struct ha_carrier *other)
{
	if (!same_place(k, other))
		return 0;
	if (k->kind == carrier_kind_serial)
		return look_bad(l, KIND_ha_carrier, k, "device",
		    "\"%s\" is the line of carrier %s; allowed is one that no other has", k->device,
		    other->name);
	return look_bad(l, KIND_ha_carrier, k, "port",
	    "%u is the port of carrier %s at the same place of this node; allowed is another port, or an %s "
	    "of its own for each",
	    k->port, other->name,
	    k->kind == carrier_kind_multicast ? "interface or a group" : "interface or an address");
}

static int
check_carriers(struct look *l)
{
	const struct ha_carrier *on[CARRIERS_MOST];
	unsigned n = 0;
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < snapshot_count(l->s, KIND_ha_carrier); i++) {
		const struct ha_carrier *k = snapshot_at(l->s, KIND_ha_carrier, i);

		rc = check_carrier(l, k);
		for (unsigned j = 0; rc == 0 && k->enabled && j < n; j++)
			rc = check_apart(l, k, on[j]);
		if (rc != 0 || !k->enabled)
			continue;
		if (n == CARRIERS_MOST)
			return look_bad(l, KIND_ha_carrier, k, "enabled",
			    "is one too many: allowed are %d enabled carriers", CARRIERS_MOST);
		on[n++] = k;
	}
	return rc;
}

/* ---- ping nodes ---------------------------------------------------------------------------- */

static int
check_pingnode(struct look *l, const struct pingnode *p)
{
	const char *why = look_no_host(&p->address);
	char text[ADDR_TEXT];

	if (p->address.family == 0)
		return look_bad(l, KIND_pingnode, p, "address", "is required");
	addr_format(&p->address, ADDR_HOST, text);
	if (why != NULL)
		return look_bad(l, KIND_pingnode, p, "address",
		    "\"%s\" is %s; allowed is the address of one host", text, why);
	if (is_link_local(&p->address))
		return look_bad(l, KIND_pingnode, p, "address",
		    "\"%s\" is of one link only; allowed is an address that both nodes have a route to",
		    text);
	return look_own_address(l, KIND_pingnode, p, "address", &p->address, &p->address);
}

static int
check_pingnodes(struct look *l)
{
	const struct pingnode *on[PINGNODES_MOST];
	unsigned n = 0;

	for (uint32_t i = 0; i < snapshot_count(l->s, KIND_pingnode); i++) {
		const struct pingnode *p = snapshot_at(l->s, KIND_pingnode, i);
		char text[ADDR_TEXT];
		int rc = check_pingnode(l, p);

		if (rc != 0 || !p->enabled) {
			if (rc != 0)
				return rc;
			continue;
		}
		addr_format(&p->address, ADDR_HOST, text);
		for (unsigned j = 0; j < n; j++)
			if (addr_same_host(&on[j]->address, &p->address))
				return look_bad(l, KIND_pingnode, p, "address",
				    "\"%s\" is pingnode %s already; allowed is another one", text,
				    on[j]->name);
		if (n == PINGNODES_MOST)
			return look_bad(l, KIND_pingnode, p, "enabled",
			    "is one too many: allowed are %d enabled ping nodes", PINGNODES_MOST);
		on[n++] = p;
	}
	return 0;
}

/* ---- tracks ---------------------------------------------------------------------------------- */

static bool
has_step(const char *path)
{
	return strncmp(path, "../", 3) == 0 || strcmp(path, "..") == 0 ||
	       strstr(path, "/../") != NULL;
}

static int
check_unit(struct look *l, const struct track *t)
{
	if (t->target[0] == '-' || strpbrk(t->target, " /*?[") != NULL)
		return look_bad(l, KIND_track, t, "target",
		    "\"%s\" cannot be the name of a unit; allowed is a name such as ssh.service",
		    t->target);
	return 0;
}

#define NEIGHBOUR \
	"allowed is the address of one neighbour, without a port; with a link-local one its interface"

static int
check_neighbour(struct look *l, const struct track *t)
{
	char ifname[ADDR_IFNAME];
	struct addr a;
	const char *why;
	int rc;

	if (addr_parse_link(t->target, &a, ifname) != 0)
		return look_bad(l, KIND_track, t, "target",
		    "\"%s\" is not possible with kind bfd; " NEIGHBOUR
		    ", as fe80::1 interface eth0",
		    t->target);
	why = addr_is_loopback(&a) ? "of this node itself" : look_no_host(&a);
	if (why == NULL && is_link_local(&a) && ifname[0] == '\0')
		why = "of one link, and its interface is not told";
	if (why != NULL)
		return look_bad(l, KIND_track, t, "target",
		    "\"%s\" is %s; " NEIGHBOUR ", as fe80::1 interface eth0", t->target, why);
	rc = look_interface(l, KIND_track, t, "target", ifname);
	return rc != 0 ? rc : look_own_address(l, KIND_track, t, "target", &a, &a);
}

/* A neighbour cannot tell two sessions of this node from each other. */
static int
check_apart_bfd(struct look *l, const struct track *t, const struct track *other)
{
	char name[ADDR_IFNAME], name_other[ADDR_IFNAME];
	struct addr a, b;

	if (t->kind != track_kind_bfd || other->kind != track_kind_bfd ||
	    addr_parse_link(t->target, &a, name) != 0 ||
	    addr_parse_link(other->target, &b, name_other) != 0 || !addr_same_host(&a, &b) ||
	    differ(name, name_other))
		return 0;
	return look_bad(l, KIND_track, t, "target",
	    "\"%s\" is the neighbour of track %s already; allowed is another one", t->target,
	    other->name);
}

static int
check_target(struct look *l, const struct track *t)
{
	const char *kind = word_text(&track_kind_list, t->kind), *last = strrchr(t->target, '/');
	bool path =
	    t->kind == track_kind_file || (t->kind == track_kind_process && t->target[0] == '/');

	if (t->target[0] == '\0')
		return look_bad(l, KIND_track, t, "target", "is required");
	if (path && (t->target[0] != '/' || last[1] == '\0' || has_step(t->target)))
		return look_bad(l, KIND_track, t, "target",
		    "\"%s\" is not possible with kind %s; allowed is the whole path of a file, without ..",
		    t->target, kind);
	if (t->kind == track_kind_process && !path && last != NULL)
		return look_bad(l, KIND_track, t, "target",
		    "\"%s\" is not possible with kind process; allowed is the name of a process, or the "
		    "whole path of a file with its number",
		    t->target);
	if (t->kind == track_kind_daemon && strcmp(t->target, "lbd-proxy") != 0 &&
	    strcmp(t->target, "lbd-ipvs") != 0 && strcmp(t->target, "lbd-check") != 0)
		return look_bad(l, KIND_track, t, "target",
		    "\"%s\" is not possible with kind daemon; allowed is lbd-proxy, lbd-ipvs, or "
		    "lbd-check",
		    t->target);
	if (t->kind == track_kind_interface && strlen(t->target) > 15)
		return look_bad(l, KIND_track, t, "target",
		    "\"%s\" cannot be the name of an interface; allowed are up to 15 characters",
		    t->target);
	if (t->kind == track_kind_interface)
		return look_interface(l, KIND_track, t, "target", t->target);
	if (t->kind == track_kind_unit)
		return check_unit(l, t);
	if (t->kind == track_kind_bfd)
		return check_neighbour(l, t);
	return t->kind == track_kind_script
		   ? look_program(l, KIND_track, t, "target", t->target, "/etc/lbd/track")
		   : 0;
}

static int
check_tracks(struct look *l)
{
	const struct track *on[TRACKS_MOST];
	unsigned n = 0;

	for (uint32_t i = 0; i < snapshot_count(l->s, KIND_track); i++) {
		const struct track *t = snapshot_at(l->s, KIND_track, i);
		int rc = check_target(l, t);

		for (unsigned j = 0; rc == 0 && t->enabled && j < n; j++)
			rc = check_apart_bfd(l, t, on[j]);
		if (rc != 0)
			return rc;
		if (!t->enabled)
			continue;
		if (n == TRACKS_MOST)
			return look_bad(l, KIND_track, t, "enabled",
			    "is one too many: allowed are %d enabled tracks", TRACKS_MOST);
		on[n++] = t;
	}
	return 0;
}

/* ---- ------------------------------------------------------------------------------------------ */

/* Names with commas. */
static int
check_ignore(struct look *l)
{
	const struct node *n = snapshot_node(l->s);
	const char *p = n->ha_ignore;
	char name[32];
	int rc = 0;

	while (rc == 0 && *p != '\0') {
		size_t len = strcspn(p, ",");

		if (len == 0 || len > 15)
			return look_bad(l, KIND_node, n, "ha_ignore",
			    "\"%s\" is no list of interfaces; allowed are names of up to 15 characters, with "
			    "commas",
			    n->ha_ignore);
		memcpy(name, p, len);
		name[len] = '\0';
		rc = look_interface(l, KIND_node, n, "ha_ignore", name);
		p += len;
		if (*p == ',' && *++p == '\0')
			return look_bad(l, KIND_node, n, "ha_ignore",
			    "\"%s\" ends with a comma; allowed are names with commas between them",
			    n->ha_ignore);
	}
	return rc;
}

int
check_ha(struct look *l)
{
	int rc = check_carriers(l);

	if (rc == 0)
		rc = check_pingnodes(l);
	if (rc == 0)
		rc = check_tracks(l);
	if (rc == 0)
		rc = check_hooks(l);
	return rc != 0 ? rc : check_ignore(l);
}
