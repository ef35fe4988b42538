/* Which node is active in a group, decided at each event and at each deadline.
 *
 * Two kinds of state: active (ACTIVE, LEAVING), which must find a reason to stay, and at rest (INIT, PASSIVE, SUSPECT,
 * FAULT), which must find a reason to take over. The reasons are two functions, why_drop and why_take; the words PASSIVE,
 * SUSPECT and FAULT only say how it stands. A take-over claims a new generation; when both were active the lower claim
 * leaves at once and the higher one announces its addresses again, since neighbours may have learned the other's.
 *
 * That both are never active at once rests on lease < dead: see fsm.h. It holds while the other hears or the witness
 * grants; without a witness, and with every carrier and the service network cut between two nodes that clients can
 * still reach, nobody can know, and the claims decide when they meet again. */
#include "core/fsm.h"

#include <string.h>

const char *const fsm_role_word[FSM_ROLES] = { "listening", "passive", "suspecting", "active",
	"leaving", "fault" };

const char *const fsm_why_word[FSM_WHYS] = {
	[FSM_WHY_START] = "started",
	[FSM_WHY_ALONE] = "no peer is configured",
	[FSM_WHY_LISTENED] = "nobody was heard",
	[FSM_WHY_PEER_DEAD] = "the peer is silent on every carrier",
	[FSM_WHY_PEER_GIVES] = "the peer asked for it",
	[FSM_WHY_ELECTED] = "neither node was active",
	[FSM_WHY_PREEMPT] = "this node is the preferred one",
	[FSM_WHY_MERIT] = "this node is in better health",
	[FSM_WHY_ORDER] = "by order",
	[FSM_WHY_PEER_HAS] = "the peer took over",
	[FSM_WHY_LOST] = "both were active, and the peer has the higher claim",
	[FSM_WHY_ISOLATED] = "nothing renewed the lease: this node is cut off",
	[FSM_WHY_STALLED] = "this process stood still for longer than the lease",
	[FSM_WHY_LINK] = "the service network has no carrier",
	[FSM_WHY_FAULT] = "a check of this node failed",
	[FSM_WHY_MENDED] = "the checks of this node are good again",
	[FSM_WHY_NO_VIPS] = "there are no addresses to hold",
	[FSM_WHY_SUSPECT] = "the peer is late",
	[FSM_WHY_HEARD] = "the peer is heard",
};

bool
fsm_is_higher(uint64_t ga, uint32_t ma, uint8_t na, uint64_t gb, uint32_t mb, uint8_t nb)
{
	if (ga != gb)
		return ga > gb;
	if (ma != mb)
		return ma > mb;
	return na < nb;
}

static bool
is_active(uint8_t role)
{
	return role == FSM_ACTIVE || role == FSM_LEAVING;
}

static uint8_t
fit_of(const struct fsm_in *in)
{
	return !in->link ? FSM_UNFIT : in->fault ? FSM_FAULTY : FSM_FIT;
}

static void
become(struct fsm *f, uint8_t role, enum fsm_why why, const struct fsm_in *in, struct fsm_out *out)
{
	if (f->role == role)
		return;
	f->role = role;
	f->why = (uint8_t)why;
	f->since = in->now;
	f->order_at = f->worse = f->apart = 0;
	out->changed = true;
}

/* The sooner of two instants; 0 is none. */
static void
sooner(mono_t *at, mono_t other)
{
	if (other != 0 && (*at == 0 || other < *at))
		*at = other;
}

/* Whether since, which begins now when it was 0, lies back by `time`; the deadline is remembered. */
static bool
passed(mono_t *since, dur_t time, const struct fsm_in *in, struct fsm_out *out)
{
	if (*since == 0)
		*since = in->now;
	if (in->now - *since >= time)
		return true;
	sooner(&out->deadline, *since + time);
	return false;
}

/* ---- the lease ------------------------------------------------------------------------------------------- */

/* Until when nobody else can have taken over, as far as can be known now; never sooner than `until`. */
static mono_t
lease_end(mono_t until, const struct fsm_config *c, const struct fsm_in *in)
{
	const struct fsm_peer *p = &in->peer;
	mono_t one = 0;
	/* One that is heard and does not hear us will take over: only its echo counts then. */
	bool alone = !p->known || !p->alive || p->late || p->fit == FSM_UNFIT;

	if (p->known && p->echoed != 0 && p->echoed + c->lease > until)
		until = p->echoed + c->lease;
	if (c->witness)
		return in->grant_until > until ? in->grant_until : until;
	if (!alone)
		return until;
	if (!c->pings)
		one = in->link ? in->now + c->lease : 0;
	else if (in->pings > 0 && in->ping_at != 0)
		one = in->ping_at + c->lease;
	return one > until ? one : until;
}

