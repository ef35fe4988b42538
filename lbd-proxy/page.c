/* The fallback page: when it is wanted, and the two services that it is. Pure but for memory. They are ordinary services of
 * mode http to the rest of lbd-proxy, on every address of the node, so whatever address lbd-ipvs names will do; without
 * servers each request is answered here, and control.c marks their views so that the answer is the page. */
#include "page.h"

#include "base/arena.h"
#include "base/mem.h"

#include <string.h>

/* A port of the node, or 0. */
static uint16_t
wanted(const struct snapshot *s)
{
	for (uint32_t i = 0; i < snapshot_count(s, KIND_service); i++) {
		const struct service *v = snapshot_at(s, KIND_service, i);

		if (v->enabled && v->fallback_page && service_layer(v) == 4)
			return snapshot_setting(s)->sorry_port;
	}
	return 0;
}

static void
fill(struct page *p, unsigned i, uint16_t port)
{
	static const struct addr any[PAGES] = { { .family = 4, .len = 32 },
		{ .family = 6, .len = 128 } };
	struct ranges *r = arena_alloc(p->arena, sizeof(*r) + sizeof(r->r[0]));
	struct service *s = &p->row[i];

	*s = (struct service){ .id = PAGE_ID + i };
	object_defaults(object_of(KIND_service), p->arena, s);
	r->n = 1;
	r->r[0].lo = r->r[0].hi = port;
	s->name = "fallback page";
	s->address = any[i];
	s->ports = r;
	s->mode = mode_http;
}

bool
page_set(struct page *p, const struct snapshot *s)
{
	uint16_t port = wanted(s);

	if (port == (p->on ? p->row[0].ports->r[0].lo : 0))
		return false;
	page_fini(p);
	p->on = port != 0;
	if (!p->on)
		return true;
	p->arena = arena_new(4096);
	for (unsigned i = 0; i < PAGES; i++)
		fill(p, i, port);
	return true;
}

const struct service *
page_row(const struct page *p, uint32_t id)
{
	return p->on && id >= PAGE_ID ? &p->row[id - PAGE_ID] : NULL;
}

void
page_fini(struct page *p)
{
	arena_unref(p->arena);
	*p = (struct page){ 0 };
}
