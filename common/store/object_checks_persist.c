/* Rules of persistence: in which mode each kind can be, what it needs, and what goes with some kinds only. */
#include "store/object_checks_priv.h"

#include "schema/cookie_attributes.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define HTTP (1u << mode_http)
#define TCP (1u << mode_tcp)
#define LAYER4 (1u << mode_dr | 1u << mode_nat | 1u << mode_tun | 1u << mode_snat)

/* Modes in which a kind of persistence can be, a bit each. */
static unsigned
in_modes(unsigned persistence)
{
	switch (persistence) {
	case persistence_none:
	case persistence_source: return HTTP | TCP | LAYER4;
	case persistence_sip: return TCP | LAYER4;
	case persistence_tls_session:
	case persistence_server_name: return HTTP | TCP;
	case persistence_rdp_cookie: return TCP;
	default: return HTTP;
	}
}

static int
bad_kind(struct look *l, const struct service *s)
{
	const char *word = word_text(&persistence_list, s->persistence),
		   *mode = word_text(&mode_list, s->mode);
	struct buf can = { 0 };
	int rc;

	for (unsigned i = 0; i < persistence_list.n; i++)
		if ((in_modes((unsigned)persistence_list.w[i].number) & 1u << s->mode) != 0 &&
		    (persistence_list.w[i].number != persistence_sip || s->mode == mode_tcp))
			buf_printf(
			    &can, "%s%s", can.len > 0 ? ", " : "", persistence_list.w[i].text);
	if (s->persistence == persistence_sip)
		rc = look_bad(l, KIND_service, s, "persistence",
		    "\"sip\" is not possible in mode %s with protocol %s; allowed are %s, mode tcp, or "
		    "protocol udp in one of the modes dr, nat, tun, snat",
		    mode, word_text(&protocol_list, s->protocol), buf_text(&can));
	else if (s->persistence == persistence_rdp_cookie)
		rc = look_bad(l, KIND_service, s, "persistence",
		    "\"%s\" is not possible in mode %s; allowed are %s, or mode tcp", word, mode,
		    buf_text(&can));
	else
		rc = look_bad(l, KIND_service, s, "persistence",
		    "\"%s\" is not possible in mode %s, where requests are not read: inside TLS that is "
		    "passed on nobody can read a cookie; allowed are %s, or mode http",
		    word, mode, buf_text(&can));
	buf_fini(&can);
	return rc;
}

static int
check_kind(struct look *l, const struct service *s)
{
	const struct tls *t = snapshot_find(l->s, KIND_tls, s->tls);
	bool tls =
	    s->persistence == persistence_tls_session || s->persistence == persistence_server_name;

	if ((in_modes(s->persistence) & 1u << s->mode) == 0 ||
	    (s->persistence == persistence_sip && s->mode != mode_tcp &&
		s->protocol != protocol_udp))
		return bad_kind(l, s);
	if (s->persistence == persistence_sip &&
	    (s->scheduler == scheduler_rdp_cookie || s->rdp_token))
		return look_bad(l, KIND_service, s, "persistence",
		    "\"sip\" is not possible with %s: what comes first is SIP or RDP; allowed is any other, or %s",
		    s->rdp_token ? "rdp_token" : "scheduler rdp_cookie",
		    s->rdp_token ? "rdp_token no" : "another scheduler");
	if (tls && t == NULL)
		return look_bad(l, KIND_service, s, "persistence",
		    "\"%s\" is not possible without tls: TLS that is passed on is not read; allowed is any "
		    "other, or tls with its settings",
		    word_text(&persistence_list, s->persistence));
	if (s->persistence == persistence_tls_session && !t->tickets)
		return look_bad(l, KIND_service, s, "persistence",
		    "\"tls_session\" is not possible with tls %s, which has tickets no: without them no "
		    "session is resumed; allowed is any other, or tickets yes there",
		    t->name);
	return 0;
}

static bool
is_token(const char *s)
{
	return s[strspn(s, "!#$%&'*+-.^_`|~0123456789"
			   "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")] == '\0';
}

static int
check_key(struct look *l, const struct service *s)
{
	bool header = s->persistence == persistence_header,
	     keyed = header || s->persistence == persistence_url_param;

	if (keyed && s->persist_key[0] == '\0')
		return look_bad(l, KIND_service, s, "persist_key",
		    "is required with persistence %s; allowed is the name of the %s",
		    word_text(&persistence_list, s->persistence),
		    header ? "header field" : "parameter");
	if (!keyed && s->persist_key[0] != '\0')
		return look_bad(l, KIND_service, s, "persist_key",
		    "\"%s\" is not possible with persistence %s; unset persist_key, or take persistence "
		    "url_param or header",
		    s->persist_key, word_text(&persistence_list, s->persistence));
	if (header && !is_token(s->persist_key))
		return look_bad(l, KIND_service, s, "persist_key",
		    "\"%s\" is no name of a header field; allowed are letters, digits and !#$%%&'*+-.^_`|~",
		    s->persist_key);
	if (keyed && !header && strpbrk(s->persist_key, "&=?# ") != NULL)
		return look_bad(l, KIND_service, s, "persist_key",
		    "\"%s\" is no name of a parameter; allowed is what stands before its \"=\", without "
		    "space, &, =, ? and #",
		    s->persist_key);
	return 0;
}

