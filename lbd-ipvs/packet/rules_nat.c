/* rules_nat.c - the part of the script that translates addresses and filters what passes. Pure.
 *
 * inward     rows of natrule that lead connections to the outside address to a server. Nothing else has those ports
 *            there; common/store sees to it.
 * outward    mode snat: packets that IPVS has just sent to a server get a source of this node; they are known by
 *            their mark, and IPVS keeps them in connection tracking (net.ipv4.vs.conntrack). Then the rows of natrule,
 *            the narrower network first, and autonat. Packets of virtual services are none of theirs: what IPVS
 *            forwards has a virtual address as the original destination of its connection, or a mark of the user's own.
 * passing    the packet filter, behind IPVS: it hooks into forward at priority 100 and gives answers of servers the
 *            virtual address, so an address of this node as the source of a packet that is forwarded is IPVS's work.
 *            Nobody else may send such a packet through (spoofed, before IPVS; the kernel itself knows for IPv4). What
 *            IPVS sends to servers is local output and never comes here, whatever the mode.
 *
 * Only the first packet of a connection sees the chains of type nat; connection tracking does the rest. */
#include "packet/rules_priv.h"
#include "plan/want.h"

#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	PRIORITY_DSTNAT = -100,
	PRIORITY_FILTER = 0,
	PRIORITY_SRCNAT = 100,
	PRIORITY_AFTER_IPVS = 110
};

struct nat {
	const struct snapshot *s;
	struct buf *out;
	uint32_t in_n, out_n;
	const struct natrule **in, **outw; /* in the order in which they are tried */
	char autonat[RULES_IFACE];	   /* "": none */
	bool snat;			   /* a service of mode snat */
};

static bool
translates_in(const struct natrule *r)
{
	return (r->kind == nat_kind_dnat || r->kind == nat_kind_both) &&
	       r->outside.family == r->inside.family &&
	       r->inside.len == (r->inside.family == 4 ? 32 : 128);
}

static bool
translates_out(const struct natrule *r)
{
	if (r->kind == nat_kind_masquerade)
		return r->interface[0] != '\0';
	return (r->kind == nat_kind_snat || r->kind == nat_kind_both) &&
	       r->outside.family == r->inside.family;
}

/* Ports before none, a protocol before any, an interface before any. */
static int
compare_in(const void *a, const void *b)
{
	const struct natrule *x = *(const void *const *)a, *y = *(const void *const *)b;

	if ((x->ports->n > 0) != (y->ports->n > 0))
		return x->ports->n > 0 ? -1 : 1;
	if ((x->protocol == nat_protocol_any) != (y->protocol == nat_protocol_any))
		return x->protocol != nat_protocol_any ? -1 : 1;
	if ((x->interface[0] != '\0') != (y->interface[0] != '\0'))
		return x->interface[0] != '\0' ? -1 : 1;
	return x->id < y->id ? -1 : x->id > y->id;
}

static int
compare_out(const void *a, const void *b)
{
	const struct natrule *x = *(const void *const *)a, *y = *(const void *const *)b;

	if (x->inside.len != y->inside.len)
		return x->inside.len > y->inside.len ? -1 : 1;
	if ((x->protocol == nat_protocol_any) != (y->protocol == nat_protocol_any))
		return x->protocol != nat_protocol_any ? -1 : 1;
	if ((x->interface[0] != '\0') != (y->interface[0] != '\0'))
		return x->interface[0] != '\0' ? -1 : 1;
	return x->id < y->id ? -1 : x->id > y->id;
}

static void
collect(struct nat *n)
{
	uint32_t rows = snapshot_count(n->s, KIND_natrule);
	char scrap[RULES_IFACE];

	n->in = mem_alloc((rows + 1) * sizeof(*n->in));
	n->outw = mem_alloc((rows + 1) * sizeof(*n->outw));
	for (uint32_t i = 0; i < rows; i++) {
		const struct natrule *r = snapshot_at(n->s, KIND_natrule, i);

		if (!r->enabled || (r->interface[0] != '\0' && !rules_iface(r->interface, scrap)))
			continue;
		if (translates_in(r))
			n->in[n->in_n++] = r;
		if (translates_out(r))
			n->outw[n->out_n++] = r;
	}
	qsort(n->in, n->in_n, sizeof(*n->in), compare_in);
	qsort(n->outw, n->out_n, sizeof(*n->outw), compare_out);
	if (!rules_iface(snapshot_node(n->s)->autonat, n->autonat))
		n->autonat[0] = '\0';
}

