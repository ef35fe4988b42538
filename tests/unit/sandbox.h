/* sandbox.h - for tests that need a network or files of the machine of their own: in a child
 * process, new namespaces of network and mounts, through a user namespace when we are not root. */
#ifndef TESTS_UNIT_SANDBOX_H
#define TESTS_UNIT_SANDBOX_H

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define SANDBOX_NONE 77 /* namespaces cannot be had here */

static inline void
sandbox_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd == -1)
		return;
	(void)!write(fd, text, strlen(text));
	(void)close(fd);
}

/* New namespaces with lo up; false: not to be had. */
static inline bool
sandbox_enter(void)
{
	struct ifreq ifr = { .ifr_flags = IFF_UP };
	char map[64];
	unsigned uid = geteuid(), gid = getegid();
	int fd, rc;

	if (uid == 0) {
		if (unshare(CLONE_NEWNET | CLONE_NEWNS) == -1)
			return false;
	} else {
		if (unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWNS) == -1)
			return false;
		sandbox_write("/proc/self/setgroups", "deny");
		(void)snprintf(map, sizeof(map), "0 %u 1", uid);
		sandbox_write("/proc/self/uid_map", map);
		(void)snprintf(map, sizeof(map), "0 %u 1", gid);
		sandbox_write("/proc/self/gid_map", map);
	}
	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == -1)
		return false;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	(void)snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "lo");
	rc = ioctl(fd, SIOCSIFFLAGS, &ifr);
	(void)close(fd);
	return rc == 0;
}

/* Runs fn in a child with namespaces of its own; its status, 0 is good. */
static inline int
sandbox_run(int (*fn)(void))
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0)
		_exit(sandbox_enter() ? fn() : SANDBOX_NONE);
	(void)waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

#endif
