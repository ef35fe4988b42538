/* rules.c - the script for nft: the table "inet lbd", whole, in one transaction. Pure.
 *
 * Each object stands in a line of its own that begins with "add", so that what the table has is seen in the script
 * (nft.c takes away what an older script had). Rules are flushed and written anew; sets that packets or conns/cut.c
 * fill, and counters, are only added: adding what is there changes nothing.
 *
 * limiting   before connection tracking: new TCP connections of one client address above a service's syn_rate go.
 * marking    the firewall mark of services that are none by address. One look-up in one map finds the service among
 *            all: address, protocol and port, each a range. The same for what this node itself sends (marking_local).
 * cutting    TCP flows in cut4 and cut6 are reset. On the way in before IPVS (priority 98) takes the packet, and on the
 *            way through for what servers send.
 *
 * What concerns connections of layer 7 that the other node of a pair has is in rules_keep.c, and stands at the begin of
 * marking. Answers of servers to sockets of lbd-proxy that have a client's address are marked for route.c, which has
 * them delivered here. Address translation and the packet filter are in rules_nat.c. What is not needed is not there:
 * a chain costs every packet something, and one of type nat costs connection tracking. */
#include "packet/packet.h"
#include "packet/route.h"
#include "packet/rules_priv.h"
#include "plan/want.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define SEEN_S \
	5 /* a client that opens none for so long is forgotten: its allowance is full again after one second */
#define SEEN_MOST \
	65536 /* client addresses of one service; what comes while so many are known is not limited */

enum { PRIORITY_RAW = -300, PRIORITY_MANGLE = -150, PRIORITY_FILTER = 0 };

const char *const rules_ip[FAMILIES] = { "ip", "ip6" };
const char *const rules_type[FAMILIES] = { "ipv4_addr", "ipv6_addr" };

void
rules_put_range(struct buf *b, const struct addr *lo, const struct addr *hi)
{
	char text[ADDR_TEXT];

	addr_format(lo, ADDR_HOST, text);
	buf_puts(b, text);
	if (addr_same_host(lo, hi))
		return;
	addr_format(hi, ADDR_HOST, text);
	buf_printf(b, "-%s", text);
}

static void
put_port(struct buf *b, uint16_t lo, uint16_t hi)
{
	if (lo == hi)
		buf_printf(b, "%u", lo);
	else
		buf_printf(b, "%u-%u", lo, hi);
}

void
rules_put_ports(struct buf *b, const struct ranges *r)
{
	buf_puts(b, "{ ");
	for (unsigned i = 0; i < r->n; i++) {
		buf_puts(b, i > 0 ? ", " : "");
		put_port(b, r->r[i].lo, r->r[i].hi);
	}
	buf_puts(b, " }");
}

bool
rules_address(const struct service *s, unsigned i, struct addr_range *out)
{
	if (s->address.family == 0) /* a pool: nobody comes there */
		return false;
	if (i == 0)
		*out = (struct addr_range){ s->address, s->address };
	else if (s->more_addresses != NULL && i <= s->more_addresses->n)
		*out = s->more_addresses->r[i - 1];
	else
		return false;
	return true;
}

void
rules_next(struct buf *elements)
{
	buf_puts(elements, elements->len > 0 ? ",\n\t" : "\t");
}

void
rules_put_set(
    struct buf *out, const char *kind, const char *name, const char *type, struct buf *elements)
{
	if (elements->len > 0)
		buf_printf(out,
		    "add %s " TABLE "%s { type %s; }\n"
		    "add element " TABLE "%s {\n%s\n}\n",
		    kind, name, type, name, buf_text(elements));
	buf_fini(elements);
}

void
rules_add(struct buf *out, const char *chain, const char *fmt, ...)
{
	char text[600];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	buf_printf(out, "add rule " TABLE "%s %s\n", chain, text);
}

void
rules_chain(struct buf *out, const char *name, const char *type, const char *hook, int priority)
{
	buf_printf(out, "add chain " TABLE "%s { type %s hook %s priority %d; policy accept; }\n",
	    name, type, hook, priority);
}

bool
rules_iface(const char *name, char out[RULES_IFACE])
{
	size_t n = 0;

	out[n++] = '"';
	for (const char *p = name; *p != '\0' && n < RULES_IFACE - 4; p++) {
		if (*p == '"' || *p == '\\' || (unsigned char)*p <= ' ')
			return false;
		if (*p == '*')
			out[n++] = '\\'; /* else it stands for anything */
		out[n++] = *p;
	}
	out[n++] = '"';
	out[n] = '\0';
	return n > 2;
}

