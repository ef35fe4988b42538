/* replay.c - windows of sequence numbers, and whose start is the present one.
 *
 * The rules and why they are right stand in the header. A window begins with its first frame, and takes none from before
 * it: what was heard of a start before it had proved itself did not count, and a recording of it must not count later.
 * When a start is replaced, the one before it is not remembered: by the second rule it cannot come back.
 *
 * Guests (strangers that advance) are four at most; a fifth takes the place of the one that has been quiet longest. */
#include "core/replay.h"

#include "base/must.h"

#include <string.h>

void
replay_init(struct replay *r, uint64_t own)
{
	must(own != 0);
	memset(r, 0, sizeof(*r));
	r->own = own;
}

bool
replay_window_take(struct replay_window *w, uint64_t seq)
{
	uint64_t step;

	if (seq > w->top) {
		step = seq - w->top;
		w->seen = w->top == 0 ? ~0ULL : step < REPLAY_WINDOW ? w->seen << step : 0;
		w->seen |= 1;
		w->top = seq;
		return true;
	}
	step = w->top - seq;
	if (step >= REPLAY_WINDOW || (w->seen >> step & 1) != 0)
		return false;
	w->seen |= 1ULL << step;
	return true;
}

static void
hear(struct replay_heard *h, const struct beat *b, mono_t at)
{
	if (b->seq > h->seq)
		*h = (struct replay_heard){ .seq = b->seq, .sent_us = b->sent_us, .at = at };
}

/* The place of a stranger; of one not seen yet: a free place, or that of the quietest. */
static struct replay_guest *
find_guest(struct replay *r, uint64_t boot)
{
	struct replay_guest *quiet = &r->guest[0];

	for (unsigned i = 0; i < REPLAY_GUESTS; i++) {
		struct replay_guest *g = &r->guest[i];

		if (g->boot == boot)
			return g;
		if (quiet->boot != 0 && (g->boot == 0 || g->at < quiet->at))
			quiet = g;
	}
	*quiet = (struct replay_guest){ .boot = boot };
	return quiet;
}

/* It does not advance, as a recording that is played again. */
static bool
stands_still(const struct replay *r, const struct beat *b)
{
	for (unsigned i = 0; i < REPLAY_GUESTS; i++)
		if (r->guest[i].boot == b->boot)
			return b->seq <= r->guest[i].heard[b->carrier].seq;
	return false;
}

static void
receive(struct replay *r, const struct beat *b, mono_t at)
{
	struct replay_guest *g = find_guest(r, b->boot);

	hear(&g->heard[b->carrier], b, at);
	g->at = at;
}

/* The second rule. An instant after now is none that we can have sent. */
static bool
proves(const struct replay *r, const struct beat *b, mono_t at)
{
	return b->echo.boot == r->own && b->echo.sent_us > r->proof &&
	       b->echo.sent_us <= (uint64_t)at;
}

/* What was heard of it as a stranger did not count then, and must not count later: the windows begin behind that. */
static void
accept_start(struct replay *r, const struct beat *b)
{
	memset(r->window, 0, sizeof(r->window));
	memset(r->heard, 0, sizeof(r->heard));
	for (unsigned i = 0; i < REPLAY_GUESTS; i++)
		for (unsigned c = 0; c < BEAT_CARRIERS && r->guest[i].boot == b->boot; c++)
			if (r->guest[i].heard[c].seq != 0)
				r->window[c] =
				    (struct replay_window){ r->guest[i].heard[c].seq, ~0ULL };
	memset(r->guest, 0, sizeof(r->guest));
	r->boot = b->boot;
	r->sent_us = 0;
	r->starts++;
}

static enum beat_fault
judge(struct replay *r, const struct beat *b, mono_t at)
{
	if (b->boot != r->boot) {
		if (stands_still(r, b))
			return BEAT_REPLAYED;
		if (!proves(r, b, at)) {
			receive(r, b, at);
			return BEAT_STRANGER;
		}
		accept_start(r, b);
	}
	if (!replay_window_take(&r->window[b->carrier], b->seq))
		return BEAT_REPLAYED;
	hear(&r->heard[b->carrier], b, at);
	if (b->sent_us > r->sent_us)
		r->sent_us = b->sent_us;
	if (proves(r, b, at))
		r->proof = b->echo.sent_us;
	return BEAT_GOOD;
}

enum beat_fault
replay_judge(struct replay *r, const struct beat *b, mono_t at)
{
	enum beat_fault f;

	must(b->boot != 0 && b->seq != 0 && b->carrier < BEAT_CARRIERS);
	f = judge(r, b, at);
	r->counter[f]++;
	return f;
}

bool
replay_newest(const struct replay *r, const struct beat *b)
{
	return b->boot == r->boot && b->sent_us >= r->sent_us;
}

void
replay_count(struct replay *r, enum beat_fault f)
{
	if (f < BEAT_FAULTS)
		r->counter[f]++;
}

static struct beat_echo
echo_of(uint64_t boot, const struct replay_heard *h, mono_t now)
{
	dur_t age = now > h->at ? now - h->at : 0;

	return (struct beat_echo){
		.boot = boot,
		.seq = h->seq,
		.sent_us = h->sent_us,
		.age_us = age < UINT32_MAX ? (uint32_t)age : UINT32_MAX,
	};
}

struct beat_echo
replay_echo(struct replay *r, unsigned carrier, mono_t now)
{
	static const struct beat_echo none;

	must(carrier < BEAT_CARRIERS);
	if (r->boot != 0)
		return r->heard[carrier].seq != 0 ? echo_of(r->boot, &r->heard[carrier], now)
						  : none;
	for (unsigned i = 0; i < REPLAY_GUESTS; i++) {
		const struct replay_guest *g = &r->guest[++r->turn[carrier] % REPLAY_GUESTS];

		if (g->boot != 0 && g->heard[carrier].seq != 0)
			return echo_of(g->boot, &g->heard[carrier], now);
	}
	return none;
}

bool
replay_stranger(const struct replay *r, mono_t now, dur_t within)
{
	for (unsigned i = 0; i < REPLAY_GUESTS; i++)
		if (r->guest[i].boot != 0 && now - r->guest[i].at <= within)
			return true;
	return false;
}
