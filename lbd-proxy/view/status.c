/* Answers about the proxy: counters, persistence entries, and one line for systemctl status. Connections are listed by
 * status_conns.c.
 *
 * Counters are read while the workers go on. Long answers are written as the receiver takes them; services that are
 * deleted meanwhile are left out. */
#include "status.h"

#include "base/mem.h"
#include "store/state.h"

#include "control.h"
#include "log/logs.h"
#include "pool/persist.h"
#include "rates/rates.h"
#include "upgrade/elder.h"

#include <stdio.h>
#include <string.h>

#define ROWS_STEP 64 /* rows a turn */

static struct control *k;

void
status_init(struct control *control)
{
	k = control;
}

/* The service whose entries a service has: another one, where it shares. */
static uint32_t
table_of(uint32_t service)
{
	const struct ctl_service *c = idmap_get(&k->services, service);

	return c != NULL && c->view != NULL ? c->view->sticky.table : service;
}

struct counters_answer {
	uint32_t *id, n, at, most, rows;
	struct idmap persists; /* entries of each service, as a pointer */
};

static void
counters_fini(void *state)
{
	struct counters_answer *a = state;

	idmap_fini(&a->persists);
	free(a->id);
	free(a);
}

static void
put_service(
    const struct counters_answer *a, const struct ctl_service *c, const struct bus_request *rq)
{
	struct service_counters n;
	struct buf b = { 0 }, t = { 0 };
	struct msg_counts m = { .id = c->id, .since = c->svc->since };
	struct phases times;

	svc_counts(c->svc, &n);
	elders_service(k, c->id, &n);
	n.persist_entries = (uintptr_t)idmap_get(&a->persists, table_of(c->id));
	n.rate_keys = c->svc->rates != NULL ? rates_count(c->svc->rates) : 0;
	counters_put(service_counters, service_counters_n, &n, &b);
	m.values = (struct span){ b.p, b.len };
	if (b.p == NULL)
		m.values.p = (const uint8_t *)"";
	svc_phases(c->svc, &times);
	phases_put(&times, &t);
	m.phases = (struct span){ t.p, t.len };
	(void)bus_reply(rq, MSG_SERVICE_COUNTS, &m);
	buf_fini(&b);
	buf_fini(&t);
}

static void
put_server(const struct ctl_service *c, const struct ctl_server *s, const struct bus_request *rq)
{
	struct server_counters n;
	struct buf b = { 0 };
	struct msg_counts m = { .id = s->id, .since = c->svc->since };

	srv_counts(s->srv, &n);
	elders_server(k, s->id, &n);
	counters_put(server_counters, server_counters_n, &n, &b);
	m.values = (struct span){ b.p, b.len };
	if (b.p == NULL)
		m.values.p = (const uint8_t *)"";
	(void)bus_reply(rq, MSG_SERVER_COUNTS, &m);
	buf_fini(&b);
}

/* A service with all its servers is one piece. */
static bool
counters_step(void *state, const struct bus_request *rq)
{
	struct counters_answer *a = state;
	unsigned rows = 0;

	while (a->at < a->n && rows < ROWS_STEP && (a->most == 0 || a->rows < a->most)) {
		const struct ctl_service *c = idmap_get(&k->services, a->id[a->at++]);

		if (c == NULL)
			continue;
		put_service(a, c, rq);
		status_rules(c, rq);
		for (uint32_t i = 0; i < c->n; i++)
			put_server(c, c->servers[i], rq);
		rows += 1 + c->n;
		a->rows += 1 + c->n;
	}
	return a->at == a->n || (a->most != 0 && a->rows >= a->most);
}

static bool
count_persist(void *arg, const struct stick_entry *e)
{
	struct idmap *m = arg;

	idmap_put(m, e->service, (void *)((uintptr_t)idmap_get(m, e->service) + 1));
	return true;
}

void
status_on_counters(void *arg, const struct bus_request *rq, const union msg_any *m)
{
	struct counters_answer *a = mem_alloc(sizeof(*a));
	uint32_t at = 0, id, only = m->select.service;

	(void)arg;
	a->most = m->select.most;
	a->id = mem_alloc((k->services.n + 1) * sizeof(*a->id));
	while (idmap_next(&k->services, &at, &id) != NULL)
		if (only == 0 || only == id)
			a->id[a->n++] = id;
	if (stick_count(k->px.stick) > 0)
		(void)stick_each(
		    k->px.stick, table_of(only), mono_now(), count_persist, &a->persists);
	bus_pump(rq, counters_step, counters_fini, a);
}

void
status_on_flush(void *arg, const struct bus_request *rq, const union msg_any *m)
{
	int64_t now = mono_wall_ms() / 1000;
	uint32_t at = 0, only = m->select.service, i;
	struct ctl_service *c;

	(void)arg;
	while ((c = idmap_next(&k->services, &at, NULL)) != NULL) {
		if (only != 0 && c->id != only)
			continue;
		svc_flush(c->svc, now);
		status_rules_flush(c);
		for (i = 0; i < c->n; i++)
			srv_flush(c->servers[i]->srv);
	}
	bus_result(rq, 0, NULL); /* a service of layer 4 has no counters here */
}

