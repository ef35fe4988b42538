/* Objects of one size in blocks.
 *
 * A block is aligned to its size, so an object's address tells its block. Its objects are handed out in order first, so that no page is
 * touched before it is needed; those that came back are in a list through their own bytes. One empty block is kept, so that a
 * single object that comes and goes costs no system call. Under AddressSanitizer each object is malloc's: it then sees who uses
 * one that is gone. */
#include "slab.h"

#include "must.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define EACH_ALONE true
#else
#define EACH_ALONE false
#endif

struct block {
	struct list link; /* not in the list: full */
	unsigned used;
	uint32_t fresh; /* offset of what was never handed out */
	void *back;	/* came back; each points to the next */
};

void
slab_init(struct slab *s, size_t size)
{
	*s = (struct slab){ .size = (size + 15) & ~(size_t)15 };
	must(size > 0 && s->size <= SLAB_BLOCK / 8);
	list_init(&s->some);
}

/* Twice the space is asked for, and what is not aligned given back. */
static struct block *
block_new(struct slab *s)
{
	uint8_t *p = mmap(NULL, 2 * (size_t)SLAB_BLOCK, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t before;
	struct block *b;

	if (p == MAP_FAILED)
		return NULL;
	before = (SLAB_BLOCK - (uintptr_t)p % SLAB_BLOCK) % SLAB_BLOCK;
	if (before > 0)
		(void)munmap(p, before);
	(void)munmap(p + before + SLAB_BLOCK, SLAB_BLOCK - before);
	b = (struct block *)(void *)(p + before);
	b->fresh = (sizeof(*b) + 15) & ~15U;
	list_push(&s->some, &b->link);
	s->blocks++;
	return b;
}

static void
block_free(struct slab *s, struct block *b)
{
	list_del(&b->link);
	s->blocks--;
	(void)munmap(b, SLAB_BLOCK);
}

void
slab_fini(struct slab *s)
{
	struct list *it, *next;

	list_each_safe(it, next, &s->some)
	{
		struct block *b = container_of(it, struct block, link);

		if (b->used == 0)
			block_free(s, b);
	}
}

void *
slab_get(struct slab *s)
{
	struct block *b;
	void *p;

	if (EACH_ALONE)
		return calloc(1, s->size);
	b = list_empty(&s->some) ? block_new(s) : container_of(s->some.next, struct block, link);
	if (b == NULL)
		return NULL;
	p = b->back;
	if (p != NULL) {
		memcpy(&b->back, p, sizeof(b->back));
		memset(p, 0, s->size);
	} else {
		p = (uint8_t *)b + b->fresh;
		b->fresh += (uint32_t)s->size;
	}
	b->used++;
	if (b->back == NULL && b->fresh + s->size > SLAB_BLOCK)
		list_del(&b->link);
	return p;
}

void
slab_put(struct slab *s, void *p)
{
	struct block *b = (struct block *)((uintptr_t)p & ~(uintptr_t)(SLAB_BLOCK - 1));

	if (EACH_ALONE) {
		free(p);
		return;
	}
	if (p == NULL)
		return;
	memcpy(p, &b->back, sizeof(b->back));
	b->back = p;
	if (list_empty(&b->link)) /* it was full */
		list_push_front(&s->some, &b->link);
	if (--b->used > 0)
		return;
	list_del(&b->link); /* empty ones are taken last */
	list_push(&s->some, &b->link);
	if (s->some.next != &b->link)
		block_free(s, b);
}
