/* Byte stuffing: the paper's examples, every length, and a reader that is right again after whatever. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lbd-ha/core/cobs.h"

#include "base/must.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void
test_cobs_crc(void **state)
{
	(void)state;
	assert_int_equal(cobs_crc("123456789", 9), 0xcbf43926); /* the check value of this CRC */
	assert_int_equal(cobs_crc("", 0), 0);
}

/* Stuffed alone (without the CRC's bytes, which follow) as in the paper. */
static void
test_cobs_bytes(void **state)
{
	static const struct {
		const char *in;
		size_t n;
		const char *want; /* its beginning, after the leading zero */
		size_t wn;
	} rows[] = {
		{ "\x11\x22\0\x33", 4, "\x03\x11\x22", 3 },
		{ "\0", 1, "\x01", 1 },
		{ "\0\0", 2, "\x01\x01", 2 },
		{ "\x11\0\0\0", 4, "\x02\x11\x01\x01", 4 },
	};
	uint8_t out[COBS_ROOM(8)];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		size_t n = cobs_encode(rows[i].in, rows[i].n, out);

		assert_true(n <= COBS_ROOM(rows[i].n));
		assert_int_equal(out[0], 0);
		assert_int_equal(out[n - 1], 0);
		assert_memory_equal(out + 1, rows[i].want, rows[i].wn);
		assert_null(memchr(out + 1, 0, n - 2));
	}
}

static size_t
feed(struct cobs *c, const uint8_t *p, size_t n, uint8_t *frame_out)
{
	size_t got = 0;

	for (size_t i = 0; i < n; i++) {
		size_t len = cobs_push(c, p[i]);

		if (len == 0)
			continue;
		memcpy(frame_out, c->raw, len);
		got = len;
	}
	return got;
}

static void
fill(uint8_t *p, size_t n, int kind)
{
	for (size_t i = 0; i < n; i++)
		p[i] = kind == 0 ? 0 : kind == 1 ? (uint8_t)(i % 255 + 1) : (uint8_t)rand();
}

static void
test_cobs_lengths(void **state)
{
	uint8_t in[COBS_MAX], out[COBS_ROOM(COBS_MAX)], back[COBS_MAX + 4];
	struct cobs c = { 0 };

	(void)state;
	for (size_t n = 1; n <= COBS_MAX; n++) {
		for (int kind = 0; kind < 3; kind++) {
			size_t len;

			fill(in, n, kind);
			len = cobs_encode(in, n, out);
			assert_true(len <= COBS_ROOM(n));
			assert_null(memchr(out + 1, 0, len - 2));
			assert_int_equal(feed(&c, out, len, back), n);
			assert_memory_equal(in, back, n);
		}
	}
	assert_int_equal(c.garbage, 0);
	assert_int_equal(c.frames, COBS_MAX * 3);
}

/* Each single damaged byte costs that frame at most, and never makes a wrong one. */
static void
test_cobs_damage(void **state)
{
	uint8_t in[188], out[COBS_ROOM(188)], hurt[COBS_ROOM(188)], back[COBS_MAX + 4];
	size_t len;

	(void)state;
	srand(1);
	fill(in, sizeof(in), 2);
	len = cobs_encode(in, sizeof(in), out);
	for (size_t i = 0; i < len; i++) {
		struct cobs c = { 0 };
		size_t n;

		memcpy(hurt, out, len);
		hurt[i] ^= (uint8_t)(1 + i % 255);
		n = feed(&c, hurt, len, back);
		assert_true(n == 0 || (n == sizeof(in) && memcmp(in, back, n) == 0));
		assert_int_equal(feed(&c, out, len, back), sizeof(in));
		assert_memory_equal(in, back, sizeof(in));
	}
}

/* Noise of any kind between frames: the next whole frame is read. */
static void
test_cobs_noise(void **state)
{
	unsigned seed = (unsigned)time(NULL);
	uint8_t in[188], out[COBS_ROOM(188)], noise[2000], back[COBS_MAX + 4];
	struct cobs c = { 0 };

	(void)state;
	printf("seed %u\n", seed);
	srand(seed);
	for (int i = 0; i < 2000; i++) {
		size_t n = (size_t)rand() % sizeof(noise), len;

		fill(noise, n, i % 3);
		assert_int_equal(feed(&c, noise, n, back), 0);
		fill(in, sizeof(in), 2);
		len = cobs_encode(in, sizeof(in), out);
		assert_int_equal(feed(&c, out, len, back), sizeof(in));
		assert_memory_equal(in, back, sizeof(in));
	}
	assert_int_equal(c.frames, 2000);
	assert_true(c.garbage > 0);
}

static void
test_cobs_too_long(void **state)
{
	struct cobs c = { 0 };
	uint8_t out[COBS_ROOM(3)], back[COBS_MAX + 4];
	size_t len;

	(void)state;
	for (int i = 0; i < 100000; i++)
		assert_int_equal(cobs_push(&c, 0xff), 0);
	assert_int_equal(cobs_push(&c, 0), 0);
	assert_int_equal(c.garbage, 1);
	for (int i = 0; i < 10; i++)
		assert_int_equal(cobs_push(&c, 0), 0); /* an idle line is no garbage */
	assert_int_equal(c.garbage, 1);
	len = cobs_encode("abc", 3, out);
	assert_int_equal(feed(&c, out, len, back), 3);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cobs_crc),
		cmocka_unit_test(test_cobs_bytes),
		cmocka_unit_test(test_cobs_lengths),
		cmocka_unit_test(test_cobs_damage),
		cmocka_unit_test(test_cobs_noise),
		cmocka_unit_test(test_cobs_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
