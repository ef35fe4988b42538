/* The persistence table and those who shall know what it knows: what is told, and what is taken.
 *
 * News are in the table: each entry says whether it changed since it was told, and each shard has a ring of the places of
 * such entries, in order. The control thread empties the rings. When a ring was full, or everything has to be told, it
 * walks over the shard instead, a piece at a time: so however much is learned while nobody listens, no more memory is
 * used, and nothing is forgotten. A place in a ring may meanwhile hold another entry; what counts is the entry's own mark.
 *
 * Stamps are given when an entry is told, by this thread alone: each is higher than all that were given or seen before. So of
 * what was learned here and what comes from outside the later is known without a clock that both share.
 *
 * How records travel is share.c; who else keeps them is lbd-ha's business. */
#include "stick_priv.h"

#include <string.h>

#include "base/must.h"

#define NIL STICK_NIL
#define WALK 1024u	     /* places that are looked at while a shard is locked */
#define PIECE 128u	     /* records that are taken while a shard is locked */
#define GONE_STAYS DUR_S(10) /* after it was told: what crossed it on its way comes to nothing */

void
stick_share(struct stick *s, void (*bell)(void *arg), void *arg)
{
	s->bell = bell;
	s->bell_arg = arg;
}

void
stick_hear(struct stick *s)
{
	atomic_store(&s->rung, false);
}

void
stick_hush(struct stick *s)
{
	atomic_store(&s->rung, true);
}

static void
drop_cookies(struct stick *s)
{
	for (unsigned i = 0; i < STICK_SHARDS; i++) {
		struct shard *sh = stick_lock(s, (uint64_t)i << 58);

		for (uint32_t at = 0; at < sh->size; at++)
			if (sh->entry[at].service != 0 && sh->entry[at].kind == STICK_COOKIE)
				stick_drop(s, sh, at);
		stick_unlock(sh);
	}
}

/* What is told from now on is later than all that was seen. */
static void
saw(struct stick *s, uint32_t generation, uint64_t stamp)
{
	if (generation > s->generation)
		s->generation = generation;
	if (stamp > s->clock)
		s->clock = stamp;
}

void
stick_agree(struct stick *s, uint64_t seed, uint32_t generation, uint64_t stamp)
{
	saw(s, generation, stamp);
	if (atomic_exchange(&s->cookie_seed, seed) != seed)
		drop_cookies(s);
}

void
stick_agreed(
    const struct stick *s, uint64_t *seed_out, uint32_t *generation_out, uint64_t *stamp_out)
{
	*seed_out = atomic_load(&s->cookie_seed);
	*generation_out = s->generation;
	*stamp_out = s->clock;
}

void
stick_stamp(struct stick *s, struct stick_record *r)
{
	r->generation = s->generation;
	r->stamp = ++s->clock;
}

static void
record_of(const struct entry *e, mono_t now, struct stick_record *out)
{
	dur_t left = e->expires - now;

	*out = (struct stick_record){
		.kind = STICK_PERSIST,
		.key_kind = e->kind,
		.flags = e->server == 0 ? STICK_GONE : 0,
		.service = e->service,
		.value = e->server,
		.left_ms = left <= 0		      ? 0
			   : left / 1000 > UINT32_MAX ? UINT32_MAX
						      : (uint32_t)(left / 1000),
		.generation = e->generation,
		.stamp = e->stamp,
	};
	memcpy(out->key, e->key, sizeof(out->key));
}

/* One entry, if there is anything to say of it. */
static bool
tell(struct stick *s, struct entry *e, bool all, mono_t now, struct stick_record *out)
{
	if (e->service == 0 || (!e->news && !all))
		return false;
	if (e->news) {
		e->stamp = ++s->clock;
		e->generation = s->generation;
	}
	e->news = false;
	record_of(e, now, out);
	e->told = e->expires;
	if (e->server == 0 && e->expires > now + GONE_STAYS)
		e->expires = now + GONE_STAYS;
	return out->left_ms > 0;
}

