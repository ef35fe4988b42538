/* The event loop: a thin skin over libevent, which no other file of common/ includes.
 *
 * One turn is: wait for events, call back, then run what was deferred. Work that is deferred by
 * deferred work waits for the next turn, so two callbacks that defer each other cannot starve the
 * descriptors. Wakes from other threads go through a queue under a mutex and one eventfd; many
 * wakes before the loop looks cost one write.
 *
 * libevent reads its clock once a turn and uses the coarse one, so its timers may be some
 * milliseconds early. A timer here keeps the instant it was asked for and waits for the rest when
 * it is called too early.
 *
 * libevent's own locking is off: everything but loop_wake belongs to the loop's thread. */
#include "sys/loop.h"
#include "base/mem.h"
#include "base/must.h"

#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define LOOP_MAGIC 0x100b10b1
#define TIMER_SLACK 200 /* microseconds: not worth another turn */

struct job {
	struct job *next;
	loop_fn fn;
	void *arg;
};
struct jobs {
	struct job *first, **last;
};
struct watched_signal {
	struct watched_signal *next;
	struct event *ev;
	loop_fn fn;
	void *arg;
};

struct loop {
	uint32_t magic;
	bool stop;
	struct event_base *base;
	uint64_t turns;
	struct jobs deferred;
	struct watched_signal *signals;
	struct loop_last *lasts;
	int wake_fd;
	struct event *wake_ev;
	pthread_mutex_t lock; /* of woken */
	struct jobs woken;
};

static void
jobs_add(struct jobs *q, loop_fn fn, void *arg)
{
	struct job *j = mem_alloc(sizeof(*j));

	*j = (struct job){ .fn = fn, .arg = arg };
	*q->last = j;
	q->last = &j->next;
}

static struct job *
jobs_take(struct jobs *q)
{
	struct job *first = q->first;

	*q = (struct jobs){ .last = &q->first };
	return first;
}

/* Runs, or only frees, a chain of jobs. */
static void
jobs_end(struct job *j, bool run)
{
	struct job *next;

	for (; j != NULL; j = next) {
		next = j->next;
		if (run)
			j->fn(j->arg);
		free(j);
	}
}

static void
on_wake(evutil_socket_t fd, short what, void *arg)
{
	struct loop *l = arg;
	struct job *first;
	uint64_t n;

	(void)what;
	must_obj(l, LOOP_MAGIC);
	(void)!read(fd, &n, sizeof(n)); /* the number of wakes does not matter */
	(void)pthread_mutex_lock(&l->lock);
	first = jobs_take(&l->woken);
	(void)pthread_mutex_unlock(&l->lock);
	jobs_end(first, true);
}

struct loop *
loop_new(void)
{
	struct event_config *cfg = event_config_new();
	struct loop *l = mem_alloc(sizeof(*l));

	must(cfg != NULL);
	must(event_config_set_flag(cfg, EVENT_BASE_FLAG_NOLOCK) == 0);
	l->magic = LOOP_MAGIC;
	l->deferred.last = &l->deferred.first;
	l->woken.last = &l->woken.first;
	l->base = event_base_new_with_config(cfg);
	event_config_free(cfg);
	must(l->base != NULL);
	must(pthread_mutex_init(&l->lock, NULL) == 0);
	l->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	must(l->wake_fd != -1);
	l->wake_ev = event_new(l->base, l->wake_fd, EV_READ | EV_PERSIST, on_wake, l);
	must(l->wake_ev != NULL && event_add(l->wake_ev, NULL) == 0);
	return l;
}

void
loop_free(struct loop *l)
{
	struct watched_signal *s;

	if (l == NULL)
		return;
	must_obj(l, LOOP_MAGIC);
	/* What waits for the loop, and what was deferred, ends objects: it must run, or they leak. */
	while (l->lasts != NULL) {
		struct loop_last *x = l->lasts;

		loop_last_not(x);
		x->fn(x->arg);
	}
	while (l->deferred.first != NULL)
		jobs_end(jobs_take(&l->deferred), true);
	jobs_end(jobs_take(&l->woken), false);
	while ((s = l->signals) != NULL) {
		l->signals = s->next;
		event_free(s->ev);
		free(s);
	}
	event_free(l->wake_ev);
	(void)close(l->wake_fd);
	event_base_free(l->base);
	(void)pthread_mutex_destroy(&l->lock);
	l->magic = 0;
	free(l);
}

int
loop_run(struct loop *l)
{
	must_obj(l, LOOP_MAGIC);
	while (!l->stop) {
		int flags = EVLOOP_ONCE;

		if (l->deferred.first != NULL)
			flags |= EVLOOP_NONBLOCK;
		errno = 0;
		if (event_base_loop(l->base, flags) == -1)
			return errno != 0 ? -errno : -EIO;
		jobs_end(jobs_take(&l->deferred), true);
		l->turns++;
	}
	l->stop = false;
	return 0;
}

