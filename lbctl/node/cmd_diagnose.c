/* diagnose: why does a service not answer? The four steps of the way, in order: this node is active, the address is on it,
 * servers are fit, the kernel or the proxy carries connections; then, for layer 4 and transparent services, what each server needs is probed. The
 * first step that fails is named. It looks only; each finding carries the line that mends it. */
#include "ctl.h"

#include "msg/client.h"
#include "probes.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { G_STEP, G_SERVER, G_STATUS, G_FINDING, G_TEXT, G_FIX };
static const struct column diagnose_columns[] = {
	[G_STEP] = { "step", NULL, COL_TEXT, COL_SHOW },
	[G_SERVER] = { "server", NULL, COL_TEXT, COL_SHOW },
	[G_STATUS] = { "status", NULL, COL_STATUS, COL_SHOW },
	[G_FINDING] = { "finding", NULL, COL_TEXT, COL_WIDE },
	[G_TEXT] = { "text", "finding", COL_TEXT, COL_SHOW },
	[G_FIX] = { "fix", NULL, COL_TEXT, COL_SHOW },
};
#define CONNS_MOST 20000 /* connections that are looked at */
#define HALF_OPEN_FEW 5	 /* fewer prove nothing */
#define HALF_OPEN_PCT 50

struct diagnosis {
	struct ctl *c;
	struct table *t;
	struct facts facts;
	const struct service *svc;
	const char *step, *failed;  /* failed: the first step that is wrong; NULL */
	const char *failed_finding; /* its text, in the arena */
};

/* Steps are shown in any case; of a server's probes those that are right only with -v and in JSON. */
static void
put(struct diagnosis *d, const struct probe_finding *f)
{
	bool quiet = f->status == FOUND_RIGHT && strcmp(d->step, "probe") == 0 &&
		     !GIVEN(d->c, verbose) && d->c->style.form != FORM_JSON;

	if (f->status == FOUND_WRONG && d->failed == NULL) {
		d->failed = d->step;
		d->failed_finding = arena_text(d->c->arena, f->text, strlen(f->text));
	}
	if (quiet)
		return;
	table_row(d->t);
	table_text(d->t, G_STEP, d->step);
	if (f->srv != NULL)
		table_text(d->t, G_SERVER, f->srv->name);
	table_status(d->t, G_STATUS, probe_status(f->status), found_word[f->status]);
	if (f->what != FINDING_none)
		table_text(d->t, G_FINDING, finding_name[f->what]);
	table_text(d->t, G_TEXT, f->text);
	table_text(d->t, G_FIX, f->fix);
}

static void
on_finding(void *arg, const struct probe_finding *f)
{
	put(arg, f);
}

static void found(struct diagnosis *d, enum finding what, enum found status, const char *where,
    const char *fmt, ...) __attribute__((format(printf, 5, 6)));

static void
found(struct diagnosis *d, enum finding what, enum found status, const char *where, const char *fmt,
    ...)
{
	struct advice_ask ask;
	struct buf fix = { 0 };
	char text[300];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	facts_ask(&d->facts, d->c->snap, d->svc, NULL, &ask);
	if (status != FOUND_RIGHT)
		advice_fix(&ask, what, where, &fix);
	put(d, &(struct probe_finding){ d->svc, NULL, what, status, text, buf_text(&fix) });
	buf_fini(&fix);
}

/* 1: this node holds the floating addresses. */
static void
step_device(struct diagnosis *d)
{
	const struct view_role *role = view_role(d->c->view);

	d->step = "device";
	if (!role->heard)
		found(d, FINDING_not_held, FOUND_WRONG, "",
		    "lbd-ha does not run: nobody holds the floating addresses");
	else if (role->active)
		found(d, FINDING_passive, FOUND_RIGHT, "", "this node is active");
	else
		found(d, FINDING_passive, FOUND_WRONG, "", "this node is passive");
}

