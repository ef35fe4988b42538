/* stick_priv.h - the inside of the persistence table, for stick.c (the workers' side) and stick_share.c (the control
 * thread's). */
#ifndef STICK_PRIV_H
#define STICK_PRIV_H

#include "stick.h"

#include <pthread.h>
#include <stdatomic.h>

#define STICK_NIL UINT32_MAX
#define STICK_RING \
	1024u /* news of a shard that wait in order; more of them are looked for in the whole shard */

struct entry {
	uint8_t key[16];
	uint32_t service; /* 0: free */
	uint32_t server;  /* 0: forgotten, which others have to be told */
	uint32_t next;	  /* in its chain, or in the list of free ones */
	uint8_t kind;
	bool news;	/* changed here since it was told */
	mono_t expires; /* in use: renewed with every hit */
	mono_t told;	/* when it expires as far as others know */
	uint64_t stamp;
	uint32_t generation;
};

struct shard {
	pthread_mutex_t lock;
	struct entry *entry;
	uint32_t *bucket; /* size of them */
	uint32_t size;	  /* entries there is room for: 0 or a power of two */
	uint32_t used;	  /* entries that hold something */
	uint32_t free;	  /* first of the list of free ones */
	uint32_t hand;
	uint32_t ring_at, ring_n;
	bool lost,
	    again; /* the ring was full: walk over the shard; and once more, for that walk has passed some */
	bool all; /* that walk tells all entries, not only news */
	uint32_t walk;
	uint32_t ring[STICK_RING];
};

struct stick {
	uint64_t seed; /* of the index; never leaves the process */
	_Atomic uint64_t cookie_seed;
	uint32_t limit;		 /* entries of one shard */
	void (*bell)(void *arg); /* NULL: nobody else has to know anything */
	void *bell_arg;
	atomic_bool rung;
	/* The control thread's own. */
	uint64_t clock; /* the highest stamp that was given or seen */
	uint32_t generation, turn;
	struct shard shard[STICK_SHARDS];
};

uint64_t stick_hash(const struct stick *s, uint32_t service, const struct stick_key *k);
struct shard *stick_lock(struct stick *s, uint64_t hash);
void stick_unlock(struct shard *sh);
uint32_t stick_find(
    const struct shard *sh, uint64_t hash, uint32_t service, const struct stick_key *k);
/* stick_insert - an empty entry, or STICK_NIL without memory. */
uint32_t stick_insert(struct stick *s, struct shard *sh, uint64_t hash, uint32_t service,
    const struct stick_key *k, mono_t now);
void stick_drop(const struct stick *s, struct shard *sh, uint32_t at);

#endif
