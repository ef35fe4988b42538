/* Who is where: no two services, rules of translation or fallback pages may take packets for one address, protocol
 * and port, and no two services of a family one firewall mark. Pure.
 *
 * A place is a range of addresses and a range of ports of a protocol. Places of the same addresses and protocol are
 * one group, in order of their ports, so that one look at the neighbour tells whether two overlap. Groups are walked
 * in the order of their first addresses; those whose last address is not yet passed are compared with the one in
 * hand, port by port, by binary search. So single addresses cost a sort, and a range of 1,024 addresses costs as much
 * as one of them.
 *
 * An enabled service and one that is not may not share a place either: enabling it would fail then. */
#include "store/object_checks_priv.h"

#include "base/mem.h"
#include "base/must.h"

#include <stdlib.h>
#include <string.h>

/* What a group is of; a page meets TCP only, and pages never each other. */
enum { PLACE_TCP = 1, PLACE_UDP = 2, PLACE_SCTP = 4, PLACE_PAGE = 8 };

/* The key sorts as bytes: family, first and last address, protocol, first port. */
#define KEY_ADDRESS 33 /* bytes of family and addresses */
#define KEY_GROUP 34   /* and protocol */
struct place {
	uint8_t key[KEY_GROUP + 2];
	uint16_t lo, hi;
	uint8_t kind; /* of row: a service or a rule of translation */
	const void *row;
};
struct group {
	uint32_t first, end; /* places */
};
struct walk {
	struct look *l;
	uint32_t n, cap, groups_n, open_n;
	struct place *v;
	struct group *groups;
	uint32_t *open; /* groups whose last address is not passed yet */
};

static void
add(struct walk *w, const struct place *like, const struct addr_range *r, uint8_t what)
{
	struct place *p;

	if (w->n == w->cap) {
		w->cap = 2 * w->cap + 64;
		w->v = mem_grow(w->v, w->cap * sizeof(*w->v));
	}
	p = &w->v[w->n++];
	*p = *like;
	p->key[0] = r->lo.family;
	memcpy(p->key + 1, r->lo.b, sizeof(r->lo.b));
	memcpy(p->key + 17, r->hi.b, sizeof(r->hi.b));
	p->key[KEY_GROUP - 1] = what;
	p->key[KEY_GROUP] = (uint8_t)(p->lo >> 8);
	p->key[KEY_GROUP + 1] = (uint8_t)p->lo;
}

static unsigned
protocols(unsigned protocol)
{
	switch (protocol) {
	case protocol_udp: return PLACE_UDP;
	case protocol_sctp: return PLACE_SCTP;
	case protocol_tcp_udp: return PLACE_TCP | PLACE_UDP;
	default: return PLACE_TCP;
	}
}

/* Packets of a mark are chosen by rules of the user's own, so it takes no port; its fallback page does. */
static void
add_range(struct walk *w, const struct service *s, const struct addr_range *r)
{
	struct place p = { .kind = KIND_service, .row = s };
	unsigned of = protocols(s->protocol);

	for (unsigned i = 0; s->mark == 0 && i < s->ports->n; i++) {
		p.lo = s->ports->r[i].lo;
		p.hi = s->ports->r[i].hi;
		for (uint8_t what = PLACE_TCP; what < PLACE_PAGE; what = (uint8_t)(what << 1))
			if ((of & what) != 0)
				add(w, &p, r, what);
	}
	p.lo = p.hi = snapshot_setting(w->l->s)->sorry_port;
	if (s->fallback_page)
		add(w, &p, r, PLACE_PAGE);
}

static void
add_service(struct walk *w, const struct service *s)
{
	const struct addrs *more = s->more_addresses;

	if (s->address.family == 0)
		return;
	add_range(w, s, &(struct addr_range){ s->address, s->address });
	for (unsigned i = 0; more != NULL && i < more->n; i++)
		add_range(w, s, &more->r[i]);
}

