/* Persistence entries: (service, key) to server, for all workers.
 *
 * The table is cut into shards by the key's hash; a shard is a mutex, an array of entries that doubles up to its share
 * of the capacity, and a hash index of chains through that array. A hand walks over the entries: every store frees what
 * has expired in the next few places, so the table cleans itself at the pace it is used, and when the shard is
 * full the entry among the next few that would expire soonest gives way.
 *
 * What others have to be told is marked in the entry and put in the shard's ring, while its mutex is held anyway; one
 * that is forgotten stays, without a server, until that was told. stick_share.c does the telling.
 *
 * Nothing here knows whether a server still exists: the caller looks the id up in its snapshot, and stores anew when it
 * is gone. */
#include "stick_priv.h"

#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "hash.h"

#define NIL STICK_NIL
#define FIRST_ENTRIES 16u
#define SWEEP 4u       /* places looked at in each store */
#define SWEEP_FULL 16u /* the same when an entry must go */

_Static_assert(sizeof(struct entry) == 64, "what the header promises");

struct stick *
stick_new(uint32_t capacity, uint64_t seed)
{
	struct stick *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->seed = seed;
	atomic_init(&s->cookie_seed, seed);
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
	hash128(value, len, atomic_load_explicit(&s->cookie_seed, memory_order_relaxed), out->b);
}

uint64_t
stick_secret(const struct stick *s)
{
	return atomic_load_explicit(&s->cookie_seed, memory_order_relaxed);
}

uint64_t
stick_hash(const struct stick *s, uint32_t service, const struct stick_key *k)
{
	return hash64(k->b, sizeof(k->b), s->seed ^ ((uint64_t)service << 32 | k->kind));
}

struct shard *
stick_lock(struct stick *s, uint64_t hash)
{
	struct shard *sh = &s->shard[hash >> 58];

	_Static_assert(STICK_SHARDS == 1 << (64 - 58), "the shard is the top of the hash");
	must(pthread_mutex_lock(&sh->lock) == 0);
	return sh;
}

void
stick_unlock(struct shard *sh)
{
	must(pthread_mutex_unlock(&sh->lock) == 0);
}

static bool
same(const struct entry *e, uint32_t service, const struct stick_key *k)
{
	return e->service == service && e->kind == k->kind &&
	       memcmp(e->key, k->b, sizeof(e->key)) == 0;
}

uint32_t
stick_find(const struct shard *sh, uint64_t hash, uint32_t service, const struct stick_key *k)
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
	struct stick_key k = { .kind = e->kind };

	memcpy(k.b, e->key, sizeof(k.b));
	return stick_hash(s, e->service, &k);
}

void
stick_drop(const struct stick *s, struct shard *sh, uint32_t at)
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
			stick_drop(s, sh, at);
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
			stick_drop(s, sh, soonest);
	}
	at = sh->free;
	if (at != NIL) {
		sh->free = sh->entry[at].next;
		sh->used++;
	}
	return at;
}

uint32_t
stick_insert(struct stick *s, struct shard *sh, uint64_t hash, uint32_t service,
    const struct stick_key *k, mono_t now)
{
	uint32_t at = place(s, sh, now), *head;

	if (at == NIL)
		return NIL;
	head = &sh->bucket[hash & (sh->size - 1)];
	sh->entry[at] = (struct entry){ .service = service, .kind = k->kind, .next = *head };
	memcpy(sh->entry[at].key, k->b, sizeof(k->b));
	*head = at;
	return at;
}

/* Others have to know of this one. true: the bell, once the shard is unlocked. */
static bool
note(const struct stick *s, struct shard *sh, uint32_t at)
{
	if (s->bell == NULL || sh->entry[at].news)
		return false;
	sh->entry[at].news = true;
	if (sh->ring_n < STICK_RING) {
		sh->ring[(sh->ring_at + sh->ring_n++) % STICK_RING] = at;
	} else if (sh->lost) {
		sh->again = true;
	} else {
		sh->lost = true;
		sh->walk = 0;
	}
	return true;
}

static void
ring_bell(struct stick *s)
{
	if (!atomic_load_explicit(&s->rung, memory_order_relaxed) &&
	    !atomic_exchange(&s->rung, true))
		s->bell(s->bell_arg);
}

