/* pool_names.h - names of pools that stand in maps: what a rule chooses a pool by (pool_by with {value}) is behind entries that
 * are with lbd-proxy, so whoever commits asks it for them, and a commit that would leave a name without its pool is refused. */
#ifndef STORE_POOL_NAMES_H
#define STORE_POOL_NAMES_H

#include "base/buf.h"
#include "base/err.h"
#include "store/snapshot.h"

/* What is behind the entries of a list, by its content: for each value that there is a pair "KEY\0VALUE\0" into out, the key that
 * of any entry with it; a value may be empty, and is cut behind POOL_NAME_MOST bytes. Not 0: it is not known, and who was asked
 * has said so; then its names are not checked. */
#define POOL_NAME_MOST 64 /* one more than a name can have */
typedef int (*map_values_fn)(void *arg, const char *list, const char *content, struct buf *out);

/* pool_names_check - of what changed between base and s: rules that choose by a map, entries of their lists, and pools. 0, or
 * ERR_INVALID with the rule, the list, the key and the name. fn is called for what has to be known alone, once for each content. */
int pool_names_check(const struct snapshot *base, const struct snapshot *s, map_values_fn fn,
    void *arg, struct err *err);

#endif
