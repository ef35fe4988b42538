/* A ring of lines for one writer and one reader.
 *
 * Each line has a head of 16 bytes and begins at a multiple of 16. Where the rest of the ring is too short for the longest
 * line that may come, a head without a line says so, and the line stands at the ring's beginning. */
#include "ring.h"

#include "base/must.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define UNIT 16
#define SKIP UINT32_MAX

struct head {
	uint32_t n, unused;
	int64_t ms;
};
_Static_assert(sizeof(struct head) == UNIT, "a head is one unit");

/* Of one that is known to be made: by its writer, or by a reader who found it not empty. */
static uint8_t *
bytes(const struct ring *r)
{
	return atomic_load_explicit(&r->b, memory_order_relaxed);
}

int
ring_init(struct ring *r, size_t size)
{
	uint8_t *b;

	must(size >= UNIT && (size & (size - 1)) == 0);
	b = aligned_alloc(UNIT, size);
	if (b == NULL)
		return -ENOMEM;
	r->size = size;
	atomic_store_explicit(&r->b, b, memory_order_release); /* head and tail are 0 */
	return 0;
}

void
ring_fini(struct ring *r)
{
	free(bytes(r));
	atomic_store_explicit(&r->b, NULL, memory_order_relaxed);
	atomic_store_explicit(&r->head, 0, memory_order_relaxed);
	atomic_store_explicit(&r->tail, 0, memory_order_relaxed);
}

static size_t
whole(size_t n)
{
	return (n + UNIT + UNIT - 1) & ~(size_t)(UNIT - 1);
}

char *
ring_reserve(struct ring *r, size_t most)
{
	size_t head = atomic_load_explicit(&r->head, memory_order_relaxed),
	       used = head - atomic_load_explicit(&r->tail, memory_order_acquire),
	       at = head & (r->size - 1), rest = r->size - at, need = whole(most);
	const struct head skip = { .n = SKIP };

	if (need > rest) {
		if (used + rest + need > r->size)
			return NULL;
		memcpy(bytes(r) + at, &skip, sizeof(skip));
		atomic_store_explicit(&r->head, head + rest, memory_order_release);
		return (char *)bytes(r) + UNIT;
	}
	return used + need > r->size ? NULL : (char *)bytes(r) + at + UNIT;
}

void
ring_commit(struct ring *r, size_t n, int64_t ms)
{
	size_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
	const struct head h = { .n = (uint32_t)n, .ms = ms };

	memcpy(bytes(r) + (head & (r->size - 1)), &h, sizeof(h));
	atomic_store_explicit(&r->head, head + whole(n), memory_order_release);
}

bool
ring_half(const struct ring *r)
{
	return atomic_load_explicit(&r->head, memory_order_relaxed) -
		   atomic_load_explicit(&r->tail, memory_order_relaxed) >
	       r->size / 2;
}

bool
ring_next(const struct ring *r, size_t *at, struct ring_line *out)
{
	size_t head = atomic_load_explicit(&r->head, memory_order_acquire), here;
	struct head h;

	while (*at != head) {
		here = *at & (r->size - 1);
		memcpy(&h, bytes(r) + here, sizeof(h));
		if (h.n == SKIP) {
			*at += r->size - here;
			continue;
		}
		*out = (struct ring_line){ (const char *)bytes(r) + here + UNIT, h.n, h.ms };
		*at += whole(h.n);
		return true;
	}
	return false;
}

void
ring_release(struct ring *r, size_t at)
{
	atomic_store_explicit(&r->tail, at, memory_order_release);
}

bool
ring_empty(const struct ring *r)
{
	return atomic_load_explicit(&r->b, memory_order_acquire) == NULL ||
	       atomic_load_explicit(&r->head, memory_order_acquire) ==
		   atomic_load_explicit(&r->tail, memory_order_relaxed);
}
