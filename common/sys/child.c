/* A program run beside the loop, and what becomes of it.
 *
 * Three pipes and a process descriptor hang on the loop. The child is started by posix_spawn, so a daemon with much
 * memory need not copy its page tables, and it leads a process group, so whatever it started ends with it. The
 * process descriptor becomes readable when it has ended: no SIGCHLD, so any part of a program, in any thread, may
 * have children.
 *
 * The end is the end of the process, not of its output: a descendant that keeps the pipe open cannot hold us. What
 * is in the pipes then still counts. More output than wanted is read and dropped, so nobody waits for a full pipe.
 *
 * This file does not know what it runs, and judges no result. */
#include "sys/child.h"

#include "base/buf.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/must.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILD_MAGIC 0xc411d001
#define PIECE 16384	    /* read at once */
#define PIPE_MOST (1 << 20) /* a pipe holds no more */

struct output {
	struct loop_fd io;
	int fd; /* -1: ended */
	struct buf b;
	struct child *c;
};
struct child {
	uint32_t magic;
	struct loop *loop;
	pid_t pid;
	int pidfd;
	struct loop_fd end, feed;
	struct loop_timer deadline;
	int input_fd; /* -1: all was written, or it reads no more */
	uint8_t *input;
	size_t input_len, input_at;
	struct output out, err;
	size_t output_max;
	bool late, cut, ended, stopped;
	void (*done)(void *arg, const struct child_result *r);
	void *arg;
};

static void
close_fd(struct loop_fd *io, int *fd)
{
	loop_fd_fini(io);
	if (*fd != -1)
		(void)close(*fd);
	*fd = -1;
}

static void
child_free(struct child *c)
{
	loop_timer_fini(&c->deadline);
	close_fd(&c->end, &c->pidfd);
	close_fd(&c->feed, &c->input_fd);
	close_fd(&c->out.io, &c->out.fd);
	close_fd(&c->err.io, &c->err.fd);
	buf_fini(&c->out.b);
	buf_fini(&c->err.b);
	free(c->input);
	c->magic = 0;
	free(c);
}

/* What is there now; as read(2) says. */
static ssize_t
take_output(struct output *o)
{
	size_t room = o->c->output_max - o->b.len;
	uint8_t piece[PIECE];
	ssize_t n = read(o->fd, piece, sizeof(piece));

	if (n <= 0)
		return n;
	if ((size_t)n > room)
		o->c->cut = true;
	buf_put(&o->b, piece, (size_t)n < room ? (size_t)n : room);
	return n;
}

static void
on_output(void *arg, unsigned ready)
{
	struct output *o = arg;
	ssize_t n;

	(void)ready;
	must_obj(o->c, CHILD_MAGIC);
	n = take_output(o);
	if (n == 0 || (n == -1 && errno != EAGAIN && errno != EINTR))
		close_fd(&o->io, &o->fd);
}

/* The rest after its end: what the pipe holds, whoever could still write to it. */
static void
drain(struct output *o)
{
	for (unsigned i = 0; o->fd != -1 && i < PIPE_MOST / PIECE; i++)
		if (take_output(o) <= 0)
			break;
}

static void
on_feed(void *arg, unsigned ready)
{
	struct child *c = arg;
	ssize_t n;

	(void)ready;
	must_obj(c, CHILD_MAGIC);
	n = write(c->input_fd, c->input + c->input_at, c->input_len - c->input_at);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		c->input_at += (size_t)n;
	if (n == -1 || c->input_at == c->input_len)
		close_fd(&c->feed, &c->input_fd);
}

static void
tell(void *arg)
{
	struct child *c = arg;
	struct child_result r = { .code = -1, .late = c->late };
	siginfo_t info = { 0 };

	must_obj(c, CHILD_MAGIC);
	/* It is a zombie until it is waited for, so its group is still its own. */
	(void)kill(-c->pid, SIGKILL);
	drain(&c->out);
	drain(&c->err);
	(void)waitid(P_PID, (id_t)c->pid, &info, WEXITED);
	if (info.si_code == CLD_EXITED)
		r.code = info.si_status;
	else
		r.signo = info.si_status;
	r.cut = c->cut;
	r.out = buf_text(&c->out.b);
	r.out_len = c->out.b.len;
	r.err = buf_text(&c->err.b);
	r.err_len = c->err.b.len;
	if (!c->stopped)
		c->done(c->arg, &r);
	child_free(c);
}