/* ---- at rest ---------------------------------------------------------------------------------------------- */

/* After the start nothing is done for a while, unless the other says how things stand. */
static bool
is_listening(const struct fsm *f, const struct fsm_in *in)
{
	const struct fsm_peer *p = &in->peer;
	bool told = p->known && p->alive && (is_active(p->role) || (p->hears && !p->late));

	return f->role == FSM_INIT && in->now < f->wait_until && !told;
}

/* May it take over without hearing the other? */
static bool
has_authority(const struct fsm_config *c, const struct fsm_in *in)
{
	if (in->order == FSM_TAKE)
		return true; /* somebody looked, and answers for it */
	if (c->witness)
		return in->grant_until > in->now;
	if (c->pings)
		return in->pings > 0;
	return c->mode == FSM_AVAILABILITY || c->fence;
}

/* The other is active and does well: is there a reason to take over all the same? */
static int
why_replace(struct fsm *f, const struct fsm_config *c, const struct fsm_in *in, struct fsm_out *out)
{
	const struct fsm_peer *p = &in->peer;

	if (p->leaving)
		return FSM_WHY_PEER_GIVES;
	if (in->order == FSM_TAKE && (in->whole || passed(&f->order_at, c->leave, in, out)))
		return FSM_WHY_ORDER;
	if (fit_of(in) != FSM_FIT || !in->whole || !p->hears) {
		f->worse = 0;
		return -1;
	}
	if (c->preempt && c->preferred && !f->given &&
	    passed(&f->together, c->preempt_delay, in, out))
		return FSM_WHY_PREEMPT;
	if (in->health <= p->health) {
		f->worse = 0;
		return -1;
	}
	return passed(&f->worse, c->merit_delay, in, out) ? FSM_WHY_MERIT : -1;
}

/* Neither is active: which of them should be? The other one waits a while, lest nobody is for ever. */
static int
why_elected(struct fsm *f, const struct fsm_config *c, const struct fsm_in *in, struct fsm_out *out)
{
	const struct fsm_peer *p = &in->peer;
	uint8_t fit = fit_of(in);
	/* Its link is well, so what it lacks are addresses: those of a new group are not known there yet. */
	bool early = p->fit == FSM_UNFIT && p->role != FSM_FAULT, first;

	if (fit != p->fit && !early)
		first = fit > p->fit;
	else if (in->whole != p->whole)
		first = in->whole;
	else if (c->priority != p->priority)
		first = c->priority > p->priority;
	else
		first = c->node == 1;
	return first || in->order == FSM_TAKE || passed(&f->apart, c->leave, in, out)
		   ? FSM_WHY_ELECTED
		   : -1;
}

/* Why this node should become active; -1: it should not. */
static int
why_take(struct fsm *f, const struct fsm_config *c, const struct fsm_in *in, struct fsm_out *out)
{
	const struct fsm_peer *p = &in->peer;
	bool fences = c->fence && in->order != FSM_TAKE;

	if (!in->vips || fit_of(in) == FSM_UNFIT || in->stalled)
		return -1;
	if (is_listening(f, in) || in->order == FSM_STOP)
		return -1;
	if (p->known && p->alive) {
		if (is_active(p->role)) {
			f->apart = 0;
			return why_replace(f, c, in, out);
		}
		/* One that does not hear us may take over at this moment. */
		return p->hears && !p->late ? why_elected(f, c, in, out) : -1;
	}
	/* A machine that was busy wakes to a peer that is dead already: it has asked nobody so far. */
	if (in->order != FSM_TAKE && !c->witness && !passed(&f->asked, c->ask, in, out))
		return -1;
	/* What answers for longer, though the witness grants, is nobody's that has a say; what is to be switched off may. */
	if (in->answered && !fences && !(c->witness && passed(&f->asked, c->left, in, out)))
		return -1;
	if (!has_authority(c, in))
		return -1;
	/* Of a time without a carrier the other's silence tells nothing. */
	if (in->order != FSM_TAKE && !passed(&f->linked, c->listen, in, out))
		return -1;
	out->fence = fences && !in->fenced;
	if (out->fence)
		return -1;
	return p->known ? FSM_WHY_PEER_DEAD : FSM_WHY_LISTENED;
}

