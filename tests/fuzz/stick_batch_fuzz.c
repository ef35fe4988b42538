/* Batches from anybody: what is taken says something that can be, and reads the same after it was written again. */
#include "base/must.h"
#include "msg/stick_batch.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct stick_record r, s;
	struct stick_batch in, again;
	struct buf b = { 0 };
	unsigned n = 0;

	if (stick_batch_open(data, size, &in) != 0)
		return 0;
	stick_batch_begin(&b);
	for (; stick_batch_next(&in, &r); n++) {
		must(r.kind != 0 && r.stamp <= STICK_STAMP_MAX);
		must(r.kind != STICK_PERSIST || (r.service != 0 && r.key_kind < STICK_KINDS));
		must(!stick_later(&r, &r));
		must(stick_batch_put(&b, &r));
	}
	must(size == STICK_BATCH_HEAD + (size_t)n * STICK_RECORD && b.len == size);
	must(stick_batch_open(b.p, b.len, &again) == 0);
	(void)stick_batch_open(data, size, &in);
	while (stick_batch_next(&in, &r)) {
		must(stick_batch_next(&again, &s));
		must(memcmp(r.key, s.key, sizeof(r.key)) == 0 && r.stamp == s.stamp &&
		     r.value == s.value && r.left_ms == s.left_ms && r.flags == s.flags &&
		     r.service == s.service && r.generation == s.generation);
	}
	must(!stick_batch_next(&again, &s));
	buf_fini(&b);
	return 0;
}
