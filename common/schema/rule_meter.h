/* rule_meter.h - what rate(...) and conns(...) of a condition count: read behind the word, with its parentheses.
 *
 *   rate(WHAT, KEY, TIME)  WHAT: requests, connections, errors (answers 4xx and 5xx), bytes_in, bytes_out; TIME: 1s to 1d
 *   conns(KEY)             connections that are there now
 *   KEY                    what is counted together: src, src/24 or src/24/56 (bits of IPv4 and IPv6), and for requests, errors and bytes
 *                          of mode http a text of the request as host, path, header(NAME), param(NAME), cookie(NAME)
 *
 * To add what is counted: a row of whats[] in rule_meter.c, and where lbd-proxy counts it (lbd-proxy/rates/meters.c). */
#ifndef SCHEMA_RULE_METER_H
#define SCHEMA_RULE_METER_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

enum meter_what {
	METER_REQUESTS,
	METER_CONNECTIONS,
	METER_ERRORS,
	METER_BYTES_IN,
	METER_BYTES_OUT,
	METER_CONNS, /* conns(...) */
	METER_WHATS
};
#define METER_SRC6 64 /* bits of an IPv6 address unless it says otherwise: what one client has */
#define METERS_OF_SERVICE 16 /* different ones, in all rules of a service */

struct when_meter {
	uint8_t what;	      /* enum meter_what */
	uint8_t source;	      /* of the key: enum when_source */
	uint8_t bits4, bits6; /* of an address */
	uint8_t slot;	      /* where lbd-proxy has it */
	uint16_t name_len;    /* of a header, cookie, parameter */
	const char *name;     /* NULL: none */
	uint32_t window_ms;   /* 0: METER_CONNS */
};

/* rule_meter_parse - at: behind the word; where: W_... of the rule; conns: it is conns(...). *end_out: behind the parenthesis. 0, or
 * ERR_INVALID with what was read and what is allowed; *end_out is then where. */
int rule_meter_parse(const char *at, unsigned where, bool conns, struct arena *a,
    struct when_meter *out, const char **end_out, struct err *err);
/* rule_meter_format - as it is written in a condition: "rate(requests, src/24, 10s)". */
void rule_meter_format(const struct when_meter *m, struct buf *out);
bool rule_meter_same(const struct when_meter *a, const struct when_meter *b);

#endif
