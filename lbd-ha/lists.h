/* lists.h - entries of lists: what the lbd-proxy of this node lacks is fetched from the other node's, piece by piece. */
#ifndef HA_LISTS_H
#define HA_LISTS_H

#include "pair/peer_channel.h"

#include "daemon/daemon.h"

struct list_courier;
struct list_courier *list_courier_new(struct daemon *d);
void list_courier_free(struct list_courier *c); /* NULL is fine */
/* The channel: k is borrowed until list_courier_down. */
void list_courier_up(struct list_courier *c, struct peer_channel *k);
void list_courier_down(struct list_courier *c);
void list_courier_look(struct list_courier *c); /* the configuration changed */
/* What comes from the other node. */
void list_courier_on_ask(struct list_courier *c, const struct msg_list_get *m);
void list_courier_on_text(struct list_courier *c, const struct msg_list_text *m);

#endif