/* Protocols of a service, one or two; the rest is NULL. */
static void
protocols_of(const struct service *s, const char *out[2])
{
	static const char *const words[][2] = {
		[protocol_tcp] = { "tcp", NULL },
		[protocol_udp] = { "udp", NULL },
		[protocol_sctp] = { "sctp", NULL },
		[protocol_tcp_udp] = { "tcp", "udp" },
	};

	memcpy(out, words[s->protocol], sizeof(words[0]));
}

void
rules_put_places(struct buf elements[FAMILIES], const struct service *s,
    const char *const protocol[2], const char *value)
{
	struct addr_range a;

	for (unsigned i = 0; rules_address(s, i, &a); i++) {
		struct buf *b = &elements[family_of(&a.lo)];

		for (unsigned p = 0; p < 2 && protocol[p] != NULL; p++)
			for (unsigned r = 0; r < s->ports->n; r++) {
				rules_next(b);
				rules_put_range(b, &a.lo, &a.hi);
				buf_printf(b, " . %s . ", protocol[p]);
				put_port(b, s->ports->r[r].lo, s->ports->r[r].hi);
				if (value != NULL)
					buf_printf(b, " : %s", value);
			}
	}
}

bool
rules_tcp(const struct service *s)
{
	return s->protocol == protocol_tcp || s->protocol == protocol_tcp_udp;
}

static bool
has_family(const struct service *s, unsigned family)
{
	struct addr_range a;

	for (unsigned i = 0; rules_address(s, i, &a); i++)
		if (family_of(&a.lo) == family)
			return true;
	return false;
}

/* ---- limiting ----------------------------------------------------------------------------- */

/* A limit keeps the rate that it was made with, so another rate is another set. */
static void
limit_service(struct buf *out, const struct service *s)
{
	char chain[40];

	(void)snprintf(chain, sizeof(chain), "limit_%" PRIu32, s->id);
	buf_printf(out, "add chain " TABLE "%s\n", chain);
	for (unsigned f = V4; f < FAMILIES; f++) {
		char set[60];

		if (!has_family(s, f))
			continue;
		(void)snprintf(set, sizeof(set), "seen%c_%" PRIu32 "_%" PRIu32, f == V4 ? '4' : '6',
		    s->id, s->syn_rate);
		buf_printf(out,
		    "add set " TABLE
		    "%s { type %s; size %d; flags dynamic,timeout; timeout %ds; }\n",
		    set, rules_type[f], SEEN_MOST, SEEN_S);
		rules_add(out, chain,
		    "update @%s { %s saddr limit rate over %" PRIu32 "/second burst %" PRIu32
		    " packets } counter name limited drop",
		    set, rules_ip[f], s->syn_rate, s->syn_rate);
	}
}

static void
put_limiting(const struct snapshot *s, struct buf *out)
{
	static const char *const tcp[2] = { "tcp", NULL };
	struct buf elements[FAMILIES] = { 0 }, chains = { 0 };
	bool have[FAMILIES];

	for (uint32_t i = 0; i < snapshot_count(s, KIND_service); i++) {
		const struct service *v = snapshot_at(s, KIND_service, i);
		char verdict[40];

		if (!v->enabled || v->syn_rate == 0 || !rules_tcp(v))
			continue;
		(void)snprintf(verdict, sizeof(verdict), "jump limit_%" PRIu32, v->id);
		limit_service(&chains, v);
		rules_put_places(elements, v, tcp, verdict);
	}
	have[V4] = elements[V4].len > 0;
	have[V6] = elements[V6].len > 0;
	if (have[V4] || have[V6]) {
		buf_puts(out, "add counter " TABLE "limited\n");
		buf_put(out, chains.p, chains.len);
		rules_put_set(out, "map", "limit4",
		    PLACE_TYPE("ipv4_addr") " : verdict; flags interval", &elements[V4]);
		rules_put_set(out, "map", "limit6",
		    PLACE_TYPE("ipv6_addr") " : verdict; flags interval", &elements[V6]);
		rules_chain(out, "limiting", "filter", "prerouting", PRIORITY_RAW);
	}
	for (unsigned f = V4; f < FAMILIES; f++)
		if (have[f])
			rules_add(out, "limiting",
			    "tcp flags & (fin|syn|rst|ack) == syn %s daddr . meta l4proto . th dport vmap @limit%c",
			    rules_ip[f], f == V4 ? '4' : '6');
	buf_fini(&chains);
}