void
status_on_conns(void *arg, const struct bus_request *rq, const union msg_any *m)
{
	(void)arg;
	status_conns(k, rq, &m->select);
}

void
status_on_conns_kill(void *arg, const struct bus_request *rq, const union msg_any *m)
{
	(void)arg;
	status_kill(k, rq, &m->conns_kill);
}

void
status_on_rates(void *arg, const struct bus_request *rq, const union msg_any *m)
{
	(void)arg;
	status_rates(k, rq, &m->rates);
}

struct persists_answer {
	struct stick_entry *e;
	uint32_t n, room, at, most, server;
	uint32_t as; /* the service that was asked for, where the entries are those of another; 0 */
};

static void
persists_fini(void *state)
{
	struct persists_answer *a = state;

	free(a->e);
	free(a);
}

static bool
keep_persist(void *arg, const struct stick_entry *e)
{
	struct persists_answer *a = arg;

	if (a->server != 0 && e->server != a->server)
		return true;
	if (a->n == a->room) {
		a->room = a->room * 2 + 64;
		a->e = mem_grow(a->e, a->room * sizeof(*a->e));
	}
	a->e[a->n++] = *e;
	return a->most == 0 || a->n < a->most;
}

/* The service that is asked about: told, or that of the server that is. */
static uint32_t
asked(uint32_t service, uint32_t server)
{
	const struct ctl_server *s = server == 0 ? NULL : idmap_get(&k->servers, server);

	return service == 0 && s != NULL ? s->of->id : service;
}

/* What a server of a service is called in the entries that the service has; 0: nobody belongs to it. */
static uint32_t
who_of(uint32_t service, uint32_t server)
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

/* In the words of the service that was asked for; false: it has no such server. */
static bool
as_asked(const struct persists_answer *a, struct msg_persist *m)
{
	const struct ctl_service *c = idmap_get(&k->services, a->as);

	if (a->as == 0 || c == NULL || c->view == NULL)
		return true;
	m->service = a->as;
	m->server = persist_find(c->view, m->server);
	return m->server != 0;
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

		if (!as_asked(a, &m))
			continue;
		key_text(&e->key, key, sizeof(key));
		m.key = SPAN(key);
		m.left = (uint64_t)(e->left > 0 ? e->left : 0);
		(void)bus_reply(rq, MSG_PERSIST, &m);
	}
	return a->at == a->n;
}

void
status_on_persists(void *arg, const struct bus_request *rq, const union msg_any *m)
{
	struct persists_answer *a = mem_alloc(sizeof(*a));
	uint32_t service = asked(m->select.service, m->select.server), table = table_of(service);

	(void)arg;
	a->most = m->select.most;
	a->server = who_of(service, m->select.server);
	a->as = table != service ? service : 0;
	if (m->select.server == 0 || a->server != 0)
		(void)stick_each(k->px.stick, table, mono_now(), keep_persist, a);
	bus_pump(rq, persists_step, persists_fini, a);
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

/* One client, by its address, by the value that names it, or by what a list shows of that. */
static uint32_t
clear_one(uint32_t table, uint32_t server, const char *text, struct span value)
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
status_on_persist_clear(void *arg, const struct bus_request *rq, const union msg_any *m)
{
	const struct msg_persist_clear *ask = &m->persist_clear;
	uint32_t service = asked(ask->service, ask->server), table = table_of(service),
		 server = who_of(service, ask->server);
	struct msg_persist_cleared told = { 0 };
	char text[512];

	(void)arg;
	span_text(ask->key, text, sizeof(text));
	if (ask->server != 0 && server == 0)
		; /* nobody belongs to it */
	else if (ask->key.p == NULL || text[0] == '\0')
		told.entries = stick_clear(k->px.stick, table, server, NULL);
	else
		told.entries = clear_one(table, server, text, ask->key);
	(void)bus_reply(rq, MSG_PERSIST_CLEARED, &told);
	bus_result(rq, 0, NULL);
}

void
status_tell_logs(struct msg_daemon *m)
{
	logs_counts(k->px.logs, &m->log_lines, &m->log_dropped);
}

void
status_line(char *line, size_t room)
{
	const struct ctl_service *c;
	unsigned live = 0, down = 0, elders, conns;
	uint64_t lines, lost;
	uint32_t at = 0, i;
	int n;

	while ((c = idmap_next(&k->services, &at, NULL)) != NULL) {
		live += c->view != NULL;
		for (i = 0; c->view != NULL && i < c->n; i++)
			down += atomic_load(&c->servers[i]->srv->verdict) == VERDICT_DOWN;
	}
	n = snprintf(line, room, "%u VIPs, %u RIPs of which %u down, %u connections", live,
	    k->servers.n, down, atomic_load(&k->px.conns));
	conns = elders_conns(k, &elders);
	if (elders > 0 && n > 0 && (size_t)n < room)
		n += snprintf(line + n, room - (size_t)n,
		    ", %u more in %u process%s before this one", conns, elders,
		    elders == 1 ? "" : "es");
	logs_counts(k->px.logs, &lines, &lost);
	if (lost > 0 && n > 0 && (size_t)n < room)
		(void)snprintf(line + n, room - (size_t)n, ", %llu lines of access logs lost",
		    (unsigned long long)lost);
}