static void
on_end(void *arg, unsigned ready)
{
	struct child *c = arg;

	(void)ready;
	must_obj(c, CHILD_MAGIC);
	loop_fd_want(&c->end, 0);
	c->ended = true;
	loop_defer(c->loop, tell, c);
}

static void
on_deadline(void *arg)
{
	struct child *c = arg;

	must_obj(c, CHILD_MAGIC);
	if (c->ended)
		return;
	c->late = true;
	(void)kill(-c->pid, SIGKILL);
}

/* Both ends close on exec; ours does not block. */
static int
make_pipe(int fd[2], int ours)
{
	if (pipe2(fd, O_CLOEXEC) == -1)
		return -errno;
	return fcntl(fd[ours], F_SETFL, O_NONBLOCK) == -1 ? -errno : 0;
}

/* The environment of this process, but LC_ALL=C: words of programs are read, and sorted, as written. */
static const char **
own_env(void)
{
	size_t n = 0;
	const char **env;

	while (environ[n] != NULL)
		n++;
	env = mem_alloc((n + 2) * sizeof(*env));
	n = 0;
	for (char **e = environ; *e != NULL; e++)
		if (strncmp(*e, "LC_ALL=", 7) != 0)
			env[n++] = *e;
	env[n++] = "LC_ALL=C";
	env[n] = NULL;
	return env;
}

/* The file of a program: as it is, or the first in the path that can be run. */
static void
find_program(const char *name, char *out, size_t room)
{
	const char *path = getenv("PATH"), *end;

	(void)snprintf(out, room, "%s", name);
	if (strchr(name, '/') != NULL)
		return;
	for (const char *p = path != NULL && path[0] != '\0' ? path : CHILD_PATH;; p = end + 1) {
		end = strchrnul(p, ':');
		(void)snprintf(out, room, "%.*s/%s", (int)(end - p), p, name);
		if (access(out, X_OK) == 0)
			return;
		if (*end == '\0')
			break;
	}
	(void)snprintf(out, room, "/nonexistent/%s", name);
}

/* in, out, err: its ends. 0 or -errno. */
static int
spawn(const struct child_spec *spec, int in, int out, int err, pid_t *pid)
{
	const char **made = spec->env == NULL ? own_env() : NULL;
	union {
		const char *const *from;
		char *const *to;
	} argv = { spec->argv }, env = { spec->env != NULL ? spec->env : made };
	char file[4096];
	posix_spawn_file_actions_t act;
	posix_spawnattr_t attr;
	sigset_t all, none;
	int rc;

	(void)sigfillset(&all);
	(void)sigemptyset(&none);
	find_program(spec->argv[0], file, sizeof(file));
	must(posix_spawn_file_actions_init(&act) == 0 && posix_spawnattr_init(&attr) == 0);
	must(posix_spawnattr_setflags(&attr,
		 POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK) == 0);
	must(posix_spawnattr_setpgroup(&attr, 0) == 0);
	must(posix_spawnattr_setsigdefault(&attr, &all) == 0);
	must(posix_spawnattr_setsigmask(&attr, &none) == 0);
	must(posix_spawn_file_actions_adddup2(&act, in, 0) == 0);
	must(posix_spawn_file_actions_adddup2(&act, out, 1) == 0);
	must(posix_spawn_file_actions_adddup2(&act, err, 2) == 0);
	must(posix_spawn_file_actions_addclosefrom_np(&act, 3) == 0);
	must(posix_spawn_file_actions_addchdir_np(&act, "/") == 0);
	rc = posix_spawn(pid, file, &act, &attr, argv.to, env.to);
	(void)posix_spawn_file_actions_destroy(&act);
	(void)posix_spawnattr_destroy(&attr);
	free(made);
	return -rc;
}

/* Its ends must lie above 2, or one dup2 would overwrite another. */
static int
lift(int *fd)
{
	int high = *fd > 2 ? *fd : fcntl(*fd, F_DUPFD_CLOEXEC, 3);

	if (high == -1)
		return -errno;
	if (high != *fd)
		(void)close(*fd);
	*fd = high;
	return 0;
}

