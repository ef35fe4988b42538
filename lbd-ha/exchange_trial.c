/* exchange_trial.c - a trial commit (lbctl commit --confirm) of a pair: in force on both nodes, kept by both or by none.
 *
 * It travels with its revision (store/replica.h) and each node has the clock of it (trial.c). What is left for messages:
 * more time without a revision, and the question whether it may stay. The node that was asked by its user asks the other,
 * which forgets its trial and says so; only then this one forgets its own, and tells the user. Whatever breaks in between,
 * the user has not been told that it stays, and the undoing of one node is what the other follows when they meet.
 *
 * A trial gives way: when the other node committed something in the same moment, or has to get the whole, it is undone
 * at once rather than to let the nodes differ until its end. */
#include "exchange_priv.h"

#include "sys/log.h"

#include <string.h>

#define WATCH DUR_MS(500)
#define PATIENCE DUR_S(3)

enum { ASK = 1, ANSWER, TIME };

static bool
both_have(const struct exchange *x, struct trial *out)
{
	*out = (struct trial){ 0 };
	return exchange_store(x) != NULL && store_trial(exchange_store(x), out, NULL) == 0 &&
	       out->pending && out->both;
}

/* ---- more time --------------------------------------------------------------------------------------------------- */

static void
on_watch(void *arg)
{
	struct exchange *x = arg;
	struct trial t;

	if (!x->up || !both_have(x, &t)) {
		x->due = 0;
		return;
	}
	if (x->due != 0 && x->due != t.due && t.left_ms > 0) {
		const struct msg_peer_trial m = { .what = TIME,
			.revision = t.revision[SCOPE_SHARED],
			.left = (uint32_t)t.left_ms,
			.due = t.due };

		(void)peer_channel_send(x->k, MSG_PEER_TRIAL, &m);
		trial_look(x->trial);
	}
	x->due = t.due;
	loop_timer_set(&x->watch, WATCH);
}

void
exchange_trial_look(struct exchange *x)
{
	on_watch(x);
}

static void
on_time(struct exchange *x, const struct msg_peer_trial *m)
{
	struct err err = { 0 };

	if (replica_trial_time(exchange_store(x), m->revision, m->left, m->due, &err) != 0)
		log_warn("trial: %s", err.text);
	x->due = m->due;
	trial_look(x->trial);
}

/* ---- keeping it -------------------------------------------------------------------------------------------------- */

static void
answer(struct exchange *x, int code, const char *text)
{
	if (!x->asks)
		return;
	x->asks = false;
	loop_timer_cancel(&x->patience);
	bus_result(&x->asked, code, text);
}

/* The other keeps it, or none waits there: now this node. */
static void
keep(struct exchange *x, uint32_t n)
{
	const struct commit_info info = { .who = "lbd-ha", .origin = "pair" };
	struct err err = { 0 };
	int rc = store_confirm(exchange_store(x), &info, &err);

	if (rc == ERR_UNKNOWN && n != 0 && store_head(exchange_store(x), SCOPE_SHARED) == n)
		rc = 0; /* the other was told to keep it as well, and was faster */
	else if (rc == ERR_UNKNOWN && n != 0)
		rc = err_set(
		    &err, ERR_REVERTED, "revision %u was undone in this moment", (unsigned)n);
	if (rc == 0 && n != 0)
		log_info("config: revision %u stays, on both nodes", (unsigned)n);
	trial_look(x->trial);
	answer(x, rc, rc != 0 ? err.text : "");
}

void
exchange_confirm(struct exchange *x, const struct bus_request *rq)
{
	struct msg_peer_trial m = { .what = ASK };
	struct trial t;

	if (exchange_store(x) == NULL) {
		bus_result(rq, ERR_STORE, "lbd-ha cannot read the configuration");
		return;
	}
	if (x->asks) {
		bus_result(rq, ERR_CONFLICT, "another confirmation is under way");
		return;
	}
	x->asked = *rq;
	x->asks = true;
	x->keep = 0;
	if (!both_have(x, &t) || x->k == NULL) {
		keep(x, 0);
		return;
	}
	x->keep = m.revision = t.revision[SCOPE_SHARED];
	if (!x->up || !x->trials ||
	    replica_hash_at(exchange_store(x), SCOPE_SHARED, m.revision, &m.hash) != 0) {
		answer(x, ERR_AWAY,
		    "the other node has the trial too and cannot be asked now: kept here alone, it would be undone there. "
		    "Try again when the nodes see each other; until then it goes on, and ends in time on both");
		return;
	}
	loop_timer_set(&x->patience, PATIENCE);
	(void)peer_channel_send(x->k, MSG_PEER_TRIAL, &m);
}

static void
on_patience(void *arg)
{
	answer(arg, ERR_AWAY,
	    "the other node did not answer: nothing is kept yet; try again, or the trial ends in time on both");
}

static void
on_asked(struct exchange *x, const struct msg_peer_trial *m)
{
	struct msg_peer_trial reply = { .what = ANSWER, .revision = m->revision };
	struct err err = { 0 };

	if (replica_trial_keep(exchange_store(x), m->revision, m->hash, &err) != 0) {
		reply.text = SPAN(err.text);
	} else {
		log_info("config: revision %u stays, as the other node says", m->revision);
		trial_look(x->trial);
	}
	(void)peer_channel_send(x->k, MSG_PEER_TRIAL, &reply);
}

static void
on_answer(struct exchange *x, const struct msg_peer_trial *m)
{
	char text[sizeof(((struct err *)NULL)->text)];

	if (!x->asks || m->revision != x->keep)
		return; /* too late: the user was told that it is not kept */
	span_text(m->text, text, sizeof(text));
	if (text[0] == '\0')
		keep(x, m->revision);
	else
		answer(x, ERR_REVERTED, text);
}

void
exchange_on_trial(struct exchange *x, const struct msg_peer_trial *m)
{
	switch (m->what) {
	case ASK: on_asked(x, m); break;
	case ANSWER: on_answer(x, m); break;
	case TIME: on_time(x, m); break;
	default: break;
	}
}

/* ---- giving way -------------------------------------------------------------------------------------------------- */

bool
exchange_trial_give_way(struct exchange *x)
{
	struct trial t = { 0 };

	if (store_trial(exchange_store(x), &t, NULL) != 0 || !t.pending ||
	    t.base[SCOPE_SHARED] == t.revision[SCOPE_SHARED])
		return false;
	trial_undo(x->trial, ", and the other node has another history");
	return true;
}

void
exchange_trial_up(struct exchange *x, bool up)
{
	trial_peer(x->trial, up);
	if (up)
		on_watch(x);
	else
		answer(x, ERR_AWAY,
		    "the other node went away: nothing is kept; the trial ends in time on both");
}

void
exchange_trial(struct exchange *x, struct trial_clock *t)
{
	x->trial = t;
}

void
exchange_trial_init(struct exchange *x)
{
	loop_timer_init(&x->watch, daemon_loop(x->d), on_watch, x);
	loop_timer_init(&x->patience, daemon_loop(x->d), on_patience, x);
}

void
exchange_trial_fini(struct exchange *x)
{
	answer(x, ERR_AWAY, "lbd-ha ends");
	loop_timer_fini(&x->watch);
	loop_timer_fini(&x->patience);
}
