/* loop.h - one event loop per process or thread, on libevent. Everything here belongs to the
 * loop's thread, but loop_wake. Callbacks never free the object that called them: loop_defer
 * ends it after the turn. */
#ifndef SYS_LOOP_H
#define SYS_LOOP_H

#include "base/mono.h"

#include <stdbool.h>

struct event;
struct loop;

struct loop *loop_new(void);
void loop_free(struct loop *l);
int loop_run(struct loop *l); /* until loop_stop, also one before it; 0 or -errno */
void loop_stop(struct loop *l);
uint64_t loop_turns(const struct loop *l); /* for watchdogs */

typedef void (*loop_fn)(void *arg);
void loop_defer(struct loop *l, loop_fn fn, void *arg); /* after this turn's callbacks, once */
/* loop_last - an object that nobody owns any more and that waits for the loop: fn ends it when the loop ends first, in
 * loop_free. loop_last_not: it has ended by itself; fine on one that is not waited for, and twice. */
struct loop_last {
	struct loop_last *next, **back; /* back: NULL when not waited for */
	loop_fn fn;
	void *arg;
};
void loop_last(struct loop_last *x, struct loop *l, loop_fn fn, void *arg);
void loop_last_not(struct loop_last *x);
/* loop_wake - from any thread: fn runs in the loop's thread */
void loop_wake(struct loop *l, loop_fn fn, void *arg);

struct loop_timer {
	struct loop *loop;
	struct event *ev;
	loop_fn fn;
	void *arg;
	mono_t due; /* never fires before it, however coarse the loop's own clock is */
};
void loop_timer_init(struct loop_timer *t, struct loop *l, loop_fn fn, void *arg);
void loop_timer_set(struct loop_timer *t, dur_t after); /* once; again moves it */
void loop_timer_cancel(struct loop_timer *t);
void loop_timer_fini(struct loop_timer *t); /* fine on a zeroed one */

enum { LOOP_READ = 1, LOOP_WRITE = 2 };
struct loop_fd {
	struct loop *loop;
	struct event *ev;
	int fd; /* borrowed: the owner closes it after loop_fd_fini */
	void (*fn)(void *arg, unsigned ready);
	void *arg;
	unsigned want;
};
void loop_fd_init(
    struct loop_fd *f, struct loop *l, int fd, void (*fn)(void *arg, unsigned ready), void *arg);
void loop_fd_want(struct loop_fd *f, unsigned want); /* level triggered; 0 is silent */
void loop_fd_fini(struct loop_fd *f);

/* SIGTERM, SIGINT, SIGHUP, SIGCHLD ... as callbacks of the loop. */
void loop_signal(struct loop *l, int signo, loop_fn fn, void *arg);

#endif
