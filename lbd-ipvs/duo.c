/* duo.c - topic HA, of which two rows count here: HA_PEER and HA_GROUP. While lbd-ha is away what was known stays: connections are told to
 * the other node without it. */
#include "duo.h"

#include <stdio.h>
#include <string.h>

/* The first address of each family in "a,b,c". */
static void
first_of_each(const char *list, struct addr out[2])
{
	char text[ADDR_TEXT];
	struct addr a;

	out[0] = out[1] = (struct addr){ 0 };
	for (const char *p = list; *p != '\0'; p += *p == ',') {
		size_t n = strcspn(p, ",");

		(void)snprintf(text, sizeof(text), "%.*s", (int)n, p);
		p += n;
		if (addr_parse(text, ADDR_HOST, &a) == 0 && out[a.family == 6].family == 0)
			out[a.family == 6] = a;
	}
}

static bool
take_peer(struct duo *u, const struct msg_ha_peer *m)
{
	uint64_t cluster = m->paired ? m->cluster : 0;
	struct addr peer = { 0 }, at[2];
	char list[400], text[ADDR_TEXT];

	span_text(m->addresses, list, sizeof(list));
	if (cluster == 0)
		list[0] = '\0';
	(void)snprintf(text, sizeof(text), "%.*s", (int)strcspn(list, ","), list);
	if (addr_parse(text, ADDR_HOST, &peer) != 0)
		peer = (struct addr){ 0 };
	first_of_each(list, at);
	if (cluster == u->cluster && memcmp(&peer, &u->peer, sizeof(peer)) == 0 &&
	    memcmp(at, u->at, sizeof(at)) == 0)
		return false;
	u->cluster = cluster;
	u->peer = peer;
	memcpy(u->at, at, sizeof(at));
	return true;
}

static bool
take_group(struct duo *u, const struct msg_ha_group *m)
{
	const int64_t age = mono_wall_ms() / 1000 - m->since;
	struct duo_group *g;

	if (m->group < 1 || m->group > PACKET_GROUPS)
		return false;
	g = &u->group[m->group - 1];
	if (g->known && g->hold == m->hold && g->given == m->given)
		return false;
	*g = (struct duo_group){ true, m->hold, m->given, mono_now() - DUR_S(age > 0 ? age : 0) };
	return true;
}

static void
on_row(void *arg, const struct msg_row *row, const union msg_any *m)
{
	struct duo *u = arg;

	if (row->number == MSG_HA_PEER ? take_peer(u, &m->ha_peer)
				       : row->number == MSG_HA_GROUP && take_group(u, &m->ha_group))
		u->changed(u->arg);
}

static void
add_carriers(const struct snapshot *s, struct addr at[2])
{
	for (uint32_t i = 0; i < snapshot_count(s, KIND_ha_carrier); i++) {
		const struct ha_carrier *k = snapshot_at(s, KIND_ha_carrier, i);
		struct addr *a = &at[k->peer.family == 6];

		if (k->enabled && k->kind == carrier_kind_udp && k->peer.family != 0 &&
		    a->family == 0)
			*a = k->peer;
	}
}

dur_t
duo_pair(const struct duo *u, const struct snapshot *s, mono_t now, struct packet_pair *out)
{
	const dur_t keep = DUR_MS(snapshot_setting(s)->ha_keep);
	dur_t next = 0;

	*out = (struct packet_pair){ 0 };
	if (u->cluster == 0)
		return 0;
	memcpy(out->peer, u->at, sizeof(out->peer));
	add_carriers(s, out->peer);
	for (unsigned i = 0; keep > 0 && i < PACKET_GROUPS; i++) {
		const struct duo_group *g = &u->group[i];
		dur_t left = g->since + keep - now;

		if (!g->known)
			continue;
		out->lent[i] = !g->hold || (g->given && left > 0);
		if (g->hold && out->lent[i] && (next == 0 || left < next))
			next = left;
	}
	return next;
}

void
duo_init(struct duo *u, struct daemon *d, void (*changed)(void *arg), void *arg)
{
	const struct bus_link_ops ops = {
		.daemon = "lbd-ha", .topics = TOPIC_HA, .row = on_row, .arg = u
	};

	*u = (struct duo){ .changed = changed, .arg = arg };
	u->link = bus_link_new(daemon_loop(d), daemon_paths(d), "lbd-ipvs", &ops);
}

void
duo_fini(struct duo *u)
{
	bus_link_free(u->link);
	u->link = NULL;
}

bool
duo_interface(const struct duo *u, char out[IFNAME_MAX])
{
	struct iface_list l = { 0 };
	const struct iface_addr *e;

	out[0] = '\0';
	if (u->peer.family == 0 || netlink_addresses(&l, NULL) != 0)
		return false;
	e = iface_list_subnet(&l, &u->peer);
	if (e != NULL)
		memcpy(out, e->name, IFNAME_MAX);
	iface_list_fini(&l);
	return out[0] != '\0';
}
