/* track_watch.c - files, processes and interfaces: the kernel tells when something happens to them.
 *
 * A file is watched by its folder (inotify), since it may be replaced, and there may be none yet. It is read when somebody
 * has closed it after writing, or has put it there or taken it away, never while it is half written. A process is held by
 * a descriptor of its own (pidfd), so another one that gets its number is not taken for it; when it ends, another of that
 * name counts at once. Interfaces are looked at when the kernel says that any of them changed.
 *
 * Only what is missing is looked for again, in the interval of the track: a folder, or a process that may be started. */
#include "track_priv.h"

#include "sys/netlink.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONTENT_MOST 64
#define COMM_MOST 15 /* TASK_COMM_LEN without its end */
#define MASK                                                                                     \
	(IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_DELETE_SELF | \
	    IN_MOVE_SELF)

/* The first bytes of a file; -errno. */
static ssize_t
read_some(const char *path, char *bytes, size_t room)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	ssize_t n;

	if (fd == -1)
		return -errno;
	n = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? read(fd, bytes, room) : -EINVAL;
	if (n == -1)
		n = -errno;
	(void)close(fd);
	return n;
}

static void
drop_fd(struct tracked *t)
{
	if (t->fd == -1)
		return;
	loop_fd_fini(&t->io);
	(void)close(t->fd);
	t->fd = -1;
}

static void
take_fd(struct tracked *t, int fd, void (*fn)(void *arg, unsigned ready))
{
	t->fd = fd;
	loop_fd_init(&t->io, t->all->loop, fd, fn, t);
	loop_fd_want(&t->io, LOOP_READ);
}

/* ---- files ----------------------------------------------------------------------------------------------------- */

static void
look_file(struct tracked *t)
{
	char bytes[CONTENT_MOST] = "";
	ssize_t n = read_some(t->target, bytes, sizeof(bytes));
	int shown = 0;

	if (n < 0) {
		track_result(t, false, "%s", n == -EINVAL ? "not a file" : strerror((int)-n));
		return;
	}
	while (shown < n && shown < 20 && isprint((unsigned char)bytes[shown]))
		shown++;
	track_result(t, judge_file(bytes, (size_t)n), "says \"%.*s\"", shown, bytes);
}

static const char *
name_of(const struct tracked *t)
{
	return strrchr(t->target, '/') + 1;
}

/* True: the file is to be read. gone: the folder is another, or none. */
static bool
look_events(struct tracked *t, const char *bytes, size_t len, bool *gone)
{
	bool read = false;

	while (len >= sizeof(struct inotify_event)) {
		struct inotify_event e;
		const char *name = bytes + sizeof(e);
		struct stat st;

		memcpy(&e, bytes, sizeof(e));
		if (e.len > len - sizeof(e))
			break;
		*gone = *gone || (e.mask & (IN_IGNORED | IN_DELETE_SELF | IN_MOVE_SELF)) != 0;
		read = read || (e.mask & IN_Q_OVERFLOW) != 0;
		if (e.len > 0 && strncmp(name, name_of(t), e.len) == 0)
			/* One that was just made is written next; a link to another is whole. */
			read = read || e.mask != IN_CREATE ||
			       (stat(t->target, &st) == 0 && st.st_size > 0);
		bytes += sizeof(e) + e.len;
		len -= sizeof(e) + e.len;
	}
	return read;
}

static void
on_folder(void *arg, unsigned ready)
{
	struct tracked *t = arg;
	char bytes[4096];
	bool read_it = false, gone = false;
	ssize_t n;

	(void)ready;
	while ((n = read(t->fd, bytes, sizeof(bytes))) > 0)
		read_it |= look_events(t, bytes, (size_t)n, &gone);
	if (gone) {
		drop_fd(t);
		loop_timer_set(&t->due, 0);
		return;
	}
	if (read_it)
		look_file(t);
}

static void
watch_file(struct tracked *t)
{
	char folder[sizeof(t->target)];
	size_t len = (size_t)(name_of(t) - t->target);
	int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

	memcpy(folder, t->target, len);
	folder[len] = '\0';
	if (fd != -1 && inotify_add_watch(fd, folder, MASK | IN_ONLYDIR) != -1) {
		take_fd(t, fd, on_folder);
	} else {
		if (fd != -1)
			(void)close(fd);
		loop_timer_set(&t->due, t->interval);
	}
	look_file(t); /* after the watch: what happens from now on is told */
}

/* ---- processes ------------------------------------------------------------------------------------------------- */

static bool
has_name(int pid, const char *name)
{
	char path[40], comm[COMM_MOST + 2];
	size_t len = strnlen(name, COMM_MOST);
	ssize_t n;

	(void)snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	n = read_some(path, comm, sizeof(comm));
	return n == (ssize_t)len + 1 && memcmp(comm, name, len) == 0;
}

