/* Rules of services with their servers: what a layer can do, how many ports, no server twice, and services of one
 * address in one group. */
#include "store/object_checks_priv.h"

#include "base/mem.h"
#include "base/must.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define L7_PORTS_MAX 1024 /* of one service */
#define FEW_SERVERS 16	  /* up to here each is compared with each, above they are sorted */

/* Modes in which a scheduler chooses, a bit each. */
#define MODES_L7 (1u << mode_http | 1u << mode_tcp)
#define MODES_L4 (1u << mode_dr | 1u << mode_nat | 1u << mode_tun | 1u << mode_snat)
static unsigned
in_modes(unsigned scheduler)
{
	switch (scheduler) {
	case scheduler_wlc:
	case scheduler_wrr:
	case scheduler_rr:
	case scheduler_lc:
	case scheduler_sh:
	case scheduler_twos: return MODES_L7 | MODES_L4;
	case scheduler_first:
	case scheduler_least_time: return MODES_L7;
	case scheduler_path:
	case scheduler_uri:
	case scheduler_url_param:
	case scheduler_header: return 1u << mode_http;
	case scheduler_rdp_cookie: return 1u << mode_tcp;
	default: return MODES_L4;
	}
}

static int
bad_scheduler(struct look *l, const struct service *s)
{
	struct buf can = { 0 }, modes = { 0 };
	int rc;

	for (unsigned i = 0; i < scheduler_list.n; i++)
		if ((in_modes((unsigned)scheduler_list.w[i].number) & 1u << s->mode) != 0)
			buf_printf(&can, "%s%s", can.len > 0 ? ", " : "", scheduler_list.w[i].text);
	for (unsigned i = 0; i < mode_list.n; i++)
		if ((in_modes(s->scheduler) & 1u << mode_list.w[i].number) != 0)
			buf_printf(&modes, "%s%s", modes.len > 0 ? ", " : "", mode_list.w[i].text);
	rc = look_bad(l, KIND_service, s, "scheduler",
	    "\"%s\" is not possible in mode %s; allowed are %s, or one of the modes %s",
	    word_text(&scheduler_list, s->scheduler), word_text(&mode_list, s->mode),
	    buf_text(&can), buf_text(&modes));
	buf_fini(&can);
	buf_fini(&modes);
	return rc;
}

/* FTP is read as it is said, and its data connections have nothing but data. */
static int
check_ftp(struct look *l, const struct service *s)
{
	if (!s->ftp && s->ftp_ports->n > 0)
		return look_bad(l, KIND_service, s, "ftp_ports",
		    "is not possible without ftp; unset ftp_ports, or set ftp=yes");
	if (!s->ftp)
		return 0;
	if (s->mode != mode_tcp)
		return look_bad(l, KIND_service, s, "ftp",
		    "\"yes\" is not possible in mode %s; allowed is no, or mode tcp",
		    word_text(&mode_list, s->mode));
	if (s->tls != 0 || s->server_tls != server_tls_off)
		return look_bad(l, KIND_service, s, "ftp",
		    "\"yes\" is not possible with %s: its data connections are not encrypted; allowed is no, or no %s",
		    s->tls != 0 ? "tls" : "server_tls", s->tls != 0 ? "tls" : "server_tls");
	if (s->proxy_to != proxy_to_off)
		return look_bad(l, KIND_service, s, "ftp",
		    "\"yes\" is not possible with proxy_to: a data connection has no room for a header; allowed "
		    "is no, or proxy_to off");
	if (s->ftp_ports->n > 1)
		return look_bad(l, KIND_service, s, "ftp_ports",
		    "has %u ranges; allowed is one, as 50000-50999", s->ftp_ports->n);
	return 0;
}

