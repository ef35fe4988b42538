/* daemon.h - the skeleton that every daemon stands on. A daemon's main.c is an ops table and
 * daemon_main.
 *
 * Order: options -> log -> bus -> store -> snapshot -> check -> init -> apply -> ready -> loop.
 * A commit arrives as a REVISION message (or is found by looking once a second): the next
 * snapshot is made, apply(old, new) is called, APPLIED answers. Stop: drain, then fini, exit 0.
 *
 * Exit codes: 0 done, 64 usage, 70 internal, 75 try again, 78 bad configuration. systemd and
 * lbctl run restart on 70, 75 and signals. Without a store yet the daemon is ready all the same,
 * waits for one, and says so in its status; its messages are refused until init was called. */
#ifndef DAEMON_DAEMON_H
#define DAEMON_DAEMON_H

#include "base/err.h"
#include "msg/bus.h"
#include "store/snapshot.h"
#include "sys/loop.h"
#include "sys/paths.h"

struct daemon; /* the skeleton's own state */

struct daemon_ops {
	const char *name;		    /* "lbd-check" */
	const char *synopsis;		    /* one line for --help */
	const struct bus_handler *messages; /* not called before init; arg is the struct daemon */
	/* state of the topics, see bus.h; may be NULL */
	void (*snapshot)(void *arg, const struct bus_request *rq, unsigned topics);
	/* Before its socket is opened; may be NULL. A descriptor: that socket, handed over by the process before this one, which
	 * serves it until daemon_take. -1: there is none. Anything else: exit 75, err says why. */
	int (*inherit)(struct daemon *d, struct err *err);
	/* After the first snapshot is loaded, before apply. 0, or a code with err: exit 70. */
	int (*init)(struct daemon *d, struct err *err);
	/* old is NULL at the first call. Not 0: not in force, err says why; the daemon goes on
	 * with what it can and is called again at the next revision, with this now as old. */
	int (*apply)(struct daemon *d, struct snapshot *old, struct snapshot *now, struct err *err);
	void (*reload)(struct daemon *d); /* SIGHUP; may be NULL */
	bool (*alive)(struct daemon *d);  /* asked before each watchdog ping; may be NULL */
	/* "142 VIPs, 3 degraded"; may be NULL */
	void (*status)(struct daemon *d, char *line, size_t room);
	/* what else it says of itself in DAEMON; may be NULL */
	void (*tell)(struct daemon *d, struct msg_daemon *m);
	/* Stop was asked: start finishing, call daemon_stopped when done. NULL: stop at once. */
	void (*drain)(struct daemon *d);
	void (*fini)(struct daemon *d);
	bool writes; /* opens the store for writing (lbd-web, lbd-ha) */
};

int daemon_main(int argc, char **argv, const struct daemon_ops *ops);

struct loop *daemon_loop(struct daemon *d);
struct bus *daemon_bus(struct daemon *d);
const struct paths *daemon_paths(struct daemon *d);
struct snapshot *daemon_snapshot(struct daemon *d); /* in force; borrowed; NULL before the first */
/* borrowed; NULL without one; writable only with ops.writes */
struct store *daemon_store(struct daemon *d);
void daemon_stopped(struct daemon *d);
void daemon_fault(struct daemon *d, const char *text); /* shown in status until cleared with NULL */
/* One process after the other, without a moment in which none is there. daemon_take: this one, which was handed its socket,
 * serves it from now on. daemon_known: systemd takes it for the main process, and is told how it does. daemon_yield: another
 * process is the daemon now, this one only finishes what it has; or it is the daemon again. */
void daemon_take(struct daemon *d);
void daemon_known(struct daemon *d);
void daemon_yield(struct daemon *d, bool yield);
/* daemon_poke - this process made a commit itself: apply it after this turn, not at the next poll. */
void daemon_poke(struct daemon *d);

#endif
