/* health.h - the link to lbd-check: verdicts and quorums in, half-open connections out. */
#ifndef IPVS_HEALTH_H
#define IPVS_HEALTH_H

#include "services.h"

#include "daemon/daemon.h"

#define HEALTH_WAIT DUR_MS(500) /* for lbd-check to be there, after a start */
#define HEALTH_MOST DUR_S(2)	/* for all that it knows, when it is there */

struct health;
/* health_new - ready is called once: when lbd-check has said what it knows, or was waited for long enough. */
struct health *health_new(
    struct daemon *d, struct services *s, void (*ready)(void *arg), void *arg);
void health_free(struct health *h);
/* health_half_open - so many connections to the server stay half open. */
void health_half_open(struct health *h, uint32_t server, uint32_t count);

#endif