/* ---- marking ------------------------------------------------------------------------------ */

static void
put_marking(const struct snapshot *s, const struct packet_pair *pair, struct buf *out)
{
	struct buf elements[FAMILIES] = { 0 };
	bool divert = route_wanted(s), have[FAMILIES];

	for (uint32_t i = 0; i < snapshot_count(s, KIND_service); i++) {
		const struct service *v = snapshot_at(s, KIND_service, i);
		uint32_t mark = want_mark(v);
		const char *protocol[2];
		char value[20];

		if (!v->enabled || mark == 0 || v->mark != 0)
			continue;
		(void)snprintf(value, sizeof(value), "0x%08" PRIx32, mark);
		protocols_of(v, protocol);
		rules_put_places(elements, v, protocol, value);
	}
	have[V4] = elements[V4].len > 0;
	have[V6] = elements[V6].len > 0;
	rules_put_set(
	    out, "map", "mark4", PLACE_TYPE("ipv4_addr") " : mark; flags interval", &elements[V4]);
	rules_put_set(
	    out, "map", "mark6", PLACE_TYPE("ipv6_addr") " : mark; flags interval", &elements[V6]);
	if (divert || have[V4] || have[V6] || rules_keep_wanted(s, pair))
		rules_chain(out, "marking", "filter", "prerouting", PRIORITY_MANGLE);
	rules_keep(s, pair, out);
	if (divert)
		rules_add(out, "marking",
		    "meta l4proto tcp socket transparent 1 meta mark set 0x%08x accept",
		    ROUTE_MARK);
	if (have[V4] || have[V6])
		rules_chain(out, "marking_local", "filter", "output", PRIORITY_MANGLE);
	for (unsigned f = V4; f < FAMILIES; f++) {
		char n = f == V4 ? '4' : '6';

		if (!have[f])
			continue;
		rules_add(out, "marking",
		    "meta mark set %s daddr . meta l4proto . th dport map @mark%c", rules_ip[f], n);
		rules_add(out, "marking_local",
		    "oif lo meta mark set %s daddr . meta l4proto . th dport map @mark%c",
		    rules_ip[f], n);
	}
}

/* ---- cutting ------------------------------------------------------------------------------ */

static void
put_cutting(const struct snapshot *s, struct buf *out)
{
	static const char *const chain[] = { "cutting", "cutting_forward" }, *const hook[] = {
		"input", "forward"
	};
	bool wanted = false;

	for (uint32_t i = 0; !wanted && i < snapshot_count(s, KIND_service); i++) {
		const struct service *v = snapshot_at(s, KIND_service, i);

		/* A mark of the user's own may stand for any protocol. */
		wanted = v->enabled && service_layer(v) == 4 && (rules_tcp(v) || v->mark != 0);
	}
	if (!wanted)
		return;
	for (unsigned f = V4; f < FAMILIES; f++)
		buf_printf(out,
		    "add set " TABLE
		    "cut%c { type %s . inet_service . %s . inet_service; flags timeout; }\n",
		    f == V4 ? '4' : '6', rules_type[f], rules_type[f]);
	for (unsigned i = 0; i < 2; i++) {
		rules_chain(out, chain[i], "filter", hook[i], PRIORITY_FILTER);
		for (unsigned f = V4; f < FAMILIES; f++)
			rules_add(out, chain[i],
			    "%s saddr . tcp sport . %s daddr . tcp dport @cut%c reject with tcp reset",
			    rules_ip[f], rules_ip[f], f == V4 ? '4' : '6');
	}
}

void
packet_rules(const struct snapshot *s, const struct packet_pair *pair, struct buf *out)
{
	static const char head[] = "add table inet lbd\nflush table inet lbd\n" NO_LENDING;
	size_t began = out->len;

	buf_puts(out, head);
	put_limiting(s, out);
	put_marking(s, pair, out);
	put_cutting(s, out);
	rules_nat(s, out);
	rules_lend(s, pair, out);
	if (out->len == began + strlen(head))
		out->len = began;
}
