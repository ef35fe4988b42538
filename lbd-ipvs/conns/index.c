/* From what the kernel shows of a connection to the rows of the configuration.
 *
 * The service is found by protocol, virtual address and port in one sorted table of single addresses; networks and
 * ranges of addresses stand in a second, which is walked back from the last one that begins before the address. A
 * template of a service by mark is found by the mark. What is found by neither (an FTP data connection has a port of its
 * own; a service by the user's own mark may take packets for any address) is looked for from the other end: the server's
 * address, when all services that have it and the protocol and, if one has, the virtual address are one and the same.
 *
 * The server is one of that service with the same address; when several are, the one with the port.
 *
 * Two services never share an address, port and protocol: the store refuses it. */
#include "conns/index.h"
#include "plan/want.h"

#include "base/mem.h"

#include <netinet/in.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct place {			  /* a service by address */
	struct addr lo, hi, most; /* most: the highest hi up to here, of ranges */
	uint8_t protocol;
	uint16_t port_lo, port_hi;
	uint32_t service;
};
struct marked {
	uint32_t mark, service;
};
struct real {
	struct addr addr;
	uint32_t service, server;
	uint16_t port;
};

struct index {
	atomic_uint refs;
	struct snapshot *s;
	uint32_t singles_n, ranges_n, marks_n, reals_n;
	struct place *single, *range;
	struct marked *mark;
	struct real *real;
};

static int
compare_addr(const struct addr *a, const struct addr *b)
{
	return memcmp(a, b, sizeof(*a)); /* family first, then the bytes in network order */
}

static int
by_place(const void *va, const void *vb)
{
	const struct place *a = va, *b = vb;
	int c = compare_addr(&a->lo, &b->lo);

	if (c == 0)
		c = (int)a->protocol - b->protocol;
	return c != 0 ? c : (int)a->port_lo - b->port_lo;
}

static int
by_mark(const void *va, const void *vb)
{
	const struct marked *a = va, *b = vb;

	return a->mark < b->mark ? -1 : a->mark > b->mark;
}

static int
by_real(const void *va, const void *vb)
{
	const struct real *a = va, *b = vb;
	int c = compare_addr(&a->addr, &b->addr);

	if (c == 0)
		c = a->service < b->service ? -1 : a->service > b->service;
	return c != 0 ? c : (int)a->port - b->port;
}

/* Protocols of a service; returns how many. */
static unsigned
protocols_of(const struct service *s, uint8_t out[2])
{
	switch (s->protocol) {
	case protocol_udp: out[0] = IPPROTO_UDP; return 1;
	case protocol_sctp: out[0] = IPPROTO_SCTP; return 1;
	case protocol_tcp_udp:
		out[0] = IPPROTO_TCP;
		out[1] = IPPROTO_UDP;
		return 2;
	default: out[0] = IPPROTO_TCP; return 1;
	}
}

static bool
takes_protocol(const struct service *s, uint8_t protocol)
{
	uint8_t p[2];
	unsigned n = protocols_of(s, p);

	return p[0] == protocol || (n == 2 && p[1] == protocol);
}

static void
add_places(struct index *ix, const struct service *s, const struct addr *lo, const struct addr *hi)
{
	bool single = compare_addr(lo, hi) == 0;
	struct place **table = single ? &ix->single : &ix->range;
	uint32_t *n = single ? &ix->singles_n : &ix->ranges_n;
	uint8_t protocol[2];
	unsigned protocols = protocols_of(s, protocol);

	*table = mem_grow(*table, (*n + (size_t)protocols * s->ports->n) * sizeof(**table));
	for (unsigned p = 0; p < protocols; p++)
		for (unsigned r = 0; r < s->ports->n; r++)
			(*table)[(*n)++] = (struct place){ .lo = *lo,
				.hi = *hi,
				.protocol = protocol[p],
				.port_lo = s->ports->r[r].lo,
				.port_hi = s->ports->r[r].hi,
				.service = s->id };
}

static void
add_service(struct index *ix, const struct service *s)
{
	const struct addrs *more = s->more_addresses;
	uint32_t mark = want_mark(s), n;
	const void *const *row = snapshot_children(ix->s, KIND_server, s->id, &n);

	add_places(ix, s, &s->address, &s->address);
	for (unsigned i = 0; more != NULL && i < more->n; i++)
		add_places(ix, s, &more->r[i].lo, &more->r[i].hi);
	if (mark != 0) {
		ix->mark = mem_grow(ix->mark, (ix->marks_n + 1) * sizeof(*ix->mark));
		ix->mark[ix->marks_n++] = (struct marked){ mark, s->id };
	}
	ix->real = mem_grow(ix->real, (ix->reals_n + n + 1) * sizeof(*ix->real));
	for (uint32_t i = 0; i < n; i++) {
		const struct server *srv = row[i];

		if (srv->address.addr.family != 0)
			ix->real[ix->reals_n++] = (struct real){ .addr = srv->address.addr,
				.service = s->id,
				.server = srv->id,
				.port = srv->port };
	}
}

static void
sort(void *p, uint32_t n, size_t size, int (*compare)(const void *, const void *))
{
	if (n > 1)
		qsort(p, n, size, compare);
}

