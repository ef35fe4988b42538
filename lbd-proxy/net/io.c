/* epoll, and the system calls of the data path.
 *
 * A descriptor is added once for reading and writing, edge-triggered: in the steady state there is no epoll_ctl at all. What
 * the kernel gives back is the address of the io, so an edge costs one call; workers have no libevent, whose bookkeeping
 * for each descriptor is more than all of a connection. Every call returns a count or -errno, and never logs. */
#include "io.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/syscall.h>
#include <unistd.h>

int
poller_init(struct poller *p)
{
	p->fd = epoll_create1(EPOLL_CLOEXEC);
	return p->fd == -1 ? -errno : 0;
}

void
poller_fini(struct poller *p)
{
	(void)close(p->fd);
}

unsigned
poller_wait(struct poller *p, int ms)
{
	int n = epoll_wait(p->fd, p->ready, POLLER_BATCH, ms);

	return n > 0 ? (unsigned)n : 0; /* no error but EINTR: the next turn waits again */
}

/* What an edge means. An error, or the end of both directions, shows in whatever is done next. */
static unsigned
meaning(uint32_t e)
{
	unsigned ready = 0;

	if ((e & EPOLLERR) != 0 || (e & (EPOLLHUP | EPOLLRDHUP)) == EPOLLHUP)
		return IO_READ | IO_WRITE;
	ready |= (e & EPOLLIN) != 0 ? IO_READ : 0;
	ready |= (e & EPOLLOUT) != 0 ? IO_WRITE : 0;
	ready |= (e & EPOLLRDHUP) != 0 ? IO_CLOSED : 0;
	ready |= (e & EPOLLPRI) != 0 ? IO_URGENT : 0;
	return ready;
}

void
poller_tell(const struct epoll_event *ready)
{
	struct io *io = ready->data.ptr;

	if (io_watched(io))
		io->fn(io, meaning(ready->events));
}

void
io_init(struct io *io, int fd)
{
	*io = (struct io){ .fd = fd };
}

static int
watch(struct io *io, struct poller *p, uint32_t what, io_fn fn)
{
	struct epoll_event e = { .events = what, .data.ptr = io };

	if (epoll_ctl(p->fd, EPOLL_CTL_ADD, io->fd, &e) == -1)
		return -errno;
	io->fn = fn;
	io->poller = p->fd;
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

/* Not left to close: another process may hold the socket too, and then it would go on telling. */
void
io_unwatch(struct io *io)
{
	if (io_watched(io))
		(void)epoll_ctl(io->poller, EPOLL_CTL_DEL, io->fd, NULL);
	io_init(io, io->fd);
}

void
io_close(struct io *io)
{
	if (io_fd(io) == -1)
		return;
	io_unwatch(io);
	(void)close(io_fd(io)); /* nothing can be done about an error */
	io_init(io, -1);
}

void
io_reset(struct io *io)
{
	struct linger now = { .l_onoff = 1, .l_linger = 0 };

	if (io_fd(io) == -1)
		return;
	(void)setsockopt(
	    io_fd(io), SOL_SOCKET, SO_LINGER, &now, sizeof(now)); /* else an ordinary close */
	io_close(io);
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
io_send(struct io *io, const void *p, size_t n)
{
	return result(syscall(SYS_sendto, io_fd(io), p, n, MSG_NOSIGNAL | MSG_DONTWAIT, NULL, 0));
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
