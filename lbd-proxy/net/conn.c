/* One socket: reading, sending, keeping what could not be sent, closing.
 *
 * A connection is registered with the loop when it first has to wait, and then stays registered. After a short read
 * it counts as empty, so no read is made that would only say so; and as ended, when an edge before it told that the other side
 * has closed. Objects are freed when the edges of a turn were told,
 * because whoever closes a connection may have been called by it, and one of these may be its own. Streams decide what the bytes mean. */
#include "conn.h"

#include "base/must.h"
#include "sys/sock.h"

#include "h2/h2.h"
#include "h2/h2_back.h"
#include "rates/meters.h"
#include "tls/tls.h"
#include "unsent.h"
#include "worker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DEAD_MAGIC 0xdead99ec
#define LINGER DUR_S(2)

/* idle is 0 bytes of buffers: see performance goals */
_Static_assert(sizeof(struct conn) <= 208, "a connection object is small");

static void
on_edge(struct io *io, unsigned ready)
{
	struct conn *c = container_of(io, struct conn, io);

	must_obj(c, CONN_MAGIC);
	if (c->tls != NULL) /* what the one before did may have taken long */
		c->w->now = mono_now();
	if ((ready & (IO_READ | IO_CLOSED)) != 0)
		c->can_read = true;
	if ((ready & IO_CLOSED) != 0)
		c->hup = true;
	if ((ready & IO_URGENT) != 0)
		c->urgent = true;
	if ((ready & IO_BROKEN) != 0)
		c->broken = true;
	c->ops->event(c, ready);
}

struct conn *
conn_new(struct worker *w, int fd, const struct conn_ops *ops)
{
	struct conn *c = slab_get(&w->conns);

	if (c == NULL) {
		struct io io;

		io_init(&io, fd);
		io_close(&io, &w->poller);
		if (fd != -1)
			proxy_fd_give(w->px, 1);
		return NULL;
	}
	c->magic = CONN_MAGIC;
	c->w = w;
	c->ops = ops;
	c->since_s = (uint32_t)(w->now / 1000000);
	c->serial = (uint32_t)++w->serial;
	list_init(&c->link);
	list_init(&c->turn);
	io_init(&c->io, fd);
	return c;
}

static void
end(struct conn *c)
{
	struct worker *w = c->w;

	must(c->task == NULL);
	if (c->h2 == NULL)
		proxy_fd_give(w->px, 1);
	wheel_del(&w->wheel, &c->timer);
	list_del(&c->link);
	list_del(&c->turn);
	if (c->metered != NULL)
		meters_let_go(c->metered, w->now, c->bytes_in, c->bytes_out);
	tls_free(c->tls);
	free(c->in);
	free(c->out);
	c->tls = NULL;
	c->in = c->out = NULL;
	c->magic = DEAD_MAGIC;
	c->task = w->dead;
	w->dead = c;
	if (c->client) {
		struct wsvc *s = c->svc;

		w->clients--;
		s->clients--;
		if (c->h2 == NULL) {
			COUNT_OFF(s->n->conns);
			atomic_fetch_sub_explicit(&s->svc->conns, 1, memory_order_relaxed);
			atomic_fetch_sub_explicit(&w->px->conns, 1, memory_order_relaxed);
		}
		local_release_svc(s);
	} else if (c->srv != NULL) {
		local_release_srv(c->srv);
	}
}

void
conn_close(struct conn *c)
{
	must_obj(c, CONN_MAGIC);
	if (c->h2 != NULL)
		h2_detach(c, false);
	else if (c->tls != NULL && c->out == NULL)
		tls_end(c);
	if (c->last && !c->said_all) /* a reset must not overtake what is held back */
		(void)io_shutdown(&c->io);
	io_close(&c->io, &c->w->poller);
	end(c);
}

static void
break_off(struct conn *c, void (*how)(struct io *, struct poller *))
{
	must_obj(c, CONN_MAGIC);
	if (c->h2 != NULL)
		h2_detach(c, true);
	how(&c->io, &c->w->poller);
	end(c);
}

void
conn_reset(struct conn *c)
{
	break_off(c, io_reset);
}

void
conn_vanish(struct conn *c)
{
	break_off(c, io_vanish);
}

void
conn_reap(struct worker *w)
{
	struct conn *c;

	while ((c = w->dead) != NULL) {
		w->dead = c->task;
		slab_put(&w->conns, c);
	}
}

bool
conn_watch(struct conn *c)
{
	return c->h2 != NULL || io_watched(&c->io) || io_watch(&c->io, &c->w->poller, on_edge) == 0;
}

void
conn_count_in(struct conn *c, size_t n)
{
	c->bytes_in += n;
	if (c->client)
		COUNT_ADD(c->svc->n->bytes_in, n);
	else
		COUNT_ADD(c->srv->n->bytes_out, n);
}

