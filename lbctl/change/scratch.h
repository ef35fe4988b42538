/* scratch.h - would an empty store take these edits? */
#ifndef LBCTL_SCRATCH_H
#define LBCTL_SCRATCH_H

#include "schema/doc.h"
#include "sys/netlink.h"

/* scratch_check - a store in a folder of its own, the edits checked as a whole (committing nothing), the folder gone
 * again. local: addresses of this node to check against, or NULL. The code and err of the store. */
int scratch_check(const struct doc *d, const struct iface_list *local, struct err *err);

#endif
