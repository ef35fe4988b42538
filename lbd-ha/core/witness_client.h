/* witness_client.h - one group's lease at the witness, as the node sees it. Pure: the caller sends and receives.
 *
 *     witness_client_ask(c, NOTE_TAKE, generation, lease, now);
 *     while (now >= c->next) { witness_client_make(c, now, &note); seal and send it; }
 *     a note came: witness_client_heard(c, &note, now);
 *     may I be active? witness_client_holds(c, now)
 *
 * A grant counts from the moment at which its question was sent, by the own clock, less 1/256 for clocks that run
 * differently: so it ends before the witness would grant to another. */
#ifndef HA_WITNESS_CLIENT_H
#define HA_WITNESS_CLIENT_H

#include "witness/note.h"

#include "base/mono.h"

#include <stdbool.h>

#define WITNESS_CLIENT_OPEN 8 /* questions whose answers are still taken */
#define WITNESS_CLIENT_NEVER INT64_MAX

enum witness_client_state {
	WITNESS_UNASKED, /* nothing was asked */
	WITNESS_ASKING,
	WITNESS_ANSWERED, /* see word */
	WITNESS_SILENT,	  /* no answer until the limit */
};

struct witness_client {
	uint64_t cluster, boot;
	uint8_t node, group;
	dur_t retry, limit; /* between two sendings; from the question until it is given up */
	enum witness_client_state state;
	/* the question */
	enum note_word ask;
	uint64_t generation;
	uint32_t lease_ms;
	mono_t asked_at, next; /* next: to send; WITNESS_CLIENT_NEVER: nothing */
	uint64_t seq;
	unsigned proves; /* demands of the witness in this question */
	struct {
		uint64_t seq;
		mono_t at;
	} open[WITNESS_CLIENT_OPEN];
	/* the witness */
	uint64_t witness, stamp;
	/* the last answer */
	enum note_word word; /* 0 none ever */
	uint8_t holder;
	uint64_t holder_generation;
	uint32_t left_ms; /* of the holder's lease, when the answer was made */
	mono_t answered_at;
	dur_t rtt;
	/* what we hold */
	mono_t until;
	uint64_t held_generation;
	uint64_t sent, answers, strays; /* strays: to no open question, or of somebody else */
};

/* witness_client_init - node 1 or 2; boot: of this process, random, not 0. retry 50 ms and limit 1 s are sensible. */
void witness_client_init(struct witness_client *c, uint64_t cluster, uint8_t node, uint64_t boot,
    uint8_t group, dur_t retry, dur_t limit);
/* witness_client_ask - a new question in place of the one before, whose answers count no longer. NOTE_GIVE ends what we
 * hold at once, before the witness knows. */
void witness_client_ask(struct witness_client *c, enum note_word ask, uint64_t generation,
    uint32_t lease_ms, mono_t now);
/* witness_client_make - the note to send now; sets next. */
void witness_client_make(struct witness_client *c, mono_t now, struct note *out);
/* witness_client_heard - an answer whose seal was right. True: the question is answered, and word says how. */
bool witness_client_heard(struct witness_client *c, const struct note *n, mono_t now);
/* witness_client_tick - gives up at the limit; true: just now. */
bool witness_client_tick(struct witness_client *c, mono_t now);
mono_t witness_client_deadline(const struct witness_client *c);
/* We hold the lease, with this generation. */
bool witness_client_holds(const struct witness_client *c, uint64_t generation, mono_t now);

#endif
