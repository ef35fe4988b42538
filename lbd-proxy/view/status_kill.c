/* Connections that an operator ends: reset on both sides, whatever they are doing.
 *
 * Each worker ends its own when it gets to the request in its mail; the last one wakes the control thread, which says how
 * many there were, after processes before this one have ended theirs. */
#include "base/mem.h"
#include "base/must.h"
#include "sys/log.h"

#include "control.h"
#include "h2/h2.h"
#include "net/conn.h"
#include "status.h"
#include "upgrade/elder_ask.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct kill {
	struct bus_request rq;
	const struct elder_ask_ops *ops; /* another process asks, not the bus; NULL not */
	void *arg;
	struct control *k;
	uint32_t service, server; /* 0: any */
	struct addr client;	  /* family 0: any */
	bool pooled; /* those that are at the servers of service by rules of others, too */
	bool one;    /* only connection serial of worker */
	unsigned worker;
	uint32_t serial;
	int pid;	     /* one: of this process before this one; 0: of this */
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

static void
end(struct conn *c)
{
	if (c->task != NULL)
		c->ops->cut(c);
	else
		conn_reset(c);
}

/* Of the streams that c carries. */
static unsigned
kill_streams(const struct kill *q, struct conn *c, bool all)
{
	struct conn *s = h2_next(c, NULL), *next;
	unsigned n = 0;

	for (; s != NULL; s = next) {
		next = h2_next(c, s);
		if (!meant(q, s) || (!all && !status_is_at(s, q->service)))
			continue;
		n++;
		end(s);
	}
	return n;
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

		if (meant(q, c) && (all || status_is_at(c, q->service))) {
			n++;
			end(c);
		} else if (h2_carries(c)) {
			n += kill_streams(q, c, all);
		}
	}
	s->clients--;
	local_release_svc(s);
	return n;
}

static void
on_elders(void *arg, uint32_t killed)
{
	struct kill *q = arg;
	struct msg_conns_killed m = { .conns = atomic_load(&q->killed) + killed };

	(void)bus_reply(&q->rq, MSG_CONNS_KILLED, &m);
	bus_result(&q->rq, 0, NULL);
	free(q);
}

/* What processes before this one have of it. */
static bool
ask_elders(struct kill *q)
{
	static const struct elder_ask_ops ops = { .end = on_elders };
	struct msg_conns_kill m = { .service = q->service, .server = q->server };
	char id[32], client[ADDR_TEXT];

	if (q->one) {
		(void)snprintf(id, sizeof(id), "%u:%u", q->worker, q->serial);
		m.id = SPAN(id);
	}
	if (q->client.family != 0) {
		addr_format(&q->client, ADDR_NET, client);
		m.client = SPAN(client);
	}
	return elders_ask(q->k, MSG_CONNS_KILL, &m, q->pid, &ops, q);
}

static void
on_done(void *arg)
{
	struct kill *q = arg;
	unsigned n = atomic_load(&q->killed);

	if (n > 0)
		log_info("connections: %u reset by order", n);
	if (q->ops != NULL) {
		q->ops->end(q->arg, n);
		free(q);
	} else if (q->one || !ask_elders(q)) {
		on_elders(q, 0);
	}
}

static void
kill_here(struct worker *w, void *arg, void *none)
{
	struct kill *q = arg;
	struct list *it;
	unsigned n = 0;

	(void)none;
	local_hold(w);
	list_each(it, &w->services)
	{
		struct wsvc *s = container_of(it, struct wsvc, link);

		if (q->service == 0 || s->svc->id == q->service || q->pooled)
			n += kill_of(q, s);
	}
	local_let_go(w);
	atomic_fetch_add(&q->killed, n);
	if (atomic_fetch_sub(&q->workers, 1) == 1)
		loop_wake(daemon_loop(q->k->d), on_done, q);
}

/* "WORKER:SERIAL", as lists show it; with "@PID" it is of a process before this one. */
static bool
take_id(struct kill *q, const char *text)
{
	int end = 0, more = 0;

	q->one = true;
	if (text[0] < '0' || text[0] > '9' ||
	    sscanf(text, "%u:%u%n", &q->worker, &q->serial, &end) != 2)
		return false;
	if (text[end] == '\0')
		return true;
	return sscanf(text + end, "@%d%n", &q->pid, &more) == 1 && text[end + more] == '\0' &&
	       q->pid > 0;
}

/* What is meant; false: why not, in text. */
static bool
take(struct kill *q, const struct msg_conns_kill *m, char text[160])
{
	char id[48], client[ADDR_TEXT + 16];

	text[0] = '\0';
	span_text(m->id, id, sizeof(id));
	span_text(m->client, client, sizeof(client));
	if (id[0] != '\0' && !take_id(q, id))
		(void)snprintf(
		    text, 160, "id: \"%s\" is none that conns shows, as 2:1234 or 2:1234@5678", id);
	else if (client[0] != '\0' && addr_parse(client, ADDR_NET, &q->client) != 0)
		(void)snprintf(
		    text, 160, "client: \"%s\" is neither an address nor a network", client);
	q->service = m->service;
	q->server = m->server;
	q->pooled = status_pooled(q->k, m->service);
	return text[0] == '\0';
}

static void
ask_workers(struct kill *q)
{
	atomic_init(&q->workers, q->k->px.n);
	for (unsigned i = 0; i < q->k->px.n; i++)
		must(worker_post(q->k->px.w[i], kill_here, q, NULL) == 0);
}

void
status_kill(struct control *k, const struct bus_request *rq, const struct msg_conns_kill *m)
{
	struct kill *q = mem_alloc(sizeof(*q));
	char text[160];

	q->k = k;
	q->rq = *rq;
	if (!take(q, m, text)) {
		bus_result(rq, ERR_INVALID, text);
		free(q);
	} else if (q->pid == 0) {
		ask_workers(q);
	} else if (!ask_elders(q)) {
		on_elders(q, 0);
	}
}

void
status_kill_for(
    struct control *k, const struct msg_conns_kill *m, const struct elder_ask_ops *ops, void *arg)
{
	struct kill *q = mem_alloc(sizeof(*q));
	char text[160];

	q->k = k;
	q->ops = ops;
	q->arg = arg;
	if (take(q, m, text) && q->pid == 0) {
		ask_workers(q);
		return;
	}
	free(q);
	ops->end(arg, 0);
}
