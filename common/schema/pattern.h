/* pattern.h - regular expressions (PCRE2), read here for the check of a commit and for lbd-proxy alike. Bytes, not characters:
 * what is compared came from a client. A pattern never changes and may be used by any thread; what a match needs is
 * the thread's own. */
#ifndef SCHEMA_PATTERN_H
#define SCHEMA_PATTERN_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

#define PATTERN_GROUPS 10    /* the whole and {1} to {9} */
#define PATTERN_STEPS 100000 /* of one match; more is no match */

struct pattern;
struct pattern_match;

/* pattern_new - fast: compiled to machine code too, where the system lets it be. NULL with a reason that names the offset;
 * err may be NULL. */
struct pattern *pattern_new(const char *text, size_t len, bool fast, struct err *err);
void pattern_free(struct pattern *p);		  /* NULL is fine */
unsigned pattern_groups(const struct pattern *p); /* how many (...) it has */

/* What one thread needs for matching. NULL: no memory. */
struct pattern_match *pattern_match_new(void);
void pattern_match_free(struct pattern_match *m); /* NULL is fine */
/* pattern_find - the first place in len bytes at s, from byte from on. False: none, or it took too many steps. */
bool pattern_find(
    const struct pattern *p, struct pattern_match *m, const char *s, size_t len, size_t from);
/* pattern_group - where group i of the last match was; false: it took no part. */
bool pattern_group(const struct pattern_match *m, unsigned i, size_t *off_out, size_t *len_out);

#endif
