/* peer_queue.h - what waits to be sent to the peer: streams in order of urgency, each with a bound and with credit from
 * the receiver. Pure. */
#ifndef HA_PEER_QUEUE_H
#define HA_PEER_QUEUE_H

#include "base/buf.h"

enum peer_stream {
	PEER_CONTROL, /* hello, pings, credit, unpair: no credit needed */
	PEER_CONFIG,  /* revisions, secrets, the whole configuration */
	PEER_BULK,    /* persistence entries, connections */
	PEER_STREAMS
};

struct peer_queue {
	struct buf q[PEER_STREAMS]; /* packets with their lengths */
	size_t at[PEER_STREAMS];    /* of the first that waits */
	size_t credit[PEER_STREAMS];
	size_t handled[PEER_STREAMS]; /* received and not yet granted again */
};

/* peer_queue_reset - as at the start of a connection: nothing waits, all credit is there. { 0 } must be reset first. */
void peer_queue_reset(struct peer_queue *q);
void peer_queue_fini(struct peer_queue *q);
enum peer_stream peer_stream_of(unsigned number); /* of a row of messages.def */

/* peer_queue_room - bytes that the stream still takes. */
size_t peer_queue_room(const struct peer_queue *q, enum peer_stream s);
/* peer_queue_add - one packet that packet_put made; the caller has looked at the room. */
void peer_queue_add(struct peer_queue *q, enum peer_stream s, const void *p, size_t len);
/* peer_queue_next - the most urgent packet that has credit; it is gone from the queue, and borrowed until the next
 * call. false: none. */
bool peer_queue_next(struct peer_queue *q, const uint8_t **p_out, size_t *len_out);
/* peer_queue_grant - the receiver takes more. false: a stream or sum that no receiver of ours grants. */
bool peer_queue_grant(struct peer_queue *q, unsigned stream, uint32_t bytes);
/* peer_queue_handled - a packet of the other side was dealt with. Returns what to grant now; 0: not yet. */
uint32_t peer_queue_handled(struct peer_queue *q, enum peer_stream s, size_t len);

#endif