struct index *
index_new(struct snapshot *s)
{
	struct index *ix = mem_alloc(sizeof(*ix));
	uint32_t n = snapshot_count(s, KIND_service);

	ix->s = snapshot_ref(s);
	atomic_init(&ix->refs, 1);
	for (uint32_t i = 0; i < n; i++) {
		const struct service *svc = snapshot_at(s, KIND_service, i);

		if (service_layer(svc) == 4)
			add_service(ix, svc);
	}
	sort(ix->single, ix->singles_n, sizeof(*ix->single), by_place);
	sort(ix->range, ix->ranges_n, sizeof(*ix->range), by_place);
	sort(ix->mark, ix->marks_n, sizeof(*ix->mark), by_mark);
	sort(ix->real, ix->reals_n, sizeof(*ix->real), by_real);
	for (uint32_t i = 0; i < ix->ranges_n; i++) {
		const struct addr *before = i > 0 ? &ix->range[i - 1].most : &ix->range[i].hi;

		ix->range[i].most =
		    compare_addr(before, &ix->range[i].hi) > 0 ? *before : ix->range[i].hi;
	}
	return ix;
}

struct index *
index_ref(struct index *ix)
{
	(void)atomic_fetch_add(&ix->refs, 1);
	return ix;
}

void
index_unref(struct index *ix)
{
	if (ix == NULL || atomic_fetch_sub(&ix->refs, 1) != 1)
		return;
	snapshot_unref(ix->s);
	free(ix->single);
	free(ix->range);
	free(ix->mark);
	free(ix->real);
	free(ix);
}

struct snapshot *
index_snapshot(const struct index *ix)
{
	return ix->s;
}

/* How many places of the table do not come after the key. */
static uint32_t
up_to(const struct place *table, uint32_t n, const struct place *key,
    int (*compare)(const void *, const void *))
{
	uint32_t lo = 0, hi = n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (compare(&table[mid], key) <= 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static int
by_lo(const void *va, const void *vb)
{
	return compare_addr(&((const struct place *)va)->lo, &((const struct place *)vb)->lo);
}

static bool
holds(const struct place *p, const struct place *key)
{
	return p->protocol == key->protocol && key->port_lo >= p->port_lo &&
	       key->port_lo <= p->port_hi && compare_addr(&p->lo, &key->lo) <= 0 &&
	       compare_addr(&p->hi, &key->lo) >= 0;
}

static uint32_t
by_address(const struct index *ix, const struct entry *e)
{
	const struct place key = {
		.lo = e->virtual, .protocol = e->protocol, .port_lo = e->virtual_port
	};
	uint32_t at = up_to(ix->single, ix->singles_n, &key, by_place);

	if (at > 0 && holds(&ix->single[at - 1], &key))
		return ix->single[at - 1].service;
	at = up_to(ix->range, ix->ranges_n, &key, by_lo);
	for (; at > 0 && compare_addr(&ix->range[at - 1].most, &key.lo) >= 0; at--)
		if (holds(&ix->range[at - 1], &key))
			return ix->range[at - 1].service;
	return 0;
}

static uint32_t
by_its_mark(const struct index *ix, uint32_t mark)
{
	const struct marked key = { .mark = mark };
	const struct marked *m =
	    ix->marks_n == 0 ? NULL
			     : bsearch(&key, ix->mark, ix->marks_n, sizeof(*ix->mark), by_mark);

	return m != NULL ? m->service : 0;
}

/* Where the servers with this address begin, of this service or of any (0). */
static uint32_t
first_real(const struct index *ix, const struct addr *a, uint32_t service)
{
	const struct real key = { .addr = *a, .service = service };
	uint32_t lo = 0, hi = ix->reals_n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (by_real(&ix->real[mid], &key) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static bool
has_address(const struct service *s, const struct addr *a)
{
	return addr_same_host(&s->address, a) || addrs_contain(s->more_addresses, a);
}

static uint32_t
by_server(const struct index *ix, const struct entry *e)
{
	uint32_t found[2] = { 0, 0 }; /* that have the virtual address; that only have a mark */
	bool several[2] = { false, false };

	for (uint32_t i = first_real(ix, &e->real, 0);
	     i < ix->reals_n && compare_addr(&ix->real[i].addr, &e->real) == 0; i++) {
		const struct service *s = snapshot_find(ix->s, KIND_service, ix->real[i].service);
		unsigned rank;

		if (s == NULL || !takes_protocol(s, e->protocol))
			continue;
		rank = has_address(s, &e->virtual) ? 0 : 1;
		if (rank == 1 && s->mark == 0)
			continue;
		several[rank] |= found[rank] != 0 && found[rank] != s->id;
		found[rank] = s->id;
	}
	if (found[0] != 0)
		return several[0] ? 0 : found[0];
	return several[1] ? 0 : found[1];
}

void
index_find(
    const struct index *ix, const struct entry *e, uint32_t *service_out, uint32_t *server_out)
{
	uint32_t service = e->protocol == IPPROTO_IP ? by_its_mark(ix, e->mark) : by_address(ix, e);

	if (service == 0 && e->protocol != IPPROTO_IP)
		service = by_server(ix, e);
	*service_out = service;
	*server_out = 0;
	if (service == 0)
		return;
	for (uint32_t i = first_real(ix, &e->real, service); i < ix->reals_n; i++) {
		const struct real *r = &ix->real[i];

		if (r->service != service || compare_addr(&r->addr, &e->real) != 0)
			break;
		if (*server_out == 0 || r->port == e->real_port)
			*server_out = r->server;
	}
}
