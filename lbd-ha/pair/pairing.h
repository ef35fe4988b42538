/* pairing.h - this node's side of being one of a pair: identity, one-time code, listener, pairing, channel. */
#ifndef HA_PAIRING_H
#define HA_PAIRING_H

#include "peer_channel.h"

#include "msg/bus.h"
#include "store/snapshot.h"
#include "sys/paths.h"

#define PAIR_PORT 9444		  /* unless node.ha_port says otherwise */
#define PAIR_CODE_LIFE DUR_S(600) /* so long is a code good, */
#define PAIR_CODE_TRIES 5	  /* and so many wrong ones it survives */
#define PAIR_GUESTS 8		  /* connections at once that have proved nothing yet */

struct pairing_ops {
	/* What this node is told of the pair changed: paired, unpaired, channel up or lost (pairing_peer). */
	void (*changed)(void *arg);
	/* At the end of a pairing, see session.h; both NULL: the channel brings the configuration. */
	int (*dump)(void *arg, struct buf *out, struct err *err);
	int (*replace)(void *arg, const void *p, size_t len, struct err *err);
	/* The channel, see peer_channel.h; each may be NULL. */
	void (*hello)(void *arg, struct msg_peer_hello *m);
	void (*up)(void *arg, const struct msg_peer_hello *m);
	void (*row)(void *arg, const struct msg_row *row, const union msg_any *m);
	void (*blob)(void *arg, unsigned number, const uint8_t *p, size_t len);
	void (*room)(void *arg, enum peer_stream s);
	void (*down)(void *arg, const char *why);
	void *arg;
};
struct pairing;
/* pairing_new - reads what is on disk and is one of the pair again when it was. A fault of the files is shown by
 * pairing_peer; the node is then single. Nothing is made before it is needed. */
struct pairing *pairing_new(struct loop *l, const struct paths *p, const struct pairing_ops *ops);
void pairing_free(struct pairing *p); /* NULL is fine; open requests are answered */
/* pairing_set - the node's name and port, and what it has, from now on. Called before anything else is asked. */
void pairing_set(struct pairing *p, const struct snapshot *s);

/* Borrowed until the next change; NULL: this node is not one of a pair. */
struct peer_channel *pairing_channel(struct pairing *p);
const struct cluster *pairing_cluster(const struct pairing *p);

/* What there is to say of the pair; texts in m point into room. */
struct pairing_texts {
	char name[CLUSTER_NAME], addresses[CLUSTER_ADDRS * ADDR_TEXT], theirs[FINGERPRINT_TEXT],
	    own[FINGERPRINT_TEXT], fault[600], release[32];
};
void pairing_peer(const struct pairing *p, struct pairing_texts *room, struct msg_ha_peer *m);

/* Handlers of HA_CODE, HA_PAIR, HA_CONFIRM and HA_UNPAIR. */
void pairing_on_code(struct pairing *p, const struct bus_request *rq, const struct msg_ha_code *m);
void pairing_on_pair(struct pairing *p, const struct bus_request *rq, const struct msg_ha_pair *m);
void pairing_on_confirm(
    struct pairing *p, const struct bus_request *rq, const struct msg_ha_confirm *m);
void pairing_on_unpair(
    struct pairing *p, const struct bus_request *rq, const struct msg_ha_unpair *m);

#endif
