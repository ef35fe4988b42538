/* The list of connections.
 *
 * Every worker writes its own rows when it gets to the request in its mail; the last one wakes the control thread, which
 * answers. Nobody waits. At most LIST_MOST rows are collected, and no more than were asked for. */
#include "base/mem.h"
#include "sys/log.h"

#include "net/conn.h"
#include "control.h"
#include "status.h"

#include <stdio.h>
#include <string.h>

#define LIST_MOST 100000
#define ROWS_STEP 64

struct row {
	uint32_t service, server, age_s, requests, serial;
	unsigned worker;
	struct addr client, real;
	uint16_t client_port, port, real_port;
	const char *state;
	uint64_t in, out;
};
struct conns_answer {
	struct bus_request rq;
	struct control *k;
	uint32_t only;
	bool pooled;	     /* those that are at its servers by rules of others, too */
	atomic_uint workers; /* that have not written yet */
	pthread_mutex_t lock;
	struct row *row;
	uint32_t n, room, most, at;
};

static void
conns_fini(void *state)
{
	struct conns_answer *a = state;

	(void)pthread_mutex_destroy(&a->lock);
	free(a->row);
	free(a);
}

static void
put(const struct conns_answer *a, const struct row *r, const struct bus_request *rq)
{
	const struct service *s = snapshot_find(a->k->seen, KIND_service, r->service);
	char id[32], client[ADDR_TEXT + 8], virtual[ADDR_TEXT + 8], real[ADDR_TEXT + 8],
	    t[ADDR_TEXT];
	struct msg_conn m = { .service = r->service, .server = r->server };

	(void)snprintf(id, sizeof(id), "%u:%u", r->worker, r->serial);
	m.id = SPAN(id);
	addr_format(&r->client, ADDR_HOST, t);
	(void)snprintf(
	    client, sizeof(client), r->client.family == 6 ? "[%s]:%u" : "%s:%u", t, r->client_port);
	m.client = SPAN(client);
	if (s != NULL) {
		addr_format(&s->address, ADDR_HOST, t);
		(void)snprintf(virtual, sizeof(virtual),
		    s->address.family == 6 ? "[%s]:%u" : "%s:%u", t, r->port);
		m.virtual = SPAN(virtual);
	}
	if (r->server != 0) {
		addr_format(&r->real, ADDR_HOST, t);
		(void)snprintf(
		    real, sizeof(real), r->real.family == 6 ? "[%s]:%u" : "%s:%u", t, r->real_port);
		m.real = SPAN(real);
	}
	m.state = SPAN(r->state);
	m.age = (uint64_t)r->age_s * 1000000;
	m.bytes_in = r->in;
	m.bytes_out = r->out;
	m.requests = r->requests;
	(void)bus_reply(rq, MSG_CONN, &m);
}

static bool
conns_step(void *state, const struct bus_request *rq)
{
	struct conns_answer *a = state;
	unsigned rows = 0;

	for (; a->at < a->n && rows < ROWS_STEP; a->at++, rows++)
		put(a, &a->row[a->at], rq);
	return a->at == a->n;
}

/* All workers have written: back in the control thread. */
static void
on_collected(void *arg)
{
	struct conns_answer *a = arg;

	bus_pump(&a->rq, conns_step, conns_fini, a);
}

static void
write_row(struct conns_answer *a, const struct wsvc *s, const struct conn *c)
{
	struct conn_view v;
	struct row *r;

	if (a->n == a->room) {
		a->room = a->room * 2 + 64;
		a->row = mem_grow(a->row, a->room * sizeof(*a->row));
	}
	r = &a->row[a->n++];
	c->ops->show(c, &v);
	*r = (struct row){
		.service = s->svc->id,
		.age_s = (uint32_t)(c->w->now / 1000000) - c->since_s,
		.requests = c->requests,
		.serial = c->serial,
		.worker = c->w->index,
		.client = c->addr,
		.client_port = c->peer_port,
		.port = c->port,
		.state = v.state,
		.in = c->bytes_in,
		.out = c->bytes_out,
	};
	if (v.server == NULL)
		return;
	r->server = v.server->srv->srv->id;
	r->real = v.server->addr;
	r->real_port = v.server->port;
}

static void
collect(struct worker *w, void *answer, void *none)
{
	struct conns_answer *a = answer;
	struct list *i, *j;

	(void)none;
	(void)pthread_mutex_lock(&a->lock);
	list_each(i, &w->services)
	{
		struct wsvc *s = container_of(i, struct wsvc, link);

		bool all = a->only == 0 || s->svc->id == a->only;

		if (!all && !a->pooled)
			continue;
		list_each(j, &s->conns)
		{
			struct conn *c = container_of(j, struct conn, link);

			if (a->n >= a->most)
				break;
			if (all || status_is_at(c, a->only))
				write_row(a, s, c);
		}
	}
	(void)pthread_mutex_unlock(&a->lock);
	if (atomic_fetch_sub(&a->workers, 1) == 1)
		loop_wake(daemon_loop(a->k->d), on_collected, a);
}

void
status_conns(struct control *k, const struct bus_request *rq, const struct msg_select *m)
{
	struct conns_answer *a = mem_alloc(sizeof(*a));
	unsigned i;

	a->rq = *rq;
	a->k = k;
	a->only = m->service;
	a->pooled = status_pooled(k, m->service);
	a->most = m->most > 0 && m->most < LIST_MOST ? m->most : LIST_MOST;
	atomic_init(&a->workers, k->px.n);
	(void)pthread_mutex_init(&a->lock, NULL); /* does not fail on Linux */
	for (i = 0; i < k->px.n; i++)
		(void)worker_post(k->px.w[i], collect, a, NULL);
}
