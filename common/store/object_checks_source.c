/* The addresses with which layer 7 reaches servers: source and more_sources. */
#include "store/object_checks_priv.h"

#include <string.h>

/* The nth of source and then more_sources. NULL: no more. */
static const struct addr_range *
nth(const struct service *s, unsigned i, struct addr_range *one)
{
	if (s->source.family != 0 && i == 0) {
		*one = (struct addr_range){ s->source, s->source };
		return one;
	}
	if (s->source.family != 0)
		i--;
	return s->more_sources != NULL && i < s->more_sources->n ? &s->more_sources->r[i] : NULL;
}

static bool
in_range(const struct addr *a, const struct addr_range *r)
{
	return look_by_address(&r->lo, a) <= 0 && look_by_address(a, &r->hi) <= 0;
}

/* An address of this node: of an interface, or one that floats. Of a range both ends are looked at. */
static bool
is_here(const struct look *l, const struct addr *a)
{
	if (addr_is_loopback(a))
		return true;
	for (unsigned i = 0; i < l->own_n; i++)
		if (addr_same_host(&l->own[i]->addr, a))
			return true;
	for (uint32_t i = 0; i < snapshot_count(l->s, KIND_fip); i++)
		if (addr_same_host(
			&((const struct fip *)snapshot_at(l->s, KIND_fip, i))->address, a))
			return true;
	for (uint32_t i = 0; i < snapshot_count(l->s, KIND_service); i++) {
		const struct service *s = snapshot_at(l->s, KIND_service, i);

		if (addr_same_host(&s->address, a) || addrs_contain(s->more_addresses, a))
			return true;
	}
	return false;
}

static int
check_range(struct look *l, const struct service *s, const char *field, const struct addr_range *r)
{
	const struct addr *end[2] = { &r->lo, &r->hi };
	char text[ADDR_TEXT];

	for (unsigned i = 0; i < 2; i++) {
		const char *why = look_no_host(end[i]);

		addr_format(end[i], ADDR_HOST, text);
		if (why != NULL)
			return look_bad(l, KIND_service, s, field,
			    "\"%s\" is %s; allowed are addresses of hosts", text, why);
		if (l->local != NULL && !look_unchanged(l, KIND_service, s, field) &&
		    !is_here(l, end[i]))
			return look_bad(l, KIND_service, s, field,
			    "\"%s\" is no address of this node, so no answer would come back; allowed are "
			    "addresses of its interfaces, and such that float (of a vip or fip)",
			    text);
	}
	return 0;
}

static bool
has_family(const struct service *s, unsigned family)
{
	const struct addr_range *r;
	struct addr_range one;

	for (unsigned i = 0; (r = nth(s, i, &one)) != NULL; i++)
		if (r->lo.family == family)
			return true;
	return false;
}

/* The address of a request's client, by what a proxy in front says. */
static int
check_source_header(struct look *l, const struct service *s)
{
	if (s->source_header[0] == '\0' || s->mode != mode_http) /* others have none */
		return 0;
	if (!s->transparent)
		return look_bad(l, KIND_service, s, "source_header",
		    "\"%s\" is not possible without transparent, by which servers see addresses of "
		    "others; allowed is nothing, or transparent yes",
		    s->source_header);
	if (s->address.family != 0 && (s->forwarded_from == NULL || s->forwarded_from->n == 0))
		return look_bad(l, KIND_service, s, "source_header",
		    "\"%s\" is not possible without forwarded_from: anybody could have any address; "
		    "allowed is nothing, or forwarded_from with the proxies in front",
		    s->source_header);
	return 0;
}

int
check_l7_source(struct look *l, const struct service *s)
{
	bool more = s->more_sources != NULL && s->more_sources->n > 0;
	const char *field = s->source.family != 0 ? "source" : "more_sources";
	const struct addr_range *r;
	struct addr_range one;
	int rc = check_source_header(l, s);

	if (rc != 0 || (s->source.family == 0 && !more))
		return rc;
	if (s->transparent)
		return look_bad(l, KIND_service, s, field,
		    "is not possible with transparent, where servers see the address of the client; allowed is "
		    "nothing, or transparent no");
	for (unsigned i = 0; rc == 0 && (r = nth(s, i, &one)) != NULL; i++)
		rc = check_range(l, s, r == &one ? "source" : "more_sources", r);
	if (rc == 0 && s->source.family != 0)
		for (unsigned i = 0; more && i < s->more_sources->n; i++)
			if (in_range(&s->source, &s->more_sources->r[i])) {
				char text[ADDR_TEXT];

				addr_format(&s->source, ADDR_HOST, text);
				return look_bad(l, KIND_service, s, "more_sources",
				    "\"%s\" is source already; allowed are others", text);
			}
	return rc;
}

int
check_l7_source_server(struct look *l, const struct service *s, const struct server *r)
{
	unsigned family = r->address.addr.family;
	bool any = s->source.family != 0 || (s->more_sources != NULL && s->more_sources->n > 0);

	if (!any || family == 0 || has_family(s, family))
		return 0;
	return look_bad(l, KIND_server, r, "address",
	    "\"%s\" is IPv%u, and vip %s has no source address of that; allowed is IPv%u, or one more in "
	    "source or more_sources",
	    r->address.text, family, s->name, family == 4 ? 6u : 4u);
}
