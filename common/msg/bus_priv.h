/* bus_priv.h - what the files of the bus share: peers, their rights, and answers under way. */
#ifndef MSG_BUS_PRIV_H
#define MSG_BUS_PRIV_H

#include "base/list.h"
#include "msg/bus.h"
#include "msg/wire_priv.h"

#define BUS_MAGIC 0x000b05b0
#define PEER_MAGIC 0x0009ee40
#define BUS_SLOTS (BUS_PEERS + BUS_PEERS_ROOT)

/* bus_rights.c: what a peer may do, by its user and by what it says it is. */
struct rights {
	unsigned program; /* PROG_ bit */
	bool anyone;	  /* root, or our own user */
	bool daemon;	  /* it is that daemon */
	bool oper;	  /* member of lbd-admin */
};
/* rights_find - ERR_DENIED: it may not speak for that program. ERR_PROTO: there is no such
 * program. */
int rights_find(
    unsigned uid, unsigned gid, const char *program, struct rights *out, struct err *err);
int rights_check(
    const struct rights *r, const struct msg_row *row, struct err *err); /* ERR_DENIED */

struct answer {
	struct list link; /* of bus_peer.answers */
	struct bus_request rq;
	uint32_t credit, rows;
	bool unlimited;	 /* snapshot of a subscription */
	struct buf held; /* packets without credit */
	unsigned held_n;
	bool ended, stepping;
	int code;
	char *text;
	bool (*step)(void *state, const struct bus_request *rq);
	void (*fini)(void *state);
	void *state;
	uint64_t round; /* of bus.round in which the step was asked last */
};

/* A slot: used again and again, freed with the bus only. So a request that was kept never points
 * nowhere. */
struct bus_peer {
	uint32_t magic;
	struct bus *bus;
	struct wire w;
	bool used, known;	   /* known: HELLO was taken */
	bool moving;		   /* leave_by: because another process answers now */
	uint64_t life;		   /* of this use of the slot */
	mono_t hello_by, leave_by; /* 0: none */
	unsigned uid, gid;
	struct rights rights;
	unsigned topics;
	size_t snapshot; /* bytes of a snapshot that may wait beside BUS_BACKLOG */
	struct list answers;
	unsigned answers_n;
};

struct bus {
	uint32_t magic;
	struct loop *loop;
	const struct bus_ops *ops;
	unsigned program;
	char path[280];
	struct loop_fd listener;
	bool resting;	/* no descriptor was left for accept */
	bool elsewhere; /* another process serves the path */
	struct loop_timer tick;
	bool pumping, closed; /* pumping: the deferred call is under way */
	uint64_t lives, round;
	struct bus_stats stats;
	struct bus_peer *slots[BUS_SLOTS];
};

/* bus_answer.c */
struct answer *answer_find(struct bus_peer *p, uint32_t seq);
struct answer *answer_new(const struct bus_request *rq);
void answer_credit(struct answer *a, uint32_t rows);
void answers_drop(struct bus_peer *p);	    /* the peer left */
void bus_check_backlog(struct bus_peer *p); /* cuts off a peer that does not read */
void bus_send_result(struct bus_peer *p, uint32_t seq, int code, const char *text, uint32_t rows);

#endif
