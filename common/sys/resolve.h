/* resolve.h - DNS names to addresses, without blocking, through c-ares; each name is looked up
 * again when its TTL (5 s to 1 h) has passed. A name that stops resolving keeps its last
 * address. */
#ifndef SYS_RESOLVE_H
#define SYS_RESOLVE_H

#include "base/addr.h"
#include "sys/loop.h"

struct resolver;
struct resolver *resolver_new(struct loop *l);
void resolver_free(struct resolver *r);

/* resolver_watch - begins; fn is called with the first address found, whenever it changes, and
 * with family 0 and a reason when the very first look-up fails. Never called from within
 * resolver_watch. */
struct resolve;
typedef void (*resolve_fn)(void *arg, const struct addr *a, const char *why);
struct resolve *resolver_watch(struct resolver *r, const char *name, resolve_fn fn, void *arg);
void resolver_unwatch(struct resolve *w);

#endif
