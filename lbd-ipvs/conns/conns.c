/* The kernel's connections as answers of the bus: CONNS and PERSISTS, row by row as a thread reads them (walk.c), no more
 * than PIECE a turn. What else this folder does is in files of its own, and held together here: cut.c ends connections,
 * clear.c persistence, sample.c looks for connections that stay half open.
 *
 * The index of a snapshot is built when somebody first asks after it came into force. An answer goes on with the index it
 * began with. */
#include "conns/conns_priv.h"

#include "base/mem.h"
#include "base/must.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PIECE 100 /* rows of a turn */

struct ask { /* an answer under way */
	struct conns *c;
	struct walk *walk;
	bool persists;
	uint32_t skip, most, sent;
};

struct index *
conns_index(struct conns *c)
{
	if (c->index == NULL && c->now != NULL)
		c->index = index_new(c->now);
	return c->index;
}

/* ---- rows --------------------------------------------------------------------------------------- */

static bool
reply_conn(const struct bus_request *rq, const struct walk_row *r)
{
	char client[ENTRY_END], virtual[ENTRY_END], real[ENTRY_END];
	struct msg_conn m = { .service = r->service,
		.server = r->server,
		.state = SPAN(r->e.state),
		.protocol = SPAN(entry_protocol(r->e.protocol)),
		.left = (uint64_t)DUR_S(r->e.left_s) };

	entry_end(&r->e.client, r->e.client_port, client);
	entry_end(&r->e.virtual, r->e.virtual_port, virtual);
	entry_end(&r->e.real, r->e.real_port, real);
	m.client = SPAN(client);
	m.virtual = SPAN(virtual);
	m.real = SPAN(real);
	return bus_reply(rq, MSG_CONN, &m);
}

static bool
reply_persist(const struct bus_request *rq, const struct walk_row *r)
{
	const struct addr *a = &r->e.client;
	char key[ADDR_TEXT];
	struct msg_persist m = {
		.service = r->service, .server = r->server, .left = (uint64_t)DUR_S(r->e.left_s)
	};

	addr_format(a, a->len == (a->family == 6 ? 128 : 32) ? ADDR_HOST : ADDR_NET, key);
	m.key = r->e.pe_data[0] != '\0' ? SPAN(r->e.pe_data) : SPAN(key);
	return bus_reply(rq, MSG_PERSIST, &m);
}

/* ---- answers -------------------------------------------------------------------------------------- */

static bool
ask_step(void *state, const struct bus_request *rq)
{
	struct ask *a = state;
	const struct walk_row *r;
	int code;

	for (unsigned i = 0; i < PIECE && (r = walk_next(a->walk)) != NULL; i++) {
		bool go_on;

		if (a->skip > 0) {
			a->skip--;
			continue;
		}
		go_on = a->persists ? reply_persist(rq, r) : reply_conn(rq, r);
		if (++a->sent == a->most)
			return true;
		if (!go_on)
			return false;
	}
	if (!walk_ended(a->walk, &code))
		return false;
	if (code != 0)
		bus_result(rq, code, "the kernel's list of connections cannot be read: " WALK_PATH);
	return true;
}

static void
ask_fini(void *state)
{
	struct ask *a = state;

	walk_free(a->walk);
	free(a);
}

static void
ask_more(void *arg)
{
	struct ask *a = arg;

	bus_pump_again(daemon_bus(a->c->d));
}

static int
take_select(struct walk_want *want, const struct msg_select *m, bool keys, struct err *err)
{
	char client[ENTRY_PE_DATA];

	want->service = m->service;
	want->server = m->server;
	if (m->state.len >= sizeof(want->state))
		return err_set(err, ERR_INVALID, "state: no state has more than %zu letters",
		    sizeof(want->state) - 1);
	span_text(m->state, want->state, sizeof(want->state));
	if (m->client.len == 0)
		return 0;
	if (m->client.len >= sizeof(client))
		return err_set(
		    err, ERR_INVALID, "client: longer than %zu bytes", sizeof(client) - 1);
	span_text(m->client, client, sizeof(client));
	return walk_client(want, client, keys, err);
}

