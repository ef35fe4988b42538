/* ring.h - lines on their way from one thread that writes to one that reads, without a lock. Bounded: who finds it full
 * drops the line. A line stands in one piece. */
#ifndef LBD_PROXY_RING_H
#define LBD_PROXY_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ring {
	size_t size;
	/* NULL: not made yet. The writer makes it, and the reader looks (ring_empty): whoever sees it sees what was set before. */
	_Atomic(uint8_t *) b;
	_Atomic size_t head; /* of the writer; both only rise */
	_Atomic size_t tail; /* of the reader */
};
struct ring_line {
	const char *p;
	uint32_t n;
	int64_t ms; /* wall clock */
};

/* Of a zeroed one, by the writer; the reader may be looking. size is a power of two. -ENOMEM. */
int ring_init(struct ring *r, size_t size);
void ring_fini(struct ring *r);

/* Writer: whether it was made. */
static inline bool
ring_made(const struct ring *r)
{
	return atomic_load_explicit(&r->b, memory_order_relaxed) != NULL;
}
/* Writer: room for a line of up to most bytes, or NULL: full. ring_commit makes n of them a line. */
char *ring_reserve(struct ring *r, size_t most);
void ring_commit(struct ring *r, size_t n, int64_t ms);
bool ring_half(const struct ring *r); /* more than half full */

/* Reader: the line at *at, which begins as ring_tail and moves behind it; false: no more. ring_release gives all before at
 * back. */
static inline size_t
ring_tail(const struct ring *r)
{
	return atomic_load_explicit(&r->tail, memory_order_relaxed);
}
bool ring_next(const struct ring *r, size_t *at, struct ring_line *out);
void ring_release(struct ring *r, size_t at);
bool ring_empty(const struct ring *r);

#endif
