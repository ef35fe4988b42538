/* main.c - lbd-ipvs: the kernel's packet path.
 *
 * The ops table, and how the rooms are joined. Configuration, orders and verdicts go into services.c, which asks
 * plan/ what the kernel should hold and hands it to apply/; what the kernel says of it comes back and is told as
 * topic L4. packet/ and conns/ follow the configuration by themselves.
 *
 * Stopped, killed or restarted, it leaves the kernel as it is, unless the setting ipvs_stop says clear: traffic needs
 * no process. What was made stays known (apply/record.c), and the next start changes only the difference. */
#include "duo.h"
#include "health.h"
#include "node.h"
#include "services.h"

#include "apply/reconcile.h"
#include "conns/conns.h"
#include "kernel/kernel.h"
#include "packet/packet.h"
#include "refill/refill.h"
#include "view/view.h"

#include "daemon/daemon.h"
#include "sys/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define AGAIN DUR_S(5) /* what was not possible is tried again */

static struct {
	struct daemon *d;
	struct packet *packet;
	struct conns *conns;
	struct reconcile *kernel;
	struct services *services;
	struct health *health;
	struct duo duo;
	struct hints *hints;
	struct refill *refill;
	struct loop_timer again, kept;
	bool counting; /* faults are counted at the end of this turn */
	bool templates_stay, templates_open;
	char kernel_fault[300], packet_fault[300], node_fault[200];
	char version[40];
} app;

/* ---- faults ------------------------------------------------------------------------------- */

static void
say_fault(void *arg)
{
	const struct service_state *first;
	const struct service *svc = NULL;
	char text[500] = "";
	uint32_t n, faults;

	(void)arg;
	app.counting = false;
	if (app.services == NULL) /* it stops */
		return;
	services_count(app.services, &n, &faults, &first);
	if (app.kernel_fault[0] != '\0' && n > 0) { /* without services nothing is missing */
		(void)snprintf(text, sizeof(text), "%s", app.kernel_fault);
	} else if (app.packet_fault[0] != '\0') {
		(void)snprintf(text, sizeof(text), "%s", app.packet_fault);
	} else if (app.node_fault[0] != '\0') {
		(void)snprintf(text, sizeof(text), "%s", app.node_fault);
	} else if (faults > 0) {
		svc = snapshot_find(daemon_snapshot(app.d), KIND_service, first->id);
		(void)snprintf(
		    text, sizeof(text), "vip %s: %s", svc != NULL ? svc->name : "?", first->fault);
		if (faults > 1)
			(void)snprintf(text + strlen(text), sizeof(text) - strlen(text),
			    "; and %u more", faults - 1);
	}
	daemon_fault(app.d, text[0] != '\0' ? text : NULL);
}

static void
count_faults(void)
{
	if (app.counting)
		return;
	app.counting = true;
	loop_defer(daemon_loop(app.d), say_fault, NULL);
}

static void
set_fault(char *to, size_t room, const char *fault)
{
	(void)snprintf(to, room, "%s", fault != NULL ? fault : "");
	count_faults();
}

/* ---- what goes to the kernel -------------------------------------------------------------- */

static void
want(void *arg, uint32_t service, struct ipvs_table *t)
{
	(void)arg;
	reconcile_want(app.kernel, service, t);
}

static void
send_now(void *arg)
{
	(void)arg;
	reconcile_flush(app.kernel);
}

static void
cut(void *arg, uint32_t server, const char *why)
{
	(void)arg;
	conns_cut(app.conns, server, why);
}

static void
told(void *arg, const struct service_state *s, bool gone)
{
	(void)arg;
	if (daemon_bus(app.d) != NULL)
		view_service(daemon_bus(app.d), s, gone);
	count_faults();
}

/* The switch is there once the kernel has ip_vs. */
static void
set_templates(void)
{
	int code;

	if (!app.templates_open)
		return;
	code = node_templates(app.templates_stay);
	if (code == -ENOENT)
		return;
	app.templates_open = false;
	if (code != 0)
		log_err("sysctl net.ipv4.vs.expire_quiescent_template: %s", strerror(-code));
}

static void
templates(void *arg, bool stay)
{
	(void)arg;
	app.templates_stay = stay;
	app.templates_open = true;
	set_templates();
}

static void
set_sync(const struct snapshot *s)
{
	const char *named = snapshot_node(s)->sync_interface;
	struct ipvs_sync master, backup;
	char found[NODE_IFNAME] = "";
	bool lost = want_sync_any(s, app.duo.cluster) && named[0] == '\0' &&
		    !duo_interface(&app.duo, found) && !node_default_interface(found);

	want_sync(s, app.duo.cluster, found, &master, &backup);
	reconcile_sync(app.kernel, &master, &backup);
	set_fault(app.node_fault, sizeof(app.node_fault),
	    lost
		? "node: sync_interface: \"\" is the interface on which the other node is, or that "
		  "of the default route, and there is none; allowed is the name of an interface"
		: NULL);
	if (lost)
		loop_timer_set(&app.again, AGAIN);
}

