/* vrrp_group.h - virtual routers that move together (sync group): all of them are master here, or none. Pure. */
#ifndef VRRP_GROUP_H
#define VRRP_GROUP_H

#include "vrrp/vrrp_fsm.h"

#define VRRP_GROUP 32

struct vrrp_group {
	unsigned n;
	struct vrrp *member[VRRP_GROUP]; /* borrowed */
};

/* vrrp_group_add - before the member's START. False: full. */
bool vrrp_group_add(struct vrrp_group *g, struct vrrp *v);
/* vrrp_group_step - vrrp_step for one member, and what follows from it for the others. outs has one entry for each
 * member, filled anew: orders are carried out in the order of the members. */
void vrrp_group_step(struct vrrp_group *g, unsigned who, struct vrrp_event e, mono_t now,
    struct vrrp_out outs[VRRP_GROUP]);

#endif