static void
close_all(const int *fd, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (fd[i] != -1)
			(void)close(fd[i]);
}

static void
watch(struct child *c)
{
	loop_timer_init(&c->deadline, c->loop, on_deadline, c);
	loop_fd_init(&c->end, c->loop, c->pidfd, on_end, c);
	loop_fd_want(&c->end, LOOP_READ);
	loop_fd_init(&c->out.io, c->loop, c->out.fd, on_output, &c->out);
	loop_fd_want(&c->out.io, LOOP_READ);
	loop_fd_init(&c->err.io, c->loop, c->err.fd, on_output, &c->err);
	loop_fd_want(&c->err.io, LOOP_READ);
	if (c->input_len == 0) {
		close_fd(&c->feed, &c->input_fd);
	} else {
		loop_fd_init(&c->feed, c->loop, c->input_fd, on_feed, c);
		loop_fd_want(&c->feed, LOOP_WRITE);
	}
}

int
child_start(struct child **out, struct loop *l, const struct child_spec *spec, struct err *err)
{
	int fd[6] = { -1, -1, -1, -1, -1, -1 }, rc, pidfd = -1; /* in: 0 1, out: 2 3, err: 4 5 */
	struct child *c;
	pid_t pid = -1;

	must(spec->limit > 0 && spec->done != NULL);
	rc = make_pipe(fd, 1);
	if (rc == 0)
		rc = make_pipe(fd + 2, 0);
	if (rc == 0)
		rc = make_pipe(fd + 4, 0);
	for (unsigned i = 0; rc == 0 && i < 6; i++)
		rc = lift(&fd[i]);
	if (rc == 0)
		rc = spawn(spec, fd[0], fd[3], fd[5], &pid);
	if (rc == 0) {
		pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
		if (pidfd == -1) {
			rc = -errno;
			(void)kill(-pid, SIGKILL);
			(void)waitpid(pid, NULL, 0);
		}
	}
	if (rc != 0) {
		close_all(fd, 6);
		return err_set(err, rc, "%s cannot be run: %s", spec->argv[0], strerror(-rc));
	}
	close_all((const int[]){ fd[0], fd[3], fd[5] }, 3);
	c = mem_alloc(sizeof(*c));
	*c = (struct child){ .magic = CHILD_MAGIC, .loop = l, .pid = pid, .pidfd = pidfd };
	c->input_fd = fd[1];
	c->input_len = spec->input_len;
	c->input = mem_alloc(spec->input_len + 1);
	if (spec->input_len > 0)
		memcpy(c->input, spec->input, spec->input_len);
	c->out = (struct output){ .fd = fd[2], .c = c };
	c->err = (struct output){ .fd = fd[4], .c = c };
	c->output_max = spec->output_max;
	c->done = spec->done;
	c->arg = spec->arg;
	watch(c);
	loop_timer_set(&c->deadline, spec->limit);
	if (out != NULL)
		*out = c;
	return 0;
}

void
child_stop(struct child *c)
{
	if (c == NULL)
		return;
	must_obj(c, CHILD_MAGIC);
	c->stopped = true;
	if (c->ended)
		return; /* tell is on its way */
	(void)kill(-c->pid, SIGKILL);
	(void)waitpid(c->pid, NULL, 0);
	child_free(c);
}

int
child_pid(const struct child *c)
{
	return c->pid;
}

struct run {
	struct loop *loop;
	const struct child_spec *spec;
};

static void
run_done(void *arg, const struct child_result *r)
{
	struct run *run = arg;

	run->spec->done(run->spec->arg, r);
	loop_stop(run->loop);
}

int
child_run(const struct child_spec *spec, struct err *err)
{
	struct run run = { .loop = loop_new(), .spec = spec };
	struct child_spec mine = *spec;
	int rc;

	mine.done = run_done;
	mine.arg = &run;
	rc = child_start(NULL, run.loop, &mine, err);
	if (rc == 0)
		rc = loop_run(run.loop);
	loop_free(run.loop);
	return rc;
}
