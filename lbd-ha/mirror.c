/* The mirror of the persistence table.
 *
 * One array of entries, an index of chains through it by a keyed hash, and one list through all entries in the order in
 * which they changed. A change takes its entry to the end of the list and gives it the next number. So whoever follows
 * (lbd-proxy, the peer, the file) is a place in the list: what lies behind it is what it has not been told, an entry that
 * changed ten times lies there once, and a follower that was away goes on where it was. A place whose entry moves or
 * goes steps back to the entry before, so nothing is passed over.
 *
 * A hand walks over the entries: every put frees what has expired in the next few places. When all places are taken the
 * entry at the old end of the list gives way.
 *
 * Later records win (stick_batch.h), whoever sent them; that something is gone is an entry too, until it expires. Nothing
 * here knows whether a service or a server exists. */
#include "mirror.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/must.h"

#include <stdlib.h>
#include <string.h>

#define NIL UINT32_MAX
#define SWEEP 4u	/* places looked at in each put */
#define TICK DUR_MS(64) /* unit of expires: 8 years in 32 bits */

struct entry {
	uint8_t key[16];
	uint64_t stamp, seq;
	uint32_t service, value, generation;
	uint32_t expires;	       /* ticks since the epoch */
	uint32_t chain;		       /* next in its bucket, or in the list of free ones */
	uint32_t older, newer;	       /* in order of change */
	uint8_t kind, key_kind, flags; /* kind 0: free */
	uint8_t from;
};
_Static_assert(sizeof(struct entry) == 64, "what the header promises");

struct mirror {
	struct entry *entry;
	uint32_t *bucket; /* place + 1; 0 is the end: untouched memory is an empty index */
	uint32_t capacity, mask, used, fresh; /* fresh: the first place that never held one */
	uint32_t free, oldest, newest, hand;
	uint64_t lot[2], seq, stamp;
	mono_t epoch;
	struct list cursors;
};

struct mirror *
mirror_new(uint32_t capacity, const uint64_t lot[2], mono_t now)
{
	struct mirror *m = mem_alloc(sizeof(*m));
	uint32_t buckets = 16;

	must(capacity > 0 && capacity < NIL / 2);
	while (buckets < capacity)
		buckets *= 2;
	*m = (struct mirror){ .capacity = capacity, .mask = buckets - 1, .epoch = now - TICK };
	m->free = m->oldest = m->newest = NIL;
	memcpy(m->lot, lot, sizeof(m->lot));
	m->entry = mem_alloc(capacity * sizeof(*m->entry));
	m->bucket = mem_alloc(buckets * sizeof(*m->bucket));
	list_init(&m->cursors);
	return m;
}

void
mirror_free(struct mirror *m)
{
	if (m == NULL)
		return;
	must(list_empty(&m->cursors));
	free(m->entry);
	free(m->bucket);
	free(m);
}

/* The 128 bits of a product, folded: spreads well, and the lot is not to be guessed from what a client sees. */
static uint64_t
fold(uint64_t a, uint64_t b)
{
	unsigned __int128 p = (unsigned __int128)a * b;

	return (uint64_t)p ^ (uint64_t)(p >> 64);
}

static uint32_t *
bucket_of(const struct mirror *m, const uint8_t key[16], uint32_t service, unsigned kinds)
{
	uint64_t w[2], h;

	memcpy(w, key, sizeof(w));
	h = fold(w[0] ^ m->lot[0], w[1] ^ m->lot[1]);
	h = fold(h ^ m->lot[1], ((uint64_t)service << 32 | kinds) ^ m->lot[0]);
	return &m->bucket[h & m->mask];
}

static uint32_t *
bucket_at(const struct mirror *m, const struct entry *e)
{
	return bucket_of(m, e->key, e->service, (unsigned)e->kind << 8 | e->key_kind);
}

