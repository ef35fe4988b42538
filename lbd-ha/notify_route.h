/* notify_route.h - notify scripts with on=route: each knows of every floating address whether routers are to be told the
 * way to it. */
#ifndef HA_NOTIFY_ROUTE_H
#define HA_NOTIFY_ROUTE_H

#include "advert.h"
#include "notify.h"

struct notify_route;
/* notify_route_new - what an earlier process may have told (record, a path) is taken up. ops as notify_new. */
struct notify_route *notify_route_new(
    struct loop *l, const char *folder, const char *record, const struct notify_ops *ops);
/* notify_route_free - what runs is killed; what was told stays told, and in the record. NULL is fine. */
void notify_route_free(struct notify_route *k);
/* notify_route_use - the enabled rows. One that is gone, or runs something else now, first takes back what it told. */
void notify_route_use(struct notify_route *k, const struct snapshot *s);
bool notify_route_any(const struct notify_route *k); /* there are rows */
/* notify_route_set - how all addresses stand, in order of addresses; copied. An address that is not among them any more
 * is withdrawn. A row is run for each address that stands otherwise than the row was told, one run at a time,
 * withdrawals first; what changed again meanwhile is told as it is then. A run that fails is tried again. */
void notify_route_set(struct notify_route *k, const struct advert_row *a, uint32_t n);
/* notify_route_settle - done is called once, from the loop, when every row was told all (failed runs count), or after
 * limit. */
void notify_route_settle(struct notify_route *k, dur_t limit, void (*done)(void *arg), void *arg);
bool notify_route_row(const struct notify_route *k, unsigned i, struct notify_row *out);
/* notify_route_release - withdraw, one after the other, what the record says; it is gone then. Blocks. */
void notify_route_release(const char *folder, const char *record);

#endif
