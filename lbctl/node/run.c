/* lbctl run: keeps the daemons running in the foreground where there is no systemd. Starts each, starts it again after
 * exit 70, 75 or a signal (200 ms at first, up to 5 s), leaves alone one that ended on purpose or cannot start, and stops
 * all in the opposite order on SIGTERM, SIGINT or the end of --for; then lbd-ha --release takes the addresses away.
 *
 * A daemon may be followed by another process of its own (lbctl upgrade), which is a child of ours too. Which of them is the
 * daemon, it says itself (STATUS): asked when one of them ends, and before they are stopped. */
#include "run.h"
#include "ctl.h"

#include "msg/client.h"

#include <errno.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define BACKOFF_FIRST DUR_MS(200)
#define BACKOFF_MOST DUR_S(5)
#define STEADY DUR_S(10) /* who ran that long begins at the first backoff again */
#define STOP_MOST DUR_S(40)
#define RUN_MOST 8

struct child {
	const struct run_daemon *d;
	char path[512];
	pid_t pid; /* 0: does not run */
	mono_t started, again_at;
	dur_t backoff;
	bool given_up;
};
struct run {
	struct ctl *c;
	struct child child[RUN_MOST];
	unsigned n;
	bool drop, stopping;
};

static void
start(struct run *r, struct child *k, const char *extra)
{
	const char *argv[6] = { k->path };
	unsigned n = 1;

	argv[n++] = extra != NULL ? extra : "-f";
	if (r->c->paths.root[0] != '\0') {
		argv[n++] = "--root";
		argv[n++] = r->c->paths.root;
	}
	argv[n] = NULL;
	(void)fflush(stdout);
	k->started = mono_now();
	k->pid = fork();
	if (k->pid == 0)
		run_exec(k->d, k->path, r->drop, argv);
	if (k->pid == -1) {
		ctl_note(r->c, "%s: %s; again in a moment", k->d->name, strerror(errno));
		k->pid = 0;
		k->again_at = mono_now() + BACKOFF_MOST;
		return;
	}
	if (extra == NULL)
		ctl_note(r->c, "%s: pid %d", k->d->name, (int)k->pid);
}

static const char *
how(int status, char out[40])
{
	if (WIFSIGNALED(status))
		(void)snprintf(out, 40, "ended by signal %d", WTERMSIG(status));
	else
		(void)snprintf(out, 40, "ended with %d", WEXITSTATUS(status));
	return out;
}

static int
on_daemon(void *arg, const struct msg_row *row, const union msg_any *m)
{
	if (row->number == MSG_DAEMON)
		*(pid_t *)arg = (pid_t)m->daemon.pid;
	return 0;
}

/* The process that is the daemon, when that is a child of ours; 0: nobody answers. */
static pid_t
who_serves(const struct run *r, const struct child *k)
{
	const struct msg_empty none = { 0 };
	struct client *c;
	siginfo_t info;
	pid_t pid = 0;

	if (client_open(&r->c->paths, k->d->name, &c, NULL) != 0)
		return 0;
	(void)client_call(c, MSG_STATUS, &none, on_daemon, &pid, DUR_S(2), NULL);
	client_close(c);
	return pid != 0 && waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 ? pid
											     : 0;
}

/* One process has followed another. */
static bool
follow(struct run *r, struct child *k)
{
	pid_t pid = who_serves(r, k);

	if (pid == 0)
		return false;
	if (pid != k->pid)
		ctl_note(r->c, "%s: pid %d goes on", k->d->name, (int)pid);
	k->pid = pid;
	k->started = mono_now();
	return true;
}

static void
ended(struct run *r, struct child *k, int status)
{
	bool again = WIFSIGNALED(status) || WEXITSTATUS(status) == 70 || WEXITSTATUS(status) == 75;
	char text[40], wait[24];

	k->pid = 0;
	if (!again && !r->stopping && follow(r, k))
		return;
	if (r->stopping) {
		if (WIFSIGNALED(status) || WEXITSTATUS(status) != 0)
			ctl_note(r->c, "%s: %s", k->d->name, how(status, text));
		return;
	}
	if (!again) {
		k->given_up = true;
		ctl_note(r->c, "%s: %s; not started again", k->d->name, how(status, text));
		return;
	}
	if (mono_now() - k->started > STEADY || k->backoff == 0)
		k->backoff = BACKOFF_FIRST;
	human_dur(k->backoff, wait);
	ctl_note(r->c, "%s: %s; again in %s", k->d->name, how(status, text), wait);
	k->again_at = mono_now() + k->backoff;
	k->backoff = k->backoff * 2 > BACKOFF_MOST ? BACKOFF_MOST : k->backoff * 2;
}

/* A process that we did not start: it followed a daemon, and is that daemon or not yet. */
static void
lost_one(struct run *r, int status)
{
	for (unsigned i = 0; i < r->n; i++) {
		struct child *k = &r->child[i];

		if (strcmp(k->d->name, "lbd-proxy") == 0 && k->pid > 0 && who_serves(r, k) == 0)
			ended(r, k, status);
	}
}

