/* Packets on a stream, the queue of the channel with its credit, and things that come in pieces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lbd-ha/pair/packet.h"
#include "lbd-ha/pair/peer_queue.h"
#include "lbd-ha/pair/pieces.h"

#include <string.h>

static void
test_packet_in_pieces(void **state)
{
	struct msg_peer_ping m = { .at = 0x1122334455667788 };
	struct buf b = { 0 };
	const struct msg_row *row;
	union msg_any any;
	const uint8_t *p;
	uint32_t seq;
	size_t len;

	(void)state;
	packet_put(MSG_PEER_PING, &m, &b);
	packet_put(MSG_PEER_PING, &m, &b);
	for (size_t n = 0; n < b.len; n++) {
		struct rd r = { .p = b.p, .left = n };
		unsigned got = 0;

		while (packet_take(&r, &p, &len) == 1) {
			assert_int_equal(msg_decode(p, len, &row, &seq, &any, NULL), 0);
			assert_true(any.peer_ping.at == m.at);
			got++;
		}
		assert_int_equal(got, n >= b.len / 2);
		assert_int_equal(r.left, n - got * (b.len / 2));
	}
	buf_fini(&b);
}

static void
test_packet_lengths(void **state)
{
	static const struct {
		uint32_t len;
		int result;
	} rows[] = { { 0, ERR_PROTO }, { MSG_HEADER - 1, ERR_PROTO }, { MSG_HEADER, 0 },
		{ PACKET_MAX, 0 }, { PACKET_MAX + 1, ERR_PROTO }, { UINT32_MAX, ERR_PROTO } };
	const uint8_t *p;
	size_t len;

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct buf b = { 0 };
		struct rd r;

		buf_put_be(&b, rows[i].len, 4);
		r = (struct rd){ .p = b.p, .left = b.len };
		assert_int_equal(packet_take(&r, &p, &len), rows[i].result);
		buf_fini(&b);
	}
}

static void
add(struct peer_queue *q, unsigned number, size_t len)
{
	static uint8_t data[65000];
	struct msg_peer_piece piece = { .data = { data, len } };
	struct msg_peer_ping ping = { .at = 1 };
	struct buf b = { 0 };

	packet_put(number, number == MSG_PEER_PING ? (const void *)&ping : &piece, &b);
	peer_queue_add(q, peer_stream_of(number), b.p, b.len);
	buf_fini(&b);
}

/* Number of the next packet; 0: none. */
static unsigned
next(struct peer_queue *q)
{
	const uint8_t *p;
	unsigned number;
	uint32_t seq;
	size_t len;

	if (!peer_queue_next(q, &p, &len))
		return 0;
	assert_true(msg_peek(p + 4, len - 4, &number, &seq));
	return number;
}

static void
test_peer_queue_order(void **state)
{
	struct peer_queue q = { 0 };

	(void)state;
	peer_queue_reset(&q);
	add(&q, MSG_PEER_STICK, 10);
	add(&q, MSG_PEER_STICK, 10);
	assert_int_equal(next(&q), MSG_PEER_STICK);
	add(&q, MSG_PEER_REVISION, 10);
	add(&q, MSG_PEER_PING, 0);
	add(&q, MSG_PEER_DUMP, 10);
	assert_int_equal(next(&q), MSG_PEER_PING);
	assert_int_equal(next(&q), MSG_PEER_REVISION);
	assert_int_equal(next(&q), MSG_PEER_DUMP);
	assert_int_equal(next(&q), MSG_PEER_STICK);
	assert_int_equal(next(&q), 0);
	peer_queue_fini(&q);
}

/* Bulk stops when its window is used up; configuration goes on; a grant lets bulk go on. */
static void
test_peer_queue_credit(void **state)
{
	struct peer_queue mine = { 0 }, theirs = { 0 };
	size_t sent = 0, len;
	const uint8_t *p;
	uint32_t grant = 0;

	(void)state;
	peer_queue_reset(&mine);
	peer_queue_reset(&theirs);
	for (unsigned i = 0; i < 20; i++)
		add(&mine, MSG_PEER_STICK, 30000);
	while (peer_queue_next(&mine, &p, &len)) {
		sent += len;
		grant += peer_queue_handled(&theirs, PEER_BULK, len);
	}
	assert_in_range(sent, 200 << 10, 256 << 10);
	add(&mine, MSG_PEER_REVISION, 10);
	assert_int_equal(next(&mine), MSG_PEER_REVISION);
	assert_int_equal(next(&mine), 0);
	assert_in_range(grant, 128 << 10, sent);
	assert_false(peer_queue_grant(&mine, PEER_BULK, 1u << 20)); /* more than was sent */
	assert_false(peer_queue_grant(&mine, PEER_CONTROL, 1));
	assert_false(peer_queue_grant(&mine, PEER_STREAMS, 1));
	assert_true(peer_queue_grant(&mine, PEER_BULK, grant));
	assert_int_equal(next(&mine), MSG_PEER_STICK);
	assert_int_equal(peer_queue_handled(&mine, PEER_CONTROL, 1u << 20), 0);
	peer_queue_fini(&mine);
	peer_queue_fini(&theirs);
}

static void
test_peer_queue_room(void **state)
{
	struct peer_queue q = { 0 };
	size_t room;
	unsigned n = 0;

	(void)state;
	peer_queue_reset(&q);
	room = peer_queue_room(&q, PEER_BULK);
	assert_int_equal(room, 4u << 20);
	while (peer_queue_room(&q, PEER_BULK) >= 65536 && n++ < 1000)
		add(&q, MSG_PEER_STICK, 60000);
	assert_in_range(n, 60, 80);
	assert_int_equal(next(&q), MSG_PEER_STICK);
	assert_true(peer_queue_room(&q, PEER_BULK) > 60000);
	peer_queue_reset(&q);
	assert_int_equal(peer_queue_room(&q, PEER_BULK), room);
	assert_int_equal(next(&q), 0);
	peer_queue_fini(&q);
}

static void
test_pieces(void **state)
{
	struct pieces j = { 0 };
	struct buf whole = { 0 };

	(void)state;
	assert_int_equal(pieces_add(&j, 1, "abc", 3, false, 10, &whole), 1);
	assert_int_equal(whole.len, 3);
	buf_fini(&whole);
	assert_int_equal(pieces_add(&j, 1, "abc", 3, true, 10, &whole), 0);
	assert_int_equal(
	    pieces_add(&j, 2, "abc", 3, false, 10, &whole), -1); /* something else between */
	assert_int_equal(pieces_add(&j, 1, "defghij", 7, true, 10, &whole), 0);
	assert_int_equal(pieces_add(&j, 1, "k", 1, false, 10, &whole), -1); /* longer than most */
	assert_int_equal(pieces_add(&j, 1, "", 0, false, 10, &whole), 1);
	assert_int_equal(whole.len, 10);
	assert_memory_equal(whole.p, "abcdefghij", 10);
	buf_fini(&whole);
	pieces_fini(&j);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_packet_in_pieces),
		cmocka_unit_test(test_packet_lengths),
		cmocka_unit_test(test_peer_queue_order),
		cmocka_unit_test(test_peer_queue_credit),
		cmocka_unit_test(test_peer_queue_room),
		cmocka_unit_test(test_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
