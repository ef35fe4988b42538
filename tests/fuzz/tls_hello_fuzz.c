/* The beginning of TLS: whatever a client sends, names and protocols are within what was put together. */
#include "rules/hello.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t work[HELLO_MAX];
	struct hello h;
	enum h1_result whole = hello_parse(data, size, work, &h);

	if (whole == H1_DONE) {
		if (h.sni != NULL &&
		    ((const uint8_t *)h.sni < work ||
			(const uint8_t *)h.sni + h.sni_len > work + sizeof(work) || h.sni_len == 0))
			abort();
		if (h.alpn_n > HELLO_ALPN_MAX)
			abort();
	}
	/* What was refused is not taken with more of it, nor what is there with less. */
	for (size_t n = size; n-- > 0 && size < 600;) {
		enum h1_result part = hello_parse(data, n, work, &h);

		if ((part == H1_BAD && whole != H1_BAD) || (part == H1_DONE && whole == H1_MORE))
			abort();
	}
	return 0;
}
