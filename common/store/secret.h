/* secret.h - the second file: what must never be read by a data-plane daemon, shown, logged or exported.
 * The configuration names a secret by number. A secret is written first, then the configuration that names it
 * is committed; numbers that nobody names are collected later. Owns crypt(3) and SHA-256. */
#ifndef STORE_SECRET_H
#define STORE_SECRET_H

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
/* secret_random - letters and digits from getrandom; for generated passwords and tokens. out gets n and a NUL. */
void secret_random(char *out, size_t n);

#endif
