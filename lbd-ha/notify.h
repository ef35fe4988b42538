/* notify.h - who is told of each change of the role: the pipe RUN/ha.events, and scripts of ETC/notify. */
#ifndef HA_NOTIFY_H
#define HA_NOTIFY_H

#include "role_turn.h"

#include "store/snapshot.h"
#include "sys/loop.h"
#include "sys/paths.h"

#define NOTIFY_MOST 16

struct notify_ops {
	void (*changed)(void *arg); /* what notify_row says */
	void *arg;
};
/* How the last run of a row's script ended; texts are borrowed until notify_use. */
struct notify_row {
	const char *name, *target, *state, *text;
	int64_t since; /* of the last end, or of the row; seconds since 1970 */
};

struct advert_row;
struct notifier;
struct notifier *notify_new(struct loop *l, const struct paths *p, const struct notify_ops *ops);
/* notify_free - what runs is killed, and what waits is forgotten. */
void notify_free(struct notifier *k);
/* notify_use - the enabled rows of a configuration. One that is as before keeps what waits for it. */
void notify_use(struct notifier *k, const struct snapshot *s);
/* notify_tell - never waits: a script runs beside, one run at a time for each row, in order. */
void notify_tell(struct notifier *k, const struct role_turn *t);
/* notify_lost - so many changes are not known; they came before the next one. */
void notify_lost(struct notifier *k, unsigned n);
/* notify_routes - how all floating addresses stand, for rows with on=route; as notify_route_set. */
void notify_routes(struct notifier *k, const struct advert_row *a, uint32_t n);
bool notify_has_routes(const struct notifier *k); /* there are such rows */
/* notify_settle - done is called once, when such rows were told all, or after limit. */
void notify_settle(struct notifier *k, dur_t limit, void (*done)(void *arg), void *arg);
/* notify_release - what a process of these paths may have told routers is taken back, without one. Blocks. */
void notify_release(const struct paths *p);
/* notify_row - the i-th; false: there is none. */
bool notify_row(const struct notifier *k, unsigned i, struct notify_row *out);

#endif
