/* tally.h - what services and servers have counted since another process was told. Control thread. */
#ifndef TALLY_H
#define TALLY_H

#include "base/idmap.h"
#include "msg/counters.h"
#include "msg/phases.h"

#include <stdbool.h>

struct control;
struct parcel_count;
struct tally {
	struct idmap services, servers; /* what was told of each */
};
/* tally_send - a PARCEL_COUNT for everything that differs from what was told. 0, or -errno: -EAGAIN, the rest differs still. */
int tally_send(struct tally *t, struct control *k, int fd);
/* tally_again - gauges differ from what was told, whatever they are. */
void tally_again(struct tally *t);
void tally_fini(struct tally *t);

/* The other side. tally_add - counters of the service or server go on from there; since: whether their age is taken too.
 * tally_gauges - of a COUNTER_GAUGE each, added to sum. Pure but for the counters. */
void tally_add(struct control *k, const struct parcel_count *c, bool since);
void tally_gauges(const struct counter *rows, unsigned n, const void *more, void *sum);

#endif
