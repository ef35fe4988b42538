/* conns_letter.h - what a CONNS_LETTER is about. Two lbd-ipvs write to each other, through the lbd-ha of both nodes.
 *
 * The node that lacks connections asks; the other gives pieces, at most CONNS_FLYING of them before the first was taken,
 * and ends. Words behind LETTER_STOP are to the lbd-ha of the node alone. */
#ifndef MSG_CONNS_LETTER_H
#define MSG_CONNS_LETTER_H

#define CONNS_FLYING 8	  /* pieces on their way */
#define CONNS_PIECE 32768 /* bytes; the last message may go beyond by what one may have */

enum conns_letter {
	LETTER_ASK = 1,
	LETTER_GIVE,
	LETTER_TAKEN,
	LETTER_END,
	LETTER_CANNOT, /* the giver */
	LETTER_STOP,
	LETTER_STATE,
	LETTER_HERE,   /* everything that was given is in the kernel */
	LETTER_FAILED, /* the taker */
};
/* count of LETTER_STATE: how lbd-ipvs stands to connections of the other node. */
enum conns_state {
	CONNS_AWAY, /* lbd-ipvs does not run */
	CONNS_WAITS,
	CONNS_READY,
	CONNS_OFF
};

#endif
