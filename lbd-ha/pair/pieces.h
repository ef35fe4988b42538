/* pieces.h - long things from the pieces in which they came. Pure. */
#ifndef HA_PIECES_H
#define HA_PIECES_H

#include "base/buf.h"

struct pieces {
	struct buf b;
	unsigned number; /* of the message whose pieces come; 0 none */
};
/* pieces_add - the next piece. more: another one follows.
 *
 * Returns: 1 it is whole, in whole_out (given away: buf_fini); 0 not yet; -1 a piece of something else came between, or
 *          it is longer than most. */
int pieces_add(struct pieces *j, unsigned number, const void *p, size_t len, bool more, size_t most,
    struct buf *whole_out);
void pieces_fini(struct pieces *j); /* what was begun is forgotten */

#endif
