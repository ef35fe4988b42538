/* One end of a connection of the bus. Packets that the kernel does not take at once wait in a
 * queue; their own headers say where one ends. The limit of the queue is the caller's business,
 * because only he knows what may be dropped.
 *
 * Reading is bounded: WIRE_BURST packets a turn, so one talkative peer does not starve the others.
 * A packet that is no message of ours ends the connection; one of an unknown type does not.
 *
 * It knows nothing of requests, rights or topics. */
#include "msg/wire_priv.h"
#include "base/must.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define WIRE_BURST 32
#define WIRE_SOCKET_BUFFER (256 * 1024)

size_t
wire_backlog(const struct wire *w)
{
	return w->out.len - w->sent;
}

/* Before its memory is used for something else. */
static void
wipe(struct wire *w)
{
	if (w->keys && w->out.p != NULL)
		explicit_bzero(w->out.p, w->out.cap);
	w->keys = false;
}

static size_t
packet_length(const struct wire *w)
{
	struct rd r = { .p = w->out.p + w->sent, .left = wire_backlog(w) };

	(void)rd_be(&r, 8);
	return MSG_HEADER + (size_t)rd_be(&r, 4);
}

static void
want(struct wire *w)
{
	loop_fd_want(&w->io, LOOP_READ | (wire_backlog(w) > 0 ? LOOP_WRITE : 0));
}

void
wire_cut(struct wire *w)
{
	if (w->fd == -1 || w->cut)
		return;
	w->cut = true;
	wipe(w);
	buf_fini(&w->out);
	w->sent = 0;
	(void)shutdown(w->fd, SHUT_RDWR); /* the loop sees the end of the stream */
	want(w);
}

/* Hands packets to the kernel until it has enough. An error is left for the reader to find. */
static void
flush(struct wire *w)
{
	while (wire_backlog(w) > 0) {
		size_t len = packet_length(w);
		ssize_t n = send(w->fd, w->out.p + w->sent, len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1 && (errno == EAGAIN || errno == ENOBUFS))
			break;
		if (n == -1) {
			wire_cut(w);
			return;
		}
		w->sent += len;
		w->moved = mono_now();
	}
	if (wire_backlog(w) == 0) {
		wipe(w);
		if (w->out.cap > MSG_MAX)
			buf_fini(&w->out);
		w->out.len = w->sent = 0;
	} else if (w->sent > w->out.len / 2) {
		memmove(w->out.p, w->out.p + w->sent, wire_backlog(w));
		w->out.len -= w->sent;
		w->sent = 0;
	}
	want(w);
}

static void
queued(struct wire *w, size_t before)
{
	if (before > 0)
		return; /* the loop is waiting for room already */
	w->moved = mono_now();
	flush(w);
}

void
wire_send(struct wire *w, unsigned number, uint32_t seq, const void *payload)
{
	size_t before = wire_backlog(w);

	if (w->fd == -1 || w->cut)
		return;
	w->keys = w->keys || msg_is_key(number);
	msg_encode(number, seq, payload, &w->out);
	queued(w, before);
}

void
wire_send_packet(struct wire *w, const void *packet, size_t len)
{
	size_t before = wire_backlog(w);

	if (w->fd == -1 || w->cut)
		return;
	buf_put(&w->out, packet, len);
	queued(w, before);
}

static void
closed(struct wire *w, int code, const char *why)
{
	wire_stop(w);
	w->ops->closed(w->arg, code, why);
}

static void
take_packet(struct wire *w, const uint8_t *packet, size_t len)
{
	const struct msg_row *row;
	union msg_any m;
	struct err err;
	unsigned number;
	uint32_t seq;

	if (msg_peek(packet, len, &number, &seq) && msg_row(number) == NULL) {
		w->ops->unknown(w->arg, number, seq);
		return;
	}
	if (msg_decode(packet, len, &row, &seq, &m, &err) != 0) {
		closed(w, err.code, err.text);
		return;
	}
	w->ops->packet(w->arg, row, seq, &m);
}

static void
take_and_wipe(struct wire *w, uint8_t *packet, size_t len)
{
	unsigned number = MSG_NONE;
	uint32_t seq;

	(void)msg_peek(packet, len, &number, &seq);
	take_packet(w, packet, len);
	if (msg_is_key(number))
		explicit_bzero(packet, len);
}

static void
on_io(void *arg, unsigned ready)
{
	/* Packets are handled before the next one is read, and no handler reads. */
	static _Thread_local uint8_t in[MSG_MAX];
	struct wire *w = arg;

	if ((ready & LOOP_WRITE) != 0) {
		flush(w);
		if (wire_backlog(w) == 0 && w->ops->drained != NULL)
			w->ops->drained(w->arg);
	}
	for (int i = 0; i < WIRE_BURST && w->fd != -1 && (ready & LOOP_READ) != 0; i++) {
		ssize_t n = recv(w->fd, in, sizeof(in), MSG_DONTWAIT | MSG_TRUNC);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1 && errno == EAGAIN)
			return;
		if (n == -1)
			closed(w, ERR_AWAY, strerror(errno));
		else if (n == 0)
			closed(w, ERR_AWAY, "connection closed");
		else if ((size_t)n > sizeof(in))
			closed(w, ERR_PROTO, "a packet that is too long");
		else if (!w->cut)
			take_and_wipe(w, in, (size_t)n);
	}
}

void
wire_start(struct wire *w, struct loop *l, int fd, const struct wire_ops *ops, void *arg)
{
	int size = WIRE_SOCKET_BUFFER;

	*w = (struct wire){ .fd = fd, .ops = ops, .arg = arg, .moved = mono_now() };
	(void)setsockopt(
	    fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)); /* else the default does */
	loop_fd_init(&w->io, l, fd, on_io, w);
	loop_fd_want(&w->io, LOOP_READ);
}

void
wire_stop(struct wire *w)
{
	if (w->fd == -1 || w->ops == NULL)
		return;
	loop_fd_fini(&w->io);
	(void)close(w->fd);
	w->fd = -1;
	wipe(w);
	buf_fini(&w->out);
	w->sent = 0;
}

/* One number for this process. */
static uint64_t
boot_number(void)
{
	static _Atomic uint64_t boot;
	uint64_t none = 0;

	(void)atomic_compare_exchange_strong(
	    &boot, &none, (uint64_t)mono_now() << 16 | (getpid() & 0xffff));
	return boot;
}

void
wire_hello(struct wire *w, const char *program)
{
	struct msg_hello m = {
		.program = SPAN(program),
		.version = MSG_VERSION,
		.boot = boot_number(),
		.release = SPAN(LBD_VERSION),
		.pid = (uint32_t)getpid(),
	};

	wire_send(w, MSG_HELLO, 0, &m);
}
