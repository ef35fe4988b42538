/* core_sched.c - the kernel's scheduler is asked to let the core run in time.
 *
 * The deadline class (sched(7)) is the one that no other task can keep waiting: real-time tasks of others are below it,
 * and it is not taken off by the kernel's limit for those (kernel.sched_rt_runtime_us: 50 ms of each second, which is
 * most of a lease). It promises CORE_RUN in each CORE_EACH; with SCHED_FLAG_RECLAIM what others have not reserved
 * is there too, so a thousand addresses come up as fast as ever. It needs CAP_SYS_NICE and all processors; where it is
 * not granted the real-time priority that the side has given stays, and where that is missing, the best nice value.
 *
 * A core that does not sleep any more is ended, and started again: by RLIMIT_RTTIME where there is real-time priority, and
 * in the deadline class by its overruns (SIGXCPU at each), of which there may not be BUSY_MOST between two sleeps. */
#include "core/core_priv.h"

#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CORE_RUN (3 * 1000 * 1000)   /* ns */
#define CORE_EACH (10 * 1000 * 1000) /* ns; also how soon it must be done */
#define CORE_BUSY (500 * 1000)	     /* us without a sleep */
#define BUSY_MOST (CORE_BUSY / (CORE_EACH / 1000))

/* include/uapi/linux/sched/types.h, which cannot be included beside sched.h. */
struct deadline_attr {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

static _Atomic unsigned overruns;

static void
on_overrun(int signo)
{
	(void)signo;
	if (atomic_fetch_add(&overruns, 1) >= BUSY_MOST)
		(void)kill(getpid(), SIGKILL);
}

static bool
by_deadline(void)
{
	const struct deadline_attr a = {
		.size = sizeof(a),
		.policy = SCHED_DEADLINE,
		.flags = SCHED_FLAG_RESET_ON_FORK | SCHED_FLAG_RECLAIM | SCHED_FLAG_DL_OVERRUN,
		.runtime = CORE_RUN,
		.deadline = CORE_EACH,
		.period = CORE_EACH,
	};
	const struct sigaction act = { .sa_handler = on_overrun, .sa_flags = SA_RESTART };

	return sigaction(SIGXCPU, &act, NULL) == 0 && syscall(SYS_sched_setattr, 0, &a, 0) == 0;
}

void
core_sched_start(void)
{
	const struct rlimit most = { CORE_BUSY, CORE_BUSY };

	if (by_deadline())
		return;
	(void)signal(SIGXCPU, SIG_DFL);
	if (sched_getscheduler(0) == SCHED_FIFO)
		(void)setrlimit(RLIMIT_RTTIME, &most);
	else
		(void)setpriority(PRIO_PROCESS, 0, -20);
}

void
core_sched_slept(void)
{
	atomic_store_explicit(&overruns, 0, memory_order_relaxed);
}
