/* rates.h - how often what comes from the same client, or has the same header, cookie or host: one table for a service, shared
 * by its workers. Bounded: a full one forgets what was silent longest.
 * Memory: 56 bytes a key, 48 for what is shown of it and 4 for the index, doubled as needed: 28 MB for RATES_KEYS, kept until the
 * table goes.
 * Threads: every function may be called by any thread; each shard has a mutex, held for one key's work, or a few hundred keys'
 * when they are listed. */
#ifndef LBD_PROXY_RATES_H
#define LBD_PROXY_RATES_H

#include "rate_window.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RATES_KEYS 262144 /* of one service */
#define RATES_SHARDS 64

struct rates;
/* Made by rates_key; equal keys are equal bytes. */
struct rates_key {
	uint64_t h[2];
};
/* What a list shall show of a key that is new. HIDDEN: nothing but the hash, for what may be a secret. */
enum rates_kind { RATES_HIDDEN, RATES_ADDR4, RATES_ADDR6, RATES_TEXT };
struct rates_seen {
	uint64_t meter; /* as of rates_key */
	const void *p;	/* borrowed for the call; NULL with HIDDEN */
	uint32_t n;	/* bytes; of an address: bits, those behind are taken as 0 */
	uint8_t kind;	/* enum rates_kind */
	uint64_t limit; /* from this on rates_tell tells of it; 0: never */
};
#define RATES_SHOWN 29 /* bytes that are kept of a text */
struct rates_face {
	uint64_t meter;
	uint32_t since_s; /* monotonic clock: when it was new */
	uint32_t told_s;  /* when rates_tell told of it; 0 never */
	uint8_t kind, n;  /* n above RATES_SHOWN: it was longer */
	bool over;	  /* reached its limit since then */
	char text[RATES_SHOWN];
};

/* rates_new - NULL: no memory. The reference is the caller's. */
struct rates *rates_new(uint32_t keys, uint64_t seed);
struct rates *rates_ref(struct rates *r); /* NULL is fine */
void rates_unref(struct rates *r);	  /* NULL is fine */

/* rates_key - meter: what tells one kind of count from another (what is counted, by what, within which time). */
void rates_key(
    const struct rates *r, uint64_t meter, const void *p, size_t n, struct rates_key *out);

/* rates_touch - n more of it now, within windows of this length; what the window has with them. A key without memory counts
 * nothing: n. seen: NULL for a key that no list shows. */
uint64_t rates_touch(struct rates *r, const struct rates_key *k, const struct rates_seen *seen,
    mono_t now, dur_t window, uint64_t n);
/* rates_get - the same without counting; 0 for a key that is not known. */
uint64_t rates_get(struct rates *r, const struct rates_key *k, mono_t now, dur_t window);

/* rates_hold - one more that is there now (a connection); how many that are. rates_drop - one less. rates_held - how many. */
uint32_t rates_hold(
    struct rates *r, const struct rates_key *k, const struct rates_seen *seen, mono_t now);
void rates_drop(struct rates *r, const struct rates_key *k);
uint32_t rates_held(struct rates *r, const struct rates_key *k);

uint32_t rates_count(struct rates *r); /* keys that are known */

struct rates_item {
	struct rates_key key;
	struct rates_face face;
	struct rate_window window;
	uint32_t held;
};
/* rates_each - every key that has a face, some at a time: others count meanwhile, and what is new or goes may be seen or not, or
 * seen twice. fn is called without a lock. */
void rates_each(struct rates *r, void (*fn)(void *arg, const struct rates_item *item), void *arg);
/* rates_tell - keys that reached their limit, each at most every RATES_AGAIN seconds: for those who shall know. Returns how many; some
 * may wait for the next call. rates_take - what another knows of a key: it counts value at least, within a window that began at
 * begin. rates_reseed - keys are made with another seed from now on, and those of before give way in time. */
#define RATES_AGAIN 5
unsigned rates_tell(struct rates *r, struct rates_item *out, unsigned room, mono_t now);
void rates_take(struct rates *r, const struct rates_key *k, const struct rates_seen *seen,
    mono_t now, dur_t window, mono_t begin, uint64_t value);
void rates_reseed(struct rates *r, uint64_t seed);
/* rates_forget - the key begins anew; false: it was not known. What is held by it stays so. */
bool rates_forget(struct rates *r, const struct rates_key *k);

#endif
