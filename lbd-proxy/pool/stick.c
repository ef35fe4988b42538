/* Persistence entries: (service, key) to server, for all workers.
 *
 * The table is cut into shards by the key's hash; a shard is a mutex, an array of entries that doubles up to its share
 * of the capacity, and a hash index of chains through that array. A hand walks over the entries: every store frees what
 * has expired in the next few places, so the table cleans itself at the pace it is used, and when the shard is
 * full the entry among the next few that would expire soonest gives way.
 *
 * Nothing here knows whether a server still exists: the caller looks the id up in its snapshot, and stores anew when it
 * is gone. */
#include "stick.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "hash.h"

#define NIL UINT32_MAX
#define FIRST_ENTRIES 16u
#define SWEEP 4u       /* places looked at in each store */
#define SWEEP_FULL 16u /* the same when an entry must go */

struct entry {
	uint8_t key[16];
	uint32_t service; /* 0: free */
	uint32_t server;
	uint32_t next; /* in its chain, or in the list of free ones */
	uint32_t kind;
	mono_t expires;
};

struct shard {
	pthread_mutex_t lock;
	struct entry *entry;
	uint32_t *bucket; /* size of them */
	uint32_t size;	  /* entries there is room for: 0 or a power of two */
	uint32_t used;	  /* entries that hold something */
	uint32_t free;	  /* first of the list of free ones */
	uint32_t hand;
};

struct stick {
	uint64_t seed;
	uint32_t limit; /* entries of one shard */
	struct shard shard[STICK_SHARDS];
};

struct stick *
stick_new(uint32_t capacity, uint64_t seed)
{
	struct stick *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->seed = seed;
	s->limit = capacity > STICK_SHARDS ? capacity / STICK_SHARDS : 1;
	for (unsigned i = 0; i < STICK_SHARDS; i++) {
		s->shard[i].free = NIL;
		must(pthread_mutex_init(&s->shard[i].lock, NULL) == 0);
	}
	return s;
}

void
stick_free(struct stick *s)
{
	if (s == NULL)
		return;
	for (unsigned i = 0; i < STICK_SHARDS; i++) {
		free(s->shard[i].entry);
		free(s->shard[i].bucket);
		pthread_mutex_destroy(&s->shard[i].lock);
	}
	free(s);
}

void
stick_key_addr(const struct addr *a, struct stick_key *out)
{
	*out = (struct stick_key){ .kind = a->family == 4 ? STICK_ADDR4 : STICK_ADDR6 };
	memcpy(out->b, a->b, a->family == 4 ? 4 : 16);
}

void
stick_key_cookie(const struct stick *s, const char *value, size_t len, struct stick_key *out)
{
	out->kind = STICK_COOKIE;
	hash128(value, len, s->seed, out->b);
}

static uint64_t
hash_of(const struct stick *s, uint32_t service, const struct stick_key *k)
{
	return hash64(k->b, sizeof(k->b), s->seed ^ ((uint64_t)service << 32 | k->kind));
}

static struct shard *
shard_lock(struct stick *s, uint64_t hash)
{
	struct shard *sh = &s->shard[hash >> 58];

	_Static_assert(STICK_SHARDS == 1 << (64 - 58), "the shard is the top of the hash");
	must(pthread_mutex_lock(&sh->lock) == 0);
	return sh;
}

static void
shard_unlock(struct shard *sh)
{
	must(pthread_mutex_unlock(&sh->lock) == 0);
}

static bool
same(const struct entry *e, uint32_t service, const struct stick_key *k)
{
	return e->service == service && e->kind == k->kind &&
	       memcmp(e->key, k->b, sizeof(e->key)) == 0;
}

static uint32_t
find(const struct shard *sh, uint64_t hash, uint32_t service, const struct stick_key *k)
{
	uint32_t at;

	if (sh->size == 0)
		return NIL;
	for (at = sh->bucket[hash & (sh->size - 1)]; at != NIL; at = sh->entry[at].next)
		if (same(&sh->entry[at], service, k))
			return at;
	return NIL;
}

static uint64_t
entry_hash(const struct stick *s, const struct entry *e)
{
	struct stick_key k = { .kind = (uint8_t)e->kind };

	memcpy(k.b, e->key, sizeof(k.b));
	return hash_of(s, e->service, &k);
}

static void
drop(const struct stick *s, struct shard *sh, uint32_t at)
{
	uint32_t *link = &sh->bucket[entry_hash(s, &sh->entry[at]) & (sh->size - 1)];

	while (*link != at)
		link = &sh->entry[*link].next;
	*link = sh->entry[at].next;
	sh->entry[at].service = 0;
	sh->entry[at].next = sh->free;
	sh->free = at;
	sh->used--;
}

/* Double the shard; false at its limit or without memory. */
static bool
grow(const struct stick *s, struct shard *sh)
{
	uint32_t size = sh->size > 0 ? 2 * sh->size : FIRST_ENTRIES;

	if (sh->size >= s->limit)
		return false;
	uint32_t *bucket = malloc(size * sizeof(*bucket));
	struct entry *entry = bucket != NULL ? realloc(sh->entry, size * sizeof(*entry)) : NULL;
	if (entry == NULL) {
		free(bucket);
		return false;
	}
	free(sh->bucket);
	sh->bucket = bucket;
	sh->entry = entry;
	memset(bucket, 0xff, size * sizeof(*bucket));
	for (uint32_t i = 0; i < sh->size; i++) {
		uint32_t *head = &bucket[entry_hash(s, &entry[i]) & (size - 1)];
		entry[i].next = *head;
		*head = i;
	}
	for (uint32_t i = size; i-- > sh->size;) {
		entry[i].service = 0;
		entry[i].next = sh->free;
		sh->free = i;
	}
	sh->size = size;
	return true;
}

