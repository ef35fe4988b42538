/* Segments and tunnels around them, read back by rules of their own; messages of the connection sync, byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lbd-ipvs/conns/segment.h"
#include "lbd-ipvs/conns/sync.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct addr
host(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(text, ADDR_HOST, &a), 0);
	return a;
}

/* The sum of 16-bit words with the carry added back: 0xffff when a checksum is among them and right. */
static unsigned
sum(const uint8_t *p, size_t len, unsigned more)
{
	uint32_t s = more;

	for (size_t i = 0; i < len; i++)
		s += i % 2 == 0 ? (uint32_t)p[i] << 8 : p[i];
	while (s > 0xffff)
		s = (s & 0xffff) + (s >> 16);
	return s;
}

static struct segment
of(const char *from, const char *to)
{
	return (struct segment){ .from = host(from),
		.to = host(to),
		.from_port = 80,
		.to_port = 50000,
		.flags = SEGMENT_ACK,
		.seq = 0x80000001,
		.ack = 7 };
}

static void
same(const struct segment *a, const struct segment *b)
{
	assert_memory_equal(&a->from, &b->from, sizeof(a->from));
	assert_memory_equal(&a->to, &b->to, sizeof(a->to));
	assert_int_equal(a->from_port, b->from_port);
	assert_int_equal(a->to_port, b->to_port);
	assert_int_equal(a->flags, b->flags);
	assert_int_equal(a->seq, b->seq);
	assert_int_equal(a->ack, b->ack);
}

static void
test_segment_four(void **state)
{
	const struct segment s = of("10.0.0.1", "10.1.2.3");
	uint8_t p[SEGMENT_MAX];
	struct segment back;

	(void)state;
	assert_int_equal(segment_put(p, &s), 40);
	assert_int_equal(p[0], 0x45);
	assert_int_equal(p[2] << 8 | p[3], 40);
	assert_int_equal(p[9], 6);
	assert_int_equal(sum(p, 20, 0), 0xffff);
	/* the pseudo header: addresses, protocol, length */
	assert_int_equal(sum(p + 20, 20, sum(p + 12, 8, 6 + 20)), 0xffff);
	assert_true(segment_take(p, 40, &back));
	same(&back, &s);
	for (size_t n = 0; n < 40; n++)
		assert_false(segment_take(p, n, &back));
	p[7] = 1; /* not the first fragment */
	assert_false(segment_take(p, 40, &back));
}

static void
test_segment_six(void **state)
{
	const struct segment s = of("fd00::1", "2001:db8::7");
	uint8_t p[SEGMENT_MAX];
	struct segment back;

	(void)state;
	assert_int_equal(segment_put(p, &s), 60);
	assert_int_equal(p[0] >> 4, 6);
	assert_int_equal(p[4] << 8 | p[5], 20);
	assert_int_equal(sum(p + 40, 20, sum(p + 8, 32, 6 + 20)), 0xffff);
	assert_true(segment_take(p, 60, &back));
	same(&back, &s);
	for (size_t n = 0; n < 60; n++)
		assert_false(segment_take(p, n, &back));
	p[6] = 17;
	assert_false(segment_take(p, 60, &back));
}

/* Options between the headers are passed over. */
static void
test_segment_options(void **state)
{
	const struct segment s = of("10.0.0.1", "10.1.2.3");
	uint8_t p[SEGMENT_MAX], with[SEGMENT_MAX] = { 0 };
	struct segment back;

	(void)state;
	(void)segment_put(p, &s);
	memcpy(with, p, 20);
	memcpy(with + 24, p + 20, 20);
	with[0] = 0x46;
	assert_true(segment_take(with, 44, &back));
	assert_int_equal(back.seq, s.seq);
	with[0] = 0x44;
	assert_false(segment_take(with, 44, &back));
}