/* False: nothing proves that nobody else does the same at this moment. */
static bool
take(struct fsm *f, const struct fsm_config *c, const struct fsm_in *in, struct fsm_out *out,
    int why)
{
	mono_t until = lease_end(0, c, in);

	if (in->order == FSM_TAKE && !in->peer.alive)
		until = in->now + c->lease; /* somebody looked, and answers for it */
	if (until <= in->now)
		return false;
	become(f, FSM_ACTIVE, (enum fsm_why)why, in, out);
	f->claim = ++f->generation;
	f->merit = in->health;
	f->lease_until = until;
	f->conflict = f->isolated = f->given = false;
	f->asked = 0;
	out->announce = true;
	out->done = in->order == FSM_TAKE;
	return true;
}

static void
rest(struct fsm *f, const struct fsm_config *c, const struct fsm_in *in, struct fsm_out *out)
{
	const struct fsm_peer *p = &in->peer;
	bool unheard = !p->alive || p->late;
	int why;

	if (!unheard)
		f->asked = 0;
	else if (f->asked == 0)
		f->asked = in->now;
	why = why_take(f, c, in, out);
	if (why != -1 && take(f, c, in, out, why))
		return;
	out->done = in->order == FSM_GIVE || in->order == FSM_STOP ||
		    (in->order == FSM_TAKE && (!in->vips || fit_of(in) == FSM_UNFIT));
	if (is_listening(f, in)) {
		sooner(&out->deadline, f->wait_until);
		out->probe = in->vips;
		return;
	}
	if (fit_of(in) != FSM_FIT)
		become(f, FSM_FAULT, in->link ? FSM_WHY_FAULT : FSM_WHY_LINK, in, out);
	else if (unheard)
		become(f, FSM_SUSPECT, FSM_WHY_SUSPECT, in, out);
	else if (f->role == FSM_FAULT)
		become(f, FSM_PASSIVE, FSM_WHY_MENDED, in, out);
	else if (f->role == FSM_SUSPECT || f->role == FSM_INIT)
		become(f, FSM_PASSIVE, FSM_WHY_HEARD, in, out);
	out->probe = out->ask = in->vips && unheard;
}

/* ---- active ----------------------------------------------------------------------------------------------- */

/* Why this node must not be active any more; -1: it may. */
static int
why_drop(const struct fsm *f, const struct fsm_in *in)
{
	const struct fsm_peer *p = &in->peer;

	if (!in->vips)
		return FSM_WHY_NO_VIPS;
	if (in->stalled)
		return FSM_WHY_STALLED;
	if (!in->link && p->known && p->alive && p->fit != FSM_UNFIT)
		return FSM_WHY_LINK; /* nobody reaches us; the other takes over when it hears so */
	return in->now >= f->lease_until ? FSM_WHY_ISOLATED : -1;
}

static void
drop(struct fsm *f, const struct fsm_in *in, struct fsm_out *out, int why)
{
	become(f, fit_of(in) == FSM_FIT ? FSM_PASSIVE : FSM_FAULT, (enum fsm_why)why, in, out);
	f->isolated = why == FSM_WHY_ISOLATED;
	f->conflict = f->alone = false;
	f->together = 0;
	out->done = in->order == FSM_GIVE || in->order == FSM_STOP;
}

/* Both say that they are active. True: this node has left. */
static bool
settle_conflict(
    struct fsm *f, const struct fsm_config *c, const struct fsm_in *in, struct fsm_out *out)
{
	const struct fsm_peer *p = &in->peer;
	bool both = p->known && p->alive && is_active(p->role);

	if (!both) {
		/* It left: whoever listened to it until now must hear of us again. It may have left at our first word, so
		 * that we never heard it say that it was active. */
		out->announce = out->announce || f->conflict || (f->alone && p->alive);
		f->conflict = false;
		f->alone = p->known && !p->alive;
		return false;
	}
	if (fsm_is_higher(
		p->generation, p->merit, (uint8_t)(3 - c->node), f->claim, f->merit, c->node)) {
		out->yield = true;
		/* One that hears us took over knowing of us: that is a hand-over. */
		drop(f, in, out,
		    f->role == FSM_LEAVING || (p->hears && !f->conflict) ? FSM_WHY_PEER_HAS
									 : FSM_WHY_LOST);
		return true;
	}
	out->announce = !f->conflict;
	f->conflict = true;
	f->alone = false;
	if (f->claim <= p->generation)
		f->claim = f->generation = p->generation + 1; /* so that nobody is in doubt again */
	return false;
}

