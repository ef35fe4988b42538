/* clear.h - makes the kernel forget which client is kept at which server. */
#ifndef IPVS_CONNS_CLEAR_H
#define IPVS_CONNS_CLEAR_H

#include "conns/forget.h"
#include "conns/walk.h"

#include "msg/bus.h"

struct clears;
struct clears *clears_new(struct loop *l, struct walks *ws, struct forget *f); /* borrowed */
void clears_free(struct clears *c);
/* clears_begin - forget the templates that fit want (kinds and state are set here). The request is answered when it is
 * done: PERSIST_CLEARED and RESULT 0, or ERR_CONFLICT with how many stay because their clients have open connections. */
void clears_begin(
    struct clears *c, struct index *ix, const struct walk_want *want, const struct bus_request *rq);

/* clear_over - pure: a connection that has ended but for its time in the kernel's list, or a flow without an end (UDP);
 * the template it hangs on cannot go before. fin_s: how long the kernel keeps one after a FIN. */
bool clear_over(const struct entry *e, uint32_t fin_s);

#endif
