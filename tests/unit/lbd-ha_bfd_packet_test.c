/* Control packets byte by byte, every refusal, and both ways through all flags. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bfd/bfd_packet.h"

#include "base/must.h"

#include <stdlib.h>
#include <string.h>

/* As FRR 8.4.4 sends them: up, each 50 ms, three are missing: down. */
static const uint8_t up[BFD_BYTES] = { 0x20, 0xc0, 3, 24, 0x9d, 0xdb, 0x71, 0x06, 0x34, 0xa9, 0x1a,
	0x5f, 0, 0, 0xc3, 0x50, 0, 0, 0xc3, 0x50, 0, 0, 0, 0 };

static void
test_bytes(void **state)
{
	struct bfd_packet p;
	uint8_t out[BFD_BYTES];

	(void)state;
	assert_int_equal(bfd_packet_parse(up, sizeof(up), 255, &p), BFD_GOOD);
	assert_int_equal(p.state, BFD_UP);
	assert_int_equal(p.diag, BFD_DIAG_NONE);
	assert_int_equal(p.multiplier, 3);
	assert_false(p.poll || p.final || p.demand || p.independent);
	assert_int_equal(p.mine, 0x9ddb7106);
	assert_int_equal(p.yours, 0x34a91a5f);
	assert_true(p.desired_tx == DUR_MS(50) && p.required_rx == DUR_MS(50));
	assert_true(p.required_echo_rx == 0);
	bfd_packet_format(&p, out);
	assert_memory_equal(out, up, sizeof(up));
}

/* up with one byte changed, and n bytes of it. */
static const struct {
	unsigned ttl;
	size_t n;
	int at, byte; /* at -1: none */
	enum bfd_bad bad;
	const char *name;
} rows[] = {
	{ 255, 24, -1, 0, BFD_GOOD, "good" },
	{ 255, 30, -1, 0, BFD_GOOD, "good" }, /* bytes after it */
	{ 254, 24, -1, 0, BFD_BAD_TTL, "ttl" },
	{ 0, 24, -1, 0, BFD_BAD_TTL, "ttl" }, /* the kernel did not say */
	{ 256, 24, -1, 0, BFD_BAD_TTL, "ttl" }, { 255, 23, -1, 0, BFD_BAD_SHORT, "short" },
	{ 255, 0, -1, 0, BFD_BAD_SHORT, "short" }, { 255, 24, 0, 0x00, BFD_BAD_VERSION, "version" },
	{ 255, 24, 0, 0x40, BFD_BAD_VERSION, "version" },
	{ 255, 24, 0, 0x3f, BFD_GOOD, "good" }, /* a reserved diagnostic */
	{ 255, 24, 3, 23, BFD_BAD_LENGTH, "length" }, { 255, 24, 3, 25, BFD_BAD_LENGTH, "length" },
	{ 255, 26, 3, 26, BFD_GOOD, "good" }, { 255, 24, 3, 0, BFD_BAD_LENGTH, "length" },
	{ 255, 24, 2, 0, BFD_BAD_MULTIPLIER, "multiplier 0" }, { 255, 24, 2, 1, BFD_GOOD, "good" },
	{ 255, 24, 1, 0xc1, BFD_BAD_MULTIPOINT, "multipoint" },
	{ 255, 24, 1, 0xc4, BFD_BAD_AUTH, "authentication" },
	{ 255, 24, 1, 0xfa, BFD_GOOD,
	    "good" }, /* poll, final, independent, demand: the session's */
};

static void
test_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct bfd_packet p = { .mine = 7 };
		uint8_t *exact = calloc(1, rows[i].n + 1);
		enum bfd_bad bad;

		assert_non_null(exact);
		memcpy(exact, up, rows[i].n < sizeof(up) ? rows[i].n : sizeof(up));
		if (rows[i].at >= 0)
			exact[rows[i].at] = (uint8_t)rows[i].byte;
		bad = bfd_packet_parse(exact, rows[i].n, rows[i].ttl, &p);
		if (bad != rows[i].bad || strcmp(bfd_bad_name(bad), rows[i].name) != 0)
			fail_msg("row %zu: %s", i, bfd_bad_name(bad));
		if (bad != BFD_GOOD)
			assert_int_equal(p.mine, 7); /* not written */
		free(exact);
	}
}

/* Discriminators: the sender's must be there; ours may be missing while he does not know it. */
static void
test_discriminators(void **state)
{
	uint8_t b[BFD_BYTES];
	struct bfd_packet p;

	(void)state;
	memcpy(b, up, sizeof(b));
	memset(b + 4, 0, 4);
	assert_int_equal(bfd_packet_parse(b, sizeof(b), 255, &p), BFD_BAD_MINE);
	for (unsigned s = 0; s < BFD_STATES; s++) {
		memcpy(b, up, sizeof(b));
		memset(b + 8, 0, 4);
		b[1] = (uint8_t)(s << 6);
		assert_int_equal(bfd_packet_parse(b, sizeof(b), 255, &p),
		    s == BFD_DOWN || s == BFD_ADMIN_DOWN ? BFD_GOOD : BFD_BAD_NO_YOURS);
	}
}

static void
test_both_ways(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 64; i++) {
		const struct bfd_packet p = { .state = (uint8_t)(i % BFD_STATES),
			.diag = (uint8_t)(i % 32),
			.multiplier = (uint8_t)(i + 1),
			.poll = (i & 4) != 0,
			.final = (i & 8) != 0,
			.independent = (i & 16) != 0,
			.demand = (i & 32) != 0,
			.mine = 0xffffffff - i,
			.yours = i + 1,
			.desired_tx = UINT32_MAX - i,
			.required_rx = i,
			.required_echo_rx = 1000000 + i };
		struct bfd_packet q;
		uint8_t b[BFD_BYTES];

		bfd_packet_format(&p, b);
		assert_int_equal(bfd_packet_parse(b, sizeof(b), 255, &q), BFD_GOOD);
		assert_true(p.state == q.state && p.diag == q.diag && p.multiplier == q.multiplier);
		assert_true(p.poll == q.poll && p.final == q.final && p.demand == q.demand);
		assert_true(p.independent == q.independent);
		assert_true(p.mine == q.mine && p.yours == q.yours);
		assert_true(p.desired_tx == q.desired_tx && p.required_rx == q.required_rx);
		assert_true(p.required_echo_rx == q.required_echo_rx);
	}
}

static void
test_names(void **state)
{
	(void)state;
	for (unsigned i = 0; i < BFD_BADS; i++)
		for (unsigned j = 0; j < i; j++)
			assert_string_not_equal(bfd_bad_name(i), bfd_bad_name(j));
	assert_string_equal(bfd_diag_name(1), "control detection time expired");
	assert_string_equal(bfd_diag_name(8), "reverse concatenated path down");
	assert_string_equal(bfd_diag_name(9), "reserved diagnostic");
	assert_string_equal(bfd_diag_name(31), "reserved diagnostic");
	assert_string_equal(bfd_state_name(BFD_ADMIN_DOWN), "admin down");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_discriminators),
		cmocka_unit_test(test_both_ways),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
