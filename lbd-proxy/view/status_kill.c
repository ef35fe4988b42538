/* Connections that an operator ends: reset on both sides, whatever they are doing.
 *
 * Each worker ends its own when it gets to the request in its mail; the last one wakes the control thread, which says how
 * many there were. */
#include "base/mem.h"
#include "base/must.h"
#include "sys/log.h"

#include "control.h"
#include "net/conn.h"
#include "status.h"

#include <stdio.h>
#include <stdlib.h>

struct kill {
	struct bus_request rq;
	struct control *k;
	uint32_t service, server; /* 0: any */
	struct addr client;	  /* family 0: any */
	bool pooled; /* those that are at the servers of service by rules of others, too */
	bool one;    /* only connection serial of worker */
	unsigned worker;
	uint32_t serial;
	atomic_uint workers; /* that have not done it yet */
	atomic_uint killed;
};

bool
status_pooled(const struct control *k, uint32_t service)
{
	const struct ctl_service *c = idmap_get(&k->services, service);

	return service != 0 && c != NULL && c->pooled;
}

bool
status_is_at(const struct conn *c, uint32_t service)
{
	struct conn_view v;

	c->ops->show(c, &v);
	return v.server != NULL && v.server->srv->svc->svc->id == service;
}

static bool
meant(const struct kill *q, const struct conn *c)
{
	struct conn_view v;

	if (q->one && (c->w->index != q->worker || c->serial != q->serial))
		return false;
	if (q->client.family != 0 && !addr_contains(&q->client, &c->addr))
		return false;
	if (q->server == 0)
		return true;
	c->ops->show(c, &v);
	return v.server != NULL && v.server->srv->srv->id == q->server;
}

static unsigned
kill_of(const struct kill *q, struct wsvc *s)
{
	bool all = q->service == 0 || s->svc->id == q->service;
	struct list *it, *next;
	unsigned n = 0;

	s->clients++; /* s stays until the walk is over */
	list_each_safe(it, next, &s->conns)
	{
		struct conn *c = container_of(it, struct conn, link);

		if (!meant(q, c) || (!all && !status_is_at(c, q->service)))
			continue;
		n++;
		if (c->task != NULL)
			c->ops->cut(c);
		else
			conn_reset(c);
	}
	s->clients--;
	local_release_svc(s);
	return n;
}

static void
on_done(void *arg)
{
	struct kill *q = arg;
	struct msg_conns_killed m = { .conns = atomic_load(&q->killed) };

	if (m.conns > 0)
		log_info("connections: %u reset by order", m.conns);
	(void)bus_reply(&q->rq, MSG_CONNS_KILLED, &m);
	bus_result(&q->rq, 0, NULL);
	free(q);
}

static void
kill_here(struct worker *w, void *arg, void *none)
{
	struct kill *q = arg;
	struct list *it, *next;
	unsigned n = 0;

	(void)none;
	list_each_safe(it, next, &w->services)
	{
		struct wsvc *s = container_of(it, struct wsvc, link);

		if (q->service == 0 || s->svc->id == q->service || q->pooled)
			n += kill_of(q, s);
	}
	atomic_fetch_add(&q->killed, n);
	if (atomic_fetch_sub(&q->workers, 1) == 1)
		loop_wake(daemon_loop(q->k->d), on_done, q);
}

/* "WORKER:SERIAL", as lists show it. */
static bool
take_id(struct kill *q, const char *text)
{
	int end = 0;

	q->one = true;
	return sscanf(text, "%u:%u%n", &q->worker, &q->serial, &end) == 2 && text[end] == '\0' &&
	       text[0] >= '0' && text[0] <= '9';
}

void
status_kill(struct control *k, const struct bus_request *rq, const struct msg_conns_kill *m)
{
	struct kill *q = mem_alloc(sizeof(*q));
	char id[32], client[ADDR_TEXT + 16], text[160] = "";

	span_text(m->id, id, sizeof(id));
	span_text(m->client, client, sizeof(client));
	if (id[0] != '\0' && !take_id(q, id))
		(void)snprintf(
		    text, sizeof(text), "id: \"%s\" is none that conns shows, as 2:1234", id);
	else if (client[0] != '\0' && addr_parse(client, ADDR_NET, &q->client) != 0)
		(void)snprintf(text, sizeof(text),
		    "client: \"%s\" is neither an address nor a network", client);
	if (text[0] != '\0') {
		bus_result(rq, ERR_INVALID, text);
		free(q);
		return;
	}
	q->rq = *rq;
	q->k = k;
	q->service = m->service;
	q->server = m->server;
	q->pooled = status_pooled(k, m->service);
	atomic_init(&q->workers, k->px.n);
	for (unsigned i = 0; i < k->px.n; i++)
		must(worker_post(k->px.w[i], kill_here, q, NULL) == 0);
}
