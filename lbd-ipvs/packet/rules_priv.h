/* rules_priv.h - how a script for nft is written; for rules.c, rules_keep.c and rules_nat.c. */
#ifndef IPVS_PACKET_RULES_PRIV_H
#define IPVS_PACKET_RULES_PRIV_H

#include "packet/packet.h"

#include "base/buf.h"
#include "store/snapshot.h"

#define TABLE "inet lbd "
#define RULES_IFACE 40 /* room for a name in quotes */

/* Index of everything that stands once for each family. */
enum { V4, V6, FAMILIES };
static inline unsigned
family_of(const struct addr *a)
{
	return a->family == 4 ? V4 : V6;
}
/* "ip" or "ip6": of matches, "ipv4_addr"...: of types. */
extern const char *const rules_ip[FAMILIES], *const rules_type[FAMILIES];

/* "10.0.0.1" or "10.0.0.1-10.0.0.9"; "80" or "80-81". */
void rules_put_range(struct buf *b, const struct addr *lo, const struct addr *hi);
void rules_put_ports(struct buf *b, const struct ranges *r); /* "{ 80, 8000-8010 }" */
/* Every address of a service in turn; i begins with 0. False: no more. */
bool rules_address(const struct service *s, unsigned i, struct addr_range *out);
/* One element more of a set or map: a separator, then the caller's text. */
void rules_next(struct buf *elements);
/* The set or map with its elements; kind is "set" or "map". Nothing without elements. The text of elements is used up. */
void rules_put_set(
    struct buf *out, const char *kind, const char *name, const char *type, struct buf *elements);
void rules_add(struct buf *out, const char *chain, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void rules_chain(
    struct buf *out, const char *name, const char *type, const char *hook, int priority);
/* A name of an interface in quotes; false: nft has no way to write it. */
bool rules_iface(const char *name, char out[RULES_IFACE]);

/* Elements "address . protocol . port : value" for everywhere that a service is; value NULL: of a set. protocol: one or
 * two; the rest is NULL. The type of such an element: */
#define PLACE_TYPE(addr) addr " . inet_proto . inet_service"
void rules_put_places(struct buf elements[FAMILIES], const struct service *s,
    const char *const protocol[2], const char *value);
bool rules_tcp(const struct service *s); /* does it take TCP? */

/* rules_keep.c: what stands in the chain marking, and the tables that hand packets to the other node. NO_LENDING takes those
 * away, and begins every script. */
#define NO_LENDING                                \
	"add table ip lbd\ndelete table ip lbd\n" \
	"add table ip6 lbd\ndelete table ip6 lbd\n"
bool rules_keep_wanted(const struct snapshot *s, const struct packet_pair *pair);
void rules_keep(const struct snapshot *s, const struct packet_pair *pair, struct buf *out);
void rules_lend(const struct snapshot *s, const struct packet_pair *pair, struct buf *out);

/* rules_nat.c: the chains inward, outward, spoofed and passing. */
void rules_nat(const struct snapshot *s, struct buf *out);

#endif
