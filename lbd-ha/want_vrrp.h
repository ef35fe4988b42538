/* want_vrrp.h - what the core is told of a virtual router. Pure. */
#ifndef HA_WANT_VRRP_H
#define HA_WANT_VRRP_H

#include "address.h"
#include "core/shared.h"

#define WANT_WHY 160

/* want_vrrp - a row with the floating addresses that move by it, for this node's interfaces. vmac, vmac_index and sync
 * are left as they are. why: "" or what it lacks; then it is not to take part (self of family 0). */
void want_vrrp(struct shared_vrrp *out, const struct vrouter *row, const struct setting *set,
    const struct floating *fips, uint32_t n, const struct iface_list *kernel, char why[WANT_WHY]);

#endif
