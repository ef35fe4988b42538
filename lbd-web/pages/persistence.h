/* persistence.h - which entries a page or a form is about. */
#ifndef PERSISTENCE_H
#define PERSISTENCE_H

#include "web.h"

#define PERSISTENCE_CLIENT 256 /* bytes of an address, a network, or what else names a client */

/* service and server are borrowed from the snapshot of now; NULL: any. */
struct persistence_wish {
	const struct service *service;
	const struct server *server;
	char vip[64], rip[160], client[PERSISTENCE_CLIENT];
	unsigned layer;
	uint32_t skip;
};
/* persistence_take - of a query or a form; false: answered. */
bool persistence_take(struct call *c, const struct pairs *from, struct persistence_wish *w);
const char *persistence_daemon_of(const struct persistence_wish *w);
/* persistence_href - path with the same wish, from another entry on; safe in an attribute. */
void persistence_href(
    struct buf *b, const char *path, const struct persistence_wish *w, uint32_t skip);
/* persistence_hidden - the fields of a form that changes something; not the client. */
void persistence_hidden(struct call *c, struct buf *b, const struct persistence_wish *w);
void persistence_all_of(
    struct buf *b, const struct persistence_wish *w); /* "every client of web/a" */

#endif
