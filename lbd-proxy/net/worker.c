/* A worker thread: mail from the control thread, timers, turns, and the memory that connections share.
 *
 * Everything in a worker happens in callbacks of its loop, one at a time. Mail is a list under a mutex; the bell is
 * rung for the first letter only, and ringing needs no memory. The wheel is driven by one timer of the loop, set to the
 * next slot that holds anything. A connection with more to do than one turn allows is put into the list "again" and goes on after the loop has
 * looked at the other descriptors. Objects that were closed are freed at the start of the next callback. */
#include "worker.h"

#include "base/mem.h"
#include "base/must.h"

#include "conn.h"
#include "h2/h2_back.h"
#include "http/http_stream.h"
#include "log/logs.h"
#include "listener.h"
#include "rules/rules.h"
#include "tls/tls.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define WORKER_MAGIC 0x3034ce40

struct letter {
	struct letter *next;
	worker_fn fn;
	void *a, *b;
};

bool
proxy_fd_take(struct proxy *px, unsigned n)
{
	unsigned now = atomic_fetch_add_explicit(&px->fds, n, memory_order_relaxed);

	if (now + n <= atomic_load_explicit(&px->fds_max, memory_order_relaxed))
		return true;
	proxy_fd_give(px, n);
	return false;
}

void
proxy_fd_give(struct proxy *px, unsigned n)
{
	atomic_fetch_sub_explicit(&px->fds, n, memory_order_relaxed);
}

void
worker_enter(struct worker *w)
{
	w->now = mono_now();
	atomic_store_explicit(&w->turns, w->turns + 1, memory_order_relaxed);
	if (w->dead != NULL)
		conn_reap(w);
}

static void
on_mail(void *arg, unsigned ready)
{
	struct worker *w = arg;
	struct letter *l, *next;
	uint64_t n;

	(void)ready;
	must_obj(w, WORKER_MAGIC);
	worker_enter(w);
	(void)!read(w->bell, &n, sizeof(n)); /* how often it was rung does not matter */
	(void)pthread_mutex_lock(&w->lock);
	l = w->first;
	w->first = NULL;
	w->last = &w->first;
	(void)pthread_mutex_unlock(&w->lock);
	for (; l != NULL; l = next) {
		next = l->next;
		l->fn(w, l->a, l->b);
		free(l);
	}
}

int
worker_post(struct worker *w, worker_fn fn, void *a, void *b)
{
	struct letter *l = malloc(sizeof(*l));
	const uint64_t one = 1;
	bool first;

	if (l == NULL)
		return -ENOMEM;
	*l = (struct letter){ .fn = fn, .a = a, .b = b };
	(void)pthread_mutex_lock(&w->lock);
	first = w->first == NULL;
	*w->last = l;
	w->last = &l->next;
	(void)pthread_mutex_unlock(&w->lock);
	if (first)
		must(write(w->bell, &one, sizeof(one)) == (ssize_t)sizeof(one));
	return 0;
}

static void
arm(struct worker *w, mono_t at)
{
	w->tick_at = at;
	loop_timer_set(&w->tick, at > w->now ? at - w->now : 0);
}

void
worker_timer(struct worker *w, struct timer *t, dur_t after)
{
	mono_t at = wheel_set(&w->wheel, t, w->now, after);

	if (w->tick_at == 0 || at < w->tick_at)
		arm(w, at);
}

static void
fire(void *arg, struct timer *t)
{
	struct conn *c = container_of(t, struct conn, timer);

	(void)arg;
	must_obj(c, CONN_MAGIC);
	c->ops->timeout(c);
}

static void
on_tick(void *arg)
{
	struct worker *w = arg;
	mono_t next;

	worker_enter(w);
	w->tick_at = 0;
	wheel_advance(&w->wheel, w->now, fire, w);
	next = wheel_next(&w->wheel);
	if (next >= 0 && (w->tick_at == 0 || next < w->tick_at))
		arm(w, next);
}

void
worker_again(struct worker *w, struct list *turn)
{
	if (list_empty(&w->again))
		loop_timer_set(&w->turn, 0);
	list_del(turn);
	list_push(&w->again, turn);
}

