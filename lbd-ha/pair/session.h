/* session.h - one pairing under way: the connection that the code opened, and the steps of pair.h over it. */
#ifndef HA_SESSION_H
#define HA_SESSION_H

#include "cluster_file.h"
#include "pair.h"
#include "tls_channel.h"

#define SESSION_DUMP_MOST (64u << 20)

/* What the other node is told of this one. Texts are borrowed for the life of the session. */
struct session_self {
	const struct tls_identity *me;
	const char *dir; /* STATE/ha */
	const char *name;
	uint16_t port, schema;
	uint32_t services, servers, revision;
};
struct session_ops {
	/* Something was done; word is a PAIR_STEP. ask: it waits for session_confirm. */
	void (*step)(void *arg, const char *word, const char *text, bool ask);
	/* The pair counts on this node from now on: before ended, which says how the rest went. */
	void (*committed)(void *arg);
	/* Once, at the end; code 0 is a pair. The owner frees. */
	void (*ended)(void *arg, int code, const char *text);
	/* dump - the configuration that replaces the other node's; replace - the other's in the place of this node's.
	 * Both may be NULL: the channel then brings it. 0, or a code with err. */
	int (*dump)(void *arg, struct buf *out, struct err *err);
	int (*replace)(void *arg, const void *p, size_t len, struct err *err);
	void *arg;
};
struct session;
/* session_ask - this node was given the code. yes: nobody is asked before the other's configuration is replaced. */
struct session *session_ask(struct loop *l, const struct session_self *self, const struct addr *a,
    uint16_t port, const uint8_t code[PAIR_CODE_BYTES], bool yes, const struct session_ops *ops);
/* session_show - the other node has proved the code on t; taken. */
struct session *session_show(struct loop *l, const struct session_self *self, struct tls_channel *t,
    const struct session_ops *ops);
/* session_confirm - the answer of a person. false: nothing was asked. */
bool session_confirm(struct session *s, bool yes);
/* session_stop - it is not wanted any more; ended is called with the text. */
void session_stop(struct session *s, const char *why);
void session_free(struct session *s); /* NULL is fine; also from within a callback */

#endif
