/* adverts.h - whether routers are to be told the way to each floating address, kept in step with the addresses, what the
 * daemons say of the services, and the tracks. */
#ifndef HA_ADVERTS_H
#define HA_ADVERTS_H

#include "address.h"
#include "advert.h"
#include "role.h"

#include "daemon/daemon.h"

struct adverts_ops {
	/* One stands otherwise; its address was or is a floating one. */
	void (*turned)(void *arg, const struct advert_row *row);
	void *arg;
};
struct adverts;
struct adverts *adverts_new(struct daemon *d, struct ha_role *r, const struct adverts_ops *ops);
void adverts_free(struct adverts *k); /* what was told stays told; NULL is fine */
/* adverts_set - the floating addresses, in order; copied. */
void adverts_set(struct adverts *k, const struct floating *f, uint32_t n);
void adverts_quorum(struct adverts *k, const struct msg_quorum *m); /* as lbd-check tells it */
void adverts_look(struct adverts *k); /* after this turn: the configuration or a track is another */
/* adverts_find - how an address stands; NULL: nobody is told of any. */
const struct advert_row *adverts_find(const struct adverts *k, const struct addr *a);
/* adverts_leave - this node has handed over: withdraw everything; done is called once, from the loop, when that was told,
 * or could not be within some seconds. */
void adverts_leave(struct adverts *k, void (*done)(void *arg), void *arg);

#endif
