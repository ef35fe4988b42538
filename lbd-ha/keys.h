/* keys.h - private keys of certificates: what the lbd-proxy of this node lacks is fetched from the other node's. */
#ifndef HA_KEYS_H
#define HA_KEYS_H

#include "pair/peer_channel.h"

#include "daemon/daemon.h"

struct key_courier;
struct key_courier *key_courier_new(struct daemon *d);
void key_courier_free(struct key_courier *c); /* NULL is fine */
/* The channel: k is borrowed until key_courier_down. */
void key_courier_up(struct key_courier *c, struct peer_channel *k);
void key_courier_down(struct key_courier *c);
void key_courier_look(struct key_courier *c); /* the configuration changed */
/* What comes from the other node. */
void key_courier_on_ask(struct key_courier *c, const struct msg_key_name *m);
void key_courier_on_key(struct key_courier *c, const struct msg_key_bytes *m);

#endif
