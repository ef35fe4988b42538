/* judge.c - from what was seen to findings.
 *
 * The order is that of the way: is the server there, does it listen, does it take packets for the virtual address, who
 * answers ARP for that, where do its answers go, do packets of full size fit. What depends on something that is wrong is
 * not judged: a server that is not there has one finding, not seven.
 *
 * Silence is evidence only beside an answer: nothing at the virtual address means that it is missing when the server's own
 * address answers, and nothing from outside means a wrong way back when a question from inside was answered. Where silence
 * has two possible causes the finding says that it could not be found out. */
#include "doctor/judge.h"

#include "base/must.h"
#include "schema/schema.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct judging {
	const struct seen *s;
	judge_fn tell;
	void *arg;
	char vip[ADDR_TEXT], rip[ADDR_TEXT];		 /* addresses */
	char vport[ADDR_TEXT + 8], rport[ADDR_TEXT + 8]; /* with their ports */
};

#define ICMP_UNREACH 3
#define ICMP_PROTOCOL 2
#define ICMP_PORT 3
#define ICMP6_UNREACH 1
#define ICMP6_PORT 4

static void say(struct judging *j, enum finding what, enum found status, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

static void
say(struct judging *j, enum finding what, enum found status, const char *fmt, ...)
{
	char text[JUDGE_TEXT];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	j->tell(j->arg, what, status, text);
}

void
judge_mac(const uint8_t mac[6], char out[18])
{
	(void)snprintf(out, 18, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3],
	    mac[4], mac[5]);
}

static bool
answered(const struct heard *h)
{
	return h->what == HEARD_OPEN || h->what == HEARD_CLOSED;
}

static void
place_text(const struct addr *a, uint16_t port, char *host, char *with_port)
{
	addr_format(a, ADDR_HOST, host);
	(void)snprintf(with_port, ADDR_TEXT + 8, a->family == 6 ? "[%s]:%u" : "%s:%u", host, port);
}

static const char *
asking(const struct judging *j)
{
	return j->s->rip.family == 4 ? "ARP" : "neighbour solicitations";
}

/* Is it there at all? */
static bool
judge_reach(struct judging *j)
{
	const struct seen *s = j->s;
	char mac[18], from[ADDR_TEXT];

	if (s->place == PLACE_HERE) {
		say(j, FINDING_unreachable, FOUND_RIGHT, "%s is this node itself", j->rip);
		return true;
	}
	if (s->place == PLACE_LINK) {
		judge_mac(s->mac, mac);
		if (s->has_mac)
			say(j, FINDING_unreachable, FOUND_RIGHT, "%s is at %s", j->rip, mac);
		else
			say(j, FINDING_unreachable, FOUND_WRONG, "nobody answers %s for %s",
			    asking(j), j->rip);
		return s->has_mac;
	}
	if (s->forward == forward_dr) {
		say(j, FINDING_off_subnet, FOUND_WRONG,
		    "no interface of this node is in the network of %s, and direct routing needs one",
		    j->rip);
		return false;
	}
	if (s->own.what == HEARD_ERROR) {
		addr_format(&s->own.from, ADDR_HOST, from);
		say(j, FINDING_unreachable, FOUND_WRONG, "%s says that %s cannot be reached", from,
		    j->rip);
		return false;
	}
	if (answered(&s->own) || answered(&s->own_udp))
		say(j, FINDING_unreachable, FOUND_RIGHT, "%s answers through a router", j->rip);
	return true;
}

/* Does the application listen at the server's own address? */
static void
judge_own(struct judging *j)
{
	const struct seen *s = j->s;
	const struct heard *h = s->protocol == protocol_udp ? &s->own_udp : &s->own;

	if (!h->asked)
		return;
	if (h->what == HEARD_OPEN)
		say(j, FINDING_rip_silent, FOUND_RIGHT, "%s accepts", j->rport);
	else if (h->what == HEARD_CLOSED)
		say(j, FINDING_rip_silent, FOUND_WRONG, "%s refuses: nothing listens there",
		    j->rport);
	else if (s->protocol == protocol_udp)
		say(j, FINDING_rip_silent, FOUND_UNKNOWN,
		    "%s is silent, which UDP may be to a datagram without data", j->rport);
	else
		say(j, FINDING_rip_silent,
		    s->virt.what == HEARD_OPEN ? FOUND_DOUBTFUL : FOUND_WRONG,
		    "%s is silent: a packet filter drops the question", j->rport);
}

