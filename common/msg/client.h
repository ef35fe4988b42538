/* client.h - blocking side of the bus, for lbctl: ask one daemon, read rows until RESULT. */
#ifndef MSG_CLIENT_H
#define MSG_CLIENT_H

#include "base/mono.h"
#include "msg/msg.h"
#include "sys/paths.h"

struct client;
/* client_open - connects to run/NAME.sock and exchanges HELLO. ERR_AWAY: "lbd-check does not run
 * (SOCKET: reason)". */
int client_open(const struct paths *p, const char *daemon, struct client **out, struct err *err);
void client_close(struct client *c);

/* Called for every row of the answer; not 0 stops and is returned. */
typedef int (*client_row_fn)(void *arg, const struct msg_row *row, const union msg_any *m);
/* client_call - send, then rows until RESULT (granting credit by itself). Code of RESULT with
 * its text in err; ERR_AWAY when the daemon goes away; -ETIMEDOUT when it is silent for so long.
 * on_row may be NULL. With code 0 the text in err is what the daemon says of its success, mostly
 * "". */
int client_call(struct client *c, unsigned number, const void *payload, client_row_fn on_row,
    void *arg, dur_t wait, struct err *err);
/* client_follow - after a call: further messages that come unasked, until fn returns not 0
 * (returned) or wait passes in all (0). */
int client_follow(struct client *c, client_row_fn on_row, void *arg, dur_t wait, struct err *err);
int client_fd(const struct client *c);

/* client_announce - tell every daemon that runs of a commit, and collect what they say. fn gets
 * one call per daemon: away (not running) is no fault. Returns 0, or the first refusal with err. */
struct announce {
	const char *daemon;
	bool away, ok;
	const char *reason;
};
struct commit_result;
/* client_revision - what REVISION says of a commit in one scope; its delta rides along when it is small enough and is
 * borrowed from r. false: nothing changed there. */
bool client_revision(const struct commit_result *r, unsigned scope, struct msg_revision *out);
int client_announce(const struct paths *p, const struct commit_result *r, dur_t wait,
    void (*fn)(void *arg, const struct announce *a), void *arg, struct err *err);
/* All that are built and so may run, in the order in which they are shown; ends with NULL. A daemon
 * that is not in this row is not told of commits and not shown as away. */
extern const char *const client_daemons[];

#endif
