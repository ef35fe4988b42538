/* N03: an entry of the kernel's list as a message of its sync, byte by byte; which entries are worth it; several messages taken
 * apart; the receiver's queue in the kernel's list of sockets; what was met before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lbd-ipvs/conns/receiver.h"
#include "lbd-ipvs/conns/sync.h"
#include "lbd-ipvs/refill/seen.h"

#include "base/must.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EST "TCP 0A010203 04D2 0A090001 0050 0A09000B 0050 ESTABLISHED 899"

static struct entry
entry_of(const char *line)
{
	struct entry e;

	if (!entry_parse(line, strlen(line), &e))
		fail_msg("%s", line);
	return e;
}

static const struct {
	const char *line;
	uint32_t mark;
	enum ipvs_forward forward;
	const char *bytes; /* of the entry, after the head of the message */
} rows[] = {
	{ EST, 0, IPVS_DR,
	    "00060024 00000003 0001 04D2 0050 0050 00000000 00000383 0A010203 0A090001 0A09000B" },
	{ EST, 0x10000007, IPVS_MASQ,
	    "00060024 00000000 0001 04D2 0050 0050 10000007 00000383 0A010203 0A090001 0A09000B" },
	{ "TCP 0A010203 04D2 0A090001 0050 0A09000B 0050 FIN_WAIT 12", 0, IPVS_TUN,
	    "00060024 00000102 0004 04D2 0050 0050 00000000 0000000C 0A010203 0A090001 0A09000B" },
	{ "TCP 0A010203 04D2 0A090001 0050 0A09000B 0050 CLOSE_WAIT 0", 0, IPVS_DR,
	    "00060024 00000103 0007 04D2 0050 0050 00000000 00000001 0A010203 0A090001 0A09000B" },
	{ "UDP 0A010203 04D2 0A090001 0035 0A09000B 0035 UDP 299", 0, IPVS_MASQ,
	    "00110024 00000100 0000 04D2 0035 0035 00000000 0000012B 0A010203 0A090001 0A09000B" },
	{ "SCTP 0A010203 04D2 0A090001 0050 0A09000B 0050 ESTABLISHED 9", 0, IPVS_DR,
	    "00840024 00000003 0008 04D2 0050 0050 00000000 00000009 0A010203 0A090001 0A09000B" },
	/* FTP expects a data connection: the client's port is not known yet */
	{ "TCP 0A010203 0000 0A090001 0014 0A09000B 0014 LISTEN 59", 0, IPVS_MASQ,
	    "00060024 00000900 0009 0000 0014 0014 00000000 0000003B 0A010203 0A090001 0A09000B" },
	/* templates, one of a service by mark */
	{ "TCP 0A010200 0000 0A090001 0050 0A09000B 0050 ASSURED 49", 0, IPVS_DR,
	    "00060024 00001003 0001 0000 0050 0050 00000000 00000031 0A010200 0A090001 0A09000B" },
	{ "IP 0A010200 0000 10000007 0000 0A09000B 0000 NONE 49", 0x10000007, IPVS_DR,
	    "00000024 00001003 0000 0000 0000 0000 10000007 00000031 0A010200 10000007 0A09000B" },
	{ "UDP 0A010200 0000 0A090001 13C4 0A09000B 13C4 NONE 49 sip ab@c", 0, IPVS_MASQ,
	    "0011002F 00001000 0000 0000 13C4 13C4 00000000 00000031 0A010200 0A090001 0A09000B"
	    "0204 61624063 0303 736970 00" },
	{ "TCP [fd00:0009:0000:0000:0000:0000:0000:0009] 04D2 [fd00:0009:0000:0000:0000:0000:0000:0100] 0050 "
	  "[fd00:0009:0000:0000:0000:0000:0000:0003] 0050 ESTABLISHED 899",
	    0, IPVS_DR,
	    "01060048 00000003 0001 04D2 0050 0050 00000000 00000383 fd000009000000000000000000000009 "
	    "fd000009000000000000000000000100 fd000009000000000000000000000003" },
};

static size_t
bytes_of(const char *text, uint8_t *out)
{
	size_t n = 0;
	unsigned v;

	for (; *text != '\0'; text++) {
		if (*text == ' ')
			continue;
		assert_int_equal(sscanf(text, "%2x", &v), 1);
		out[n++] = (uint8_t)v;
		text++;
	}
	return n;
}

static void
test_sync_keep(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct entry e = entry_of(rows[i].line);
		struct buf b = { 0 };
		uint8_t want[300];
		size_t n = bytes_of(rows[i].bytes, want);

		assert_true(sync_worth(&e));
		sync_begin(&b, 9);
		assert_true(sync_keep(&b, 0, &e, rows[i].mark, rows[i].forward));
		if (b.len != 8 + n || memcmp(b.p + 8, want, n) != 0)
			fail_msg("%s: %zu bytes, wanted %zu", rows[i].line, b.len - 8, n);
		assert_int_equal(b.p[1], 9);
		assert_int_equal(b.p[2] << 8 | b.p[3], b.len);
		assert_int_equal(b.p[4], 1);
		buf_fini(&b);
	}
}

