/* packet.h - the packet path around IPVS: one nftables table "inet lbd" and the few sysctls and routing rules that it
 * needs. All of it follows from the snapshot; it is applied whole, in one transaction, when it differs. */
#ifndef IPVS_PACKET_PACKET_H
#define IPVS_PACKET_PACKET_H

#include "base/addr.h"
#include "base/buf.h"
#include "base/err.h"
#include "store/snapshot.h"
#include "sys/loop.h"
#include "sys/paths.h"

/* What the rules need to know of the other node of a pair. {0}: there is none. */
#define PACKET_GROUPS 2
struct packet_pair {
	struct addr peer[2]; /* where it is, IPv4 and IPv6; family 0: not there */
	bool lent
	    [PACKET_GROUPS]; /* connections of the group's services that are unknown here are the other's */
};
struct packet;
struct packet_ops {
	void (*fault)(void *arg, const char *fault); /* NULL: in force */
	void *arg;
};
struct packet *packet_new(struct loop *l, const struct paths *p, const struct packet_ops *ops);
void packet_free(struct packet *p); /* leaves everything as it is */
/* packet_apply - in force soon; failures come by ops.fault and are tried again. s is referenced while needed. */
void packet_apply(struct packet *p, struct snapshot *s, const struct packet_pair *pair);
/* packet_clear - take the table and the routing rules away, now; blocks up to a second. */
int packet_clear(struct packet *p, struct err *err);
/* rules.c, pure: the whole script for nft -f; empty when nothing of the configuration needs the table.
 * Names of the table's sets and maps are part of the contract with conns/cut.c:
 *   set cut4 { type ipv4_addr . inet_service . ipv4_addr . inet_service; flags timeout; }  source, destination
 *   set cut6 likewise: packets of these flows are answered by a TCP reset and dropped; conns/cut.c adds elements. */
void packet_rules(const struct snapshot *s, const struct packet_pair *pair, struct buf *out);
/* packet_cut - put TCP flows into cut4/cut6 (one direction each), for CUT_TIME. Soon; the order with packet_apply
 * is kept. done may be NULL; code 0 or negative. */
#define CUT_TIME_S 10
struct packet_flow {
	struct addr from, to;
	uint16_t from_port, to_port;
};
void packet_cut(struct packet *p, const struct packet_flow *f, uint32_t n,
    void (*done)(void *arg, int code), void *arg);
/* packet_cut_script - what it runs; pure. */
void packet_cut_script(const struct packet_flow *f, uint32_t n, struct buf *out);

#endif
