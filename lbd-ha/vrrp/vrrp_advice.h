/* vrrp_advice.h - what the counters of a virtual router say of its and the others' settings. Pure. */
#ifndef VRRP_ADVICE_H
#define VRRP_ADVICE_H

#include "vrrp/vrrp_fsm.h"

#define VRRP_ADVICE 200
#define VRRP_DISCARDED 400

/* vrrp_advice - the gravest thing, as a sentence; "" when there is nothing. priority: the effective one. */
void vrrp_advice(const struct vrrp_conf *c, uint8_t priority, const struct vrrp_counts *n,
    char out[VRRP_ADVICE]);
/* vrrp_discarded - "ttl=1,checksum=2": those of which there are some, by vrrp_bad_name. */
void vrrp_discarded(const struct vrrp_counts *n, char out[VRRP_DISCARDED]);

#endif