/* Does the application listen at the virtual address, which the server has? */
static void
judge_listen(struct judging *j)
{
	const struct seen *s = j->s;
	bool udp = s->protocol == protocol_udp;
	unsigned what = udp ? s->virt_udp.what : s->virt.what;

	if (what == HEARD_OPEN)
		say(j, FINDING_vip_silent, FOUND_RIGHT, "%s accepts at the server", j->vport);
	else if (udp && what != HEARD_CLOSED)
		say(j, FINDING_vip_silent, FOUND_UNKNOWN,
		    "%s is silent at the server, which UDP may be", j->vport);
	else if (s->own.what == HEARD_OPEN || s->own_udp.what == HEARD_OPEN || udp)
		say(j, FINDING_vip_silent, FOUND_WRONG, "%s accepts, %s refuses at the server",
		    j->rport, j->vport);
	/* else nothing listens anywhere, which is said already */
}

/* A packet inside the tunnel had no effect. Why? */
static void
judge_tunnel(struct judging *j)
{
	const struct seen *s = j->s;
	bool refused = s->virt.what == HEARD_ERROR &&
		       ((s->virt.type == ICMP_UNREACH &&
			    (s->virt.code == ICMP_PROTOCOL || s->virt.code == ICMP_PORT)) ||
			   s->virt.type == ICMP6_UNREACH) &&
		       addr_same_host(&s->virt.from, &s->rip);

	if (refused || answered(&s->direct))
		say(j, FINDING_no_tunnel, FOUND_WRONG,
		    refused ? "%s refuses packets of the tunnel"
			    : "%s answers for the virtual address, but not out of the tunnel",
		    j->rip);
	else if (answered(&s->own))
		say(j, FINDING_no_vip, FOUND_WRONG,
		    "no answer at %s out of the tunnel: the virtual address, the tunnel's device or its "
		    "rp_filter",
		    j->vport);
	else
		say(j, FINDING_no_vip, FOUND_UNKNOWN, "neither %s nor %s answers", j->vport,
		    j->rport);
}

/* Does it take packets for the virtual address? */
static void
judge_virtual(struct judging *j)
{
	const struct seen *s = j->s;

	if (!s->virt.asked)
		return;
	if (answered(&s->virt)) {
		if (s->forward == forward_tun)
			say(j, FINDING_no_tunnel, FOUND_RIGHT,
			    "it takes packets out of the tunnel");
		say(j, FINDING_no_vip, FOUND_RIGHT, "it takes packets for %s", j->vip);
		judge_listen(j);
	} else if (s->forward == forward_tun) {
		judge_tunnel(j);
	} else if (answered(&s->own) || answered(&s->own_udp)) {
		say(j, FINDING_no_vip, FOUND_WRONG, "%s answers, %s does not at the server%s",
		    j->rport, j->vport,
		    s->vip.family == 6
			? ": it has the address nowhere, or gave it up as a duplicate (dadfailed)"
			: "");
	} else {
		say(j, FINDING_no_vip, FOUND_UNKNOWN,
		    "neither %s nor %s answers: a packet filter, or no virtual address", j->rport,
		    j->vport);
	}
}

/* Does it keep quiet about the virtual address? */
static void
judge_claims(struct judging *j)
{
	const struct seen *s = j->s;
	enum finding what = s->vip.family == 4 ? FINDING_arp_answers : FINDING_dad;
	char mac[18];

	if (!s->claim_asked || s->forward == forward_nat)
		return;
	judge_mac(s->mac, mac);
	if (s->claims)
		say(j, what, FOUND_WRONG, "%s answers %s for %s", mac, asking(j), j->vip);
	else if (s->announces)
		say(j, what, FOUND_WRONG, "%s asks by ARP in the name of %s", mac, j->vip);
	else
		say(j, what, FOUND_RIGHT, "it keeps quiet about %s", j->vip);
}

