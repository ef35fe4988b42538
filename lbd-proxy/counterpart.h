/* counterpart.h - a service that shares the persistence of another (persist_with): which server there is which here. Control
 * thread. */
#ifndef COUNTERPART_H
#define COUNTERPART_H

#include "base/idmap.h"
#include "store/snapshot.h"

struct counterpart {
	const struct service *table; /* whose entries count: another service, or itself */
	const struct server **v;     /* of the other, sorted by address */
	uint32_t n;
	bool shared;
};

/* counterpart_table - the service whose persistence row has: row itself, or the one that it names. */
const struct service *counterpart_table(const struct snapshot *s, const struct service *row);
/* counterpart_mark - in a set of ids of services: those that share the persistence of one in it. */
void counterpart_mark(const struct snapshot *s, struct idmap *services);
/* counterpart_init - borrows the snapshot's rows. */
void counterpart_init(struct counterpart *c, const struct snapshot *s, const struct service *row);
void counterpart_fini(struct counterpart *c);
/* counterpart_of - id of the server with r's address: of several there the one with r's port, else the oldest; its own where
 * nothing is shared; STICKY_NOBODY: there is none. */
uint32_t counterpart_of(const struct counterpart *c, const struct server *r);
/* counterpart_token - by which cookies and routes name it; 0: by its own ids. */
uint64_t counterpart_token(
    const struct counterpart *c, const struct service *row, const struct server *r, uint32_t who);

#endif
