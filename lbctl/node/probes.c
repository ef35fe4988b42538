/* Findings about services, from the daemons that find them out: lbd-check probes servers (DIAGNOSE), lbd-ipvs tells how the
 * kernel carries a service and which connections stay half open (topic L4). Each gets the line that mends it. Rows about
 * objects that this snapshot does not have are passed over. */
#include "probes.h"

#include "msg/client.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PATIENCE DUR_S(60) /* a server whose way back is asked for takes its time */

struct collect {
	struct ctl *c;
	const struct facts *facts;
	uint32_t service;
	probe_fn fn;
	void *arg;
	uint32_t servers, last, done; /* progress */
};

enum status
probe_status(enum found status)
{
	switch (status) {
	case FOUND_RIGHT: return ST_OK;
	case FOUND_DOUBTFUL: return ST_WARN;
	case FOUND_WRONG: return ST_DOWN;
	default: return ST_UNK;
	}
}

static void
tell(struct collect *p, const struct service *svc, const struct server *srv, enum finding what,
    enum found status, const char *text)
{
	struct advice_ask ask;
	struct buf fix = { 0 };

	if (status != FOUND_RIGHT) {
		facts_ask(p->facts, p->c->snap, svc, srv, &ask);
		advice_fix(&ask, what, what == FINDING_not_loaded ? "ipvs" : "", &fix);
	}
	p->fn(p->arg, &(struct probe_finding){ svc, srv, what, status, text, buf_text(&fix) });
	buf_fini(&fix);
}

static void
show_progress(struct collect *p, uint32_t server)
{
	if (server == 0 || server == p->last || isatty(STDERR_FILENO) != 1 || GIVEN(p->c, quiet))
		return;
	p->last = server;
	(void)fprintf(stderr, "\rserver %u of %u ", ++p->done, p->servers);
	(void)fflush(stderr);
}

static int
on_finding(void *arg, const struct msg_row *row, const union msg_any *m)
{
	struct collect *p = arg;
	const struct msg_finding *f = &m->finding;
	const struct service *svc;
	const struct server *srv;
	char text[300];

	if (row->number != MSG_FINDING || f->what >= FINDINGS || f->status >= FOUND_END)
		return 0;
	svc = snapshot_find(p->c->snap, KIND_service, f->service);
	srv = f->server != 0 ? snapshot_find(p->c->snap, KIND_server, f->server) : NULL;
	if (svc == NULL || (f->server != 0 && srv == NULL))
		return 0;
	show_progress(p, f->server);
	span_text(f->text, text, sizeof(text));
	tell(p, svc, srv, f->what, f->status, text);
	return 0;
}

static uint32_t
count_servers(const struct snapshot *s, uint32_t service)
{
	uint32_t n = 0, kids;

	for (uint32_t i = 0; i < snapshot_count(s, KIND_service); i++) {
		const struct service *svc = snapshot_at(s, KIND_service, i);

		if (!service_asks_network(svc) || (service != 0 && svc->id != service))
			continue;
		(void)snapshot_children(s, KIND_server, svc->id, &kids);
		n += kids;
	}
	return n;
}

int
probes_run(
    struct ctl *c, const struct facts *f, uint32_t service, probe_fn fn, void *arg, struct err *err)
{
	struct collect p = { c, f, service, fn, arg, count_servers(c->snap, service), 0, 0 };
	struct msg_diagnose m = { .service = service };
	struct client *k;
	int rc;

	if (p.servers == 0)
		return 0;
	rc = client_open(&c->paths, "lbd-check", &k, err);
	if (rc != 0)
		return rc;
	if (c->style.form != FORM_JSON)
		ctl_note(c, "probing %u server%s", p.servers, p.servers == 1 ? "" : "s");
	rc = client_call(k, MSG_DIAGNOSE, &m, on_finding, &p, PATIENCE, err);
	if (p.done > 0)
		(void)fputs("\r                         \r", stderr);
	client_close(k);
	return rc;
}

static void
tell_service(struct collect *p, const struct msg_l4_service *m)
{
	const struct service *svc = snapshot_find(p->c->snap, KIND_service, m->service);
	char text[300] = "the kernel carries it";

	if (svc == NULL || service_layer(svc) != 4 || (p->service != 0 && p->service != svc->id))
		return;
	if (!m->loaded)
		(void)snprintf(text, sizeof(text), "layer 4: the kernel does not carry it");
	if (!m->loaded && m->fault.len > 0)
		span_text(m->fault, text, sizeof(text));
	tell(p, svc, NULL, FINDING_not_loaded, m->loaded ? FOUND_RIGHT : FOUND_WRONG, text);
}

static void
tell_hint(struct collect *p, const struct msg_l4_hint *m)
{
	const struct server *srv = snapshot_find(p->c->snap, KIND_server, m->server);
	const struct service *svc = srv ? snapshot_find(p->c->snap, KIND_service, srv->vip) : NULL;
	char text[300];

	if (svc == NULL || m->what == FINDING_none || m->what >= FINDINGS ||
	    (p->service != 0 && p->service != svc->id))
		return;
	span_text(m->text, text, sizeof(text));
	tell(p, svc, srv, m->what, FOUND_DOUBTFUL, text[0] != '\0' ? text : finding_text[m->what]);
}

static int
on_kernel(void *arg, const struct msg_row *row, const union msg_any *m)
{
	if (row->number == MSG_L4_SERVICE)
		tell_service(arg, &m->l4_service);
	else if (row->number == MSG_L4_HINT)
		tell_hint(arg, &m->l4_hint);
	return 0;
}

int
probes_kernel(
    struct ctl *c, const struct facts *f, uint32_t service, probe_fn fn, void *arg, struct err *err)
{
	struct collect p = { c, f, service, fn, arg, 0, 0, 0 };
	struct msg_subscribe m = { .topics = TOPIC_L4 };
	struct client *k;
	int rc = client_open(&c->paths, "lbd-ipvs", &k, err);

	if (rc != 0)
		return rc;
	rc = client_call(k, MSG_SUBSCRIBE, &m, on_kernel, &p, CTL_ANSWER, err);
	client_close(k);
	return rc;
}