static void
add_natrule(struct walk *w, const struct natrule *r)
{
	const struct addr_range at = { r->outside, r->outside };
	struct place p = { .kind = KIND_natrule, .row = r };
	bool every = r->ports == NULL || r->ports->n == 0;

	if (r->kind != nat_kind_dnat && r->kind != nat_kind_both)
		return;
	for (unsigned i = 0; every ? i < 1 : i < r->ports->n; i++) {
		p.lo = every ? 0 : r->ports->r[i].lo;
		p.hi = every ? UINT16_MAX : r->ports->r[i].hi;
		if (r->protocol != nat_protocol_udp)
			add(w, &p, &at, PLACE_TCP);
		if (r->protocol != nat_protocol_tcp)
			add(w, &p, &at, PLACE_UDP);
		if (r->protocol == nat_protocol_any)
			add(w, &p, &at, PLACE_SCTP);
	}
}

static int
by_key(const void *a, const void *b)
{
	const struct place *x = a, *y = b;
	int cmp = memcmp(x->key, y->key, sizeof(x->key));
	uint32_t i, j;

	if (cmp != 0)
		return cmp;
	if (x->kind != y->kind)
		return (int)x->kind - (int)y->kind;
	i = row_id(x->row);
	j = row_id(y->row);
	return i < j ? -1 : i > j;
}

static const char *
what_text(const struct place *p)
{
	switch (p->key[KEY_GROUP - 1]) {
	case PLACE_UDP: return "udp";
	case PLACE_SCTP: return "sctp";
	default: return "tcp";
	}
}

/* The first address that both have. */
static void
where(const struct place *a, const struct place *b, char out[ADDR_TEXT])
{
	const struct place *later = memcmp(a->key + 1, b->key + 1, 16) > 0 ? a : b;
	struct addr at = { .family = later->key[0], .len = later->key[0] == 4 ? 32 : 128 };

	memcpy(at.b, later->key + 1, sizeof(at.b));
	addr_format(&at, ADDR_HOST, out);
}

static int
page_taken(struct look *l, const struct place *page, const struct place *other)
{
	const struct object *o = object_of(other->kind);
	char path[160], at[ADDR_TEXT];

	where(page, other, at);
	return look_bad(l, page->kind, page->row, "fallback_page",
	    "the page is served at %s port %u (setting sorry_port), which %s %s takes (%u-%u); allowed is a "
	    "sorry_port that none takes there",
	    at, page->lo, o->name, snapshot_path(l->s, o->kind, row_id(other->row), path),
	    other->lo, other->hi);
}

static int
overlap(struct look *l, const struct place *a, const struct place *b)
{
	bool swap = a->kind != b->kind ? a->kind > b->kind : row_id(a->row) > row_id(b->row);
	const struct place *first = swap ? b : a, *second = swap ? a : b;
	const struct object *o = object_of(first->kind);
	char path[160], at[ADDR_TEXT];

	if (a->key[KEY_GROUP - 1] == PLACE_PAGE)
		return page_taken(l, a, b);
	if (b->key[KEY_GROUP - 1] == PLACE_PAGE)
		return page_taken(l, b, a);
	where(first, second, at);
	return look_bad(l, second->kind, second->row, "ports",
	    "%u-%u at %s is taken by %s %s (%s %u-%u); allowed are ports that no other has there",
	    second->lo, second->hi, at, o->name,
	    snapshot_path(l->s, o->kind, row_id(first->row), path), what_text(first), first->lo,
	    first->hi);
}

/* Places of one group lie side by side, or two of them overlap. Pages of several services are one and the same. */
static int
check_group(struct walk *w, const struct group *g)
{
	if (w->v[g->first].key[KEY_GROUP - 1] == PLACE_PAGE)
		return 0;
	for (uint32_t i = g->first + 1; i < g->end; i++)
		if (w->v[i].lo <= w->v[i - 1].hi)
			return overlap(w->l, &w->v[i - 1], &w->v[i]);
	return 0;
}

/* The place of a group that holds a port from lo to hi; NULL. Places of a group do not overlap, but for pages. */
static const struct place *
place_in(const struct walk *w, const struct group *g, const struct place *p)
{
	uint32_t lo = g->first, hi = g->end;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (w->v[mid].hi < p->lo)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < g->end && w->v[lo].lo <= p->hi ? &w->v[lo] : NULL;
}