/* The rules for packets, which follow from the roles in the pair as well. */
static void
set_packet(struct snapshot *s)
{
	struct packet_pair pair;
	dur_t next = duo_pair(&app.duo, s, mono_now(), &pair);

	packet_apply(app.packet, s, &pair);
	if (next > 0)
		loop_timer_set(&app.kept, next);
	else
		loop_timer_cancel(&app.kept);
}

static void
on_kept(void *arg)
{
	(void)arg;
	set_packet(daemon_snapshot(app.d));
}

/* One of a pair or not any more, or another role in it. */
static void
on_duo(void *arg)
{
	(void)arg;
	if (daemon_snapshot(app.d) == NULL)
		return;
	set_packet(daemon_snapshot(app.d));
	set_sync(daemon_snapshot(app.d));
}

static void
on_again(void *arg)
{
	(void)arg;
	set_sync(daemon_snapshot(app.d));
}

/* ---- what the kernel says ----------------------------------------------------------------- */

static void
kernel_told(void *arg, uint32_t service, const char *fault)
{
	(void)arg;
	services_fault(app.services, service, fault);
}

static void
kernel_fault(void *arg, const char *fault)
{
	(void)arg;
	set_fault(app.kernel_fault, sizeof(app.kernel_fault), fault);
	services_whole_fault(app.services, fault);
	if (fault != NULL)
		app.version[0] = '\0';
}

static void
find_version(void)
{
	struct kernel *k = NULL;
	struct kernel_info info;

	if (app.version[0] != '\0' || kernel_open(&k, NULL) != 0)
		return;
	if (kernel_info(k, &info, NULL) == 0)
		(void)snprintf(app.version, sizeof(app.version), "IPVS %u.%u.%u", info.version[0],
		    info.version[1], info.version[2]);
	kernel_close(k);
}

static void
kernel_read_again(void *arg)
{
	(void)arg;
	set_templates();
	find_version();
}

static void
packet_fault(void *arg, const char *fault)
{
	(void)arg;
	set_fault(app.packet_fault, sizeof(app.packet_fault), fault);
}

static void
hint(void *arg, uint32_t server, enum finding what, const char *text)
{
	(void)arg;
	if (daemon_bus(app.d) != NULL)
		hints_set(app.hints, daemon_bus(app.d), server, what, text);
}

static void
half_open(void *arg, uint32_t server, uint32_t count)
{
	(void)arg;
	health_half_open(app.health, server, count);
}

/* Connections of the other node are taken when its services are in the kernel, and the receiver runs. */
static enum conns_state
conns_state(void *arg)
{
	const struct snapshot *s = daemon_snapshot(app.d);
	struct ipvs_sync master, backup;

	(void)arg;
	if (s == NULL)
		return CONNS_WAITS;
	/* Whether it is one of a pair lbd-ha knows, and perhaps this process does not yet. */
	want_sync(s, app.duo.cluster != 0 ? app.duo.cluster : 1, "lo", &master, &backup);
	if (!backup.on)
		return CONNS_OFF;
	return app.duo.cluster != 0 && reconcile_settled(app.kernel) ? CONNS_READY : CONNS_WAITS;
}

/* ---- the daemon --------------------------------------------------------------------------- */

/* All rows were given, with what is known of their servers: what nobody wants any more may go. */
static void
ready(void *arg)
{
	(void)arg;
	services_start(app.services);
	reconcile_start(app.kernel);
}

static int
init(struct daemon *d, struct err *err)
{
	static const struct packet_ops packet_ops = { .fault = packet_fault };
	static const struct conns_ops conns_ops = { .hint = hint, .half_open = half_open };
	static const struct reconcile_ops kernel_ops = {
		.told = kernel_told, .fault = kernel_fault, .read = kernel_read_again
	};
	static const struct services_ops services_ops = {
		.want = want, .send = send_now, .cut = cut, .told = told, .templates = templates
	};
	struct loop *l = daemon_loop(d);

	(void)err;
	app.d = d;
	app.hints = hints_new();
	app.services = services_new(l, &services_ops);
	app.packet = packet_new(l, daemon_paths(d), &packet_ops);
	app.conns = conns_new(d, app.packet, &conns_ops);
	app.kernel = reconcile_new(l, daemon_paths(d), &kernel_ops);
	app.health = health_new(d, app.services, ready, NULL);
	loop_timer_init(&app.again, l, on_again, NULL);
	loop_timer_init(&app.kept, l, on_kept, NULL);
	duo_init(&app.duo, d, on_duo, NULL);
	app.refill = refill_new(d, app.conns, conns_state, NULL);
	return 0;
}

