/* core_link.c - the core as a process: RUN/lbd-ha.core is its door.
 *
 * Whoever connects to the door gets the shared memory; so a side that was killed finds everything as it was, and nobody
 * serves worse meanwhile. A core of another build is ended first. When the core ends it is started again with the same
 * memory, in which it finds what it was; too often in a row, it waits a second each time. */
#include "core_link.h"

#include "core/core.h"

#include "base/mem.h"
#include "base/must.h"
#include "sys/log.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define AGAIN DUR_MS(2)
#define AGAIN_TIRED DUR_S(1)
#define TIRED 5 /* starts within ten seconds */
#define END_WAIT_MS 3000
#define DEAD_MOST 32 /* more than the core opens in that time */
#define BURY DUR_MS(100)

extern char **environ;

struct core_link {
	struct loop *loop;
	struct core_link_ops ops;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	int region; /* descriptor of the memory */
	struct shared *sh;
	int fd; /* to the core; -1 */
	struct loop_fd io;
	struct loop_timer again, look, bury;
	int dead[DEAD_MOST]; /* sockets that the core is done with */
	unsigned dead_n;
	pid_t pid; /* of a core that we started; 0 */
	unsigned starts, events;
	mono_t first_start;
	bool ending;
	void (*done)(void *arg);
	void *done_arg;
};

/* ---- the memory and the door -------------------------------------------------------------------------------- */

