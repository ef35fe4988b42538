/* The life of a daemon, the same for all: options, log, bus, store, loop, stop.
 *
 * What is particular to one is in its ops. Handlers of messages wait until init was called,
 * which needs a configuration: before that the daemon only says how it does. Stop is asked by
 * SIGTERM or SIGINT: the daemon drains, at most DRAIN_MOST; a second signal ends it at once. It
 * stays in the foreground always: systemd and lbctl run want it so. */
#include "daemon/daemon.h"
#include "base/must.h"
#include "daemon/daemon_priv.h"
#include "msg/client.h"
#include "sys/log.h"
#include "sys/netlink.h"
#include "sys/notify.h"
#include "sys/sock.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define DRAIN_MOST DUR_S(30)

struct options {
	const char *root;
	bool check, verbose;
};

static void
print_help(const struct daemon_ops *ops)
{
	(void)printf(
	    "%s - %s\n\n"
	    "usage: %s [-fnv] [-s DIR]\n\n"
	    "  -n, --check       check the configuration in the store and leave: 0, or 78\n"
	    "  -f, --foreground  stay in the foreground (it always does)\n"
	    "  -v, --verbose     log every message\n"
	    "  -s, --root DIR    folders are below DIR: DIR/etc/lbd, DIR/var/lib/lbd, DIR/run/lbd;\n"
	    "                    without it LBD_ROOT of the environment, else the machine's own\n"
	    "  -V, --version     print the version and leave\n"
	    "  -h, --help        print this and leave\n",
	    ops->name, ops->synopsis, ops->name);
}