static unsigned
take_ring(struct stick *s, struct shard *sh, struct stick_record *out, unsigned room, mono_t now)
{
	unsigned n = 0;

	for (; n < room && sh->ring_n > 0; sh->ring_n--) {
		n += tell(s, &sh->entry[sh->ring[sh->ring_at]], false, now, &out[n]);
		sh->ring_at = (sh->ring_at + 1) % STICK_RING;
	}
	return n;
}

static unsigned
take_walk(struct stick *s, struct shard *sh, struct stick_record *out, unsigned room, mono_t now)
{
	unsigned n = 0;

	for (unsigned i = 0; i < WALK && n < room && sh->walk < sh->size; i++, sh->walk++)
		n += tell(s, &sh->entry[sh->walk], sh->all, now, &out[n]);
	if (sh->walk < sh->size)
		return n;
	sh->lost = sh->again;
	sh->again = sh->all = false;
	sh->walk = 0;
	return n;
}

unsigned
stick_drain(struct stick *s, struct stick_record *out, unsigned room, mono_t now, bool *more)
{
	unsigned n = 0;

	*more = false;
	for (unsigned i = 0; i < STICK_SHARDS; i++) {
		unsigned most = room - n < PIECE ? room - n : PIECE, got;
		struct shard *sh = stick_lock(s, (uint64_t)((s->turn + i) % STICK_SHARDS) << 58);

		got = take_ring(s, sh, out + n, most, now);
		if (sh->lost && sh->ring_n == 0)
			got += take_walk(s, sh, out + n + got, most - got, now);
		n += got;
		*more = *more || sh->ring_n > 0 || sh->lost;
		stick_unlock(sh);
		if (n == room)
			break;
	}
	*more = *more || n == room;
	s->turn = (s->turn + 1) % STICK_SHARDS; /* each shard is the first in turn */
	return n;
}

void
stick_tell_all(struct stick *s)
{
	for (unsigned i = 0; i < STICK_SHARDS; i++) {
		struct shard *sh = stick_lock(s, (uint64_t)i << 58);

		sh->lost = sh->all = true;
		sh->again = false;
		sh->walk = 0;
		stick_unlock(sh);
	}
}

/* Whether what came counts against what is here. */
static bool
counts(const struct entry *e, const struct stick_record *r, mono_t now, bool weak)
{
	struct stick_record mine;

	if (e->news)
		return weak;
	record_of(e, now, &mine);
	return stick_later(r, &mine);
}

static void
take(struct entry *e, const struct stick_record *r, mono_t now, dur_t left)
{
	if (e->server != r->value || e->expires < now + left)
		e->expires = now + left;
	e->server = r->value;
	e->told = now + left;
	e->news = false;
	e->generation = r->generation;
	e->stamp = r->stamp;
}

void
stick_merge(struct stick *s, const struct stick_record *r, mono_t now, dur_t left, bool weak)
{
	struct stick_key k = { .kind = r->key_kind };
	bool gone = (r->flags & STICK_GONE) != 0;
	struct shard *sh;
	uint64_t hash;
	uint32_t at;

	must(r->kind == STICK_PERSIST && r->service != 0 && gone == (r->value == 0));
	saw(s, r->generation, r->stamp);
	memcpy(k.b, r->key, sizeof(k.b));
	hash = stick_hash(s, r->service, &k);
	sh = stick_lock(s, hash);
	at = stick_find(sh, hash, r->service, &k);
	if (at != NIL && counts(&sh->entry[at], r, now, weak)) {
		if (gone)
			stick_drop(s, sh, at);
		else
			take(&sh->entry[at], r, now, left);
	} else if (at == NIL && !gone && left > 0) {
		at = stick_insert(s, sh, hash, r->service, &k, now);
		if (at != NIL)
			take(&sh->entry[at], r, now, left);
	}
	stick_unlock(sh);
}
