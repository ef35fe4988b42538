/* The new process's view of those before it.
 *
 * Each is one end of a pair, on which it tells what it counted, what persistence it learned and how many connections are left,
 * until it ends. When this process hands over itself, it stops listening and hands these ends on: what lies in them then is
 * read by the next one. */
#include "elder.h"

#include "base/mem.h"
#include "sys/log.h"

#include "control.h"
#include "elder_ask.h"
#include "parcel.h"
#include "share.h"
#include "tally.h"

#include <errno.h>
#include <unistd.h>

struct elder {
	struct list link;
	struct control *k;
	struct loop_fd io;
	int fd, pid;
	unsigned left;
	bool told; /* its gauges are here */
	struct idmap services,
	    servers; /* struct parcel_count: the last of each that has a gauge above 0 */
};

static void
forget(struct idmap *m)
{
	uint32_t at = 0;
	void *p;

	while ((p = idmap_next(m, &at, NULL)) != NULL)
		free(p);
	idmap_fini(m);
}

static void
end(void *arg)
{
	struct elder *e = arg;

	list_del(&e->link);
	loop_fd_fini(&e->io);
	(void)close(e->fd);
	forget(&e->services);
	forget(&e->servers);
	free(e);
}

static bool
any_gauge(const struct parcel_count *c)
{
	struct parcel_count sum = { 0 };
	const uint64_t *n = (const uint64_t *)&sum.n;
	unsigned rows = c->server ? server_counters_n : service_counters_n;

	tally_gauges(c->server ? server_counters : service_counters, rows, &c->n, &sum.n);
	for (unsigned i = 0; i < rows; i++)
		if (n[i] != 0)
			return true;
	return false;
}

void
elder_count(struct elder *e, struct rd *r, bool since)
{
	struct parcel_count c, *kept;
	struct idmap *m;

	if (parcel_count_take(r, &c) != 0)
		return;
	tally_add(e->k, &c, since);
	e->told = true;
	m = c.server ? &e->servers : &e->services;
	kept = idmap_get(m, c.id);
	if (!any_gauge(&c)) {
		idmap_put(m, c.id, NULL);
		free(kept);
		return;
	}
	if (kept == NULL) {
		kept = mem_alloc(sizeof(*kept));
		idmap_put(m, c.id, kept);
	}
	*kept = c;
}

static void
handle(struct elder *e, const uint8_t *p, size_t n)
{
	struct rd r = { .p = p, .left = n };

	switch (p[0]) {
	case PARCEL_COUNT: elder_count(e, &r, false); break;
	case PARCEL_RULES: tally_add_rules(e->k, &r); break;
	case PARCEL_STICK: share_bring(e->k, p + 1, n - 1, true); break;
	case PARCEL_ROWS:
	case PARCEL_DONE: elders_answered(e->pid, p, n); break;
	case PARCEL_MAIN: daemon_known(e->k->d); break;
	case PARCEL_LEFT:
		(void)rd_be(&r, 1);
		e->left = (unsigned)rd_be(&r, 4);
		break;
	default: break;
	}
}

static void
on_read(void *arg, unsigned ready)
{
	static uint8_t in[PARCEL_MOST];
	struct elder *e = arg;
	int fds[PARCEL_FDS];
	unsigned n_fds;
	ssize_t n;

	(void)ready;
	for (unsigned i = 0; i < 64; i++) {
		n = parcel_recv(e->fd, in, sizeof(in), fds, &n_fds, NULL);
		while (n_fds > 0)
			(void)close(fds[--n_fds]);
		if (n == -EAGAIN || n == -EINTR)
			return;
		if (n <= 0) {
			log_info(
			    "upgrade: process %d, which was before this one, has ended", e->pid);
			loop_fd_want(&e->io, 0);
			list_del(&e->link);
			elders_lost(e->pid);
			loop_defer(daemon_loop(e->k->d), end, e);
			return;
		}
		handle(e, in, (size_t)n);
	}
}

struct elder *
elder_add(struct control *k, int fd, int pid)
{
	struct elder *e = mem_alloc(sizeof(*e));

	*e = (struct elder){ .k = k, .fd = fd, .pid = pid };
	list_init(&e->link);
	loop_fd_init(&e->io, daemon_loop(k->d), fd, on_read, e);
	list_push(&k->elders, &e->link);
	return e;
}

void
elders_listen(struct control *k, bool on)
{
	const uint8_t again = PARCEL_AGAIN;
	struct list *it;

	list_each(it, &k->elders)
	{
		struct elder *e = container_of(it, struct elder, link);

		if (on && !e->told)
			(void)parcel_send(e->fd, &again, 1, NULL, 0);
		loop_fd_want(&e->io, on ? LOOP_READ : 0);
	}
}

bool
elder_next(const struct control *k, unsigned *at, int *fd_out, int *pid_out)
{
	struct list *it = k->elders.next;

	for (unsigned i = 0; i < *at && it != &k->elders; i++)
		it = it->next;
	if (it == &k->elders)
		return false;
	*fd_out = container_of(it, struct elder, link)->fd;
	*pid_out = container_of(it, struct elder, link)->pid;
	++*at;
	return true;
}

void
elders_service(const struct control *k, uint32_t id, struct service_counters *n)
{
	struct list *it;

	for (it = k->elders.next; it != &k->elders; it = it->next) {
		const struct parcel_count *c =
		    idmap_get(&container_of(it, struct elder, link)->services, id);

		if (c != NULL)
			tally_gauges(service_counters, service_counters_n, &c->n, n);
	}
}

void
elders_server(const struct control *k, uint32_t id, struct server_counters *n)
{
	struct list *it;

	for (it = k->elders.next; it != &k->elders; it = it->next) {
		const struct parcel_count *c =
		    idmap_get(&container_of(it, struct elder, link)->servers, id);

		if (c != NULL)
			tally_gauges(server_counters, server_counters_n, &c->n, n);
	}
}

unsigned
elders_conns(const struct control *k, unsigned *elders_out)
{
	struct list *it;
	unsigned conns = 0;

	*elders_out = 0;
	for (it = k->elders.next; it != &k->elders; it = it->next) {
		conns += container_of(it, struct elder, link)->left;
		++*elders_out;
	}
	return conns;
}

void
elders_reopen(const struct control *k)
{
	const uint8_t p = PARCEL_REOPEN;
	struct list *it;

	for (it = k->elders.next; it != &k->elders; it = it->next)
		(void)parcel_send(container_of(it, struct elder, link)->fd, &p, 1, NULL, 0);
}

void
elders_fini(struct control *k)
{
	elders_ask_fini();
	while (!list_empty(&k->elders))
		end(container_of(k->elders.next, struct elder, link));
}
