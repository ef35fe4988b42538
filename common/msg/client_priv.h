/* client_priv.h - what client.c and client_announce.c share: a connection that is waited for. */
#ifndef MSG_CLIENT_PRIV_H
#define MSG_CLIENT_PRIV_H

#include "msg/client.h"

#define CLIENT_PROGRAM "lbctl"

struct client {
	int fd; /* non-blocking */
	char daemon[32], path[280];
	uint32_t seq;
	uint8_t in[MSG_MAX];
};

int client_connect(const struct paths *p, const char *daemon, struct client *c, struct err *err);
int client_send(
    struct client *c, unsigned number, uint32_t seq, const void *payload, struct err *err);
int client_send_hello(struct client *c, struct err *err);
/* client_take - one packet if there is one. 0; -EAGAIN: none (err is not filled); or a code with
 * err. Types of newer versions are passed over. */
int client_take(struct client *c, const struct msg_row **row_out, uint32_t *seq_out,
    union msg_any *out, struct err *err);
/* client_welcome - whether the first packet of a daemon is a HELLO that fits. */
int client_welcome(
    struct client *c, const struct msg_row *row, const union msg_any *m, struct err *err);

#endif
