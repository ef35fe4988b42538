/* meters.h - what the rules of a service count (rate and conns of their conditions), and where requests and connections are counted.
 * Which keys a request has is found out once, when its rules are looked at; what is known later only (errors, bytes) is added at
 * its end. */
#ifndef LBD_PROXY_METERS_H
#define LBD_PROXY_METERS_H

#include "rates.h"

#include "schema/rule_when.h"

struct conn;
struct subject;

/* meters_agree - keys of all nodes of the pair are made with this seed from now on; meters_seed - that of a service's table, and
 * until then one of this process. */
void meters_agree(uint64_t seed);
uint64_t meters_seed(uint32_t service);

/* Of the rules of one service; never changes after it is compiled. { 0 } counts nothing. */
struct meters {
	struct rates *table; /* reference */
	uint8_t n;
	uint16_t late; /* a bit for those that are counted at the end: errors, bytes */
	uint16_t conn; /* a bit for those that are counted by connection */
	struct when_meter of[METERS_OF_SERVICE]; /* names are the rules' */
	uint64_t id[METERS_OF_SERVICE];
	uint64_t limit[METERS_OF_SERVICE]; /* the least that a condition asks for; 0: none does */
};
/* meters_limit - a condition asks whether the meter has reached n. */
void meters_limit(struct meters *x, const struct when_meter *m, uint64_t n);
/* meters_add - m gets its place, shared with others that are the same; table: of the service, one more reference the first time.
 * False: there is no more place. */
bool meters_add(struct meters *x, struct when_meter *m, struct rates *table);
void meters_fini(struct meters *x);

/* One request, or connection, while its rules are looked at. */
struct metering {
	struct rates *table;
	mono_t now;
	uint16_t known, late;
	uint64_t value[METERS_OF_SERVICE]; /* of requests: with this one */
	struct rates_key key[METERS_OF_SERVICE];
	struct rates_seen
	    seen[METERS_OF_SERVICE]; /* of those that are late; borrowed from the request */
};
/* meters_begin - it is counted as a request, and its keys are known. */
void meters_begin(const struct meters *x, struct subject *s, mono_t now, struct metering *out);
/* meters_peek - the same for a request that is not there: nothing is counted, and what would be is said. */
void meters_peek(const struct meters *x, struct subject *s, mono_t now, struct metering *out);
/* meters_get - a value for the condition; false: the request has no such key. */
bool meters_get(const struct metering *m, const struct when_meter *of, struct when_found *out);

/* What is left to count at the end of a request or a connection. */
struct metered;
/* meters_keep - of a request; NULL: nothing is left to count, or no memory. */
struct metered *meters_keep(const struct meters *x, const struct metering *m);
/* meters_end - it is over; freed. status: of the answer, 0 none. */
void meters_end(struct metered *m, mono_t now, unsigned status, uint64_t in, uint64_t out);
/* meters_conn - a connection begins: it is held until meters_let_go. NULL: nothing of it is counted, or no memory. */
struct metered *meters_conn(const struct meters *x, const struct conn *c, bool bytes, mono_t now);
void meters_let_go(struct metered *m, mono_t now, uint64_t in, uint64_t out);

/* What lists show. meters_find - which one an entry belongs to; -1: none any more. meters_value - what is counted for it now. */
int meters_find(const struct meters *x, uint64_t id);
uint64_t meters_value(
    const struct meters *x, unsigned i, const struct rates_item *item, mono_t now);
/* meters_key - the key that a meter would have for a text; false: it counts by address. */
bool meters_key(
    const struct meters *x, unsigned i, const char *text, uint32_t len, struct rates_key *out);

#endif
