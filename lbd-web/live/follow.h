/* follow.h - links to the other daemons: what they say goes into the view, the events and the history. */
#ifndef FOLLOW_H
#define FOLLOW_H

#include "daemon/daemon.h"
#include "msg/view.h"

struct events;
struct follow;
struct history;
struct follow_ops {
	void (*moved)(void *arg);   /* a state that is shown changed */
	void (*counted)(void *arg); /* new counters are here */
	void *arg;
};

#define FOLLOW_COUNT_SEEN DUR_S(1) /* how often counters are asked for while somebody looks */
#define FOLLOW_COUNT_IDLE DUR_S(10)
#define FOLLOW_LOOK DUR_S(30) /* how long somebody counts as looking after his last request */

struct follow *follow_new(
    struct daemon *d, struct events *ev, struct history *hist, const struct follow_ops *ops);
void follow_free(struct follow *f);
void follow_apply(struct follow *f, struct snapshot *old, struct snapshot *now);
struct view *follow_view(struct follow *f); /* with its clock set; borrowed */
void follow_looked(struct follow *f);	    /* somebody looks at counters */
/* follow_ask - a request to a daemon over its link; as bus_link_ask. */
int follow_ask(struct follow *f, const char *daemon, unsigned number, const void *payload,
    void (*on_row)(void *arg, const struct msg_row *row, const union msg_any *m),
    void (*on_end)(void *arg, int code, const char *text), void *arg);

#endif
