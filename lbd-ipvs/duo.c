/* duo.c - topic HA, of which one row counts here: HA_PEER. While lbd-ha is away what was known stays: connections are told to
 * the other node without it. */
#include "duo.h"

#include <string.h>

static void
on_row(void *arg, const struct msg_row *row, const union msg_any *m)
{
	struct duo *u = arg;
	struct addr peer = { 0 };
	char text[ADDR_TEXT];
	uint64_t cluster;

	if (row->number != MSG_HA_PEER)
		return;
	cluster = m->ha_peer.paired ? m->ha_peer.cluster : 0;
	span_text(m->ha_peer.addresses, text, sizeof(text));
	text[strcspn(text, ",")] = '\0'; /* the first of them */
	if (cluster == 0 || addr_parse(text, ADDR_HOST, &peer) != 0)
		peer = (struct addr){ 0 };
	if (cluster == u->cluster && memcmp(&peer, &u->peer, sizeof(peer)) == 0)
		return;
	u->cluster = cluster;
	u->peer = peer;
	u->changed(u->arg);
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
