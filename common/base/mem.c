/* Memory that either is there or ends the process, and the last words of must(). */
#include "base/mem.h"
#include "base/must.h"

#include <stdio.h>
#include <string.h>

void
must_fail(const char *cond, const char *file, int line)
{
	(void)fprintf(stderr, "%s:%d: must(%s)\n", file, line, cond);
	abort();
}

void *
mem_alloc(size_t n)
{
	void *p = calloc(1, n > 0 ? n : 1);

	must(p != NULL);
	return p;
}

void *
mem_grow(void *p, size_t n)
{
	p = realloc(p, n > 0 ? n : 1);
	must(p != NULL);
	return p;
}

char *
mem_text(const char *s)
{
	size_t n = strlen(s) + 1;

	return memcpy(mem_grow(NULL, n), s, n);
}
