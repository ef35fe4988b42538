/* carrier.c - liveness, state, loss and round trip of the ways to the peer.
 *
 * All instants come from outside. One function (marks) names the instants at which something about a carrier changes
 * by time alone; the deadline is the nearest of them and of the next sending, so that the loop sleeps exactly as long as
 * nothing can happen.
 *
 * A carrier is one-way when the newest send time of ours that came back is older than the peer may take to be called
 * dead, plus the two intervals and the round trip that an echo needs. That needs no clock of the peer.
 *
 * Loss is by sequence numbers: what lies between the first and the highest of a start of the peer was expected. Frames
 * that overtook one another are no loss, so long as they come within the last 1,000. */
#include "core/carrier.h"

#include "base/must.h"

#include <errno.h>
#include <string.h>

#define RING 1024
#define BUCKET DUR_S(10)
#define LOST_FOR_GOOD 10 /* dead times until silent is called down */

const char *
carrier_state_word(enum carrier_state s)
{
	static const char *const words[] = { "down", "silent", "one-way", "up" };

	must((unsigned)s < ARRAY_LEN(words));
	return words[s];
}

static dur_t
dead_time(const struct carrier *c, unsigned damp)
{
	return c->conf.dead * (damp < 1 ? 1 : damp > CARRIER_DAMP ? CARRIER_DAMP : (int)damp);
}

void
carrier_conf_set(struct carrier *c, const struct carrier_conf *conf, mono_t now)
{
	c->conf = *conf;
	if (c->conf.interval < DUR_MS(1))
		c->conf.interval = DUR_MS(1);
	if (c->conf.interval > DUR_S(60))
		c->conf.interval = DUR_S(60);
	if (c->conf.dead < 2 * c->conf.interval)
		c->conf.dead = 2 * c->conf.interval;
	if (c->conf.dead > DUR_S(600))
		c->conf.dead = DUR_S(600);
	if (c->next > now + c->conf.interval)
		c->next = now + c->conf.interval;
}

void
carrier_init(struct carrier *c, const struct carrier_conf *conf, mono_t now)
{
	memset(c, 0, sizeof(*c));
	c->used = true;
	c->next = c->since = now;
	carrier_conf_set(c, conf, now);
}

bool
carrier_due(const struct carrier *c, mono_t now)
{
	return c->used && now >= c->next;
}

void
carrier_sent(struct carrier *c, mono_t now, int rc)
{
	if (rc == 0)
		c->sent++;
	else
		c->send_faults++;
	if (rc != -EAGAIN && rc != -ENOBUFS)
		c->fault = rc;
	if (now < c->next)
		return; /* one between two of the grid */
	c->next += c->conf.interval;
	if (c->next <= now)
		c->next = now + c->conf.interval;
}

static void
worst_add(struct carrier_worst *w, mono_t now, dur_t value)
{
	mono_t number = now / BUCKET;
	unsigned i = (unsigned)(number % (mono_t)ARRAY_LEN(w->bucket));

	if (w->bucket[i] != number) {
		w->bucket[i] = number;
		w->value[i] = 0;
	}
	if (value > w->value[i])
		w->value[i] = value;
}

dur_t
carrier_worst_of(const struct carrier_worst *w, mono_t now)
{
	mono_t number = now / BUCKET;
	dur_t most = 0;

	for (unsigned i = 0; i < ARRAY_LEN(w->bucket); i++)
		if (number - w->bucket[i] < (mono_t)ARRAY_LEN(w->bucket) && w->value[i] > most)
			most = w->value[i];
	return most;
}

static bool
came(const struct carrier *c, uint64_t seq)
{
	return (c->ring[seq % RING / 64] >> seq % 64 & 1) != 0;
}

static void
mark(struct carrier *c, uint64_t seq, bool it)
{
	uint64_t bit = 1ULL << seq % 64;

	if (it)
		c->ring[seq % RING / 64] |= bit;
	else
		c->ring[seq % RING / 64] &= ~bit;
}

static void
count(struct carrier *c, uint64_t boot, uint64_t seq)
{
	uint64_t step = seq - c->top;

	if (boot != c->boot) {
		memset(c->ring, 0, sizeof(c->ring));
		c->boot = boot;
		c->recent = 0;
		step = 1;
	} else if (seq <= c->top) {
		if (c->top - seq < c->recent && !came(c, seq)) {
			mark(c, seq, true);
			c->received++;
		}
		return;
	}
	for (uint64_t i = 0; i < step && i < RING; i++)
		mark(c, seq - i, false);
	mark(c, seq, true);
	c->top = seq;
	c->received++;
	c->expected += step;
	c->recent = step < CARRIER_RECENT - c->recent ? c->recent + (unsigned)step : CARRIER_RECENT;
}

unsigned
carrier_lost_recent(const struct carrier *c, unsigned *expected_out)
{
	unsigned lost = 0;

	for (unsigned i = 0; i < c->recent; i++)
		lost += !came(c, c->top - i);
	*expected_out = c->recent;
	return lost;
}

uint64_t
carrier_lost(const struct carrier *c)
{
	return c->expected - c->received;
}

static void
take_echo(struct carrier *c, const struct carrier_frame *f)
{
	dur_t rtt = f->at - f->echo_sent - f->echo_age;

	if (f->echo_sent <= c->proof_at)
		return;
	c->proof_at = f->echo_sent;
	c->proofs++;
	if (rtt < 1)
		rtt = 1; /* two clocks' grain; 0 is "not known" */
	c->rtt = c->rtt == 0 ? rtt : c->rtt + (rtt - c->rtt) / 8;
	worst_add(&c->worst, f->at, rtt);
}

