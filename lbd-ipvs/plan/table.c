/* table.c - the kernel's IPVS table as values: order, equality, search, and the words that people see.
 *
 * Services and destinations stand in sorted arrays, so two tables are compared by walking them side by side and one
 * entry is found by halving. Equality follows what the kernel acts upon: the mask and timeout of persistence count only
 * where there is persistence, the tunnel's port and flags only where that tunnel has them; so a value that somebody's
 * tool left behind without effect is no difference.
 *
 * Nothing here knows where a table came from or what lbd wants of it. */
#include "plan/table.h"

#include "base/mem.h"

#include <linux/ip_vs.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#define ORDER(a, b)                                \
	do {                                       \
		if ((a) != (b))                    \
			return (a) < (b) ? -1 : 1; \
	} while (0)

/* By value of the host; the prefix length says nothing here. */
static int
addr_order(const struct addr *a, const struct addr *b)
{
	ORDER(a->family, b->family);
	return memcmp(a->b, b->b, sizeof(a->b));
}

int
key_compare(const struct ipvs_key *a, const struct ipvs_key *b)
{
	int order;

	ORDER(a->mark, b->mark);
	ORDER(a->family, b->family);
	if (a->mark != 0)
		return 0; /* the kernel finds it by mark and family */
	order = addr_order(&a->addr, &b->addr);
	if (order != 0)
		return order;
	ORDER(a->port, b->port);
	ORDER(a->protocol, b->protocol);
	return 0;
}

int
service_compare(const void *a, const void *b)
{
	const struct ipvs_service *x = a, *y = b;

	return key_compare(&x->key, &y->key);
}

static int
end_order(const struct ipvs_dest *d, const struct addr *a, uint16_t port)
{
	int order = addr_order(&d->addr, a);

	if (order != 0)
		return order;
	ORDER(d->port, port);
	return 0;
}

int
dest_compare(const void *a, const void *b)
{
	const struct ipvs_dest *y = b;

	return end_order(a, &y->addr, y->port);
}

bool
service_same(const struct ipvs_service *a, const struct ipvs_service *b)
{
	if (strncmp(a->scheduler, b->scheduler, IPVS_NAME) != 0 ||
	    strncmp(a->pe, b->pe, IPVS_NAME) != 0 || a->flags != b->flags)
		return false;
	if (!(a->flags & IP_VS_SVC_F_PERSISTENT))
		return true;
	return a->timeout_s == b->timeout_s && a->netmask == b->netmask;
}

static bool
tunnel_same(const struct ipvs_dest *a, const struct ipvs_dest *b)
{
	if (a->tunnel != b->tunnel)
		return false;
	if (a->tunnel == IP_VS_CONN_F_TUNNEL_TYPE_IPIP)
		return true;
	if (a->tunnel_flags != b->tunnel_flags)
		return false;
	return a->tunnel != IP_VS_CONN_F_TUNNEL_TYPE_GUE || a->tunnel_port == b->tunnel_port;
}

bool
dest_same(const struct ipvs_dest *a, const struct ipvs_dest *b)
{
	if (a->forward != b->forward || a->weight != b->weight || a->upper != b->upper ||
	    a->lower != b->lower)
		return false;
	return a->forward != IPVS_TUN || tunnel_same(a, b);
}

/* Where k is, or where it would stand. */
static uint32_t
service_place(const struct ipvs_table *t, const struct ipvs_key *k)
{
	uint32_t from = 0, to = t->n;

	while (from < to) {
		uint32_t mid = from + (to - from) / 2;

		if (key_compare(&t->service[mid].key, k) < 0)
			from = mid + 1;
		else
			to = mid;
	}
	return from;
}

struct ipvs_service *
table_find(const struct ipvs_table *t, const struct ipvs_key *k)
{
	uint32_t at = service_place(t, k);

	return at < t->n && key_compare(&t->service[at].key, k) == 0 ? &t->service[at] : NULL;
}

struct ipvs_dest *
service_find(const struct ipvs_service *s, const struct addr *a, uint16_t port)
{
	uint32_t from = 0, to = s->n;

	while (from < to) {
		uint32_t mid = from + (to - from) / 2;
		int order = end_order(&s->dest[mid], a, port);

		if (order == 0)
			return &s->dest[mid];
		if (order < 0)
			from = mid + 1;
		else
			to = mid;
	}
	return NULL;
}

void
service_copy(struct ipvs_service *out, const struct ipvs_service *s)
{
	*out = *s;
	out->dest = NULL;
	if (s->n == 0)
		return;
	out->dest = mem_alloc(s->n * sizeof(*out->dest));
	memcpy(out->dest, s->dest, s->n * sizeof(*out->dest));
}

