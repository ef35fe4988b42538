/* The adapter between lbd-proxy and libevent, and the system calls of the data path.
 *
 * One event for reading and writing lies inside the object that owns the socket and is added once, with
 * EV_ET: in the steady state there is no epoll_ctl at all. Every call returns a count or -errno, and never
 * logs. Bufferevents are not used: they copy bulk data and cost a kilobyte for an idle connection. */
#include "io.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

_Static_assert(IO_READ == EV_READ && IO_WRITE == EV_WRITE && IO_CLOSED == EV_CLOSED,
    "edges carry libevent's numbers");

void
io_init(struct io *io, int fd)
{
	io->ev = (struct event){ .ev_fd = fd };
}

static int
watch(struct io *io, struct loop *l, short what, io_fn fn, void *arg)
{
	int fd = io_fd(io);

	if (event_assign(&io->ev, loop_base(l), fd, what | EV_ET | EV_PERSIST, fn, arg) == -1)
		return -EINVAL;
	if (event_add(&io->ev, NULL) == -1) {
		io_init(io, fd);
		return errno != 0 ? -errno : -ENOMEM;
	}
	return 0;
}

int
io_watch(struct io *io, struct loop *l, io_fn fn, void *arg)
{
	return watch(io, l, EV_READ | EV_WRITE | EV_CLOSED, fn, arg);
}

int
io_watch_read(struct io *io, struct loop *l, io_fn fn, void *arg)
{
	return watch(io, l, EV_READ, fn, arg);
}

bool
io_watched(const struct io *io)
{
	return io->ev.ev_base != NULL;
}

void
io_unwatch(struct io *io)
{
	int fd = io_fd(io);

	if (io_watched(io))
		(void)event_del(&io->ev); /* fails for an event that was never added only */
	io_init(io, fd);
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

ssize_t
io_recv(struct io *io, void *p, size_t n)
{
	return result(recv(io_fd(io), p, n, MSG_DONTWAIT));
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
	return result(send(io_fd(io), p, n, MSG_NOSIGNAL | MSG_DONTWAIT));
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
