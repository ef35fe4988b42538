/* daemon_priv.h - the skeleton's own state, for the files of this folder. */
#ifndef DAEMON_DAEMON_PRIV_H
#define DAEMON_DAEMON_PRIV_H

#include "base/list.h"
#include "daemon/daemon.h"
#include "store/store.h"

#define DAEMON_MAGIC 0x00dae305
#define DAEMON_HANDLERS 32
#define DAEMON_LINKS 8

enum { EXIT_DONE = 0, EXIT_USAGE = 64, EXIT_INTERNAL = 70, EXIT_AGAIN = 75, EXIT_CONFIG = 78 };

struct daemon {
	uint32_t magic;
	const struct daemon_ops *ops;
	struct paths paths;
	struct loop *loop;
	struct bus *bus;
	struct bus_ops bus_ops;
	struct bus_handler handlers[DAEMON_HANDLERS];
	struct store *store;
	struct snapshot *snap; /* in force, or what apply was given last */
	int64_t started;       /* seconds since 1970 */
	bool verbose, inited, ready, stopping;
	bool held; /* the process before this one is the daemon still */
	int exit_code;
	/* What keeps it from doing all that it should, by who says it; "" is nothing. */
	char store_fault[600], apply_fault[600], own_fault[300];
	struct loop_timer second, watchdog, deadline;
	dur_t watchdog_every;
	char told[300]; /* last STATUS of systemd */
	struct bus_link *links[DAEMON_LINKS];
	struct list announcements;
};

/* apply.c: store and snapshots */
void apply_check_store(
    struct daemon *d, bool force); /* opens, looks whether it moved, loads, applies */
void apply_on_revision(void *arg, const struct bus_request *rq, const union msg_any *m);
void apply_fini(struct daemon *d);

/* status.c */
void status_on_status(void *arg, const struct bus_request *rq, const union msg_any *m);
void status_on_level(void *arg, const struct bus_request *rq, const union msg_any *m);
void status_level(struct daemon *d, unsigned word); /* log_level of the settings */
void status_tell(struct daemon *d);		    /* systemd's status line, when it changed */
const char *status_fault(const struct daemon *d);   /* "" when all is well */
void status_watchdog_start(struct daemon *d);

/* announce.c */
void announce_init(struct daemon *d);
void announce_fini(struct daemon *d);

#endif