static int
check_cookie(struct look *l, const struct service *s)
{
	const char *field = s->cookie_idle > 0			       ? "cookie_idle"
			    : s->cookie_life > 0		       ? "cookie_life"
			    : s->cookie_server != cookie_server_hidden ? "cookie_server"
								       : NULL;
	struct err why;

	if (field != NULL && s->persistence != persistence_cookie)
		return look_bad(l, KIND_service, s, field,
		    "is not possible with persistence %s; unset it, or take persistence cookie",
		    word_text(&persistence_list, s->persistence));
	if (cookie_attributes_check(s->cookie_attributes, &why) != 0)
		return look_bad(l, KIND_service, s, "cookie_attributes", "%s", why.text);
	if (s->persist_or_source &&
	    (s->persistence == persistence_none || s->persistence == persistence_source))
		return look_bad(l, KIND_service, s, "persist_or_source",
		    "\"yes\" is not possible with persistence %s; allowed is no, or another persistence",
		    word_text(&persistence_list, s->persistence));
	return 0;
}

/* Kinds by a cookie of the name in field cookie. */
static bool
has_cookie(unsigned persistence)
{
	return persistence == persistence_cookie || persistence == persistence_app_cookie ||
	       persistence == persistence_rewrite || persistence == persistence_prefix ||
	       persistence == persistence_route;
}

/* Two services that share: what is learned by one means the same to the other. */
static int
check_with(struct look *l, const struct service *s)
{
	const struct service *o;
	const char *field;

	if (s->persist_with[0] == '\0')
		return 0;
	o = snapshot_find_path(l->s, KIND_service, s->persist_with);
	if (o == NULL)
		return look_bad(l, KIND_service, s, "persist_with",
		    "there is no vip \"%s\"; allowed is the name of another virtual service",
		    s->persist_with);
	if (o == s)
		return look_bad(l, KIND_service, s, "persist_with",
		    "\"%s\" is the virtual service itself; allowed is another", s->persist_with);
	if (service_layer(o) != 7)
		return look_bad(l, KIND_service, s, "persist_with",
		    "vip \"%s\" is of layer 4; allowed is one in mode http or tcp", o->name);
	if (o->persist_with[0] != '\0')
		return look_bad(l, KIND_service, s, "persist_with",
		    "vip \"%s\" shares that of vip \"%s\" itself; allowed is that one", o->name,
		    o->persist_with);
	if (s->persistence == persistence_none || o->persistence != s->persistence)
		return look_bad(l, KIND_service, s, "persist_with",
		    "persistence is %s here and %s in vip \"%s\"; allowed is the same in both, not none",
		    word_text(&persistence_list, s->persistence),
		    word_text(&persistence_list, o->persistence), o->name);
	field = strcmp(o->persist_key, s->persist_key) != 0			  ? "persist_key"
		: o->persist_mask != s->persist_mask				  ? "persist_mask"
		: has_cookie(s->persistence) && strcmp(o->cookie, s->cookie) != 0 ? "cookie"
										  : NULL;
	if (field != NULL)
		return look_bad(l, KIND_service, s, "persist_with",
		    "%s is another in vip \"%s\"; allowed is the same in both", field, o->name);
	return 0;
}

int
check_persist(struct look *l, const struct service *s)
{
	static int (*const parts[])(struct look *, const struct service *) = { check_kind,
		check_key, check_cookie, check_with };
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < sizeof(parts) / sizeof(parts[0]); i++)
		rc = parts[i](l, s);
	return rc;
}

static const char *
route_of(const struct server *r)
{
	return r->route[0] != '\0' ? r->route : r->name;
}

static int
by_route(const void *a, const void *b)
{
	const struct server *x = *(const struct server *const *)a,
			    *y = *(const struct server *const *)b;
	int cmp = strcmp(route_of(x), route_of(y));

	return cmp != 0 ? cmp : (x->id > y->id) - (x->id < y->id);
}

/* Each session ends in the route of one server. */
int
check_session_routes(struct look *l, const struct service *s, const struct kids *k)
{
	const void **v;
	int rc = 0;

	for (uint32_t i = 0; i < k->n; i++) {
		const struct server *r = k->row[i];

		if (!is_token(r->route))
			return look_bad(l, KIND_server, r, "route",
			    "\"%s\" is not allowed: letters, digits and !#$%%&'*+-.^_`|~",
			    r->route);
	}
	if (s->persistence != persistence_route || k->n < 2)
		return 0;
	v = mem_alloc(k->n * sizeof(*v));
	memcpy(v, k->row, k->n * sizeof(*v));
	qsort(v, k->n, sizeof(*v), by_route);
	for (uint32_t i = 1; rc == 0 && i < k->n; i++) {
		const struct server *a = v[i - 1], *b = v[i];

		if (strcmp(route_of(a), route_of(b)) == 0)
			rc = look_bad(l, KIND_server, b, "route",
			    "\"%s\" is that of rip %s already; allowed is any other", route_of(b),
			    a->name);
	}
	free(v);
	return rc;
}
