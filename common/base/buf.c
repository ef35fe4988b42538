/* Growing writer and bounded reader; big-endian on every wire of ours. */
#include "base/buf.h"
#include "base/mem.h"
#include "base/must.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void
room(struct buf *b, size_t n)
{
	size_t cap = b->cap;

	if (cap - b->len >= n)
		return;
	must(n < SIZE_MAX / 4 && cap < SIZE_MAX / 4);
	cap = cap * 2 > b->len + n ? cap * 2 : b->len + n + 64;
	b->p = mem_grow(b->p, cap);
	b->cap = cap;
}

void
buf_fini(struct buf *b)
{
	free(b->p);
	*b = (struct buf){ 0 };
}

void
buf_put(struct buf *b, const void *p, size_t n)
{
	room(b, n);
	if (n > 0)
		memcpy(b->p + b->len, p, n);
	b->len += n;
}

void
buf_puts(struct buf *b, const char *s)
{
	buf_put(b, s, strlen(s));
}

void
buf_put_be(struct buf *b, uint64_t v, unsigned bytes)
{
	room(b, bytes);
	b->len += bytes;
	buf_patch_be(b, b->len - bytes, v, bytes);
}

void
buf_patch_be(struct buf *b, size_t at, uint64_t v, unsigned bytes)
{
	must(bytes <= 8 && at <= b->len && b->len - at >= bytes);
	for (unsigned i = 0; i < bytes; i++)
		b->p[at + i] = (uint8_t)(v >> (8 * (bytes - 1 - i)));
}

void
buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	must(n >= 0);
	room(b, (size_t)n + 1);
	va_start(ap, fmt);
	(void)vsnprintf((char *)b->p + b->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t)n;
}

const char *
buf_text(struct buf *b)
{
	room(b, 1);
	b->p[b->len] = '\0';
	return (const char *)b->p;
}

const void *
rd_bytes(struct rd *r, size_t n)
{
	const uint8_t *p = r->p;

	if (r->bad || n > r->left) {
		r->bad = true;
		return NULL;
	}
	if (n > 0)
		r->p = p + n;
	r->left -= n;
	return p;
}

uint64_t
rd_be(struct rd *r, unsigned bytes)
{
	const uint8_t *p = rd_bytes(r, bytes);
	uint64_t v = 0;

	for (unsigned i = 0; p != NULL && i < bytes; i++)
		v = v << 8 | p[i];
	return v;
}

struct rd
rd_sub(struct rd *r, size_t n)
{
	const uint8_t *p = rd_bytes(r, n);

	return (struct rd){ .p = p, .left = r->bad ? 0 : n, .bad = r->bad };
}
