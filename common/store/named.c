/* Servers by name, for lbd-check and lbd-proxy alike: both must take the same server for the same place. */
#include "store/named.h"

#include <string.h>

_Static_assert((int)resolution_first == (int)RESOLVE_FIRST &&
		   (int)resolution_each == (int)RESOLVE_EACH &&
		   (int)resolution_srv == (int)RESOLVE_SRV,
    "words of the schema are the kinds of resolve.h");

struct resolve_want
named_want(const struct server *r)
{
	return (struct resolve_want){ .name = r->address.text,
		.kind = (enum resolve_kind)r->resolve,
		.group = (uint64_t)r->vip << 16 | r->port,
		.key = r->id };
}

bool
named_same(const struct server *a, const struct server *b)
{
	return strcmp(a->address.text, b->address.text) == 0 && a->resolve == b->resolve &&
	       (a->resolve == resolution_first || (a->vip == b->vip && a->port == b->port));
}

uint16_t
named_weight(uint32_t weight, const struct resolve_place *p)
{
	uint64_t w = (uint64_t)weight * p->weight / 100;

	if (p->host[0] == '\0') /* no SRV */
		w = weight;
	else if (w == 0 && weight > 0)
		w = 1;
	return (uint16_t)(w < UINT16_MAX ? w : UINT16_MAX);
}
