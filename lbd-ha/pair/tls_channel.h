/* tls_channel.h - one TLS 1.3 connection that carries packets, on the loop. Both sides are proved: by exactly the
 * certificate that is pinned, or, for the first connection of two nodes, by the key of the one-time code. */
#ifndef HA_TLS_CHANNEL_H
#define HA_TLS_CHANNEL_H

#include "packet.h"
#include "tls_identity.h"

#include "sys/loop.h"

#define TLS_SHAKE DUR_S(5) /* connection and handshake together may take so long */
#define TLS_SILENT_MS 5000 /* sent bytes that nobody acknowledges for so long end the connection */

/* How it is proved who is at the other end; borrowed until the channel is up or closed. */
struct tls_proof {
	const struct tls_identity *me;
	const uint8_t *pin; /* the certificate that is accepted, DER; NULL: none is */
	size_t pin_len;
	const uint8_t *code_key; /* TLS_CODE_KEY bytes; NULL: no code is accepted or offered */
};
enum tls_end {
	TLS_END_LOST,	  /* the connection: refused, timed out, reset, closed */
	TLS_END_REFUSED,  /* the other end does not take our proof */
	TLS_END_STRANGER, /* it has another certificate, or none */
	TLS_END_BROKEN,	  /* what came is no packet */
};
struct tls_channel;
struct tls_channel_ops {
	void (*reached)(void *arg); /* TCP is there, the handshake begins; may be NULL */
	void (*up)(void *arg, bool by_code);
	/* One packet, still undecoded; borrowed. */
	void (*packet)(void *arg, const uint8_t *p, size_t len);
	void (*drained)(void *arg); /* all that was given has gone to the kernel; may be NULL */
	/* Once, and nothing after it; text is why, for people. The owner frees. */
	void (*closed)(void *arg, enum tls_end end, const char *text);
};

/* tls_channel_start - fd is taken: one that connects (the kernel may still be at it), or one that was accepted. */
struct tls_channel *tls_channel_start(struct loop *l, int fd, bool server,
    const struct tls_proof *proof, const struct tls_channel_ops *ops, void *arg);
/* tls_channel_free - NULL is fine; also from within any callback. What waits is not sent. */
void tls_channel_free(struct tls_channel *t);
/* tls_channel_finish - the same, but what waits is sent first, for at most two seconds. */
void tls_channel_finish(struct tls_channel *t);
/* tls_channel_own - from now on somebody else is told. */
void tls_channel_own(struct tls_channel *t, const struct tls_channel_ops *ops, void *arg);
/* tls_channel_send - one message; waits without bound: callers look at tls_channel_backlog. */
void tls_channel_send(struct tls_channel *t, unsigned number, const void *payload);
/* tls_channel_put - bytes that packet_put made. */
void tls_channel_put(struct tls_channel *t, const void *p, size_t len);
size_t tls_channel_backlog(
    const struct tls_channel *t); /* bytes that wait here, not in the kernel */
/* tls_channel_tried - the other end offered a code of ours, right or wrong. */
bool tls_channel_tried(const struct tls_channel *t);
/* tls_channel_peer - address of the other end; false: it is not known any more. */
struct addr;
bool tls_channel_peer(const struct tls_channel *t, struct addr *out);

#endif
