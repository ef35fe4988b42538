/* counters.h - the rows of counters.def as structs of 64-bit numbers, and their walkers. */
#ifndef MSG_COUNTERS_H
#define MSG_COUNTERS_H

#include "base/buf.h"

enum counter_kind { COUNTER_TOTAL, COUNTER_GAUGE, COUNTER_PEAK };
struct counter {
	uint16_t number, offset;
	uint8_t kind;
	const char *name, *metric, *help;
};
#define COUNTER_IN_service(name) uint64_t name;
#define COUNTER_IN_server(name)
#define COUNTER(owner, number, name, kind, metric, help) COUNTER_IN_##owner(name)
struct service_counters {
#include "msg/counters.def"
};
#undef COUNTER_IN_service
#undef COUNTER_IN_server
#define COUNTER_IN_service(name)
#define COUNTER_IN_server(name) uint64_t name;
struct server_counters {
#include "msg/counters.def"
};
#undef COUNTER_IN_service
#undef COUNTER_IN_server
#undef COUNTER
extern const struct counter service_counters[], server_counters[];
extern const unsigned service_counters_n, server_counters_n;

/* Every struct is an array of uint64_t in the order of its rows. */
/* counters_add - totals and gauges are added up, of peaks the greater stands. Each of more is read once: its writer may go on. */
void counters_add(const struct counter *rows, unsigned n, void *sum, const void *more);
/* To and from the blob of messages; zeros are left out, unknown numbers are skipped. ERR_PROTO. */
void counters_put(const struct counter *rows, unsigned n, const void *values, struct buf *out);
int counters_take(
    const struct counter *rows, unsigned n, const void *blob, size_t len, void *values);

#endif
