/* The list of connections.
 *
 * Every worker writes its own rows when it gets to the request in its mail; the last one wakes the control thread, which
 * answers, after it has asked processes before this one. Nobody waits. At most LIST_MOST rows are collected, and no more than were asked for. */
#include "base/mem.h"
#include "sys/log.h"
#include "sys/sock.h"

#include "h2/h2.h"
#include "net/conn.h"
#include "control.h"
#include "status.h"
#include "upgrade/elder_ask.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LIST_MOST 100000
#define ROWS_STEP 64

struct row {
	uint32_t service, server, age_s, quiet_ms, requests, serial;
	unsigned worker;
	struct addr client, real, source; /* source: towards the server; family 0 unknown */
	uint16_t client_port, port, real_port, source_port;
	const char *state;
	bool stream; /* of HTTP/2, or 3 */
	bool h3;
	uint64_t in, out;
};
struct conns_answer {
	struct bus_request rq;
	const struct elder_ask_ops *ops; /* another process asks, not the bus; NULL not */
	void *arg;
	struct control *k;
	struct buf elders; /* rows of processes before this one, each with its length in front */
	size_t elders_at;
	uint32_t only;
	bool pooled;	     /* those that are at its servers by rules of others, too */
	atomic_uint workers; /* that have not written yet */
	pthread_mutex_t lock;
	struct row *row;
	uint32_t n, room, most, at, from_elders;
};

static void
conns_fini(void *state)
{
	struct conns_answer *a = state;

	(void)pthread_mutex_destroy(&a->lock);
	buf_fini(&a->elders);
	free(a->row);
	free(a);
}

static void
put(const struct conns_answer *a, const struct row *r,
    void (*fn)(void *arg, const struct msg_conn *m), void *arg)
{
	const struct service *s = snapshot_find(a->k->seen, KIND_service, r->service);
	char id[32], client[ADDR_TEXT + 8], virtual[ADDR_TEXT + 8], real[ADDR_TEXT + 8],
	    source[ADDR_TEXT + 8], t[ADDR_TEXT], state[24];
	struct msg_conn m = { .service = r->service, .server = r->server };

	if (a->k->lingering)
		(void)snprintf(id, sizeof(id), "%u:%u@%d", r->worker, r->serial, (int)getpid());
	else
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
	if (r->source.family != 0) {
		addr_format(&r->source, ADDR_HOST, t);
		(void)snprintf(source, sizeof(source), r->source.family == 6 ? "[%s]:%u" : "%s:%u",
		    t, r->source_port);
		m.source = SPAN(source);
	}
	(void)snprintf(state, sizeof(state), r->stream ? "%s %s" : "%s%s",
	    r->stream ? (r->h3 ? "h3" : "h2") : "", r->state);
	m.state = SPAN(state);
	m.age = (uint64_t)r->age_s * 1000000;
	m.idle = (uint64_t)r->quiet_ms * 1000;
	m.bytes_in = r->in;
	m.bytes_out = r->out;
	m.requests = r->requests;
	fn(arg, &m);
}

static void
reply(void *arg, const struct msg_conn *m)
{
	(void)bus_reply(arg, MSG_CONN, m);
}

static bool
elders_step(struct conns_answer *a, const struct bus_request *rq, unsigned rows)
{
	const struct msg_row *row;
	union msg_any m;
	uint32_t seq;

	for (; rows < ROWS_STEP && a->elders_at < a->elders.len; rows++) {
		struct rd r = { .p = a->elders.p + a->elders_at,
			.left = a->elders.len - a->elders_at };
		struct rd one = rd_sub(&r, rd_be(&r, 2));

		a->elders_at += 2 + one.left;
		if (msg_decode(one.p, one.left, &row, &seq, &m, NULL) == 0)
			(void)bus_reply(rq, MSG_CONN, &m.conn);
	}
	return a->elders_at == a->elders.len;
}

static bool
conns_step(void *state, const struct bus_request *rq)
{
	struct conns_answer *a = state;
	unsigned rows = 0;

	for (; a->at < a->n && rows < ROWS_STEP; a->at++, rows++)
		put(a, &a->row[a->at], reply, (void *)(uintptr_t)rq);
	return a->at == a->n && elders_step(a, rq, rows);
}

