/* bfd_session.c - when a neighbour can be reached.
 *
 * Both sides send packets in the larger of what they want to send by and what the other wants to receive by, each some
 * percent early by chance, so that sessions do not fall into step. Who misses as many as the other's multiplier says is
 * down. Three packets bring a session up (the table below), and each tells the other's state, so that a path that is cut
 * in one direction is down on both sides.
 *
 * While a session is not up it sends once a second at most. What is wanted is told when it is up, in a poll: packets with
 * a bit that the neighbour answers. Until it has, the slower of old and new times is in force where a difference would
 * be taken for silence.
 *
 * Demand mode is not wanted, and not heeded when a neighbour is in it: packets that it did not ask for do no harm.
 * Echo packets are neither sent nor taken. */
#include "bfd/bfd_session.h"

#include "base/must.h"

#include <stdio.h>
#include <string.h>

#define TRY_TIMES 3 /* slow intervals until "down" is a result */

/* RFC 5880 section 6.8.6: [ours][of the packet] */
static const enum bfd_state table[BFD_STATES][BFD_STATES] = {
	[BFD_DOWN] = { [BFD_ADMIN_DOWN] = BFD_DOWN,
	    [BFD_DOWN] = BFD_INIT,
	    [BFD_INIT] = BFD_UP,
	    [BFD_UP] = BFD_DOWN },
	[BFD_INIT] = { [BFD_ADMIN_DOWN] = BFD_DOWN,
	    [BFD_DOWN] = BFD_INIT,
	    [BFD_INIT] = BFD_UP,
	    [BFD_UP] = BFD_UP },
	[BFD_UP] = { [BFD_ADMIN_DOWN] = BFD_DOWN,
	    [BFD_DOWN] = BFD_DOWN,
	    [BFD_INIT] = BFD_UP,
	    [BFD_UP] = BFD_UP },
};

static dur_t
larger(dur_t a, dur_t b)
{
	return a > b ? a : b;
}

/* ---- times --------------------------------------------------------------------------------------------------- */

/* bfd.DesiredMinTxInterval */
static dur_t
desired(const struct bfd *b)
{
	return b->state == BFD_UP ? b->interval : larger(b->interval, BFD_SLOW);
}

/* Between two packets of ours; the neighbour may want none. */
static dur_t
period(const struct bfd *b)
{
	return b->remote_rx == 0 ? BFD_NEVER : larger(b->tx, b->remote_rx);
}

/* Section 6.8.4 */
dur_t
bfd_detection(const struct bfd *b)
{
	return b->known ? b->remote_multiplier * larger(b->rx, b->remote_tx) : 0;
}

/* Section 6.8.7: up to a quarter early. */
static void
schedule(struct bfd *b, uint32_t random)
{
	dur_t p = period(b);

	b->tx_at =
	    p == BFD_NEVER ? BFD_NEVER : b->sent_at + p - (p / 4) * (dur_t)(random >> 16) / 65536;
}

static void
set_deadline(struct bfd *b)
{
	b->deadline = b->tx_at;
	if (b->heard && b->heard_at + bfd_detection(b) < b->deadline)
		b->deadline = b->heard_at + bfd_detection(b);
	if (!b->tried && b->try_until < b->deadline)
		b->deadline = b->try_until;
}

/* ---- steps ----------------------------------------------------------------------------------------------------- */

static void
try_from(struct bfd *b, mono_t now)
{
	b->tried = false;
	b->try_until = now + TRY_TIMES * larger(b->interval, BFD_SLOW);
}

static void
become(struct bfd *b, enum bfd_state s, enum bfd_diag diag, struct bfd_out *out)
{
	b->state = s;
	b->diag = (uint8_t)diag;
	b->rx = b->interval;
	b->tx = desired(b);
	b->poll = s == BFD_UP && b->interval < BFD_SLOW;
	out->changed = true;
	if (s != BFD_UP)
		return;
	b->tried = true;
	memset(b->bad, 0, sizeof(b->bad));
}

static void
put(const struct bfd *b, bool final, struct bfd_out *out)
{
	out->send = true;
	out->packet = (struct bfd_packet){
		.state = (uint8_t)b->state,
		.diag = b->diag,
		.multiplier = BFD_MULTIPLIER,
		.poll = b->poll && !final, /* never both (section 6.5) */
		.final = final,
		.mine = b->mine,
		.yours = b->yours,
		.desired_tx = desired(b),
		.required_rx = b->interval,
	};
}

/* A packet in its time, or at once because it says something new. */
static void
say(struct bfd *b, bool final, mono_t now, uint32_t random, struct bfd_out *out)
{
	put(b, final, out);
	b->sent_at = now;
	schedule(b, random);
}

void
bfd_init(struct bfd *b, dur_t interval, uint32_t mine, mono_t now)
{
	must(mine != 0 && interval > 0 && interval <= UINT32_MAX);
	*b = (struct bfd){ .state = BFD_DOWN,
		.mine = mine,
		.interval = interval,
		.rx = interval,
		.remote_rx = 1, /* section 6.8.1 */
		.sent_at = now,
		.tx_at = now };
	b->tx = desired(b);
	try_from(b, now);
	set_deadline(b);
}

