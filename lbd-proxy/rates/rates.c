/* Counts by key, for all workers of a service.
 *
 * The table is cut into shards by the key; a shard is a mutex, an array of entries that doubles up to its share of the bound, and
 * a hash index of chains through that array. The entries of a shard stand in a ring in the order in which they were used last: a
 * full shard takes the place of the one that was silent longest, and passes over a few that hold connections. Keys are hashes
 * with a seed of this process, so nobody can aim at one shard or bucket. */
#include "rates.h"

#include "base/must.h"
#include "hash.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define NIL UINT32_MAX
#define FIRST_ENTRIES 16u
#define PASS_OVER 8 /* entries that hold something, when a place is looked for */
#define SLICE 64    /* entries that are copied at a time */

struct entry {
	struct rates_key key;
	struct rate_window w;
	uint32_t held;
	uint32_t chain;	       /* next in the bucket */
	uint32_t newer, older; /* ring of use */
};
_Static_assert(sizeof(struct entry) == 56, "what the header promises");
_Static_assert(sizeof(struct rates_face) == 48, "what the header promises");
struct shard {
	pthread_mutex_t lock;
	struct entry *entry;
	struct rates_face
	    *face;	  /* of each entry; apart from it, since counting does not look at them */
	uint32_t *bucket; /* size of them */
	uint32_t size;	  /* entries there is room for: 0 or a power of two */
	uint32_t used;
	uint32_t newest, oldest;
	bool over; /* some key may have reached its limit */
} __attribute__((aligned(64)));
struct rates {
	atomic_uint refs;
	_Atomic uint64_t seed;
	uint32_t limit; /* entries of one shard */
	struct shard shard[RATES_SHARDS];
};

struct rates *
rates_new(uint32_t keys, uint64_t seed)
{
	struct rates *r = aligned_alloc(64, (sizeof(*r) + 63) & ~(size_t)63);

	if (r == NULL)
		return NULL;
	memset(r, 0, sizeof(*r));
	atomic_init(&r->refs, 1);
	atomic_init(&r->seed, seed);
	r->limit = keys > RATES_SHARDS ? keys / RATES_SHARDS : 1;
	for (unsigned i = 0; i < RATES_SHARDS; i++) {
		r->shard[i].newest = r->shard[i].oldest = NIL;
		must(pthread_mutex_init(&r->shard[i].lock, NULL) == 0);
	}
	return r;
}

struct rates *
rates_ref(struct rates *r)
{
	if (r != NULL)
		atomic_fetch_add_explicit(&r->refs, 1, memory_order_relaxed);
	return r;
}

