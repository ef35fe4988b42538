/* tcp_priv.h - one TCP connection, for the tcp_*.c files. What is named "over" here has freed it. */
#ifndef LBD_PROXY_TCP_PRIV_H
#define LBD_PROXY_TCP_PRIV_H

#include "log/story.h"
#include "net/flow.h"
#include "net/worker.h"
#include "pool/backend.h"
#include "pool/persist.h"
#include "rules/hello.h"
#include "tcp_stream.h"

#define TCP_MAGIC 0x7c957e40

struct tcp {
	uint32_t magic;
	bool slow;		 /* the last connect was given up */
	bool up_over, down_over; /* that direction has ended, and the end was passed on */
	bool reads;		 /* waits for the client's first packet */
	bool peeks;		 /* the same, for rules */
	bool data;	    /* of FTP: goes to the server of its control connection, or nowhere */
	bool held;	    /* a rule lets it wait, and then resets it */
	struct conn *c, *s; /* s NULL: waits for a place */
	struct seat seat;
	struct flow up, down;
	struct story story;
	struct persist persist;
	struct ftp
	    *ftp; /* a control connection of FTP, or one of its data connections; NULL neither */
	uint64_t rate_up,
	    rate_down; /* bytes a second to the server and to the client, by a rule; 0: no limit */
};

/* tcp_stream.c. tcp_over - both sides go. tcp_client_broke - the client did it. tcp_connect - with the place that it has, or has not. */
void tcp_over(struct tcp *t, bool reset);
void tcp_client_broke(struct tcp *t);
void tcp_connect(struct tcp *t, enum seat_result r);
/* tcp_begin_data - a client that came for a data connection of FTP: to that port of the server that control has. */
void tcp_begin_data(struct conn *c, struct ftp *f, const struct tcp *control, uint16_t port);

/* tcp_first.c. tcp_read_hello - rules look at the beginning of TLS; tcp_decide - they have all that comes (NULL: nothing).
 * tcp_choose - rules are done with: a server is chosen; tcp_read_user - by the client's first packet. */
void tcp_read_hello(struct tcp *t);
void tcp_decide(struct tcp *t, const struct hello *hello);
void tcp_choose(struct tcp *t);
void tcp_read_user(struct tcp *t);

#endif
