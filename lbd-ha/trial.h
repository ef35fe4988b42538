/* trial.h - undoes a trial commit that nobody confirmed. */
#ifndef HA_TRIAL_H
#define HA_TRIAL_H

#include "daemon/daemon.h"

#define TRIAL_RETRY DUR_S(5) /* when the store could not be read or written */

struct trial_clock;
/* trial_new - a trial that is over, or was begun before the machine's last start, is undone in here. */
struct trial_clock *trial_new(struct daemon *d);
void trial_free(struct trial_clock *t); /* NULL is fine */
/* trial_look - the configuration changed: is there a trial, and until when? */
void trial_look(struct trial_clock *t);
/* trial_undo - at once, whether its time is up or not: it stands in the way. Nothing when none waits. */
void trial_undo(struct trial_clock *t, const char *why);
/* trial_peer - whether the other node of the pair can be talked to: a trial that came from there is undone there first. */
void trial_peer(struct trial_clock *t, bool up);
/* trial_passed - whether this configuration is one that was undone, so that no address is to be taken for it. */
bool trial_passed(const struct trial_clock *t, const struct snapshot *s);

#endif
