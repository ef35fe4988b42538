/* fifo.h - lines for whoever reads a named pipe: in order, bounded, what is lost is counted. */
#ifndef HA_FIFO_H
#define HA_FIFO_H

#include "sys/loop.h"

#include <stddef.h>

struct fifo;
/* fifo_new - the pipe at path is made, or that of an earlier process goes on with what nobody has read. What else lies
 * there stays, and nobody is told anything (logged). */
struct fifo *fifo_new(struct loop *l, const char *path);
void fifo_free(struct fifo *f); /* the pipe stays; NULL is fine */
/* fifo_put - a line with its end. Never waits. */
void fifo_put(struct fifo *f, const char *line, size_t len);

#endif
