/* note.h - a question to the witness and its answer: one datagram each, of the same form. Pure.
 *
 * Fixed places, big-endian, NOTE_LEN bytes with the seal; an answer is never longer than its question:
 *
 *      0  magic u32    4 version u8   5 kind u8   6 key id u8   7 node u8
 *      8  cluster u64  16 boot of the asking process u64   24 its sequence u64
 *     32  boot of the witness u64   40 stamp of the witness u64   48 generation u64
 *     56  lease ms u32  60 group u8   61 word u8   62 holder u8   63 zero
 *     64  seal of all before it, SEAL_TAG bytes, with the label SEAL_WITNESS
 *
 * A later version may put more before the seal. What the words do is witness.h. */
#ifndef HA_NOTE_H
#define HA_NOTE_H

#include "core/seal.h"

#define NOTE_VERSION 1
#define NOTE_BODY 64
#define NOTE_LEN (NOTE_BODY + SEAL_TAG)
#define NOTE_MAX 256 /* of a later version */
#define NOTE_GROUPS 8
#define NOTE_PORT 7848 /* UDP, where a witness listens */

enum note_kind { NOTE_ASK = 1, NOTE_ANSWER = 2 };
enum note_word {
	/* of a question */
	NOTE_LOOK = 1, /* who holds it? changes nothing */
	NOTE_TAKE = 2, /* give it to me with this generation for this lease, or prolong it */
	NOTE_GIVE = 3, /* I hold it no longer */
	/* of an answer */
	NOTE_GRANTED =
	    16,		 /* it is yours: lease ms from the moment at which you sent the question */
	NOTE_HELD = 17,	 /* by holder, with this generation, for lease ms more */
	NOTE_FREE = 18,	 /* nobody's; the generation is the last one */
	NOTE_STALE = 19, /* another has had this generation or a later one */
	NOTE_WAIT = 20,	 /* the witness has just started and grants nothing for lease ms more */
	NOTE_PROVE = 21, /* ask again with the witness's boot and stamp of this answer */
	NOTE_FULL = 22,	 /* it knows too many clusters */
};

struct note {
	uint8_t kind, node, group, word, holder;
	uint64_t cluster;
	uint64_t boot, seq;	 /* of the asking process; the answer repeats them */
	uint64_t witness, stamp; /* what the last answer said; 0 none yet */
	uint64_t generation;
	uint32_t lease_ms;
};

/* note_encode - NOTE_LEN bytes. seal must be ready. */
void note_encode(const struct note *n, const struct seal *seal, uint8_t out[NOTE_LEN]);
/* note_decode - 0, out written; -EBADMSG: not a note, cut, or impossible; -EPROTONOSUPPORT: version 0; -ENOKEY: a secret
 * that is not ours; -EACCES: the seal is wrong. kind: which one is expected; another is -EBADMSG. */
int note_decode(
    const void *bytes, size_t len, enum note_kind kind, const struct seal *seal, struct note *out);

#endif
