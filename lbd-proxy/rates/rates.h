/* rates.h - how often what comes from the same client, or has the same header, cookie or host: one table for a service, shared
 * by its workers. Bounded: a full one forgets what was silent longest.
 * Memory: 56 bytes a key and 4 for the index, doubled as needed: 16 MB for RATES_KEYS, kept until the table goes.
 * Threads: every function may be called by any thread; each shard has a mutex, held for one key's work. */
#ifndef LBD_PROXY_RATES_H
#define LBD_PROXY_RATES_H

#include "base/mono.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RATES_KEYS 262144 /* of one service */
#define RATES_SHARDS 64

struct rates;
/* Made by rates_key; equal keys are equal bytes. Of what was hashed nothing is kept. */
struct rates_key {
	uint64_t h[2];
};

/* rates_new - NULL: no memory. The reference is the caller's. */
struct rates *rates_new(uint32_t keys, uint64_t seed);
struct rates *rates_ref(struct rates *r); /* NULL is fine */
void rates_unref(struct rates *r);	  /* NULL is fine */

/* rates_key - meter: what tells one kind of count from another (what is counted, by what, within which time). */
void rates_key(
    const struct rates *r, uint64_t meter, const void *p, size_t n, struct rates_key *out);

/* rates_touch - n more of it now, within windows of this length; what the window has with them. A key without memory counts
 * nothing: n. */
uint64_t rates_touch(
    struct rates *r, const struct rates_key *k, mono_t now, dur_t window, uint64_t n);
/* rates_get - the same without counting; 0 for a key that is not known. */
uint64_t rates_get(struct rates *r, const struct rates_key *k, mono_t now, dur_t window);

/* rates_hold - one more that is there now (a connection); how many that are. rates_drop - one less. rates_held - how many. */
uint32_t rates_hold(struct rates *r, const struct rates_key *k);
void rates_drop(struct rates *r, const struct rates_key *k);
uint32_t rates_held(struct rates *r, const struct rates_key *k);

uint32_t rates_count(struct rates *r); /* keys that are known */

#endif
