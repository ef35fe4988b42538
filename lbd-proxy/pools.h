/* pools.h - content rules in the control thread: what a service's rules are now, and whom they lead to. */
#ifndef LBD_PROXY_POOLS_H
#define LBD_PROXY_POOLS_H

#include "control.h"

struct rules;
/* pools_rules - the rules of a service that is compiled; NULL: none. Services that they lead to are known to all workers from
 * now on. The reference is the caller's. */
struct rules *pools_rules(struct control *k, const struct snapshot *now,
    const struct ctl_service *c, const struct service *row);
/* pools_mirror - who gets copies of a service's requests, known to all workers from now on; borrowed. NULL: nobody. */
struct svc *pools_mirror(struct control *k, const struct snapshot *now, const struct service *row);
/* pools_leads - a service has rules or a mirror, so those without come before it. */
bool pools_leads(const struct snapshot *now, uint32_t service);
/* pools_each_leading - the services whose rules lead to this one. */
void pools_each_leading(const struct snapshot *now, uint32_t service,
    void (*fn)(void *arg, uint32_t leading), void *arg);

/* pools_each_naming - the services whose rules name pools; one with several such rules comes several times. */
void pools_each_naming(
    const struct snapshot *now, void (*fn)(void *arg, uint32_t naming), void *arg);

/* pools_each_mirroring - the services whose copies the one of this name gets. */
void pools_each_mirroring(const struct snapshot *now, const char *pool,
    void (*fn)(void *arg, uint32_t mirroring), void *arg);

#endif
