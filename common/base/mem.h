/* mem.h - control-plane memory: zeroed, and the process ends when there is none (style.md 6).
 * The proxy's per-connection code does not use this: it takes NULL for an answer. */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stdlib.h>

void *mem_alloc(size_t n);
void *mem_grow(void *p, size_t n); /* realloc; new bytes are not zeroed */
char *mem_text(const char *s);	   /* copy, caller owns */

#define FREE(p)             \
	do {                \
		free(p);    \
		(p) = NULL; \
	} while (0)

#endif
