/* Answers of servers to a probe: the pieces make no difference, nothing is read beyond what was fed, and a text that
 * was found is there. First byte: size of the pieces; second: what is looked for, the method, and the limit. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lbd-check/answer.h"
#include "msg/msg.h"

static void
want(bool ok)
{
	if (!ok)
		abort();
}

static int
run(const struct check *rule, const uint8_t *data, size_t size, size_t step, uint64_t *bytes_out)
{
	struct answer a;
	int r = REASON_none;

	answer_init(&a, rule);
	for (size_t at = 0; at < size && r == REASON_none; at += step) {
		size_t n = size - at < step ? size - at : step;
		uint8_t *piece = malloc(n);

		memcpy(piece, data + at, n);
		r = answer_feed(&a, piece, n);
		free(piece);
	}
	if (r == REASON_none)
		r = answer_end(&a);
	*bytes_out = a.bytes;
	answer_fini(&a);
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint16_t good[] = { 1, 200, 399 }; /* struct ranges */
	struct check rule = {
		.status = (const void *)good, .expect = "", .reject = "", .answer_max = 65536
	};
	uint64_t whole, pieces;
	size_t step;
	int r;

	if (size < 3)
		return 0;
	step = data[0] % 64 + 1u;
	if (data[1] & 1)
		rule.expect = "abab";
	if (data[1] & 2)
		rule.reject = "aab";
	if (data[1] & 4)
		rule.method = method_HEAD;
	if (data[1] & 8)
		rule.answer_max = 512;
	data += 2;
	size -= 2;
	r = run(&rule, data, size, size, &whole);
	want(r > REASON_none && r < REASONS);
	want(r == run(&rule, data, size, step, &pieces));
	want(whole <= size && whole <= rule.answer_max && pieces <= size);
	if (r == REASON_ok && rule.expect[0] && !memmem(data, size, "\r\n\r\n", 4) &&
	    !memmem(data, size, "\n\n", 2) && !memmem(data, size, "\n\r\n", 3))
		abort(); /* good without the end of a head */
	return 0;
}
