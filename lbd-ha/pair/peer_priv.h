/* peer_priv.h - shared by peer_channel.c (the line that counts) and peer_line.c (lines before they count). */
#ifndef HA_PEER_PRIV_H
#define HA_PEER_PRIV_H

#include "peer_channel.h"
#include "pieces.h"

#define PEER_MAGIC 0x9ee2c4a1
#define RETRY_FIRST DUR_MS(200)
#define RETRY_MOST DUR_S(2)
#define RELUCTANT DUR_S(3) /* how long node 2 waits for node 1 */
#define HELLO_WAIT DUR_S(5)
#define PING DUR_S(1)

struct line {
	struct peer_channel *k;
	struct tls_channel *t; /* NULL: there is none */
	unsigned by;	       /* number of the node that opened it */
	mono_t opened;
};

struct peer_channel {
	uint32_t magic;
	struct loop *loop;
	struct peer_config c;
	struct cluster cluster;
	struct buf cert;
	char name[CLUSTER_NAME];
	struct peer_channel_ops ops;
	/* Our own attempt, one that was taken, and the one that counts. */
	struct line out, in, now;
	struct loop_timer dial, tick;
	dur_t retry;
	unsigned turn; /* which address is next */
	mono_t heard;
	uint64_t boot;
	struct peer_queue q;
	bool refused[PEER_STREAMS]; /* somebody found no room */
	struct pieces join[PEER_STREAMS];
	struct peer_state state;
	bool freed;
};

/* peer_channel.c */
extern const struct tls_channel_ops peer_now_ops; /* of the line that counts */
void peer_tell_changed(struct peer_channel *k);
void peer_set_fault(struct peer_channel *k, const char *text);
void peer_line_drop(struct line *x);
void peer_retry_later(struct peer_channel *k);
void peer_went_down(struct peer_channel *k, const char *why); /* when it was up */
/* peer_line.c */
void peer_line_failed(struct line *x, const char *why);
void peer_on_dial(void *arg);

#endif