static void
reap(struct run *r)
{
	int status;
	unsigned i;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (i = 0; i < r->n; i++)
			if (r->child[i].pid == pid)
				break;
		if (i < r->n)
			ended(r, &r->child[i], status);
		else if (!r->stopping && (WIFSIGNALED(status) || WEXITSTATUS(status) != 0))
			lost_one(r, status);
	}
}

/* Starts what is due; the time until the next that will be. -1: nothing runs and nothing will. */
static dur_t
start_due(struct run *r)
{
	dur_t next = DUR_S(3600);
	mono_t now = mono_now();
	bool alive = false;
	unsigned i;

	for (i = 0; i < r->n; i++) {
		struct child *k = &r->child[i];

		if (k->pid == 0 && !k->given_up && k->again_at <= now)
			start(r, k, NULL);
		if (k->pid == 0 && !k->given_up && k->again_at - now < next)
			next = k->again_at - now;
		alive = alive || !k->given_up;
	}
	return alive ? next : -1;
}

/* A signal of the set, or 0 after wait. */
static int
next_signal(const sigset_t *set, dur_t wait)
{
	struct timespec ts = { .tv_sec = wait / 1000000, .tv_nsec = wait % 1000000 * 1000 };
	int s = sigtimedwait(set, NULL, &ts);

	return s > 0 ? s : 0;
}

static void
stop_one(struct run *r, struct child *k, const sigset_t *set)
{
	mono_t end = mono_now() + STOP_MOST;
	int s;

	(void)kill(k->pid, SIGTERM);
	while (k->pid != 0 && mono_now() < end) {
		s = next_signal(set, DUR_MS(500));
		reap(r);
		if (k->pid != 0 && (s == SIGTERM || s == SIGINT))
			(void)kill(k->pid, SIGTERM); /* the second one ends it at once */
	}
	if (k->pid == 0)
		return;
	ctl_note(r->c, "%s: does not end; killed", k->d->name);
	(void)kill(k->pid, SIGKILL);
	while (waitpid(k->pid, NULL, 0) == -1 && errno == EINTR)
		;
	k->pid = 0;
}

static void
release(struct run *r)
{
	unsigned i;
	int status;

	for (i = 0; i < r->n; i++) {
		struct child *k = &r->child[i];

		if (strcmp(k->d->name, "lbd-ha") != 0)
			continue;
		start(r, k, "--release");
		while (k->pid > 0 && waitpid(k->pid, &status, 0) == -1)
			if (errno != EINTR)
				break;
		k->pid = 0;
	}
}

static void
supervise(struct run *r, const sigset_t *set)
{
	mono_t end =
	    GIVEN(r->c, duration) ? mono_now() + DUR_MS(r->c->num[OPT_duration]) : INT64_MAX;
	dur_t wait;
	unsigned i;
	int s = 0;

	while (s != SIGTERM && s != SIGINT && mono_now() < end) {
		wait = start_due(r);
		if (wait < 0)
			break;
		if (end - mono_now() < wait)
			wait = end - mono_now();
		s = next_signal(set, wait > 0 ? wait : 0);
		reap(r);
	}
	for (i = 0; i < r->n; i++)
		if (r->child[i].pid > 0 && strcmp(r->child[i].d->name, "lbd-proxy") == 0)
			(void)follow(r, &r->child[i]);
	r->stopping = true;
	for (i = r->n; i > 0; i--)
		if (r->child[i - 1].pid > 0)
			stop_one(r, &r->child[i - 1], set);
	release(r);
}

static int
find_programs(struct run *r, struct err *err)
{
	unsigned i;

	for (i = 0; i < run_daemons_n; i++) {
		struct child *k = &r->child[r->n];

		k->d = &run_daemons[i];
		if (run_find(k->d->name, k->path))
			r->n++;
		else if (strcmp(k->d->name, "lbd-ipvs") != 0) /* layer 4 may be left out */
			return err_set(err, ERR_UNKNOWN,
			    "run: %s is neither beside lbctl nor in PATH", k->d->name);
	}
	return 0;
}

/* Each daemon gets its own user when that is possible and the folders are the machine's own. */
static int
choose_user(struct run *r, struct err *err)
{
	const struct passwd *pw = getpwuid(geteuid());

	r->drop = geteuid() == 0 && r->c->paths.root[0] == '\0' && run_users_exist();
	if (r->drop)
		return run_own_folder(r->c->paths.run, err);
	ctl_note(r->c, "the daemons run as %s, without users of their own",
	    pw != NULL ? pw->pw_name : "this user");
	return 0;
}

int
cmd_run(struct ctl *c, struct err *err)
{
	struct run r = { .c = c };
	bool failed = true;
	sigset_t set;
	unsigned i;
	int rc = find_programs(&r, err);

	if (rc == 0)
		rc = paths_make(&c->paths, err);
	if (rc == 0)
		rc = choose_user(&r, err);
	if (rc == 0) {
		/* The first who needs a store makes it; one that is damaged is said by each daemon. */
		struct err why;

		if (ctl_store(c, true, &why) != 0)
			ctl_note(c, "%s", why.text);
		store_close(c->store);
		c->store = NULL;
	}
	if (rc != 0)
		return rc;
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	supervise(&r, &set);
	for (i = 0; i < r.n; i++)
		failed = failed && r.child[i].given_up;
	return failed ? err_set(err, -ECHILD, "run: no daemon could be kept running") : 0;
}
