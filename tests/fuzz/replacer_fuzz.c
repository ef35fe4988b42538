/* Replacements in bodies: what comes out, in pieces of any size, is what a plain replacement of the whole makes, one after the other. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lbd-proxy/coding/replacer.h"

#define PAIRS_MAX 3
#define BODY_MAX 512
#define WITH_MAX 8
#define OUT_MAX (BODY_MAX * WITH_MAX * WITH_MAX * WITH_MAX)

static uint8_t plain[2][OUT_MAX], out[OUT_MAX + 64];

static void
want(bool ok)
{
	if (!ok)
		abort();
}

static size_t
replace(const struct replacement *r, const uint8_t *in, size_t n, uint8_t *to)
{
	size_t at = 0, got = 0;

	while (at < n) {
		if (n - at >= r->find_len && memcmp(in + at, r->find, r->find_len) == 0) {
			memcpy(to + got, r->with, r->with_len);
			got += r->with_len;
			at += r->find_len;
		} else {
			to[got++] = in[at++];
		}
	}
	return got;
}

static size_t
expect(const struct replacement *r, unsigned n, const uint8_t *in, size_t len)
{
	memcpy(plain[0], in, len);
	for (unsigned i = 0; i < n; i++) {
		len = replace(&r[i], plain[0], len, plain[1]);
		memcpy(plain[0], plain[1], len);
	}
	return len;
}

static size_t
by_pieces(const struct replacement *r, unsigned n, const uint8_t *in, size_t len, size_t piece,
    size_t room)
{
	struct replacer *x = replacer_new(r, n);
	size_t at = 0, one, got;
	const uint8_t *p;
	bool end;

	do {
		one = len < piece ? len : piece;
		end = one == len;
		p = in;
		in += one;
		len -= one;
		do {
			got = replacer_step(x, &p, &one, end, out + at, room);
			want(got <= room);
			at += got;
			want(at <= OUT_MAX);
		} while (got == room);
		want(one == 0);
	} while (!end);
	replacer_free(x);
	return at;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Sizes of a piece and of the output, how many pairs; each a length of both texts and the texts; the body is the rest. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct replacement r[PAIRS_MAX];
	size_t piece, room, len;
	unsigned n;

	if (size < 3)
		return 0;
	piece = data[0] % 64 + 1u;
	room = data[1] % 64 + 1u;
	n = data[2] % PAIRS_MAX + 1u;
	data += 3;
	size -= 3;
	for (unsigned i = 0; i < n; i++) {
		uint32_t find, with;

		if (size < 2)
			return 0;
		find = data[0] % 32 + 1u;
		with = data[1] % (WITH_MAX + 1);
		if (size < 2 + find + with)
			return 0;
		r[i] = (struct replacement){ (const char *)data + 2, (const char *)data + 2 + find,
			find, with };
		data += 2 + find + with;
		size -= 2 + find + with;
	}
	if (size > BODY_MAX)
		return 0;
	len = expect(r, n, data, size);
	want(by_pieces(r, n, data, size, piece, room) == len);
	want(memcmp(out, plain[0], len) == 0);
	return 0;
}
