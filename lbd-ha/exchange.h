/* exchange.h - what the side processes of a pair tell each other: configuration and orders, persistence of layer 7, hardware
 * addresses. */
#ifndef HA_EXCHANGE_H
#define HA_EXCHANGE_H

#include "pair/pairing.h"
#include "role.h"
#include "stick.h"

#include "daemon/daemon.h"

struct exchange;
struct exchange *exchange_new(struct daemon *d, struct ha_role *r);
void exchange_free(struct exchange *x); /* NULL is fine */
/* exchange_stick - whose batches travel; set once, before the channel comes up. */
void exchange_stick(struct exchange *x, struct stick_mirror *s);
void exchange_to_peer(
    void *arg, uint64_t seq, const void *batch, size_t len); /* stick_mirror_ops.to_peer */
/* exchange_trial - whose trials are those of both nodes; set once. */
struct trial_clock;
void exchange_trial(struct exchange *x, struct trial_clock *t);
/* exchange_confirm - TRIAL_CONFIRM: it is answered when the other node keeps it too, or cannot. */
void exchange_confirm(struct exchange *x, const struct bus_request *rq);
/* exchange_pair - one of a pair, or not any more (NULL); k: the channel, borrowed until the next call. */
void exchange_pair(struct exchange *x, const struct cluster *c, struct peer_channel *k);
/* exchange_moved - the configuration in force is another: the peer is told what is new. */
void exchange_moved(struct exchange *x);
/* For pairing_ops. */
void exchange_hello(struct exchange *x, struct msg_peer_hello *m);
void exchange_up(struct exchange *x, const struct msg_peer_hello *m);
void exchange_down(struct exchange *x);
void exchange_row(struct exchange *x, const struct msg_row *row, const union msg_any *m);
void exchange_blob(struct exchange *x, unsigned number, const uint8_t *p, size_t len);

#endif
