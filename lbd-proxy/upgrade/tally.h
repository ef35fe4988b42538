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
	struct idmap services, servers, rules; /* what was told of each */
};
/* tally_send - a PARCEL_COUNT for everything that differs from what was told. 0, or -errno: -EAGAIN, the rest differs still. */
int tally_send(struct tally *t, struct control *k, int fd);
/* tally_again - gauges differ from what was told, whatever they are. */
void tally_again(struct tally *t);
void tally_fini(struct tally *t);

/* tally_rules.c. tally_send_rules - the same of the rules of one service, as PARCEL_RULES. tally_add_rules - the other side: their
 * counts go on from there. */
struct ctl_service;
struct rd;
int tally_send_rules(struct idmap *told, const struct ctl_service *c, int fd);
void tally_add_rules(struct control *k, struct rd *r);

/* The other side. tally_add - counters of the service or server go on from there; since: whether their age is taken too.
 * tally_gauges - of a COUNTER_GAUGE each, added to sum. Pure but for the counters. */
void tally_add(struct control *k, const struct parcel_count *c, bool since);
void tally_gauges(const struct counter *rows, unsigned n, const void *more, void *sum);

#endif
