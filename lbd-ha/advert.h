/* advert.h - whether routers are to be told the way to a floating address. Pure. */
#ifndef HA_ADVERT_H
#define HA_ADVERT_H

#include "store/snapshot.h"

#include <stdbool.h>

#define ADVERT_WHY 160
#define ADVERT_VARS 10 /* variables of a script */
#define ADVERT_VAR 200 /* of one */

/* In order of what clients have of it; numbers are those of message FLOATING. OPEN: it stays as it is. */
enum advert { ADVERT_NONE, ADVERT_OPEN, ADVERT_WITHDRAW, ADVERT_LAST, ADVERT_ANNOUNCE };

/* Whether a service has something to serve its clients with, on this node. */
enum serving { SERVING_UNKNOWN, SERVING_NO, SERVING_FALLBACK, SERVING_YES };

/* What the daemons have said of a service. */
struct advert_facts {
	bool quorum_known, met;	       /* lbd-check */
	uint64_t weight;	       /* of its fit servers */
	bool kernel_known, loaded;     /* lbd-ipvs, of layer 4 */
	bool proxy_known, proxy_there; /* lbd-proxy, of layer 7 */
};

/* advert_serving - of an enabled service. A fallback serves while there is no quorum. why: of anything but YES. */
enum serving advert_serving(
    const struct service *s, const struct advert_facts *f, char why[ADVERT_WHY]);
/* Whether an address is one of the service's. */
bool advert_uses(const struct service *s, const struct addr *a);

/* The services of an address, summed; { 0 }: none. */
struct advert_sum {
	unsigned counted, open;
	enum serving best, least_required; /* UNKNOWN while there is none */
	bool required_open;
	char why_down[ADVERT_WHY], why_required[ADVERT_WHY], why_open[ADVERT_WHY];
};
/* advert_add - one more enabled service, of how much it counts (enum of field advertise), and how it serves. */
void advert_add(struct advert_sum *sum, const struct service *s, enum serving how, const char *why);
/* advert_decide - what to tell routers.
 *
 * held:    the address is on this node.
 * unfit:   why this node, which is not one of a pair, should rather not be found (a track); "": it is fit.
 * Announced while it is held, each required service serves, and one of those that count, if there are any, serves; as the
 * last resort while that is a fallback only, or the node is unfit. While what would decide is not known: OPEN.
 * why:     the reason, in words. */
enum advert advert_decide(
    const struct advert_sum *sum, bool held, const char *unfit, char why[ADVERT_WHY]);

/* How an address stands. */
struct advert_row {
	struct addr addr;
	char ifname[16];
	uint8_t group;
	enum advert now;
	char why[ADVERT_WHY];
};

/* What a script is told of an address. */
struct advert_word {
	struct addr addr;
	char ifname[16];
	uint8_t group;
	enum advert was,
	    now; /* was OPEN: it was told nothing yet, or nobody knows how that ended */
	const char *why;
	int64_t at_ms; /* since 1970 */
};
/* advert_vars - "LBD_NEW=announce" and others. */
void advert_vars(const struct advert_word *w, char out[ADVERT_VARS][ADVERT_VAR]);

#endif
