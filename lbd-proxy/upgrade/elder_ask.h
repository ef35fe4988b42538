/* elder_ask.h - what lists and kills connections asks processes before this one too (new), and how they answer (old). Control
 * thread. */
#ifndef ELDER_ASK_H
#define ELDER_ASK_H

#include "msg/msg.h"

struct control;
struct give;

/* elders_ask - a question of one or all (pid 0) of them: CONNS or CONNS_KILL with its payload. row is called with each CONN, then
 * end once, with how many were reset; with an elder that does not answer within a second, or ends, end comes without it.
 * Never from within. False: there is none to ask, and nothing is called. */
struct elder_ask_ops {
	void (*row)(void *arg, const struct msg_conn *m); /* may be NULL */
	void (*end)(void *arg, uint32_t killed);
};
bool elders_ask(struct control *k, unsigned number, const void *payload, int pid,
    const struct elder_ask_ops *ops, void *arg);
/* elders_answered - a PARCEL_ROWS or PARCEL_DONE of that elder; elders_lost - it has ended. */
void elders_answered(int pid, const uint8_t *p, size_t n);
void elders_lost(int pid);
/* elders_ask_fini - this process ends: nobody is called any more. */
void elders_ask_fini(void);

/* give_asked - a PARCEL_ASK. give_answer - as much of the answers as the other side takes: 0 or -errno. */
void give_asked(struct give *g, const uint8_t *p, size_t n);
int give_answer(struct give *g);

#endif