/* 2: the address is here. */
static void
step_address(struct diagnosis *d)
{
	const struct view_floating *f = view_floating(d->c->view);
	const struct iface_addr *here = iface_list_find(&d->facts.ifaces, &d->svc->address, true);
	char vip[ADDR_TEXT];
	struct addr a;

	d->step = "address";
	if (d->svc->address.family == 0) {
		found(d, FINDING_not_held, FOUND_RIGHT, "",
		    "it has none: content rules of others lead to it");
		return;
	}
	addr_format(&d->svc->address, ADDR_HOST, vip);
	for (; f != NULL; f = f->next)
		if (addr_parse(f->address, ADDR_CIDR, &a) == 0 &&
		    addr_same_host(&a, &d->svc->address) && f->fault != NULL && !f->held)
			break;
	if (here != NULL)
		found(d, FINDING_not_held, FOUND_RIGHT, "", "%s is on %s", vip, here->name);
	else if (addr_is_loopback(&d->svc->address))
		found(d, FINDING_not_held, FOUND_RIGHT, "", "%s is this machine's own", vip);
	else
		found(d, FINDING_not_held, FOUND_WRONG, "", "%s is on no interface%s%s", vip,
		    f != NULL ? ": " : "", f != NULL ? f->fault : "");
}

/* The first server that is down, and why; "" when nothing is known. */
static void
first_down(struct diagnosis *d, char *out, size_t room)
{
	const void *const *rows;
	uint32_t n;

	out[0] = '\0';
	rows = snapshot_children(d->c->snap, KIND_server, d->svc->id, &n);
	for (uint32_t i = 0; i < n; i++) {
		const struct server *srv = rows[i];
		const struct view_server *v = view_server(d->c->view, srv->id);

		if (view_server_state(d->c->view, srv) != SRV_DOWN || v == NULL)
			continue;
		(void)snprintf(out, room, "; %s: %s", srv->name, v->text ? v->text : "down");
		return;
	}
}

static bool
daemon_runs(const struct diagnosis *d, const char *name, const char **fault_out)
{
	unsigned n, i;
	const struct view_daemon *a = view_daemons(d->c->view, &n);

	*fault_out = "";
	for (i = 0; i < n; i++) {
		if (strcmp(a[i].name, name) != 0)
			continue;
		*fault_out = a[i].fault;
		return a[i].running;
	}
	return false;
}

/* 3: servers are fit. */
static void
step_servers(struct diagnosis *d)
{
	struct service_view v;
	const char *fault;
	unsigned all;
	char down[200];

	d->step = "servers";
	if (!d->svc->enabled)
		found(d, FINDING_disabled, FOUND_WRONG, "", "the service is disabled");
	if (!daemon_runs(d, "lbd-check", &fault)) {
		found(d, FINDING_checks_away, FOUND_WRONG, "", "%s",
		    finding_text[FINDING_checks_away]);
		return;
	}
	(void)view_service_status(d->c->view, d->svc, &v);
	v.up += v.warn; /* a server with a warning takes clients */
	all = v.up + v.down + v.drain + v.halt + v.unknown;
	first_down(d, down, sizeof(down));
	if (all == 0)
		found(d, FINDING_no_servers, FOUND_WRONG, "", "it has no servers");
	else
		found(d, FINDING_no_servers,
		    v.up == 0			    ? FOUND_WRONG
		    : v.up + v.drain + v.halt < all ? FOUND_DOUBTFUL
						    : FOUND_RIGHT,
		    "", "%u of %u servers are up%s", v.up, all, down);
}

/* Connections of a server, by state. */
struct half_open {
	struct diagnosis *d;
	uint32_t server, half, all;
};

static int
on_conn(void *arg, const struct msg_row *row, const union msg_any *m)
{
	struct half_open *h = arg;
	char state[24];

	if (row->number != MSG_CONN || m->conn.server != h->server)
		return 0;
	span_text(m->conn.state, state, sizeof(state));
	h->all++;
	h->half += strcmp(state, "SYN_RECV") == 0;
	return 0;
}

