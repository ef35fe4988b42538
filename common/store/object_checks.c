/* What the rows of the schema cannot say: rules between fields, between objects, and with the addresses of this
 * node. Pure. Each rule names the object, the field, the value and what would do. Rules about one kind are one
 * function; the walk is over rows in order of id, and services with their servers, so that all of 100,000
 * servers cost a few milliseconds.
 *
 * What the interfaces of this node have is not the configuration's doing: what stood before is not held against a
 * change of something else, or an interface that lost its address would block every commit.
 *
 * Rules of services are object_checks_service.c, of layer 4 object_checks_l4.c, who is where with whom is object_checks_places.c, those of the pair
 * object_checks_ha.c, those of TLS object_checks_tls.c, of pages and compression object_checks_answers.c; what is in a certificate is looked at in x509_check.c, when it is committed. */
#include "store/object_checks_priv.h"

#include "base/must.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

int
look_bad(struct look *l, unsigned kind, const void *row, const char *field, const char *fmt, ...)
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

const char *
look_no_host(const struct addr *a)
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

int
look_by_address(const struct addr *a, const struct addr *b)
{
	return a->family != b->family ? (int)a->family - (int)b->family
				      : memcmp(a->b, b->b, sizeof(a->b));
}

int
look_address(struct look *l, unsigned kind, const void *row, const struct addr *a)
{
	char text[ADDR_TEXT];
	const char *why;

	if (a->family == 0)
		return look_bad(l, kind, row, "address", "is required");
	why = look_no_host(a);
	if (why == NULL)
		return 0;
	addr_format(a, ADDR_HOST, text);
	return look_bad(
	    l, kind, row, "address", "\"%s\" is %s; allowed is the address of one host", text, why);
}

bool
look_unchanged(const struct look *l, unsigned kind, const void *row, const char *field)
{
	const void *before = l->base != NULL ? snapshot_find(l->base, kind, row_id(row)) : NULL;

	return before != NULL && value_same(field_find(object_of(kind), field), before, row);
}

int
look_own_address(struct look *l, unsigned kind, const void *row, const char *field,
    const struct addr *lo, const struct addr *hi)
{
	char text[ADDR_TEXT];
	unsigned from = 0, to = l->own_n;

	while (from < to) {
		unsigned mid = from + (to - from) / 2;

		if (look_by_address(&l->own[mid]->addr, lo) < 0)
			from = mid + 1;
		else
			to = mid;
	}
	if (from == l->own_n || look_by_address(&l->own[from]->addr, hi) > 0 ||
	    look_unchanged(l, kind, row, field))
		return 0;
	/* Whoever decides the roles has put it there. */
	if ((kind == KIND_service || kind == KIND_fip || kind == KIND_natrule) &&
	    snapshot_setting(l->s)->ha_roles == ha_roles_outside)
		return 0;
	addr_format(&l->own[from]->addr, ADDR_HOST, text);
	return look_bad(l, kind, row, field,
	    "\"%s\" is the address of interface %s of this node; allowed is any that no interface has",
	    text, l->own[from]->name);
}

int
look_interface(struct look *l, unsigned kind, const void *row, const char *field, const char *name)
{
	for (const char *p = name; *p != '\0'; p++)
		if (*p == '/' || *p == ':' || *p <= ' ' || *p == 0x7f || strcmp(name, ".") == 0 ||
		    strcmp(name, "..") == 0)
			return look_bad(l, kind, row, field,
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

		rc = look_address(l, KIND_fip, f, &f->address);
		if (rc == 0)
			rc = look_interface(l, KIND_fip, f, "interface", f->interface);
		if (rc == 0)
			rc = look_own_address(l, KIND_fip, f, "address", &f->address, &f->address);
	}
	return rc;
}

static int
check_natrules(struct look *l)
{
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < snapshot_count(l->s, KIND_natrule); i++)
		rc = check_natrule(l, snapshot_at(l->s, KIND_natrule, i));
	return rc;
}

static int
check_node(struct look *l)
{
	const struct node *n = snapshot_node(l->s);
	int rc = look_interface(l, KIND_node, n, "interface", n->interface);

	if (rc == 0)
		rc = look_interface(l, KIND_node, n, "sync_interface", n->sync_interface);
	return rc != 0 ? rc : look_interface(l, KIND_node, n, "autonat", n->autonat);
}

