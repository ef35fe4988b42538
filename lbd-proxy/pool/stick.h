/* stick.h - remembers which server a client address or an application's cookie belongs to (source and passive cookie
 * persistence). One table for all services and workers, bounded: a full one forgets what would expire soonest.
 * Memory: 40 bytes an entry and 4 for the index, doubled as needed: 45 MB for the full capacity, kept until stick_free.
 * Threads: every function may be called by any thread; each shard has a mutex, held for one bucket's work. */
#ifndef STICK_H
#define STICK_H

#include "base/addr.h"
#include "base/mono.h"

#define STICK_CAPACITY 1000000 /* entries in all */
#define STICK_SHARDS 64

enum stick_kind { STICK_ADDR4, STICK_ADDR6, STICK_COOKIE };

/* Made by stick_key_*; equal keys are equal bytes. An IPv4 address is the first four. A cookie's value is kept as a keyed
 * hash only. */
struct stick_key {
	uint8_t b[16];
	uint8_t kind; /* enum stick_kind */
};

struct stick;

/* seed: random, new at every start, so that nobody can aim at one bucket. NULL when there is no memory. */
struct stick *stick_new(uint32_t capacity, uint64_t seed);
void stick_free(struct stick *s);

void stick_key_addr(const struct addr *a, struct stick_key *out);
void stick_key_cookie(const struct stick *s, const char *value, size_t len, struct stick_key *out);

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
/* stick_each - calls fn for live entries of a service (0: any), in no order; a shard is copied before its entries are
 * shown, so fn may call back. fn returns false to stop. Returns how many were shown. */
typedef bool (*stick_fn)(void *arg, const struct stick_entry *e);
uint32_t stick_each(struct stick *s, uint32_t service, mono_t now, stick_fn fn, void *arg);
uint32_t stick_count(struct stick *s); /* entries held, expired ones among them */

#endif
