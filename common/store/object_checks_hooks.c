/* What the pair asks of rows that name programs, and of routes. Pure.
 *
 * Such a program is one of a folder that only root writes: who may change the configuration over the network chooses
 * among them and does not bring his own (lbd-ha/script.c looks at the folder before each run). */
#include "store/object_checks_priv.h"

#include <string.h>

#define NOTIFIES_MOST 16
#define REFRESH_LEAST 1000 /* ms */
#define ROUTES_MOST 32
#define WORDS_MOST 16 /* of a program and its arguments */

int
look_program(struct look *l, unsigned kind, const void *row, const char *field, const char *text,
    const char *folder)
{
	size_t name = strcspn(text, " ");
	unsigned words = 1;

	if (text[0] == '\0')
		return look_bad(l, kind, row, field, "is required");
	if (name == 0 || memchr(text, '/', name) != NULL || text[0] == '.')
		return look_bad(l, kind, row, field,
		    "\"%s\" does not begin with the name of a program in %s; allowed is a name "
		    "without slash that does not begin with a dot, then its arguments",
		    text, folder);
	for (const char *p = text; *p != '\0'; p++)
		words += *p == ' ' && p[1] != ' ' && p[1] != '\0';
	if (words > WORDS_MOST)
		return look_bad(l, kind, row, field,
		    "has %u words; allowed are a name and %d arguments", words, WORDS_MOST - 1);
	return 0;
}

static int
check_notifies(struct look *l)
{
	unsigned n = 0;

	for (uint32_t i = 0; i < snapshot_count(l->s, KIND_notify); i++) {
		const struct notify *k = snapshot_at(l->s, KIND_notify, i);
		int rc = look_program(l, KIND_notify, k, "script", k->script, "/etc/lbd/notify");

		if (rc != 0)
			return rc;
		if (k->refresh != 0 && k->refresh < REFRESH_LEAST)
			return look_bad(l, KIND_notify, k, "refresh",
			    "%u ms is not allowed: 0 (never), or 1 s to 1 h", (unsigned)k->refresh);
		n += k->enabled;
		if (n > NOTIFIES_MOST)
			return look_bad(l, KIND_notify, k, "enabled",
			    "is one too many: allowed are %d enabled rows", NOTIFIES_MOST);
	}
	return 0;
}

/* ---- routes ---------------------------------------------------------------------------------- */

static int
check_family(struct look *l, const struct vroute *r, const char *field, const struct addr *a)
{
	const char *why = look_no_host(a);
	char text[ADDR_TEXT];

	addr_format(a, ADDR_HOST, text);
	if (a->family == 0)
		return 0;
	if (a->family != r->destination.family)
		return look_bad(l, KIND_vroute, r, field,
		    "\"%s\" is IPv%d, and destination is not; allowed is IPv%d", text, a->family,
		    r->destination.family);
	return why == NULL ? 0
			   : look_bad(l, KIND_vroute, r, field,
				 "\"%s\" is %s; allowed is the address of one host", text, why);
}

static bool
same_net(const struct addr *a, const struct addr *b)
{
	return a->family == b->family && a->len == b->len && memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

static int
check_route(struct look *l, const struct vroute *r, uint32_t before)
{
	int rc;

	if (r->destination.family == 0)
		return look_bad(l, KIND_vroute, r, "destination", "is required");
	if (r->gateway.family == 0 && r->interface[0] == '\0')
		return look_bad(l, KIND_vroute, r, "gateway",
		    "is required without an interface; allowed is the address of a router");
	rc = check_family(l, r, "gateway", &r->gateway);
	if (rc == 0)
		rc = check_family(l, r, "source", &r->source);
	if (rc == 0)
		rc = look_interface(l, KIND_vroute, r, "interface", r->interface);
	for (uint32_t i = 0; rc == 0 && i < before; i++) {
		const struct vroute *o = snapshot_at(l->s, KIND_vroute, i);

		if (same_net(&o->destination, &r->destination) && o->metric == r->metric &&
		    o->table == r->table)
			rc = look_bad(l, KIND_vroute, r, "metric",
			    "%u is that of route %s to the same network; allowed is another",
			    (unsigned)r->metric, o->name);
	}
	return rc;
}

static int
check_routes(struct look *l)
{
	unsigned n = 0;

	for (uint32_t i = 0; i < snapshot_count(l->s, KIND_vroute); i++) {
		const struct vroute *r = snapshot_at(l->s, KIND_vroute, i);
		int rc = check_route(l, r, i);

		if (rc != 0)
			return rc;
		n += r->enabled;
		if (n > ROUTES_MOST)
			return look_bad(l, KIND_vroute, r, "enabled",
			    "is one too many: allowed are %d enabled routes", ROUTES_MOST);
	}
	return 0;
}

int
check_hooks(struct look *l)
{
	const struct node *n = snapshot_node(l->s);
	int rc = check_notifies(l);

	if (rc == 0 && n->fence[0] != '\0')
		rc = look_program(l, KIND_node, n, "fence", n->fence, "/etc/lbd/fence");
	return rc != 0 ? rc : check_routes(l);
}