/* dr, tun: answers leave by the server's gateway, which is not this node. */
static void
judge_return(struct judging *j)
{
	const struct seen *s = j->s;
	const struct heard *h = &s->back;
	char outside[ADDR_TEXT], from[ADDR_TEXT];

	if (!h->asked || !answered(&s->virt))
		return;
	addr_format(&s->outside_addr, ADDR_HOST, outside);
	if (answered(h) && (h->straight || s->outside == OUTSIDE_FOREIGN)) {
		say(j, FINDING_gateway_dr, FOUND_WRONG, "its answer to %s came to this node",
		    outside);
	} else if (answered(h)) {
		say(j, FINDING_return_path, FOUND_RIGHT, "its answer to %s came back by a router",
		    outside);
	} else if (h->what == HEARD_ERROR) {
		addr_format(&h->from, ADDR_HOST, from);
		say(j, FINDING_return_path, FOUND_RIGHT, "its answer to %s went to router %s",
		    outside, from);
	} else if (s->outside == OUTSIDE_FOREIGN && s->contested) {
		say(j, FINDING_return_path, FOUND_UNKNOWN,
		    "where its answers go cannot be seen while others answer %s for %s", asking(j),
		    j->vip);
	} else if (s->outside == OUTSIDE_OWN || s->router_tells) {
		say(j, FINDING_return_path, FOUND_WRONG,
		    "%s at the server answers clients in its own network, but not %s", j->vport,
		    outside);
	} else {
		say(j, FINDING_return_path, FOUND_UNKNOWN,
		    "where its answers to other networks go cannot be seen from here");
	}
}

/* nat: answers must come back through this node. */
static void
judge_gateway(struct judging *j)
{
	const struct seen *s = j->s;
	char outside[ADDR_TEXT];

	if (!s->back.asked || !answered(&s->own))
		return;
	addr_format(&s->outside_addr, ADDR_HOST, outside);
	if (answered(&s->back))
		say(j, FINDING_gateway, FOUND_RIGHT, "its answer to %s came to this node", outside);
	else
		say(j, FINDING_gateway, FOUND_WRONG,
		    "%s answers clients in its own network, but its answer to %s did not come to this node",
		    j->rport, outside);
}

static void
judge_mtu(struct judging *j)
{
	const struct seen *s = j->s;
	unsigned heads = s->vip.family == 4 ? 40 : 60, room = s->mtu - s->overhead - heads;

	if (s->forward != forward_tun || s->virt.what != HEARD_OPEN || s->virt.mss == 0 ||
	    s->mtu <= s->overhead + heads)
		return;
	if (s->virt.mss <= room)
		say(j, FINDING_mtu, FOUND_RIGHT, "segments of %u bytes fit into the tunnel",
		    s->virt.mss);
	else
		say(j, FINDING_mtu, FOUND_DOUBTFUL,
		    "it asks for segments of %u bytes, of which %u fit into the tunnel (MTU %u)",
		    s->virt.mss, room, s->mtu);
}

void
judge(const struct seen *s, judge_fn tell, void *arg)
{
	struct judging j = { .s = s, .tell = tell, .arg = arg };

	place_text(&s->vip, s->vport, j.vip, j.vport);
	place_text(&s->rip, s->rport, j.rip, j.rport);
	if (s->blind != NULL) {
		say(&j, FINDING_not_probed, FOUND_UNKNOWN, "%s", s->blind);
		return;
	}
	if (!judge_reach(&j))
		return;
	judge_own(&j);
	judge_virtual(&j);
	judge_claims(&j);
	if (s->forward != forward_nat)
		judge_return(&j);
	else if (!s->snat)
		judge_gateway(&j);
	judge_mtu(&j);
}
