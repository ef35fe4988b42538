/* cookie.h - cookies by name, and the token by which our own cookie names a server (S102, S103). Pure. */
#ifndef COOKIE_H
#define COOKIE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COOKIE_TOKEN_LEN 13 /* 64 bits as base32 */
#define COOKIE_NAME_MAX 64  /* as schema/service.def says */
#define COOKIE_LINE_MAX 384 /* cookie_line_format */
#define COOKIE_LINE_VALUE_MAX 40
#define COOKIE_VALUE_MAX 4096 /* longer values of passive cookies are not remembered */

struct cookie_span {
	const char *at; /* into the header's value */
	size_t len;
};

/* cookie_find - the first cookie of this name in the value of a Cookie header (RFC 6265 section 4.2). Names are compared
 * byte by byte. Double quotes around a value are left out. */
bool cookie_find(
    const char *value, size_t len, const char *name, size_t name_len, struct cookie_span *out);

/* cookie_next - the same from offset *at on, which moves behind what was found: every cookie of the name in turn. */
bool cookie_next(const char *value, size_t len, const char *name, size_t name_len, size_t *at,
    struct cookie_span *out);

/* cookie_cut - where the cookie stands, with the "; " that goes with it: left out, the others remain a right header.
 * at: search from this offset on; returns false when there is no further one. */
bool cookie_cut(const char *value, size_t len, const char *name, size_t name_len, size_t at,
    size_t *from_out, size_t *to_out);

/* cookie_set_find - is this Set-Cookie value about that name? Gives the cookie's value; a Max-Age of 0 or less, or an
 * empty value, sets removed_out (may be NULL). */
bool cookie_set_find(const char *value, size_t len, const char *name, size_t name_len,
    struct cookie_span *out, bool *removed_out);

/* cookie_token - the number that stands for a server in a service's cookie. Made of their ids alone: the same after
 * a restart and on both nodes of a pair. Never 0. Not a secret: it only hides names and addresses. */
uint64_t cookie_token(uint32_t service_id, uint32_t server_id);
void cookie_token_format(uint64_t token, char out[COOKIE_TOKEN_LEN]); /* not terminated */
/* 0 or -EINVAL; only what cookie_token_format makes is taken. */
int cookie_token_parse(const char *s, size_t len, uint64_t *token_out);

/* cookie_prefix - a token with COOKIE_PREFIX_MARK behind it in front of a value: COOKIE_PREFIX_LEN, or 0 without one. */
#define COOKIE_PREFIX_MARK '~'
#define COOKIE_PREFIX_LEN (COOKIE_TOKEN_LEN + 1)
size_t cookie_prefix(const char *value, size_t len, uint64_t *token_out);

/* Tokens of a service, to find a server by. Built once per snapshot, read-only then. */
struct cookie_map {
	struct cookie_slot *slot;
	uint32_t mask; /* slots - 1 */
};
/* n: most tokens that will be put. 0 or -ENOMEM. */
int cookie_map_init(struct cookie_map *m, uint32_t n);
void cookie_map_fini(struct cookie_map *m);
void cookie_map_put(struct cookie_map *m, uint64_t token, uint32_t at);
/* The at that was put with this token, or -1. An empty (zeroed) map finds nothing. */
int64_t cookie_map_find(const struct cookie_map *m, uint64_t token);

#endif
