/* h2_carry.h - a connection to a server that carries streams, for h2_back.c. */
#ifndef H2_CARRY_H
#define H2_CARRY_H

#include "base/list.h"
#include "base/mono.h"

#include <stdbool.h>
#include <stdint.h>

#define H2_BACK_MAGIC 0x48324bac

struct conn;
struct conn_ops;
struct h2_session;

struct h2_back {
	uint32_t magic;
	struct conn *c; /* NULL: the socket has gone */
	struct h2_session *h;
	struct list link; /* of the worker */
	unsigned owned;	  /* streams that somebody has */
	uint32_t unsent, served;
	mono_t heard; /* when bytes came */
	bool turning; /* what streams write is sent at the end of it */
	bool more;    /* and they wrote after that */
	bool begun;   /* the preface was sent */
	bool up;      /* the server's SETTINGS came */
	bool failed;  /* what it sent cannot be followed */
	bool going;   /* it takes no more streams */
	bool alone;   /* nor, ever, a second one */
	bool pinged;
	bool pooled;   /* counted as such */
	uint8_t waits; /* enum waits: what the timer is for */
};

/* Of its socket: c->task is the struct h2_back. */
extern const struct conn_ops h2_carry_ops;

/* h2_carry_join - somebody has one stream more; h2_carry_part - one less, x may be gone then. */
void h2_carry_join(struct h2_back *x);
void h2_carry_part(struct h2_back *x);
/* h2_carry_tunnels - it takes extended CONNECT, or its SETTINGS are still to say so; that it does not is noted of the server. */
bool h2_carry_tunnels(struct h2_back *x);
/* h2_carry_leave - no more streams; without any it is closed. h2_carry_break - it is closed at once, and its streams are lost.
 * x may be gone then. */
void h2_carry_leave(struct h2_back *x);
void h2_carry_break(struct h2_back *x);

#endif