/* What only one layer or mode can do. */
static int
check_layer(struct look *l, const struct service *s)
{
	const char *mode = word_text(&mode_list, s->mode);
	bool seven = service_layer(s) == 7;

	if (seven && s->protocol != protocol_tcp)
		return look_bad(l, KIND_service, s, "protocol",
		    "\"%s\" is not possible in mode %s; allowed is tcp, or one of the modes dr, nat, tun, snat",
		    word_text(&protocol_list, s->protocol), mode);
	if ((in_modes(s->scheduler) & 1u << s->mode) == 0)
		return bad_scheduler(l, s);
	if (s->rdp_token && s->mode != mode_tcp)
		return look_bad(l, KIND_service, s, "rdp_token",
		    "\"yes\" is not possible in mode %s; allowed is no, or mode tcp", mode);
	if (s->rdp_token && s->tls != 0)
		return look_bad(l, KIND_service, s, "rdp_token",
		    "\"yes\" is not possible with tls: the first packet of RDP comes before TLS; allowed is no, "
		    "or no tls");
	return check_ftp(l, s);
}

static bool
is_token(const char *s)
{
	return s[strspn(s, "!#$%&'*+-.^_`|~0123456789"
			   "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")] == '\0';
}

/* What goes with some schedulers only, and what these need. */
static int
check_scheduler(struct look *l, const struct service *s)
{
	const char *word = word_text(&scheduler_list, s->scheduler);
	bool keyed = s->scheduler == scheduler_url_param || s->scheduler == scheduler_header;
	bool hashes = keyed || s->scheduler == scheduler_sh || s->scheduler == scheduler_path ||
		      s->scheduler == scheduler_uri || s->scheduler == scheduler_rdp_cookie;

	if (keyed && s->hash_key[0] == '\0')
		return look_bad(l, KIND_service, s, "hash_key",
		    "is required with scheduler %s; allowed is the name of the %s", word,
		    s->scheduler == scheduler_header ? "header field" : "parameter");
	if (!keyed && s->hash_key[0] != '\0')
		return look_bad(l, KIND_service, s, "hash_key",
		    "\"%s\" is not possible with scheduler %s; unset hash_key, or take scheduler url_param or "
		    "header",
		    s->hash_key, word);
	if (s->scheduler == scheduler_header && !is_token(s->hash_key))
		return look_bad(l, KIND_service, s, "hash_key",
		    "\"%s\" is no name of a header field; allowed are letters, digits and !#$%%&'*+-.^_`|~",
		    s->hash_key);
	if (s->scheduler == scheduler_url_param && strpbrk(s->hash_key, "&=?# ") != NULL)
		return look_bad(l, KIND_service, s, "hash_key",
		    "\"%s\" is no name of a parameter; allowed is what stands before its \"=\", without space, "
		    "&, =, ? and #",
		    s->hash_key);
	if (s->balance_factor > 0 && !hashes)
		return look_bad(l, KIND_service, s, "balance_factor",
		    "%u is not possible with scheduler %s; allowed is 0, or scheduler sh, path, uri, url_param, "
		    "header or rdp_cookie",
		    s->balance_factor, word);
	if (s->balance_factor > 0 && s->balance_factor <= 100)
		return look_bad(l, KIND_service, s, "balance_factor",
		    "%u percent leaves no server room for its fair share; allowed is 0, or 101 to 1000",
		    s->balance_factor);
	return 0;
}

static int
check_quorum(struct look *l, const struct service *s)
{
	if (s->quorum_hysteresis < s->quorum)
		return 0;
	return look_bad(l, KIND_service, s, "quorum_hysteresis",
	    "%u is not less than the quorum of %u, so the service would never go down; allowed is 0 to %u",
	    (unsigned)s->quorum_hysteresis, (unsigned)s->quorum, (unsigned)s->quorum - 1);
}

static int
check_more(struct look *l, const struct service *s)
{
	const struct addrs *more = s->more_addresses;
	char text[ADDR_TEXT];

	for (unsigned i = 0; more != NULL && i < more->n; i++) {
		const struct addr *bad = &more->r[i].lo;
		const char *why = look_no_host(bad);
		int rc = look_own_address(
		    l, KIND_service, s, "more_addresses", &more->r[i].lo, &more->r[i].hi);

		if (why == NULL) {
			bad = &more->r[i].hi;
			why = look_no_host(bad);
		}
		if (rc != 0)
			return rc;
		if (why == NULL)
			continue;
		addr_format(bad, ADDR_HOST, text);
		return look_bad(l, KIND_service, s, "more_addresses",
		    "\"%s\" is %s; allowed are addresses of hosts", text, why);
	}
	if (!addrs_contain(more, &s->address))
		return 0;
	addr_format(&s->address, ADDR_HOST, text);
	return look_bad(l, KIND_service, s, "more_addresses",
	    "\"%s\" is the address already; allowed are others", text);
}

