/* What the rows of the schema cannot say: rules between fields, between objects, and with the addresses of this
 * node. Pure. Each rule names the object, the field, the value and what would do. Rules about one kind are one
 * function; the walk is over rows in order of id, and services with their servers, so that all of 100,000
 * servers cost a few milliseconds. */
#include "base/mem.h"
#include "base/must.h"
#include "store/snapshot_priv.h"
#include "sys/netlink.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define FEW_SERVERS 16 /* up to here each is compared with each, above they are sorted */

struct look {
	const struct snapshot *s;
	const struct iface_list *local;
	struct err *err;
};

/* An error about a field of a row. */
static int bad(struct look *l, unsigned kind, const void *row, const char *field, const char *fmt,
    ...) __attribute__((format(printf, 5, 6)));

static int
bad(struct look *l, unsigned kind, const void *row, const char *field, const char *fmt, ...)
{
	const struct object *o = object_of(kind);
	char object[200], path[160], text[400];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if ((o->flags & O_SINGLE) != 0)
		(void)snprintf(object, sizeof(object), "%s", o->name);
	else
		(void)snprintf(object, sizeof(object), "%s %s", o->name,
		    snapshot_path(l->s, kind, row_id(row), path));
	return err_field(l->err, ERR_INVALID, object, field, "%s", text);
}

/* Why no one can be served at, or be a server at, this address; NULL when it is an ordinary one. */
static const char *
no_host(const struct addr *a)
{
	static const uint8_t zero[16], ones[4] = { 255, 255, 255, 255 };
	size_t n = a->family == 4 ? 4 : 16;

	if (a->b[0] > 0 && a->b[0] < 0xe0)
		return NULL; /* nearly all */
	if (memcmp(a->b, zero, n) == 0)
		return "the unspecified address";
	if (a->family == 4 && memcmp(a->b, ones, n) == 0)
		return "the broadcast address";
	if ((a->family == 4 && (a->b[0] & 0xf0) == 0xe0) || (a->family == 6 && a->b[0] == 0xff))
		return "a multicast address";
	return NULL;
}

static int
check_address(struct look *l, unsigned kind, const void *row, const struct addr *a)
{
	char text[ADDR_TEXT];
	const char *why;

	if (a->family == 0)
		return bad(l, kind, row, "address", "is required");
	why = no_host(a);
	if (why == NULL)
		return 0;
	addr_format(a, ADDR_HOST, text);
	return bad(
	    l, kind, row, "address", "\"%s\" is %s; allowed is the address of one host", text, why);
}

/* S060: a floating address must be able to leave the node. */
static int
own_address(struct look *l, unsigned kind, const void *row, const struct iface_addr *at)
{
	char text[ADDR_TEXT];

	addr_format(&at->addr, ADDR_HOST, text);
	return bad(l, kind, row, "address",
	    "\"%s\" is the address of interface %s of this node; allowed is any that no interface has",
	    text, at->name);
}

static int
check_service(struct look *l, const struct service *s)
{
	int rc = check_address(l, KIND_service, s, &s->address);

	if (rc != 0)
		return rc;
	if (s->ports->n == 0)
		return bad(l, KIND_service, s, "ports", "is required");
	if (s->protocol == protocol_udp && service_layer(s) != 4)
		return bad(l, KIND_service, s, "protocol",
		    "\"udp\" is not possible in mode %s; allowed is tcp, or one of the modes dr, nat, tun",
		    word_text(&mode_list, s->mode));
	if ((s->persistence == persistence_cookie || s->persistence == persistence_app_cookie) &&
	    s->mode != mode_http)
		return bad(l, KIND_service, s, "persistence",
		    "\"%s\" is not possible in mode %s; allowed are none and source, or mode http",
		    word_text(&persistence_list, s->persistence), word_text(&mode_list, s->mode));
	if (s->check != 0 && snapshot_find(l->s, KIND_check, s->check) == NULL)
		return bad(l, KIND_service, s, "check", "the check it names does not exist");
	return 0;
}

static int
by_host(const struct host *a, const struct host *b)
{
	int cmp = memcmp(&a->addr, &b->addr, sizeof(a->addr));

	if (cmp != 0 || a->addr.family != 0)
		return cmp;
	return strcasecmp(a->text, b->text);
}

