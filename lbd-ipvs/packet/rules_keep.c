/* rules_keep.c - connections of layer 7 that outlive a planned change of the active node: each stays at the node that
 * accepted it, while the addresses are at the other one. Pure.
 *
 * A connection that lbd-proxy has is known by the mark of its socket: the first packet of each gets KEPT_MARK, and
 * the kernel gives the mark of that packet to the socket that accept makes of it (tcp_fwmark_accept). The socket that
 * listens has none. The listening sockets are transparent, and so are theirs: they send with an address that is
 * no longer here.
 *
 * kept   where services of layer 7 are: their new connections are marked.
 * lent   those whose addresses are at the other node, or came here a moment ago: a packet of a connection that is not
 *        here goes there, as it is, but for the differentiated services field, which says that it was passed on once.
 * fresh  connections that begin while lent is set: between their first packet and accept nothing else tells them apart
 *        from those of the other node.
 *
 * A packet that was passed on and belongs to a socket here is delivered here (ROUTE_MARK), whatever its address; one that
 * does not ends here, so nothing is passed on twice. Only the family of the table that is looked up can send a copy to
 * another machine (linux/netfilter/nf_tables.h, expression dup): hence two small tables more.
 *
 * In quiet times an established connection costs two comparisons a packet. */
#include "packet/route.h"
#include "packet/rules_priv.h"

#define KEPT_MARK (ROUTE_MARK | 1)
#define LENT_MARK (ROUTE_MARK | 2)
#define PASSED_ON 0x2f /* a code point of the pool for local use: RFC 2474 section 6, xxxx11 */
#define FRESH_S 2      /* a handshake is over by then, or is begun again */
#define FRESH_MOST 262144
#define IN_MARKING (-149) /* right behind the chain marking */

#define FIRST "tcp flags & (fin|syn|rst|ack) == syn "
#define PLACE "%s daddr . meta l4proto . th dport "
#define FLOW "%s saddr . tcp sport . %s daddr . tcp dport"

static const char digit[FAMILIES] = { '4', '6' };

static bool
kept(const struct service *v)
{
	return v->enabled && service_layer(v) == 7 && rules_tcp(v);
}

bool
rules_keep_wanted(const struct snapshot *s, const struct packet_pair *pair)
{
	for (uint32_t i = 0; i < snapshot_count(s, KIND_service); i++) {
		const struct service *v = snapshot_at(s, KIND_service, i);
		struct addr_range a;

		if (!kept(v))
			continue;
		for (unsigned k = 0; rules_address(v, k, &a); k++)
			if (pair->peer[family_of(&a.lo)].family != 0)
				return true;
	}
	return false;
}

/* The rules of one family, in the chain marking. */
static void
put_rules(struct buf *out, unsigned f, bool lent, bool divert)
{
	const char *ip = rules_ip[f];
	char n = digit[f];

	if (lent) {
		buf_printf(out,
		    "add set " TABLE
		    "fresh%c { type %s . inet_service . %s . inet_service; size %d; flags dynamic,timeout; timeout %ds; }\n",
		    n, rules_type[f], rules_type[f], FRESH_MOST, FRESH_S);
		rules_add(out, "marking", FIRST PLACE "@lent%c update @fresh%c { " FLOW " }", ip, n,
		    n, ip, ip);
	}
	rules_add(
	    out, "marking", FIRST PLACE "@kept%c meta mark set 0x%08x accept", ip, n, KEPT_MARK);
	rules_add(out, "marking",
	    "%s dscp 0x%02x " PLACE "@kept%c socket mark 0x%08x meta mark set 0x%08x accept", ip,
	    PASSED_ON, ip, n, KEPT_MARK, ROUTE_MARK);
	rules_add(out, "marking", "%s dscp 0x%02x " PLACE "@kept%c fib daddr type != local drop",
	    ip, PASSED_ON, ip, n);
	if (lent) {
		rules_add(out, "marking",
		    PLACE "@lent%c socket mark 0x%08x meta mark set 0x%08x accept", ip, n,
		    KEPT_MARK, ROUTE_MARK);
		rules_add(out, "marking", FLOW " @fresh%c accept", ip, ip, n);
		rules_add(out, "marking",
		    "%s dscp != 0x%02x " PLACE
		    "@lent%c fib daddr type local %s dscp set 0x%02x meta mark set 0x%08x accept",
		    ip, PASSED_ON, ip, n, ip, PASSED_ON, LENT_MARK);
	}
	/* The rule that follows takes every packet that finds a transparent socket, one that listens as well. */
	if (divert)
		rules_add(out, "marking", PLACE "@kept%c accept", ip, n);
}

void
rules_keep(const struct snapshot *s, const struct packet_pair *pair, struct buf *out)
{
	static const char *const tcp[2] = { "tcp", NULL };
	struct buf keep[FAMILIES] = { 0 }, lend[FAMILIES] = { 0 };

	for (uint32_t i = 0; i < snapshot_count(s, KIND_service); i++) {
		const struct service *v = snapshot_at(s, KIND_service, i);

		if (!kept(v))
			continue;
		rules_put_places(keep, v, tcp, NULL);
		if (v->group >= 1 && v->group <= PACKET_GROUPS && pair->lent[v->group - 1])
			rules_put_places(lend, v, tcp, NULL);
	}
	for (unsigned f = V4; f < FAMILIES; f++) {
		bool any = keep[f].len > 0 && pair->peer[f].family != 0, lent = lend[f].len > 0;
		const char *type = f == V4 ? PLACE_TYPE("ipv4_addr") "; flags interval"
					   : PLACE_TYPE("ipv6_addr") "; flags interval";

		if (!any) {
			buf_fini(&keep[f]);
			buf_fini(&lend[f]);
			continue;
		}
		rules_put_set(out, "set", f == V4 ? "kept4" : "kept6", type, &keep[f]);
		rules_put_set(out, "set", f == V4 ? "lent4" : "lent6", type, &lend[f]);
		put_rules(out, f, lent, route_wanted(s));
	}
}

void
rules_lend(const struct snapshot *s, const struct packet_pair *pair, struct buf *out)
{
	if (!rules_keep_wanted(s, pair))
		return;
	for (unsigned f = V4; f < FAMILIES; f++) {
		const char *ip = rules_ip[f];
		char peer[ADDR_TEXT];

		if (pair->peer[f].family == 0)
			continue;
		addr_format(&pair->peer[f], ADDR_HOST, peer);
		buf_printf(out,
		    "add table %s lbd\n"
		    "add chain %s lbd lending { type filter hook prerouting priority %d; policy accept; }\n"
		    "add rule %s lbd lending meta mark 0x%08x dup to %s drop\n",
		    ip, ip, IN_MARKING, ip, LENT_MARK, peer);
	}
}
