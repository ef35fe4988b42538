/* A worker thread: mail from the control thread, timers, turns, and the memory that connections share.
 *
 * Everything in a worker happens in callbacks of its loop, one at a time. Mail is a list under a mutex; the bell is
 * rung for the first letter only, and ringing needs no memory. The loop waits no longer than to the next slot of the wheel
 * that holds anything. A connection with more to do than one turn allows is put into the list "again" and goes on after the loop has
 * looked at the other descriptors. A turn is: all edges, then mail, timers, and who is in "again". Objects that were closed are
 * freed between these parts, when nothing can refer to them any more. */
#include "worker.h"

#include "base/mem.h"
#include "base/must.h"

#include "conn.h"
#include "h2/h2_back.h"
#include "http/http_stream.h"
#include "http/mirror.h"
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
#define PATIENCE DUR_S(60)
#define CLOCK_EDGES 8 /* edges between two looks at the clock: each takes some microseconds */

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

bool
proxy_client_take(struct proxy *px)
{
	unsigned now = atomic_fetch_add_explicit(&px->conns, 1, memory_order_relaxed);

	if (now < atomic_load_explicit(&px->conns_max, memory_order_relaxed) &&
	    proxy_fd_take(px, 1))
		return true;
	atomic_fetch_sub_explicit(&px->conns, 1, memory_order_relaxed);
	return false;
}

void
proxy_client_give(struct proxy *px)
{
	proxy_fd_give(px, 1);
	atomic_fetch_sub_explicit(&px->conns, 1, memory_order_relaxed);
}

static void
on_bell(struct io *io, unsigned ready)
{
	uint64_t n;

	(void)ready;
	(void)!read(io_fd(io), &n, sizeof(n)); /* how often it was rung does not matter */
	container_of(io, struct worker, bell)->rung = true;
}

static void
read_mail(struct worker *w)
{
	struct letter *l, *next;

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
		must(write(io_fd(&w->bell), &one, sizeof(one)) == (ssize_t)sizeof(one));
	return 0;
}

/* Not within conn_timer, which mostly puts off in place: the registers that this one needs would be saved each time. */
__attribute__((noinline)) void
worker_timer(struct worker *w, struct timer *t, dur_t after)
{
	mono_t at = wheel_set(&w->wheel, t, w->now, after);

	if (w->tick_at == 0 || at < w->tick_at)
		w->tick_at = at;
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
tick(struct worker *w)
{
	mono_t next;

	w->tick_at = 0;
	wheel_advance(&w->wheel, w->now, fire, w);
	next = wheel_next(&w->wheel);
	if (next >= 0 && (w->tick_at == 0 || next < w->tick_at))
		w->tick_at = next;
}

void
worker_again(struct worker *w, struct list *turn)
{
	list_del(turn);
	list_push(&w->again, turn);
}

/* Those that are added meanwhile wait for the next turn. */
static void
go_on(struct worker *w)
{
	struct list now;

	list_init(&now);
	list_add_before(&w->again, &now);
	list_del(&w->again);
	while (!list_empty(&now)) {
		struct conn *c = container_of(now.next, struct conn, turn);

		must_obj(c, CONN_MAGIC);
		list_del(&c->turn);
		c->ops->event(c, 0);
	}
}

void
worker_resume(struct worker *w, dur_t after)
{
	mono_t at = w->now + after;

	if (w->resume_at == 0 || at < w->resume_at)
		w->resume_at = at;
}

/* Milliseconds until something is to be done without an edge; -1 nothing is. */
static int
patience(const struct worker *w)
{
	mono_t at = w->tick_at, left;

	if (!list_empty(&w->again))
		return 0;
	if (w->resume_at != 0 && (at == 0 || w->resume_at < at))
		at = w->resume_at;
	if (at == 0)
		return -1;
	left = at - w->now; /* a little old: no more than a turn late */
	return left <= 0 ? 0 : left > PATIENCE ? (int)(PATIENCE / 1000) : (int)(left / 1000 + 1);
}

/* Parts of a turn are told apart by this: the time, and an end to what was closed before. */
static void
enter(struct worker *w)
{
	w->now = mono_now();
	if (w->dead != NULL)
		conn_reap(w);
}

static void
edges(struct worker *w, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (i > 0 && i % CLOCK_EDGES == 0)
			w->now = mono_now();
		poller_tell(&w->poller, &w->poller.ready[i]);
	}
}

/* What was posted before a client came is in force for it: mail is read before anybody is accepted. */
static void
mail_first(struct worker *w, unsigned n)
{
	const uint32_t bell = (uint32_t)io_fd(&w->bell);

	for (unsigned i = 0; i < n; i++)
		if ((uint32_t)w->poller.ready[i].data.u64 == bell) {
			read_mail(w);
			enter(w);
			return;
		}
}

static void
turn(struct worker *w)
{
	unsigned n = poller_wait(&w->poller, patience(w));

	enter(w);
	mail_first(w, n);
	atomic_store_explicit(&w->turns, w->turns + 1, memory_order_relaxed);
	edges(w, n);
	if (w->rung) {
		w->rung = false;
		enter(w);
		read_mail(w);
	}
	if (w->tick_at != 0 && w->tick_at <= w->now) {
		enter(w);
		tick(w);
	}
	if (!list_empty(&w->again)) {
		enter(w);
		go_on(w);
	}
	if (w->resume_at != 0 && w->resume_at <= w->now) {
		enter(w);
		w->resume_at = 0;
		listener_resume(w);
	}
}

static void *
run(void *arg)
{
	struct worker *w = arg;
	sigset_t all;

	must_obj(w, WORKER_MAGIC);
	(void)sigfillset(&all); /* signals are the control thread's */
	(void)pthread_sigmask(SIG_BLOCK, &all, NULL);
	while (!w->over)
		turn(w);
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
	list_init(&w->mirrors);
	slab_init(&w->conns, sizeof(struct conn));
	wheel_init(&w->wheel, w->now);
	must(pthread_mutex_init(&w->lock, NULL) == 0);
	must(poller_init(&w->poller) == 0);
	io_init(&w->bell, eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
	must(io_fd(&w->bell) != -1 && io_watch_read(&w->bell, &w->poller, on_bell) == 0);
	w->tls = tls_engine_new();
	must(w->tls != NULL);
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
	mirror_cut_all(w);
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
	w->over = true;
}

static void
free_spares(struct worker *w)
{
	conn_reap(w);
	slab_fini(&w->conns);
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
	io_close(&w->bell, &w->poller);
	poller_fini(&w->poller);
	(void)pthread_mutex_destroy(&w->lock);
	tls_engine_free(w->tls);
	rules_scratch_free(w->rules);
	free(w);
}
