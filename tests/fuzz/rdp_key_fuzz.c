/* The first packet of an RDP connection: a user lies within the packet; whatever comes in pieces gives the same answer as it
 * does at once, and bytes behind the packet change nothing. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lbd-proxy/pool/key.h"
#include "lbd-proxy/pool/rdp.h"

static void
want(bool ok)
{
	if (!ok)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct key_span all = { 0 }, part = { 0 };
	enum h1_result r = key_of_rdp(data, size, &all), t;
	struct addr a, b;
	uint16_t port, same;

	if (r == H1_DONE) {
		const char *p = (const char *)data;

		want(all.len > 0 && all.at > p && all.at + all.len + 2 <= p + size);
		want(memchr(all.at, '\r', all.len) == NULL);
	}
	t = rdp_token(data, size, &a, &port);
	want(t != H1_DONE || (r == H1_BAD && a.family == 4));
	for (size_t n = 0; n < size; n++) {
		uint8_t *copy = malloc(n + 1);
		enum h1_result early;

		memcpy(copy, data, n);
		early = key_of_rdp(copy, n, &part);
		want(early == H1_MORE || early == r);
		want(early != H1_DONE || part.len == all.len);
		early = rdp_token(copy, n, &b, &same);
		want(early == H1_MORE || early == t);
		want(early != H1_DONE || (addr_same_host(&a, &b) && port == same));
		free(copy);
	}
	return 0;
}
