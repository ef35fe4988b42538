/* slab.h - objects of one size that live long among many that do not: they lie in blocks of their own, so that what is freed
 * around them goes back to the system as a whole, and a block goes back when its last object does. For one thread. */
#ifndef BASE_SLAB_H
#define BASE_SLAB_H

#include "list.h"

#define SLAB_BLOCK (64 * 1024) /* bytes */

struct slab {
	size_t size;	  /* of an object; at most an eighth of a block */
	struct list some; /* blocks that have room */
	unsigned blocks;
};
void slab_init(struct slab *s, size_t size);
void slab_fini(struct slab *s); /* objects that were not put back stay */

void *slab_get(struct slab *s);		/* zeroed, 16-aligned. NULL: no memory */
void slab_put(struct slab *s, void *p); /* of this slab; NULL is fine */

#endif
