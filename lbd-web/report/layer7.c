/* Rows of layer7.h, out of what the daemons say. */
#include "report/layer7.h"

#include "msg/phases.h"

#include <stdio.h>
#include <string.h>

struct report {
	struct view *v;
	bool hide_down;
	uint32_t pid;
	void (*put)(void *arg, const struct layer7_row *r);
	void *arg;
};

static void
row_init(struct layer7_row *r, const struct report *x, const struct service *s, const char *what,
    enum layer7_kind kind)
{
	r->kind = kind;
	r->srv = NULL;
	memset(r->text, 0, sizeof(r->text));
	for (unsigned i = 0; i < LAYER7_COLS; i++)
		r->n[i] = -1;
	r->text[COL_pxname] = s->name;
	r->text[COL_svname] = what;
	r->text[COL_mode] = word_text(&mode_list, s->mode);
	r->n[COL_type] = kind;
	r->n[COL_iid] = s->id;
	r->n[COL_pid] = x->pid > 0 ? (int64_t)x->pid : -1;
}

static void
put_answers(struct layer7_row *r, const struct service_counters *n)
{
	r->n[COL_hrsp_1xx] = (int64_t)n->http_1xx;
	r->n[COL_hrsp_2xx] = (int64_t)n->http_2xx;
	r->n[COL_hrsp_3xx] = (int64_t)n->http_3xx;
	r->n[COL_hrsp_4xx] = (int64_t)n->http_4xx;
	r->n[COL_hrsp_5xx] = (int64_t)n->http_5xx;
	r->n[COL_hrsp_other] =
	    0; /* there are none: a server that answers so is answered for with 502 */
	r->n[COL_req_tot] = (int64_t)n->requests_total;
	r->n[COL_comp_in] = (int64_t)n->compress_in;
	r->n[COL_comp_out] = (int64_t)n->compress_out;
	r->n[COL_comp_byp] = 0; /* nothing is left plain for want of time */
	r->n[COL_comp_rsp] = (int64_t)n->compressed_total;
}

/* What clients see of a service. */
static void
put_frontend(const struct report *x, const struct service *s, const struct view_service *v)
{
	const struct service_counters *n = &v->counts;
	struct layer7_row r;

	row_init(&r, x, s, "FRONTEND", LAYER7_FRONTEND);
	r.text[COL_status] = s->enabled ? "OPEN" : "STOP";
	r.n[COL_sid] = 0;
	r.n[COL_slim] = s->max_conns > 0 ? (int64_t)s->max_conns : -1;
	r.n[COL_scur] = (int64_t)n->conns;
	r.n[COL_smax] = (int64_t)n->conns_peak;
	r.n[COL_stot] = r.n[COL_conn_tot] = (int64_t)n->conns_total;
	r.n[COL_bin] = (int64_t)n->bytes_in;
	r.n[COL_bout] = (int64_t)n->bytes_out;
	r.n[COL_dreq] = (int64_t)n->refused_total;
	r.n[COL_ereq] = (int64_t)n->bad_requests;
	r.n[COL_rate] = r.n[COL_conn_rate] = (int64_t)n->conns_rate;
	r.n[COL_rate_max] = r.n[COL_conn_rate_max] = (int64_t)n->conns_rate_peak;
	r.n[COL_rate_lim] = 0;
	if (s->mode == mode_http) {
		put_answers(&r, n);
		r.n[COL_req_rate] = (int64_t)n->requests_rate;
		r.n[COL_req_rate_max] = (int64_t)n->requests_rate_peak;
	}
	x->put(x->arg, &r);
}

static void
put_times(struct layer7_row *r, const struct phases *p)
{
	static const uint8_t cols[PHASES_N] = { COL_qtime, COL_ctime, COL_rtime, COL_ttime };

	for (unsigned i = 0; p != NULL && i < PHASES_N; i++) {
		uint64_t n = phase_total(&p->of[i]);

		r->n[cols[i]] = n > 0 ? (int64_t)(p->of[i].sum_us / n / 1000) : 0;
	}
}

static int64_t
ago(int64_t at_s)
{
	int64_t now = mono_wall_ms() / 1000;

	return at_s <= 0 ? -1 : now > at_s ? now - at_s : 0;
}

static bool
takes(enum server_state s)
{
	return s == SRV_UP || s == SRV_WARN;
}

