/* A UUID of version 7 without asking for random numbers each time.
 *
 * 48 bits of time, 12 of the number; then 20 bits of the number, 6 of the worker, 36 of the seed. Within a process no two are
 * equal as long as a worker makes fewer than 2^32 in a millisecond; two processes have different seeds. */
#include "request_id.h"

#include "base/must.h"

void
request_id_format(
    int64_t wall_ms, unsigned worker, uint32_t number, uint64_t seed, char out[REQUEST_ID])
{
	static const char digits[] = "0123456789abcdef";
	uint64_t hi = (uint64_t)wall_ms << 16 | 0x7000 | (number & 0xfff),
		 lo = UINT64_C(2) << 62 | (uint64_t)(number >> 12) << 42 |
		      (uint64_t)(worker & 63) << 36 | (seed & UINT64_C(0xfffffffff));
	char *o = out;

	for (unsigned i = 0; i < 32; i++) {
		uint64_t v = i < 16 ? hi >> (60 - 4 * i) : lo >> (124 - 4 * i);

		if (i == 8 || i == 12 || i == 16 || i == 20)
			*o++ = '-';
		*o++ = digits[v & 15];
	}
	must(o == out + REQUEST_ID);
}
