/* pulse.h - the heartbeat as a whole: frames in and out, put together from beat, replay and carrier. Pure.
 *
 * What a loop does with it:
 *     late = carriers_wake(&p->set, now);
 *     for each carrier, until it is empty:   pulse_in(p, carrier, &in);
 *     changed = carriers_tick(&p->set, now, damp);
 *     decide, with carriers_alive, carriers_late, p->peer;
 *     for each carrier_due(&p->set.c[i], now):   pulse_out(p, i, &said, now, bytes);
 *                                                carrier_sent(&p->set.c[i], now, send(bytes));
 *     sleep until carriers_deadline(&p->set, now, damp). */
#ifndef HA_PULSE_H
#define HA_PULSE_H

#include "core/carrier.h"
#include "core/replay.h"

struct pulse {
	struct beat_self self;
	struct seal seal; /* secrets: seal_set(&p->seal, ...) */
	struct replay replay;
	struct carrier_set set; /* a carrier is there after carrier_init(&p->set.c[i], ...) */
	uint64_t seq[BEAT_CARRIERS];
	uint8_t
	    number[BEAT_CARRIERS]; /* plus one, by which the peer calls the carrier; 0: not known */
	struct beat peer;	   /* the newest that it said */
	mono_t peer_at;		   /* its arrival; 0: it was never heard */
};

/* pulse_init - boot: random, not 0. No carriers and no secrets yet. */
void pulse_init(struct pulse *p, const struct beat_self *self, uint64_t boot);
/* pulse_in - bytes that came on a carrier.
 *
 * Returns: BEAT_GOOD: the carrier has heard the peer; p->peer is what it said, unless something later was known. Any
 *          other: why it does not count; counted in p->replay.counter.
 */
enum beat_fault pulse_in(struct pulse *p, unsigned carrier, const struct carrier_in *in);
/* pulse_out - the next frame for a carrier. said: flags, groups, ping nodes, configuration; who, sequence, time and echo
 * are put in here. seal_ready(&p->seal) must be true. */
void pulse_out(
    struct pulse *p, unsigned carrier, const struct beat *said, mono_t now, uint8_t out[BEAT_LEN]);

#endif
