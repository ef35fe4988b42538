/* session_priv.h - shared by session.c (events, connection, end) and session_do.c (what the rows of pair.c ask for). */
#ifndef HA_SESSION_PRIV_H
#define HA_SESSION_PRIV_H

#include "pieces.h"
#include "session.h"

#define SESSION_MAGIC 0x5e5510a1
#define PAIR_VERSION 1

struct session {
	uint32_t magic;
	struct loop *loop;
	struct session_self self;
	struct session_ops ops;
	enum pair_side side;
	enum pair_state at;
	struct tls_channel *t;
	struct loop_timer timer;
	struct addr where; /* of the other node, and of who asks the port it was told */
	uint16_t port;
	bool yes, freed, over;
	int no_socket; /* why there is no connection at all; 0 */
	uint8_t key[TLS_CODE_KEY];
	struct cluster cluster;
	struct buf cert;
	struct pieces dump;
	struct msg_pair_offer peer; /* numbers only */
};

/* session.c */
void session_step(struct session *s, const char *word, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void session_event(struct session *s, enum pair_event ev, const union msg_any *m);
void session_end(struct session *s, int code, const char *text);
/* session_end_left - with the reason and what is left on this node. A pair that counts on both is no failure. */
void session_end_left(struct session *s, enum pair_left left, int code, const char *why);
/* session_fail - ends in a state. tell: the other node is there to be told. */
void session_fail(struct session *s, enum pair_state was, int code, const char *why, bool tell);
void session_fail_err(struct session *s, enum pair_state was, const struct err *err);
/* session_do.c: was is the state in which the event came; s->at is the next one already */
void session_act(
    struct session *s, enum pair_action action, enum pair_state was, const union msg_any *m);

#endif
