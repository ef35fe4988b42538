/* take.h - the other node's connections into this kernel, through the kernel's own receiver of the connection sync. */
#ifndef IPVS_REFILL_TAKE_H
#define IPVS_REFILL_TAKE_H

#include "plan/table.h"

#include "base/buf.h"
#include "base/err.h"
#include "msg/conns_letter.h"
#include "sys/loop.h"

struct take_ops {
	void (*taken)(void *arg, uint32_t job, unsigned entries); /* a piece is in the kernel */
	void (*here)(void *arg, uint32_t job, uint64_t entries);  /* and everything that came */
	void (*failed)(void *arg, uint32_t job, const char *why);
	void *arg;
};
struct take_piece {
	struct buf b;
	size_t at; /* of the first message that was not sent yet */
	unsigned entries;
};
struct take {
	struct take_ops ops;
	struct loop_timer timer;
	uint32_t job;
	bool ended; /* no more pieces come */
	struct take_piece piece[CONNS_FLYING + 1];
	unsigned n;
	uint64_t entries;
	struct ipvs_sync receiver;
	int fd;
	unsigned burst; /* messages at once */
	size_t from;	/* where the last burst began */
	bool looking;	/* it was sent, and is not read yet */
	uint64_t drops; /* before it */
	mono_t sent_at;
};
void take_init(struct take *t, struct loop *l, const struct take_ops *ops);
void take_fini(struct take *t); /* fine on a zeroed one */
/* take_piece - LETTER_GIVE, copied; another job than before begins anew. take_end - LETTER_END. */
void take_piece(struct take *t, uint32_t job, const void *p, size_t len);
void take_end(struct take *t, uint32_t job);
void take_stop(struct take *t); /* what waits is forgotten; nothing is told */

#endif