void
conn_count_out(struct conn *c, size_t n)
{
	c->bytes_out += n;
	if (c->client) {
		COUNT_ADD(c->svc->n->bytes_out, n);
		if (unsent_laps(c->bytes_out, n) && c->h2 == NULL)
			unsent_lap(c);
	} else
		COUNT_ADD(c->srv->n->bytes_in, n);
}

/* What was kept, to the caller. */
static size_t
kept(struct conn *c, void *p, size_t room)
{
	struct chunk *k = c->in;
	size_t n = k->len - k->off;

	if (n > room)
		n = room;
	memcpy(p, k->b + k->off, n);
	k->off += (uint32_t)n;
	if (k->off == k->len) {
		free(k);
		c->in = NULL;
	}
	return n;
}

/* A read was short: no more is there. When the end was announced before it, the end is next, and need not be asked for; an
 * error that came with the last bytes shows in the next read, and no other edge tells of it. */
static inline void
drained(struct conn *c)
{
	if (c->broken)
		return;
	if (!c->hup)
		c->can_read = false;
	else if (!c->urgent)
		c->eof = true;
}

ssize_t
conn_recv(struct conn *c, void *p, size_t room)
{
	size_t had = c->in == NULL ? 0 : kept(c, p, room);
	ssize_t n;

	if (c->eof && had == 0)
		return -ENODATA;
	if (had == room || !c->can_read || c->eof)
		return (ssize_t)had;
	if (c->h2 != NULL) {
		n = h2_recv(c, (uint8_t *)p + had, room - had);
		return n >= 0 ? (ssize_t)had + n : had > 0 && c->eof ? (ssize_t)had : n;
	}
	if (c->tls != NULL) {
		n = tls_recv(c, (uint8_t *)p + had, room - had);
		if (n > 0)
			conn_count_in(c, (size_t)n);
		return n >= 0 ? (ssize_t)had + n : had > 0 && c->eof ? (ssize_t)had : n;
	}
	n = io_recv(&c->io, (uint8_t *)p + had, room - had);
	if (n > 0) {
		if ((size_t)n < room - had)
			drained(c);
		conn_count_in(c, (size_t)n);
		return (ssize_t)had + n;
	}
	if (n == 0) {
		c->eof = true;
		return had > 0 ? (ssize_t)had : -ENODATA;
	}
	if (n == -EAGAIN || n == -EINTR) {
		c->can_read = n == -EINTR;
		return (ssize_t)had;
	}
	return n;
}

/* Room behind what is kept. NULL: no memory. */
static struct chunk *
grown(struct chunk *k, size_t n)
{
	size_t have = k == NULL ? 0 : k->len - k->off;

	if (k != NULL && k->off > 0 && k->room - k->len < n) {
		memmove(k->b, k->b + k->off, have);
		k->off = 0;
		k->len = (uint32_t)have;
	}
	if (k == NULL || k->room - k->len < n) {
		struct chunk *more = realloc(k, sizeof(*k) + have + n);

		if (more == NULL)
			return NULL;
		if (k == NULL)
			more->off = more->len = 0;
		k = more;
		k->room = (uint32_t)(have + n);
	}
	return k;
}

int
conn_keep(struct conn *c, const void *p, size_t n)
{
	size_t have = conn_kept(c);
	struct chunk *k;

	if (n == 0)
		return 0;
	k = malloc(sizeof(*k) + n + have);
	if (k == NULL)
		return -ENOMEM;
	k->off = 0;
	k->room = k->len = (uint32_t)(n + have);
	memcpy(k->b, p, n);
	if (have > 0)
		memcpy(k->b + n, c->in->b + c->in->off, have);
	free(c->in);
	c->in = k;
	return 0;
}

static int
store(struct conn *c, const uint8_t *p, size_t n)
{
	struct chunk *k = grown(c->out, n);

	if (k == NULL)
		return -ENOMEM;
	c->out = k;
	memcpy(k->b + k->len, p, n);
	k->len += (uint32_t)n;
	return conn_watch(c) ? 1 : -ENOMEM;
}

/* Bytes to the socket, the rest kept; *sent_out of them went. */
static int
send_or_store(struct conn *c, const void *p, size_t n, size_t *sent_out)
{
	ssize_t sent = 0;

	*sent_out = 0;
	if (c->out == NULL) {
		sent = io_send(&c->io, p, n, c->last);
		if (sent < 0 && sent != -EAGAIN && sent != -EINTR)
			return (int)sent;
		if (sent < 0)
			sent = 0;
		*sent_out = (size_t)sent;
	}
	return (size_t)sent == n ? 0 : store(c, (const uint8_t *)p + sent, n - (size_t)sent);
}

