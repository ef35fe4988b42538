/* Listening sockets.
 *
 * A port that a service keeps stays open whatever else changes; one that goes from a service to another within one commit is
 * handed over with whoever waits in its queue. Each worker has a socket of its own for every port (SO_REUSEPORT), as
 * long as that takes less than half of the descriptors; beyond that a new service belongs to one worker, by the hash
 * of its id. Sockets are opened here, because only here somebody can be told why it failed. */
#include "ports.h"

#include "base/mem.h"
#include "base/must.h"
#include "sys/sock.h"

#include "control.h"
#include "listener.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define BACKLOG 4096

static unsigned
count(const struct service *s)
{
	unsigned i, n = 0;

	for (i = 0; i < s->ports->n; i++)
		n += s->ports->r[i].hi - s->ports->r[i].lo + 1u;
	return n;
}

void
ports_release(struct control *k, struct ctl_service *c, const struct service *s)
{
	struct list *it, *next;

	list_each_safe(it, next, &c->ports.list)
	{
		struct ctl_port *p = container_of(it, struct ctl_port, link);

		if (s != NULL && addr_same_host(&s->address, &p->addr) &&
		    ranges_contain(s->ports, p->port))
			continue;
		list_del(&p->link);
		list_push(&k->orphans, &p->link);
		c->ports.n--;
		k->n_ports--;
	}
}

static struct ctl_port *
find(struct list *in, const struct addr *a, unsigned port)
{
	struct list *it;

	list_each(it, in)
	{
		struct ctl_port *p = container_of(it, struct ctl_port, link);

		if (p->port == port && addr_same_host(&p->addr, a))
			return p;
	}
	return NULL;
}

static void
post(struct worker *w, worker_fn fn, struct listener *l, struct svc *svc)
{
	must(worker_post(w, fn, l, svc == NULL ? NULL : svc_ref(svc)) == 0);
}

/* Whether there should be a socket in this place. */
static bool
serves(const struct control *k, const struct ctl_service *c, const struct ctl_port *p, unsigned i)
{
	if (i < k->px.n)
		return c->owner < 0 || c->owner == (int)i;
	return p->at[i] != NULL && (c->owner < 0 || c->owner == (int)p->at[i]->w->index);
}

/* An orphan of the same workers goes on under its new service. */
static bool
adopt(struct control *k, struct ctl_service *c, const struct addr *a, unsigned port)
{
	struct ctl_port *p = find(&k->orphans, a, port);
	unsigned i;

	if (p == NULL)
		return false;
	for (i = 0; i < p->n; i++)
		if ((p->at[i] != NULL) != serves(k, c, p, i))
			return false;
	list_del(&p->link);
	list_push(&c->ports.list, &p->link);
	for (i = 0; i < p->n; i++)
		if (p->at[i] != NULL)
			post(p->at[i]->w, listener_move, p->at[i], c->svc);
	return true;
}

/* One socket, counted among the descriptors; or a code. */
static int
open_one(struct control *k, const struct service *s, uint16_t port, struct err *err)
{
	int fd;

	if (!proxy_fd_take(&k->px, 1))
		return err_set(err, -EMFILE,
		    "cannot listen on port %u: the file limit of %u is used up", port, k->fd_limit);
	fd = handed_take(&k->handed, &s->address, port);
	if (fd != -1)
		return fd;
	fd = sock_listen_tcp(&s->address, port, BACKLOG, s->mode == mode_http ? 1 : 0, err);
	if (fd < 0)
		proxy_fd_give(&k->px, 1);
	else
		/* Connections outlive the address's move to the other node; without the right they do not. */
		(void)sock_transparent(fd, s->address.family);
	return fd;
}

/* The sockets of one port, one for each worker that serves it; all or none. While the process before this one is the daemon
 * there are no more than it has handed over: clients that wait at others would be lost if this one does not come up. */
static int
open_all(struct control *k, struct ctl_service *c, const struct service *s, uint16_t port, int *fd,
    struct err *err)
{
	bool handed = handed_has(&k->handed, &s->address, port);
	unsigned i;
	int code;

	for (i = 0; i < k->px.n; i++) {
		fd[i] = -1;
		if (c->owner >= 0 && c->owner != (int)i)
			continue;
		if (handed && !handed_has(&k->handed, &s->address, port)) {
			c->ports.sparse = true;
			continue;
		}
		fd[i] = code = open_one(k, s, port, err);
		if (code >= 0)
			continue;
		while (i-- > 0) {
			if (fd[i] == -1)
				continue;
			(void)close(fd[i]);
			proxy_fd_give(&k->px, 1);
		}
		return code;
	}
	return 0;
}

