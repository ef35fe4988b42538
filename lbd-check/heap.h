/* heap.h - what comes next in time: a heap of instants, four children to a node. Each item knows its slot, so it
 * can be moved or taken out. 16 bytes an item; no timer of the loop is spent on it. */
#ifndef CHECK_HEAP_H
#define CHECK_HEAP_H

#include "base/mono.h"

#include <stdbool.h>

#define HEAP_NONE UINT32_MAX /* slot of an item that is in no heap */

struct heap_row {
	mono_t at;
	uint32_t *slot; /* the item's member that holds its place; borrowed */
};
struct heap {
	struct heap_row *rows; /* { 0 } is empty */
	uint32_t n, room;
};

void heap_fini(struct heap *h);
/* heap_put - add the item whose slot this is, or move it. */
void heap_put(struct heap *h, uint32_t *slot, mono_t at);
void heap_del(struct heap *h, uint32_t *slot); /* fine when it is not in */
/* heap_top - the earliest; NULL when empty. Valid until the next change. */
const struct heap_row *heap_top(const struct heap *h);

#endif
