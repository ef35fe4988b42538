/* h2_front.h - a client's connection that carries streams: what is the same by TCP (h2.c) and by QUIC (h3/h3.c). */
#ifndef H2_FRONT_H
#define H2_FRONT_H

#include "base/mono.h"

#include <stdbool.h>
#include <stdint.h>

#define H2_MAGIC 0x48325e55
#define LAST_CALL \
	DUR_S(1) /* for requests that were on their way when the client was asked to go elsewhere */

struct conn;
struct h2_session;
enum waits { WAITS_NOT, WAITS_HEAD, WAITS_IDLE, WAITS_SEND, WAITS_LAST };

/* c->task points to it, also when it lies in something larger. */
struct h2_conn {
	uint32_t magic;
	struct conn *c;
	struct h2_session *h;
	bool turning;  /* what streams write is sent at the end of it */
	bool noticed;  /* the client was asked to go elsewhere */
	bool going;    /* and now it has to */
	uint8_t waits; /* enum waits: what the timer is for */
	uint32_t unsent;
};

/* h2_front_is_last - clients that we have should come again, elsewhere. h2_front_news - streams go on; new ones get a connection of their own.
 * h2_front_lose - they end, as those of a client that has gone. h2_front_cut - they end, as an order wants it. */
bool h2_front_is_last(const struct conn *c);
void h2_front_news(struct h2_conn *x);
void h2_front_lose(struct h2_conn *x);
void h2_front_cut(struct h2_conn *x);

#endif