/* Whether a host and a port (0: any) are those of the service itself. */
static bool
is_itself(const struct service *s, const struct addr *a, uint16_t port)
{
	return s->address.family != 0 &&
	       (addr_same_host(a, &s->address) || addrs_contain(s->more_addresses, a)) &&
	       (port == 0 || ranges_contain(s->ports, port));
}

static int
check_fallback(struct look *l, const struct service *s)
{
	const struct host *h = &s->fallback;
	const char *why = h->addr.family != 0 ? look_no_host(&h->addr) : NULL;

	if (h->text[0] == '\0')
		return 0;
	if (why != NULL)
		return look_bad(l, KIND_service, s, "fallback",
		    "\"%s\" is %s; allowed is the address of one host", h->text, why);
	if (h->addr.family != 0 && is_itself(s, &h->addr, s->fallback_port))
		return look_bad(l, KIND_service, s, "fallback",
		    "\"%s\" with port %u is the virtual service itself, a loop; allowed is any other",
		    h->text, s->fallback_port);
	return 0;
}

/* Mode tcp reads no requests: what is about them says which fields to clear, all at once. */
static int
check_tcp(struct look *l, const struct service *s)
{
	const struct field *first = NULL;
	struct buf names = { 0 };
	unsigned n = 0;
	int rc = 0;

	for (unsigned i = 0; s->mode == mode_tcp && i < l->of_http.n; i++) {
		const struct field *f = l->of_http.f[i];

		if (value_same(f, s, &l->service))
			continue;
		buf_printf(&names, "%s%s", n++ > 0 ? ", " : "", f->name);
		first = first == NULL ? f : first;
	}
	if (first != NULL)
		rc = look_bad(l, KIND_service, s, first->name,
		    "is not possible in mode tcp, where requests are not read; unset %s, or take mode http",
		    buf_text(&names));
	buf_fini(&names);
	return rc;
}

/* Who is believed would say nothing: what anybody sent is dropped, and nobody else looks at it. */
static int
check_forwarded(struct look *l, const struct service *s)
{
	if (s->forwarded_from == NULL || s->forwarded_from->n == 0 ||
	    s->forwarded_for != forwarded_replace || s->persistence == persistence_forwarded_for ||
	    s->source_header[0] != '\0')
		return 0;
	return look_bad(l, KIND_service, s, "forwarded_from",
	    "is not possible with forwarded_for replace, which drops what anybody sent; unset it, or take "
	    "forwarded_for append or off, persistence forwarded_for, or source_header");
}

/* Layer 7 listens on each port of a service. */
static int
check_l7_ports(struct look *l, const struct service *s)
{
	unsigned n = 0;

	for (unsigned i = 0; i < s->ports->n; i++)
		n += s->ports->r[i].hi - s->ports->r[i].lo + 1u;
	if (n <= L7_PORTS_MAX)
		return 0;
	return look_bad(l, KIND_service, s, "ports",
	    "%u ports are too many for layer 7: it listens on each; allowed are 1 to %d", n,
	    L7_PORTS_MAX);
}

/* Where clients come to; without an address it is a pool, and nobody comes there. */
static int
check_front(struct look *l, const struct service *s)
{
	static const char *const of_clients[] = { "tls", "https_redirect", "proxy_from",
		"forwarded_from", "syn_rate", "max_conns", "log", "log_sample", "request_id", "h2c",
		"http3", "http3_retry", "quic_congestion", "body_max", "maintenance",
		"maintenance_bypass", "error_pages", "compress", "uri_check", "header_names",
		"wait_body", "connect", "mirror", "mirror_share", "mirror_body", "allow" };
	int rc;

	if (s->address.family == 0 && service_layer(s) == 7) {
		if (s->ports->n > 0)
			return look_bad(l, KIND_service, s, "address",
			    "is required with ports; without both it is a pool for content rules");
		for (unsigned i = 0; i < ARRAY_LEN(of_clients); i++)
			if (!value_same(
				field_find(object_of(KIND_service), of_clients[i]), s, &l->service))
				return look_bad(l, KIND_service, s, of_clients[i],
				    "is not possible without an address: clients come by the virtual service whose rules "
				    "lead here, and its %s counts; unset it",
				    of_clients[i]);
		return 0;
	}
	rc = look_address(l, KIND_service, s, &s->address);
	if (rc == 0)
		rc = look_own_address(l, KIND_service, s, "address", &s->address, &s->address);
	if (rc == 0 && s->ports->n == 0)
		rc = look_bad(l, KIND_service, s, "ports", "is required");
	return rc == 0 && service_layer(s) == 7 ? check_l7_ports(l, s) : rc;
}

