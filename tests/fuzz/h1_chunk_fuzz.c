/* Chunked bodies: the pieces make no difference, and a body that is taken is read in the same way by a plain decoder that
 * knows nothing of ours. First byte: size of the pieces. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lbd-proxy/http/h1_parse.h"

static void
want(bool ok)
{
	if (!ok)
		abort();
}

/* Length of the data of a complete body of len bytes, read the simple way: a line, a number, that many bytes. */
static uint64_t
plain_decode(const char *s, size_t len)
{
	uint64_t total = 0;
	size_t at = 0;

	for (;;) {
		const char *eol = memmem(s + at, len - at, "\r\n", 2);
		char line[512];
		want(eol != NULL && (size_t)(eol - s) - at < sizeof(line));
		size_t n = (size_t)(eol - s) - at;
		memcpy(line, s + at, n);
		line[n] = '\0';
		want(strlen(line) == n && strchr(line, '\n') == NULL);
		uint64_t size = strtoull(line, NULL, 16);
		at += n + 2;
		if (size == 0)
			break;
		want(size <= len - at - 2 && memcmp(s + at + size, "\r\n", 2) == 0);
		at += size + 2;
		total += size;
	}
	/* Trailer lines up to an empty one, which is the end. */
	while (len - at >= 2 && memcmp(s + at, "\r\n", 2) != 0) {
		const char *eol = memmem(s + at, len - at, "\r\n", 2);
		want(eol != NULL && memchr(s + at, ':', (size_t)(eol - s) - at) != NULL);
		at = (size_t)(eol - s) + 2;
	}
	want(at + 2 == len);
	return total;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct h1_chunk whole = { 0 }, pieces = { 0 };
	size_t used, at = 0, step;

	if (size < 2)
		return 0;
	step = data[0] % 32 + 1u;
	const char *text = (const char *)data + 1;
	size--;
	char *buf = malloc(size);
	memcpy(buf, text, size);
	enum h1_result r = h1_chunk_scan(&whole, buf, size, &used), q = H1_MORE;
	want(used <= size && (r != H1_MORE || used == size));
	while (q == H1_MORE && at < size) {
		size_t n = size - at < step ? size - at : step, got;
		if (h1_chunk_data(&pieces) && data[0] & 32 && pieces.left >= n) {
			h1_chunk_skip(&pieces, n);
			got = n;
		} else {
			q = h1_chunk_scan(&pieces, buf + at, n, &got);
		}
		at += got;
	}
	want(q == r && at == used && pieces.total == whole.total);
	want((r == H1_BAD) == (whole.error != NULL));
	if (r == H1_DONE)
		want(plain_decode(buf, used) == whole.total);
	free(buf);
	return 0;
}
