/* role.h - this node in a pair: what the core is told, what it says, and who asks for a change. */
#ifndef HA_ROLE_H
#define HA_ROLE_H

#include "address.h"
#include "core/shared.h"
#include "pair/cluster_file.h"
#include "whole.h"

#include "msg/bus.h"
#include "sys/loop.h"
#include "sys/paths.h"

struct notifier;
struct role_ops {
	void (*changed)(void *arg); /* something that role_tell says */
	void (*places)(
	    void *arg); /* who puts the addresses is another, or they are to be looked at */
	void *arg;
};
struct ha_role;
struct ha_role *role_new(
    struct loop *l, const struct paths *p, struct bus *b, const struct role_ops *ops);
/* role_free - the core goes on. */
void role_free(struct ha_role *r);
/* role_set - one of a pair (cluster, copied) or alone (NULL: a core that runs takes its addresses away and ends, unless
 * there are virtual routers, which it is for then), with this configuration. */
void role_set(struct ha_role *r, const struct cluster *c, struct snapshot *s);
bool role_has_core(const struct ha_role *r); /* of a pair, or with virtual routers */
/* role_place - for hold_ops.place. */
bool role_place(struct ha_role *r, struct address_plan *plan, const struct iface_list *kernel);
/* role_heads - what the heartbeats say of the configuration. */
void role_heads(struct ha_role *r, uint32_t revision, uint64_t shared, uint64_t oper);
/* role_whole - why a part of what the other node has is not here, or NULL: it is. Until all are, this node does not take over by
 * preference, and a planned hand-over waits for it, as whole.h says. */
void role_whole(struct ha_role *r, enum whole_part p, const char *why);
/* role_health - fit services of a group (1 or 2), as lbd-check says. */
void role_health(struct ha_role *r, unsigned group, uint32_t n);
/* role_peer_macs - hardware addresses of the other node. */
void role_peer_macs(struct ha_role *r, const uint8_t (*mac)[6], unsigned n);
/* role_is - as the core says; zero without one. */
void role_is(const struct ha_role *r, struct shared_is *out);
bool role_active(const struct ha_role *r);
void role_fill(const struct ha_role *r, struct msg_role *m); /* active, since, link, addresses */
/* role_tell - HA_GROUP, HA_CARRIER and HA_CHECK rows: to a subscriber, or (rq NULL) to all. */
void role_tell(struct ha_role *r, const struct bus_request *rq);
/* role_order - HA_FAILOVER; answered when it is done. */
void role_order(struct ha_role *r, const struct bus_request *rq, const struct msg_ha_order *m);
/* role_told - HA_TOLD: another program has decided. */
void role_told(struct ha_role *r, const struct bus_request *rq, const struct msg_ha_told *m);
/* role_notifier - borrowed: who is told of routes. */
struct notifier *role_notifier(const struct ha_role *r);
/* role_unfit - a track of weight 0 is bad, on a node where nobody takes the addresses over: no core. */
bool role_unfit(const struct ha_role *r);
/* role_leave - hand over and end; done is called once, from the loop. */
void role_leave(struct ha_role *r, void (*done)(void *arg), void *arg);

#endif
