/* forget.h - makes the kernel forget connections and persistence templates soon. */
#ifndef IPVS_CONNS_FORGET_H
#define IPVS_CONNS_FORGET_H

#include "conns/sync.h"

#include "base/err.h"
#include "sys/loop.h"

#define FORGET_LEFT_S 1 /* the kernel's timers do it a second later */

struct forget;
struct forget *forget_new(struct loop *l);
void forget_free(struct forget *f); /* what is under way is not told any more */
/* forget_these - takes the list (emptied), made with FORGET_LEFT_S. done: told, and about FORGET_LEFT_S later the kernel has forgotten them, but
 * for templates that connections still hang on; or why not. Jobs are done one after the other. Datagrams may be lost:
 * who must know looks again. */
void forget_these(struct forget *f, struct sync_list *l,
    void (*done)(void *arg, const struct err *err), void *arg);

#endif
