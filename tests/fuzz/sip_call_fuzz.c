/* The first message of a SIP connection: a call lies within the bytes, and what comes in pieces gives the same answer as at once. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lbd-proxy/pool/sip.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct key_span all, part;
	enum h1_result r = sip_call(data, size, &all);

	if (size >= KEY_SIP_MAX)
		return 0;
	if (r == H1_DONE && (all.len == 0 || all.at <= (const char *)data ||
				all.at + all.len >= (const char *)data + size))
		abort();
	for (size_t n = 0; n < size; n++) {
		uint8_t *copy = malloc(n + 1);
		enum h1_result early;

		memcpy(copy, data, n);
		early = sip_call(copy, n, &part);
		if (early != H1_MORE && (early != r || part.len != all.len))
			abort();
		free(copy);
	}
	return 0;
}