/* Look at the next n places: free what has expired; the live one that expires soonest, or NIL. */
static uint32_t
sweep(const struct stick *s, struct shard *sh, uint32_t n, mono_t now)
{
	uint32_t soonest = NIL;

	for (; n > 0 && sh->size > 0; n--) {
		uint32_t at = sh->hand++ & (sh->size - 1);
		const struct entry *e = &sh->entry[at];
		if (e->service == 0)
			continue;
		if (e->expires <= now)
			drop(s, sh, at);
		else if (soonest == NIL || e->expires < sh->entry[soonest].expires)
			soonest = at;
	}
	return soonest;
}

/* A place for a new entry, or NIL without any memory at all. */
static uint32_t
place(const struct stick *s, struct shard *sh, mono_t now)
{
	uint32_t at;

	sweep(s, sh, SWEEP, now);
	if ((sh->free == NIL && !grow(s, sh)) || sh->used >= s->limit) {
		uint32_t soonest = sweep(s, sh, SWEEP_FULL, now);
		while (soonest == NIL && sh->used >= s->limit)
			soonest = sweep(s, sh, SWEEP_FULL, now);
		if ((sh->free == NIL || sh->used >= s->limit) && soonest != NIL)
			drop(s, sh, soonest);
	}
	at = sh->free;
	if (at != NIL) {
		sh->free = sh->entry[at].next;
		sh->used++;
	}
	return at;
}

uint32_t
stick_lookup(struct stick *s, uint32_t service, const struct stick_key *k, mono_t now, dur_t keep)
{
	uint64_t hash = hash_of(s, service, k);
	struct shard *sh = shard_lock(s, hash);
	uint32_t at = find(sh, hash, service, k), server = 0;

	if (at != NIL && sh->entry[at].expires > now) {
		server = sh->entry[at].server;
		sh->entry[at].expires = now + keep;
	}
	shard_unlock(sh);
	return server;
}

void
stick_store(struct stick *s, uint32_t service, const struct stick_key *k, uint32_t server,
    mono_t now, dur_t keep)
{
	uint64_t hash = hash_of(s, service, k);
	struct shard *sh = shard_lock(s, hash);
	uint32_t at = find(sh, hash, service, k);

	must(service != 0 && server != 0);
	if (at == NIL && (at = place(s, sh, now)) != NIL) {
		uint32_t *head = &sh->bucket[hash & (sh->size - 1)];
		sh->entry[at] =
		    (struct entry){ .service = service, .kind = k->kind, .next = *head };
		memcpy(sh->entry[at].key, k->b, sizeof(k->b));
		*head = at;
	}
	if (at != NIL) {
		sh->entry[at].server = server;
		sh->entry[at].expires = now + keep;
	}
	shard_unlock(sh);
}

uint32_t
stick_clear(struct stick *s, uint32_t service, uint32_t server, const struct stick_key *k)
{
	uint32_t n = 0;

	for (unsigned i = 0; i < STICK_SHARDS; i++) {
		struct shard *sh = shard_lock(s, (uint64_t)i << 58);
		for (uint32_t at = 0; at < sh->size; at++) {
			const struct entry *e = &sh->entry[at];
			if (e->service == 0 || (service != 0 && e->service != service) ||
			    (server != 0 && e->server != server) ||
			    (k != NULL && !same(e, e->service, k)))
				continue;
			drop(s, sh, at);
			n++;
		}
		shard_unlock(sh);
	}
	return n;
}

/* The live entries of a shard, copied: *n_out of them, caller frees; NULL when there are none or no memory. */
static struct stick_entry *
copy_shard(struct stick *s, unsigned i, uint32_t service, mono_t now, uint32_t *n_out)
{
	struct shard *sh = shard_lock(s, (uint64_t)i << 58);
	struct stick_entry *out = sh->used > 0 ? malloc(sh->used * sizeof(*out)) : NULL;
	uint32_t n = 0;

	for (uint32_t at = 0; out != NULL && at < sh->size; at++) {
		const struct entry *e = &sh->entry[at];
		if (e->service == 0 || (service != 0 && e->service != service) || e->expires <= now)
			continue;
		out[n] = (struct stick_entry){ .key.kind = (uint8_t)e->kind,
			.service = e->service,
			.server = e->server,
			.left = e->expires - now };
		memcpy(out[n++].key.b, e->key, sizeof(e->key));
	}
	shard_unlock(sh);
	*n_out = n;
	return out;
}

uint32_t
stick_each(struct stick *s, uint32_t service, mono_t now, stick_fn fn, void *arg)
{
	uint32_t shown = 0;
	bool go = true;

	for (unsigned i = 0; go && i < STICK_SHARDS; i++) {
		uint32_t n;
		struct stick_entry *list = copy_shard(s, i, service, now, &n);
		for (uint32_t k = 0; go && k < n; k++, shown++)
			go = fn(arg, &list[k]);
		free(list);
	}
	return shown;
}

uint32_t
stick_count(struct stick *s)
{
	uint32_t n = 0;

	for (unsigned i = 0; i < STICK_SHARDS; i++) {
		struct shard *sh = shard_lock(s, (uint64_t)i << 58);
		n += sh->used;
		shard_unlock(sh);
	}
	return n;
}