static int
by_place(const void *a, const void *b)
{
	const struct server *x = *(const void *const *)a, *y = *(const void *const *)b;

	return x->port != y->port ? (int)x->port - (int)y->port : by_host(&x->address, &y->address);
}

static int
same_place(struct look *l, const struct server *a, const struct server *b)
{
	const struct server *first = a->id < b->id ? a : b, *second = a->id < b->id ? b : a;

	return bad(l, KIND_server, second, "address",
	    "\"%s\" with port %u is rip %s already; allowed is any other address or port",
	    second->address.text, second->port, first->name);
}

static int
check_places(struct look *l, const struct kids *k)
{
	const void **sorted;
	int rc = 0;

	for (uint32_t i = 0; k->n <= FEW_SERVERS && i < k->n; i++) {
		const struct server *a = k->row[i];

		for (uint32_t j = 0; j < i; j++) {
			const struct server *b = k->row[j];

			if (a->port == b->port && by_host(&a->address, &b->address) == 0)
				return same_place(l, a, b);
		}
	}
	if (k->n <= FEW_SERVERS)
		return 0;
	sorted = mem_alloc(k->n * sizeof(*sorted));
	memcpy(sorted, k->row, k->n * sizeof(*sorted));
	qsort(sorted, k->n, sizeof(*sorted), by_place);
	for (uint32_t i = 1; rc == 0 && i < k->n; i++)
		if (by_place(&sorted[i - 1], &sorted[i]) == 0)
			rc = same_place(l, sorted[i - 1], sorted[i]);
	free(sorted);
	return rc;
}

static int
check_server(struct look *l, const struct service *s, const struct server *r)
{
	const struct addr *a = &r->address.addr;
	const char *why = a->family != 0 ? no_host(a) : NULL;

	if (r->address.text[0] == '\0')
		return bad(l, KIND_server, r, "address", "is required");
	if (why != NULL)
		return bad(l, KIND_server, r, "address",
		    "\"%s\" is %s; allowed is the address of one host", r->address.text, why);
	if (addr_same_host(a, &s->address) && (r->port == 0 || ranges_contain(s->ports, r->port)))
		return bad(l, KIND_server, r, "address",
		    "\"%s\" with port %u is its own virtual service, a loop; allowed is any other",
		    r->address.text, r->port);
	if (service_layer(s) == 4 && a->family == 0)
		return bad(l, KIND_server, r, "address",
		    "\"%s\" is a name, and mode %s is layer 4; allowed is an address",
		    r->address.text, word_text(&mode_list, s->mode));
	if (s->mode == mode_dr && a->family != s->address.family)
		return bad(l, KIND_server, r, "address",
		    "\"%s\" is IPv%d, and mode dr keeps the packet as it is; allowed is IPv%d like the "
		    "virtual service's",
		    r->address.text, a->family, s->address.family);
	if (r->check != 0 && snapshot_find(l->s, KIND_check, r->check) == NULL)
		return bad(l, KIND_server, r, "check", "the check it names does not exist");
	return 0;
}

static int
check_services(struct look *l)
{
	const struct table *svc = &l->s->t[KIND_service - 1], *srv = &l->s->t[KIND_server - 1];
	uint32_t servers = 0;
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < pages_count(svc->rows); i++) {
		const struct service *s = pages_at(svc->rows, i);
		const struct kids *k = pages_at(srv->kids, i);

		rc = check_service(l, s);
		if (k == NULL)
			continue;
		for (uint32_t j = 0; rc == 0 && j < k->n; j++)
			rc = check_server(l, s, k->row[j]);
		if (rc == 0)
			rc = check_places(l, k);
		servers += k->n;
	}
	for (uint32_t i = 0;
	     rc == 0 && servers < pages_count(srv->rows) && i < pages_count(srv->rows); i++) {
		const struct server *r = pages_at(srv->rows, i);

		if (snapshot_find(l->s, KIND_service, r->vip) == NULL)
			rc = bad(l, KIND_server, r, "vip", "the virtual service does not exist");
	}
	return rc;
}

/* A range of ports at an address. The key sorts as bytes: family, address, protocol, first port. */
#define SPAN_PLACE 18 /* bytes of the key before the port */
struct span {
	uint8_t key[SPAN_PLACE + 2];
	uint16_t lo, hi;
	const struct service *s;
};