/* The exit code to leave with, or -1: go on. */
static int
parse_options(int argc, char **argv, const struct daemon_ops *ops, struct options *o)
{
	static const struct option known[] = {
		{ "check", no_argument, NULL, 'n' },
		{ "foreground", no_argument, NULL, 'f' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "version", no_argument, NULL, 'V' },
		{ "root", required_argument, NULL, 's' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	optind = 1;
	while ((c = getopt_long(argc, argv, "nfvVs:h", known, NULL)) != -1) {
		switch (c) {
		case 'n': o->check = true; break;
		case 'f': break;
		case 'v': o->verbose = true; break;
		case 's': o->root = optarg; break;
		case 'V': (void)printf("%s %s\n", ops->name, LBD_VERSION); return EXIT_DONE;
		case 'h': print_help(ops); return EXIT_DONE;
		default:
			(void)fprintf(stderr, "%s: try %s --help\n", ops->name, ops->name);
			return EXIT_USAGE;
		}
	}
	if (optind < argc) {
		(void)fprintf(stderr, "%s: argument %s is not understood; try %s --help\n",
		    ops->name, argv[optind], ops->name);
		return EXIT_USAGE;
	}
	return -1;
}

/* -n: would this configuration be taken, on this node? */
static int
check_only(const struct daemon_ops *ops, const struct paths *p)
{
	struct iface_list local = { 0 };
	struct store *st = NULL;
	struct snapshot *s = NULL;
	struct err err = { 0 };
	int code = store_open(p->state, STORE_READ, &st, &err);
	bool know = netlink_addresses(&local, NULL) == 0;

	if (code == 0)
		code = store_snapshot(st, &s, &err);
	if (code == 0)
		code = snapshot_check(s, know ? &local : NULL, &err);
	if (code == 0)
		(void)printf("%s: the configuration is good: revision %u\n", ops->name,
		    snapshot_revision(s, SCOPE_SHARED));
	else if (err.text[0] != '\0')
		(void)fprintf(stderr, "%s: %s\n", ops->name, err.text);
	else
		(void)fprintf(stderr, "%s: %s: %s\n", ops->name, p->state, strerror(-code));
	snapshot_unref(s);
	store_close(st);
	iface_list_fini(&local);
	return code == 0 ? EXIT_DONE : EXIT_CONFIG;
}

/* Messages and topics that are the daemon's own. */
static void
on_own(void *arg, const struct bus_request *rq, const union msg_any *m)
{
	struct daemon *d = arg;
	const struct bus_handler *h = d->ops->messages;
	char text[120];

	must_obj(d, DAEMON_MAGIC);
	if (!d->inited) {
		(void)snprintf(text, sizeof(text), "%s: %s has no configuration yet", rq->row->name,
		    d->ops->name);
		bus_result(rq, ERR_AWAY, text);
		return;
	}
	while (h->number != rq->row->number)
		h++;
	h->fn(d, rq, m);
}

static void
on_snapshot(void *arg, const struct bus_request *rq, unsigned topics)
{
	struct daemon *d = arg;

	must_obj(d, DAEMON_MAGIC);
	if (d->inited && d->ops->snapshot != NULL)
		d->ops->snapshot(d, rq, topics);
}

static int
open_bus(struct daemon *d, struct err *err)
{
	static const struct bus_handler common[] = {
		{ MSG_STATUS, status_on_status },
		{ MSG_REVISION, apply_on_revision },
		{ MSG_LOG_LEVEL, status_on_level },
	};
	unsigned n = 0;

	for (const struct bus_handler *h = d->ops->messages; h != NULL && h->number != 0; h++) {
		must(n + ARRAY_LEN(common) + 1 < DAEMON_HANDLERS);
		d->handlers[n++] = (struct bus_handler){ h->number, on_own };
	}
	memcpy(&d->handlers[n], common, sizeof(common));
	d->bus_ops = (struct bus_ops){
		.program = d->ops->name,
		.handlers = d->handlers,
		.snapshot = on_snapshot,
		.arg = d,
	};
	if (d->ops->inherit != NULL) {
		int fd = d->ops->inherit(d, err);

		d->held = fd >= 0;
		if (d->held)
			d->bus = bus_adopt(d->loop, &d->paths, &d->bus_ops, fd);
		if (fd != -1)
			return d->held ? 0 : fd;
	}
	/* When the folder cannot be made, the socket's error says more. */
	(void)paths_make(&d->paths, NULL);
	return bus_open(d->loop, &d->paths, &d->bus_ops, &d->bus, err);
}

static void
on_second(void *arg)
{
	struct daemon *d = arg;

	must_obj(d, DAEMON_MAGIC);
	loop_timer_set(&d->second, DUR_S(1));
	apply_check_store(d, false);
	status_tell(d);
	log_flush();
}

static void
on_deadline(void *arg)
{
	struct daemon *d = arg;

	must_obj(d, DAEMON_MAGIC);
	log_warn(
	    "stop: not finished after %d s, ending all the same", (int)(DRAIN_MOST / DUR_S(1)));
	loop_stop(d->loop);
}

static void
on_stop(void *arg)
{
	struct daemon *d = arg;

	must_obj(d, DAEMON_MAGIC);
	if (d->stopping || !d->inited || d->ops->drain == NULL) {
		notify_stopping();
		d->stopping = true;
		loop_stop(d->loop);
		return;
	}
	d->stopping = true;
	log_info("stop: finishing what is under way");
	notify_stopping();
	status_tell(d);
	loop_timer_set(&d->deadline, DRAIN_MOST);
	d->ops->drain(d);
}

static void
on_reload(void *arg)
{
	struct daemon *d = arg;

	must_obj(d, DAEMON_MAGIC);
	if (d->stopping)
		return;
	log_info("reload: asked by SIGHUP");
	notify_reloading();
	apply_check_store(d, true);
	if (d->inited && d->ops->reload != NULL)
		d->ops->reload(d);
	notify_ready();
}

static void
on_poke(void *arg)
{
	struct daemon *d = arg;

	must_obj(d, DAEMON_MAGIC);
	apply_check_store(d, true);
}

static void
run(struct daemon *d)
{
	int code;

	(void)signal(SIGPIPE, SIG_IGN);
	loop_signal(d->loop, SIGTERM, on_stop, d);
	loop_signal(d->loop, SIGINT, on_stop, d);
	loop_signal(d->loop, SIGHUP, on_reload, d);
	loop_timer_init(&d->second, d->loop, on_second, d);
	loop_timer_init(&d->deadline, d->loop, on_deadline, d);
	status_watchdog_start(d);
	loop_timer_set(&d->second, DUR_S(1));
	if (d->ops->writes)
		announce_init(d);
	apply_check_store(d, true);
	if (!d->ready && d->exit_code == 0 && !d->held) {
		/* Without a store it is up as far as it can be; whoever makes one must not wait
		 * for us. */
		notify_ready();
		status_tell(d);
	}
	code = loop_run(d->loop);
	if (code != 0) {
		log_err("loop: %s", strerror(-code));
		d->exit_code = EXIT_INTERNAL;
	}
}

/* What would end the process waits from here on: it ends already, and its exit code says how. The loop's handlers go with it. */
static void
hold_signals(void)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGHUP);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
}

