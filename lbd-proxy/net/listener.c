/* Accepting clients.
 *
 * A listening socket tells in every turn that somebody waits. Then as many are accepted as came lately, up to 64, and the rest in
 * the next turn: to ask once more whether there is another costs as much as to accept one, as the kernel makes the socket first. While descriptors or the limit of all client connections are used up, clients stay in the socket's queue, and
 * accepting is tried again ten times a second. Who is blocked (setting block) is turned away unread. Over the limit of a service a client is accepted and
 * told so, or reset (arrive.c). What a client says is read by the streams; for HTTP the first bytes are there already,
 * because the socket defers accepting until then. */
#include "listener.h"

#include "base/mem.h"
#include "base/must.h"

#include "arrive.h"
#include "conn.h"
#include "h3/h3.h"
#include "unsent.h"
#include "worker.h"

#include <errno.h>

#define BATCH 64
#define FULL 8 /* turns after which more are accepted in one */
#define RESUME DUR_MS(100)

struct listener *
listener_new(struct worker *w, int fd, uint16_t port)
{
	struct listener *l = mem_alloc(sizeof(*l));

	l->w = w;
	l->port = port;
	l->most = 1;
	list_init(&l->halted);
	list_init(&l->link);
	io_init(&l->io, fd);
	return l;
}

/* A client of a service, all set but for its ops. full: the service has as many as it may. NULL: no memory. */
static struct conn *
client(struct wsvc *s, int fd, const struct addr *from, uint16_t from_port, uint16_t port,
    bool *full_out)
{
	const struct view *v = s->view;
	struct conn *c = conn_new(s->w, fd, NULL);
	unsigned now;

	if (c == NULL) {
		atomic_fetch_sub_explicit(&s->w->px->conns, 1, memory_order_relaxed);
		COUNT(s->n->refused_total);
		return NULL;
	}
	c->client = true;
	c->svc = s;
	c->addr = *from;
	c->peer_port = from_port;
	c->port = port;
	c->can_read = true;
	list_push(&s->conns, &c->link);
	s->clients++;
	s->w->clients++;
	COUNT(s->n->conns);
	COUNT(s->n->conns_total);
	now = atomic_fetch_add_explicit(&s->svc->conns, 1, memory_order_relaxed);
	*full_out = v->max_conns > 0 && now >= v->max_conns;
	if (!*full_out)
		COUNT_PEAK(s->n->conns_peak, now + 1);
	return c;
}

int
listener_accept(struct io *io, struct wsvc *s, uint16_t port, struct conn **out)
{
	struct addr from;
	uint16_t from_port;
	bool full;
	int fd;

	if (!proxy_client_take(s->w->px))
		return -EMFILE;
	fd = io_accept(io, &from, &from_port);
	if (fd < 0) {
		proxy_client_give(s->w->px);
		return fd;
	}
	*out = client(s, fd, &from, from_port, port, &full);
	if (*out == NULL)
		return -ENOMEM;
	if (!full)
		return 0;
	COUNT(s->n->refused_total);
	conn_reset(*out);
	return -EBUSY;
}

/* Who is blocked: nothing is read, and no connection made of it. */
static void
turn_away(struct listener *l, int fd)
{
	struct io io;

	COUNT(l->svc->n->refused_total);
	io_init(&io, fd);
	if (l->svc->view->block_reset)
		io_reset(&io, &l->w->poller);
	else
		io_vanish(&io, &l->w->poller);
	proxy_client_give(l->w->px);
}

static void
halt(struct listener *l)
{
	list_del(&l->halted);
	list_push(&l->w->halted, &l->halted);
	io_unwatch(&l->io, &l->w->poller); /* it would go on telling */
	worker_resume(l->w, RESUME);
}

/* How many came: as many may come in the next turn. */
static void
learn(struct listener *l, unsigned took)
{
	if (took < l->most) {
		l->most = took > 0 ? (uint8_t)took : 1;
		l->full = 0;
	} else if (++l->full >= FULL) {
		l->most = l->most < BATCH / 2 ? 2 * l->most : BATCH;
		l->full = 0;
	}
}

