/* Counters by descriptor: the rows of counters.def, adding up, and the blob that travels in
 * messages.
 *
 * In the blob a counter is its number (u16) and its value (u64). Zeros are left out; a number
 * that this build does not know is skipped; a number that comes twice, or bytes that are left
 * over, are no blob of ours. */
#include "msg/counters.h"
#include "base/err.h"
#include "base/must.h"

#include <stddef.h>
#include <string.h>

#define OWN(owner, num, nm, kd, mt, hp)                          \
	{ .number = num,                                         \
		.offset = offsetof(struct owner##_counters, nm), \
		.kind = COUNTER_##kd,                            \
		.name = #nm,                                     \
		.metric = mt,                                    \
		.help = hp },
#define SKIP(owner, num, nm, kd, mt, hp)

#define ROWS_service OWN
#define ROWS_server SKIP
#define COUNTER(owner, num, nm, kd, mt, hp) ROWS_##owner(owner, num, nm, kd, mt, hp)
const struct counter service_counters[] = {
#include "msg/counters.def"
};
#undef ROWS_service
#undef ROWS_server
#define ROWS_service SKIP
#define ROWS_server OWN
const struct counter server_counters[] = {
#include "msg/counters.def"
};
#undef COUNTER

const unsigned service_counters_n = ARRAY_LEN(service_counters);
const unsigned server_counters_n = ARRAY_LEN(server_counters);

void
counters_add(const struct counter *rows, unsigned n, void *sum, const void *more)
{
	const uint64_t *from = more;
	uint64_t *to = sum, one;

	for (unsigned i = 0; i < n; i++) {
		one = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
		if (rows[i].kind != COUNTER_PEAK)
			to[i] += one;
		else if (one > to[i])
			to[i] = one;
	}
}

void
counters_put(const struct counter *rows, unsigned n, const void *values, struct buf *out)
{
	for (unsigned i = 0; i < n; i++) {
		uint64_t v;

		memcpy(&v, (const char *)values + rows[i].offset, sizeof(v));
		if (v == 0)
			continue;
		buf_put_be(out, rows[i].number, 2);
		buf_put_be(out, v, 8);
	}
}

int
counters_take(const struct counter *rows, unsigned n, const void *blob, size_t len, void *values)
{
	struct rd r = { .p = blob, .left = len };
	uint64_t seen = 0;

	must(n <= 64);
	memset(values, 0, n * sizeof(uint64_t));
	while (r.left > 0) {
		unsigned number = (unsigned)rd_be(&r, 2), i;
		uint64_t v = rd_be(&r, 8);

		if (r.bad)
			return ERR_PROTO;
		for (i = 0; i < n && rows[i].number != number; i++)
			;
		if (i == n)
			continue;
		if ((seen & (uint64_t)1 << i) != 0)
			return ERR_PROTO;
		seen |= (uint64_t)1 << i;
		memcpy((char *)values + rows[i].offset, &v, sizeof(v));
	}
	return 0;
}
