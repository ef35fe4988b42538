/* Connections that stay in SYN_RECV: the client's SYN went to the server, and nothing that ends the handshake came by.
 *
 * With direct routing and tunnels only the client's side is seen here. Its ACK is missing when the server did not take
 * the SYN (it lacks the virtual address) or when the client talks to the server past this node (the server answers ARP
 * for the virtual address). With address translation the server's SYN-ACK is missing: it takes another way to the client
 * than this node, because its gateway is another. With mode snat the server's answer is for this node; when that is
 * missing, nobody answers.
 *
 * What counts is the share of old half-open connections among those that began about as long ago. Connections that are
 * closed leave the kernel's list within two minutes and all count; of established ones, which stay for long, those that
 * were heard of in the last minute. A SYN flood alone also leaves half-open connections behind; then the others still
 * come through and hold the share down unless nearly everything is flood. A hint stays until enough connections come
 * through again (HINT_CLEAR_PCT), or until nothing is half open and nothing new came for HINT_KEEP. */
#include "conns/hints.h"

#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#define RECENT_S 60

void
hint_count(struct hint_sample *s, const struct entry *e, const struct hint_times *t)
{
	if (e->protocol != IPPROTO_TCP || e->template)
		return;
	if (strcmp(e->state, "SYN_RECV") == 0)
		s->half += e->left_s >= t->least && e->left_s + HINT_OLD_S <= t->half_open;
	else if (strcmp(e->state, "ESTABLISHED") == 0)
		s->done += e->left_s + RECENT_S >= t->established;
	else if (strcmp(e->state, "NONE") != 0 && strcmp(e->state, "LISTEN") != 0 &&
		 strcmp(e->state, "SYN_SENT") != 0)
		s->done++;
}

static unsigned
finding_of(unsigned forward)
{
	switch (forward) {
	case mode_dr: return FINDING_arp_answers;
	case mode_tun: return FINDING_no_vip;
	case mode_nat: return FINDING_gateway;
	default: return FINDING_half_open;
	}
}

bool
hint_decide(struct hint *h, const struct hint_sample *s, unsigned forward, mono_t now)
{
	uint64_t all = (uint64_t)s->half + s->done;
	unsigned before = h->what;
	bool many = s->half >= HINT_LEAST && (uint64_t)s->half * 100 >= all * HINT_RAISE_PCT;
	bool few = all > 0 && (uint64_t)s->half * 100 <= all * HINT_CLEAR_PCT;

	if (s->half > 0)
		h->seen = now;
	if (many)
		h->what = (uint16_t)finding_of(forward);
	else if (h->what != FINDING_none && (few || now - h->seen >= HINT_KEEP))
		h->what = FINDING_none;
	return h->what != before;
}

void
hint_text(char out[HINT_TEXT], const char *server, const char *vip, const struct hint_sample *s,
    unsigned forward)
{
	/* before the server, before the virtual address, after it */
	static const char *const words[][3] = {
		[mode_dr] = { "direct routing: ", " has not got ",
		    " on its loopback, or it answers ARP for it and draws clients past this node" },
		[mode_tun] = { "tunnel: ", " does not unpack the tunnel, or it has not got ",
		    " on its loopback" },
		[mode_nat] = { "address translation: the default gateway of ",
		    " is not this node, so its answers to clients of ", " go another way" },
		[mode_snat] = { "", " does not answer this node for ",
		    ": a firewall is between, or nothing listens" },
	};
	const char *const *w = words[mode_snat];

	if (forward < sizeof(words) / sizeof(words[0]) && words[forward][0] != NULL)
		w = words[forward];
	(void)snprintf(out, HINT_TEXT,
	    "%" PRIu32 " of %" PRIu64 " connections stay in SYN_RECV; %s%s%s%s%s", s->half,
	    (uint64_t)s->half + s->done, w[0], server, w[1], vip, w[2]);
}
