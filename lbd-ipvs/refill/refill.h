/* refill.h - connections that the other node of a pair had before this one could hear of them: asked for by lbd-ha, given
 * by the lbd-ipvs there, put into this kernel; and the other way round. */
#ifndef IPVS_REFILL_REFILL_H
#define IPVS_REFILL_REFILL_H

#include "conns/conns.h"
#include "msg/conns_letter.h"

struct refill;
/* refill_new - state: how this node stands to connections of the other (CONNS_WAITS, CONNS_READY or CONNS_OFF), asked some
 * times a second until it is ready or off, and each second after that. */
struct refill *refill_new(
    struct daemon *d, struct conns *c, enum conns_state (*state)(void *arg), void *arg);
void refill_free(struct refill *r); /* NULL is fine */

#endif