/* A descriptor of a process that lives; -1. A zombie does not live. */
static int
hold_process(int pid, const char *name)
{
	int fd = pidfd_open(pid, 0);
	struct pollfd p = { .fd = fd, .events = POLLIN };

	if (fd == -1)
		return -1;
	/* It may have been another's number until a moment ago: looked at while it is held. */
	if ((name == NULL || has_name(pid, name)) && poll(&p, 1, 0) == 0)
		return fd;
	(void)close(fd);
	return -1;
}

static int
find_process(const char *name, int *pid_out)
{
	DIR *d = opendir("/proc");
	const struct dirent *e;
	int fd = -1;

	while (d != NULL && fd == -1 && (e = readdir(d)) != NULL) {
		int pid = judge_pid(e->d_name, strlen(e->d_name));

		if (pid == 0 || !has_name(pid, name))
			continue;
		fd = hold_process(pid, name);
		*pid_out = pid;
	}
	if (d != NULL)
		(void)closedir(d);
	return fd;
}

static int
open_process(const struct tracked *t, int *pid_out)
{
	char bytes[CONTENT_MOST];
	ssize_t n;

	if (t->target[0] != '/')
		return find_process(t->target, pid_out);
	n = read_some(t->target, bytes, sizeof(bytes));
	*pid_out = n > 0 ? judge_pid(bytes, (size_t)n) : 0;
	return *pid_out != 0 ? hold_process(*pid_out, NULL) : -1;
}

static void on_process(void *arg, unsigned ready);

static void
watch_process(struct tracked *t)
{
	int pid = 0, fd = open_process(t, &pid);

	if (fd != -1) {
		take_fd(t, fd, on_process);
		track_result(t, true, "process %d", pid);
		return;
	}
	track_result(t, false, "no such process");
	loop_timer_set(&t->due, t->interval);
}

/* It ended. */
static void
on_process(void *arg, unsigned ready)
{
	struct tracked *t = arg;

	(void)ready;
	drop_fd(t);
	watch_process(t);
}

/* ---- interfaces ------------------------------------------------------------------------------------------------ */

static void
look_link(struct tracked *t)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq rq = { 0 };

	(void)snprintf(rq.ifr_name, sizeof(rq.ifr_name), "%.15s", t->target);
	if (fd == -1 || (ioctl(fd, SIOCGIFFLAGS, &rq) == -1 && errno != ENODEV))
		track_none(t, "%s", strerror(errno));
	else if (if_nametoindex(rq.ifr_name) == 0)
		track_result(t, false, "no such interface");
	else if ((rq.ifr_flags & IFF_UP) == 0)
		track_result(t, false, "down");
	else
		track_result(t, (rq.ifr_flags & IFF_RUNNING) != 0,
		    (rq.ifr_flags & IFF_RUNNING) != 0 ? "up" : "no carrier");
	if (fd != -1)
		(void)close(fd);
}

static void
on_links(void *arg, unsigned ready)
{
	struct tracker *k = arg;

	(void)ready;
	netlink_watch_drain(k->links);
	for (unsigned i = 0; i < k->n; i++)
		if (k->t[i]->kind == track_kind_interface)
			look_link(k->t[i]);
}

void
track_watch_links(struct tracker *k)
{
	bool need = false;

	for (unsigned i = 0; i < k->n; i++)
		need = need || k->t[i]->kind == track_kind_interface;
	if (need == (k->links != -1))
		return;
	if (!need) {
		loop_fd_fini(&k->links_io);
		(void)close(k->links);
		k->links = -1;
		return;
	}
	k->links = netlink_watch();
	if (k->links < 0) {
		k->links = -1;
		for (unsigned i = 0; i < k->n; i++)
			if (k->t[i]->kind == track_kind_interface)
				loop_timer_set(&k->t[i]->due, k->t[i]->interval);
		return;
	}
	loop_fd_init(&k->links_io, k->loop, k->links, on_links, k);
	loop_fd_want(&k->links_io, LOOP_READ);
	on_links(k, LOOP_READ); /* what happened before it was watched */
}

/* ---------------------------------------------------------------------------------------------------------------- */

void
track_watch_look(struct tracked *t)
{
	switch (t->kind) {
	case track_kind_file:
		if (t->fd == -1)
			watch_file(t);
		else
			look_file(t);
		break;
	case track_kind_process:
		if (t->fd == -1)
			watch_process(t);
		else
			track_result(t, true, "%s", t->text);
		break;
	default:
		look_link(t);
		if (t->all->links == -1)
			loop_timer_set(&t->due, t->interval);
		break;
	}
}

void
track_watch_begin(struct tracked *t)
{
	if (t->kind != track_kind_interface)
		track_watch_look(t);
	else
		look_link(t);
}

void
track_watch_end(struct tracked *t)
{
	drop_fd(t);
}
