/* One direction of a connection, from socket to socket.
 *
 * Small amounts are copied, because a pipe costs system calls of its own; large ones are spliced, one pipe's content a turn.
 * Nothing is read while the receiving side has bytes that it could not take: so what a slow reader can
 * make us keep is bounded by one turn. Pipes are pooled by the worker. Does not know what the bytes mean, closes
 * nothing and reports nothing; chunked bodies, which must be looked at, do not come through here. */
#include "flow.h"

#include "unsent.h"
#include "worker.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

void
flow_init(struct flow *f, struct conn *from, struct conn *to, uint64_t left)
{
	*f = (struct flow){ .from = from, .to = to, .left = left, .pipe = { -1, -1 } };
}

static bool
pipe_take(struct worker *w, int p[2])
{
	if (w->pipes > 0) {
		w->pipes--;
		p[0] = w->pipe[w->pipes][0];
		p[1] = w->pipe[w->pipes][1];
		return true;
	}
	if (!proxy_fd_take(w->px, 2))
		return false;
	if (pipe2(p, O_NONBLOCK | O_CLOEXEC) == -1) {
		proxy_fd_give(w->px, 2);
		p[0] = p[1] = -1;
		return false;
	}
	(void)fcntl(p[0], F_SETPIPE_SZ, FLOW_PIPE); /* over the user's quota it stays small */
	return true;
}

void
flow_drop_pipe(struct flow *f)
{
	struct worker *w = f->from->w;

	if (f->in_pipe == 0 && w->pipes < PIPES_KEPT) {
		w->pipe[w->pipes][0] = f->pipe[0];
		w->pipe[w->pipes][1] = f->pipe[1];
		w->pipes++;
	} else {
		(void)close(f->pipe[0]);
		(void)close(f->pipe[1]);
		proxy_fd_give(w->px, 2);
	}
	f->pipe[0] = f->pipe[1] = -1;
	f->in_pipe = 0;
}

/* What is in the pipe, to the socket. */
static enum flow_result
empty_pipe(struct flow *f)
{
	ssize_t n;

	while (f->in_pipe > 0) {
		n = io_splice_out(&f->to->io, f->pipe[0], f->in_pipe);
		if (n == -EAGAIN)
			return conn_watch(f->to) ? FLOW_FULL : FLOW_TO;
		if (n <= 0)
			return FLOW_TO;
		f->in_pipe -= (uint32_t)n;
		f->moved = true;
		conn_count_out(f->to, (size_t)n);
	}
	return FLOW_DONE;
}

static enum flow_result
splice_turn(struct flow *f)
{
	size_t most = f->left < FLOW_PIPE ? (size_t)f->left : FLOW_PIPE;
	ssize_t n = io_splice_in(&f->from->io, f->pipe[1], most);
	enum flow_result r;

	if (n == -EAGAIN) {
		f->from->can_read = false;
		f->bulk = f->left != FLOW_ENDLESS;
		if (!f->bulk)
			flow_fini(f);
		return conn_watch(f->from) ? FLOW_EMPTY : FLOW_FROM;
	}
	if (n < 0)
		return FLOW_FROM;
	if (n == 0) {
		f->from->eof = true;
		return FLOW_END;
	}
	f->in_pipe = (uint32_t)n;
	f->moved = true;
	if (f->left != FLOW_ENDLESS)
		f->left -= (uint64_t)n;
	conn_count_in(f->from, (size_t)n);
	r = empty_pipe(f);
	if (r != FLOW_DONE)
		return r;
	return f->left == 0 ? FLOW_DONE : FLOW_TURN;
}

/* What was read last is all there is. */
static bool
is_last(const struct flow *f)
{
	return f->left == FLOW_ENDLESS ? f->from->eof && conn_kept(f->from) == 0
				       : f->left == 0 && f->ends;
}

static enum flow_result
copy_turn(struct flow *f)
{
	struct worker *w = f->from->w;
	size_t room = f->left < FLOW_COPY ? (size_t)f->left : FLOW_COPY;
	ssize_t n = conn_recv(f->from, w->in, room);
	int code;

	if (n == -ENODATA)
		return FLOW_END;
	if (n < 0)
		return FLOW_FROM;
	if (n == 0)
		return conn_watch(f->from) ? FLOW_EMPTY : FLOW_FROM;
	f->bulk = n == FLOW_COPY;
	f->moved = true;
	if (f->left != FLOW_ENDLESS)
		f->left -= (uint64_t)n;
	if (is_last(f))
		conn_last(f->to, false);
	code = conn_send(f->to, w->in, (size_t)n);
	if (code < 0)
		return FLOW_TO;
	if (f->left == 0)
		return FLOW_DONE;
	if (code == 1)
		return FLOW_FULL;
	if (f->from->eof && conn_kept(f->from) == 0)
		return FLOW_END;
	if (f->from->can_read || f->from->eof || conn_kept(f->from) > 0)
		return FLOW_TURN;
	return conn_watch(f->from) ? FLOW_EMPTY : FLOW_FROM;
}

static enum flow_result
turn(struct flow *f)
{
	enum flow_result r;
	int code;

	f->moved = false;
	code = conn_flush(f->to);
	if (code != 0)
		return code < 0 ? FLOW_TO : FLOW_FULL;
	r = empty_pipe(f);
	if (r != FLOW_DONE)
		return r;
	if (f->left == 0)
		return FLOW_DONE;
	if (f->from->eof && conn_kept(f->from) == 0)
		return FLOW_END;
	if ((f->bulk || (f->left >= FLOW_COPY && f->left != FLOW_ENDLESS)) &&
	    f->left >= FLOW_COPY && conn_kept(f->from) == 0 && f->from->tls == NULL &&
	    f->to->tls == NULL && f->from->h2 == NULL && f->to->h2 == NULL) {
		if (!f->from->can_read)
			return conn_watch(f->from) ? FLOW_EMPTY : FLOW_FROM;
		if (f->pipe[0] != -1 || pipe_take(f->from->w, f->pipe))
			return splice_turn(f);
	}
	return copy_turn(f);
}

enum flow_result
flow_run(struct flow *f)
{
	enum flow_result r = turn(f);

	if (!f->from->bounded && f->from->bytes_in >= FLOW_COPY)
		unsent_bound(f->from);
	if (f->from->frozen ? r == FLOW_EMPTY : r == FLOW_FULL)
		unsent_freeze(f->from, f->to, r == FLOW_FULL);
	return r;
}
