/* h2_bytes.h - bytes that wait: added behind, taken from the front. Zeroed memory is empty. */
#ifndef H2_BYTES_H
#define H2_BYTES_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct h2_bytes {
	uint8_t *b;
	uint32_t off, len, room; /* len: end of the bytes */
};

static inline size_t
h2_bytes_n(const struct h2_bytes *q)
{
	return q->len - q->off;
}

static inline void
h2_bytes_fini(struct h2_bytes *q)
{
	free(q->b);
	*q = (struct h2_bytes){ 0 };
}

/* h2_bytes_put - -ENOMEM: none of them. */
static inline int
h2_bytes_put(struct h2_bytes *q, const void *p, size_t n)
{
	size_t have = h2_bytes_n(q);
	uint8_t *more;

	if (n == 0)
		return 0;
	if (q->off > 0 && q->room - q->len < n) {
		memmove(q->b, q->b + q->off, have);
		q->off = 0;
		q->len = (uint32_t)have;
	}
	if (q->room - q->len < n) {
		size_t room = have + n + have / 2;

		if (room > UINT32_MAX || (more = realloc(q->b, room)) == NULL)
			return -ENOMEM;
		q->b = more;
		q->room = (uint32_t)room;
	}
	memcpy(q->b + q->len, p, n);
	q->len += (uint32_t)n;
	return 0;
}

/* h2_bytes_skip - n of them are done with; the memory goes with the last. */
static inline void
h2_bytes_skip(struct h2_bytes *q, size_t n)
{
	q->off += (uint32_t)n;
	if (q->off == q->len)
		h2_bytes_fini(q);
}

static inline size_t
h2_bytes_take(struct h2_bytes *q, void *p, size_t room)
{
	size_t n = h2_bytes_n(q) < room ? h2_bytes_n(q) : room;

	if (n == 0)
		return 0;
	memcpy(p, q->b + q->off, n);
	h2_bytes_skip(q, n);
	return n;
}

#endif
