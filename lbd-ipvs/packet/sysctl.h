/* sysctl.h - the kernel's switches that the configuration needs, and only those. */
#ifndef IPVS_PACKET_SYSCTL_H
#define IPVS_PACKET_SYSCTL_H

#include "base/err.h"
#include "store/snapshot.h"

#define SYSCTL_DIR "/proc/sys"

/* Bits: what a configuration needs of the kernel. */
enum {
	NEED_IPVS = 1, /* a service of layer 4 */
	NEED_FORWARD4 =
	    2, /* packets of others pass: answers of servers, translated ones, routed ones (S039) */
	NEED_FORWARD6 = 4,
	NEED_NO_REDIRECTS = 8, /* servers must not learn a way around this node */
	NEED_CONNTRACK = 16,   /* what IPVS forwards is translated again: mode snat */
	NEED_DEFENSE = 32,     /* setting syn_defense */
	NEED_ACCEPT_MARK = 64, /* one of a pair, with services of layer 7 */
};
unsigned sysctl_needs(const struct snapshot *s); /* pure */

/* sysctl_apply - what is needed now is set; what was needed before and is not any more is left as it is, but for
 * NEED_DEFENSE, which is a switch. Each change is logged. dir is SYSCTL_DIR but in tests.
 * Returns 1 when files are missing that come with ip_vs (it may be loaded later), 0, or -errno with err: one that
 * is there cannot be set. */
int sysctl_apply(const char *dir, unsigned needs, unsigned before, struct err *err);

#endif