static void
answer(struct conns *c, const struct bus_request *rq, const struct msg_select *m, bool persists)
{
	struct walk_want want = { .kinds = persists ? WALK_TEMPLATES : WALK_CONNECTIONS };
	struct walk_ops ops = { .more = ask_more };
	struct err err = { 0 };
	struct ask *a;

	must_obj(c, CONNS_MAGIC);
	if (take_select(&want, m, persists, &err) != 0) {
		bus_result(rq, err.code, err.text);
		return;
	}
	if (conns_index(c) == NULL) {
		bus_result(rq, 0, NULL);
		return;
	}
	a = mem_alloc(sizeof(*a));
	*a = (struct ask){ .c = c, .persists = persists, .skip = m->skip, .most = m->most };
	ops.arg = a;
	a->walk = walk_new(c->walks, conns_index(c), &want, &ops);
	bus_pump(rq, ask_step, ask_fini, a);
}

void
conns_on_conns(struct conns *c, const struct bus_request *rq, const struct msg_select *m)
{
	answer(c, rq, m, false);
}

void
conns_on_persists(struct conns *c, const struct bus_request *rq, const struct msg_select *m)
{
	answer(c, rq, m, true);
}

void
conns_on_clear(struct conns *c, const struct bus_request *rq, const struct msg_persist_clear *m)
{
	const struct msg_select s = {
		.service = m->service, .server = m->server, .client = m->key
	};
	struct walk_want want = { 0 };
	struct err err = { 0 };

	must_obj(c, CONNS_MAGIC);
	if (take_select(&want, &s, true, &err) != 0)
		bus_result(rq, err.code, err.text);
	else if (conns_index(c) == NULL)
		bus_result(rq, 0, NULL);
	else
		clears_begin(c->clears, conns_index(c), &want, rq);
}

/* ---- the whole -------------------------------------------------------------------------------------- */

void
conns_cut(struct conns *c, uint32_t server, const char *why)
{
	must_obj(c, CONNS_MAGIC);
	if (conns_index(c) != NULL)
		cuts_begin(c->cuts, conns_index(c), server, why);
}

struct walk *
conns_walk(struct conns *c, const struct walk_want *want, const struct walk_ops *ops)
{
	struct index *ix = conns_index(c);

	must_obj(c, CONNS_MAGIC);
	return ix != NULL ? walk_new(c->walks, ix, want, ops) : NULL;
}

uint64_t
conns_cut_total(const struct conns *c, uint32_t server)
{
	return cuts_total(c->cuts, server);
}

void
conns_apply(struct conns *c, struct snapshot *s)
{
	must_obj(c, CONNS_MAGIC);
	index_unref(c->index);
	c->index = NULL;
	snapshot_unref(c->now);
	c->now = snapshot_ref(s);
	cuts_apply(c->cuts, s);
	sample_apply(c->sample, s);
}

struct conns *
conns_new(struct daemon *d, struct packet *p, const struct conns_ops *ops)
{
	struct conns *c = mem_alloc(sizeof(*c));
	struct loop *l = daemon_loop(d);

	c->magic = CONNS_MAGIC;
	c->d = d;
	c->packet = p;
	c->ops = *ops;
	c->walks = walks_new(l, WALK_PATH);
	c->forget = forget_new(l);
	c->sample = sample_new(l, c);
	c->cuts = cuts_new(l, c->walks, c->forget, p);
	c->clears = clears_new(l, c->walks, c->forget);
	return c;
}

void
conns_free(struct conns *c)
{
	if (c == NULL)
		return;
	must_obj(c, CONNS_MAGIC);
	clears_free(c->clears);
	cuts_free(c->cuts);
	sample_free(c->sample);
	forget_free(c->forget);
	walks_free(c->walks);
	index_unref(c->index);
	snapshot_unref(c->now);
	c->magic = 0;
	free(c);
}
