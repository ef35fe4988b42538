/* give.h - this node's connections for the other one: read from the kernel, sent in pieces. */
#ifndef IPVS_REFILL_GIVE_H
#define IPVS_REFILL_GIVE_H

#include "conns/conns.h"
#include "refill/seen.h"

struct give {
	struct daemon *d;
	struct conns *conns;
	void (*send)(void *arg, const struct msg_conns_letter *m);
	void *arg;
	struct walk *walk; /* NULL: none under way */
	struct loop_timer again;
	uint32_t job;
	unsigned held, pass, flying;
	uint64_t sent; /* entries */
	struct seen seen;
	struct buf piece;
	size_t message; /* where the last one of the piece begins */
};
void give_init(struct give *g, struct daemon *d, struct conns *c,
    void (*send)(void *arg, const struct msg_conns_letter *m), void *arg);
void give_fini(struct give *g); /* fine on a zeroed one */
/* give_begin - LETTER_ASK; a job that was under way ends. give_taken - a piece arrived. give_stop - nobody wants the
 * rest; job 0: of whatever is under way. */
void give_begin(struct give *g, uint32_t job, unsigned held);
void give_taken(struct give *g, uint32_t job);
void give_stop(struct give *g, uint32_t job);

#endif