static void
test_segment_wrap(void **state)
{
	static const struct {
		enum segment_tunnel kind;
		uint8_t protocol;
		size_t between;
	} rows[] = {
		{ SEGMENT_PLAIN, 6, 0 },
		{ SEGMENT_IPIP, 4, 0 },
		{ SEGMENT_GRE, 47, 4 },
		{ SEGMENT_GRE_CSUM, 47, 8 },
		{ SEGMENT_GUE, 17, 12 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (unsigned v6 = 0; v6 < 2; v6++) {
			const struct segment s =
			    v6 ? of("fd00::1", "fd01::2") : of("10.0.0.1", "10.1.2.3");
			const struct segment_outer o = { .kind = rows[i].kind,
				.from = host("192.0.2.1"),
				.to = host("192.0.2.9"),
				.port = 6080 };
			uint8_t inner[SEGMENT_MAX], p[SEGMENT_MAX], *q = p + 20;
			size_t n = segment_put(inner, &s), all;

			memcpy(p, inner, n);
			all = segment_wrap(p, n, &o);
			if (rows[i].kind == SEGMENT_PLAIN) {
				assert_int_equal(all, n);
				continue;
			}
			assert_int_equal(all, n + 20 + rows[i].between);
			assert_int_equal(p[9], v6 && rows[i].protocol == 4 ? 41 : rows[i].protocol);
			assert_int_equal(p[2] << 8 | p[3], all);
			assert_int_equal(sum(p, 20, 0), 0xffff);
			assert_memory_equal(q + rows[i].between, inner, n);
			if (rows[i].kind == SEGMENT_GRE_CSUM)
				assert_int_equal(sum(q, all - 20, 0), 0xffff);
			if (rows[i].protocol == 47)
				assert_int_equal(q[2] << 8 | q[3], v6 ? 0x86dd : 0x0800);
			if (rows[i].kind == SEGMENT_GUE) {
				assert_int_equal(q[2] << 8 | q[3], 6080);
				assert_int_equal(q[9], v6 ? 41 : 4);
				assert_int_equal(
				    sum(q, all - 20, sum(p + 12, 8, 17 + (unsigned)all - 20)),
				    0xffff);
			}
		}
	}
}

/* An outer IPv6 header fits too: the longest of all. */
static void
test_segment_longest(void **state)
{
	const struct segment s = of("fd00::1", "fd01::2");
	const struct segment_outer o = { SEGMENT_GUE, host("fd02::1"), host("fd02::9"), 6080 };
	uint8_t p[SEGMENT_MAX];
	size_t n = segment_wrap(p, segment_put(p, &s), &o);

	(void)state;
	assert_int_equal(n, 112);
	assert_int_equal(p[6], 17);
	assert_int_equal(p[4] << 8 | p[5], 72);
}

/* ---- connection sync ------------------------------------------------------------------------------ */

static void
parse(const char *line, struct entry *e)
{
	assert_true(entry_parse(line, strlen(line), e));
}

static void
hex(const struct buf *b, char *out)
{
	for (size_t i = 0; i < b->len; i++)
		(void)snprintf(out + 2 * i, 3, "%02x", b->p[i]);
}

static void
test_sync_bytes(void **state)
{
	static const struct {
		const char *line, *bytes;
	} rows[] = {
		{ "TCP 0A010203 04D2 0A090001 0050 0A09000B 1F90 TIME_WAIT 99",
		    "004d002c01010000"
		    "00060024000001000006"
		    "04d200501f900000000000000001"
		    "0a0102030a0900010a09000b" },
		{ "IP  0A010200 0000 10000001 0000 0A09000B 0000 ASSURED 49",
		    "004d002c01010000"
		    "00000024000010000001"
		    "0000000000000000000000000001"
		    "0a010200100000010a09000b" },
		{ "UDP 0A010203 0000 0A090001 13C4 0A09000B 13C4 UDP 170 sip a@b",
		    "004d003801010000"
		    "0011002e000010000000"
		    "000013c413c40000000000000001"
		    "0a0102030a0900010a09000b"
		    "020361406203037369700000" },
	};
	char text[400];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf b = { 0 };
		struct entry e;

		parse(rows[i].line, &e);
		sync_begin(&b, 77);
		assert_true(sync_put(&b, 0, &e, 1));
		hex(&b, text);
		assert_string_equal(text, rows[i].bytes);
		buf_fini(&b);
	}
}

static void
test_sync_full(void **state)
{
	struct buf b = { 0 };
	struct entry e;
	unsigned n = 0;

	(void)state;
	parse("TCP 0A010203 04D2 0A090001 0050 0A09000B 1F90 TIME_WAIT 99", &e);
	sync_begin(&b, 1);
	while (sync_put(&b, 0, &e, 0))
		n++;
	assert_int_equal(n, (SYNC_DATAGRAM - 8) / 36);
	assert_int_equal(b.p[4], n);
	assert_int_equal(b.p[2] << 8 | b.p[3], b.len);
	assert_int_equal(b.len, 8 + 36 * n);
	assert_int_equal(b.p[8 + 23], 1); /* never 0 seconds: that is another time to the kernel */
	e.real = host("fd00::1");
	b.len = 8;
	b.p[4] = 0;
	assert_false(sync_put(&b, 0, &e, 1));
	buf_fini(&b);
}

static void
test_sync_list(void **state)
{
	struct sync_list l = { 0 };
	struct entry e;
	size_t at = 0, len = 0, all = 0;
	const uint8_t *p;
	unsigned n = 0;

	(void)state;
	assert_null(sync_message(&l, &at, 9, &len));
	parse("TCP 0A010203 04D2 0A090001 0050 0A09000B 1F90 TIME_WAIT 99", &e);
	for (unsigned i = 0; i < 100; i++) /* 38 fit into a message */
		assert_true(sync_add(&l, &e, 1));
	e.real = host("fd00::1");
	assert_false(sync_add(&l, &e, 1));
	for (; (p = sync_message(&l, &at, 9, &len)) != NULL; n++) {
		assert_int_equal(p[1], 9);
		assert_true(len <= SYNC_DATAGRAM);
		assert_int_equal(len, 8 + 36u * p[4]);
		all += p[4];
	}
	assert_int_equal(n, 3);
	assert_int_equal(all, 100);
	sync_list_fini(&l);
	/* nothing stays of a message that nothing could be put into */
	assert_false(sync_add(&l, &e, 1));
	at = 0;
	assert_null(sync_message(&l, &at, 9, &len));
	sync_list_fini(&l);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_segment_four),
		cmocka_unit_test(test_segment_six),
		cmocka_unit_test(test_segment_options),
		cmocka_unit_test(test_segment_wrap),
		cmocka_unit_test(test_segment_longest),
		cmocka_unit_test(test_sync_bytes),
		cmocka_unit_test(test_sync_full),
		cmocka_unit_test(test_sync_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
