/* Bodies into gzip and br: what goes in comes out, what was flushed can be read, and how much memory a stream holds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <brotli/decode.h>
#include <zlib.h>

#include "base/must.h"
#include "lbd-proxy/coding/coder.h"

#define BODY 300000

static uint8_t body[BODY], coded[BODY + 1000], plain[BODY + 1];
static size_t coded_n;

/* Text that compresses as pages do. */
static void
fill(void)
{
	static const char *const words[] = { "<div class=\"row\">", "</div>\n", "server", "balance",
		"of ", "the " };
	uint32_t seed = 1;
	size_t at = 0;

	while (at < BODY) {
		const char *w = words[(seed >> 16) % ARRAY_LEN(words)];
		size_t n = strlen(w);

		seed = seed * 1103515245 + 12345;
		n = n < BODY - at ? n : BODY - at;
		memcpy(body + at, w, n);
		at += n;
	}
}

static void
step(struct coder *c, enum coder_op op, size_t at, size_t n, size_t room)
{
	const uint8_t *in = body + at;
	ssize_t got;

	do {
		got = coder_step(c, op, &in, &n, coded + coded_n, room);
		assert_true(got >= 0);
		coded_n += (size_t)got;
		assert_true(coded_n + room <= sizeof(coded));
	} while ((size_t)got == room);
	assert_int_equal(n, 0);
}

/* What can be read of coded. */
static size_t
decode(enum coding coding)
{
	size_t n = 0;

	if (coding == CODING_GZIP) {
		z_stream z = { .next_in = coded,
			.avail_in = (unsigned)coded_n,
			.next_out = plain,
			.avail_out = sizeof(plain) };

		assert_int_equal(inflateInit2(&z, 16 + 15), Z_OK);
		(void)inflate(&z, Z_SYNC_FLUSH);
		n = sizeof(plain) - z.avail_out;
		(void)inflateEnd(&z);
	} else {
		BrotliDecoderState *d = BrotliDecoderCreateInstance(NULL, NULL, NULL);
		const uint8_t *in = coded;
		size_t in_n = coded_n, left = sizeof(plain);
		uint8_t *out = plain;

		assert_int_not_equal(
		    BrotliDecoderDecompressStream(d, &in_n, &in, &left, &out, NULL),
		    BROTLI_DECODER_RESULT_ERROR);
		n = sizeof(plain) - left;
		BrotliDecoderDestroyInstance(d);
	}
	assert_memory_equal(plain, body, n);
	return n;
}

static void
round_trip(enum coding coding, unsigned level, size_t len, size_t piece, size_t room)
{
	struct coder *c = coder_new(coding, level, len);

	assert_non_null(c);
	coded_n = 0;
	for (size_t at = 0; at < len; at += piece)
		step(c, CODER_GO, at, piece < len - at ? piece : len - at, room);
	step(c, CODER_END, 0, 0, room);
	coder_free(c);
	assert_int_equal(decode(coding), len);
	assert_int_equal(coder_used(), 0);
}

static void
test_round_trips(void **state)
{
	(void)state;
	fill();
	for (enum coding k = CODING_GZIP; k <= CODING_BR; k++) {
		for (unsigned level = 1; level <= 9; level++) {
			round_trip(k, level, BODY, 65536, 4096);
			assert_true(coded_n < BODY / 3);
		}
		round_trip(k, 3, 0, 1, 100);
		round_trip(k, 3, 1, 1, 1);
		round_trip(k, 3, 5000, 7, 1);
		round_trip(k, 3, 5000, 5000, 65536);
	}
}

static void
test_flush(void **state)
{
	(void)state;
	fill();
	for (enum coding k = CODING_GZIP; k <= CODING_BR; k++) {
		struct coder *c = coder_new(k, 3, UINT64_MAX);

		coded_n = 0;
		for (size_t at = 0; at < 3000; at += 100) {
			step(c, CODER_GO, at, 100, 64);
			step(c, CODER_FLUSH, 0, 0, 64);
			assert_int_equal(decode(k), at + 100);
		}
		coder_free(c);
	}
}

/* coder.h promises it. Printed for the curious. */
static void
test_memory(void **state)
{
	static const struct {
		enum coding coding;
		unsigned level;
		uint64_t length;
		size_t most;
	} rows[] = {
		{ CODING_GZIP, 3, UINT64_MAX, CODER_GZIP_MOST },
		{ CODING_GZIP, 9, UINT64_MAX, CODER_GZIP_MOST },
		{ CODING_GZIP, 3, 4096, 64 * 1024 },
		{ CODING_BR, 1, UINT64_MAX, 400 * 1024 },
		{ CODING_BR, 2, UINT64_MAX, CODER_BR_MOST },
		{ CODING_BR, 4, UINT64_MAX, CODER_BR_MOST },
		{ CODING_BR, 3, UINT64_MAX, 960 * 1024 },
		{ CODING_BR, 5, UINT64_MAX, CODER_BR_MOST },
		{ CODING_BR, 9, UINT64_MAX, CODER_BR_MOST },
		{ CODING_BR, 3, 4096, 64 * 1024 },
	};

	(void)state;
	fill();
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		struct coder *c = coder_new(rows[i].coding, rows[i].level, rows[i].length);
		size_t len = rows[i].length < BODY ? (size_t)rows[i].length : BODY, most = 0;

		coded_n = 0;
		for (size_t at = 0; at < len; at += 65536) {
			step(c, CODER_GO, at, 65536 < len - at ? 65536 : len - at, 4096);
			most = coder_used() > most ? coder_used() : most;
		}
		print_message("coding %d level %u length %lld: %zu bytes\n", rows[i].coding,
		    rows[i].level, (long long)rows[i].length, most);
		assert_true(most <= rows[i].most);
		coder_free(c);
	}
	assert_int_equal(coder_used(), 0);
}

/* All that fit, and then plain. */
static void
test_room(void **state)
{
	static struct coder *c[4096];
	unsigned n = 0;

	(void)state;
	while (n < ARRAY_LEN(c) && (c[n] = coder_new(CODING_GZIP, 3, UINT64_MAX)) != NULL)
		n++;
	assert_in_range(n, 800, 1100);
	assert_true(coder_used() <= CODER_ROOM);
	coder_free(c[--n]);
	c[n] = coder_new(CODING_GZIP, 3, UINT64_MAX);
	assert_non_null(c[n++]);
	while (n > 0)
		coder_free(c[--n]);
	assert_int_equal(coder_used(), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trips),
		cmocka_unit_test(test_flush),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
