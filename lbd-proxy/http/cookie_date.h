/* cookie_date.h - our cookie with two dates: when the client was last seen, and when it came first. Sealed with a secret of
 * the pair, so that nobody makes one, or changes a date. Pure. */
#ifndef COOKIE_DATE_H
#define COOKIE_DATE_H

#include "cookie.h"

#define COOKIE_DATE_LEN 7					      /* 32 bits as base32 */
#define COOKIE_DATED_LEN (2 * COOKIE_TOKEN_LEN + 2 * COOKIE_DATE_LEN) /* token, seen, first, seal */

struct cookie_dates {
	uint32_t seen_s, first_s; /* seconds since 1970 */
};
void cookie_dated_format(uint64_t token, struct cookie_dates dates, uint64_t secret,
    char out[COOKIE_DATED_LEN]); /* not terminated */
/* 0 or -EINVAL; only what cookie_dated_format makes with this secret is taken. */
int cookie_dated_parse(const char *s, size_t len, uint64_t secret, uint64_t *token_out,
    struct cookie_dates *dates_out);

/* What becomes of a cookie with these dates. Limits in seconds, 0 is none; a date that is still to come (another node's
 * clock) is now. Seen is written anew when a sixteenth of the limit is over, or a second. */
enum cookie_age { COOKIE_GOOD, COOKIE_RENEW, COOKIE_IDLE, COOKIE_OLD };
enum cookie_age cookie_age_of(
    struct cookie_dates dates, uint32_t now_s, uint32_t idle_s, uint32_t life_s);

#endif
