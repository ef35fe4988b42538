/* garp.h - tells the neighbours that an address is here now: gratuitous ARP, unsolicited neighbour advertisements.
 * Source: RFC 5227, RFC 4861 section 7.2.6. */
#ifndef HA_GARP_H
#define HA_GARP_H

#include "base/addr.h"
#include "base/err.h"
#include "sys/loop.h"

#define GARP_TURN 20	      /* announcements in one turn, and */
#define GARP_PAUSE DUR_MS(10) /* the pause after it: at most 2,000 a second */

struct garp;
/* garp_new - without CAP_NET_RAW err says so and what follows is accepted and dropped; never NULL. */
struct garp *garp_new(struct loop *l, struct err *err);
void garp_free(struct garp *g); /* NULL is fine */
/* garp_announce - `times` announcements, the first now, then one each gap; an earlier order for the address ends.
 * On the loopback and on what is no Ethernet there is nobody to tell. */
void garp_announce(
    struct garp *g, const char *ifname, const struct addr *a, unsigned times, dur_t gap);
/* garp_cancel - the address left: nothing more about it. */
void garp_cancel(struct garp *g, const struct addr *a);

#endif
