/* pulse.c - one frame through all that judges it.
 *
 * The order is from cheap to dear and from outside to inside: form and seal (beat.c), the carrier that it names, whether
 * it is news (replay.c); only then does the carrier hear it. A frame that names another carrier was carried over by
 * somebody, or two cables are crossed: it would prove the wrong way, so it proves none.
 *
 * An echo counts for the carrier only when it is of our present start and not of the future; so no frame can make a
 * carrier look healthy that the peer does not hear. */
#include "core/pulse.h"

#include "base/must.h"

#include <string.h>

void
pulse_init(struct pulse *p, const struct beat_self *self, uint64_t boot)
{
	must((self->node == 1 || self->node == 2) && boot != 0);
	memset(p, 0, sizeof(*p));
	p->self = *self;
	seal_init(&p->seal, SEAL_BEAT);
	replay_init(&p->replay, boot);
	carriers_init(&p->set);
}

static void
hear(struct pulse *p, unsigned carrier, const struct beat *b, mono_t at)
{
	bool ours = b->echo.boot == p->replay.own && b->echo.sent_us <= (uint64_t)at;
	const struct carrier_frame f = {
		.at = at,
		.boot = b->boot,
		.seq = b->seq,
		.echo_sent = ours ? (mono_t)b->echo.sent_us : 0,
		.echo_age = b->echo.age_us,
	};

	carrier_heard(&p->set.c[carrier], &f);
	if (!replay_newest(&p->replay, b))
		return;
	p->peer = *b;
	p->peer_at = at;
}

/* The nodes number their carriers each for itself. What comes on a carrier teaches its number there, and a number that
 * is heard on one carrier does not count on another one. */
static bool
is_crossed(const struct pulse *p, unsigned carrier, unsigned number)
{
	for (unsigned i = 0; i < BEAT_CARRIERS; i++)
		if (p->number[i] == number + 1)
			return i != carrier && p->set.c[i].live;
	return false;
}

static void
learn(struct pulse *p, unsigned carrier, unsigned number)
{
	for (unsigned i = 0; i < BEAT_CARRIERS; i++)
		if (p->number[i] == number + 1)
			p->number[i] = 0;
	p->number[carrier] = (uint8_t)(number + 1);
}

enum beat_fault
pulse_in(struct pulse *p, unsigned carrier, const struct carrier_in *in)
{
	struct beat b;
	enum beat_fault f = beat_decode(in->bytes, in->len, &p->self, &p->seal, &b);

	must(carrier < BEAT_CARRIERS && p->set.c[carrier].used);
	if (f == BEAT_GOOD && is_crossed(p, carrier, b.carrier))
		f = BEAT_CROSSED;
	if (f != BEAT_GOOD) {
		replay_count(&p->replay, f);
		return f;
	}
	f = replay_judge(&p->replay, &b, in->at);
	if (f == BEAT_GOOD || f == BEAT_STRANGER)
		learn(p, carrier, b.carrier);
	if (f == BEAT_GOOD)
		hear(p, carrier, &b, in->at);
	return f;
}

void
pulse_out(
    struct pulse *p, unsigned carrier, const struct beat *said, mono_t now, uint8_t out[BEAT_LEN])
{
	struct beat b = *said;

	must(carrier < BEAT_CARRIERS);
	b.node = p->self.node;
	b.cluster = p->self.cluster;
	b.carrier = (uint8_t)carrier;
	b.boot = p->replay.own;
	b.seq = ++p->seq[carrier];
	b.sent_us = (uint64_t)now;
	b.echo = p->number[carrier] != 0 ? replay_echo(&p->replay, p->number[carrier] - 1u, now)
					 : (struct beat_echo){ 0 };
	beat_encode(&b, &p->seal, out);
}
