/* page.h - the fallback page for services of layer 4: lbd-ipvs sends their clients to this node's own sorry_port, and here
 * it is served, by two services without servers (IPv4 and IPv6) that stand in no configuration. */
#ifndef LBD_PROXY_PAGE_H
#define LBD_PROXY_PAGE_H

#include "store/snapshot.h"

/* Ids that no row of the store reaches. */
#define PAGE_ID UINT32_C(0xfffffffe)
#define PAGES 2
struct page {
	bool on;
	struct arena *arena; /* of the rows' texts */
	struct service row[PAGES];
};
/* page_set - as the snapshot wants it; true: it is different from before. */
bool page_set(struct page *p, const struct snapshot *s);
/* The service of an id while the page is wanted; NULL for any other. */
const struct service *page_row(const struct page *p, uint32_t id);
void page_fini(struct page *p);

#endif
