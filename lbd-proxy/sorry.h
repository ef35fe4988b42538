/* sorry.h - pages of the configuration as bodies that are ready to be sent, one of each row for all services; the control
 * thread's. */
#ifndef LBD_PROXY_SORRY_H
#define LBD_PROXY_SORRY_H

#include "http/error_pages.h"

#include "base/idmap.h"
#include "store/snapshot.h"

/* sorry_pages - what a service answers by itself; NULL: it has no pages. bodies: by id of the row; { 0 } at first. */
struct error_pages *sorry_pages(
    struct idmap *bodies, const struct snapshot *now, const struct service *row);
/* sorry_forget - the row changed or is gone: views that are made from now on have the new one. */
void sorry_forget(struct idmap *bodies, uint32_t id);
void sorry_fini(struct idmap *bodies);

#endif
