/* named.h - a server whose address is a DNS name: what of the answer is for it. */
#ifndef STORE_NAMED_H
#define STORE_NAMED_H

#include "schema/schema.h"
#include "sys/resolve.h"

/* named_want - how to watch its name (resolve.h); those of one service with the same name and port share. The name is
 * borrowed from the row. Pure. */
struct resolve_want named_want(const struct server *r);
/* named_same - whether two versions of a row ask the same. */
bool named_same(const struct server *a, const struct server *b);
/* named_weight - weight of a server for which DNS says another (SRV): in percent of it, at least 1 unless it is 0. */
uint16_t named_weight(uint32_t weight, const struct resolve_place *p);

#endif
