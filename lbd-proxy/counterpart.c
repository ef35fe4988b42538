/* Servers are the same when their addresses are: as addresses, or as names that are spelled alike. Ports differ between a
 * service of port 80 and one of 443, so they only decide among several servers of one address. */
#include "counterpart.h"

#include "base/mem.h"

#include "http/cookie.h"
#include "pool/sticky.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

const struct service *
counterpart_table(const struct snapshot *s, const struct service *row)
{
	const struct service *other = NULL;

	if (row->persist_with != NULL && row->persist_with[0] != '\0')
		other = snapshot_find_path(s, KIND_service, row->persist_with);
	return other != NULL ? other : row;
}

void
counterpart_mark(const struct snapshot *s, struct idmap *services)
{
	for (uint32_t i = 0; i < snapshot_count(s, KIND_service); i++) {
		const struct service *row = snapshot_at(s, KIND_service, i);

		if (row->persist_with[0] != '\0' &&
		    idmap_get(services, counterpart_table(s, row)->id) != NULL)
			idmap_put(services, row->id, services);
	}
}

static int
by_host(const struct host *a, const struct host *b)
{
	int cmp = (int)a->addr.family - (int)b->addr.family;

	if (cmp != 0)
		return cmp;
	return a->addr.family != 0 ? memcmp(a->addr.b, b->addr.b, sizeof(a->addr.b))
				   : strcasecmp(a->text, b->text);
}

static int
by_place(const void *a, const void *b)
{
	const struct server *x = *(const struct server *const *)a,
			    *y = *(const struct server *const *)b;
	int cmp = by_host(&x->address, &y->address);

	return cmp != 0 ? cmp : (x->id > y->id) - (x->id < y->id);
}

void
counterpart_init(struct counterpart *c, const struct snapshot *s, const struct service *row)
{
	const void *const *child;

	*c = (struct counterpart){ .table = counterpart_table(s, row) };
	c->shared = c->table != row;
	if (!c->shared)
		return;
	child = snapshot_children(s, KIND_server, c->table->id, &c->n);
	c->v = mem_alloc((c->n + 1) * sizeof(*c->v));
	for (uint32_t i = 0; i < c->n; i++)
		c->v[i] = child[i];
	qsort(c->v, c->n, sizeof(*c->v), by_place);
}

void
counterpart_fini(struct counterpart *c)
{
	free(c->v);
	c->v = NULL;
}

/* The first that is not before this address. */
static uint32_t
first_at(const struct counterpart *c, const struct host *h)
{
	uint32_t lo = 0, hi = c->n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (by_host(&c->v[mid]->address, h) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

uint32_t
counterpart_of(const struct counterpart *c, const struct server *r)
{
	uint32_t found = STICKY_NOBODY;

	if (!c->shared)
		return r->id;
	for (uint32_t i = first_at(c, &r->address);
	     i < c->n && by_host(&c->v[i]->address, &r->address) == 0; i++) {
		if (c->v[i]->port == r->port)
			return c->v[i]->id;
		if (found == STICKY_NOBODY)
			found = c->v[i]->id;
	}
	return found;
}

uint64_t
counterpart_token(
    const struct counterpart *c, const struct service *row, const struct server *r, uint32_t who)
{
	const char *route = r->route != NULL && r->route[0] != '\0' ? r->route : r->name;

	if (row->persistence == persistence_route)
		return sticky_route(route, strlen(route));
	return c->shared && who != STICKY_NOBODY ? cookie_token(c->table->id, who) : 0;
}
