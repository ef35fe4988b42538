/* reader.c - reads the kernel's table beside the loop.
 *
 * The thread sleeps until it is kicked, reads with a netlink socket of its own, leaves the reading behind and rings the
 * loop by an eventfd. One reading at a time: while one is under way or not yet fetched, a kick waits. When to
 * read is the loop's business (one timer, cadence_next); what a reading means is reconcile's.
 *
 * Shared between the two are only the fields under the lock. All signals are the loop's. */
#include "apply/reader.h"

#include "kernel/kernel.h"

#include "base/mem.h"
#include "base/must.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

struct reader {
	struct loop *loop;
	void (*done)(void *arg, struct reading *r);
	void *arg;
	struct loop_timer timer;
	mono_t due; /* of the timer; 0: not set */
	bool busy;  /* kicked, and not yet fetched */
	int bell;
	struct loop_fd bell_io;
	pthread_t thread;
	struct kernel *kernel; /* the thread's */
	pthread_mutex_t lock;
	pthread_cond_t kicked;
	bool kick, end; /* under the lock */
	struct reading *ready;
};

dur_t
cadence_next(dur_t cost)
{
	dur_t wait = cost * READ_SHARE;

	return wait < READ_EVERY ? READ_EVERY : wait > READ_LATEST ? READ_LATEST : wait;
}

void
reading_fini(struct reading *r)
{
	table_fini(&r->table);
}

static dur_t
thread_cpu(void)
{
	struct timespec t = { 0 };

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return DUR_S(t.tv_sec) + t.tv_nsec / 1000;
}

static void
read_all(struct reader *r, struct reading *out)
{
	dur_t cpu = thread_cpu();

	out->began = mono_now();
	if (r->kernel == NULL)
		out->code = kernel_open(&r->kernel, &out->err);
	if (out->code == 0)
		out->code = kernel_read(r->kernel, &out->table, &out->err);
	if (out->code == 0)
		out->code = kernel_timeouts_get(r->kernel, &out->timeouts, &out->err);
	if (out->code == 0)
		out->code = kernel_sync_get(r->kernel, &out->sync[0], &out->sync[1], &out->err);
	if (out->code != 0) {
		table_fini(&out->table);
		kernel_close(r->kernel);
		r->kernel = NULL;
	}
	out->ended = mono_now();
	out->cost = thread_cpu() - cpu;
}

static void *
run(void *arg)
{
	struct reader *r = arg;
	uint64_t one = 1;

	for (;;) {
		struct reading *mine;

		(void)pthread_mutex_lock(&r->lock);
		while (!r->kick && !r->end)
			(void)pthread_cond_wait(&r->kicked, &r->lock);
		r->kick = false;
		if (r->end) {
			(void)pthread_mutex_unlock(&r->lock);
			return NULL;
		}
		(void)pthread_mutex_unlock(&r->lock);
		mine = mem_alloc(sizeof(*mine));
		read_all(r, mine);
		(void)pthread_mutex_lock(&r->lock);
		r->ready = mine;
		(void)pthread_mutex_unlock(&r->lock);
		(void)!write(r->bell, &one, sizeof(one)); /* a counter of one never blocks */
	}
}

static void
kick(struct reader *r)
{
	r->busy = true;
	(void)pthread_mutex_lock(&r->lock);
	r->kick = true;
	(void)pthread_cond_signal(&r->kicked);
	(void)pthread_mutex_unlock(&r->lock);
}

static void
on_timer(void *arg)
{
	struct reader *r = arg;

	if (r->busy)
		return; /* on_bell sees that the time has come */
	r->due = 0;
	kick(r);
}

static void
on_bell(void *arg, unsigned ready)
{
	struct reader *r = arg;
	struct reading *taken;
	uint64_t rings;

	(void)ready;
	(void)!read(r->bell, &rings, sizeof(rings));
	(void)pthread_mutex_lock(&r->lock);
	taken = r->ready;
	r->ready = NULL;
	(void)pthread_mutex_unlock(&r->lock);
	if (taken == NULL)
		return;
	r->busy = false;
	r->done(r->arg, taken);
	free(taken);
	if (!r->busy && r->due != 0 && r->due <= mono_now())
		on_timer(r);
}

static int
start_thread(struct reader *r)
{
	sigset_t all, before;
	int code;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	code = pthread_create(&r->thread, NULL, run, r);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -code;
}

int
reader_new(
    struct reader **out, struct loop *l, void (*done)(void *arg, struct reading *r), void *arg)
{
	struct reader *r = mem_alloc(sizeof(*r));
	int code;

	r->loop = l;
	r->done = done;
	r->arg = arg;
	(void)pthread_mutex_init(&r->lock, NULL);
	(void)pthread_cond_init(&r->kicked, NULL);
	r->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	code = r->bell == -1 ? -errno : start_thread(r);
	if (code != 0) {
		if (r->bell != -1)
			(void)close(r->bell);
		free(r);
		return code;
	}
	loop_timer_init(&r->timer, l, on_timer, r);
	loop_fd_init(&r->bell_io, l, r->bell, on_bell, r);
	loop_fd_want(&r->bell_io, LOOP_READ);
	*out = r;
	return 0;
}

void
reader_free(struct reader *r)
{
	if (r == NULL)
		return;
	(void)pthread_mutex_lock(&r->lock);
	r->end = true;
	(void)pthread_cond_signal(&r->kicked);
	(void)pthread_mutex_unlock(&r->lock);
	must(pthread_join(r->thread, NULL) == 0);
	loop_timer_fini(&r->timer);
	loop_fd_fini(&r->bell_io);
	(void)close(r->bell);
	if (r->ready != NULL)
		reading_fini(r->ready);
	free(r->ready);
	kernel_close(r->kernel);
	(void)pthread_mutex_destroy(&r->lock);
	(void)pthread_cond_destroy(&r->kicked);
	free(r);
}

void
reader_ask(struct reader *r, dur_t after)
{
	mono_t due = mono_now() + after;

	if (r->due != 0 && r->due <= due)
		return;
	r->due = due;
	loop_timer_set(&r->timer, after);
}

void
reader_delay(struct reader *r, dur_t after)
{
	if (r->due == 0)
		return;
	r->due = mono_now() + after;
	loop_timer_set(&r->timer, after);
}