/* What is known of a service's servers only. */
static void
put_sums(const struct report *x, const struct service *s, struct layer7_row *r)
{
	const struct snapshot *snap = view_snapshot(x->v);
	const void *const *servers;
	uint64_t asked = 0, opened = 0, now = 0, last = 0;
	int64_t weight = 0;
	uint32_t n;

	r->n[COL_act] = r->n[COL_bck] = 0;
	servers = snapshot_children(snap, KIND_server, s->id, &n);
	for (uint32_t i = 0; i < n; i++) {
		const struct server *srv = servers[i];
		const struct view_server *v = view_server(x->v, srv->id);

		if (takes(view_server_state(x->v, srv))) {
			r->n[srv->backup ? COL_bck : COL_act]++;
			weight += srv->backup ? 0 : snapshot_weight(snap, srv);
		}
		if (v == NULL || !v->counted)
			continue;
		asked += v->counts.requests_total;
		opened += v->counts.conns_total;
		now += v->counts.conns;
		last = v->counts.last_request > last ? v->counts.last_request : last;
	}
	r->n[COL_weight] = weight;
	r->n[COL_scur] = (int64_t)now + r->n[COL_qcur];
	r->n[COL_connect] = (int64_t)opened;
	if (s->mode == mode_http)
		r->n[COL_reuse] = asked > opened ? (int64_t)(asked - opened) : 0;
	r->n[COL_lastsess] = ago((int64_t)last);
}

static void
put_backend(const struct report *x, const struct service *s, const struct view_service *v)
{
	const struct service_counters *n = &v->counts;
	enum status st = view_service_status(x->v, s, NULL);
	struct layer7_row r;

	row_init(&r, x, s, "BACKEND", LAYER7_BACKEND);
	r.text[COL_status] = st == ST_DOWN || st == ST_OFF ? "DOWN" : "UP";
	r.text[COL_algo] = word_text(&scheduler_list, s->scheduler);
	if (s->mode == mode_http && s->persistence == persistence_cookie)
		r.text[COL_cookie] = s->cookie;
	r.n[COL_sid] = 0;
	r.n[COL_qcur] = (int64_t)n->queue;
	r.n[COL_qmax] = (int64_t)n->queue_peak;
	put_sums(x, s, &r);
	r.n[COL_stot] = r.n[COL_lbtot] = (int64_t)n->requests_total;
	r.n[COL_bin] = (int64_t)n->bytes_in;
	r.n[COL_bout] = (int64_t)n->bytes_out;
	r.n[COL_econ] = (int64_t)n->no_server;
	r.n[COL_eresp] = r.n[COL_srv_abrt] = (int64_t)n->server_aborts;
	r.n[COL_cli_abrt] = (int64_t)n->client_aborts;
	r.n[COL_wretr] = r.n[COL_wredis] = (int64_t)n->retries;
	r.n[COL_rate] = (int64_t)n->requests_rate;
	r.n[COL_rate_max] = (int64_t)n->requests_rate_peak;
	if (view_quorum(x->v, s->id) != NULL)
		r.n[COL_lastchg] = ago(v->quorum_since);
	if (s->mode == mode_http)
		put_answers(&r, n);
	put_times(&r, v->phases);
	x->put(x->arg, &r);
}

static const char *
state_word(enum server_state s)
{
	switch (s) {
	case SRV_UP:
	case SRV_WARN: return "UP";
	case SRV_DOWN: return "DOWN";
	case SRV_DRAIN: return "DRAIN";
	case SRV_HALT: return "MAINT";
	default: return "no check";
	}
}

/* In HAProxy's words (management guide, section 9.1, check_status); "" where it says nothing, as without a check. */
static const char *
check_word(const struct check *rule, uint16_t reason)
{
	bool http = rule->kind == probe_http;

	switch (reason) {
	case REASON_none: return "INI";
	case REASON_ok: return http ? "L7OK" : "L4OK";
	case REASON_refused:
	case REASON_unreachable:
	case REASON_resolve: return "L4CON";
	case REASON_connect_timeout: return "L4TOUT";
	case REASON_timeout: return http ? "L7TOUT" : "L4TOUT";
	case REASON_status: return "L7STS";
	case REASON_closed:
	case REASON_reset:
	case REASON_protocol:
	case REASON_body:
	case REASON_rejected:
	case REASON_too_long: return http ? "L7RSP" : "L4CON";
	case REASON_resources: return "SOCKERR";
	case REASON_tls: return "L6RSP";
	default: return "";
	}
}

static void
put_check(const struct report *x, const struct server *srv, const struct view_server *v,
    struct layer7_row *r)
{
	const struct check *rule = snapshot_check_of(view_snapshot(x->v), srv);
	int64_t since = ago(v->since);

	if (rule->kind == probe_none)
		return;
	r->text[COL_check_status] = check_word(rule, v->reason);
	r->text[COL_last_chk] = v->text;
	if (v->status != 0)
		r->n[COL_check_code] = v->status;
	r->n[COL_check_duration] = (int64_t)v->latency_us / 1000;
	r->n[COL_check_rise] = rule->rise;
	r->n[COL_check_fall] = rule->fall;
	r->n[COL_chkfail] = (int64_t)v->failed;
	r->n[COL_chkdown] = v->downs;
	r->n[COL_lastchg] = since;
	r->n[COL_downtime] = (int64_t)(v->downtime_us / (uint64_t)DUR_S(1)) +
			     (v->verdict == VERDICT_DOWN && since > 0 ? since : 0);
}

