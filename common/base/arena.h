/* arena.h - everything in an arena is freed together, when the last reference goes.
 * References are counted atomically: lbd-proxy's workers hold snapshots. Allocation is for one thread. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

struct arena;
struct arena *arena_new(size_t chunk_bytes);
struct arena *arena_ref(struct arena *a);
void arena_unref(struct arena *a);			      /* NULL is fine */
void *arena_alloc(struct arena *a, size_t n);		      /* zeroed, 8-aligned */
char *arena_text(struct arena *a, const char *s, size_t len); /* copied, ends with NUL */
size_t arena_bytes(const struct arena *a);		      /* taken from the system */

#endif
