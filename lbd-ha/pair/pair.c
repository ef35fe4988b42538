/* pair.c - the steps of a pairing as rows: side, state, event, what is done, next state. What has no row fails the
 * pairing, so a node that is confused, or plays, gets nowhere. Fits on a page, and the test walks all of it: from no
 * state of one side and any state of the other can a lost connection leave a pair that only one of them can end by
 * more than "lbctl ha unpair --local".
 *
 * Nothing here reads, writes or waits (session.c does). */
#include "pair.h"

#include "base/must.h"

#include <stdio.h>

static const struct row {
	enum pair_side side;
	enum pair_state at;
	enum pair_event ev;
	enum pair_action action;
	enum pair_state next;
} rows[] = {
#define ROW(side, at, ev, action, next)                                                   \
	{                                                                                 \
		PAIR_##side, PAIR_AT_##at, PAIR_EV_##ev, PAIR_DO_##action, PAIR_AT_##next \
	}
	/* clang-format off */
	ROW(ASKS,  SHAKE,   UP,        OFFER,   OFFER),
	ROW(ASKS,  OFFER,   ANSWERED,  ASK,     CONFIRM),
	ROW(ASKS,  CONFIRM, YES,       PREPARE, PREPARE),
	ROW(ASKS,  CONFIRM, NO,        REFUSE,  END),
	ROW(ASKS,  PREPARE, PREPARED,  COMMIT,  COMMIT),
	ROW(ASKS,  COMMIT,  COMMITTED, DUMP,    REPLACE),
	ROW(ASKS,  REPLACE, REPLACED,  FINISH,  END),

	ROW(SHOWS, SHAKE,   UP,        NOTHING, OFFER),
	ROW(SHOWS, OFFER,   OFFERED,   ANSWER,  CONFIRM),
	ROW(SHOWS, CONFIRM, PREPARE,   WRITE,   PREPARE),
	ROW(SHOWS, PREPARE, COMMIT,    COUNT,   REPLACE),
	ROW(SHOWS, REPLACE, DUMP,      REPLACE, END),
	/* The other node had nothing to send, or goes on over the channel. */
	ROW(SHOWS, REPLACE, LOST,      FINISH,  END),
/* clang-format on */
#undef ROW
};

bool
pair_next(enum pair_side side, enum pair_state at, enum pair_event ev, struct pair_move *out)
{
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].side == side && rows[i].at == at && rows[i].ev == ev) {
			*out = (struct pair_move){ rows[i].next, rows[i].action };
			return true;
		}
	if (at == PAIR_AT_END)
		return false;
	*out = (struct pair_move){ PAIR_AT_END, ev == PAIR_EV_ABORT ? PAIR_DO_STOP : PAIR_DO_FAIL };
	return ev == PAIR_EV_ABORT || ev == PAIR_EV_LOST;
}

dur_t
pair_wait(enum pair_state at)
{
	switch (at) {
	case PAIR_AT_CONFIRM: return DUR_S(120); /* a person reads */
	case PAIR_AT_REPLACE: return DUR_S(60);	 /* a large configuration */
	default: return DUR_S(10);
	}
}

enum pair_left
pair_leaves(enum pair_side side, enum pair_state at)
{
	switch (at) {
	case PAIR_AT_COMMIT: return PAIR_LEFT_HERE; /* only who asks is ever in it */
	case PAIR_AT_REPLACE:
	case PAIR_AT_END: return PAIR_LEFT_PAIR;
	case PAIR_AT_PREPARE: return side == PAIR_SHOWS ? PAIR_LEFT_DOUBT : PAIR_LEFT_NOTHING;
	default: return PAIR_LEFT_NOTHING;
	}
}

void
pair_left_text(enum pair_left left, const char *peer, char *out, size_t room)
{
	switch (left) {
	case PAIR_LEFT_NOTHING:
		(void)snprintf(out, room, "this node is not paired; nothing was changed");
		break;
	case PAIR_LEFT_DOUBT:
		(void)snprintf(out, room,
		    "whether the pair counts is known when %s is reached; \"lbctl ha unpair --local\" forgets it",
		    peer);
		break;
	case PAIR_LEFT_HERE:
		(void)snprintf(out, room,
		    "the pair counts here, and on %s as soon as it is reached; \"lbctl ha unpair --local\" ends it",
		    peer);
		break;
	case PAIR_LEFT_PAIR:
		(void)snprintf(
		    out, room, "the pair counts; the configuration follows over the channel");
		break;
	}
}
