/* Answers about the proxy: counters, and one line for systemctl status. Connections are listed by status_conns.c, persistence
 * entries by status_persist.c.
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
	n.persist_entries = (uintptr_t)idmap_get(&a->persists, status_table_of(k, c->id));
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
		(void)stick_each(k->px.stick, status_table_of(k, only), 0, mono_now(),
		    count_persist, &a->persists);
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

void
status_on_persists(void *arg, const struct bus_request *rq, const union msg_any *m)
{
	(void)arg;
	status_persists(k, rq, &m->select);
}

void
status_on_persist_clear(void *arg, const struct bus_request *rq, const union msg_any *m)
{
	(void)arg;
	status_persist_clear(k, rq, &m->persist_clear);
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
