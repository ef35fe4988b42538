/* mirror.h - what is kept of persistence on this node, whoever learned it: fed by lbd-proxy and by the peer, read in
 * order of change by both and by the file. Pure: no I/O, time is an argument.
 * Memory: 64 bytes an entry and 4 for the index, touched as it fills; bounded: a full one forgets what was not changed
 * for the longest time. Records of kinds that are not known here are kept like the others. */
#ifndef HA_MIRROR_H
#define HA_MIRROR_H

#include "base/buf.h"
#include "base/list.h"
#include "base/mono.h"
#include "msg/stick_batch.h"

#define MIRROR_CAPACITY 1000000

enum mirror_from { MIRROR_PROXY = 1, MIRROR_PEER = 2, MIRROR_FILE = 4 };
struct mirror;

/* lot: random, new at every start, so that nobody can aim at one bucket of the index. */
struct mirror *mirror_new(uint32_t capacity, const uint64_t lot[2], mono_t now);
void mirror_free(struct mirror *m);

/* mirror_put - true: it was later than what was known, and counts. */
bool mirror_put(struct mirror *m, const struct stick_record *r, enum mirror_from from, mono_t now);
/* mirror_merge - a batch from anybody: how many records counted, or ERR_PROTO and none did. */
int mirror_merge(
    struct mirror *m, const void *batch, size_t len, enum mirror_from from, mono_t now);
/* mirror_forget - drop all records of one kind and key kind here, without a trace. */
void mirror_forget(struct mirror *m, uint8_t kind, uint8_t key_kind);
bool mirror_find(
    const struct mirror *m, const struct stick_record *key, mono_t now, struct stick_record *out);

uint32_t mirror_count(const struct mirror *m); /* entries held, gone and expired ones among them */
uint64_t mirror_seq(const struct mirror *m);   /* of the latest change; rises by one with each */
uint64_t mirror_stamp(const struct mirror *m); /* the highest that was seen */
void mirror_saw(struct mirror *m, uint64_t stamp);

/* A cursor reads changes in order, each entry once, as it is when it is read: what changes often between two reads is
 * told once. It holds nothing up and loses nothing: it can be as far behind as it likes. */
struct mirror_cursor {
	struct list link;
	uint32_t at;	/* the last entry that was read */
	uint64_t seq;	/* of it: what to resume with */
	uint64_t whole; /* up to here nothing is left out: it may have lost its own */
	unsigned skip;	/* enum mirror_from, bits: behind whole, those are left out */
	uint32_t kinds; /* bits: only records of these; 0, as mirror_follow leaves it, is all */
};
/* mirror_follow - begin behind the change seq; 0: with the oldest. What changed until now is told whole. Ends with mirror_leave. */
void mirror_follow(struct mirror *m, struct mirror_cursor *c, uint64_t seq, unsigned skip);
void mirror_leave(struct mirror_cursor *c); /* fine on a zeroed one */
/* mirror_read - the next records into batch, which is begun anew: at most most, with at most 4 * most entries looked at.
 * Returns how many; look at mirror_behind for whether there are more. */
unsigned mirror_read(
    struct mirror *m, struct mirror_cursor *c, unsigned most, mono_t now, struct buf *batch);
bool mirror_behind(const struct mirror *m, const struct mirror_cursor *c);

#endif
