/* The thread that takes lines out of the rings.
 *
 * Each turn it takes what is there, gives every line to the sinks that are on, and lets them send. Nobody waits for it, so it may
 * wait for a disk; a collector that does not take messages only fills the queue of its own sink. */
#include "logs_priv.h"

#include "base/mem.h"

#include <poll.h>
#include <unistd.h>

#define TICK_MS 50
#define QUIET 40       /* turns without a line until it sleeps */
#define LAST_MS 1000   /* for what is left when it ends */
#define TURN_MOST 4096 /* lines of one worker in one turn */

struct writer {
	struct logs *l;
	unsigned generation;
	struct file_sink file;
	struct syslog_sink syslog;
};

static void
configure(struct writer *w)
{
	struct log_target target;
	struct sunk n = { 0 };
	bool file;

	(void)pthread_mutex_lock(&w->l->lock);
	target = w->l->target;
	file = w->l->file;
	w->generation = w->l->generation;
	(void)pthread_mutex_unlock(&w->l->lock);
	if (!file)
		file_sink_close(&w->file);
	w->file.on = file;
	syslog_sink_set(&w->syslog, &target, &n);
	atomic_fetch_add_explicit(&w->l->dropped, n.dropped, memory_order_relaxed);
}

static bool
changed(struct writer *w)
{
	bool is;

	(void)pthread_mutex_lock(&w->l->lock);
	is = w->generation != w->l->generation;
	(void)pthread_mutex_unlock(&w->l->lock);
	return is;
}

/* What one worker has written; whether there was anything. */
static bool
take(struct writer *w, struct log_seat *s, struct sunk *n)
{
	struct ring_line line;
	unsigned lines = 0;
	size_t at;

	if (ring_empty(&s->ring)) /* or not made yet */
		return false;
	at = ring_tail(&s->ring);
	while (lines < TURN_MOST && ring_next(&s->ring, &at, &line)) {
		if (w->file.on)
			file_sink_take(&w->file, w->l->folder, &line, n);
		if (w->syslog.on)
			syslog_sink_take(&w->syslog, &line, n);
		if (!w->file.on && !w->syslog.on)
			n->dropped++;
		lines++;
	}
	ring_release(&s->ring, at);
	return true;
}

static bool
turn(struct writer *w)
{
	struct sunk n = { 0 };
	bool some = false;

	atomic_store(&w->l->rung, false);
	if (changed(w))
		configure(w);
	if (atomic_exchange(&w->l->reopen, false))
		file_sink_close(&w->file);
	for (unsigned i = 0; i < w->l->n; i++)
		some = take(w, &w->l->seat[i], &n) || some;
	if (w->file.on)
		file_sink_flush(&w->file, w->l->folder, &n);
	if (w->syslog.on)
		syslog_sink_flush(&w->syslog, mono_now() / 1000, &n);
	atomic_fetch_add_explicit(&w->l->written, n.written, memory_order_relaxed);
	atomic_fetch_add_explicit(&w->l->dropped, n.dropped, memory_order_relaxed);
	return some;
}

static bool
all_empty(const struct writer *w)
{
	for (unsigned i = 0; i < w->l->n; i++)
		if (!ring_empty(&w->l->seat[i].ring))
			return false;
	return true;
}

/* Until lines come, or for a tick when they have come just now. */
static void
rest(struct writer *w, bool sleep)
{
	struct pollfd bell = { .fd = w->l->bell, .events = POLLIN };
	uint64_t n;

	if (sleep) {
		atomic_store(&w->l->asleep, true);
		atomic_thread_fence(memory_order_seq_cst);
		sleep = all_empty(w);
	}
	(void)poll(&bell, 1, sleep ? -1 : TICK_MS);
	atomic_store(&w->l->asleep, false);
	(void)!read(w->l->bell, &n, sizeof(n)); /* how often it was rung does not matter */
}

void *
logs_run(void *logs)
{
	struct writer *w = mem_alloc(sizeof(*w));
	unsigned quiet = 0;
	mono_t end = 0;
	bool some, idle;

	w->l = logs;
	w->file.fd = w->syslog.fd = -1;
	configure(w);
	for (;;) {
		some = turn(w);
		idle = !some && ring_empty(&w->syslog.queue);
		quiet = idle ? quiet + 1 : 0;
		if (atomic_load(&w->l->stop)) {
			if (end == 0)
				end = mono_now() + DUR_MS(LAST_MS);
			if (idle || mono_now() >= end)
				break;
			quiet = 0;
		}
		if (!some || ring_empty(&w->syslog.queue))
			rest(w, quiet > QUIET);
		else
			rest(w, false);
	}
	file_sink_close(&w->file);
	syslog_sink_set(&w->syslog, &(struct log_target){ .port = 0 }, &(struct sunk){ 0 });
	free(w);
	return NULL;
}