static void
put_traffic(const struct service *s, const struct server_counters *n, struct layer7_row *r)
{
	r->n[COL_qcur] = (int64_t)n->queue;
	r->n[COL_qmax] = (int64_t)n->queue_peak;
	r->n[COL_scur] = r->n[COL_used_conn_cur] = (int64_t)n->conns;
	r->n[COL_smax] = (int64_t)n->conns_peak;
	r->n[COL_stot] = r->n[COL_lbtot] = (int64_t)n->requests_total;
	r->n[COL_bin] = (int64_t)n->bytes_in;
	r->n[COL_bout] = (int64_t)n->bytes_out;
	r->n[COL_econ] = (int64_t)n->connect_errors;
	r->n[COL_eresp] = r->n[COL_srv_abrt] = (int64_t)n->aborts;
	r->n[COL_cli_abrt] = (int64_t)n->client_aborts;
	r->n[COL_rate] = (int64_t)n->requests_rate;
	r->n[COL_rate_max] = (int64_t)n->requests_rate_peak;
	r->n[COL_lastsess] = ago((int64_t)n->last_request);
	r->n[COL_connect] = (int64_t)n->conns_total;
	if (s->mode != mode_http)
		return;
	r->n[COL_reuse] =
	    n->requests_total > n->conns_total ? (int64_t)(n->requests_total - n->conns_total) : 0;
	r->n[COL_srv_icur] = r->n[COL_idle_conn_cur] = (int64_t)n->pooled;
	r->n[COL_req_tot] = (int64_t)n->requests_total;
	r->n[COL_hrsp_2xx] = (int64_t)n->http_2xx;
	r->n[COL_hrsp_3xx] = (int64_t)n->http_3xx;
	r->n[COL_hrsp_4xx] = (int64_t)n->http_4xx;
	r->n[COL_hrsp_5xx] = (int64_t)n->http_5xx;
	r->n[COL_hrsp_other] = 0;
}

static void
put_address(struct layer7_row *r, const struct server *srv)
{
	bool six = srv->address.addr.family == 6;

	(void)snprintf(r->addr, sizeof(r->addr), six ? "[%s]" : "%s", srv->address.text);
	if (srv->port != 0) {
		size_t n = strlen(r->addr);

		(void)snprintf(r->addr + n, sizeof(r->addr) - n, ":%u", srv->port);
	}
	r->text[COL_addr] = r->addr;
}

static void
put_server(const struct report *x, const struct service *s, const struct server *srv)
{
	const struct view_server *v = view_server(x->v, srv->id);
	enum server_state state = view_server_state(x->v, srv);
	struct layer7_row r;

	if (x->hide_down && state == SRV_DOWN)
		return;
	row_init(&r, x, s, srv->name, LAYER7_SERVER);
	r.srv = srv;
	r.text[COL_status] = state_word(state);
	r.n[COL_sid] = srv->id;
	r.n[COL_weight] = snapshot_weight(view_snapshot(x->v), srv);
	r.n[COL_uweight] = srv->weight;
	r.n[COL_slim] = srv->max_conns > 0 ? (int64_t)srv->max_conns : -1;
	r.n[COL_act] = takes(state) && !srv->backup;
	r.n[COL_bck] = takes(state) && srv->backup;
	put_address(&r, srv);
	if (v != NULL && v->heard)
		put_check(x, srv, v, &r);
	if (v != NULL && v->counted)
		put_traffic(s, &v->counts, &r);
	x->put(x->arg, &r);
}

void
layer7_service(struct view *v, const struct service *s, bool hide_down,
    void (*put)(void *arg, const struct layer7_row *r), void *arg)
{
	static const struct view_service nothing;
	const struct view_daemon *d = layer7_proxy(v);
	const struct report x = { v, hide_down, d != NULL ? d->pid : 0, put, arg };
	const struct view_service *now = view_service(v, s->id);
	const void *const *servers;
	uint32_t n;

	if (now == NULL)
		now = &nothing;
	put_frontend(&x, s, now);
	servers = snapshot_children(view_snapshot(v), KIND_server, s->id, &n);
	for (uint32_t i = 0; i < n; i++)
		put_server(&x, s, servers[i]);
	put_backend(&x, s, now);
}

const char *
layer7_name(unsigned column)
{
#define C(name) #name
	static const char *const names[LAYER7_COLS] = { LAYER7_COLUMNS };
#undef C

	return names[column];
}

const struct view_daemon *
layer7_proxy(const struct view *v)
{
	unsigned n;
	const struct view_daemon *d = view_daemons(v, &n);

	for (unsigned i = 0; i < n; i++)
		if (d[i].running && strcmp(d[i].name, "lbd-proxy") == 0)
			return &d[i];
	return NULL;
}
