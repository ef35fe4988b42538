/* The status of layer 7 as HAProxy's statistics in CSV: programs that read its ";csv" or "show stat" read this.
 *
 * Each service gives a row FRONTEND, one for each server, and a row BACKEND. The columns are HAProxy's, in its order; what has no
 * meaning here is empty, as it is there. Times are means since the counters began. Some services are written at a time, as the
 * receiver takes them. */
#include "api.h"
#include "live/follow.h"

#include "base/mem.h"
#include "base/must.h"
#include "msg/phases.h"

#include <stdlib.h>
#include <string.h>

#define SERVICES_AT_ONCE 50

/* In HAProxy's order (management guide, section 9.1). */
#define COLUMNS                                                                                    \
	C(pxname), C(svname), C(qcur), C(qmax), C(scur), C(smax), C(slim), C(stot), C(bin),        \
	    C(bout), C(dreq), C(dresp), C(ereq), C(econ), C(eresp), C(wretr), C(wredis),           \
	    C(status), C(weight), C(act), C(bck), C(chkfail), C(chkdown), C(lastchg), C(downtime), \
	    C(qlimit), C(pid), C(iid), C(sid), C(throttle), C(lbtot), C(tracked), C(type),         \
	    C(rate), C(rate_lim), C(rate_max), C(check_status), C(check_code), C(check_duration),  \
	    C(hrsp_1xx), C(hrsp_2xx), C(hrsp_3xx), C(hrsp_4xx), C(hrsp_5xx), C(hrsp_other),        \
	    C(hanafail), C(req_rate), C(req_rate_max), C(req_tot), C(cli_abrt), C(srv_abrt),       \
	    C(comp_in), C(comp_out), C(comp_byp), C(comp_rsp), C(lastsess), C(last_chk),           \
	    C(last_agt), C(qtime), C(ctime), C(rtime), C(ttime)
#define C(name) COL_##name
enum column { COLUMNS, COLS };
#undef C
#define C(name) #name
static const char *const names[COLS] = { COLUMNS };
#undef C

struct row {
	int64_t n[COLS];	/* -1: empty */
	const char *text[COLS]; /* NULL: the number counts */
};
struct report {
	struct web *w;
	struct snapshot *s;
	uint32_t at;
	bool begun, hide_down;
	uint32_t pid;
};

static void
row_init(
    struct row *r, const struct report *x, const char *service, const char *what, unsigned type)
{
	memset(r->text, 0, sizeof(r->text));
	for (unsigned i = 0; i < COLS; i++)
		r->n[i] = -1;
	r->text[COL_pxname] = service;
	r->text[COL_svname] = what;
	r->n[COL_type] = type;
	r->n[COL_pid] = x->pid > 0 ? (int64_t)x->pid : -1;
}

static void
put_row(struct buf *b, const struct row *r)
{
	for (unsigned i = 0; i < COLS; i++) {
		if (r->text[i] != NULL)
			buf_printf(b, "%s,", r->text[i]);
		else if (r->n[i] >= 0)
			buf_printf(b, "%lld,", (long long)r->n[i]);
		else
			buf_puts(b, ",");
	}
	buf_puts(b, "\n");
}

/* What clients see of a service. */
static void
put_frontend(
    const struct report *x, struct buf *b, const struct service *s, const struct view_service *v)
{
	const struct service_counters *n = &v->counts;
	struct row r;

	row_init(&r, x, s->name, "FRONTEND", 0);
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
	put_row(b, &r);
}

static void
put_times(struct row *r, const struct phases *p)
{
	static const uint8_t cols[PHASES_N] = { COL_qtime, COL_ctime, COL_rtime, COL_ttime };

	for (unsigned i = 0; p != NULL && i < PHASES_N; i++) {
		uint64_t n = phase_total(&p->of[i]);

		r->n[cols[i]] = n > 0 ? (int64_t)(p->of[i].sum_us / n / 1000) : 0;
	}
}

