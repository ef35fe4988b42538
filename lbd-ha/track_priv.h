/* track_priv.h - what track*.c share. */
#ifndef HA_TRACK_PRIV_H
#define HA_TRACK_PRIV_H

#include "script.h"
#include "track.h"

#include "sys/child.h"

struct tracked {
	struct tracker *all;
	uint32_t id;
	uint8_t kind;
	char name[64], target[256];
	dur_t interval, timeout;
	struct judge_rule rule;
	struct judge judge;
	char text[120];
	struct loop_timer due, old; /* the next run or look; the result gets too old */
	/* script, unit */
	struct child *child;
	mono_t started; /* of the run; daemon: the last answer */
	struct script script;
	/* daemon */
	struct bus_link *link;
	bool asked;
	/* file: of inotify; process: a pidfd; -1 */
	int fd;
	struct loop_fd io;
};

struct tracker {
	struct loop *loop;
	const struct paths *paths;
	char folder[300]; /* of the scripts */
	struct track_ops ops;
	bool busy; /* the set is being made: told at its end */
	unsigned n;
	struct tracked *t[TRACK_MOST];
	int links; /* netlink_watch, while an interface is tracked; -1 */
	struct loop_fd links_io;
};

/* track_result - good, bad, or (track_none) nothing that could be judged; with what there is to say. */
void track_result(struct tracked *t, bool good, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void track_none(struct tracked *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* track_watch.c: files, processes, interfaces. _begin looks at once. */
void track_watch_begin(struct tracked *t);
void track_watch_look(struct tracked *t); /* its timer rang */
void track_watch_end(struct tracked *t);
void track_watch_links(struct tracker *k); /* as many watches as are needed */
/* track_daemon.c: the suite's other daemons. _row: the i-th, when the configuration needs it and has no row of it. */
#define TRACK_DAEMONS 3
bool track_daemon_row(const struct snapshot *s, unsigned i, struct track *out);
void track_daemon_begin(struct tracked *t);
void track_daemon_look(struct tracked *t);
void track_daemon_end(struct tracked *t);

#endif
