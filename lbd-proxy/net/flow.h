/* flow.h - bytes from one connection to another, a turn at a time: up to 64 KB are read and sent; when more is there
 * than that, the kernel moves them through a pipe, 256 KB a turn, and the others have theirs before the next. */
#ifndef LBD_PROXY_FLOW_H
#define LBD_PROXY_FLOW_H

#include "conn.h"

#define FLOW_COPY (64 * 1024)
#define FLOW_PIPE (256 * 1024)

struct flow {
	struct conn *from, *to;
	uint64_t left;	  /* still to be read; FLOW_ENDLESS: until the end of the stream */
	int pipe[2];	  /* -1: none */
	uint32_t in_pipe; /* read, and not sent yet */
	bool ends;	  /* after left bytes nothing more is sent; endless ones always do */
	bool bulk;	  /* more was there than one read takes */
	bool moved;	  /* anything, in the last turn */
};
#define FLOW_ENDLESS UINT64_MAX

enum flow_result {
	FLOW_DONE,  /* left bytes were read, and sent or kept */
	FLOW_EMPTY, /* an edge of from will tell */
	FLOW_FULL,  /* an edge of to will tell */
	FLOW_TURN,  /* more is there: go on after the others */
	FLOW_END, /* from has ended before left bytes came (or at all, when endless) and all of it was sent or kept */
	FLOW_FROM, /* from is broken */
	FLOW_TO,   /* to is broken */
};
void flow_init(struct flow *f, struct conn *from, struct conn *to, uint64_t left);
enum flow_result flow_run(struct flow *f);
/* flow_fini - the pipe goes back; bytes in it are lost. Fine twice. */
void flow_drop_pipe(struct flow *f);
static inline void
flow_fini(struct flow *f)
{
	if (f->pipe[0] != -1)
		flow_drop_pipe(f);
}

#endif
