/* main.c - lbd-ha: who is active, and which floating addresses are here.
 *
 * On a single machine this node is always active and master. The ops table, topic HA (ROLE, FLOATING), and the
 * second way to start: `lbd-ha --release [--root DIR]` takes away what an lbd-ha of that root has put on this node.
 *
 * The addresses outlive the process: stopped, killed or restarted, it leaves them where they are, because the daemons
 * that carry the traffic go on; the next start finds them by their mark and its record and changes nothing. Who stops
 * the whole suite calls --release afterwards (lbctl run and lbd.target do).
 *
 * What should be where is address.c, the effect hold.c, announcements garp.c, the trial commit's clock trial.c, and
 * what is kept of lbd-proxy's persistence stick.c. */
#include "garp.h"
#include "hold.h"
#include "stick.h"
#include "trial.h"

#include "daemon/daemon.h"
#include "msg/msg.h"
#include "sys/log.h"

#include <stdio.h>
#include <string.h>

static struct {
	struct daemon *d;
	struct garp *garp;
	struct hold *hold;
	struct trial_clock *trial;
	struct stick_mirror *stick;
	int64_t since;	 /* the role */
	struct err mute; /* why nothing can be announced */
} app;

static void
fill(const struct floating *f, char text[ADDR_TEXT], struct msg_floating *m)
{
	addr_format(&f->addr, ADDR_CIDR, text);
	*m = (struct msg_floating){
		.address = SPAN(text),
		.interface = SPAN(f->ifname),
		.held = f->held,
		.manual = f->manual,
		.services = f->services,
		.fault = SPAN(f->fault),
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

static void
on_settled(void *arg)
{
	const struct floating *f;
	char text[ADDR_TEXT], line[300] = "";
	uint32_t n, faults = 0;

	(void)arg;
	f = hold_all(app.hold, &n);
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
snapshot(void *arg, const struct bus_request *rq, unsigned topics)
{
	const struct msg_role role = { .active = true, .master = true, .since = app.since };
	const struct floating *f = NULL;
	char text[ADDR_TEXT];
	struct msg_floating m;
	uint32_t n = 0;

	(void)arg;
	if (!(topics & TOPIC_HA))
		return;
	(void)bus_reply(rq, MSG_ROLE, &role);
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
	static const struct hold_ops ops = { .told = on_told, .settled = on_settled };

	(void)err;
	app.d = d;
	app.since = mono_wall_ms() / 1000;
	app.trial = trial_new(d);
	app.garp = garp_new(daemon_loop(d), &app.mute);
	if (app.mute.code != 0)
		log_warn("%s", app.mute.text);
	app.hold = hold_new(daemon_loop(d), daemon_paths(d), app.garp, &ops);
	app.stick = stick_mirror_new(daemon_loop(d), daemon_bus(d), daemon_paths(d), NULL);
	return 0;
}

static int
apply(struct daemon *d, struct snapshot *old, struct snapshot *now, struct err *err)
{
	(void)d;
	(void)err;
	if (old)
		trial_look(app.trial);
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
	    "active; holds %u of %u floating addresses; keeps %u persistence entries", held, n,
	    app.stick ? stick_mirror_count(app.stick) : 0);
}

static void
fini(struct daemon *d)
{
	(void)d;
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
	if (paths_init(&paths, root, &err) != 0 || hold_release(&paths, &err) != 0) {
		(void)fprintf(stderr, "lbd-ha: %s\n", err.text);
		return err.code == ERR_USAGE ? 64 : 70;
	}
	return 0;
}

static const struct bus_handler messages[] = {
	{ MSG_STICK_FOLLOW, on_stick_follow },
	{ MSG_STICK_LEARNED, on_stick_learned },
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
	.fini = fini,
	.writes = true,
};

int
main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], "--release") == 0)
			return release(argc, argv);
	return daemon_main(argc, argv, &ops);
}