static void
span_init(struct span *v, const struct service *s, uint16_t lo, uint16_t hi)
{
	*v = (struct span){ .lo = lo, .hi = hi, .s = s };
	v->key[0] = s->address.family;
	memcpy(v->key + 1, s->address.b, sizeof(s->address.b));
	v->key[SPAN_PLACE - 1] = s->protocol;
	v->key[SPAN_PLACE] = (uint8_t)(lo >> 8);
	v->key[SPAN_PLACE + 1] = (uint8_t)lo;
}

static int
by_span(const void *a, const void *b)
{
	const struct span *x = a, *y = b;
	int cmp = memcmp(x->key, y->key, sizeof(x->key));

	return cmp != 0 ? cmp : x->s->id < y->s->id ? -1 : x->s->id > y->s->id;
}

static int
overlap(struct look *l, const struct span *a, const struct span *b)
{
	const struct span *first = a->s->id < b->s->id ? a : b, *second = first == a ? b : a;
	char text[ADDR_TEXT];

	addr_format(&second->s->address, ADDR_HOST, text);
	return bad(l, KIND_service, second->s, "ports",
	    "%u-%u at %s is taken by vip %s (%s %u-%u); allowed are ports that no other has there",
	    second->lo, second->hi, text, first->s->name,
	    word_text(&protocol_list, first->s->protocol), first->lo, first->hi);
}

/* An enabled service and one that is not may not share a port either: enabling it would fail then. */
static int
check_overlaps(struct look *l, const struct span *v, uint32_t n)
{
	uint32_t widest = 0;

	for (uint32_t i = 1; i < n; i++) {
		bool same = memcmp(v[widest].key, v[i].key, SPAN_PLACE) == 0;

		if (same && v[i].lo <= v[widest].hi)
			return overlap(l, &v[widest], &v[i]);
		if (!same || v[i].hi > v[widest].hi)
			widest = i;
	}
	return 0;
}

static const struct service *
service_at(const struct span *v, uint32_t n, const struct addr *a)
{
	uint32_t lo = 0, hi = n;
	uint8_t key[sizeof(a->b) + 1] = { a->family };

	memcpy(key + 1, a->b, sizeof(a->b));
	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (memcmp(v[mid].key, key, sizeof(key)) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < n && addr_same_host(&v[lo].s->address, a) ? v[lo].s : NULL;
}

static int
check_spans(struct look *l)
{
	const struct pages *rows = l->s->t[KIND_service - 1].rows;
	uint32_t n = 0, cap = 0;
	struct span *v = NULL;
	int rc;

	for (uint32_t i = 0; i < pages_count(rows); i++) {
		const struct service *s = pages_at(rows, i);

		if (n + s->ports->n > cap) {
			cap = 2 * cap + s->ports->n;
			v = mem_grow(v, cap * sizeof(*v));
		}
		for (unsigned r = 0; r < s->ports->n; r++)
			span_init(&v[n++], s, s->ports->r[r].lo, s->ports->r[r].hi);
	}
	if (n > 0)
		qsort(v, n, sizeof(*v), by_span);
	rc = check_overlaps(l, v, n);
	for (unsigned i = 0; rc == 0 && l->local != NULL && i < l->local->n; i++) {
		const struct iface_addr *at = &l->local->a[i];
		const struct service *s = at->ours ? NULL : service_at(v, n, &at->addr);

		if (s != NULL)
			rc = own_address(l, KIND_service, s, at);
	}
	free(v);
	return rc;
}

/* An interface's name as the kernel takes it; "" is none. */
static int
check_interface(struct look *l, unsigned kind, const void *row, const char *name)
{
	for (const char *p = name; *p != '\0'; p++)
		if (*p == '/' || *p == ':' || *p <= ' ' || *p == 0x7f || strcmp(name, ".") == 0 ||
		    strcmp(name, "..") == 0)
			return bad(l, kind, row, "interface",
			    "\"%s\" cannot be the name of an interface; allowed are up to 15 characters "
			    "without space, slash and colon",
			    name);
	return 0;
}

static int
check_fips(struct look *l)
{
	const struct pages *rows = l->s->t[KIND_fip - 1].rows;
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < pages_count(rows); i++) {
		const struct fip *f = pages_at(rows, i);

		rc = check_address(l, KIND_fip, f, &f->address);
		if (rc == 0)
			rc = check_interface(l, KIND_fip, f, f->interface);
		for (unsigned k = 0; rc == 0 && l->local != NULL && k < l->local->n; k++)
			if (!l->local->a[k].ours &&
			    addr_same_host(&l->local->a[k].addr, &f->address))
				rc = own_address(l, KIND_fip, f, &l->local->a[k]);
	}
	return rc;
}

