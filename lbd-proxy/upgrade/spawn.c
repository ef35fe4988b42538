/* Starting the next lbd-proxy.
 *
 * It becomes a child of whoever started this one (CLONE_PARENT): systemd, or lbctl run, sees it end as it would see this one,
 * also when this one ends first. Until it runs the new file it shares our memory and this thread stands still, as vfork(2)
 * has it: so whether the file can be run at all is known at once, and nothing is copied. The file is named as it was when
 * this process began: after an upgrade of the package that name is the new one. */
#include "spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define STACK (256 * 1024)

static char **args;
static char file[512];

void
spawn_remember(char **argv)
{
	ssize_t n = readlink("/proc/self/exe", file, sizeof(file) - 1);

	args = argv;
	file[n > 0 ? n : 0] = '\0';
}

struct becoming {
	int fd, code, death;
	char **env;
	sigset_t mask;
};

/* In the child, with our memory: nothing but system calls. */
static int
become(void *arg)
{
	struct becoming *b = arg;
	struct sigaction usual = { .sa_handler = SIG_DFL };

	for (int s = 1; s < NSIG; s++)
		if (s != SIGKILL && s != SIGSTOP)
			(void)sigaction(s, &usual, NULL); /* some are the C library's own */
	(void)sigprocmask(SIG_SETMASK, &b->mask, NULL);
	(void)prctl(PR_SET_PDEATHSIG, b->death);
	if (fcntl(b->fd, F_SETFD, 0) != -1)
		(void)execve(file, args, b->env);
	b->code = -errno;
	_exit(70);
}

static bool
names(const char *entry, const char *variable)
{
	size_t n = strlen(variable);

	return strncmp(entry, variable, n) == 0 && entry[n] == '=';
}

/* Ours, but for what was meant for this process alone, and with the number of the descriptor. */
static char **
environment(char *variable)
{
	extern char **environ;
	char **env, **to;
	size_t n = 0;

	while (environ[n] != NULL)
		n++;
	to = env = calloc(n + 2, sizeof(*env));
	for (size_t i = 0; env != NULL && i < n; i++)
		if (!names(environ[i], SPAWN_VARIABLE) && !names(environ[i], "WATCHDOG_PID") &&
		    !names(environ[i], "LISTEN_PID") && !names(environ[i], "LISTEN_FDS"))
			*to++ = environ[i];
	if (env != NULL)
		*to = variable;
	return env;
}

static int
start(struct becoming *b, int *pidfd)
{
	const int flags = CLONE_VM | CLONE_VFORK | CLONE_PARENT | CLONE_PIDFD | SIGCHLD;
	char *stack = malloc(STACK);
	sigset_t all;
	int pid;

	if (stack == NULL)
		return -ENOMEM;
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_BLOCK, &all, &b->mask);
	pid = clone(become, stack + STACK, flags, b, pidfd);
	if (pid == -1)
		pid = -errno;
	(void)pthread_sigmask(SIG_SETMASK, &b->mask, NULL);
	free(stack);
	return pid;
}

int
spawn_start(int *pair_out, int *pidfd_out, int *pid_out, struct err *err)
{
	struct becoming b = { 0 };
	char variable[40];
	int pair[2], pidfd = -1, pid, on = 1;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1)
		return err_set(err, -errno, "%s: %s", file, strerror(errno));
	(void)fcntl(pair[0], F_SETFL, O_NONBLOCK);
	(void)setsockopt(pair[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)); /* who speaks there */
	(void)snprintf(variable, sizeof(variable), SPAWN_VARIABLE "=%d", pair[1]);
	b.fd = pair[1];
	(void)prctl(PR_GET_PDEATHSIG, &b.death); /* what our parent asked for counts for it too */
	b.env = environment(variable);
	pid = b.env == NULL ? -ENOMEM : start(&b, &pidfd);
	free(b.env);
	(void)close(pair[1]);
	if (pid < 0 || b.code != 0) {
		(void)close(pair[0]);
		if (pidfd != -1)
			(void)close(pidfd);
		pid = pid < 0 ? pid : b.code;
		return err_set(err, pid, "%s cannot be started: %s", file, strerror(-pid));
	}
	*pair_out = pair[0];
	*pidfd_out = pidfd;
	*pid_out = pid;
	return 0;
}

void
spawn_kill(int pidfd)
{
	if (pidfd != -1)
		(void)syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
}
