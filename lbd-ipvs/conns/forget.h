/* forget.h - makes the kernel forget connections and persistence templates soon. */
#ifndef IPVS_CONNS_FORGET_H
#define IPVS_CONNS_FORGET_H

#include "conns/entry.h"

#include "base/err.h"
#include "sys/loop.h"

/* Entries, gathered; { 0 } is empty. Their number is bounded by who gathers. */
struct entries {
	uint32_t n, cap;
	struct entry *e;
};
void entries_add(struct entries *l, const struct entry *e);
void entries_fini(struct entries *l);

#define FORGET_LEFT_S 1 /* the kernel's timers do it a second later */

struct forget;
struct forget *forget_new(struct loop *l);
void forget_free(struct forget *f); /* what is under way is not told any more */
/* forget_these - takes the entries (emptied). done: told, and about FORGET_LEFT_S later the kernel has forgotten them, but
 * for templates that connections still hang on; or why not. Jobs are done one after the other. Datagrams may be lost:
 * who must know looks again. */
void forget_these(
    struct forget *f, struct entries *l, void (*done)(void *arg, const struct err *err), void *arg);

#endif