static struct shared *
map_region(int fd)
{
	struct stat st;
	struct shared *sh;

	if (fstat(fd, &st) == -1 || (size_t)st.st_size != sizeof(*sh))
		return NULL;
	sh = mmap(NULL, sizeof(*sh), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (sh == MAP_FAILED)
		return NULL;
	if (sh->magic == SHARED_MAGIC && sh->size == sizeof(*sh))
		return sh;
	(void)munmap(sh, sizeof(*sh));
	return NULL;
}

static int
make_region(struct core_link *k)
{
	k->region = memfd_create("lbd-ha", MFD_CLOEXEC);
	if (k->region == -1 || ftruncate(k->region, sizeof(*k->sh)) == -1)
		return -errno;
	k->sh = mmap(NULL, sizeof(*k->sh), PROT_READ | PROT_WRITE, MAP_SHARED, k->region, 0);
	if (k->sh == MAP_FAILED) {
		k->sh = NULL;
		return -errno;
	}
	k->sh->size = sizeof(*k->sh);
	k->sh->magic = SHARED_MAGIC;
	return 0;
}

static int
connect_door(const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	memcpy(sa.sun_path, path,
	    strlen(path) + 1); /* it fits: core_link_new and core_link_end look */
	if (fd != -1 && connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0)
		return fd;
	if (fd != -1)
		(void)close(fd);
	return -1;
}

/* A packet of the core. 1; 0 at its end; -1 with errno. fd_out: the descriptor that came along, the caller's; -1 none. */
static ssize_t
take_word(int fd, char *word, int *fd_out)
{
	struct iovec iov = { word, 1 };
	union {
		struct cmsghdr h;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	struct msghdr m = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	const struct cmsghdr *h = n > 0 ? CMSG_FIRSTHDR(&m) : NULL;

	*fd_out = -1;
	if (h != NULL && h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_RIGHTS &&
	    h->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(fd_out, CMSG_DATA(h), sizeof(int));
	return n;
}

/* The first packet of the core, with the memory; waits for a moment, since it comes at once or never. -1: none. */
static int
take_region(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char word;
	int region = -1;

	if (poll(&p, 1, 2000) != 1 || take_word(fd, &word, &region) != 1 || word == CORE_HERE)
		return region;
	if (region != -1)
		(void)close(region);
	return -1;
}

static int
open_door(const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), code;

	if (fd == -1)
		return -errno;
	(void)unlink(path);
	memcpy(sa.sun_path, path, strlen(path) + 1);
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0 && chmod(path, 0600) == 0 &&
	    listen(fd, 4) == 0)
		return fd;
	code = -errno;
	(void)close(fd);
	return code;
}

/* ---- the process -------------------------------------------------------------------------------------------- */

/* With real-time priority from its first instruction, where that is allowed: a busy machine must not look like a dead one. */
static int
spawn(struct core_link *k, const posix_spawn_file_actions_t *acts)
{
	const struct sched_param p = { .sched_priority = CORE_PRIORITY };
	char *argv[] = { (char[]){ "lbd-ha" }, (char[]){ "--core" }, NULL };
	posix_spawnattr_t how;
	int code;

	(void)posix_spawnattr_init(&how);
	(void)posix_spawnattr_setschedpolicy(&how, SCHED_FIFO);
	(void)posix_spawnattr_setschedparam(&how, &p);
	(void)posix_spawnattr_setflags(&how, POSIX_SPAWN_SETSCHEDULER);
	code = -posix_spawn(&k->pid, "/proc/self/exe", acts, &how, argv, environ);
	if (code == -EPERM)
		code = -posix_spawn(&k->pid, "/proc/self/exe", acts, NULL, argv, environ);
	(void)posix_spawnattr_destroy(&how);
	return code;
}

static int
start_core(struct core_link *k)
{
	posix_spawn_file_actions_t acts;
	int door = open_door(k->path), code;

	if (door < 0)
		return door;
	(void)posix_spawn_file_actions_init(&acts);
	(void)posix_spawn_file_actions_adddup2(&acts, k->region, 3);
	(void)posix_spawn_file_actions_adddup2(&acts, door, 4);
	code = spawn(k, &acts);
	(void)posix_spawn_file_actions_destroy(&acts);
	(void)close(door);
	if (code != 0)
		k->pid = 0;
	return code;
}

/* ---- what the core is done with ---------------------------------------------------------------------------- */

static void
on_bury(void *arg)
{
	struct core_link *k = arg;

	while (k->dead_n > 0)
		(void)close(k->dead[--k->dead_n]);
}

/* See probe_close: the core must not be the last to close it. */
static void
bury_later(struct core_link *k, int fd)
{
	if (k->dead_n == DEAD_MOST)
		on_bury(k);
	k->dead[k->dead_n++] = fd;
	loop_timer_set(&k->bury, BURY);
}

/* ---- what it says ------------------------------------------------------------------------------------------ */

static void
hear_events(struct core_link *k)
{
	unsigned now = atomic_load(&k->sh->events);

	if (now - k->events > SHARED_EVENTS) {
		k->ops.missed(k->ops.arg, now - k->events - SHARED_EVENTS);
		k->events = now - SHARED_EVENTS;
	}
	while (k->events != now) {
		k->ops.event(k->ops.arg, &k->sh->event[k->events++ % SHARED_EVENTS]);
		atomic_store(&k->sh->heard, k->events);
	}
}

static void
hear(struct core_link *k)
{
	struct shared_is is;

	hear_events(k);
	shared_read(k->sh, &is);
	k->ops.news(k->ops.arg, &is);
	if (shared_want_spare(k->sh) != NULL)
		k->ops.room(k->ops.arg);
}

static void
lose(struct core_link *k)
{
	int status = 0;

	loop_fd_fini(&k->io);
	(void)close(k->fd);
	k->fd = -1;
	if (k->pid != 0)
		(void)waitpid(k->pid, &status, 0); /* it has closed its end: it is at its end */
	k->pid = 0;
	if (k->ending) {
		void (*done)(void *arg) = k->done;

		k->done = NULL;
		if (done != NULL)
			done(k->done_arg);
		return;
	}
	log_warn("the core process ended (%s %d); it is started again",
	    WIFSIGNALED(status) ? "signal" : "exit",
	    WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	loop_timer_set(&k->again, k->starts < TIRED ? 0 : AGAIN_TIRED);
}

static void
on_core(void *arg, unsigned ready)
{
	struct core_link *k = arg;
	char word;
	ssize_t n;
	int fd;

	(void)ready;
	while ((n = take_word(k->fd, &word, &fd)) > 0)
		if (fd != -1)
			bury_later(k, fd);
	if (n == 0 || (n == -1 && errno != EAGAIN && errno != EINTR)) {
		hear_events(k); /* its last words */
		lose(k);
		return;
	}
	hear(k);
}

static void
on_again(void *arg)
{
	struct core_link *k = arg;
	mono_t now = mono_now();
	int region;

	if (now - k->first_start > DUR_S(10)) {
		k->first_start = now;
		k->starts = 0;
	}
	k->starts++;
	if (start_core(k) == 0)
		k->fd = connect_door(k->path);
	if (k->fd == -1) {
		loop_timer_set(&k->again, AGAIN_TIRED);
		return;
	}
	region = take_region(k->fd);
	if (region != -1)
		(void)close(region); /* it is the one that we have */
	loop_fd_init(&k->io, k->loop, k->fd, on_core, k);
	loop_fd_want(&k->io, LOOP_READ);
	core_link_poke(k);
}

/* What the core shows without a word: losses, round trips. */
static void
on_look(void *arg)
{
	struct core_link *k = arg;

	if (k->fd != -1)
		hear(k);
	loop_timer_set(&k->look, DUR_S(1));
}

/* A core that runs already, of our build. */
static bool
adopt(struct core_link *k)
{
	int fd = connect_door(k->path), region = fd != -1 ? take_region(fd) : -1;
	char word = CORE_CLEAR;

	k->sh = region != -1 ? map_region(region) : NULL;
	if (k->sh != NULL) {
		k->fd = fd;
		k->region = region;
		k->events = atomic_load(&k->sh->heard);
		atomic_store(&k->sh->say.stop, false);
		loop_fd_init(&k->io, k->loop, fd, on_core, k);
		loop_fd_want(&k->io, LOOP_READ);
		return true;
	}
	if (region != -1)
		(void)close(region);
	if (fd != -1) {
		(void)send(fd, &word, 1, MSG_NOSIGNAL);
		(void)close(fd);
	}
	return false;
}

struct core_link *
core_link_new(
    struct loop *l, const struct paths *p, const struct core_link_ops *ops, struct err *err)
{
	struct core_link *k = mem_alloc(sizeof(*k));
	int code = 0, len;

	k->loop = l;
	k->ops = *ops;
	k->fd = k->region = -1;
	len = snprintf(k->path, sizeof(k->path), "%s/lbd-ha.core", p->run);
	loop_timer_init(&k->again, l, on_again, k);
	loop_timer_init(&k->look, l, on_look, k);
	loop_timer_init(&k->bury, l, on_bury, k);
	if (len < 0 || (size_t)len >= sizeof(k->path))
		code = -ENAMETOOLONG;
	if (code == 0 && !adopt(k)) {
		code = make_region(k);
		if (code == 0)
			loop_timer_set(&k->again, 0);
	}
	if (code != 0) {
		(void)err_set(err, code, "the core process cannot be made: %s", strerror(-code));
		core_link_free(k);
		return NULL;
	}
	loop_timer_set(&k->look, DUR_S(1));
	return k;
}

void
core_link_free(struct core_link *k)
{
	if (k == NULL)
		return;
	loop_timer_fini(&k->again);
	loop_timer_fini(&k->look);
	loop_timer_fini(&k->bury);
	on_bury(k);
	if (k->fd != -1) {
		loop_fd_fini(&k->io);
		(void)close(k->fd);
	}
	if (k->sh != NULL)
		(void)munmap(k->sh, sizeof(*k->sh));
	if (k->region != -1)
		(void)close(k->region);
	free(k);
}

/* Waits until the other end is closed, END_WAIT_MS at most. */
static void
wait_end(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char words[64];
	ssize_t n = 1;

	while (n > 0 && poll(&p, 1, END_WAIT_MS) == 1)
		n = recv(fd, words, sizeof(words), 0);
}

void
core_link_clear(struct core_link *k)
{
	char word = CORE_CLEAR;

	k->ending = true;
	if (k->fd != -1 && send(k->fd, &word, 1, MSG_NOSIGNAL) == 1)
		wait_end(k->fd);
	if (k->pid != 0)
		(void)waitpid(k->pid, NULL, WNOHANG);
	core_link_free(k);
}

void
core_link_leave(struct core_link *k, void (*done)(void *arg), void *arg)
{
	k->ending = true;
	k->done = done;
	k->done_arg = arg;
	atomic_store(&k->sh->say.stop, true);
	loop_timer_cancel(&k->again);
	if (k->fd == -1)
		loop_defer(k->loop, done, arg);
	else
		core_link_poke(k);
}

struct shared_want *
core_link_edit(struct core_link *k)
{
	struct shared_want *w = shared_want_spare(k->sh);

	if (w != NULL)
		memset(w, 0, sizeof(*w));
	return w;
}

void
core_link_commit(struct core_link *k)
{
	shared_want_commit(k->sh);
	core_link_poke(k);
}

struct shared_say *
core_link_say(struct core_link *k)
{
	return &k->sh->say;
}

void
core_link_poke(struct core_link *k)
{
	char word = CORE_LOOK;

	if (k->fd != -1)
		(void)send(k->fd, &word, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

void
core_link_is(const struct core_link *k, struct shared_is *out)
{
	shared_read(k->sh, out);
}

int
core_link_error(const struct core_link *k, uint32_t i)
{
	must(i < SHARED_ADDRS);
	return atomic_load_explicit(
	    &k->sh->error[atomic_load(&k->sh->taken) & 1][i], memory_order_relaxed);
}

void
core_link_end(const struct paths *p)
{
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)], word = CORE_CLEAR;
	int fd;

	fd = snprintf(path, sizeof(path), "%s/lbd-ha.core", p->run) < (int)sizeof(path)
		 ? connect_door(path)
		 : -1;
	if (fd == -1)
		return;
	if (send(fd, &word, 1, MSG_NOSIGNAL) == 1)
		wait_end(fd);
	(void)close(fd);
	(void)unlink(path);
}