static int
check_service(struct look *l, const struct service *s)
{
	int rc = check_front(l, s);

	if (rc == 0)
		rc = check_layer(l, s);
	if (rc == 0)
		rc = check_more(l, s);
	if (rc == 0)
		rc = check_fallback(l, s);
	if (rc == 0)
		rc = check_l4_service(l, s);
	if (rc == 0 && service_layer(s) == 7)
		rc = check_l7_source(l, s);
	if (rc == 0)
		rc = check_scheduler(l, s);
	if (rc == 0)
		rc = check_log_service(l, s);
	if (rc == 0)
		rc = check_persist(l, s);
	if (rc == 0)
		rc = check_tcp(l, s);
	if (rc == 0)
		rc = check_forwarded(l, s);
	if (rc == 0)
		rc = check_answers_service(l, s);
	if (rc == 0)
		rc = check_mirror(l, s);
	if (rc == 0)
		rc = check_quorum(l, s);
	if (rc == 0 && s->check != 0 && snapshot_find(l->s, KIND_check, s->check) == NULL)
		rc = look_bad(l, KIND_service, s, "check", "the check it names does not exist");
	return rc;
}

static int
by_host(const struct host *a, const struct host *b)
{
	int cmp = memcmp(&a->addr, &b->addr, sizeof(a->addr));

	if (cmp != 0 || a->addr.family != 0)
		return cmp;
	return strcasecmp(a->text, b->text);
}

/* A server of layer 4 is where the kernel has it; of layer 7 where it was written. */
static uint16_t
port_of(const struct service *s, const struct server *r)
{
	return service_layer(s) == 4 ? check_l4_port(s, r) : r->port;
}

static int
by_place(const void *a, const void *b, void *service)
{
	const struct server *x = *(const void *const *)a, *y = *(const void *const *)b;
	int cmp = (int)port_of(service, x) - (int)port_of(service, y);

	return cmp != 0 ? cmp : by_host(&x->address, &y->address);
}

/* Servers with the same name share its answer. */
static bool
both_share(const struct server *a, const struct server *b)
{
	return a->resolve != resolution_first && a->resolve == b->resolve;
}

static int
same_place(struct look *l, const struct server *a, const struct server *b)
{
	const struct server *first = a->id < b->id ? a : b, *second = a->id < b->id ? b : a;

	return look_bad(l, KIND_server, second, "address",
	    "\"%s\" with port %u is rip %s already; allowed is any other address or port",
	    second->address.text, second->port, first->name);
}

static int
check_few(struct look *l, const struct service *s, const struct kids *k)
{
	for (uint32_t i = 0; i < k->n; i++) {
		const struct server *a = k->row[i];

		for (uint32_t j = 0; j < i; j++) {
			const struct server *b = k->row[j];

			if (by_host(&a->address, &b->address) == 0 &&
			    port_of(s, a) == port_of(s, b) && !both_share(a, b))
				return same_place(l, a, b);
		}
	}
	return 0;
}

static int
check_twice(struct look *l, const struct service *s, const struct kids *k)
{
	union {
		const struct service *c;
		void *p;
	} arg = { .c = s };
	const void **sorted;
	int rc = 0;

	if (k->n <= FEW_SERVERS)
		return check_few(l, s, k);
	sorted = mem_alloc(k->n * sizeof(*sorted));
	memcpy(sorted, k->row, k->n * sizeof(*sorted));
	qsort_r(sorted, k->n, sizeof(*sorted), by_place, arg.p);
	for (uint32_t i = 1; rc == 0 && i < k->n; i++)
		if (by_place(&sorted[i - 1], &sorted[i], arg.p) == 0 &&
		    !both_share(sorted[i - 1], sorted[i]))
			rc = same_place(l, sorted[i - 1], sorted[i]);
	free(sorted);
	return rc;
}

