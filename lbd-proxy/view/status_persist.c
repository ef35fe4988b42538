/* Persistence entries of the proxy, listed and forgotten. A list leaves out what is skipped and ends at the most that is wanted, so
 * a page of it costs no more than looking at the entries before; it is copied once, and written as the receiver takes it. */
#include "status.h"

#include "base/mem.h"

#include "control.h"
#include "pool/persist.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_STEP 64 /* rows a turn */

uint32_t
status_table_of(const struct control *k, uint32_t service)
{
	const struct ctl_service *c = idmap_get(&k->services, service);

	return c != NULL && c->view != NULL ? c->view->sticky.table : service;
}

struct persists_answer {
	struct control *k;
	struct stick_entry *e;
	uint32_t n, room, at, skip, most, server;
	uint32_t as; /* the service that was asked for, where the entries are those of another; 0 */
	/* Which clients: of a network, or with a key; neither: all. */
	struct addr net;
	bool keyed;
	struct stick_key key, shown;
};

static void
persists_fini(void *state)
{
	struct persists_answer *a = state;

	free(a->e);
	free(a);
}

/* In the words of the service that was asked for; false: it has no such server. */
static bool
as_asked(const struct persists_answer *a, struct stick_entry *e)
{
	const struct ctl_service *c = idmap_get(&a->k->services, a->as);

	if (a->as == 0 || c == NULL || c->view == NULL)
		return true;
	e->service = a->as;
	e->server = persist_find(c->view, e->server);
	return e->server != 0;
}

static bool
client_fits(const struct persists_answer *a, const struct stick_key *key)
{
	struct addr is = { .family = key->kind == STICK_ADDR4 ? 4 : 6 };

	if (a->keyed)
		return key->kind == STICK_COOKIE &&
		       (memcmp(key->b, a->key.b, sizeof(key->b)) == 0 ||
			   memcmp(key->b, a->shown.b, sizeof(key->b)) == 0);
	if (a->net.family == 0)
		return true;
	if (key->kind == STICK_COOKIE)
		return false;
	is.len = is.family == 4 ? 32 : 128;
	memcpy(is.b, key->b, sizeof(is.b));
	return addr_contains(&a->net, &is);
}

static bool
keep_persist(void *arg, const struct stick_entry *e)
{
	struct persists_answer *a = arg;
	struct stick_entry mine = *e;

	if ((a->server != 0 && e->server != a->server) || !client_fits(a, &e->key) ||
	    !as_asked(a, &mine))
		return true;
	if (a->skip > 0) {
		a->skip--;
		return true;
	}
	if (a->n == a->room) {
		a->room = a->room * 2 + 64;
		a->e = mem_grow(a->e, a->room * sizeof(*a->e));
	}
	a->e[a->n++] = mine;
	return a->most == 0 || a->n < a->most;
}

/* The service that is asked about: told, or that of the server that is. */
static uint32_t
asked(const struct control *k, uint32_t service, uint32_t server)
{
	const struct ctl_server *s = server == 0 ? NULL : idmap_get(&k->servers, server);

	return service == 0 && s != NULL ? s->of->id : service;
}

/* What a server of a service is called in the entries that the service has; 0: nobody belongs to it. */
static uint32_t
who_of(const struct control *k, uint32_t service, uint32_t server)
{
	const struct ctl_service *c = idmap_get(&k->services, service);

	for (uint32_t i = 0; c != NULL && c->view != NULL && i < c->view->n; i++)
		if (c->view->at[i].srv->id == server)
			return c->view->at[i].who == STICKY_NOBODY ? 0 : c->view->at[i].who;
	return server;
}

/* A value is not kept: its hash stands for it. */
static void
key_text(const struct stick_key *key, char *out, size_t room)
{
	struct addr a = { .family = key->kind == STICK_ADDR4 ? 4 : 6 };
	size_t n = 0;

	if (key->kind != STICK_COOKIE) {
		a.len = a.family == 4 ? 32 : 128;
		memcpy(a.b, key->b, sizeof(a.b));
		addr_format(&a, ADDR_HOST, out);
		return;
	}
	for (size_t i = 0; i < sizeof(key->b) && n + 3 < room; i++)
		n += (size_t)snprintf(out + n, room - n, "%02x", key->b[i]);
}

