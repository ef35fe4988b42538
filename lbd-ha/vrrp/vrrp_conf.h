/* vrrp_conf.h - what an operator says about one virtual router on this node. Pure.
 * Source: RFC 9568 section 6.1, RFC 3768 section 6.1. */
#ifndef VRRP_CONF_H
#define VRRP_CONF_H

#include "vrrp/vrrp_packet.h"

#include "base/err.h"

#define VRRP_PEERS 16
#define VRRP_PRIORITY 100   /* the default of the standards, */
#define VRRP_DOWN_ADVERTS 3 /* and how many intervals of silence are the end of a master */

enum vrrp_way { VRRP_MULTICAST, VRRP_UNICAST, VRRP_BROADCAST };
enum vrrp_sum_use { VRRP_SUM_AUTO, VRRP_SUM_USE_PSEUDO, VRRP_SUM_USE_PLAIN };

struct vrrp_conf {
	uint8_t version, family; /* 2, 3; 4, 6 */
	uint8_t vrid, priority;
	uint8_t down_adverts;
	uint8_t min_ttl; /* of unicast; 255 unless the peer is behind routers */
	uint8_t auth_type, auth[8];
	enum vrrp_way way;
	enum vrrp_sum_use sum; /* version 3 over IPv4: AUTO does as the peer */
	bool preempt;
	bool
	    linger; /* stopped as master: answer until the next one is heard, an interval at most */
	bool any_addrs;	 /* take advertisements with other addresses than ours too */
	bool any_source; /* unicast: take them from others than the peers too */
	dur_t interval, preempt_delay, startup_delay;
	dur_t refresh; /* a master announces anew so often; 0 never */
	unsigned n, peers;
	struct addr addr[VRRP_ADDRS]; /* advertised; in the order of the wire */
	struct addr peer[VRRP_PEERS];
};

/* vrrp_conf_default - IPv4, version 3, 1 s, preempting, multicast, announcing each 30 s; no number, no addresses. */
void vrrp_conf_default(struct vrrp_conf *c);
/* vrrp_conf_check - 0, or ERR_INVALID with the field and its range in err. */
int vrrp_conf_check(const struct vrrp_conf *c, struct err *err);
/* vrrp_conf_pair_check - two nodes' sides of one virtual router: what must be equal and is not, and priorities that
 * are equal and should not be. 0, or ERR_INVALID with err. */
int vrrp_conf_pair_check(const struct vrrp_conf *a, const struct vrrp_conf *b, struct err *err);
/* The same addresses in any order. */
bool vrrp_addrs_same(const struct addr *a, unsigned a_n, const struct addr *b, unsigned b_n);

#endif
