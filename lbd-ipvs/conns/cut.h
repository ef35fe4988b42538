/* cut.h - ends the TCP connections of a server: both ends get a reset at once. */
#ifndef IPVS_CONNS_CUT_H
#define IPVS_CONNS_CUT_H

#include "conns/forget.h"
#include "conns/walk.h"
#include "packet/packet.h"

struct cuts;
struct cuts *cuts_new(
    struct loop *l, struct walks *ws, struct forget *f, struct packet *p); /* borrowed */
void cuts_free(struct cuts *c); /* what is under way is left as it is */
void cuts_apply(
    struct cuts *c, const struct snapshot *s); /* forgets the counts of servers that went */
/* cuts_begin - soon; takes a reference of its own to ix. A server that is being cut is not cut a second time. */
void cuts_begin(struct cuts *c, struct index *ix, uint32_t server, const char *why);
uint64_t cuts_total(const struct cuts *c, uint32_t server); /* connections since the start */

#endif