/* Returns true when the queue was emptied. */
static bool
accept_some(struct listener *l, unsigned most)
{
	struct proxy *px = l->w->px;
	struct addr from;
	struct conn *c;
	uint16_t port;
	unsigned i;
	bool full;
	int fd;

	for (i = 0; i < most; i++) {
		if (!proxy_client_take(px)) {
			halt(l);
			return false;
		}
		fd = io_accept(&l->io, &from, &port);
		if (fd >= 0 && view_bars(l->svc->view, &from)) {
			turn_away(l, fd);
			continue;
		}
		if (fd >= 0) {
			c = client(l->svc, fd, &from, port, l->port, &full);
			if (c != NULL)
				arrive(c, full);
			continue;
		}
		proxy_client_give(px);
		if (fd == -EAGAIN) {
			learn(l, i);
			return true;
		}
		if (fd == -EMFILE || fd == -ENFILE || fd == -ENOBUFS || fd == -ENOMEM) {
			halt(l);
			return false;
		}
	}
	learn(l, i);
	return false;
}

static void
on_ready(struct io *io, unsigned ready)
{
	struct listener *l = container_of(io, struct listener, io);

	(void)ready;
	(void)accept_some(l, l->most);
}

static void
attach(struct listener *l, struct svc *svc)
{
	struct wsvc *old = l->svc, *s = local_find(l->w, svc);

	if (s != NULL) {
		l->svc = s;
		s->listeners++;
		io_defer(io_fd(&l->io), s->view->mode == mode_http || s->view->front != NULL);
		unsent_limit(io_fd(&l->io));
	}
	if (s != NULL && old != NULL) {
		old->listeners--;
		local_release_svc(old);
	}
	svc_unref(svc);
}

static void
destroy(struct listener *l)
{
	struct wsvc *s = l->svc;

	list_del(&l->halted);
	list_del(&l->link);
	h3_door_close(l);
	io_unwatch(&l->io,
	    &l->w->poller); /* another process may have it too, and it would go on telling */
	io_close(&l->io, &l->w->poller);
	proxy_fd_give(l->w->px, 1);
	free(l);
	if (s == NULL)
		return;
	s->listeners--;
	local_release_svc(s);
}

/* Without memory it is gone: its clients are refused. */
static void
watch(struct listener *l)
{
	if (io_watch_read(&l->io, &l->w->poller, on_ready) != 0)
		destroy(l);
	else
		h3_door_set(l);
}

void
listener_resume(struct worker *w)
{
	struct list now;

	list_init(&now);
	if (list_empty(&w->halted))
		return;
	list_add_before(&w->halted, &now);
	list_del(&w->halted);
	while (!list_empty(&now)) {
		struct listener *l = container_of(now.next, struct listener, halted);

		list_del(&l->halted);
		(void)accept_some(l, BATCH);
		if (list_empty(&l->halted))
			watch(l);
	}
}

void
listener_start(struct worker *w, void *listener, void *svc)
{
	struct listener *l = listener;

	attach(l, svc);
	list_push(&w->listeners, &l->link);
	if (l->svc == NULL)
		destroy(l);
	else if (!atomic_load(&w->px->held))
		watch(l);
}

void
listener_begin(struct worker *w)
{
	struct list *it, *next;

	list_each_safe(it, next, &w->listeners)
	{
		struct listener *l = container_of(it, struct listener, link);

		if (!io_watched(&l->io) && list_empty(&l->halted))
			watch(l);
	}
}

void
listener_renew(struct worker *w, const struct wsvc *s)
{
	struct list *it;

	if (atomic_load(&w->px->held))
		return;
	list_each(it, &w->listeners)
	{
		struct listener *l = container_of(it, struct listener, link);

		if (l->svc == s)
			h3_door_set(l);
	}
}

void
listener_move(struct worker *w, void *listener, void *svc)
{
	struct listener *l = listener;

	attach(l, svc);
	if (!atomic_load(&w->px->held))
		h3_door_set(l);
}

void
listener_stop(struct worker *w, void *listener, void *none)
{
	struct listener *l = listener;
	int rounds = 1024;

	(void)none;
	(void)w;
	/* Who has connected already is served: the queue is at most the backlog. */
	while (rounds-- > 0 && !accept_some(l, BATCH))
		list_del(&l->halted);
	destroy(l);
}

void
listener_close_all(struct worker *w)
{
	while (!list_empty(&w->listeners))
		listener_stop(w, container_of(w->listeners.next, struct listener, link), NULL);
}
