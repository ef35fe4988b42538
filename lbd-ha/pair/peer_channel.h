/* peer_channel.h - the channel between the side processes of a pair: kept up by itself, encrypted, each side proved by
 * its pinned certificate. Messages are rows of messages.def (PEER_...); long ones travel in pieces. */
#ifndef HA_PEER_CHANNEL_H
#define HA_PEER_CHANNEL_H

#include "cluster_file.h"
#include "peer_queue.h"
#include "tls_channel.h"

#define PEER_BLOB_MOST (64u << 20) /* longest blob of PEER_CONFIG; of PEER_BULK 1 MiB */

struct peer_channel;
struct peer_channel_ops {
	/* Fills the heads of the store: shared, shared_hash, oper, oper_hash; the rest is done. May be NULL. */
	void (*hello)(void *arg, struct msg_peer_hello *m);
	/* The other node is there, and this is where it stands. */
	void (*up)(void *arg, const struct msg_peer_hello *m);
	/* A message that is not in pieces (PEER_ASK). */
	void (*row)(void *arg, const struct msg_row *row, const union msg_any *m);
	/* A whole PEER_REVISION, PEER_DUMP, PEER_SECRET, PEER_CONFLICT or PEER_STICK. */
	void (*blob)(void *arg, unsigned number, const uint8_t *p, size_t len);
	/* There is room again in a stream that had none. May be NULL. */
	void (*room)(void *arg, enum peer_stream s);
	/* The other node has another address, port or name than was known; c is what is known now. May be NULL, and must
	 * not free the channel. */
	void (*moved)(void *arg, const struct cluster *c);
	/* PEER_UNPAIR: the other node asks (done false), or is single (done). */
	void (*unpair)(void *arg, bool done);
	void (*down)(void *arg, const char *why); /* was up, and is not any more */
	void (*changed)(void *arg); /* peer_channel_state says something else; may be NULL */
	void *arg;
};
struct peer_config {
	const struct tls_identity *me;
	const struct cluster *cluster; /* copied */
	const void *cert;	       /* of the other node, DER; copied */
	size_t cert_len;
	const char *name; /* of this node */
	uint16_t port;	  /* on which this node listens */
	uint16_t schema;  /* newest version of the rows */
};

/* peer_channel_new - begins at once: node 1 connects; node 2 waits for it, and connects too when it does not come. Both
 * take what the listener hands them (peer_channel_take). Logs when it comes up and why it is lost. */
struct peer_channel *peer_channel_new(
    struct loop *l, const struct peer_config *c, const struct peer_channel_ops *ops);
void peer_channel_free(struct peer_channel *k); /* NULL is fine; also from within a callback */
/* peer_channel_take - a connection that somebody else accepted, proved by certificate; taken. */
void peer_channel_take(struct peer_channel *k, struct tls_channel *t);

/* peer_channel_send - one message. 0; ERR_AWAY: the channel is not up; -ENOBUFS: the stream is full, room tells when
 * it is not. Order within a stream is kept; PEER_CONFIG goes before PEER_BULK. What waits when the channel is lost is
 * forgotten. */
int peer_channel_send(struct peer_channel *k, unsigned number, const void *payload);
/* peer_channel_send_blob - the same for bytes of any length up to the bound, in pieces (payload peer_piece). */
int peer_channel_send_blob(struct peer_channel *k, unsigned number, const void *p, size_t len);
size_t peer_channel_room(const struct peer_channel *k, enum peer_stream s);

struct peer_state {
	bool up;
	int64_t since;	 /* seconds since 1970: up or lost since then */
	dur_t rtt;	 /* of the last ping; 0 unknown */
	char fault[200]; /* why it is not up; "" */
	char release[32];
};
void peer_channel_state(const struct peer_channel *k, struct peer_state *out);

/* peer_channel_wins - of two connections between the same nodes: whether the new one stays, by the numbers of the
 * nodes that opened them. Both sides come to the same answer. Pure. */
bool peer_channel_wins(unsigned old_by, unsigned new_by);

#endif