void
table_add(struct ipvs_table *t, const struct ipvs_service *s)
{
	uint32_t at = service_place(t, &s->key);
	struct ipvs_service copy;

	service_copy(&copy, s);
	if (at < t->n && key_compare(&t->service[at].key, &s->key) == 0) {
		free(t->service[at].dest);
		t->service[at] = copy;
		return;
	}
	t->service = mem_grow(t->service, (t->n + 1) * sizeof(*t->service));
	memmove(&t->service[at + 1], &t->service[at], (t->n - at) * sizeof(*t->service));
	t->service[at] = copy;
	t->n++;
}

void
table_remove(struct ipvs_table *t, const struct ipvs_key *k)
{
	struct ipvs_service *s = table_find(t, k);

	if (s == NULL)
		return;
	free(s->dest);
	t->n--;
	memmove(s, s + 1, (size_t)(&t->service[t->n] - s) * sizeof(*s));
}

void
table_sort(struct ipvs_table *t)
{
	for (uint32_t i = 0; i < t->n; i++)
		if (t->service[i].n > 1)
			qsort(t->service[i].dest, t->service[i].n, sizeof(*t->service[i].dest),
			    dest_compare);
	if (t->n > 1)
		qsort(t->service, t->n, sizeof(*t->service), service_compare);
}

void
table_fini(struct ipvs_table *t)
{
	for (uint32_t i = 0; i < t->n; i++)
		free(t->service[i].dest);
	free(t->service);
	*t = (struct ipvs_table){ 0 };
}

static void
end_format(const struct addr *a, uint16_t port, char *out, size_t room)
{
	char host[ADDR_TEXT];

	addr_format(a, ADDR_HOST, host);
	(void)snprintf(out, room, a->family == 6 ? "[%s]:%u" : "%s:%u", host, port);
}

static const char *
protocol_word(uint8_t protocol)
{
	switch (protocol) {
	case IPPROTO_TCP: return "TCP";
	case IPPROTO_UDP: return "UDP";
	case IPPROTO_SCTP: return "SCTP";
	default: return "protocol?";
	}
}

void
key_format(const struct ipvs_key *k, char out[KEY_TEXT])
{
	char end[KEY_TEXT - 16];

	if (k->mark != 0) {
		(void)snprintf(out, KEY_TEXT, "FWM %u IPv%u", k->mark, k->family);
		return;
	}
	end_format(&k->addr, k->port, end, sizeof(end));
	(void)snprintf(out, KEY_TEXT, "%s %s", protocol_word(k->protocol), end);
}

void
dest_format(const struct ipvs_dest *d, char out[KEY_TEXT])
{
	end_format(&d->addr, d->port, out, KEY_TEXT);
}

void
scheduler_format(const struct ipvs_service *s, char out[KEY_TEXT])
{
	bool hash = strcmp(s->scheduler, "sh") == 0 || strcmp(s->scheduler, "mh") == 0;
	bool fallback = hash && (s->flags & IP_VS_SVC_F_SCHED_SH_FALLBACK) != 0;
	bool port = hash && (s->flags & IP_VS_SVC_F_SCHED_SH_PORT) != 0;

	(void)snprintf(out, KEY_TEXT, "%.*s%s%s%s%s%s", IPVS_NAME, s->scheduler,
	    fallback || port ? " (" : "", fallback ? "fallback" : "", fallback && port ? ", " : "",
	    port ? "port" : "", fallback || port ? ")" : "");
}

void
forward_format(const struct ipvs_dest *d, char out[KEY_TEXT])
{
	static const char *const word[] = { [IPVS_MASQ] = "Masq",
		[IPVS_LOCAL] = "Local",
		[IPVS_TUN] = "Tunnel",
		[IPVS_DR] = "Route" };
	const char *csum = d->tunnel_flags & IP_VS_TUNNEL_ENCAP_FLAG_REMCSUM ? " remcsum"
			   : d->tunnel_flags & IP_VS_TUNNEL_ENCAP_FLAG_CSUM  ? " csum"
									     : "";

	if (d->forward == IPVS_TUN && d->tunnel == IP_VS_CONN_F_TUNNEL_TYPE_GUE)
		(void)snprintf(out, KEY_TEXT, "Tunnel gue:%u%s", d->tunnel_port, csum);
	else if (d->forward == IPVS_TUN && d->tunnel == IP_VS_CONN_F_TUNNEL_TYPE_GRE)
		(void)snprintf(out, KEY_TEXT, "Tunnel gre%s", csum);
	else
		(void)snprintf(
		    out, KEY_TEXT, "%s", d->forward <= IPVS_DR ? word[d->forward] : "Bypass");
}
