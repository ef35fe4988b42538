/* Starting, watching and stopping the workers.
 *
 * As many as the setting says, or one for each processor this process may use. A worker is alive when it answers its mail: the
 * watchdog asks all of them before each ping, and misses one only when it was silent twice in a row. */
#include "crew.h"

#include "sys/log.h"
#include "sys/sock.h"

#include "control.h"
#include "log/logs.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/random.h>

#define STOP_LOOK DUR_MS(50)
#define MISSED_MOST 2

static unsigned
threads(const struct setting *set)
{
	cpu_set_t cpus;
	int n = set->threads;

	if (n == 0 && sched_getaffinity(0, sizeof(cpus), &cpus) == 0)
		n = CPU_COUNT(&cpus);
	return n < 1 ? 1 : n > WORKERS_MAX ? WORKERS_MAX : (unsigned)n;
}

static void
look_whether_over(void *arg)
{
	struct control *k = arg;

	if (atomic_load(&k->px.conns) == 0)
		daemon_stopped(k->d);
	else
		loop_timer_set(&k->stop, STOP_LOOK);
}

int
crew_start(struct control *k, struct err *err)
{
	unsigned n = threads(snapshot_setting(daemon_snapshot(k->d))), i;
	uint64_t seed = 0;
	int code = 0;

	loop_timer_init(&k->stop, daemon_loop(k->d), look_whether_over, k);
	if (getrandom(&seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
		return err_set(err, -errno, "random seed: %s", strerror(errno));
	k->px.stick = stick_new(STICK_CAPACITY, seed);
	if (k->px.stick == NULL)
		return err_set(err, -ENOMEM, "persistence table: no memory");
	k->px.logs = logs_new(n, daemon_paths(k->d)->log);
	k->fd_limit = sock_fd_limit();
	atomic_store(&k->px.fds_max,
	    k->fd_limit > 2 * FDS_RESERVED ? k->fd_limit - FDS_RESERVED : k->fd_limit / 2);
	for (i = 0; i < n; i++) {
		k->px.w[i] = worker_new(&k->px, i, &code);
		if (k->px.w[i] == NULL)
			return err_set(err, code, "worker thread %u: %s", i, strerror(-code));
		k->px.n = i + 1;
	}
	log_info("start: %u worker threads, %u descriptors", n, k->fd_limit);
	return 0;
}

static void
pong(struct worker *w, void *cell, void *number)
{
	(void)w;
	atomic_store((atomic_uint *)cell, (unsigned)(uintptr_t)number);
}

bool
crew_alive(struct control *k)
{
	bool all = true;
	unsigned i;

	for (i = 0; i < k->px.n; i++)
		all = all && atomic_load(&k->ponged[i]) == k->pinged;
	if (!all)
		return ++k->missed < MISSED_MOST;
	k->missed = 0;
	k->pinged++;
	for (i = 0; i < k->px.n; i++)
		(void)worker_post(k->px.w[i], pong, &k->ponged[i], (void *)(uintptr_t)k->pinged);
	return true;
}

static void
stop(struct worker *w, void *a, void *b)
{
	(void)a;
	(void)b;
	worker_stop(w);
}

void
crew_drain(struct control *k)
{
	unsigned i;

	for (i = 0; i < k->px.n; i++)
		(void)worker_post(k->px.w[i], stop, NULL, NULL);
	loop_timer_set(&k->stop, STOP_LOOK);
}

void
crew_end(struct control *k)
{
	unsigned i;

	for (i = 0; i < k->px.n; i++)
		worker_free(k->px.w[i]);
	k->px.n = 0;
	logs_free(k->px.logs); /* after the workers: their last lines are written */
	k->px.logs = NULL;
	loop_timer_fini(&k->stop);
}