static bool
persists_step(void *state, const struct bus_request *rq)
{
	struct persists_answer *a = state;
	char key[80];
	unsigned rows = 0;

	for (; a->at < a->n && rows < ROWS_STEP; a->at++, rows++) {
		const struct stick_entry *e = &a->e[a->at];
		struct msg_persist m = { .service = e->service, .server = e->server };

		key_text(&e->key, key, sizeof(key));
		m.key = SPAN(key);
		m.left = (uint64_t)(e->left > 0 ? e->left : 0);
		(void)bus_reply(rq, MSG_PERSIST, &m);
	}
	return a->at == a->n;
}

/* The key that a list shows for a value: 32 hexadecimal digits. */
static bool
shown_key(const char *text, struct stick_key *out)
{
	unsigned byte;

	if (strlen(text) != 2 * sizeof(out->b) || strspn(text, "0123456789abcdef") != strlen(text))
		return false;
	out->kind = STICK_COOKIE;
	for (size_t i = 0; i < sizeof(out->b); i++) {
		if (sscanf(text + 2 * i, "%2x", &byte) != 1)
			return false;
		out->b[i] = (uint8_t)byte;
	}
	return true;
}

/* An address (kept with the bits that count for the service), a network, the value that names a client, or what a list shows of
 * that. */
static void
take_client(struct persists_answer *a, uint32_t table, struct span client)
{
	const struct ctl_service *c = idmap_get(&a->k->services, table);
	struct stick_key key;
	char text[512];

	span_text(client, text, sizeof(text));
	if (addr_parse(text, ADDR_HOST, &a->net) == 0 && c != NULL && c->view != NULL) {
		persist_source_key(c->view, &a->net, &key);
		memcpy(a->net.b, key.b, sizeof(a->net.b));
	}
	if (text[0] == '\0' || a->net.family != 0 || addr_parse(text, ADDR_NET, &a->net) == 0)
		return;
	a->net = (struct addr){ 0 };
	a->keyed = true;
	(void)shown_key(text, &a->shown);
	stick_key_cookie(a->k->px.stick, (const char *)client.p, client.len, &a->key);
}

void
status_persists(struct control *k, const struct bus_request *rq, const struct msg_select *m)
{
	struct persists_answer *a = mem_alloc(sizeof(*a));
	uint32_t service = asked(k, m->service, m->server), table = status_table_of(k, service);
	bool all;

	a->k = k;
	a->most = m->most;
	a->server = who_of(k, service, m->server);
	a->as = table != service ? service : 0;
	take_client(a, table, m->client);
	all = a->server == 0 && a->as == 0 && a->net.family == 0 && !a->keyed;
	a->skip = all ? 0 : m->skip;
	if (m->server == 0 || a->server != 0)
		(void)stick_each(
		    k->px.stick, table, all ? m->skip : 0, mono_now(), keep_persist, a);
	bus_pump(rq, persists_step, persists_fini, a);
}

/* One client, by its address, by the value that names it, or by what a list shows of that: how many entries went. */
static uint32_t
clear_one(struct control *k, uint32_t table, uint32_t server, const char *text, struct span value)
{
	struct stick_key key;
	uint32_t n = 0;
	struct addr a;

	if (addr_parse(text, ADDR_HOST, &a) == 0) {
		const struct ctl_service *c = idmap_get(&k->services, table);

		if (c != NULL && c->view != NULL)
			persist_source_key(c->view, &a, &key);
		else
			stick_key_addr(&a, &key);
	} else {
		if (shown_key(text, &key))
			n = stick_clear(k->px.stick, table, server, &key);
		stick_key_cookie(k->px.stick, (const char *)value.p, value.len, &key);
	}
	return n + stick_clear(k->px.stick, table, server, &key);
}

void
status_persist_clear(
    struct control *k, const struct bus_request *rq, const struct msg_persist_clear *ask)
{
	uint32_t service = asked(k, ask->service, ask->server), table = status_table_of(k, service),
		 server = who_of(k, service, ask->server);
	struct msg_persist_cleared told = { 0 };
	char text[512];

	span_text(ask->key, text, sizeof(text));
	if (ask->server != 0 && server == 0)
		; /* nobody belongs to it */
	else if (ask->key.p == NULL || text[0] == '\0')
		told.entries = stick_clear(k->px.stick, table, server, NULL);
	else
		told.entries = clear_one(k, table, server, text, ask->key);
	(void)bus_reply(rq, MSG_PERSIST_CLEARED, &told);
	bus_result(rq, 0, NULL);
}
