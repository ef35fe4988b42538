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
	char text[200];
	struct loop_timer due, old; /* the next run or look; the result gets too old */
	/* script, unit */
	struct child *child;
	mono_t started; /* of the run; daemon: the last answer */
	struct script script;
	/* daemon */
	struct bus_link *link;
	bool asked;
	/* bfd */
	struct track_bfd *bfd;
	/* file: of inotify; process: a pidfd; -1 */
	int fd;
	struct loop_fd io;
};

struct track_hear { /* one socket for all neighbours of a family; fd -1: there are none */
	struct tracker *all;
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
	struct track_hear hear[2]; /* IPv4, IPv6 */
};

/* track_result - good, bad, or (track_none) nothing that could be judged; with what there is to say. */
void track_result(struct tracked *t, bool good, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void track_none(struct tracked *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* track_unknown - no result, and the last one does not count any more. track_text - what is told of it is another; no
 * result. */
void track_unknown(struct tracked *t, const char *text);
void track_text(struct tracked *t, const char *text);
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
/* track_bfd.c: neighbours. _interval: t->interval is another one. */
void track_bfd_begin(struct tracked *t);
void track_bfd_look(struct tracked *t);
void track_bfd_interval(struct tracked *t);
void track_bfd_end(struct tracked *t);
void track_bfd_hear(struct tracker *k); /* as many sockets as are needed */

#endif
