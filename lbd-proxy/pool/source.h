/* source.h - the addresses with which servers of a service are reached, in turn. */
#ifndef LBD_PROXY_SOURCE_H
#define LBD_PROXY_SOURCE_H

#include "schema/schema.h"

/* sources_new - source and more_sources of a service, each address once; NULL: it has none. Control plane: memory ends the
 * process. Freed with free. */
struct sources;
struct sources *sources_new(const struct service *s);
bool sources_same(const struct sources *a, const struct sources *b); /* NULL is fine */
/* source_connect - as sock_connect_from, with the address whose turn it is; when that has no port left towards the server, or is
 * not here, with the next ones. A server of a family of which there is none is reached from its interface's address.
 * turn: rises with each connection of a worker. fd, or -errno of the last one that was tried. */
int source_connect(const struct sources *s, const struct addr *a, uint16_t port, unsigned turn);

#endif
