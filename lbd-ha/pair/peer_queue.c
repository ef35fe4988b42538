/* peer_queue.c - the order in which messages go to the peer.
 *
 * A revision must not wait behind a million persistence entries. So each stream has its own queue, the most urgent one
 * goes first, and a stream may have only so many bytes under way as its window: what the receiver has dealt with is
 * granted again in halves of the window. Little waits in the socket (tls_channel.c), so at most one window of bulk is
 * before a revision that is sent now.
 *
 * Queues are bounded. Who sends looks at the room first; what becomes of what found none is his to know (a revision is
 * asked for again, a table of entries is sent as a snapshot later). */
#include "peer_queue.h"

#include "base/must.h"
#include "msg/msg.h"

#include <string.h>

static const struct {
	size_t most, window;
} limits[PEER_STREAMS] = {
	[PEER_CONTROL] = { 1u << 20, 0 },
	[PEER_CONFIG] = { 96u << 20, 1u << 20 },
	[PEER_BULK] = { 4u << 20, 256u << 10 },
};

void
peer_queue_reset(struct peer_queue *q)
{
	for (unsigned s = 0; s < PEER_STREAMS; s++) {
		buf_fini(&q->q[s]);
		q->at[s] = q->handled[s] = 0;
		q->credit[s] = limits[s].window;
	}
}

void
peer_queue_fini(struct peer_queue *q)
{
	for (unsigned s = 0; s < PEER_STREAMS; s++)
		buf_fini(&q->q[s]);
}

enum peer_stream
peer_stream_of(unsigned number)
{
	switch (number) {
	case MSG_PEER_HELLO:
	case MSG_PEER_PING:
	case MSG_PEER_CREDIT:
	case MSG_PEER_UNPAIR: return PEER_CONTROL;
	case MSG_PEER_STICK:
	case MSG_PEER_CONNS: return PEER_BULK;
	default: return PEER_CONFIG;
	}
}

static size_t
waiting(const struct peer_queue *q, enum peer_stream s)
{
	return q->q[s].len - q->at[s];
}

size_t
peer_queue_room(const struct peer_queue *q, enum peer_stream s)
{
	size_t n = waiting(q, s);

	return n < limits[s].most ? limits[s].most - n : 0;
}

void
peer_queue_add(struct peer_queue *q, enum peer_stream s, const void *p, size_t len)
{
	struct buf *b = &q->q[s];

	must(len > 4);
	if (q->at[s] > 0 && q->at[s] >= b->len / 2) {
		memmove(b->p, b->p + q->at[s], b->len - q->at[s]);
		b->len -= q->at[s];
		q->at[s] = 0;
	}
	buf_put(b, p, len);
}

bool
peer_queue_next(struct peer_queue *q, const uint8_t **p_out, size_t *len_out)
{
	for (unsigned s = 0; s < PEER_STREAMS; s++) {
		struct rd r = { .left = waiting(q, s) };
		size_t len;

		if (r.left == 0) /* and perhaps there is no memory yet to be anywhere in */
			continue;
		r.p = q->q[s].p + q->at[s];
		len = 4 + (size_t)rd_be(&r, 4);
		if (limits[s].window > 0 && q->credit[s] < len)
			continue;
		if (limits[s].window > 0)
			q->credit[s] -= len;
		*p_out = q->q[s].p + q->at[s];
		*len_out = len;
		q->at[s] += len;
		return true;
	}
	return false;
}

bool
peer_queue_grant(struct peer_queue *q, unsigned stream, uint32_t bytes)
{
	if (stream >= PEER_STREAMS || bytes > limits[stream].window - q->credit[stream])
		return false;
	q->credit[stream] += bytes;
	return true;
}

uint32_t
peer_queue_handled(struct peer_queue *q, enum peer_stream s, size_t len)
{
	size_t grant;

	if (limits[s].window == 0)
		return 0;
	q->handled[s] += len;
	if (q->handled[s] < limits[s].window / 2)
		return 0;
	grant = q->handled[s];
	q->handled[s] = 0;
	return (uint32_t)grant;
}
