/* error_rules.h - what a service answers itself with: field error_pages, as 503=sorry,5xx=broken,unavailable=302 https://....
 * Read here for the check of a commit and for lbd-proxy alike. */
#ifndef SCHEMA_ERROR_RULES_H
#define SCHEMA_ERROR_RULES_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ERROR_RULES_MAX 32
/* Keys that are no status; a status is its own. */
enum { ERROR_UNAVAILABLE = 1, ERROR_MAINTENANCE = 2, ERROR_4XX = 4, ERROR_5XX = 5 };
struct error_rule {
	uint16_t key;
	uint16_t redirect; /* status, and to is where; 0: to is the name of a page */
	uint16_t to_len;
	const char *to; /* borrowed from the text */
};

/* error_rules_parse - rules in the order of the text, no key twice. Returns how many, or ERR_INVALID with a reason; err may
 * be NULL. */
int error_rules_parse(const char *text, struct error_rule out[ERROR_RULES_MAX], struct err *err);

/* error_key_next - where to look when there is no rule of a key: unavailable and maintenance, then 503, then 5xx, then 0. */
uint16_t error_key_next(uint16_t key);

#endif