static void
put_backend(
    const struct report *x, struct buf *b, const struct service *s, const struct view_service *v)
{
	const struct service_counters *n = &v->counts;
	struct service_view t;
	enum status st = view_service_status(follow_view(x->w->follow), s, &t);
	struct row r;

	row_init(&r, x, s->name, "BACKEND", 1);
	r.text[COL_status] = st == ST_DOWN || st == ST_OFF ? "DOWN" : "UP";
	r.n[COL_iid] = s->id;
	r.n[COL_sid] = 0;
	r.n[COL_qcur] = (int64_t)n->queue;
	r.n[COL_act] = t.up + t.warn;
	r.n[COL_bck] = 0;
	r.n[COL_stot] = r.n[COL_lbtot] = (int64_t)n->requests_total;
	r.n[COL_bin] = (int64_t)n->bytes_in;
	r.n[COL_bout] = (int64_t)n->bytes_out;
	r.n[COL_econ] = (int64_t)n->no_server;
	r.n[COL_eresp] = r.n[COL_srv_abrt] = (int64_t)n->server_aborts;
	r.n[COL_cli_abrt] = (int64_t)n->client_aborts;
	r.n[COL_wretr] = r.n[COL_wredis] = (int64_t)n->retries;
	r.n[COL_comp_in] = (int64_t)n->compress_in;
	r.n[COL_comp_out] = (int64_t)n->compress_out;
	r.n[COL_rate] = (int64_t)v->rate.requests;
	put_times(&r, v->phases);
	put_row(b, &r);
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
put_server(const struct report *x, struct buf *b, const struct service *s, const struct server *srv)
{
	struct view *view = follow_view(x->w->follow);
	const struct view_server *v = view_server(view, srv->id);
	enum server_state state = view_server_state(view, srv);
	struct row r;

	if (x->hide_down && state == SRV_DOWN)
		return;
	row_init(&r, x, s->name, srv->name, 2);
	r.text[COL_status] = state_word(state);
	r.n[COL_iid] = s->id;
	r.n[COL_sid] = srv->id;
	r.n[COL_weight] = snapshot_weight(x->s, srv);
	r.n[COL_slim] = srv->max_conns > 0 ? (int64_t)srv->max_conns : -1;
	r.n[COL_act] = state == SRV_UP || state == SRV_WARN;
	r.n[COL_bck] = 0;
	if (v == NULL) {
		put_row(b, &r);
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
	put_row(b, &r);
}

static void
put_service(const struct report *x, struct buf *b, const struct service *s)
{
	static const struct view_service nothing;
	const struct view_service *v = view_service(follow_view(x->w->follow), s->id);
	const void *const *servers;
	uint32_t n;

	if (v == NULL)
		v = &nothing;
	put_frontend(x, b, s, v);
	servers = snapshot_children(x->s, KIND_server, s->id, &n);
	for (uint32_t i = 0; i < n; i++)
		put_server(x, b, s, servers[i]);
	put_backend(x, b, s, v);
}

static enum http_more
more(void *state, struct buf *out)
{
	struct report *x = state;
	uint32_t all = snapshot_count(x->s, KIND_service), end = x->at + SERVICES_AT_ONCE;

	if (!x->begun) {
		buf_puts(out, "# ");
		for (unsigned i = 0; i < COLS; i++)
			buf_printf(out, "%s,", names[i]);
		buf_puts(out, "\n");
		x->begun = true;
	}
	while (x->at < all && (x->at < end || out->len == 0)) {
		const struct service *s = snapshot_at(x->s, KIND_service, x->at++);

		if (service_layer(s) == 7)
			put_service(x, out, s);
	}
	return out->len > 0 ? HTTP_MORE : HTTP_END;
}

static void
fini(void *state)
{
	struct report *x = state;

	snapshot_unref(x->s);
	free(x);
}

void
api_layer7_csv(struct call *c)
{
	static const struct http_pull pull = { more, fini };
	const char *hide = call_query(c, "hide");
	const struct view_daemon *d;
	struct report *x;
	unsigned n;

	if (hide != NULL && strcmp(hide, "down") != 0) {
		reply_fail(c, 400, "hide: %.60s: allowed is down", hide);
		return;
	}
	x = mem_alloc(sizeof(*x));
	x->w = c->w;
	x->s = snapshot_ref(daemon_snapshot(c->w->d));
	x->hide_down = hide != NULL;
	d = view_daemons(follow_view(c->w->follow), &n);
	for (unsigned i = 0; i < n; i++)
		if (d[i].running && strcmp(d[i].name, "lbd-proxy") == 0)
			x->pid = d[i].pid;
	follow_looked(c->w->follow);
	reply_headers(c);
	http_set(c->rq, "Content-Type", "text/csv; charset=utf-8");
	http_set(c->rq, "Cache-Control", "no-store");
	http_send_pull(c->rq, 200, &pull, x);
}
