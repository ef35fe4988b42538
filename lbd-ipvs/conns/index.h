/* index.h - which service and which server of the configuration an entry of the kernel belongs to.
 *
 * Built from a snapshot, read-only afterwards, counted references: threads may share one. */
#ifndef IPVS_CONNS_INDEX_H
#define IPVS_CONNS_INDEX_H

#include "conns/entry.h"

#include "store/snapshot.h"

struct index;
struct index *index_new(struct snapshot *s);		 /* takes a reference of its own to s */
struct index *index_ref(struct index *ix);		 /* any thread */
void index_unref(struct index *ix);			 /* any thread; NULL is fine */
struct snapshot *index_snapshot(const struct index *ix); /* borrowed */

/* index_find - row ids; 0: not lbd's, or a fallback server. */
void index_find(
    const struct index *ix, const struct entry *e, uint32_t *service_out, uint32_t *server_out);

#endif
