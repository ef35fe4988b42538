/* main.c - lbd-ha: who is active, and which floating addresses are here.
 *
 * On a single machine this node is always active and master. The ops table, topic HA (ROLE, FLOATING, HA_PEER), and the
 * second way to start: `lbd-ha --release [--root DIR]` takes away what an lbd-ha of that root has put on this node.
 *
 * The addresses outlive the process: stopped, killed or restarted, it leaves them where they are, because the daemons
 * that carry the traffic go on; the next start finds them by their mark and its record and changes nothing. Who stops
 * the whole suite calls --release afterwards (lbctl run and lbd.target do).
 *
 * What should be where is address.c, the effect hold.c, announcements garp.c, the trial commit's clock trial.c, the
 * other node of a pair pair/pairing.c, who of both is active role.c and core/, what is kept of lbd-proxy's persistence
 * stick.c, connections of layer 4 refill.c, what routers are told adverts.c. `lbd-ha --core` is the core, started by role.c. */
#include "adverts.h"
#include "core/core.h"
#include "core_link.h"
#include "exchange.h"
#include "garp.h"
#include "hold.h"
#include "keys.h"
#include "lists.h"
#include "notify.h"
#include "pair/pairing.h"
#include "refill.h"
#include "role.h"
#include "role_preflight.h"
#include "routes.h"
#include "stick.h"
#include "trial.h"
#include "verdicts.h"

#include "daemon/daemon.h"
#include "msg/msg.h"
#include "sys/log.h"

#include <stdio.h>
#include <string.h>

#define PULSE DUR_MS(500) /* the role is told so often; see VIEW_HA_STALE */

static struct {
	struct daemon *d;
	struct garp *garp;
	struct hold *hold;
	struct trial_clock *trial;
	struct pairing *pairing;
	struct stick_mirror *stick;
	struct ha_role *role;
	struct exchange *exchange;
	struct refill *refill;
	struct key_courier *keys;
	struct list_courier *lists;
	struct verdicts *verdicts;
	struct adverts *adverts;
	struct loop_timer pulse;
	int64_t since;	 /* the role */
	struct err mute; /* why nothing can be announced */
} app;

static void
fill(const struct floating *f, char text[ADDR_TEXT], struct msg_floating *m)
{
	const struct advert_row *route = app.adverts ? adverts_find(app.adverts, &f->addr) : NULL;

	addr_format(&f->addr, ADDR_CIDR, text);
	*m = (struct msg_floating){
		.address = SPAN(text),
		.interface = SPAN(f->ifname),
		.held = f->held,
		.manual = f->manual,
		.services = f->services,
		.fault = SPAN(f->fault),
		.route = route ? (uint8_t)route->now : ADVERT_NONE,
		.cause = SPAN(route ? route->why : ""),
	};
}

static void
on_told(void *arg, const struct floating *f, bool gone)
{
	char text[ADDR_TEXT];
	struct msg_floating m;

	(void)arg;
	(void)gone; /* says the row itself: no service, not manual */
	fill(f, text, &m);
	if (daemon_bus(app.d))
		bus_publish(daemon_bus(app.d), TOPIC_HA, MSG_FLOATING, &m);
}

/* Routers are to be told otherwise of an address. */
static void
on_route(void *arg, const struct advert_row *row)
{
	const struct floating *f;
	struct msg_floating m;
	char text[ADDR_TEXT];
	uint32_t n;

	(void)arg;
	f = hold_all(app.hold, &n);
	for (uint32_t i = 0; i < n && daemon_bus(app.d); i++) {
		if (!addr_same_host(&f[i].addr, &row->addr))
			continue;
		fill(&f[i], text, &m);
		bus_publish(daemon_bus(app.d), TOPIC_HA, MSG_FLOATING, &m);
	}
}

static void
on_quorum(void *arg, const struct msg_quorum *m)
{
	(void)arg;
	if (app.adverts)
		adverts_quorum(app.adverts, m);
}

static void
on_settled(void *arg)
{
	const struct floating *f;
	char text[ADDR_TEXT], line[300] = "";
	uint32_t n, faults = 0;

	(void)arg;
	f = hold_all(app.hold, &n);
	adverts_set(app.adverts, f, n);
	for (uint32_t i = 0; i < n; i++) {
		if (!f[i].fault[0] || faults++)
			continue;
		addr_format(&f[i].addr, ADDR_CIDR, text);
		(void)snprintf(line, sizeof(line), "fip %s: not held: %s", text, f[i].fault);
	}
	if (faults > 1)
		(void)snprintf(
		    line + strlen(line), sizeof(line) - strlen(line), "; and %u more", faults - 1);
	daemon_fault(app.d, faults ? line : app.mute.code ? app.mute.text : NULL);
}

