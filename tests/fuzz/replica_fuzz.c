/* What the stores of a pair send each other: a revision, a conflict, and the secrets that a delta or a whole copy
 * names. Nothing is read beyond the bytes; what is taken for good can be written again and is then the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "store/delta.h"
#include "store/replica.h"

static void
want(bool ok)
{
	if (!ok)
		abort();
}

static void
secrets_of(uint32_t *v, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		want(v[i] > 0 && (i == 0 || v[i] > v[i - 1]));
	want((v == NULL) == (n == 0));
	free(v);
}

static void
revision(const uint8_t *data, size_t size)
{
	struct replica_revision r;
	struct buf again = { 0 }, more = { 0 };
	struct replica_revision same;
	uint32_t n, *v;

	if (replica_decode(data, size, &r) != 0)
		return;
	/* An older node says less at the end, a newer one words that are not known here. */
	replica_encode(&r, &again);
	want(replica_decode(again.p, again.len, &same) == 0);
	replica_encode(&same, &more);
	want(more.len == again.len && memcmp(more.p, again.p, more.len) == 0);
	buf_fini(&more);
	buf_fini(&again);
	v = replica_secrets_of(r.delta, r.len, &n);
	secrets_of(v, n);
	want(delta_invert(r.delta, r.len, &again) == 0 && again.len == r.len);
	buf_fini(&again);
}

static void
conflict(const uint8_t *data, size_t size)
{
	struct conflict c;
	struct buf again = { 0 };

	if (replica_conflict_decode(data, size, &c) != 0)
		return;
	want(delta_rows(c.delta, c.len) == 1);
	replica_conflict_encode(&c, &again);
	want(again.len <= size && memcmp(again.p, data, again.len) == 0);
	buf_fini(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *own;
	uint32_t n, *v;

	if (size == 0)
		return 0;
	own = malloc(
	    size > 1 ? size - 1 : 1); /* of its own length, so that the sanitizer sees the end */
	want(own != NULL);
	memcpy(own, data + 1, size - 1);
	switch (data[0] % 4) {
	case 0: revision(own, size - 1); break;
	case 1: conflict(own, size - 1); break;
	case 2:
		v = replica_secrets_of(own, size - 1, &n);
		secrets_of(v, n);
		break;
	default: v = replica_dump_secrets(own, size - 1, &n); secrets_of(v, n);
	}
	free(own);
	return 0;
}