/* It lives keep longer from now on; others are told before they would think it near its end. */
static bool
renew(const struct stick *s, struct shard *sh, uint32_t at, mono_t now, dur_t keep)
{
	struct entry *e = &sh->entry[at];

	e->expires = now + keep;
	return e->told - now < keep - keep / 4 && note(s, sh, at);
}

uint32_t
stick_lookup(struct stick *s, uint32_t service, const struct stick_key *k, mono_t now, dur_t keep)
{
	uint64_t hash = stick_hash(s, service, k);
	struct shard *sh = stick_lock(s, hash);
	uint32_t at = stick_find(sh, hash, service, k), server = 0;
	bool news = false;

	if (at != NIL && sh->entry[at].expires > now) {
		server = sh->entry[at].server;
		if (server != 0)
			news = renew(s, sh, at, now, keep);
	}
	stick_unlock(sh);
	if (news)
		ring_bell(s);
	return server;
}

void
stick_store(struct stick *s, uint32_t service, const struct stick_key *k, uint32_t server,
    mono_t now, dur_t keep)
{
	uint64_t hash = stick_hash(s, service, k);
	struct shard *sh = stick_lock(s, hash);
	uint32_t at = stick_find(sh, hash, service, k);
	bool news = false;

	must(service != 0 && server != 0);
	if (at == NIL)
		at = stick_insert(s, sh, hash, service, k, now);
	if (at != NIL) {
		if (sh->entry[at].server != server)
			sh->entry[at].told = 0;
		sh->entry[at].server = server;
		news = renew(s, sh, at, now, keep);
	}
	stick_unlock(sh);
	if (news)
		ring_bell(s);
}

/* Without others it is gone at once. */
static bool
forget(const struct stick *s, struct shard *sh, uint32_t at)
{
	if (s->bell == NULL) {
		stick_drop(s, sh, at);
		return false;
	}
	sh->entry[at].server = 0;
	return note(s, sh, at);
}

uint32_t
stick_clear(struct stick *s, uint32_t service, uint32_t server, const struct stick_key *k)
{
	uint32_t n = 0;
	bool news = false;

	for (unsigned i = 0; i < STICK_SHARDS; i++) {
		struct shard *sh = stick_lock(s, (uint64_t)i << 58);
		for (uint32_t at = 0; at < sh->size; at++) {
			const struct entry *e = &sh->entry[at];
			if (e->service == 0 || e->server == 0 ||
			    (service != 0 && e->service != service) ||
			    (server != 0 && e->server != server) ||
			    (k != NULL && !same(e, e->service, k)))
				continue;
			news = forget(s, sh, at) || news;
			n++;
		}
		stick_unlock(sh);
	}
	if (news)
		ring_bell(s);
	return n;
}

/* The live entries of a shard but the first *skip, which is counted down, copied: *n_out of them, caller frees; NULL when there
 * are none or no memory. */
static struct stick_entry *
copy_shard(
    struct stick *s, unsigned i, uint32_t service, uint32_t *skip, mono_t now, uint32_t *n_out)
{
	struct shard *sh = stick_lock(s, (uint64_t)i << 58);
	struct stick_entry *out = sh->used > 0 ? malloc(sh->used * sizeof(*out)) : NULL;
	uint32_t n = 0;

	for (uint32_t at = 0; out != NULL && at < sh->size; at++) {
		const struct entry *e = &sh->entry[at];
		if (e->service == 0 || e->server == 0 || (service != 0 && e->service != service) ||
		    e->expires <= now)
			continue;
		if (*skip > 0) {
			--*skip;
			continue;
		}
		out[n] = (struct stick_entry){ .key.kind = e->kind,
			.service = e->service,
			.server = e->server,
			.left = e->expires - now };
		memcpy(out[n++].key.b, e->key, sizeof(e->key));
	}
	stick_unlock(sh);
	*n_out = n;
	return out;
}

uint32_t
stick_each(struct stick *s, uint32_t service, uint32_t skip, mono_t now, stick_fn fn, void *arg)
{
	uint32_t shown = 0;
	bool go = true;

	for (unsigned i = 0; go && i < STICK_SHARDS; i++) {
		uint32_t n;
		struct stick_entry *list = copy_shard(s, i, service, &skip, now, &n);
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
		struct shard *sh = stick_lock(s, (uint64_t)i << 58);
		n += sh->used;
		stick_unlock(sh);
	}
	return n;
}
