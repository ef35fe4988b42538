/* epoll, and the system calls of the data path.
 *
 * A descriptor is added once for reading and writing, edge-triggered: in the steady state there is no epoll_ctl at all. What
 * the kernel gives back is the descriptor and the serial of its watch; workers have no libevent, whose bookkeeping for each
 * descriptor is more than all of a connection. A descriptor that is closed is not taken out before: the kernel does that.
 * But while a process is being started it has a copy of every descriptor, and then edges may still come; by their serial they
 * are known to be nobody's. Every call returns a count or -errno, and never logs. */
#include "io.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int
poller_init(struct poller *p)
{
	*p = (struct poller){ 0 };
	p->fd = epoll_create1(EPOLL_CLOEXEC);
	return p->fd == -1 ? -errno : 0;
}

void
poller_fini(struct poller *p)
{
	(void)close(p->fd);
	free(p->at);
}

unsigned
poller_wait(struct poller *p, int ms)
{
	int n = epoll_wait(p->fd, p->ready, POLLER_BATCH, ms);

	return n > 0 ? (unsigned)n : 0; /* no error but EINTR: the next turn waits again */
}

/* What an edge means. */
static unsigned
meaning(uint32_t e)
{
	unsigned ready = 0;

	if ((e & EPOLLERR) != 0 || (e & (EPOLLHUP | EPOLLRDHUP)) == EPOLLHUP)
		return IO_READ | IO_WRITE | IO_BROKEN;
	ready |= (e & EPOLLIN) != 0 ? IO_READ : 0;
	ready |= (e & EPOLLOUT) != 0 ? IO_WRITE : 0;
	ready |= (e & EPOLLRDHUP) != 0 ? IO_CLOSED : 0;
	ready |= (e & EPOLLPRI) != 0 ? IO_URGENT : 0;
	return ready;
}

void
poller_tell(struct poller *p, const struct epoll_event *ready)
{
	struct io *io = p->at[ready->data.u64 & UINT32_MAX];

	if (io != NULL && io->serial == ready->data.u64 >> 32)
		io->fn(io, meaning(ready->events));
}

void
io_init(struct io *io, int fd)
{
	*io = (struct io){ .fd = fd };
}

/* A place for the descriptor; 0 or -ENOMEM. */
static int
make_room(struct poller *p, uint32_t fd)
{
	uint32_t size = p->size < 64 ? 64 : p->size;
	struct io **at;

	while (size <= fd)
		size *= 2;
	at = realloc(p->at, size * sizeof(*at));
	if (at == NULL)
		return -ENOMEM;
	memset(at + p->size, 0, (size - p->size) * sizeof(*at));
	p->at = at;
	p->size = size;
	return 0;
}

static int
watch(struct io *io, struct poller *p, uint32_t what, io_fn fn)
{
	uint32_t fd = (uint32_t)io->fd;
	struct epoll_event e = { .events = what, .data.u64 = (uint64_t)++p->serial << 32 | fd };

	if (fd >= p->size && make_room(p, fd) != 0)
		return -ENOMEM;
	if (epoll_ctl(p->fd, EPOLL_CTL_ADD, io->fd, &e) == -1)
		return -errno;
	p->at[fd] = io;
	io->serial = p->serial;
	io->fn = fn;
	return 0;
}

int
io_watch(struct io *io, struct poller *p, io_fn fn)
{
	return watch(io, p, EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLRDHUP | EPOLLET, fn);
}

int
io_watch_read(struct io *io, struct poller *p, io_fn fn)
{
	return watch(io, p, EPOLLIN, fn);
}

static void
forget(struct io *io, struct poller *p)
{
	if (io_watched(io))
		p->at[io->fd] = NULL;
	io_init(io, io->fd);
}

void
io_unwatch(struct io *io, struct poller *p)
{
	if (io_watched(io))
		(void)epoll_ctl(p->fd, EPOLL_CTL_DEL, io->fd, NULL);
	forget(io, p);
}

void
io_close(struct io *io, struct poller *p)
{
	if (io_fd(io) == -1)
		return;
	forget(io, p);
	(void)close(io_fd(io)); /* nothing can be done about an error */
	io_init(io, -1);
}

void
io_reset(struct io *io, struct poller *p)
{
	struct linger now = { .l_onoff = 1, .l_linger = 0 };

	if (io_fd(io) == -1)
		return;
	(void)setsockopt(
	    io_fd(io), SOL_SOCKET, SO_LINGER, &now, sizeof(now)); /* else an ordinary close */
	io_close(io, p);
}

/* A reset, of a socket that can reach nobody but this machine: there is no way for it to leave by (socket(7), SO_BINDTODEVICE). */
void
io_vanish(struct io *io, struct poller *p)
{
	static const char here[] = "lo";

	if (io_fd(io) == -1)
		return;
	(void)setsockopt(
	    io_fd(io), SOL_SOCKET, SO_BINDTODEVICE, here, sizeof(here)); /* else it is told */
	io_reset(io, p);
}

static ssize_t
result(ssize_t n)
{
	return n == -1 ? -errno : n;
}

/* Not recv() and send(): these are places where a thread may be cancelled, and pay for that with two atomic exchanges. */
ssize_t
io_recv(struct io *io, void *p, size_t n)
{
	return result(syscall(SYS_recvfrom, io_fd(io), p, n, MSG_DONTWAIT, NULL, NULL));
}

ssize_t
io_peek(struct io *io)
{
	char c;

	return result(recv(io_fd(io), &c, 1, MSG_PEEK | MSG_DONTWAIT));
}

ssize_t
io_send(struct io *io, const void *p, size_t n, bool more)
{
	int how = MSG_NOSIGNAL | MSG_DONTWAIT | (more ? MSG_MORE : 0);

	return result(syscall(SYS_sendto, io_fd(io), p, n, how, NULL, 0));
}

ssize_t
io_splice_in(struct io *io, int pipe_w, size_t n)
{
	return result(splice(io_fd(io), NULL, pipe_w, NULL, n, SPLICE_F_MOVE | SPLICE_F_NONBLOCK));
}

ssize_t
io_splice_out(struct io *io, int pipe_r, size_t n)
{
	return result(splice(pipe_r, NULL, io_fd(io), NULL, n, SPLICE_F_MOVE | SPLICE_F_NONBLOCK));
}

int
io_shutdown(struct io *io)
{
	return shutdown(io_fd(io), SHUT_WR) == -1 ? -errno : 0;
}

int
io_accept(struct io *io, struct addr *from, uint16_t *port)
{
	struct sockaddr_storage ss = { 0 };
	socklen_t len = sizeof(ss);
	int fd = accept4(io_fd(io), (struct sockaddr *)&ss, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd == -1)
		return -errno;
	if (addr_from_sockaddr((struct sockaddr *)&ss, from, port) != 0) {
		*from = (struct addr){ 0 };
		*port = 0;
	}
	return fd;
}

void
io_defer(int fd, bool on)
{
	int seconds = on ? 1 : 0;

	(void)setsockopt(
	    fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds, sizeof(seconds)); /* only speed */
}