void
carrier_heard(struct carrier *c, const struct carrier_frame *f)
{
	count(c, f->boot, f->seq);
	if (!c->heard || f->at > c->heard_at)
		c->heard_at = f->at;
	c->heard = true;
	c->graced = false;
	c->streak++;
	if (f->echo_sent > 0)
		take_echo(c, f);
}

/* The instants at which a carrier changes by time alone. */
struct marks {
	mono_t missing; /* the next frame should have been here */
	mono_t silent;
	mono_t down;
	mono_t unproven; /* the peer should have echoed something newer */
};

static struct marks
marks(const struct carrier *c, unsigned damp)
{
	dur_t dead = dead_time(c, damp);
	mono_t last = c->heard_at;
	struct marks m = {
		.missing = last + c->conf.interval + c->conf.interval / 2,
		.silent = last + dead,
		.down = last + LOST_FOR_GOOD * dead,
		.unproven = c->proof_at + dead + 2 * c->conf.interval + c->rtt,
	};

	if (m.silent < c->grace)
		m.silent = c->grace;
	if (m.down < c->grace)
		m.down = c->grace;
	return m;
}

bool
carrier_alive(const struct carrier *c, mono_t now, unsigned damp)
{
	return c->used && c->heard && now < marks(c, damp).silent;
}

/* As it is, without hysteresis. */
static enum carrier_state
look(const struct carrier *c, mono_t now, unsigned damp)
{
	struct marks m = marks(c, damp);

	if (!c->heard || now >= m.down)
		return CARRIER_DOWN;
	if (now >= m.silent)
		return c->fault != 0 ? CARRIER_DOWN : CARRIER_SILENT;
	if (c->fault != 0 || c->proof_at == 0 || now >= m.unproven)
		return CARRIER_ONE_WAY;
	return CARRIER_UP;
}

static bool
step(struct carrier *c, mono_t now, unsigned damp)
{
	enum carrier_state seen = look(c, now, damp), to = seen;

	c->live = carrier_alive(c, now, damp);
	if (!c->live)
		c->streak = 0;
	if (seen != CARRIER_UP)
		c->proofs = 0;
	/* Better only after some frames in a row; worse at once. */
	if (to == CARRIER_UP && c->proofs < CARRIER_RISE && c->state != CARRIER_UP)
		to = CARRIER_ONE_WAY;
	if (to > c->state && c->state <= CARRIER_SILENT && c->streak < CARRIER_RISE)
		to = c->state;
	if (to == c->state)
		return false;
	c->state = to;
	c->since = now;
	return true;
}

void
carriers_init(struct carrier_set *s)
{
	memset(s, 0, sizeof(*s));
	s->due = CARRIER_NEVER;
}

dur_t
carriers_wake(struct carrier_set *s, mono_t now)
{
	dur_t late = s->due != CARRIER_NEVER && now > s->due ? now - s->due : 0;
	dur_t limit = CARRIER_NEVER;

	worst_add(&s->late, now, late);
	for (unsigned i = 0; i < CARRIER_SET; i++)
		if (s->c[i].used && s->c[i].conf.dead / 2 < limit)
			limit = s->c[i].conf.dead / 2;
	if (late > limit)
		carriers_stalled(s, now);
	return late;
}

void
carriers_stalled(struct carrier_set *s, mono_t now)
{
	s->blind = true;
	s->stalls++;
	for (unsigned i = 0; i < CARRIER_SET; i++) {
		struct carrier *c = &s->c[i];

		if (!c->used || !c->live || c->graced)
			continue;
		c->graced = true;
		c->grace = now + 2 * c->conf.interval;
	}
}

unsigned
carriers_tick(struct carrier_set *s, mono_t now, unsigned damp)
{
	unsigned changed = 0;

	s->blind = s->live = false;
	for (unsigned i = 0; i < CARRIER_SET; i++) {
		if (!s->c[i].used)
			continue;
		if (step(&s->c[i], now, damp))
			changed |= 1U << i;
		s->live |= s->c[i].live;
	}
	return changed;
}

bool
carriers_alive(const struct carrier_set *s, mono_t now, unsigned damp)
{
	if (s->blind)
		return s->live;
	for (unsigned i = 0; i < CARRIER_SET; i++)
		if (carrier_alive(&s->c[i], now, damp))
			return true;
	return false;
}

bool
carriers_late(const struct carrier_set *s, mono_t now, unsigned damp)
{
	bool any = false;

	if (s->blind)
		return false;
	for (unsigned i = 0; i < CARRIER_SET; i++) {
		if (!carrier_alive(&s->c[i], now, damp))
			continue;
		if (now < marks(&s->c[i], damp).missing)
			return false;
		any = true;
	}
	return any;
}

/* The nearest of both; what has passed has been seen. */
static mono_t
nearest(mono_t best, mono_t at, mono_t now)
{
	return at > now && at < best ? at : best;
}

mono_t
carriers_deadline(struct carrier_set *s, mono_t now, unsigned damp)
{
	mono_t best = CARRIER_NEVER;

	for (unsigned i = 0; i < CARRIER_SET; i++) {
		const struct carrier *c = &s->c[i];
		struct marks m = marks(c, damp);

		if (!c->used)
			continue;
		if (c->next < best)
			best = c->next;
		if (!c->heard)
			continue;
		best = nearest(best, m.missing, now);
		best = nearest(best, m.silent, now);
		best = nearest(best, m.down, now);
		if (c->proof_at != 0)
			best = nearest(best, m.unproven, now);
	}
	s->due = best;
	return best;
}
