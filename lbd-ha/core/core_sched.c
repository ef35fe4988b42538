/* core_sched.c - the kernel's scheduler is asked to let the core run in time.
 *
 * The deadline class (sched(7)) is the one that no other task can keep waiting: real-time tasks of others are below it,
 * and it is not taken off by the kernel's limit for those (kernel.sched_rt_runtime_us: 50 ms of each second, which is
 * most of a lease). It promises CORE_RUN in each CORE_EACH and gives no more: plenty for heartbeats, and too little for a
 * thousand addresses. So before long work the core takes ordinary real-time priority, for LONG_WORK. One that runs out of its
 * share nevertheless (SIGXCPU) is on a machine too slow for it (an emulated one), or has a very short interval, and would
 * be kept waiting again and again: it has real-time priority for TOO_SLOW.
 *
 * The class needs CAP_SYS_NICE and all processors; where it is not granted the real-time priority that the side has given
 * stays, and where that is missing, the best nice value. A core that does not sleep any more is ended, and started again:
 * RLIMIT_RTTIME, which counts in real-time priority. */
#include "core/core_priv.h"

#include <errno.h>
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
#define LONG_WORK DUR_S(3)
#define TOO_SLOW DUR_S(600)

/* include/uapi/linux/sched/types.h, which cannot be included beside sched.h. */
struct sched_attr_v1 {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

static _Atomic mono_t lent; /* until when it has real-time priority instead; 0: it has not */
static bool granted;

static bool
ask(const struct sched_attr_v1 *a)
{
	return syscall(SYS_sched_setattr, 0, a, 0) == 0;
}

static bool
by_deadline(void)
{
	const struct sched_attr_v1 a = {
		.size = sizeof(a),
		.policy = SCHED_DEADLINE,
		.flags = SCHED_FLAG_RESET_ON_FORK | SCHED_FLAG_DL_OVERRUN,
		.runtime = CORE_RUN,
		.deadline = CORE_EACH,
		.period = CORE_EACH,
	};

	return ask(&a);
}

/* Also within a signal. */
static void
lend(mono_t until)
{
	const struct sched_attr_v1 a = {
		.size = sizeof(a),
		.policy = SCHED_FIFO,
		.flags = SCHED_FLAG_RESET_ON_FORK,
		.priority = CORE_PRIORITY,
	};

	if ((atomic_load(&lent) != 0 || ask(&a)) && atomic_load(&lent) < until)
		atomic_store(&lent, until);
}

static void
on_overrun(int signo)
{
	int saved = errno;

	(void)signo;
	lend(mono_now() + TOO_SLOW);
	errno = saved;
}

void
core_sched_start(void)
{
	const struct rlimit most = { CORE_BUSY, CORE_BUSY };
	const struct sigaction act = { .sa_handler = on_overrun, .sa_flags = SA_RESTART };

	granted = sigaction(SIGXCPU, &act, NULL) == 0 && by_deadline();
	if (!granted)
		(void)signal(SIGXCPU, SIG_DFL);
	if (granted || sched_getscheduler(0) == SCHED_FIFO)
		(void)setrlimit(RLIMIT_RTTIME, &most);
	else
		(void)setpriority(PRIO_PROCESS, 0, -20);
}

void
core_sched_long(mono_t now)
{
	if (granted)
		lend(now + LONG_WORK);
}

void
core_sched_turn(mono_t now)
{
	mono_t until = atomic_load_explicit(&lent, memory_order_relaxed);

	if (until != 0 && now > until && by_deadline())
		atomic_store(&lent, 0);
}