void
rates_unref(struct rates *r)
{
	if (r == NULL || atomic_fetch_sub_explicit(&r->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (unsigned i = 0; i < RATES_SHARDS; i++) {
		free(r->shard[i].entry);
		free(r->shard[i].face);
		free(r->shard[i].bucket);
		pthread_mutex_destroy(&r->shard[i].lock);
	}
	free(r);
}

void
rates_key(const struct rates *r, uint64_t meter, const void *p, size_t n, struct rates_key *out)
{
	uint8_t h[16];

	uint64_t seed = atomic_load_explicit(&r->seed, memory_order_relaxed);

	hash128(p, n, seed ^ meter * UINT64_C(0x9e3779b97f4a7c15), h);
	memcpy(out->h, h, sizeof(out->h));
}

/* ---- a shard ------------------------------------------------------------------------------------------------------- */

static struct shard *
lock(struct rates *r, const struct rates_key *k)
{
	struct shard *sh = &r->shard[k->h[0] % RATES_SHARDS];

	must(pthread_mutex_lock(&sh->lock) == 0);
	return sh;
}

static void
unlock(struct shard *sh)
{
	must(pthread_mutex_unlock(&sh->lock) == 0);
}

static uint32_t *
bucket_of(const struct shard *sh, const struct rates_key *k)
{
	return &sh->bucket[k->h[1] & (sh->size - 1)];
}

static uint32_t
find(const struct shard *sh, const struct rates_key *k)
{
	uint32_t at;

	if (sh->size == 0)
		return NIL;
	for (at = *bucket_of(sh, k); at != NIL; at = sh->entry[at].chain)
		if (sh->entry[at].key.h[0] == k->h[0] && sh->entry[at].key.h[1] == k->h[1])
			return at;
	return NIL;
}

static void
ring_out(struct shard *sh, uint32_t at)
{
	const struct entry *e = &sh->entry[at];

	*(e->newer != NIL ? &sh->entry[e->newer].older : &sh->newest) = e->older;
	*(e->older != NIL ? &sh->entry[e->older].newer : &sh->oldest) = e->newer;
}

static void
ring_in(struct shard *sh, uint32_t at)
{
	struct entry *e = &sh->entry[at];

	e->newer = NIL;
	e->older = sh->newest;
	*(sh->newest != NIL ? &sh->entry[sh->newest].newer : &sh->oldest) = at;
	sh->newest = at;
}

static void
chain_out(struct shard *sh, uint32_t at)
{
	uint32_t *link = bucket_of(sh, &sh->entry[at].key);

	while (*link != at)
		link = &sh->entry[*link].chain;
	*link = sh->entry[at].chain;
}

static void
chain_in(struct shard *sh, uint32_t at)
{
	uint32_t *head = bucket_of(sh, &sh->entry[at].key);

	sh->entry[at].chain = *head;
	*head = at;
}

/* Double the shard; false at its limit or without memory. */
static bool
grow(const struct rates *r, struct shard *sh)
{
	uint32_t size = sh->size > 0 ? 2 * sh->size : FIRST_ENTRIES, *bucket;
	struct rates_face *face;
	struct entry *entry;

	if (sh->size >= r->limit)
		return false;
	bucket = malloc(size * sizeof(*bucket));
	face = bucket != NULL ? realloc(sh->face, size * sizeof(*face)) : NULL;
	if (face != NULL)
		sh->face = face;
	entry = face != NULL ? realloc(sh->entry, size * sizeof(*entry)) : NULL;
	if (entry == NULL) {
		free(bucket);
		return false;
	}
	free(sh->bucket);
	sh->bucket = bucket;
	sh->entry = entry;
	sh->size = size;
	memset(bucket, 0xff, size * sizeof(*bucket));
	for (uint32_t i = 0; i < sh->used; i++)
		chain_in(sh, i);
	return true;
}

/* The entry that gives way: the one that was silent longest, but rather not one that holds something. */
static uint32_t
victim(const struct shard *sh)
{
	uint32_t at = sh->oldest;

	for (unsigned i = 0; i < PASS_OVER && at != NIL; i++, at = sh->entry[at].newer)
		if (sh->entry[at].held == 0)
			return at;
	return sh->oldest;
}

static void
face_set(struct rates_face *f, const struct rates_seen *seen, mono_t now)
{
	uint32_t n;

	*f = (struct rates_face){ .since_s = (uint32_t)(now / DUR_S(1)) };
	if (seen == NULL)
		return;
	f->meter = seen->meter;
	f->kind = seen->kind;
	if (seen->kind == RATES_TEXT) {
		n = seen->n < RATES_SHOWN ? seen->n : RATES_SHOWN;
		f->n = (uint8_t)(seen->n > RATES_SHOWN ? RATES_SHOWN + 1 : seen->n);
		memcpy(f->text, seen->p, n);
	} else if (seen->kind != RATES_HIDDEN) {
		n = seen->n / 8;
		f->n = (uint8_t)seen->n;
		memcpy(f->text, seen->p, n);
		if (seen->n % 8 != 0)
			f->text[n] =
			    (char)(((const uint8_t *)seen->p)[n] & 0xff << (8 - seen->n % 8));
	}
}

/* The entry of the key, made when it is not there, and now the newest; NIL without any memory. */
static uint32_t
use(const struct rates *r, struct shard *sh, const struct rates_key *k,
    const struct rates_seen *seen, mono_t now)
{
	uint32_t at = find(sh, k);

	if (at != NIL) {
		if (sh->newest != at) {
			ring_out(sh, at);
			ring_in(sh, at);
		}
		return at;
	}
	if (sh->used < r->limit && (sh->used < sh->size || grow(r, sh))) {
		at = sh->used++;
	} else {
		at = victim(sh);
		if (at == NIL)
			return NIL;
		chain_out(sh, at);
		ring_out(sh, at);
	}
	sh->entry[at] = (struct entry){ .key = *k };
	face_set(&sh->face[at], seen, now);
	chain_in(sh, at);
	ring_in(sh, at);
	return at;
}

/* ---- counting ------------------------------------------------------------------------------------------------------ */

uint64_t
rates_touch(struct rates *r, const struct rates_key *k, const struct rates_seen *seen, mono_t now,
    dur_t window, uint64_t n)
{
	struct shard *sh = lock(r, k);
	uint32_t at = use(r, sh, k, seen, now);

	if (at != NIL) {
		rate_window_add(&sh->entry[at].w, now, window, n);
		n = rate_window_get(&sh->entry[at].w, now, window);
		if (seen != NULL && seen->limit != 0 && n >= seen->limit)
			sh->over = sh->face[at].over = true;
	}
	unlock(sh);
	return n;
}

uint64_t
rates_get(struct rates *r, const struct rates_key *k, mono_t now, dur_t window)
{
	struct shard *sh = lock(r, k);
	uint32_t at = find(sh, k);
	uint64_t n = at != NIL ? rate_window_get(&sh->entry[at].w, now, window) : 0;

	unlock(sh);
	return n;
}

uint32_t
rates_hold(struct rates *r, const struct rates_key *k, const struct rates_seen *seen, mono_t now)
{
	struct shard *sh = lock(r, k);
	uint32_t at = use(r, sh, k, seen, now), n = 1;

	if (at != NIL)
		n = ++sh->entry[at].held;
	unlock(sh);
	return n;
}

void
rates_drop(struct rates *r, const struct rates_key *k)
{
	struct shard *sh = lock(r, k);
	uint32_t at = find(sh, k);

	/* One that gave way began anew: it may hold less than was taken. */
	if (at != NIL && sh->entry[at].held > 0)
		sh->entry[at].held--;
	unlock(sh);
}

uint32_t
rates_held(struct rates *r, const struct rates_key *k)
{
	struct shard *sh = lock(r, k);
	uint32_t at = find(sh, k), n = at != NIL ? sh->entry[at].held : 0;

	unlock(sh);
	return n;
}

uint32_t
rates_count(struct rates *r)
{
	uint32_t n = 0;

	for (unsigned i = 0; i < RATES_SHARDS; i++) {
		must(pthread_mutex_lock(&r->shard[i].lock) == 0);
		n += r->shard[i].used;
		unlock(&r->shard[i]);
	}
	return n;
}

/* ---- lists --------------------------------------------------------------------------------------------------------- */

/* Up to SLICE entries from the at-th on; how many places were looked at, 0 at the end. */
static uint32_t
copy_slice(struct shard *sh, uint32_t at, struct rates_item *out, unsigned *n_out)
{
	uint32_t i;

	*n_out = 0;
	must(pthread_mutex_lock(&sh->lock) == 0);
	for (i = 0; i < SLICE && at + i < sh->used; i++) {
		const struct entry *e = &sh->entry[at + i];

		if (sh->face[at + i].meter != 0)
			out[(*n_out)++] =
			    (struct rates_item){ e->key, sh->face[at + i], e->w, e->held };
	}
	unlock(sh);
	return i;
}

void
rates_each(struct rates *r, void (*fn)(void *arg, const struct rates_item *item), void *arg)
{
	struct rates_item item[SLICE];

	for (unsigned i = 0; i < RATES_SHARDS; i++) {
		uint32_t at = 0, seen;
		unsigned n;

		do {
			seen = copy_slice(&r->shard[i], at, item, &n);
			for (unsigned x = 0; x < n; x++)
				fn(arg, &item[x]);
			at += seen;
		} while (seen > 0);
	}
}

/* The last one takes its place, so that entries stand without gaps. */
static void
take_out(struct shard *sh, uint32_t at)
{
	uint32_t last = sh->used - 1;
	struct entry *e = &sh->entry[at];

	chain_out(sh, at);
	ring_out(sh, at);
	if (at != last) {
		chain_out(sh, last);
		*e = sh->entry[last];
		sh->face[at] = sh->face[last];
		*(e->newer != NIL ? &sh->entry[e->newer].older : &sh->newest) = at;
		*(e->older != NIL ? &sh->entry[e->older].newer : &sh->oldest) = at;
		chain_in(sh, at);
	}
	sh->used--;
}

bool
rates_forget(struct rates *r, const struct rates_key *k)
{
	struct shard *sh = lock(r, k);
	uint32_t at = find(sh, k);

	if (at != NIL && sh->entry[at].held > 0)
		sh->entry[at].w = (struct rate_window){ 0 };
	else if (at != NIL)
		take_out(sh, at);
	unlock(sh);
	return at != NIL;
}

/* ---- what others shall know ------------------------------------------------------------------------------------------ */

static unsigned
tell_shard(struct shard *sh, struct rates_item *out, unsigned room, uint32_t now_s)
{
	unsigned n = 0;
	bool left = false;

	for (uint32_t at = 0; sh->over && at < sh->used; at++) {
		struct rates_face *f = &sh->face[at];

		if (!f->over)
			continue;
		if (n == room || (f->told_s != 0 && now_s - f->told_s < RATES_AGAIN)) {
			left = true;
			continue;
		}
		f->over = false;
		f->told_s = now_s;
		out[n++] = (struct rates_item){ sh->entry[at].key, *f, sh->entry[at].w,
			sh->entry[at].held };
	}
	sh->over = left;
	return n;
}

unsigned
rates_tell(struct rates *r, struct rates_item *out, unsigned room, mono_t now)
{
	unsigned n = 0;

	for (unsigned i = 0; i < RATES_SHARDS && n < room; i++) {
		struct shard *sh = &r->shard[i];

		must(pthread_mutex_lock(&sh->lock) == 0);
		n += tell_shard(sh, out + n, room - n, (uint32_t)(now / DUR_S(1)));
		unlock(sh);
	}
	return n;
}

void
rates_take(struct rates *r, const struct rates_key *k, const struct rates_seen *seen, mono_t now,
    dur_t window, mono_t begin, uint64_t value)
{
	struct shard *sh = lock(r, k);
	uint32_t at = use(r, sh, k, seen, now);
	uint64_t n = at != NIL ? rate_window_get(&sh->entry[at].w, now, window) : value;

	if (at != NIL && n == 0 && begin > 0)
		sh->entry[at].w = (struct rate_window){ .begin = begin, .now = value };
	else if (n < value)
		rate_window_add(&sh->entry[at].w, now, window, value - n);
	if (at != NIL)
		sh->face[at].told_s = (uint32_t)(now / DUR_S(1));
	unlock(sh);
}

void
rates_reseed(struct rates *r, uint64_t seed)
{
	atomic_store_explicit(&r->seed, seed, memory_order_relaxed);
}
