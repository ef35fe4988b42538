/* refill.h - carries letters between the lbd-ipvs of both nodes, and asks the other node for its connections. */
#ifndef HA_REFILL_H
#define HA_REFILL_H

#include "pair/peer_channel.h"
#include "role.h"

struct refill;
struct refill *refill_new(struct loop *l, struct bus *b, struct ha_role *r);
void refill_free(struct refill *r); /* NULL is fine */
/* The channel: k is borrowed until refill_down. */
void refill_up(struct refill *r, struct peer_channel *k);
void refill_down(struct refill *r);
void refill_apply(struct refill *r, const struct snapshot *s);
void refill_roles(struct refill *r); /* the core says something else */
void refill_from_peer(struct refill *r, const struct msg_conns_letter *m);
/* Handlers of the bus, for lbd-ipvs: MSG_CONNS_FOLLOW, MSG_CONNS_LETTER. */
void refill_on_follow(struct refill *r, const struct bus_request *rq);
void refill_on_letter(
    struct refill *r, const struct bus_request *rq, const struct msg_conns_letter *m);

#endif