/* Should the other take over, and can it? */
static void
leave(struct fsm *f, const struct fsm_config *c, const struct fsm_in *in, struct fsm_out *out)
{
	const struct fsm_peer *p = &in->peer;
	bool can = p->known && p->alive && p->hears && p->fit == FSM_FIT;
	bool asked = in->order == FSM_GIVE || in->order == FSM_STOP;

	if (f->role == FSM_LEAVING) {
		if (can && in->now < f->wait_until) {
			sooner(&out->deadline, f->wait_until);
			return;
		}
		become(f, FSM_ACTIVE, FSM_WHY_HEARD, in, out);
		out->done = asked;
		return;
	}
	if (asked && !can)
		out->done = true;
	if (!can || !(asked || in->fault))
		return;
	if (asked && !p->whole && !passed(&f->order_at, c->leave, in, out))
		return;
	become(f, FSM_LEAVING, asked ? FSM_WHY_ORDER : FSM_WHY_FAULT, in, out);
	f->given = in->order == FSM_GIVE;
	f->wait_until = in->now + c->leave;
	sooner(&out->deadline, f->wait_until);
}

static void
stay(struct fsm *f, const struct fsm_config *c, const struct fsm_in *in, struct fsm_out *out)
{
	int why;

	if (in->peer.known && in->peer.alive && in->peer.generation > f->generation)
		f->generation = in->peer.generation;
	if (settle_conflict(f, c, in, out))
		return;
	f->lease_until = lease_end(f->lease_until, c, in);
	why = why_drop(f, in);
	if (why != -1) {
		drop(f, in, out, why);
		return;
	}
	leave(f, c, in, out);
	out->done = out->done || in->order == FSM_TAKE;
	out->ask = c->witness;
	out->probe = c->pings && (!in->peer.alive || in->peer.late);
	sooner(&out->deadline, f->lease_until);
}

/* ---- ------------------------------------------------------------------------------------------------------- */

/* Without a peer there is nothing to decide. */
static void
alone(struct fsm *f, const struct fsm_in *in, struct fsm_out *out)
{
	bool was = is_active(f->role);

	become(f, in->vips ? FSM_ACTIVE : FSM_PASSIVE, in->vips ? FSM_WHY_ALONE : FSM_WHY_NO_VIPS,
	    in, out);
	if (!was && is_active(f->role)) {
		f->claim = ++f->generation;
		out->announce = true;
	}
	out->done = in->order != FSM_NONE;
}

void
fsm_init(struct fsm *f, const struct fsm_config *c, mono_t now)
{
	*f = (struct fsm){ .role = FSM_INIT, .since = now, .wait_until = now + c->listen };
}

void
fsm_resume(struct fsm *f, uint64_t claim, uint32_t merit, mono_t lease_until, mono_t now)
{
	*f = (struct fsm){ .role = FSM_ACTIVE,
		.since = now,
		.claim = claim,
		.generation = claim,
		.merit = merit,
		.lease_until = lease_until };
}

void
fsm_step(struct fsm *f, const struct fsm_config *c, const struct fsm_in *in, struct fsm_out *out)
{
	const struct fsm_peer *p = &in->peer;

	memset(out, 0, sizeof(*out));
	if (!in->link)
		f->linked = 0;
	else if (f->linked == 0)
		f->linked = in->now;
	if (!c->peered) {
		alone(f, in, out);
	} else {
		if (p->known && p->alive) {
			if (f->together == 0)
				f->together = in->now;
			if (!is_active(f->role) && p->generation > f->generation)
				f->generation = p->generation;
		} else {
			f->together = 0;
			f->given = false;
		}
		if (is_active(f->role))
			stay(f, c, in, out);
		else
			rest(f, c, in, out);
	}
	out->hold = is_active(f->role);
	out->leaving = f->role == FSM_LEAVING;
	out->fit = in->vips ? fit_of(in) : FSM_UNFIT;
	out->wish = is_active(f->role) ? f->claim : f->generation + 1;
}