static int
check_name(struct look *l, const struct server *r)
{
	if (r->resolve == resolution_first)
		return 0;
	if (r->address.addr.family != 0)
		return look_bad(l, KIND_server, r, "resolve",
		    "\"%s\" is not possible with address %s, which DNS is not asked for; allowed is first, or "
		    "an address that is a name",
		    word_text(&resolution_list, r->resolve), r->address.text);
	if (r->resolve == resolution_srv && r->port != 0)
		return look_bad(l, KIND_server, r, "port",
		    "%u is not possible with resolve srv, where DNS tells the port; allowed is 0",
		    r->port);
	return 0;
}

static int
check_server(struct look *l, const struct service *s, const struct server *r)
{
	const struct addr *a = &r->address.addr;
	const char *why = a->family != 0 ? look_no_host(a) : NULL;
	int rc;

	if (r->address.text[0] == '\0')
		return look_bad(l, KIND_server, r, "address", "is required");
	if (r->port == 0 && s->address.family == 0)
		return look_bad(l, KIND_server, r, "port",
		    "is required: 0 is the port of the virtual service, and vip %s has none; allowed is 1 to 65535",
		    s->name);
	if (why != NULL)
		return look_bad(l, KIND_server, r, "address",
		    "\"%s\" is %s; allowed is the address of one host", r->address.text, why);
	if (a->family != 0 && is_itself(s, a, port_of(s, r)))
		return look_bad(l, KIND_server, r, "address",
		    "\"%s\" with port %u is its own virtual service, a loop; allowed is any other",
		    r->address.text, r->port);
	rc = check_l4_server(l, s, r);
	if (rc == 0)
		rc = check_name(l, r);
	if (rc == 0 && service_layer(s) == 7)
		rc = check_l7_source_server(l, s, r);
	if (rc != 0)
		return rc;
	if (s->scheduler == scheduler_first && r->max_conns == 0)
		return look_bad(l, KIND_server, r, "max_conns",
		    "0 is no limit, and scheduler first of vip %s fills one server after the other; allowed is 1 "
		    "to 1000000, or another scheduler",
		    s->name);
	if (r->check != 0 && snapshot_find(l->s, KIND_check, r->check) == NULL)
		return look_bad(l, KIND_server, r, "check", "the check it names does not exist");
	return 0;
}

int
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
			rc = check_twice(l, s, k);
		if (rc == 0)
			rc = check_session_routes(l, s, k);
		servers += k->n;
	}
	for (uint32_t i = 0;
	     rc == 0 && servers < pages_count(srv->rows) && i < pages_count(srv->rows); i++) {
		const struct server *r = pages_at(srv->rows, i);

		if (snapshot_find(l->s, KIND_service, r->vip) == NULL)
			rc = look_bad(
			    l, KIND_server, r, "vip", "the virtual service does not exist");
	}
	return rc;
}

static int
by_service_address(const void *a, const void *b)
{
	const struct service *x = *(const struct service *const *)a,
			     *y = *(const struct service *const *)b;

	return look_by_address(&x->address, &y->address);
}

/* An address is on one node, so its services move together. */
int
check_groups(struct look *l)
{
	uint32_t n = snapshot_count(l->s, KIND_service);
	const struct service **v = arena_alloc(l->a, (n + 1) * sizeof(*v));

	for (uint32_t i = 0; i < n; i++)
		v[i] = snapshot_at(l->s, KIND_service, i);
	qsort(v, n, sizeof(*v), by_service_address);
	for (uint32_t i = 1; i < n; i++)
		if (v[i]->group != v[i - 1]->group && v[i]->address.family != 0 &&
		    look_by_address(&v[i]->address, &v[i - 1]->address) == 0)
			return look_bad(l, KIND_service, v[i], "group",
			    "%u is not allowed: vip %s has the same address and is in group %u",
			    v[i]->group, v[i - 1]->name, v[i - 1]->group);
	return 0;
}