static int
check_check(struct look *l, const struct check *c)
{
	bool http = c->kind == probe_http;

	if (c->kind != probe_none && c->timeout > c->interval)
		return look_bad(l, KIND_check, c, "timeout",
		    "%u ms is longer than the interval of %u ms, and one probe is sent at a time; allowed is "
		    "up to the interval",
		    (unsigned)c->timeout, (unsigned)c->interval);
	if (c->path[0] != '/')
		return look_bad(l, KIND_check, c, "path",
		    "\"%s\" does not begin with a slash; allowed is /...", c->path);
	if (http && c->status->n == 0)
		return look_bad(l, KIND_check, c, "status", "is required; allowed is 100 to 599");
	if (!http && c->expect[0] != '\0')
		return look_bad(l, KIND_check, c, "expect",
		    "is not possible with kind %s; allowed is kind http",
		    word_text(&probe_list, c->kind));
	if (!http && c->reject[0] != '\0')
		return look_bad(l, KIND_check, c, "reject",
		    "is not possible with kind %s; allowed is kind http",
		    word_text(&probe_list, c->kind));
	if (http && c->method == method_HEAD && c->expect[0] != '\0')
		return look_bad(l, KIND_check, c, "expect",
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
		return look_bad(l, KIND_user, someone,
		    someone->role != role_admin ? "role" : "enabled",
		    "nobody could change the configuration any more; at least one user must be enabled, have "
		    "role admin and a password");
	for (uint32_t i = 0; i < snapshot_count(l->s, KIND_token); i++) {
		t = snapshot_at(l->s, KIND_token, i);
		if (snapshot_find_path(l->s, KIND_user, t->name) != NULL)
			return look_bad(l, KIND_token, t, "name",
			    "\"%s\" is a user already; allowed is any name that no user has",
			    t->name);
	}
	return 0;
}

static int
check_setting(struct look *l)
{
	const struct setting *g = snapshot_setting(l->s);
	int rc = check_log_setting(l, g);

	if (rc == 0)
		rc = check_block(l, g);
	if (rc != 0)
		return rc;
	if (g->http_port == g->https_port)
		return look_bad(l, KIND_setting, g, "http_port",
		    "%u is the HTTPS port too; allowed is any other port", g->http_port);
	if (g->session_idle > g->session_max)
		return look_bad(l, KIND_setting, g, "session_idle",
		    "%u ms is longer than session_max (%u ms); allowed is up to that",
		    (unsigned)g->session_idle, (unsigned)g->session_max);
	if (g->ha_dead < 4 * g->ha_interval)
		return look_bad(l, KIND_setting, g, "ha_dead",
		    "%u ms is shorter than four intervals (ha_interval is %u ms); allowed is %u ms to 60 s",
		    (unsigned)g->ha_dead, (unsigned)g->ha_interval, 4 * (unsigned)g->ha_interval);
	return check_l4_setting(l, g);
}

/* ---- the whole ---------------------------------------------------------------------------- */

static int
by_own(const void *a, const void *b)
{
	return look_by_address(&(*(const struct iface_addr *const *)a)->addr,
	    &(*(const struct iface_addr *const *)b)->addr);
}

/* A network of an interface, once; that it is down now says nothing of tomorrow. */
static void
add_net(struct look *l, const struct addr *a)
{
	for (unsigned i = 0; i < l->nets_n; i++)
		if (l->nets[i].len == a->len && addr_contains(&l->nets[i], a))
			return;
	if (a->len != (a->family == 4 ? 32 : 128))
		l->nets[l->nets_n++] = *a;
}

static void
look_at_node(struct look *l)
{
	unsigned n = l->local != NULL ? l->local->n : 0;

	l->own = arena_alloc(l->a, (n + 1) * sizeof(*l->own));
	l->nets = arena_alloc(l->a, (n + 1) * sizeof(*l->nets));
	for (unsigned i = 0; i < n; i++) {
		if (l->local->a[i].ours)
			continue;
		l->own[l->own_n++] = &l->local->a[i];
		add_net(l, &l->local->a[i].addr);
	}
	qsort(l->own, l->own_n, sizeof(*l->own), by_own);
}

static void
sort_fields(unsigned kind, struct layer_fields of[2])
{
	const struct object *o = object_of(kind);

	for (unsigned i = 0; i < o->n; i++) {
		if ((o->f[i].flags & F_L4) != 0)
			of[0].f[of[0].n++] = &o->f[i];
		if ((o->f[i].flags & F_L7) != 0)
			of[1].f[of[1].n++] = &o->f[i];
	}
}

static void
sort_http(struct layer_fields *of)
{
	const struct object *o = object_of(KIND_service);

	for (unsigned i = 0; i < o->n; i++)
		if ((o->f[i].flags & F_HTTP) != 0)
			of->f[of->n++] = &o->f[i];
}

static int
check_all(struct look *l)
{
	static int (*const parts[])(struct look *) = { check_setting, check_node, check_checks,
		check_fips, check_tls, check_pages, check_lists, check_services, check_rules,
		check_groups, check_natrules, check_places, check_ha, check_vrrp, check_users };
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < ARRAY_LEN(parts); i++)
		rc = parts[i](l);
	return rc;
}

int
snapshot_check_change(const struct snapshot *base, const struct snapshot *s,
    const struct iface_list *local, struct err *err)
{
	struct look l = { .s = s, .base = base, .local = local, .err = err };
	int rc;

	l.a = arena_new(16 * 1024);
	look_at_node(&l);
	object_defaults(object_of(KIND_service), l.a, &l.service);
	object_defaults(object_of(KIND_server), l.a, &l.server);
	sort_fields(KIND_service, l.of_service);
	sort_fields(KIND_server, l.of_server);
	sort_http(&l.of_http);
	rc = check_all(&l);
	arena_unref(l.a);
	return rc;
}

int
snapshot_check(const struct snapshot *s, const struct iface_list *local, struct err *err)
{
	return snapshot_check_change(NULL, s, local, err);
}
