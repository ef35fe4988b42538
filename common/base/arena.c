/* Arenas: chunks in a list, a mark in the first. There is no free of one piece, so no code for it can drift. */
#include "base/arena.h"
#include "base/mem.h"
#include "base/must.h"

#include <stdatomic.h>
#include <string.h>

struct chunk {
	struct chunk *next;
	size_t used, size;
	char data[] __attribute__((aligned(8)));
};

struct arena {
	struct chunk *head;
	size_t chunk, bytes;
	atomic_uint refs;
};

struct arena *
arena_new(size_t chunk_bytes)
{
	struct arena *a = mem_alloc(sizeof(*a));

	a->chunk = chunk_bytes;
	atomic_init(&a->refs, 1);
	return a;
}

struct arena *
arena_ref(struct arena *a)
{
	(void)atomic_fetch_add_explicit(&a->refs, 1, memory_order_relaxed);
	return a;
}

void
arena_unref(struct arena *a)
{
	struct chunk *c, *next;

	if (a == NULL || atomic_fetch_sub_explicit(&a->refs, 1, memory_order_acq_rel) > 1)
		return;
	for (c = a->head; c != NULL; c = next) {
		next = c->next;
		free(c);
	}
	free(a);
}

static void *
take(struct arena *a, size_t n, size_t align)
{
	struct chunk *c = a->head;
	size_t at = c != NULL ? (c->used + align - 1) & ~(align - 1) : 0;

	if (c == NULL || at > c->size || c->size - at < n) {
		size_t size = n > a->chunk ? n : a->chunk;

		c = mem_grow(NULL, sizeof(*c) + size);
		*c = (struct chunk){ .next = a->head, .size = size };
		a->head = c;
		a->bytes += sizeof(*c) + size;
		at = 0;
	}
	c->used = at + n;
	return c->data + at;
}

void *
arena_alloc(struct arena *a, size_t n)
{
	return memset(take(a, n, 8), 0, n);
}

char *
arena_text(struct arena *a, const char *s, size_t len)
{
	char *p = take(a, len + 1, 1);

	if (len > 0)
		memcpy(p, s, len);
	p[len] = '\0';
	return p;
}

size_t
arena_bytes(const struct arena *a)
{
	return a->bytes;
}
