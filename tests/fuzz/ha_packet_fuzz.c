/* The stream of the channel: packets found in the whole are those found when it comes in two parts, and nothing makes the
 * queue grant more than its window or pieces grow past their bound. The first byte says where the parts meet. */
#include "base/must.h"
#include "pair/packet.h"
#include "pair/peer_queue.h"
#include "pair/pieces.h"

#include <string.h>

#define PIECES_MOST 100000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Packets of a stream up to its end or a fault; their number and sum of lengths. */
static unsigned
count(struct rd *r, size_t *sum, int *end)
{
	const uint8_t *p;
	unsigned n = 0;
	size_t len;

	while ((*end = packet_take(r, &p, &len)) == 1) {
		must(len >= MSG_HEADER && len <= PACKET_MAX);
		*sum += len + p[0] + p[len - 1];
		n++;
	}
	return n;
}

static void
feed(struct peer_queue *q, struct pieces *j, const uint8_t *p, size_t len)
{
	struct buf whole = { 0 };
	const struct msg_row *row;
	union msg_any m;
	uint32_t seq;

	if (msg_decode(p, len, &row, &seq, &m, NULL) != 0)
		return;
	if (row->number == MSG_PEER_CREDIT)
		(void)peer_queue_grant(q, m.peer_credit.stream, m.peer_credit.bytes);
	if (strcmp(row->payload, "peer_piece") == 0)
		(void)pieces_add(j, row->number, m.peer_piece.data.p, m.peer_piece.data.len,
		    m.peer_piece.more, PIECES_MOST, &whole);
	must(whole.len <= PIECES_MOST && j->b.len <= PIECES_MOST);
	must(q->credit[PEER_BULK] <= 256u << 10 && q->credit[PEER_CONFIG] <= 1u << 20);
	buf_fini(&whole);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t cut, sum = 0, parts = 0, len;
	struct rd whole, part;
	struct peer_queue q = { 0 };
	struct pieces j = { 0 };
	const uint8_t *p;
	int end, end_part;
	unsigned n;

	if (size == 0)
		return 0;
	cut = 1 + (size - 1) * data[0] / 256;
	whole = (struct rd){ .p = data + 1, .left = size - 1 };
	n = count(&whole, &sum, &end);
	part = (struct rd){ .p = data + 1, .left = cut - 1 };
	n -= count(&part, &parts, &end_part);
	if (end_part == 0) {
		part.left += size - cut;
		n -= count(&part, &parts, &end_part);
		must(n == 0 && sum == parts && end == end_part);
	}
	peer_queue_reset(&q);
	whole = (struct rd){ .p = data + 1, .left = size - 1 };
	while (packet_take(&whole, &p, &len) == 1)
		feed(&q, &j, p, len);
	pieces_fini(&j);
	peer_queue_fini(&q);
	return 0;
}
