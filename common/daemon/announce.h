/* announce.h - tell the other daemons of a commit without blocking (lbd-web, lbd-ha). */
#ifndef DAEMON_ANNOUNCE_H
#define DAEMON_ANNOUNCE_H

#include "daemon/daemon.h"

struct commit_result;
/* announce_commit - sends REVISION to every other daemon that runs, and pokes this one. done is
 * called once with what was refused ("" when all is in force) or after wait; it may be NULL. */
void announce_commit(struct daemon *d, const struct commit_result *r, dur_t wait,
    void (*done)(void *arg, const char *refused), void *arg);
/* announce_links - make the links to the other daemons now, so that the first commit finds them up. */
void announce_links(struct daemon *d);

#endif
