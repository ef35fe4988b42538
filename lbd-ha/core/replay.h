/* replay.h - which sealed heartbeats are news from the peer that runs now. Pure.
 *
 * A seal proves that a frame was made with the secret, not when. Whoever recorded frames can send them again, and a dead
 * peer would seem alive. Two rules close that:
 *
 * 1. Within one start (boot id) of the peer, each sequence number of a carrier counts once, and only within the last 64
 *    (the window of RFC 4303 section 3.4.3).
 * 2. A start counts only after a frame of it echoed our own start's id together with an instant of ours that is later
 *    than any which the start before it has echoed.
 *
 * Why 2 is right. Our boot id is random and new with our start, so a frame that names it was made by somebody with the
 * secret after we began: nothing recorded earlier can. But recorded since then it could be: the peer's last start has
 * echoed us too. So the echo must also carry one of our own send times, under the seal, that is newer than all that the
 * present start has echoed. An ended start cannot do so: what it echoed lies before its end, and the start after it has
 * echoed something sent after its beginning. Nothing depends on a clock of the other node, on a disk, or on the network
 * having forgotten old frames; and a replay of the ended start's frames never takes the present one's place.
 *
 * The peer can only echo us when it hears us, and accepts us by the same rule; so a node without a present peer echoes
 * strangers too, in turn when there are several: one of them may be a recording, and must not keep the real one out. A
 * recording does not advance; only frames that do are taken into the turn. So the worst that a replay can do is to make
 * the first meeting take some frames longer.
 *
 * Not closed: who sits on the wire and keeps frames back can deliver them late, each once, while no later start of the
 * peer has been heard. What they echo grows old meanwhile, and carrier.h shows such a carrier as one-way. */
#ifndef HA_REPLAY_H
#define HA_REPLAY_H

#include "core/beat.h"

#define REPLAY_WINDOW 64
#define REPLAY_GUESTS 4 /* strangers remembered */

/* Sliding window of one sender on one carrier; { 0 } has heard nothing. */
struct replay_window {
	uint64_t top;  /* the highest sequence */
	uint64_t seen; /* bit n: top - n */
};
/* replay_window_take - true when seq is new; it is marked then. seq is not 0. The first one makes all before it old. */
bool replay_window_take(struct replay_window *w, uint64_t seq);

/* What is echoed: the newest frame of one start on one carrier. */
struct replay_heard {
	uint64_t seq, sent_us;
	mono_t at; /* arrival, our clock */
};

struct replay_guest {
	uint64_t boot; /* 0: free */
	mono_t at;
	struct replay_heard heard[BEAT_CARRIERS];
};

struct replay {
	uint64_t own;	  /* our boot id */
	uint64_t boot;	  /* the peer's present one; 0: none yet */
	uint64_t proof;	  /* the latest instant of ours that it has echoed, us */
	uint64_t sent_us; /* the peer's latest send time, its clock, over all carriers */
	struct replay_window window[BEAT_CARRIERS];
	struct replay_heard heard[BEAT_CARRIERS];
	struct replay_guest guest[REPLAY_GUESTS];
	uint8_t turn[BEAT_CARRIERS];   /* whose echo is next */
	uint64_t starts;	       /* of the peer that were accepted */
	uint64_t counter[BEAT_FAULTS]; /* frames by what became of them; BEAT_GOOD too */
};

/* replay_init - own: our boot id, random, not 0. */
void replay_init(struct replay *r, uint64_t own);

/* replay_judge - a decoded frame that arrived at the instant `at`.
 *
 * Returns: BEAT_GOOD: of the peer as it runs now, and new; b counts. BEAT_REPLAYED. BEAT_STRANGER: somebody with the
 *          secret, perhaps the peer after a new start: nothing in it counts, but we answer it. A first good frame after
 *          a new start is known by r->boot having changed. The result is counted.
 */
enum beat_fault replay_judge(struct replay *r, const struct beat *b, mono_t at);
/* replay_newest - no later frame of the peer was taken on any carrier; asked after replay_judge. One that is late on a
 * slow carrier proves life there, and what it says is superseded. */
bool replay_newest(const struct replay *r, const struct beat *b);
/* replay_count - a frame that beat_decode has refused. */
void replay_count(struct replay *r, enum beat_fault f);

/* replay_echo - what to write into our next frame on this carrier, sent at the instant now. */
struct beat_echo replay_echo(struct replay *r, unsigned carrier, mono_t now);

/* replay_stranger - somebody with the secret was heard within the last `within`, who has not proved himself: the peer is
 * probably starting. */
bool replay_stranger(const struct replay *r, mono_t now, dur_t within);

#endif