static void
test_sync_worth(void **state)
{
	static const char *const no[] = {
		"TCP 0A010203 04D2 0A090001 0050 0A09000B 0050 TIME_WAIT 119",
		"TCP 0A010203 04D2 0A090001 0050 0A09000B 0050 CLOSE 9",
		"TCP 0A010203 04D2 0A090001 0050 0A09000B 0050 SYN_RECV 59",
		"TCP 0A010203 04D2 0A090001 0050 0A09000B 0050 NONE 59",
		"SCTP 0A010203 04D2 0A090001 0050 0A09000B 0050 CLOSED 9",
		"TCP 0A010203 04D2 0A090001 0050 [fd00:0009:0000:0000:0000:0000:0000:0003] 0050 ESTABLISHED 899",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(no); i++) {
		struct entry e = entry_of(no[i]);

		if (sync_worth(&e))
			fail_msg("%s", no[i]);
	}
}

/* Several messages in one piece, each full; and what is none. */
static void
test_sync_next(void **state)
{
	struct entry e = entry_of(EST);
	struct buf b = { 0 };
	struct rd r;
	const uint8_t *p;
	size_t len, at = 0;
	unsigned n, entries = 0, messages = 0;

	(void)state;
	sync_begin(&b, 1);
	for (unsigned i = 0; i < 100; i++) {
		e.client_port = (uint16_t)i;
		if (sync_keep(&b, at, &e, 0, IPVS_DR))
			continue;
		at = b.len;
		sync_begin(&b, 1);
		assert_true(sync_keep(&b, at, &e, 0, IPVS_DR));
	}
	r = (struct rd){ .p = b.p, .left = b.len };
	while (sync_next(&r, &p, &len, &n)) {
		assert_in_range(len, 44, SYNC_DATAGRAM);
		entries += n;
		messages++;
	}
	assert_int_equal(r.left, 0);
	assert_int_equal(entries, 100);
	assert_int_equal(messages, 3);
	for (size_t cut = 1; cut < 44; cut++) {
		r = (struct rd){ .p = b.p, .left = cut };
		assert_false(sync_next(&r, &p, &len, &n));
	}
	b.p[2] = 0;
	b.p[3] = 7; /* shorter than its own head */
	r = (struct rd){ .p = b.p, .left = b.len };
	assert_false(sync_next(&r, &p, &len, &n));
	b.p[2] = 0x10; /* longer than a receiver takes */
	assert_false(sync_next(&r, &p, &len, &n));
	buf_fini(&b);
}

static void
test_receiver_look(void **state)
{
	static const char text[] =
	    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n"
	    "   12: 510000E0:2290 00000000:0000 07 00000000:00000900 00:00000000 00000000     0        0 17 2 0000000000000000 3\n"
	    "  144: 510000E0:2291 00000000:0000 07 00000000:00000100 00:00000000 00000000     0        0 18 2 0000000000000000 5\n"
	    " 9144: 00000000:2290 00000000:0000 07 00000000:00000100 00:00000000 00000000     0        0 18 2 0000000000000000 7\n"
	    "   13: 510000E0:2290 00000000:0000 07 00000000:00000010 00:00000000 00000000     0        0 19 2 00000000abcdef00 4\n"
	    "rubbish\n";
	struct ipvs_sync r = { .group = { .family = 4, .len = 32, .b = { 224, 0, 0, 81 } },
		.port = 8848 };
	struct receiver_queue q;
	char path[] = "/tmp/lbd-udp-XXXXXX";
	int fd = mkstemp(path);

	(void)state;
	assert_int_not_equal(fd, -1);
	assert_int_equal(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
	(void)close(fd);
	assert_int_equal(receiver_look(path, &r, &q), 0);
	assert_int_equal(q.sockets, 2);
	assert_int_equal(q.bytes, 0x910);
	assert_int_equal(q.drops, 7);
	r.port = 1;
	assert_int_equal(receiver_look(path, &r, &q), 0);
	assert_int_equal(q.sockets, 0);
	(void)unlink(path);
	assert_true(receiver_look(path, &r, &q) < 0);
}

static void
test_seen(void **state)
{
	struct seen s = { 0 };
	struct entry e = entry_of(EST);

	(void)state;
	for (unsigned pass = 0; pass < 2; pass++) {
		unsigned fresh = 0;

		for (unsigned i = 0; i < 20000; i++) {
			e.client_port = (uint16_t)i;
			e.client.b[0] = (uint8_t)(i >> 14);
			fresh += seen_add(&s, &e);
		}
		/* of 64-bit hashes hardly two are the same */
		assert_int_equal(fresh, pass == 0 ? 20000 : 0);
	}
	e.template = true;
	assert_true(seen_add(&s, &e));
	e.left_s--; /* the same entry a moment later */
	assert_false(seen_add(&s, &e));
	seen_fini(&s);
	assert_true(seen_add(&s, &e));
	seen_fini(&s);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sync_keep),
		cmocka_unit_test(test_sync_worth),
		cmocka_unit_test(test_sync_next),
		cmocka_unit_test(test_receiver_look),
		cmocka_unit_test(test_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
