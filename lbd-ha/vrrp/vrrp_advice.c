/* vrrp_advice.c - two routers that cannot agree see it in each other's advertisements: another version, other addresses,
 * another interval, the same priority. Each is counted where it is judged (vrrp_fsm.c); here the first that counts in the
 * order of what it does to the network becomes a sentence. Wrong: both are master at once. Doubtful: they work, but not
 * as somebody meant. */
#include "vrrp/vrrp_advice.h"

#include <inttypes.h>
#include <stdio.h>

static const struct {
	enum vrrp_bad bad;
	const char *text;
} wrong[] = {
	{ VRRP_BAD_OTHER_VERSION,
	    "Another router of this number speaks the other version: give both the same." },
	{ VRRP_BAD_AUTH, "Another router of this number has another password, or none." },
	{ VRRP_BAD_OTHER_INTERVAL,
	    "Another router of this number has another interval: version 2 wants the same on both." },
	{ VRRP_BAD_ADDRS,
	    "Another router of this number has other addresses: give both the same, or set any_addresses." },
	{ VRRP_BAD_LINKLOCAL,
	    "Another router of this number advertises no link-local address first: it must." },
	{ VRRP_BAD_CHECKSUM, "Advertisements with a wrong checksum come: something damages them." },
	{ VRRP_BAD_CARP,
	    "CARP is spoken on this network: it looks like VRRP and has numbers of its own." },
	{ VRRP_BAD_SOURCE,
	    "Advertisements come from routers that are no peers, or by another way than this one's." },
	{ VRRP_BAD_TTL,
	    "Advertisements come from further away than min_ttl allows (keepalived sends IPv6 unicast with 64)." },
};

void
vrrp_advice(
    const struct vrrp_conf *c, uint8_t priority, const struct vrrp_counts *n, char out[VRRP_ADVICE])
{
	out[0] = '\0';
	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		if (n->bad[wrong[i].bad] == 0)
			continue;
		(void)snprintf(out, VRRP_ADVICE, "%s", wrong[i].text);
		return;
	}
	if (n->equal > 0 && c->priority == VRRP_OWNER)
		(void)snprintf(out, VRRP_ADVICE,
		    "Two routers say that the addresses are their own (priority 255): only one can.");
	else if (n->equal > 0 && priority == c->priority)
		(void)snprintf(out, VRRP_ADVICE,
		    "Another router has priority %u too: give the preferred one more.",
		    c->priority);
	else if (n->mismatch > 0 && c->version == 3)
		(void)snprintf(out, VRRP_ADVICE,
		    "Another router has another interval: the master's counts, and who takes over changes it.");
}

void
vrrp_discarded(const struct vrrp_counts *n, char out[VRRP_DISCARDED])
{
	size_t len = 0;

	out[0] = '\0';
	for (enum vrrp_bad b = VRRP_GOOD + 1; b < VRRP_BADS; b++) {
		char one[64];
		int k = n->bad[b] > 0 ? snprintf(one, sizeof(one), "%s%s=%" PRIu64,
					    len > 0 ? "," : "", vrrp_bad_name(b), n->bad[b])
				      : 0;

		if (k <= 0 || len + (size_t)k >= VRRP_DISCARDED)
			continue;
		(void)snprintf(out + len, VRRP_DISCARDED - len, "%s", one);
		len += (size_t)k;
	}
}
