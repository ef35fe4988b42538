/* exchange_priv.h - what exchange*.c share. */
#ifndef HA_EXCHANGE_PRIV_H
#define HA_EXCHANGE_PRIV_H

#include "exchange.h"
#include "trial.h"

#include "store/replica.h"

#define EXCHANGE_CHAIN_MOST \
	512		 /* revisions of a scope that are compared; further apart: the whole */
#define EXCHANGE_ALL 255 /* scope of PEER_ASK: all of them */
#define EXCHANGE_SCOPES 2

extern const enum scope exchange_scopes[EXCHANGE_SCOPES]; /* that travel */

struct exchange {
	struct daemon *d;
	struct ha_role *role;
	struct stick_mirror *stick;
	struct peer_channel *k; /* NULL: not one of a pair */
	unsigned node;
	bool up;
	uint32_t peer_n[SCOPES]; /* heads of the other, as far as known */
	uint64_t peer_hash[SCOPES];
	bool joining[SCOPES], forked[SCOPES];
	uint32_t common[SCOPES], until[SCOPES];
	bool warned;
	unsigned telling; /* revisions that are not in force in every daemon yet */
	uint64_t cluster;
	bool
	    foreign; /* what is here is to be replaced by the other node's, and nothing of it goes there */
	bool outgrown; /* this build knows what its elder skipped: the whole is asked for */
	bool fills;    /* it is on its way; good only while nothing is committed here: */
	uint64_t filled[SCOPES]; /* hashes of our heads when it was asked for */
	bool settles;		 /* its timer runs */
	struct loop_timer settle, pace;
	unsigned credit; /* batches that the mirror may still hand over */
	struct trial_clock *trial;
	bool trials;   /* the other takes part */
	int64_t due;   /* of the trial, as the other knows it; 0: none, or not known */
	bool asks;     /* it is asked whether the trial may stay */
	uint32_t keep; /* that revision */
	struct bus_request asked;
	struct loop_timer watch, patience;
};

/* exchange.c: the state. */
struct store *exchange_store(const struct exchange *x);
bool exchange_orders(const struct exchange *x); /* whether this node's values stand */
/* exchange_head - n 0 and hash 0: none. */
void exchange_head(const struct exchange *x, enum scope scope, uint32_t *n, uint64_t *hash);
bool exchange_in_step(const struct exchange *x);
void exchange_look_whole(struct exchange *x);
void exchange_settle(
    struct exchange *x); /* a little later: are the heads equal? if not, from the chain */
void exchange_tell_heads(struct exchange *x);

/* exchange_send.c */
int exchange_secrets(const struct exchange *x, bool write, struct secrets **out); /* logs */
void exchange_send_whole(struct exchange *x);
/* exchange_send_above - revisions above n; what is not kept as one any more goes as a whole. */
void exchange_send_above(struct exchange *x, enum scope scope, uint32_t n);
void exchange_send_chain(struct exchange *x);
int exchange_send_conflict(void *arg, const struct conflict *c); /* a conflict_fn */
void exchange_send_faces(struct exchange *x);

/* exchange_join.c */
void exchange_on_chain(struct exchange *x, const uint8_t *p, size_t len);
void exchange_join_one(struct exchange *x, const struct replica_revision *r);

/* exchange_take.c */
void exchange_announce(struct exchange *x, struct commit_result *r); /* r is ended */
void exchange_ask_again(struct exchange *x);
void exchange_on_revision(struct exchange *x, const uint8_t *p, size_t len);
void exchange_on_rewind(struct exchange *x, const struct msg_peer_ask *m);
void exchange_on_dump(struct exchange *x, const uint8_t *p, size_t len);
void exchange_on_secret(struct exchange *x, const uint8_t *p, size_t len);
void exchange_on_conflict(struct exchange *x, const uint8_t *p, size_t len);

/* exchange_persist.c */
void exchange_persist_init(struct exchange *x);
void exchange_persist_pair(struct exchange *x, const struct cluster *c);
void exchange_persist_up(struct exchange *x);
void exchange_persist_down(struct exchange *x);
void exchange_on_batch(struct exchange *x, const uint8_t *p, size_t len);

/* exchange_trial.c */
void exchange_trial_init(struct exchange *x);
void exchange_trial_fini(struct exchange *x);
void exchange_trial_up(struct exchange *x, bool up);
void exchange_trial_look(struct exchange *x); /* something was committed */
void exchange_on_trial(struct exchange *x, const struct msg_peer_trial *m);
/* exchange_trial_give_way - a trial of SHARED is undone, because the other's history does not go on from it. false: none
 * waited. */
bool exchange_trial_give_way(struct exchange *x);

#endif
