/* queue.h - who waits for a place at a server, in one worker: by rising priority, those of one in the order in which they came. */
#ifndef LBD_PROXY_QUEUE_H
#define LBD_PROXY_QUEUE_H

#include "backend.h"

/* queue_join - at its place in svc->waiting. queue_quit - out of it. */
void queue_join(struct seat *s);
void queue_quit(struct seat *s);
/* queue_next - of the workers in mask (a bit each, not 0) the one that is woken after the last: among those whose first in the
 * queue goes before the others'. */
unsigned queue_next(struct svc *s, uint64_t mask);

#endif
