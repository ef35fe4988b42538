/* A serial line's bytes: whatever came, the next whole frame is read, and what was written reads back the same. */
#include "lbd-ha/core/cobs.h"

#include "base/must.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cobs c = { 0 };
	uint8_t wire[COBS_ROOM(COBS_MAX)];
	size_t n = size < COBS_MAX ? size : COBS_MAX, len, got = 0;

	for (size_t i = 0; i < size; i++) {
		len = cobs_push(&c, data[i]);
		must(len <= COBS_MAX);
	}
	if (n == 0)
		return 0;
	len = cobs_encode(data, n, wire);
	must(len <= COBS_ROOM(n) && memchr(wire + 1, 0, len - 2) == NULL);
	for (size_t i = 0; i < len; i++) {
		size_t took = cobs_push(&c, wire[i]);

		must(took == 0 || i == 0 || i == len - 1);
		got = i > 0 ? took : 0;
	}
	must(got == n && memcmp(c.raw, data, n) == 0);
	return 0;
}