static void
fill_role(struct msg_role *m)
{
	const struct cluster *c = app.pairing ? pairing_cluster(app.pairing) : NULL;

	*m = (struct msg_role){
		.master = !c || c->node == 1,
		.peer = c != NULL,
		.since = app.since,
	};
	if (app.stick) {
		m->entries = stick_mirror_count(app.stick);
		m->pending = c && stick_mirror_peer_due(app.stick);
	}
	role_fill(app.role, m);
}

/* Paired, unpaired, or the channel came up or was lost. */
static void
on_pair_changed(void *arg)
{
	struct pairing_texts texts;
	struct msg_ha_peer peer;
	struct msg_role role;

	(void)arg;
	if (!app.pairing || !daemon_bus(app.d))
		return;
	fill_role(&role);
	pairing_peer(app.pairing, &texts, &peer);
	bus_publish(daemon_bus(app.d), TOPIC_HA, MSG_ROLE, &role);
	bus_publish(daemon_bus(app.d), TOPIC_HA, MSG_HA_PEER, &peer);
	role_set(app.role, pairing_cluster(app.pairing), daemon_snapshot(app.d));
	exchange_pair(app.exchange, pairing_cluster(app.pairing), pairing_channel(app.pairing));
	if (!pairing_channel(app.pairing)) {
		key_courier_down(app.keys);
		list_courier_down(app.lists);
	}
}

static void
on_hello(void *arg, struct msg_peer_hello *m)
{
	(void)arg;
	exchange_hello(app.exchange, m);
}

static void
on_up(void *arg, const struct msg_peer_hello *m)
{
	(void)arg;
	exchange_pair(app.exchange, pairing_cluster(app.pairing), pairing_channel(app.pairing));
	refill_up(app.refill, pairing_channel(app.pairing));
	exchange_up(app.exchange, m);
	key_courier_up(app.keys, pairing_channel(app.pairing));
	list_courier_up(app.lists, pairing_channel(app.pairing));
}

static void
on_down(void *arg, const char *why)
{
	(void)arg;
	(void)why; /* the channel has said it */
	exchange_down(app.exchange);
	refill_down(app.refill);
	key_courier_down(app.keys);
	list_courier_down(app.lists);
}

static void
on_peer_row(void *arg, const struct msg_row *row, const union msg_any *m)
{
	(void)arg;
	if (row->number == MSG_PEER_CONNS)
		refill_from_peer(app.refill, &m->conns_letter);
	else if (row->number == MSG_PEER_KEY_ASK)
		key_courier_on_ask(app.keys, &m->key_name);
	else if (row->number == MSG_PEER_KEY)
		key_courier_on_key(app.keys, &m->key_bytes);
	else if (row->number == MSG_PEER_LIST_ASK)
		list_courier_on_ask(app.lists, &m->list_get);
	else if (row->number == MSG_PEER_LIST)
		list_courier_on_text(app.lists, &m->list_text);
	else
		exchange_row(app.exchange, row, m);
}

static void
on_peer_blob(void *arg, unsigned number, const uint8_t *p, size_t len)
{
	(void)arg;
	exchange_blob(app.exchange, number, p, len);
}

/* The core says something else. */
static void
on_role_changed(void *arg)
{
	struct msg_role role;

	(void)arg;
	if (app.adverts)
		adverts_look(app.adverts);
	if (!app.pairing || !daemon_bus(app.d))
		return;
	fill_role(&role);
	bus_publish(daemon_bus(app.d), TOPIC_HA, MSG_ROLE, &role);
	role_tell(app.role, NULL);
	refill_roles(app.refill);
}

/* Whoever shows the role calls it unknown when nothing is heard for a while. */
static void
on_pulse(void *arg)
{
	struct msg_role role;

	(void)arg;
	loop_timer_set(&app.pulse, PULSE);
	if (!daemon_bus(app.d))
		return;
	fill_role(&role);
	bus_publish(daemon_bus(app.d), TOPIC_HA, MSG_ROLE, &role);
}

static void
on_places(void *arg)
{
	(void)arg;
	if (app.hold)
		hold_look(app.hold);
}

static bool
on_place(void *arg, struct address_plan *plan, const struct iface_list *kernel)
{
	(void)arg;
	return app.role && role_place(app.role, plan, kernel);
}

static void
on_code(void *arg, const struct bus_request *rq, const union msg_any *m)
{
	(void)arg;
	pairing_on_code(app.pairing, rq, &m->ha_code);
}

static void
on_pair(void *arg, const struct bus_request *rq, const union msg_any *m)
{
	(void)arg;
	pairing_on_pair(app.pairing, rq, &m->ha_pair);
}

static void
on_confirm(void *arg, const struct bus_request *rq, const union msg_any *m)
{
	(void)arg;
	pairing_on_confirm(app.pairing, rq, &m->ha_confirm);
}

