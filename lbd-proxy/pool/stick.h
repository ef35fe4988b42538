/* stick.h - remembers which server a client address or an application's cookie belongs to (source and passive cookie
 * persistence). One table for all services and workers, bounded: a full one forgets what would expire soonest.
 * Memory: 64 bytes an entry and 4 for the index, doubled as needed: 71 MB for the full capacity, kept until stick_free.
 * Threads: every function may be called by any thread but those at the end; each shard has a mutex, held for one bucket's
 * work. */
#ifndef STICK_H
#define STICK_H

#include "base/addr.h"
#include "base/mono.h"
#include "msg/stick_batch.h"

#define STICK_CAPACITY 1000000 /* entries in all */
#define STICK_SHARDS 64

/* Made by stick_key_*; equal keys are equal bytes. An IPv4 address is the first four. A cookie's value is kept as a keyed
 * hash only. */
struct stick_key {
	uint8_t b[16];
	uint8_t kind; /* enum stick_kind */
};

struct stick;

/* seed: random, new at every start, so that nobody can aim at one bucket. It is also the first key of the cookies' hash,
 * until stick_agree brings another. NULL when there is no memory. */
struct stick *stick_new(uint32_t capacity, uint64_t seed);
void stick_free(struct stick *s);

void stick_key_addr(const struct addr *a, struct stick_key *out);
void stick_key_cookie(const struct stick *s, const char *value, size_t len, struct stick_key *out);

/* stick_secret - what keys of cookies are made with: the same on both nodes of a pair, and over a restart while lbd-ha is
 * there. */
uint64_t stick_secret(const struct stick *s);

/* stick_lookup - the server id, 0 when unknown or expired. A hit lives keep longer from now on. */
uint32_t stick_lookup(
    struct stick *s, uint32_t service, const struct stick_key *k, mono_t now, dur_t keep);
/* stick_store - remember or change. Never fails: without memory it forgets another entry, or this one. */
void stick_store(struct stick *s, uint32_t service, const struct stick_key *k, uint32_t server,
    mono_t now, dur_t keep);
/* stick_clear - forget entries; service 0 and server 0 mean any, key NULL means all. Returns how many. */
uint32_t stick_clear(struct stick *s, uint32_t service, uint32_t server, const struct stick_key *k);

struct stick_entry {
	struct stick_key key;
	uint32_t service, server;
	dur_t left; /* until it expires */
};
/* stick_each - calls fn for live entries of a service (0: any) but the first skip, in an order that stays while nothing
 * changes; a shard is copied before its entries are shown, so fn may call back. What is skipped is not copied. fn returns
 * false to stop. Returns how many were shown. */
typedef bool (*stick_fn)(void *arg, const struct stick_entry *e);
uint32_t stick_each(
    struct stick *s, uint32_t service, uint32_t skip, mono_t now, stick_fn fn, void *arg);
uint32_t stick_count(struct stick *s); /* entries held, expired ones among them */

/* What others shall know of the table, and what they know: lbd-ha keeps it over a restart, and the peer has it when it
 * takes over. Every entry that is learned, changed or forgotten is news; one that is only renewed is news when others
 * believe that less than three quarters of its life are left. News wait in the table itself, each once, so the data
 * path never waits and nothing is lost, however long nobody asks. These are the control thread's.
 *
 * stick_share - bell is called by any thread when there is news, once until stick_hear. Until then nothing is news.
 * stick_hush  - the bell is not rung any more: whoever heard it goes.
 * stick_agree - what keys and stamps are made with. With another seed the entries of cookies are dropped: their keys were
 *               made with the old one, and the same cookies would not find them.
 * stick_drain - the next news, stamped: at most room. 0: there is none. *more: there may be.
 * stick_tell_all - everything is told again, with the stamps that it has: the other side began anew.
 * stick_merge - what others know; server and service exist here, left at most the service's time. What is later counts; news
 *               of this side is later than anything that came from outside, unless weak: then it gives way.
 *               A life that is longer here stays. */
void stick_share(struct stick *s, void (*bell)(void *arg), void *arg);
void stick_hear(struct stick *s);
void stick_hush(struct stick *s);
void stick_agree(struct stick *s, uint64_t seed, uint32_t generation, uint64_t stamp);
/* stick_agreed - what was agreed last, for a process that goes on with the table. */
void stick_agreed(
    const struct stick *s, uint64_t *seed_out, uint32_t *generation_out, uint64_t *stamp_out);
/* stick_stamp - of a record that is told of something else than this table. */
void stick_stamp(struct stick *s, struct stick_record *r);
unsigned stick_drain(
    struct stick *s, struct stick_record *out, unsigned room, mono_t now, bool *more);
void stick_tell_all(struct stick *s);
void stick_merge(struct stick *s, const struct stick_record *r, mono_t now, dur_t left, bool weak);

#endif