static int
check_check(struct look *l, const struct check *c)
{
	bool http = c->kind == probe_http;

	if (c->kind != probe_none && c->timeout > c->interval)
		return bad(l, KIND_check, c, "timeout",
		    "%u ms is longer than the interval of %u ms, and one probe is sent at a time; allowed is "
		    "up to the interval",
		    (unsigned)c->timeout, (unsigned)c->interval);
	if (c->path[0] != '/')
		return bad(l, KIND_check, c, "path",
		    "\"%s\" does not begin with a slash; allowed is /...", c->path);
	if (http && c->status->n == 0)
		return bad(l, KIND_check, c, "status", "is required; allowed is 100 to 599");
	if (!http && c->expect[0] != '\0')
		return bad(l, KIND_check, c, "expect",
		    "is not possible with kind %s; allowed is kind http",
		    word_text(&probe_list, c->kind));
	if (!http && c->reject[0] != '\0')
		return bad(l, KIND_check, c, "reject",
		    "is not possible with kind %s; allowed is kind http",
		    word_text(&probe_list, c->kind));
	if (http && c->method == method_HEAD && c->expect[0] != '\0')
		return bad(l, KIND_check, c, "expect",
		    "is not possible with method HEAD, which has no body; allowed are GET and OPTIONS");
	return 0;
}

static int
check_checks(struct look *l)
{
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < snapshot_count(l->s, KIND_check); i++)
		rc = check_check(l, snapshot_at(l->s, KIND_check, i));
	return rc;
}

/* Somebody must be able to log in and change things, once logging in is possible at all. A name stands in the
 * history, so it is either a person or a program. */
static int
check_users(struct look *l)
{
	const struct user *someone = NULL, *u;
	const struct token *t;
	bool admin = false;

	for (uint32_t i = 0; i < snapshot_count(l->s, KIND_user); i++) {
		u = snapshot_at(l->s, KIND_user, i);
		if (u->password == 0)
			continue;
		if (someone == NULL || u->role == role_admin)
			someone = u;
		admin = admin || (u->enabled && u->role == role_admin);
	}
	if (someone != NULL && !admin)
		return bad(l, KIND_user, someone, someone->role != role_admin ? "role" : "enabled",
		    "nobody could change the configuration any more; at least one user must be enabled, have "
		    "role admin and a password");
	for (uint32_t i = 0; i < snapshot_count(l->s, KIND_token); i++) {
		t = snapshot_at(l->s, KIND_token, i);
		if (snapshot_find_path(l->s, KIND_user, t->name) != NULL)
			return bad(l, KIND_token, t, "name",
			    "\"%s\" is a user already; allowed is any name that no user has",
			    t->name);
	}
	return 0;
}

static int
check_setting(struct look *l)
{
	const struct setting *g = snapshot_setting(l->s);

	if (g->http_port == g->https_port)
		return bad(l, KIND_setting, g, "http_port",
		    "%u is the HTTPS port too; allowed is any other port", g->http_port);
	if (g->session_idle > g->session_max)
		return bad(l, KIND_setting, g, "session_idle",
		    "%u ms is longer than session_max (%u ms); allowed is up to that",
		    (unsigned)g->session_idle, (unsigned)g->session_max);
	return 0;
}

int
snapshot_check(const struct snapshot *s, const struct iface_list *local, struct err *err)
{
	struct look l = { .s = s, .local = local, .err = err };
	int rc = check_setting(&l);

	if (rc == 0)
		rc = check_interface(&l, KIND_node, snapshot_node(s), snapshot_node(s)->interface);
	if (rc == 0)
		rc = check_checks(&l);
	if (rc == 0)
		rc = check_fips(&l);
	if (rc == 0)
		rc = check_services(&l);
	if (rc == 0)
		rc = check_spans(&l);
	return rc != 0 ? rc : check_users(&l);
}