static void
on_elder_row(void *arg, const struct msg_conn *m)
{
	struct conns_answer *a = arg;
	struct buf one = { 0 };

	if (a->n + a->from_elders >= a->most)
		return;
	a->from_elders++;
	msg_encode(MSG_CONN, 0, m, &one);
	buf_put_be(&a->elders, one.len, 2);
	buf_put(&a->elders, one.p, one.len);
	buf_fini(&one);
}

static void
on_elders(void *arg, uint32_t none)
{
	struct conns_answer *a = arg;

	(void)none;
	bus_pump(&a->rq, conns_step, conns_fini, a);
}

/* For another process. */
static void
give_rows(struct conns_answer *a)
{
	for (; a->at < a->n; a->at++)
		put(a, &a->row[a->at], a->ops->row, a->arg);
	a->ops->end(a->arg, 0);
	conns_fini(a);
}

/* All workers have written: back in the control thread. */
static void
on_collected(void *arg)
{
	static const struct elder_ask_ops ops = { .row = on_elder_row, .end = on_elders };
	struct conns_answer *a = arg;
	struct msg_select m = { .service = a->only, .most = a->most };

	if (a->ops != NULL)
		give_rows(a);
	else if (a->n >= a->most || !elders_ask(a->k, MSG_CONNS, &m, 0, &ops, a))
		on_elders(a, 0);
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
		.stream = c->h2 != NULL,
		.h3 = c->h3,
		.in = c->bytes_in,
		.out = c->bytes_out,
	};
	/* of a stream: when bytes moved on the connection that carries it */
	if (sock_quiet_ms(c->h2 != NULL ? h2_fd(c) : io_fd(&c->io), &r->quiet_ms) != 0 ||
	    r->quiet_ms / 1000 > r->age_s)
		r->quiet_ms = r->age_s * 1000; /* nothing was sent or received yet */
	if (v.server == NULL)
		return;
	r->server = v.server->srv->srv->id;
	r->real = v.server->addr;
	r->real_port = v.server->port;
	(void)sock_name(io_fd(&v.server->io), &r->source, &r->source_port);
}

/* A connection, and the streams that it carries; not all: those that are at a server of the pool. */
static void
write_rows(struct conns_answer *a, const struct wsvc *s, const struct conn *c, bool all)
{
	const struct conn *stream = NULL;

	if (all || status_is_at(c, a->only))
		write_row(a, s, c);
	if (!h2_carries(c))
		return;
	while (a->n < a->most && (stream = h2_next(c, stream)) != NULL)
		if (all || status_is_at(stream, a->only))
			write_row(a, s, stream);
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
			if (a->n >= a->most)
				break;
			write_rows(a, s, container_of(j, struct conn, link), all);
		}
	}
	(void)pthread_mutex_unlock(&a->lock);
	if (atomic_fetch_sub(&a->workers, 1) == 1)
		loop_wake(daemon_loop(a->k->d), on_collected, a);
}

static struct conns_answer *
new_answer(struct control *k, const struct msg_select *m)
{
	struct conns_answer *a = mem_alloc(sizeof(*a));

	a->k = k;
	a->only = m->service;
	a->pooled = status_pooled(k, m->service);
	a->most = m->most > 0 && m->most < LIST_MOST ? m->most : LIST_MOST;
	atomic_init(&a->workers, k->px.n);
	(void)pthread_mutex_init(&a->lock, NULL); /* does not fail on Linux */
	return a;
}

static void
ask_workers(struct conns_answer *a)
{
	for (unsigned i = 0; i < a->k->px.n; i++)
		(void)worker_post(a->k->px.w[i], collect, a, NULL);
}

void
status_conns(struct control *k, const struct bus_request *rq, const struct msg_select *m)
{
	struct conns_answer *a = new_answer(k, m);

	a->rq = *rq;
	ask_workers(a);
}

void
status_conns_for(
    struct control *k, const struct msg_select *m, const struct elder_ask_ops *ops, void *arg)
{
	struct conns_answer *a = new_answer(k, m);

	a->ops = ops;
	a->arg = arg;
	ask_workers(a);
}