static void
on_unpair(void *arg, const struct bus_request *rq, const union msg_any *m)
{
	(void)arg;
	pairing_on_unpair(app.pairing, rq, &m->ha_unpair);
}

static void
on_failover(void *arg, const struct bus_request *rq, const union msg_any *m)
{
	(void)arg;
	role_order(app.role, rq, &m->ha_order);
}

static void
on_role_told(void *arg, const struct bus_request *rq, const union msg_any *m)
{
	(void)arg;
	role_told(app.role, rq, &m->ha_told);
}

static void
on_trial_confirm(void *arg, const struct bus_request *rq, const union msg_any *m)
{
	(void)arg;
	(void)m;
	exchange_confirm(app.exchange, rq);
}

static void
snapshot_peer(const struct bus_request *rq)
{
	struct pairing_texts texts;
	struct msg_ha_peer peer;

	pairing_peer(app.pairing, &texts, &peer);
	(void)bus_reply(rq, MSG_HA_PEER, &peer);
}

static void
snapshot(void *arg, const struct bus_request *rq, unsigned topics)
{
	struct msg_role role;
	const struct floating *f = NULL;
	char text[ADDR_TEXT];
	struct msg_floating m;
	uint32_t n = 0;

	(void)arg;
	if (!(topics & TOPIC_HA))
		return;
	fill_role(&role);
	(void)bus_reply(rq, MSG_ROLE, &role);
	if (app.pairing)
		snapshot_peer(rq);
	if (app.role)
		role_tell(app.role, rq);
	if (app.hold)
		f = hold_all(app.hold, &n);
	for (uint32_t i = 0; i < n; i++) {
		fill(&f[i], text, &m);
		(void)bus_reply(rq, MSG_FLOATING, &m);
	}
}

static int
init(struct daemon *d, struct err *err)
{
	static const struct hold_ops ops = {
		.told = on_told, .settled = on_settled, .place = on_place
	};
	static const struct role_ops role_ops = { .changed = on_role_changed, .places = on_places };
	static const struct pairing_ops pair_ops = { .changed = on_pair_changed,
		.hello = on_hello,
		.up = on_up,
		.down = on_down,
		.row = on_peer_row,
		.blob = on_peer_blob };
	static const struct verdicts_ops verdicts_ops = { .quorum = on_quorum };
	static const struct adverts_ops adverts_ops = { .turned = on_route };
	struct stick_mirror_ops stick_ops = { .to_peer = exchange_to_peer };

	(void)err;
	app.d = d;
	app.since = mono_wall_ms() / 1000;
	app.trial = trial_new(d);
	app.garp = garp_new(daemon_loop(d), &app.mute);
	if (app.mute.code != 0)
		log_warn("%s", app.mute.text);
	app.hold = hold_new(daemon_loop(d), daemon_paths(d), app.garp, &ops);
	app.role = role_new(daemon_loop(d), daemon_paths(d), daemon_bus(d), &role_ops);
	app.exchange = exchange_new(d, app.role);
	app.refill = refill_new(daemon_loop(d), daemon_bus(d), app.role);
	app.adverts = adverts_new(d, app.role, &adverts_ops);
	app.keys = key_courier_new(d);
	app.lists = list_courier_new(d);
	app.verdicts = verdicts_new(d, app.role, &verdicts_ops);
	exchange_trial(app.exchange, app.trial);
	stick_ops.arg = app.exchange;
	app.stick = stick_mirror_new(daemon_loop(d), daemon_bus(d), daemon_paths(d), &stick_ops);
	exchange_stick(app.exchange, app.stick);
	app.pairing = pairing_new(daemon_loop(d), daemon_paths(d), &pair_ops);
	loop_timer_init(&app.pulse, daemon_loop(d), on_pulse, NULL);
	loop_timer_set(&app.pulse, PULSE);
	return 0;
}

static int
apply(struct daemon *d, struct snapshot *old, struct snapshot *now, struct err *err)
{
	(void)d;
	(void)err;
	if (old)
		trial_look(app.trial);
	pairing_set(app.pairing, now);
	role_set(app.role, pairing_cluster(app.pairing), now);
	exchange_pair(app.exchange, pairing_cluster(app.pairing), pairing_channel(app.pairing));
	exchange_moved(app.exchange);
	refill_apply(app.refill, now);
	key_courier_look(app.keys);
	list_courier_look(app.lists);
	verdicts_apply(app.verdicts);
	adverts_look(app.adverts);
	if (!trial_passed(app.trial, now))
		hold_set(app.hold, now);
	return 0;
}

static void
status(struct daemon *d, char *line, size_t room)
{
	const struct floating *f = NULL;
	uint32_t n = 0, held = 0;

	(void)d;
	if (app.hold)
		f = hold_all(app.hold, &n);
	for (uint32_t i = 0; i < n; i++)
		held += f[i].held;
	(void)snprintf(line, room,
	    "%s; holds %u of %u floating addresses; keeps %u persistence entries",
	    !app.role || role_active(app.role) ? "active" : "passive", held, n,
	    app.stick ? stick_mirror_count(app.stick) : 0);
}

