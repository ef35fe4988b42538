/* Rows of layer7.h, out of what the daemons say. */
#include "report/layer7.h"

#include "msg/phases.h"

#include <string.h>

struct report {
	struct view *v;
	bool hide_down;
	uint32_t pid;
	void (*put)(void *arg, const struct layer7_row *r);
	void *arg;
};

static void
row_init(struct layer7_row *r, const struct report *x, const char *service, const char *what,
    enum layer7_kind kind)
{
	r->kind = kind;
	r->srv = NULL;
	memset(r->text, 0, sizeof(r->text));
	for (unsigned i = 0; i < LAYER7_COLS; i++)
		r->n[i] = -1;
	r->text[COL_pxname] = service;
	r->text[COL_svname] = what;
	r->n[COL_type] = kind;
	r->n[COL_pid] = x->pid > 0 ? (int64_t)x->pid : -1;
}

/* What clients see of a service. */
static void
put_frontend(const struct report *x, const struct service *s, const struct view_service *v)
{
	const struct service_counters *n = &v->counts;
	struct layer7_row r;

	row_init(&r, x, s->name, "FRONTEND", LAYER7_FRONTEND);
	r.text[COL_status] = s->enabled ? "OPEN" : "STOP";
	r.n[COL_iid] = s->id;
	r.n[COL_sid] = 0;
	r.n[COL_slim] = s->max_conns > 0 ? (int64_t)s->max_conns : -1;
	r.n[COL_scur] = (int64_t)n->conns;
	r.n[COL_stot] = (int64_t)n->conns_total;
	r.n[COL_bin] = (int64_t)n->bytes_in;
	r.n[COL_bout] = (int64_t)n->bytes_out;
	r.n[COL_dreq] = (int64_t)n->refused_total;
	r.n[COL_ereq] = (int64_t)n->bad_requests;
	r.n[COL_rate] = (int64_t)v->rate.conns;
	if (s->mode == mode_http) {
		r.n[COL_hrsp_1xx] = (int64_t)n->http_1xx;
		r.n[COL_hrsp_2xx] = (int64_t)n->http_2xx;
		r.n[COL_hrsp_3xx] = (int64_t)n->http_3xx;
		r.n[COL_hrsp_4xx] = (int64_t)n->http_4xx;
		r.n[COL_hrsp_5xx] = (int64_t)n->http_5xx;
		r.n[COL_req_rate] = (int64_t)v->rate.requests;
		r.n[COL_req_tot] = (int64_t)n->requests_total;
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

static unsigned
fit_backups(const struct report *x, const struct service *s)
{
	const void *const *servers;
	unsigned fit = 0;
	uint32_t n;

	servers = snapshot_children(view_snapshot(x->v), KIND_server, s->id, &n);
	for (uint32_t i = 0; i < n; i++) {
		const struct server *srv = servers[i];
		enum server_state state = view_server_state(x->v, srv);

		fit += srv->backup && (state == SRV_UP || state == SRV_WARN);
	}
	return fit;
}

static void
put_backend(const struct report *x, const struct service *s, const struct view_service *v)
{
	const struct service_counters *n = &v->counts;
	struct service_view t;
	enum status st = view_service_status(x->v, s, &t);
	struct layer7_row r;

	row_init(&r, x, s->name, "BACKEND", LAYER7_BACKEND);
	r.text[COL_status] = st == ST_DOWN || st == ST_OFF ? "DOWN" : "UP";
	r.n[COL_iid] = s->id;
	r.n[COL_sid] = 0;
	r.n[COL_qcur] = (int64_t)n->queue;
	r.n[COL_bck] = fit_backups(x, s);
	r.n[COL_act] = t.up + t.warn - r.n[COL_bck];
	r.n[COL_stot] = r.n[COL_lbtot] = (int64_t)n->requests_total;
	r.n[COL_bin] = (int64_t)n->bytes_in;
	r.n[COL_bout] = (int64_t)n->bytes_out;
	r.n[COL_econ] = (int64_t)n->no_server;
	r.n[COL_eresp] = r.n[COL_srv_abrt] = (int64_t)n->server_aborts;
	r.n[COL_cli_abrt] = (int64_t)n->client_aborts;
	r.n[COL_wretr] = r.n[COL_wredis] = (int64_t)n->retries;
	r.n[COL_rate] = (int64_t)v->rate.requests;
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

static void
put_server(const struct report *x, const struct service *s, const struct server *srv)
{
	const struct view_server *v = view_server(x->v, srv->id);
	enum server_state state = view_server_state(x->v, srv);
	bool on = state == SRV_UP || state == SRV_WARN;
	struct layer7_row r;

	if (x->hide_down && state == SRV_DOWN)
		return;
	row_init(&r, x, s->name, srv->name, LAYER7_SERVER);
	r.srv = srv;
	r.text[COL_status] = state_word(state);
	r.n[COL_iid] = s->id;
	r.n[COL_sid] = srv->id;
	r.n[COL_weight] = snapshot_weight(view_snapshot(x->v), srv);
	r.n[COL_slim] = srv->max_conns > 0 ? (int64_t)srv->max_conns : -1;
	r.n[COL_act] = on && !srv->backup;
	r.n[COL_bck] = on && srv->backup;
	if (v == NULL) {
		x->put(x->arg, &r);
		return;
	}
	if (v->heard) {
		r.n[COL_chkfail] = (int64_t)v->failed;
		r.n[COL_chkdown] = v->turns;
		r.n[COL_lastchg] = v->since > 0 ? mono_wall_ms() / 1000 - v->since : -1;
		r.n[COL_check_duration] = (int64_t)v->latency_us / 1000;
	}
	if (v->counted) {
		const struct server_counters *n = &v->counts;

		r.n[COL_qcur] = (int64_t)n->queue;
		r.n[COL_scur] = (int64_t)n->conns;
		r.n[COL_stot] = r.n[COL_lbtot] = (int64_t)n->requests_total;
		r.n[COL_bin] = (int64_t)n->bytes_in;
		r.n[COL_bout] = (int64_t)n->bytes_out;
		r.n[COL_econ] = (int64_t)n->connect_errors;
		r.n[COL_eresp] = r.n[COL_srv_abrt] = (int64_t)n->aborts;
		r.n[COL_rate] = (int64_t)v->rate.requests;
		r.n[COL_hrsp_2xx] = (int64_t)n->http_2xx;
		r.n[COL_hrsp_3xx] = (int64_t)n->http_3xx;
		r.n[COL_hrsp_4xx] = (int64_t)n->http_4xx;
		r.n[COL_hrsp_5xx] = (int64_t)n->http_5xx;
	}
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