static void
end(struct daemon *d)
{
	d->stopping = true;
	announce_fini(d);
	if (d->inited && d->ops->fini != NULL)
		d->ops->fini(d); /* may still answer requests */
	bus_close(d->bus);
	loop_timer_fini(&d->second);
	loop_timer_fini(&d->watchdog);
	loop_timer_fini(&d->deadline);
	apply_fini(d);
	hold_signals();
	loop_free(d->loop);
	log_flush();
}

int
daemon_main(int argc, char **argv, const struct daemon_ops *ops)
{
	struct options o = { 0 };
	struct daemon d = { .magic = DAEMON_MAGIC, .ops = ops, .started = mono_wall_ms() / 1000 };
	struct err err = { 0 };
	int code = parse_options(argc, argv, ops, &o);

	if (code != -1)
		return code;
	log_init(ops->name);
	log_set_level(o.verbose ? LOG_P_DEBUG : LOG_P_INFO);
	if (paths_init(&d.paths, o.root, &err) != 0) {
		(void)fprintf(stderr, "%s: %s\n", ops->name, err.text);
		return EXIT_USAGE;
	}
	if (o.check)
		return check_only(ops, &d.paths);
	d.verbose = o.verbose;
	(void)sock_fd_limit();
	list_init(&d.announcements);
	d.loop = loop_new();
	if (open_bus(&d, &err) != 0) {
		log_err("start: %s", err.text);
		loop_free(d.loop);
		return EXIT_AGAIN;
	}
	log_info("start: version %s, process %d", LBD_VERSION, (int)getpid());
	run(&d);
	end(&d);
	log_info("stop: done");
	return d.exit_code;
}

struct loop *
daemon_loop(struct daemon *d)
{
	must_obj(d, DAEMON_MAGIC);
	return d->loop;
}

struct bus *
daemon_bus(struct daemon *d)
{
	must_obj(d, DAEMON_MAGIC);
	return d->bus;
}

const struct paths *
daemon_paths(struct daemon *d)
{
	must_obj(d, DAEMON_MAGIC);
	return &d->paths;
}

struct snapshot *
daemon_snapshot(struct daemon *d)
{
	must_obj(d, DAEMON_MAGIC);
	return d->snap;
}

struct store *
daemon_store(struct daemon *d)
{
	must_obj(d, DAEMON_MAGIC);
	return d->store;
}

void
daemon_stopped(struct daemon *d)
{
	must_obj(d, DAEMON_MAGIC);
	loop_stop(d->loop);
}

void
daemon_take(struct daemon *d)
{
	must_obj(d, DAEMON_MAGIC);
	d->held = false;
	bus_listen(d->bus, true);
}

void
daemon_known(struct daemon *d)
{
	must_obj(d, DAEMON_MAGIC);
	notify_ready();
	notify_watchdog();
	d->told[0] = '\0';
	status_tell(d);
}

void
daemon_yield(struct daemon *d, bool yield)
{
	must_obj(d, DAEMON_MAGIC);
	bus_listen(d->bus, !yield);
}

void
daemon_poke(struct daemon *d)
{
	must_obj(d, DAEMON_MAGIC);
	loop_defer(d->loop, on_poke, d);
}
