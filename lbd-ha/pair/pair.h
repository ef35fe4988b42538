/* pair.h - the steps of a pairing as rows, for both sides. Pure.
 *
 *	node that asks (A)			node that shows the code (B)
 *	connects, proves the code	-->	accepts it, spends it
 *	OFFER: name, certificate	-->
 *					<--	ANSWER: name, certificate, what it has
 *	a person confirms
 *	writes down; PREPARE		-->	writes down
 *					<--	PREPARED
 *	counts from here on; COMMIT	-->	counts from here on
 *					<--	COMMITTED
 *	DUMP (when there is one)	-->	replaces its configuration
 *					<--	REPLACED
 *
 * A decides: until it has committed nothing counts anywhere. B that wrote down and then lost A is in doubt until the
 * nodes meet again: A connects when it has committed, and never otherwise. */
#ifndef HA_PAIR_H
#define HA_PAIR_H

#include "base/mono.h"

#include <stdbool.h>
#include <stddef.h>

enum pair_side { PAIR_ASKS, PAIR_SHOWS };
/* clang-format off */
#define PAIR_STATES(X) \
	X(SHAKE) X(OFFER) X(CONFIRM) X(PREPARE) X(COMMIT) X(REPLACE) X(END)
#define PAIR_EVENTS(X) \
	X(UP) X(OFFERED) X(ANSWERED) X(YES) X(NO) X(PREPARE) X(PREPARED) X(COMMIT) X(COMMITTED) X(DUMP) X(REPLACED) \
	X(ABORT) X(LOST)
#define PAIR_ACTIONS(X) \
	X(NOTHING) X(OFFER) X(ANSWER) X(ASK) X(PREPARE) X(WRITE) X(COMMIT) X(COUNT) X(DUMP) X(REPLACE) X(FINISH) \
	X(REFUSE) X(FAIL) X(STOP)
/* clang-format on */
#define X(name) PAIR_AT_##name,
enum pair_state { PAIR_STATES(X) PAIR_STATES_N };
#undef X
#define X(name) PAIR_EV_##name,
enum pair_event { PAIR_EVENTS(X) PAIR_EVENTS_N };
#undef X
#define X(name) PAIR_DO_##name,
enum pair_action { PAIR_ACTIONS(X) };
#undef X

struct pair_move {
	enum pair_state next;
	enum pair_action action;
};
/* pair_next - what an event means in a state. false: it has no place there; the pairing then fails. */
bool pair_next(enum pair_side side, enum pair_state at, enum pair_event ev, struct pair_move *out);
/* pair_wait - how long a state waits for the other node, or for a person. */
dur_t pair_wait(enum pair_state at);

/* What a pairing leaves on this node when it ends in a state (END: when it had come to its own). */
enum pair_left {
	PAIR_LEFT_NOTHING, /* single, as before */
	PAIR_LEFT_DOUBT,   /* written down; counts if the other node says so */
	PAIR_LEFT_HERE,	   /* counts here; the other node learns it when it is met */
	PAIR_LEFT_PAIR,	   /* counts on both */
};
enum pair_left pair_leaves(enum pair_side side, enum pair_state at);
/* pair_left_text - the sentence for a person: "neither node is paired". */
void pair_left_text(enum pair_left left, const char *peer, char *out, size_t room);

/* Words of the steps that are shown, in their order. */
#define PAIR_STEP_CONNECT "connect"
#define PAIR_STEP_CODE "code"
#define PAIR_STEP_EXCHANGE "exchange"
#define PAIR_STEP_FINGERPRINT "fingerprint"
#define PAIR_STEP_CONFIRM "confirm"
#define PAIR_STEP_CLUSTER "cluster"
#define PAIR_STEP_PREPARE "prepare"
#define PAIR_STEP_COMMIT "commit"
#define PAIR_STEP_REPLACE "replace"
#define PAIR_STEP_DONE "done"

#endif