static void
on_told_all(void *arg)
{
	daemon_stopped(arg);
}

static void
on_left(void *arg)
{
	adverts_leave(app.adverts, on_told_all, arg);
}

/* The other node takes over what it can, and routers are told; alone, addresses and routes stay for the next start. */
static void
drain(struct daemon *d)
{
	if (app.role && role_has_core(app.role))
		role_leave(app.role, on_left, d);
	else
		daemon_stopped(d);
}

static void
fini(struct daemon *d)
{
	(void)d;
	loop_timer_fini(&app.pulse);
	pairing_free(app.pairing);
	exchange_free(app.exchange);
	verdicts_free(app.verdicts);
	adverts_free(app.adverts);
	refill_free(app.refill);
	key_courier_free(app.keys);
	list_courier_free(app.lists);
	role_free(app.role);
	app.pairing = NULL;
	app.exchange = NULL;
	app.refill = NULL;
	app.keys = NULL;
	app.verdicts = NULL;
	app.adverts = NULL;
	app.role = NULL;
	hold_free(app.hold);
	garp_free(app.garp);
	trial_free(app.trial);
	stick_mirror_free(app.stick);
	app.stick = NULL;
	app.hold = NULL;
	app.garp = NULL;
	app.trial = NULL;
}

static void
on_stick_follow(void *arg, const struct bus_request *rq, const union msg_any *m)
{
	(void)arg;
	stick_mirror_on_follow(app.stick, rq, &m->stick_follow);
}

static void
on_stick_learned(void *arg, const struct bus_request *rq, const union msg_any *m)
{
	(void)arg;
	stick_mirror_on_learned(app.stick, rq, &m->stick_learned);
}

static void
on_conns_follow(void *arg, const struct bus_request *rq, const union msg_any *m)
{
	(void)arg;
	(void)m;
	refill_on_follow(app.refill, rq);
}

static void
on_conns_letter(void *arg, const struct bus_request *rq, const union msg_any *m)
{
	(void)arg;
	refill_on_letter(app.refill, rq, &m->conns_letter);
}

/* --release [--root DIR]; anything else with it is a mistake. */
static int
release(int argc, char **argv)
{
	const char *root = NULL;
	struct paths paths;
	struct err err = { 0 };

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--release") == 0)
			continue;
		if (strncmp(argv[i], "--root=", 7) == 0) {
			root = argv[i] + 7;
		} else if (strcmp(argv[i], "--root") == 0 && i + 1 < argc) {
			root = argv[++i];
		} else {
			(void)fprintf(stderr,
			    "lbd-ha: %s: --release takes --root DIR and nothing else\n", argv[i]);
			return 64;
		}
	}
	if (paths_init(&paths, root, &err) == 0) {
		notify_release(
		    &paths); /* first: routers choose another way before the addresses go */
		core_link_end(&paths);
	}
	if (err.code == 0)
		routes_release(&paths);
	if (err.code != 0 || hold_release(&paths, &err) != 0) {
		(void)fprintf(stderr, "lbd-ha: %s\n", err.text);
		return err.code == ERR_USAGE ? 64 : 70;
	}
	return 0;
}

static const struct bus_handler messages[] = {
	{ MSG_HA_CODE, on_code },
	{ MSG_HA_PAIR, on_pair },
	{ MSG_HA_CONFIRM, on_confirm },
	{ MSG_HA_UNPAIR, on_unpair },
	{ MSG_HA_FAILOVER, on_failover },
	{ MSG_HA_TOLD, on_role_told },
	{ MSG_TRIAL_CONFIRM, on_trial_confirm },
	{ MSG_STICK_FOLLOW, on_stick_follow },
	{ MSG_STICK_LEARNED, on_stick_learned },
	{ MSG_CONNS_FOLLOW, on_conns_follow },
	{ MSG_CONNS_LETTER, on_conns_letter },
	{ 0, NULL },
};

static const struct daemon_ops ops = {
	.name = "lbd-ha",
	.synopsis = "holds the floating addresses; --release takes them away and leaves",
	.messages = messages,
	.snapshot = snapshot,
	.init = init,
	.apply = apply,
	.status = status,
	.drain = drain,
	.fini = fini,
	.writes = true,
};

int
main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "--core") == 0)
		return core_main(3, 4); /* as core_link.c has put them */
	if (argc == 4 && strcmp(argv[1], "--probe-mac") == 0)
		return preflight_main(argv[2], argv[3]);
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], "--release") == 0)
			return release(argc, argv);
	return daemon_main(argc, argv, &ops);
}