/* Two groups that share an address. */
static int
check_pair(struct walk *w, const struct group *a, const struct group *b)
{
	uint8_t x = w->v[a->first].key[KEY_GROUP - 1], y = w->v[b->first].key[KEY_GROUP - 1];
	const struct group *few = a->end - a->first < b->end - b->first ? a : b,
			   *many = few == a ? b : a;

	if (x == y ? x == PLACE_PAGE : (x | y) != (PLACE_TCP | PLACE_PAGE))
		return 0;
	for (uint32_t i = few->first; i < few->end; i++) {
		const struct place *p = place_in(w, many, &w->v[i]);

		if (p != NULL)
			return overlap(w->l, p, &w->v[i]);
	}
	return 0;
}

/* The group in hand against all that began before and reach it. */
static int
check_open(struct walk *w, uint32_t at)
{
	const struct group *g = &w->groups[at];
	const uint8_t *key = w->v[g->first].key;
	uint32_t kept = 0;
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < w->open_n; i++) {
		const struct group *o = &w->groups[w->open[i]];
		const uint8_t *other = w->v[o->first].key;

		if (other[0] != key[0] || memcmp(other + 17, key + 1, 16) < 0)
			continue;
		w->open[kept++] = w->open[i];
		rc = check_pair(w, o, g);
	}
	w->open_n = kept;
	w->open[w->open_n++] = at;
	return rc;
}

static int
check_walk(struct walk *w)
{
	int rc = 0;

	if (w->n == 0)
		return 0;
	qsort(w->v, w->n, sizeof(*w->v), by_key);
	w->groups = mem_alloc(w->n * sizeof(*w->groups));
	w->open = mem_alloc(w->n * sizeof(*w->open));
	for (uint32_t i = 0; i < w->n; i++) {
		if (i == 0 || memcmp(w->v[i - 1].key, w->v[i].key, KEY_GROUP) != 0)
			w->groups[w->groups_n++].first = i;
		w->groups[w->groups_n - 1].end = i + 1;
	}
	for (uint32_t i = 0; rc == 0 && i < w->groups_n; i++) {
		rc = check_group(w, &w->groups[i]);
		if (rc == 0)
			rc = check_open(w, i);
	}
	return rc;
}

/* ---- marks -------------------------------------------------------------------------------- */

static bool
shares_family(const struct service *a, const struct service *b)
{
	const struct addrs *more = a->more_addresses;

	if (a->address.family == b->address.family)
		return true;
	for (unsigned i = 0; more != NULL && i < more->n; i++)
		if (more->r[i].lo.family == b->address.family)
			return true;
	more = b->more_addresses;
	for (unsigned i = 0; more != NULL && i < more->n; i++)
		if (more->r[i].lo.family == a->address.family)
			return true;
	return false;
}

static int
by_mark(const void *a, const void *b)
{
	const struct service *x = *(const void *const *)a, *y = *(const void *const *)b;

	if (x->mark != y->mark)
		return x->mark < y->mark ? -1 : 1;
	return x->id < y->id ? -1 : x->id > y->id;
}

static int
check_marks(struct look *l, const struct service **v, uint32_t n)
{
	if (n > 1)
		qsort(v, n, sizeof(*v), by_mark);
	for (uint32_t i = 1; i < n; i++)
		for (uint32_t j = i; j > 0 && v[j - 1]->mark == v[i]->mark; j--)
			if (shares_family(v[j - 1], v[i]))
				return look_bad(l, KIND_service, v[i], "mark",
				    "%u is the mark of vip %s; allowed is a mark that no other has",
				    (unsigned)v[i]->mark, v[j - 1]->name);
	return 0;
}

int
check_places(struct look *l)
{
	const struct pages *rows = l->s->t[KIND_service - 1].rows;
	uint32_t count = pages_count(rows), marked = 0;
	const struct service **marks = mem_alloc((count + 1) * sizeof(*marks));
	struct walk w = { .l = l };
	int rc;

	for (uint32_t i = 0; i < count; i++) {
		const struct service *s = pages_at(rows, i);

		add_service(&w, s);
		if (s->mark != 0)
			marks[marked++] = s;
	}
	for (uint32_t i = 0; i < snapshot_count(l->s, KIND_natrule); i++)
		add_natrule(&w, snapshot_at(l->s, KIND_natrule, i));
	rc = check_walk(&w);
	if (rc == 0)
		rc = check_marks(l, marks, marked);
	free(w.v);
	free(w.groups);
	free(w.open);
	free(marks);
	return rc;
}