/* SYN_RECV: the client's SYN went to the server, and no ACK followed: its answer did not arrive (S203, S204). */
static void
look_half_open(struct diagnosis *d, const struct server *srv)
{
	struct msg_select m = { .service = d->svc->id, .server = srv->id, .most = CONNS_MOST };
	struct half_open h = { .d = d, .server = srv->id };
	struct advice_ask ask;
	struct buf fix = { 0 };
	struct client *k;
	char text[200];
	bool bad;

	if (client_open(&d->c->paths, "lbd-ipvs", &k, NULL) != 0)
		return;
	if (client_call(k, MSG_CONNS, &m, on_conn, &h, CTL_ANSWER, NULL) == 0 && h.all > 0) {
		bad = h.half >= HALF_OPEN_FEW && h.half * 100 >= h.all * HALF_OPEN_PCT;
		(void)snprintf(text, sizeof(text),
		    "%u of %u connections are half open (SYN_RECV)%s", h.half, h.all,
		    !bad ? ""
		    : advice_forward(d->svc, srv) == forward_nat
			? ": often the server's default gateway is not this node"
			: ": often the server has not the virtual address, or answers ARP for it");
		facts_ask(&d->facts, d->c->snap, d->svc, srv, &ask);
		if (bad)
			advice_fix(&ask, FINDING_half_open, "", &fix);
		put(d, &(struct probe_finding){ d->svc, srv, FINDING_half_open,
			   bad ? FOUND_DOUBTFUL : FOUND_RIGHT, text, buf_text(&fix) });
		buf_fini(&fix);
	}
	client_close(k);
}

/* 4: connections. */
static void
step_connections(struct diagnosis *d)
{
	bool four = service_layer(d->svc) == 4;
	const char *name = four ? "lbd-ipvs" : "lbd-proxy", *fault;
	const void *const *rows;
	struct err err = { 0 };
	uint32_t n;
	int rc = 0;

	d->step = "connections";
	if (four)
		rc = probes_kernel(d->c, &d->facts, d->svc->id, on_finding, d, &err);
	else if (!daemon_runs(d, name, &fault))
		rc = err_set(&err, ERR_AWAY, "%s does not run", name);
	else
		found(d, FINDING_not_loaded, fault[0] != '\0' ? FOUND_DOUBTFUL : FOUND_RIGHT,
		    "proxy", "%s", fault[0] != '\0' ? fault : "lbd-proxy carries it");
	if (rc != 0)
		found(d, FINDING_not_loaded, FOUND_WRONG, name + 4, "%s", err.text);
	if (rc != 0 || !four)
		return;
	rows = snapshot_children(d->c->snap, KIND_server, d->svc->id, &n);
	for (uint32_t i = 0; i < n; i++)
		look_half_open(d, rows[i]);
}

static void
step_probe(struct diagnosis *d)
{
	struct err err = { 0 };

	d->step = "probe";
	if (service_asks_network(d->svc) &&
	    probes_run(d->c, &d->facts, d->svc->id, on_finding, d, &err) != 0)
		found(d, FINDING_not_probed, FOUND_UNKNOWN, "", "%s", err.text);
}

static int
find_service(struct diagnosis *d, struct err *err)
{
	struct picked rows;
	int rc = ctl_load(d->c, err);

	if (rc == 0)
		rc = pick_rows(d->c, object_of(KIND_service), 1, d->c->argv, &rows, err);
	if (rc == 0 && rows.n != 1)
		rc = err_set(err, ERR_USAGE, "%s: one service at a time", d->c->cmd->name);
	if (rc == 0)
		d->svc = rows.row[0];
	return rc;
}

int
cmd_diagnose(struct ctl *c, struct err *err)
{
	struct diagnosis d = { .c = c };
	int rc = find_service(&d, err);

	if (rc == 0)
		rc = facts_read(&d.facts, err);
	if (rc == 0)
		rc = ctl_look(c, VIEW_HEALTH | VIEW_HA | VIEW_DAEMONS, err);
	if (rc != 0) {
		facts_fini(&d.facts);
		return rc;
	}
	d.t = table_new(diagnose_columns, sizeof(diagnose_columns) / sizeof(*diagnose_columns));
	step_device(&d);
	step_address(&d);
	step_servers(&d);
	step_connections(&d);
	step_probe(&d);
	rc = ctl_table(c, d.t, err);
	if (rc == 0 && d.failed != NULL)
		ctl_note(
		    c, "vip %s: fails at step %s: %s", d.svc->name, d.failed, d.failed_finding);
	else if (rc == 0)
		ctl_note(c, "vip %s: nothing is wrong", d.svc->name);
	facts_fini(&d.facts);
	return rc == 0 && d.failed != NULL ? EXIT_DIFFERS : rc;
}