/* "tcp", "udp" or "{ tcp, udp }" when ports need one of them; NULL: no match on the protocol. */
static const char *
protocol_of(const struct natrule *r, bool ports)
{
	switch (r->protocol) {
	case nat_protocol_tcp: return "tcp";
	case nat_protocol_udp: return "udp";
	default: return ports ? "{ tcp, udp }" : NULL;
	}
}

static void
put_iface(struct buf *b, const char *match, const char *name)
{
	char quoted[RULES_IFACE];

	if (name[0] != '\0' && rules_iface(name, quoted))
		buf_printf(b, "%s %s ", match, quoted);
}

/* ---- inward ------------------------------------------------------------------------------- */

static void
put_inward_rule(struct nat *n, const struct natrule *r)
{
	const char *protocol = protocol_of(r, r->ports->n > 0 || r->inside_port > 0);
	const char *ip = rules_ip[family_of(&r->inside)];
	char outside[ADDR_TEXT], inside[ADDR_TEXT];
	struct buf b = { 0 };

	addr_format(&r->outside, ADDR_HOST, outside);
	addr_format(&r->inside, ADDR_HOST, inside);
	put_iface(&b, "iifname", r->interface);
	buf_printf(&b, "%s daddr %s ", ip, outside);
	if (protocol != NULL)
		buf_printf(&b, "meta l4proto %s ", protocol);
	if (r->ports->n > 0) {
		buf_puts(&b, "th dport ");
		rules_put_ports(&b, r->ports);
		buf_puts(&b, " ");
	}
	if (r->inside_port == 0)
		buf_printf(&b, "dnat %s to %s", ip, inside);
	else if (r->inside.family == 4)
		buf_printf(&b, "dnat ip to %s:%u", inside, r->inside_port);
	else
		buf_printf(&b, "dnat ip6 to [%s]:%u", inside, r->inside_port);
	buf_printf(n->out, "add rule " TABLE "inward %s\n", buf_text(&b));
	buf_fini(&b);
}

static void
put_inward(struct nat *n)
{
	if (n->in_n > 0)
		rules_chain(n->out, "inward", "nat", "prerouting", PRIORITY_DSTNAT);
	for (uint32_t i = 0; i < n->in_n; i++)
		put_inward_rule(n, n->in[i]);
}

/* ---- outward ------------------------------------------------------------------------------ */

/* The marks of mode snat, and the source that some of them have. */
static void
put_snat_services(struct nat *n)
{
	struct buf source[FAMILIES] = { 0 }, marks = { 0 }, rules = { 0 };

	for (uint32_t i = 0; i < snapshot_count(n->s, KIND_service); i++) {
		const struct service *v = snapshot_at(n->s, KIND_service, i);
		char text[ADDR_TEXT];
		struct buf *b;

		if (!v->enabled || v->mode != mode_snat)
			continue;
		rules_next(&marks);
		buf_printf(&marks, "0x%08" PRIx32, want_mark(v));
		if (v->source.family == 0)
			continue;
		b = &source[family_of(&v->source)];
		addr_format(&v->source, ADDR_HOST, text);
		rules_next(b);
		buf_printf(b, "0x%08" PRIx32 " : %s", want_mark(v), text);
	}
	n->snat = marks.len > 0;
	if (source[V4].len > 0)
		rules_add(&rules, "outward", "snat ip to meta mark map @source4");
	if (source[V6].len > 0)
		rules_add(&rules, "outward", "snat ip6 to meta mark map @source6");
	if (n->snat)
		rules_add(&rules, "outward", "meta mark @snat_marks masquerade");
	rules_put_set(n->out, "map", "source4", "mark : ipv4_addr", &source[V4]);
	rules_put_set(n->out, "map", "source6", "mark : ipv6_addr", &source[V6]);
	rules_put_set(n->out, "set", "snat_marks", "mark", &marks);
	if (n->snat || n->out_n > 0 || n->autonat[0] != '\0')
		rules_chain(n->out, "outward", "nat", "postrouting", PRIORITY_SRCNAT);
	buf_put(n->out, rules.p, rules.len);
	buf_fini(&rules);
}

