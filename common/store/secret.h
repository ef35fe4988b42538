/* secret.h - the second file: what must never be read by a data-plane daemon, shown, logged or exported.
 * The configuration names a secret by number. A secret is written first, then the configuration that names it
 * is committed; numbers that nobody names are collected later. Owns crypt(3) and SHA-256. */
#ifndef STORE_SECRET_H
#define STORE_SECRET_H

#include "base/buf.h"
#include "base/err.h"
#include "schema/schema.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct secrets;
int secrets_open(const char *dir, bool write, struct secrets **out, struct err *err);
void secrets_close(struct secrets *s);

/* secret_put - keep text as the field's flags say (F_HASH, F_DIGEST, or as it is). Returns 0; number in *out. */
int secret_put(
    struct secrets *s, const struct field *f, const char *text, uint32_t *out, struct err *err);
bool secret_exists(struct secrets *s, uint32_t n);
/* secret_verify - compare in constant time; n 0 costs as much as a wrong password. */
bool secret_verify(struct secrets *s, uint32_t n, const char *text);
/* secret_find_digest - number of the F_DIGEST secret with this text; 0 when none. For API tokens. */
uint32_t secret_find_digest(struct secrets *s, const char *text);
/* secret_collect - forget what is not in keep (rising) and is older than that; how many went, or ERR_STORE. */
int secret_collect(struct secrets *s, const uint32_t *keep, size_t n, int64_t older_than_s);

/* For the pair. secrets_set_node - of numbers to come: 1 even, 2 odd, 0 any; see store/replica.h. */
void secrets_set_node(struct secrets *s, unsigned node);
/* secret_export - number, form and value, appended to out. The value is readable: the transport encrypts, and the
 * caller wipes out. ERR_UNKNOWN: no such secret; it may have been forgotten, which the peer need not know. */
int secret_export(struct secrets *s, uint32_t n, struct buf *out, struct err *err);
/* secret_import - kept under the number it came with; the same again does nothing. ERR_CONFLICT: the number is that
 * of another secret here (see replica_secret_move). ERR_PROTO: no secret. n_out may be NULL. */
int secret_import(
    struct secrets *s, const void *bytes, size_t len, uint32_t *n_out, struct err *err);
/* secret_last - the highest number that was ever given; secret_raise - give none up to n any more. */
uint32_t secret_last(struct secrets *s);
int secret_raise(struct secrets *s, uint32_t n, struct err *err);
/* secret_again - the same secret under a new number. ERR_UNKNOWN. */
int secret_again(struct secrets *s, uint32_t n, uint32_t *out, struct err *err);
int secret_forget(struct secrets *s, uint32_t n, struct err *err);
/* secret_sum64 - the first 8 bytes of SHA-256 over two pieces, big-endian. For the chain of revisions. */
uint64_t secret_sum64(const void *a, size_t a_len, const void *b, size_t b_len);
/* secret_random - letters and digits from getrandom; for generated passwords and tokens. out gets n and a NUL. */
void secret_random(char *out, size_t n);

#endif