static void
on_turn(void *arg)
{
	struct worker *w = arg;
	struct list now;

	worker_enter(w);
	list_init(&now);
	if (list_empty(&w->again))
		return;
	/* Those that are added meanwhile wait for the next turn. */
	list_add_before(&w->again, &now);
	list_del(&w->again);
	while (!list_empty(&now)) {
		struct conn *c = container_of(now.next, struct conn, turn);

		must_obj(c, CONN_MAGIC);
		list_del(&c->turn);
		c->ops->event(c, 0);
	}
}

static void
on_resume(void *arg)
{
	struct worker *w = arg;

	worker_enter(w);
	listener_resume(w);
}

static void *
run(void *arg)
{
	struct worker *w = arg;
	sigset_t all;

	(void)sigfillset(&all); /* signals are the control thread's */
	(void)pthread_sigmask(SIG_BLOCK, &all, NULL);
	(void)loop_run(w->loop);
	return NULL;
}

struct worker *
worker_new(struct proxy *px, unsigned index, int *code_out)
{
	struct worker *w = mem_alloc(sizeof(*w));
	sigset_t all, old;
	int code;

	w->magic = WORKER_MAGIC;
	w->index = index;
	w->px = px;
	w->now = mono_now();
	w->last = &w->first;
	list_init(&w->again);
	list_init(&w->halted);
	list_init(&w->listeners);
	list_init(&w->services);
	list_init(&w->backs);
	wheel_init(&w->wheel, w->now);
	must(pthread_mutex_init(&w->lock, NULL) == 0);
	w->loop = loop_new();
	w->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	must(w->bell != -1);
	w->tls = tls_engine_new();
	must(w->tls != NULL);
	loop_fd_init(&w->mail, w->loop, w->bell, on_mail, w);
	loop_fd_want(&w->mail, LOOP_READ);
	loop_timer_init(&w->tick, w->loop, on_tick, w);
	loop_timer_init(&w->turn, w->loop, on_turn, w);
	loop_timer_init(&w->resume, w->loop, on_resume, w);
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_BLOCK, &all, &old);
	code = -pthread_create(&w->thread, NULL, run, w);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (code == 0)
		return w;
	*code_out = code;
	w->thread = 0;
	worker_free(w);
	return NULL;
}

void
worker_stop(struct worker *w)
{
	struct list *it, *next;

	w->stopping = true;
	listener_close_all(w);
	list_each_safe(it, next, &w->services)
	{
		local_gone(container_of(it, struct wsvc, link));
	}
}

void
worker_cut_all(struct worker *w)
{
	struct list *it;

	local_hold(w);
	list_each(it, &w->services)
	{
		struct wsvc *s = container_of(it, struct wsvc, link);

		s->gone = true;
		while (!list_empty(&s->conns)) {
			struct conn *c = container_of(s->conns.next, struct conn, link);

			if (c->task != NULL)
				c->ops->cut(c);
			else
				conn_reset(c);
		}
	}
	h2_back_end(w);
	local_let_go(w);
}

static void
last_letter(struct worker *w, void *a, void *b)
{
	(void)a;
	(void)b;
	worker_stop(w);
	worker_cut_all(w);
	conn_reap(w);
	loop_stop(w->loop);
}

static void
free_spares(struct worker *w)
{
	struct conn *c;

	conn_reap(w);
	while ((c = w->spare) != NULL) {
		w->spare = c->task;
		free(c);
	}
	http_free_spares(w);
	logs_free_spares(w);
	while (w->pipes > 0) {
		w->pipes--;
		(void)close(w->pipe[w->pipes][0]);
		(void)close(w->pipe[w->pipes][1]);
	}
}

void
worker_free(struct worker *w)
{
	struct letter *l;

	if (w == NULL)
		return;
	must_obj(w, WORKER_MAGIC);
	if (w->thread != 0) {
		must(worker_post(w, last_letter, NULL, NULL) == 0);
		(void)pthread_join(w->thread, NULL);
	}
	free_spares(w);
	while ((l = w->first) != NULL) {
		w->first = l->next;
		free(l);
	}
	loop_fd_fini(&w->mail);
	(void)close(w->bell);
	loop_timer_fini(&w->tick);
	loop_timer_fini(&w->turn);
	loop_timer_fini(&w->resume);
	loop_free(w->loop);
	(void)pthread_mutex_destroy(&w->lock);
	tls_engine_free(w->tls);
	rules_scratch_free(w->rules);
	free(w);
}
