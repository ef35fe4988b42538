/* trial.c - the clock of a trial commit (lbctl commit --confirm).
 *
 * The store knows the trial and its end, by a clock that goes on while the machine sleeps; so this daemon may be
 * killed and started again without losing it, and a trial from before a reboot counts as over. There is one timer.
 * When it rings the store is asked again, because the trial may have been confirmed (which is no revision, so nobody
 * tells) or made longer; only what is still pending and over is undone, as a new revision that is told to all.
 *
 * A trial that both nodes of a pair have is undone by each for itself, in the same way (store_expire), so it does not
 * matter which of them is alive. While they talk, the node from which it came is left the first go, and the other follows.
 *
 * At the start this happens before any address is taken: a machine that lost its network to a bad configuration must
 * not come up with it. */
#include "trial.h"

#include "base/mem.h"
#include "daemon/announce.h"
#include "store/store.h"
#include "sys/log.h"

#include <stdio.h>

#define TELL_WAIT DUR_S(5)
#define FIRST_GO 1000 /* ms */

struct trial_clock {
	struct daemon *d;
	struct loop_timer timer;
	bool peer;		 /* it can be talked to */
	uint32_t undone[SCOPES]; /* numbers of the last undoing */
};

static void
told(void *arg, const char *refused)
{
	(void)arg;
	if (refused[0])
		log_warn("trial: undone, but not yet in force everywhere: %s", refused);
}

/* False: it could not be undone, and must be tried again. */
static bool
undo(struct trial_clock *t, const struct trial *was, const char *why)
{
	struct commit_result r = { 0 };
	struct err err = { 0 };
	int code = store_expire(daemon_store(t->d), &r, &err);

	if (code == ERR_UNKNOWN) /* confirmed in this moment */
		return true;
	if (code != 0) {
		log_err("trial of %s: cannot be undone: %s", was->who, err.text);
		return false;
	}
	log_info(
	    "config: revision %u by %s was not confirmed%s: back to revision %u, as revision %u",
	    was->revision[SCOPE_SHARED], was->who, why, was->base[SCOPE_SHARED],
	    r.revision[SCOPE_SHARED]);
	for (unsigned i = 0; i < SCOPES; i++)
		t->undone[i] = r.revision[i];
	announce_commit(t->d, &r, TELL_WAIT, told, NULL);
	commit_result_fini(&r);
	return true;
}

void
trial_look(struct trial_clock *t)
{
	struct store *st = daemon_store(t->d);
	struct trial now = { 0 };
	struct err err = { 0 };

	loop_timer_cancel(&t->timer);
	/* Without a store the skeleton has said why already. */
	if (!st || store_trial(st, &now, &err) != 0) {
		if (st)
			log_warn("trial: %s", err.text);
		loop_timer_set(&t->timer, TRIAL_RETRY);
		return;
	}
	if (!now.pending)
		return;
	if (t->peer && now.taken)
		now.left_ms += FIRST_GO;
	if (!now.rebooted && now.left_ms > 0)
		loop_timer_set(&t->timer, DUR_MS(now.left_ms));
	else if (!undo(t, &now, now.rebooted ? " before the restart" : ""))
		loop_timer_set(&t->timer, TRIAL_RETRY);
}

void
trial_undo(struct trial_clock *t, const char *why)
{
	struct trial now = { 0 };

	if (store_trial(daemon_store(t->d), &now, NULL) != 0 || !now.pending)
		return;
	if (undo(t, &now, why))
		loop_timer_cancel(&t->timer);
}

void
trial_peer(struct trial_clock *t, bool up)
{
	t->peer = up;
	trial_look(t);
}

static void
on_timer(void *arg)
{
	trial_look(arg);
}

struct trial_clock *
trial_new(struct daemon *d)
{
	struct trial_clock *t = mem_alloc(sizeof(*t));

	t->d = d;
	loop_timer_init(&t->timer, daemon_loop(d), on_timer, t);
	trial_look(t);
	return t;
}

void
trial_free(struct trial_clock *t)
{
	if (!t)
		return;
	loop_timer_fini(&t->timer);
	free(t);
}

bool
trial_passed(const struct trial_clock *t, const struct snapshot *s)
{
	for (unsigned i = 0; i < SCOPES; i++)
		if (snapshot_revision(s, (enum scope)i) < t->undone[i])
			return true;
	return false;
}