/* What the kernel does not take is said where the change was made. */
static int
refusal(const struct snapshot *now, struct err *err)
{
	const struct service_state *st = services_refused(app.services);
	const struct service *svc = st ? snapshot_find(now, KIND_service, st->id) : NULL;
	char object[100];

	if (svc == NULL)
		return 0;
	(void)snprintf(object, sizeof(object), "vip %s", svc->name);
	return err_field(err, ERR_INVALID, object, NULL, "%s", st->fault);
}

static int
apply(struct daemon *d, struct snapshot *old, struct snapshot *now, struct err *err)
{
	struct ipvs_timeouts timeouts;

	set_packet(now);
	conns_apply(app.conns, now);
	services_apply(app.services, old, now);
	if (daemon_bus(d) != NULL)
		hints_prune(app.hints, daemon_bus(d), now);
	want_timeouts(now, &timeouts);
	reconcile_timeouts(app.kernel, &timeouts);
	set_sync(now);
	count_faults();
	if (old == NULL)
		return 0;
	reconcile_flush(app.kernel);
	return refusal(now, err);
}

static void
status(struct daemon *d, char *line, size_t room)
{
	const struct service_state *first;
	uint32_t n, faults;

	(void)d;
	services_count(app.services, &n, &faults, &first);
	(void)snprintf(line, room, "%u services, %u faults; %s", n, faults,
	    app.version[0] != '\0' ? app.version : "no IPVS");
}

static void
clear(void)
{
	struct err err = { 0 };

	if (reconcile_clear(app.kernel, &err) != 0)
		log_err("stop: the services in the kernel stay: %s", err.text);
	if (packet_clear(app.packet, &err) != 0)
		log_err("stop: the rules for packets stay: %s", err.text);
}

static void
fini(struct daemon *d)
{
	struct services *services = app.services;

	if (daemon_snapshot(d) != NULL &&
	    snapshot_setting(daemon_snapshot(d))->ipvs_stop == stop_action_clear)
		clear();
	loop_timer_fini(&app.again);
	loop_timer_fini(&app.kept);
	health_free(app.health);
	duo_fini(&app.duo);
	refill_free(app.refill);
	reconcile_free(app.kernel);
	conns_free(app.conns);
	packet_free(app.packet);
	app.services = NULL;
	services_free(services);
	hints_free(app.hints);
}

static void
snapshot(void *arg, const struct bus_request *rq, unsigned topics)
{
	(void)arg;
	if ((topics & TOPIC_L4) != 0)
		view_snapshot(app.services, app.hints, rq);
}

/* ---- messages ----------------------------------------------------------------------------- */

static struct view_source
source(void)
{
	return (struct view_source){ app.d, app.services, app.kernel, app.conns };
}

static void
on_counters(void *arg, const struct bus_request *rq, const union msg_any *m)
{
	const struct view_source v = source();

	(void)arg;
	view_counters(&v, rq, &m->select);
}

static void
on_flush(void *arg, const struct bus_request *rq, const union msg_any *m)
{
	uint32_t id = m->select.service;
	struct err err = { 0 };
	int code;

	(void)arg;
	if (id != 0 && services_find(app.services, id) == NULL) { /* of layer 7, or new */
		bus_result(rq, 0, NULL);
		return;
	}
	code = reconcile_zero(app.kernel, id, &err);
	if (code == 0)
		services_flushed(app.services, id, mono_wall_ms() / 1000);
	reconcile_look(app.kernel);
	bus_result(rq, code, err.text);
}

static void
on_table(void *arg, const struct bus_request *rq, const union msg_any *m)
{
	const struct view_source v = source();

	(void)arg;
	view_table(&v, rq, &m->select);
}

static void
on_conns(void *arg, const struct bus_request *rq, const union msg_any *m)
{
	(void)arg;
	conns_on_conns(app.conns, rq, &m->select);
}

static void
on_persists(void *arg, const struct bus_request *rq, const union msg_any *m)
{
	(void)arg;
	conns_on_persists(app.conns, rq, &m->select);
}

static void
on_clear(void *arg, const struct bus_request *rq, const union msg_any *m)
{
	(void)arg;
	conns_on_clear(app.conns, rq, &m->persist_clear);
}

static const struct bus_handler handlers[] = {
	{ MSG_COUNTERS, on_counters },
	{ MSG_FLUSH_COUNTERS, on_flush },
	{ MSG_KERNEL_TABLE, on_table },
	{ MSG_CONNS, on_conns },
	{ MSG_PERSISTS, on_persists },
	{ MSG_PERSIST_CLEAR, on_clear },
	{ 0, NULL },
};

static const struct daemon_ops ops = {
	.name = "lbd-ipvs",
	.synopsis = "programs the kernel's packet path",
	.messages = handlers,
	.snapshot = snapshot,
	.init = init,
	.apply = apply,
	.status = status,
	.fini = fini,
};

int
main(int argc, char **argv)
{
	return daemon_main(argc, argv, &ops);
}
