/* pieces.c - puts together what was sent in pieces. Pieces of one thing follow each other within their stream, so there is
 * one thing at a time; the bound is looked at before a piece is kept. */
#include "pieces.h"

#include <string.h>

int
pieces_add(struct pieces *j, unsigned number, const void *p, size_t len, bool more, size_t most,
    struct buf *whole_out)
{
	if ((j->number != 0 && j->number != number) || j->b.len > most || len > most - j->b.len)
		return -1;
	buf_put(&j->b, p, len);
	j->number = more ? number : 0;
	if (more)
		return 0;
	*whole_out = j->b;
	j->b = (struct buf){ 0 };
	return 1;
}

void
pieces_fini(struct pieces *j)
{
	if (j->b.p != NULL)
		explicit_bzero(j->b.p, j->b.len);
	buf_fini(&j->b);
	j->number = 0;
}
