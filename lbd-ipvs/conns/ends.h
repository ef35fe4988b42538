/* ends.h - makes both ends of connections say something: whatever they answer passes here, and is reset (packet/). */
#ifndef IPVS_CONNS_ENDS_H
#define IPVS_CONNS_ENDS_H

#include "conns/entry.h"

#include "base/err.h"
#include "schema/schema.h"
#include "sys/loop.h"

/* Entries, gathered; { 0 } is empty. Their number is bounded by who gathers. */
struct entries {
	uint32_t n, cap;
	struct entry *e;
};
void entries_add(struct entries *l, const struct entry *e);
void entries_fini(struct entries *l);

/* Connections of one server. list is borrowed and stands still. err: no right to send packets. */
struct ends;
int ends_open(struct loop *l, const struct service *s, const struct server *srv,
    const struct entries *list, struct ends **out, struct err *err);
void ends_close(struct ends *x); /* NULL is fine */
/* ends_ask - one connection, in a round counted from 0. In the first, servers whose answers do not pass here are left
 * out: their clients must be gone by then. */
void ends_ask(struct ends *x, uint32_t i, unsigned round);
void ends_again(struct ends *x); /* neighbours may be known by now */

#endif
