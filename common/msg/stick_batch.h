/* stick_batch.h - what one side has learned and the other shall know: keys and their values, many in one batch. Pure.
 *
 * Wire, big-endian: version u8, zero u8, number of records u16, then the records, 44 bytes each: kind u8, key kind u8,
 * flags u8, zero u8, service u32, key 16 bytes, value u32, left u32 (milliseconds), generation u32, stamp u64.
 *
 * Of two records of one key the later is right: the higher generation, then the higher stamp. A generation is a term
 * of the active node; a stamp is a count that each side sets beyond all that it has seen, so it says "after" between
 * two nodes without a clock. That something is gone is a record too. */
#ifndef MSG_STICK_BATCH_H
#define MSG_STICK_BATCH_H

#include "base/buf.h"

#define STICK_BATCH_HEAD 4
#define STICK_RECORD 44
#define STICK_BATCH_MOST 1400 /* records: 61,604 bytes, so that a batch fits one message */
#define STICK_STAMP_MAX (UINT64_MAX >> 1)

/* Kinds that nobody here knows are kept and passed on as they are. */
enum {
	STICK_PERSIST = 1, /* which server (value) a client (key) of a service belongs to */
	STICK_RATE =
	    2, /* how much (value) there was of what a content rule counts (key); key kind: which of its meters */
};
enum { STICK_GONE = 1 }; /* flag: it was forgotten; value 0 */
/* Key kinds of STICK_PERSIST. An IPv4 address is the first four bytes; of a cookie's value there is the keyed hash. */
enum stick_kind { STICK_ADDR4, STICK_ADDR6, STICK_COOKIE, STICK_KINDS };

struct stick_record {
	uint8_t kind, key_kind, flags;
	uint8_t key[16];
	uint32_t service, value;
	uint32_t left_ms; /* until it expires, or until nobody needs to know that it is gone */
	uint32_t generation;
	uint64_t stamp;
};

/* stick_later - whether a is right where b is known. Equal ones have the same order on every node. */
bool stick_later(const struct stick_record *a, const struct stick_record *b);

/* stick_batch_put - append; the first one after stick_batch_begin (which empties b) makes it a batch. false: full. */
void stick_batch_begin(struct buf *b);
bool stick_batch_put(struct buf *b, const struct stick_record *r);
unsigned stick_batch_count(const struct buf *b);

/* stick_batch_open - bytes from anybody: ERR_PROTO when they are no batch, or one of its records says nothing that can
 * be: then none of it counts. stick_batch_next gives one after the other; false at the end. Borrows p. */
struct stick_batch {
	struct rd rd;
	unsigned left;
};
int stick_batch_open(const void *p, size_t len, struct stick_batch *out);
bool stick_batch_next(struct stick_batch *in, struct stick_record *out);

#endif