int
conn_send(struct conn *c, const void *p, size_t n)
{
	size_t sent;
	int code;

	if (c->h2 != NULL)
		return h2_send(c, p, n);
	if (c->tls != NULL)
		return tls_send(c, p, n);
	code = send_or_store(c, p, n, &sent);
	if (sent > 0)
		conn_count_out(c, sent);
	return code;
}

int
conn_send_raw(struct conn *c, const void *p, size_t n)
{
	size_t sent;

	return send_or_store(c, p, n, &sent);
}

ssize_t
conn_write(struct conn *c, const void *p, size_t n)
{
	ssize_t sent;
	int code;

	if (c->h2 != NULL)
		return h2_back_write(c, p, n);
	if (c->tls == NULL) {
		code = conn_flush(c); /* a header that goes before it */
		if (code != 0)
			return code < 0 ? code : -EAGAIN;
		sent = io_send(&c->io, p, n, c->last);
		if (sent > 0)
			conn_count_out(c, (size_t)sent);
		return sent;
	}
	code = tls_step(c);
	if (code == 1)
		code = tls_send(c, p, n);
	else if (code == 0)
		return -EAGAIN;
	return code < 0 ? code : (ssize_t)n;
}

void
conn_shutdown(struct conn *c)
{
	if (c->h2 != NULL) {
		h2_shutdown(c);
		return;
	}
	if (c->tls != NULL)
		tls_end(c);
	c->last = false;
	(void)io_shutdown(&c->io);
}

bool
conn_is_quiet(struct conn *c)
{
	uint8_t byte;

	if (c->tls == NULL)
		return io_peek(&c->io) == -EAGAIN;
	c->can_read = true; /* a ticket or a change of keys is no word for a stream */
	return conn_recv(c, &byte, 1) == 0;
}

int
conn_flush(struct conn *c)
{
	struct chunk *k = c->out;
	ssize_t n;

	if (c->h2 != NULL)
		return h2_flush(c);
	if (k == NULL)
		return 0;
	n = io_send(&c->io, k->b + k->off, k->len - k->off, c->last);
	if (n == -EAGAIN || n == -EINTR)
		return conn_watch(c) ? 1 : -ENOMEM;
	if (n < 0)
		return (int)n;
	if (c->tls == NULL)
		conn_count_out(c, (size_t)n);
	k->off += (uint32_t)n;
	if (k->off < k->len)
		return conn_watch(c) ? 1 : -ENOMEM;
	free(k);
	c->out = NULL;
	return 0;
}

void
conn_timer(struct conn *c, dur_t after)
{
	if (!wheel_put_off(&c->w->wheel, &c->timer, c->w->now, after))
		worker_timer(c->w, &c->timer, after);
}

void
conn_again(struct conn *c)
{
	worker_again(c->w, &c->turn);
}

/* Reads and forgets; true: there is nothing more to wait for. */
static bool
drain(struct conn *c)
{
	if (!c->closing) {
		conn_shutdown(c); /* the reads find out what happened */
		c->closing = true;
		c->can_read = true;
		conn_timer(c, LINGER);
	}
	if (conn_recv(c, c->w->in, SCRATCH) < 0)
		return true;
	if (c->can_read)
		conn_again(c);
	return !conn_watch(c);
}

/* A connection that is being finished: nothing but out and the end matters. */
static void
finish_step(struct conn *c)
{
	int code = conn_flush(c);

	if (code == 1 || (code == 0 && c->drained && !drain(c)))
		return;
	conn_close(c);
}

static void
finish_event(struct conn *c, unsigned ready)
{
	(void)ready;
	finish_step(c);
}

static void
finish_timeout(struct conn *c)
{
	if (conn_unsent(c))
		COUNT(c->svc->n->client_aborts);
	conn_close(c);
}

static void
finish_show(const struct conn *c, struct conn_view *out)
{
	(void)c;
	*out = (struct conn_view){ .state = "closing" };
}

static const struct conn_ops finishing = {
	.show = finish_show,
	.event = finish_event,
	.timeout = finish_timeout,
};

void
conn_finish(struct conn *c, bool linger)
{
	c->ops = &finishing;
	c->drained = linger && c->h2 == NULL;
	if (c->h2 != NULL)
		h2_shutdown(c);
	free(c->in);
	c->in = NULL;
	if (conn_unsent(c))
		conn_timer(c, c->svc->view->client);
	finish_step(c);
}

void
conn_pace(struct conn *c, uint64_t bytes_s)
{
	int fd = c->h2 != NULL ? h2_fd(c) : io_fd(&c->io);

	if (fd == -1 || sock_pace(fd, bytes_s) != 0)
		return;
	c->paced = bytes_s > 0;
	c->quick = false;
	if (!c->paced && c->client)
		unsent_limit(fd);
}
