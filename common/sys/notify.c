/* What systemd wants to hear from a service, and what it hands over: sd_notify(3) and
 * sd_listen_fds(3) in some lines, so that no daemon needs libsystemd. Everything here does
 * nothing when systemd did not start the process. Messages are lost rather than waited for. */
#include "sys/notify.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define LISTEN_FIRST 3 /* SD_LISTEN_FDS_START */

static bool mute;

static void
tell(const char *text)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	size_t len;
	int fd;

	if (mute || path == NULL || (path[0] != '/' && path[0] != '@'))
		return;
	len = strlen(path);
	if (len >= sizeof(sa.sun_path))
		return;
	memcpy(sa.sun_path, path, len);
	if (path[0] == '@')
		sa.sun_path[0] = '\0'; /* abstract: its name has no end mark */
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return;
	(void)sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&sa,
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
	(void)close(fd);
}

void
notify_ready(void)
{
	tell("READY=1");
}

void
notify_stopping(void)
{
	tell("STOPPING=1");
}

void
notify_reloading(void)
{
	char text[80];

	/* Type=notify-reload wants the instant beside it. */
	(void)snprintf(
	    text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%lld", (long long)mono_now());
	tell(text);
}

void
notify_status(const char *fmt, ...)
{
	char text[300] = "STATUS=";
	size_t at = strlen(text);
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text + at, sizeof(text) - at, fmt, ap);
	va_end(ap);
	for (char *c = text + at; *c != '\0'; c++)
		if (*c == '\n')
			*c = ' ';
	tell(text);
}

void
notify_watchdog(void)
{
	tell("WATCHDOG=1");
}

void
notify_main(int pid)
{
	char text[40];

	(void)snprintf(text, sizeof(text), "MAINPID=%d", pid);
	tell(text);
}

void
notify_mute(bool on)
{
	mute = on;
}

/* Whether a variable with a process number means this process; absent is yes. */
static bool
for_us(const char *variable)
{
	const char *pid = getenv(variable);

	return pid == NULL || strtol(pid, NULL, 10) == (long)getpid();
}

dur_t
notify_watchdog_interval(void)
{
	const char *text = getenv("WATCHDOG_USEC");
	long long us = text != NULL ? strtoll(text, NULL, 10) : 0;

	return us > 0 && for_us("WATCHDOG_PID") ? us / 2 : 0;
}

/* The at-th of the names "a:b:c". */
static bool
name_is(const char *names, int at, const char *name)
{
	size_t len = strlen(name);

	for (; names != NULL && at > 0; at--) {
		names = strchr(names, ':');
		names = names != NULL ? names + 1 : NULL;
	}
	return names != NULL && strncmp(names, name, len) == 0 &&
	       (names[len] == ':' || names[len] == '\0');
}

int
notify_listen_fds(const char *name, int *fds, int max)
{
	const char *text = getenv("LISTEN_FDS"), *names = getenv("LISTEN_FDNAMES");
	int given = text != NULL ? (int)strtol(text, NULL, 10) : 0, n = 0;

	if (getenv("LISTEN_PID") == NULL || !for_us("LISTEN_PID"))
		return 0;
	for (int i = 0; i < given && n < max; i++) {
		int fd = LISTEN_FIRST + i, flags = fcntl(fd, F_GETFD);

		if (flags == -1 || (name != NULL && !name_is(names, i, name)))
			continue;
		(void)fcntl(fd, F_SETFD, flags | FD_CLOEXEC);
		flags = fcntl(fd, F_GETFL);
		if (flags != -1)
			(void)fcntl(fd, F_SETFL, flags | O_NONBLOCK);
		fds[n++] = fd;
	}
	return n;
}