static uint32_t
find(const struct mirror *m, const struct stick_record *r)
{
	uint32_t at = *bucket_of(m, r->key, r->service, (unsigned)r->kind << 8 | r->key_kind) - 1;

	for (; at != NIL; at = m->entry[at].chain - 1) {
		const struct entry *e = &m->entry[at];

		if (e->kind == r->kind && e->key_kind == r->key_kind && e->service == r->service &&
		    memcmp(e->key, r->key, sizeof(e->key)) == 0)
			return at;
	}
	return NIL;
}

/* Out of the order of change. */
static void
unlist(struct mirror *m, uint32_t at)
{
	const struct entry *e = &m->entry[at];
	struct list *it;

	list_each(it, &m->cursors)
	{
		struct mirror_cursor *c = container_of(it, struct mirror_cursor, link);

		if (c->at == at)
			c->at = e->older;
	}
	*(e->older != NIL ? &m->entry[e->older].newer : &m->oldest) = e->newer;
	*(e->newer != NIL ? &m->entry[e->newer].older : &m->newest) = e->older;
}

static void
enlist(struct mirror *m, uint32_t at)
{
	struct entry *e = &m->entry[at];

	e->seq = ++m->seq;
	e->older = m->newest;
	e->newer = NIL;
	*(m->newest != NIL ? &m->entry[m->newest].newer : &m->oldest) = at;
	m->newest = at;
}

static void
drop(struct mirror *m, uint32_t at)
{
	struct entry *e = &m->entry[at];
	uint32_t *link = bucket_at(m, e);

	while (*link != at + 1)
		link = &m->entry[*link - 1].chain;
	*link = e->chain;
	unlist(m, at);
	e->kind = 0;
	e->chain = m->free;
	m->free = at;
	m->used--;
}

static uint32_t
tick(const struct mirror *m, mono_t at)
{
	mono_t n = (at - m->epoch) / TICK;

	return n < 0 ? 0 : n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
}

static void
sweep(struct mirror *m, mono_t now)
{
	uint32_t t = tick(m, now);

	for (unsigned i = 0; i < SWEEP && m->fresh > 0; i++) {
		uint32_t at = m->hand++ % m->fresh;

		if (m->entry[at].kind != 0 && m->entry[at].expires <= t)
			drop(m, at);
	}
}

/* A place for a new entry. */
static uint32_t
place(struct mirror *m, mono_t now)
{
	uint32_t at;

	sweep(m, now);
	if (m->free == NIL && m->fresh == m->capacity)
		drop(m, m->oldest);
	m->used++;
	if (m->free == NIL)
		return m->fresh++;
	at = m->free;
	m->free = m->entry[at].chain;
	return at;
}

static void
record_of(const struct mirror *m, const struct entry *e, mono_t now, struct stick_record *out)
{
	dur_t left = m->epoch + (mono_t)e->expires * TICK - now;

	*out = (struct stick_record){
		.kind = e->kind,
		.key_kind = e->key_kind,
		.flags = e->flags,
		.service = e->service,
		.value = e->value,
		.left_ms = left < 0		      ? 0
			   : left / 1000 > UINT32_MAX ? UINT32_MAX
						      : (uint32_t)(left / 1000),
		.generation = e->generation,
		.stamp = e->stamp,
	};
	memcpy(out->key, e->key, sizeof(out->key));
}

static uint32_t
insert(struct mirror *m, const struct stick_record *r, mono_t now)
{
	uint32_t at = place(m, now), *head;
	struct entry *e = &m->entry[at];

	*e = (struct entry){ .kind = r->kind, .key_kind = r->key_kind, .service = r->service };
	memcpy(e->key, r->key, sizeof(e->key));
	head = bucket_at(m, e);
	e->chain = *head;
	*head = at + 1;
	return at;
}