void
bfd_interval_set(struct bfd *b, dur_t interval, mono_t now, uint32_t random, struct bfd_out *out)
{
	must(interval > 0 && interval <= UINT32_MAX);
	*out = (struct bfd_out){ 0 };
	b->interval = interval;
	if (b->state == BFD_UP) { /* section 6.8.3 */
		b->poll = true;
		b->tx = interval < b->tx ? interval : b->tx;
		b->rx = larger(interval, b->rx);
	} else {
		b->tx = desired(b);
		b->rx = interval;
	}
	say(b, false, now, random, out);
	set_deadline(b);
}

/* Nothing was heard for the detection time: what the neighbour wanted is forgotten, what it said last is shown. */
static void
expire(struct bfd *b, struct bfd_out *out)
{
	b->heard = false;
	b->yours = 0;
	b->remote_rx = 1;
	if (b->state == BFD_INIT || b->state == BFD_UP)
		become(b, BFD_DOWN, BFD_DIAG_EXPIRED, out);
}

void
bfd_timer(struct bfd *b, mono_t now, uint32_t random, struct bfd_out *out)
{
	*out = (struct bfd_out){ 0 };
	if (b->heard && now >= b->heard_at + bfd_detection(b)) {
		expire(b, out);
		schedule(b, random);
	}
	if (now >= b->try_until)
		b->tried = true;
	if (out->changed || now >= b->tx_at)
		say(b, false, now, random, out);
	set_deadline(b);
}

/* What the neighbour says of itself. */
static void
learn(struct bfd *b, const struct bfd_packet *p, mono_t now)
{
	b->known = b->heard = true;
	b->heard_at = now;
	b->yours = p->mine;
	b->remote_state = p->state;
	b->remote_diag = p->diag;
	b->remote_multiplier = p->multiplier;
	b->remote_tx = p->desired_tx;
	b->remote_rx = p->required_rx;
	if (p->state == BFD_ADMIN_DOWN) /* when that ends it has the time to come up again */
		try_from(b, now);
	if (!p->final || !b->poll)
		return;
	b->poll = false;
	b->tx = desired(b);
	b->rx = b->interval;
}

enum bfd_bad
bfd_receive(
    struct bfd *b, const struct bfd_packet *p, mono_t now, uint32_t random, struct bfd_out *out)
{
	enum bfd_state next;
	dur_t before = period(b);

	*out = (struct bfd_out){ 0 };
	if (p->yours != 0 && p->yours != b->mine)
		return BFD_BAD_YOURS;
	if (b->state == BFD_ADMIN_DOWN)
		return BFD_BAD_ADMIN_DOWN;
	learn(b, p, now);
	next = table[b->state][p->state];
	if (next != b->state) /* Init does not say yet that what was is over */
		become(b, next,
		    next == BFD_DOWN ? BFD_DIAG_SIGNALED
		    : next == BFD_UP ? BFD_DIAG_NONE
				     : b->diag,
		    out);
	if (out->changed)
		say(b, p->poll, now, random, out);
	else if (period(b) != before)
		schedule(b, random);
	if (p->poll && !out->send) /* at once, and beside the others (section 6.5) */
		put(b, true, out);
	set_deadline(b);
	return BFD_GOOD;
}

void
bfd_end(struct bfd *b, struct bfd_out *out)
{
	*out = (struct bfd_out){ 0 };
	become(b, BFD_ADMIN_DOWN, BFD_DIAG_ADMIN, out);
	put(b, false, out);
	b->deadline = BFD_NEVER;
}

/* ---- what is told of it ---------------------------------------------------------------------------------------- */

enum bfd_verdict
bfd_verdict(const struct bfd *b)
{
	if (b->state == BFD_UP)
		return BFD_VERDICT_GOOD;
	if ((b->known && b->remote_state == BFD_ADMIN_DOWN) || !b->tried)
		return BFD_VERDICT_NONE;
	return BFD_VERDICT_BAD;
}

static void
add(char out[BFD_TEXT], const char *a, const char *b)
{
	size_t n = strlen(out);

	(void)snprintf(out + n, BFD_TEXT - n, "%s%s", a, b);
}

void
bfd_format(const struct bfd *b, char out[BFD_TEXT])
{
	(void)snprintf(out, BFD_TEXT, "%s", bfd_state_name(b->state));
	if (b->state == BFD_UP) {
		char text[40];

		(void)snprintf(text, sizeof(text), ", detection time %lld ms",
		    (long long)(bfd_detection(b) / 1000));
		add(out, text, "");
	} else if (b->diag != BFD_DIAG_NONE)
		add(out, ", ", bfd_diag_name(b->diag));
	if (!b->known) {
		add(out, "; nothing heard of the neighbour", "");
		return;
	}
	add(out, b->heard ? "; neighbour " : "; neighbour silent, last ",
	    bfd_state_name(b->remote_state));
	add(out, ", ", bfd_diag_name(b->remote_diag));
}
