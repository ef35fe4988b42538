/* watch.h - one screen, or one after the other as things change. */
#ifndef LBCTL_WATCH_H
#define LBCTL_WATCH_H

#include "ctl.h"

/* Writes one screen; c->snap and c->view are of now. A result above 0 is the exit code of the last screen. */
typedef int (*render_fn)(struct ctl *c, void *arg, struct buf *out, struct err *err);

struct watch {
	render_fn render;
	void *arg;
	unsigned what;	/* VIEW_ bits to ask for each time */
	bool rates;	/* the first screen needs counters twice */
	bool on;	/* go on until --timeout, a key q, or most */
	bool batch;	/* whole screens even when piped */
	dur_t interval; /* 0: a second */
	unsigned most;	/* screens; 0: no limit */
};
/* watch_run - on a terminal the screen is drawn again in place; in a pipe only new lines are added (JSON: one object
 * a line). A change of a verdict draws at once. */
int watch_run(struct ctl *c, const struct watch *w, struct err *err);

#endif