bool
mirror_put(struct mirror *m, const struct stick_record *r, enum mirror_from from, mono_t now)
{
	uint32_t at = find(m, r), expires = tick(m, now + DUR_MS(r->left_ms));
	struct stick_record was;
	struct entry *e;

	mirror_saw(m, r->stamp);
	if (at != NIL) {
		record_of(m, &m->entry[at], now, &was);
		if (!stick_later(r, &was))
			return false;
		unlist(m, at);
	} else if (expires <= tick(m, now)) {
		return false;
	} else {
		at = insert(m, r, now);
	}
	e = &m->entry[at];
	e->flags = r->flags;
	e->value = r->value;
	e->generation = r->generation;
	e->stamp = r->stamp;
	e->expires = expires;
	e->from = (uint8_t)from;
	enlist(m, at);
	return true;
}

int
mirror_merge(struct mirror *m, const void *batch, size_t len, enum mirror_from from, mono_t now)
{
	struct stick_record r;
	struct stick_batch in;
	int n = 0;

	if (stick_batch_open(batch, len, &in) != 0)
		return ERR_PROTO;
	while (stick_batch_next(&in, &r))
		n += mirror_put(m, &r, from, now);
	return n;
}

void
mirror_forget(struct mirror *m, uint8_t kind, uint8_t key_kind)
{
	for (uint32_t at = 0; at < m->fresh; at++)
		if (m->entry[at].kind == kind && m->entry[at].key_kind == key_kind)
			drop(m, at);
}

bool
mirror_find(
    const struct mirror *m, const struct stick_record *key, mono_t now, struct stick_record *out)
{
	uint32_t at = find(m, key);

	if (at == NIL || m->entry[at].expires <= tick(m, now))
		return false;
	record_of(m, &m->entry[at], now, out);
	return true;
}

uint32_t
mirror_count(const struct mirror *m)
{
	return m->used;
}

uint64_t
mirror_seq(const struct mirror *m)
{
	return m->seq;
}

uint64_t
mirror_stamp(const struct mirror *m)
{
	return m->stamp;
}

void
mirror_saw(struct mirror *m, uint64_t stamp)
{
	if (stamp > m->stamp && stamp <= STICK_STAMP_MAX)
		m->stamp = stamp;
}

void
mirror_follow(struct mirror *m, struct mirror_cursor *c, uint64_t seq, unsigned skip)
{
	*c = (struct mirror_cursor){ .at = NIL, .seq = seq, .whole = m->seq, .skip = skip };
	list_push(&m->cursors, &c->link);
	if (seq == 0)
		return;
	/* From the new end: who comes back was not away for long. */
	for (c->at = m->newest; c->at != NIL && m->entry[c->at].seq > seq;)
		c->at = m->entry[c->at].older;
}

void
mirror_leave(struct mirror_cursor *c)
{
	if (c->link.next != NULL)
		list_del(&c->link);
	*c = (struct mirror_cursor){ 0 };
}

static bool
wanted(const struct mirror_cursor *c, const struct entry *e)
{
	if (c->kinds != 0 && (e->kind >= 32 || (c->kinds >> e->kind & 1) == 0))
		return false;
	return e->seq <= c->whole || (c->skip & e->from) == 0;
}

static uint32_t
next(const struct mirror *m, const struct mirror_cursor *c)
{
	return c->at == NIL ? m->oldest : m->entry[c->at].newer;
}

unsigned
mirror_read(struct mirror *m, struct mirror_cursor *c, unsigned most, mono_t now, struct buf *batch)
{
	uint32_t t = tick(m, now), at;
	struct stick_record r;
	unsigned n = 0;

	most = most < STICK_BATCH_MOST ? most : STICK_BATCH_MOST;
	stick_batch_begin(batch);
	for (unsigned i = 0; n < most && i < 4 * most && (at = next(m, c)) != NIL; i++) {
		const struct entry *e = &m->entry[at];

		c->at = at;
		c->seq = e->seq;
		if (e->expires <= t || !wanted(c, e))
			continue;
		record_of(m, e, now, &r);
		(void)stick_batch_put(batch, &r);
		n++;
	}
	return n;
}

bool
mirror_behind(const struct mirror *m, const struct mirror_cursor *c)
{
	return next(m, c) != NIL;
}