static void
begin(struct control *k, struct ctl_service *c, struct ctl_port *p, unsigned i, int fd)
{
	struct worker *w;

	must(k->px.n > 0);
	w = k->px.w[i < k->px.n ? i : c->owner >= 0 ? (unsigned)c->owner : i % k->px.n];

	p->at[i] = listener_new(w, fd, p->port);
	post(w, listener_start, p->at[i], c->svc);
}

static int
open_port(struct control *k, struct ctl_service *c, const struct service *s, uint16_t port,
    struct err *err)
{
	struct ctl_port *p;
	int fd[2 * WORKERS_MAX], code = open_all(k, c, s, port, fd, err);
	unsigned i, n = k->px.n;

	if (code != 0)
		return code;
	/* The process before this one had more workers: clients may wait at each of its sockets. */
	while (n < 2 * WORKERS_MAX && handed_has(&k->handed, &s->address, port) &&
	       (code = open_one(k, s, port, NULL)) >= 0)
		fd[n++] = code;
	p = mem_alloc(sizeof(*p) + n * sizeof(p->at[0]));
	p->addr = s->address;
	p->port = port;
	p->n = n;
	list_init(&p->link);
	list_push(&c->ports.list, &p->link);
	for (i = 0; i < p->n; i++)
		if (fd[i] != -1)
			begin(k, c, p, i, fd[i]);
	return 0;
}

static void
fill_port(struct control *k, struct ctl_service *c, struct ctl_port *p)
{
	for (unsigned i = 0; i < k->px.n; i++) {
		int fd;

		if (p->at[i] != NULL || !serves(k, c, p, i) || !proxy_fd_take(&k->px, 1))
			continue;
		fd = sock_listen_tcp(&p->addr, p->port, BACKLOG, 0, NULL);
		if (fd < 0) {
			proxy_fd_give(&k->px, 1);
			continue;
		}
		(void)sock_transparent(fd, p->addr.family);
		begin(k, c, p, i, fd);
	}
}

void
ports_fill(struct control *k)
{
	struct ctl_service *c;
	struct list *it;
	uint32_t at = 0;

	while ((c = idmap_next(&k->services, &at, NULL)) != NULL) {
		if (!c->ports.sparse)
			continue;
		c->ports.sparse = false;
		list_each(it, &c->ports.list)
		{
			fill_port(k, c, container_of(it, struct ctl_port, link));
		}
	}
}

int
ports_open(struct control *k, struct ctl_service *c, const struct service *s, struct err *err)
{
	struct err one;
	unsigned i, port, failed = 0;
	int code = 0, now;

	c->ports.missing = false;
	if (c->ports.n == count(s) || k->lingering)
		return 0;
	for (i = 0; i < s->ports->n; i++) {
		for (port = s->ports->r[i].lo; port <= s->ports->r[i].hi; port++) {
			if (find(&c->ports.list, &s->address, port) != NULL)
				continue;
			now = adopt(k, c, &s->address, port)
				  ? 0
				  : open_port(k, c, s, (uint16_t)port, &one);
			if (now == 0) {
				c->ports.n++;
				k->n_ports++;
				continue;
			}
			if (failed++ == 0 && err != NULL) {
				code = now;
				*err = one;
				(void)err_prefix(err, "vip %s: ", s->name);
			}
			code = code == 0 ? now : code;
		}
	}
	c->ports.missing = failed > 0;
	return code;
}

void
ports_renew(struct ctl_service *c)
{
	struct list *it;
	unsigned i;

	list_each(it, &c->ports.list)
	{
		struct ctl_port *p = container_of(it, struct ctl_port, link);

		for (i = 0; i < p->n; i++)
			if (p->at[i] != NULL)
				post(p->at[i]->w, listener_move, p->at[i], c->svc);
	}
}

void
ports_close(struct control *k)
{
	while (!list_empty(&k->orphans)) {
		struct ctl_port *p = container_of(k->orphans.next, struct ctl_port, link);
		unsigned i;

		list_del(&p->link);
		for (i = 0; i < p->n; i++)
			if (p->at[i] != NULL)
				post(p->at[i]->w, listener_stop, p->at[i], NULL);
		free(p);
	}
}

void
ports_forget(struct control *k)
{
	while (!list_empty(&k->orphans)) {
		struct ctl_port *p = container_of(k->orphans.next, struct ctl_port, link);

		list_del(&p->link);
		free(p);
	}
}