/* Where virtual services of layer 4 are: their packets are not for the rules that follow. */
static void
put_balanced(struct nat *n)
{
	struct buf address[FAMILIES] = { 0 }, marks = { 0 }, rules = { 0 };

	for (uint32_t i = 0; i < snapshot_count(n->s, KIND_service); i++) {
		const struct service *v = snapshot_at(n->s, KIND_service, i);
		struct addr_range a;

		if (!v->enabled || service_layer(v) != 4)
			continue;
		if (v->mark != 0) {
			rules_next(&marks);
			buf_printf(&marks, "0x%08" PRIx32, v->mark);
		}
		for (unsigned k = 0; rules_address(v, k, &a); k++) {
			rules_next(&address[family_of(&a.lo)]);
			rules_put_range(&address[family_of(&a.lo)], &a.lo, &a.hi);
		}
	}
	if (address[V4].len > 0)
		rules_add(&rules, "outward", "ct original ip daddr @balanced4 return");
	if (address[V6].len > 0)
		rules_add(&rules, "outward", "ct original ip6 daddr @balanced6 return");
	if (marks.len > 0)
		rules_add(&rules, "outward", "meta mark @marked return");
	rules_put_set(
	    n->out, "set", "balanced4", "ipv4_addr; flags interval; auto-merge", &address[V4]);
	rules_put_set(
	    n->out, "set", "balanced6", "ipv6_addr; flags interval; auto-merge", &address[V6]);
	rules_put_set(n->out, "set", "marked", "mark", &marks);
	buf_put(n->out, rules.p, rules.len);
	buf_fini(&rules);
}

/* The match of a rule that translates on the way out; also what the packet filter lets through. */
static void
put_outward_match(struct buf *b, const struct natrule *r)
{
	char inside[ADDR_TEXT];

	addr_format(&r->inside, ADDR_NET, inside);
	put_iface(b, "oifname", r->interface);
	buf_printf(b, "%s saddr %s ", rules_ip[family_of(&r->inside)], inside);
	if (protocol_of(r, false) != NULL)
		buf_printf(b, "meta l4proto %s ", protocol_of(r, false));
}

static void
put_outward(struct nat *n)
{
	if (n->out_n == 0 && n->autonat[0] == '\0')
		return;
	put_balanced(n);
	for (uint32_t i = 0; i < n->out_n; i++) {
		const struct natrule *r = n->outw[i];
		char outside[ADDR_TEXT];

		buf_puts(n->out, "add rule " TABLE "outward ");
		put_outward_match(n->out, r);
		addr_format(&r->outside, ADDR_HOST, outside);
		if (r->kind == nat_kind_masquerade)
			buf_puts(n->out, "masquerade\n");
		else
			buf_printf(
			    n->out, "snat %s to %s\n", rules_ip[family_of(&r->inside)], outside);
	}
	/* What came in by an interface, and what nobody here says is his own. */
	if (n->autonat[0] != '\0')
		rules_add(n->out, "outward",
		    "oifname %s iif != 0 fib saddr type != local masquerade", n->autonat);
}

/* ---- the packet filter -------------------------------------------------------------------- */

static void
put_filter(struct nat *n)
{
	struct buf *out = n->out;

	if (!snapshot_setting(n->s)->packet_filter)
		return;
	buf_puts(out, "add counter " TABLE "filtered\n");
	rules_chain(out, "spoofed", "filter", "forward", PRIORITY_FILTER);
	rules_add(out, "spoofed", "fib saddr type local counter name filtered drop");
	rules_chain(out, "passing", "filter", "forward", PRIORITY_AFTER_IPVS);
	rules_add(out, "passing", "fib saddr type local accept");
	if (n->in_n > 0 || n->out_n > 0 || n->autonat[0] != '\0')
		rules_add(out, "passing", "ct status snat,dnat accept");
	for (uint32_t i = 0; i < n->out_n; i++) {
		buf_puts(out, "add rule " TABLE "passing ");
		put_outward_match(out, n->outw[i]);
		buf_puts(out, "accept\n");
	}
	if (n->autonat[0] != '\0')
		rules_add(out, "passing", "oifname %s accept", n->autonat);
	rules_add(out, "passing", "counter name filtered drop");
}

void
rules_nat(const struct snapshot *s, struct buf *out)
{
	struct nat n = { .s = s, .out = out };

	collect(&n);
	put_inward(&n);
	put_snat_services(&n);
	put_outward(&n);
	put_filter(&n);
	free(n.in);
	free(n.outw);
}