void
loop_stop(struct loop *l)
{
	must_obj(l, LOOP_MAGIC);
	l->stop = true;
	(void)event_base_loopbreak(l->base);
}

uint64_t
loop_turns(const struct loop *l)
{
	return l->turns;
}

void
loop_defer(struct loop *l, loop_fn fn, void *arg)
{
	must_obj(l, LOOP_MAGIC);
	jobs_add(&l->deferred, fn, arg);
}

void
loop_last(struct loop_last *x, struct loop *l, loop_fn fn, void *arg)
{
	must_obj(l, LOOP_MAGIC);
	loop_last_not(x);
	*x = (struct loop_last){ .next = l->lasts, .back = &l->lasts, .fn = fn, .arg = arg };
	if (x->next != NULL)
		x->next->back = &x->next;
	l->lasts = x;
}

void
loop_last_not(struct loop_last *x)
{
	if (x->back == NULL)
		return;
	*x->back = x->next;
	if (x->next != NULL)
		x->next->back = x->back;
	x->back = NULL;
}

void
loop_wake(struct loop *l, loop_fn fn, void *arg)
{
	const uint64_t one = 1;
	bool first;

	(void)pthread_mutex_lock(&l->lock);
	first = l->woken.first == NULL;
	jobs_add(&l->woken, fn, arg);
	(void)pthread_mutex_unlock(&l->lock);
	if (first)
		must(write(l->wake_fd, &one, sizeof(one)) == (ssize_t)sizeof(one));
}

static void
arm(struct loop_timer *t, dur_t after)
{
	struct timeval tv = { .tv_sec = after / 1000000, .tv_usec = after % 1000000 };

	must(event_add(t->ev, &tv) == 0);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct loop_timer *t = arg;
	dur_t left = t->due - mono_now();

	(void)fd;
	(void)what;
	if (left > TIMER_SLACK)
		arm(t, left);
	else
		t->fn(t->arg);
}

void
loop_timer_init(struct loop_timer *t, struct loop *l, loop_fn fn, void *arg)
{
	must_obj(l, LOOP_MAGIC);
	*t = (struct loop_timer){ .loop = l, .fn = fn, .arg = arg };
	t->ev = event_new(l->base, -1, 0, on_timer, t);
	must(t->ev != NULL);
}

void
loop_timer_set(struct loop_timer *t, dur_t after)
{
	if (after < 0)
		after = 0;
	t->due = mono_now() + after;
	arm(t, after);
}

void
loop_timer_cancel(struct loop_timer *t)
{
	(void)event_del(t->ev);
}

void
loop_timer_fini(struct loop_timer *t)
{
	if (t->ev != NULL)
		event_free(t->ev);
	t->ev = NULL;
}

static void
on_fd(evutil_socket_t fd, short what, void *arg)
{
	struct loop_fd *f = arg;
	unsigned ready =
	    ((what & EV_READ) != 0 ? LOOP_READ : 0) | ((what & EV_WRITE) != 0 ? LOOP_WRITE : 0);

	(void)fd;
	/* A callback before this one may have asked for less. */
	ready &= f->want;
	if (ready != 0)
		f->fn(f->arg, ready);
}

void
loop_fd_init(
    struct loop_fd *f, struct loop *l, int fd, void (*fn)(void *arg, unsigned ready), void *arg)
{
	must_obj(l, LOOP_MAGIC);
	*f = (struct loop_fd){ .loop = l, .fd = fd, .fn = fn, .arg = arg };
	f->ev = event_new(l->base, fd, EV_PERSIST, on_fd, f);
	must(f->ev != NULL);
}

void
loop_fd_want(struct loop_fd *f, unsigned want)
{
	short events = EV_PERSIST;

	if (f->want == want)
		return;
	(void)event_del(f->ev);
	f->want = want;
	if (want == 0)
		return;
	events |= (short)(((want & LOOP_READ) != 0 ? EV_READ : 0) |
			  ((want & LOOP_WRITE) != 0 ? EV_WRITE : 0));
	must(event_assign(f->ev, f->loop->base, f->fd, events, on_fd, f) == 0);
	must(event_add(f->ev, NULL) == 0);
}

void
loop_fd_fini(struct loop_fd *f)
{
	if (f->ev != NULL)
		event_free(f->ev);
	f->ev = NULL;
	f->want = 0;
}

static void
on_signal(evutil_socket_t signo, short what, void *arg)
{
	struct watched_signal *s = arg;

	(void)signo;
	(void)what;
	s->fn(s->arg);
}

void
loop_signal(struct loop *l, int signo, loop_fn fn, void *arg)
{
	struct watched_signal *s = mem_alloc(sizeof(*s));

	must_obj(l, LOOP_MAGIC);
	*s = (struct watched_signal){ .next = l->signals, .fn = fn, .arg = arg };
	s->ev = evsignal_new(l->base, signo, on_signal, s);
	must(s->ev != NULL && event_add(s->ev, NULL) == 0);
	l->signals = s;
}
