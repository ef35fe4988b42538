/* layer7.h - the status of layer 7 in the columns of HAProxy's statistics, for the page and for programs that read its CSV.
 *
 * Each service gives a row FRONTEND, one for each server, and a row BACKEND. What has no meaning here is empty, as it is there; what
 * is not counted too. Times are means since the counters began, rates those of the last whole second, peaks since the counters
 * began. What a rule, a page or an error answers is the FRONTEND's; the BACKEND is all that servers were given. */
#ifndef REPORT_LAYER7_H
#define REPORT_LAYER7_H

#include "msg/view.h"

/* In HAProxy's order (management guide, section 9.1). */
#define LAYER7_COLUMNS                                                                             \
	C(pxname), C(svname), C(qcur), C(qmax), C(scur), C(smax), C(slim), C(stot), C(bin),        \
	    C(bout), C(dreq), C(dresp), C(ereq), C(econ), C(eresp), C(wretr), C(wredis),           \
	    C(status), C(weight), C(act), C(bck), C(chkfail), C(chkdown), C(lastchg), C(downtime), \
	    C(qlimit), C(pid), C(iid), C(sid), C(throttle), C(lbtot), C(tracked), C(type),         \
	    C(rate), C(rate_lim), C(rate_max), C(check_status), C(check_code), C(check_duration),  \
	    C(hrsp_1xx), C(hrsp_2xx), C(hrsp_3xx), C(hrsp_4xx), C(hrsp_5xx), C(hrsp_other),        \
	    C(hanafail), C(req_rate), C(req_rate_max), C(req_tot), C(cli_abrt), C(srv_abrt),       \
	    C(comp_in), C(comp_out), C(comp_byp), C(comp_rsp), C(lastsess), C(last_chk),           \
	    C(last_agt), C(qtime), C(ctime), C(rtime), C(ttime), C(agent_status), C(agent_code),   \
	    C(agent_duration), C(check_desc), C(agent_desc), C(check_rise), C(check_fall),         \
	    C(check_health), C(agent_rise), C(agent_fall), C(agent_health), C(addr), C(cookie),    \
	    C(mode), C(algo), C(conn_rate), C(conn_rate_max), C(conn_tot), C(intercepted),         \
	    C(dcon), C(dses), C(wrew), C(connect), C(reuse), C(cache_lookups), C(cache_hits),      \
	    C(srv_icur), C(src_ilim), C(qtime_max), C(ctime_max), C(rtime_max), C(ttime_max),      \
	    C(eint), C(idle_conn_cur), C(safe_conn_cur), C(used_conn_cur), C(need_conn_est),       \
	    C(uweight), C(agg_server_status), C(agg_server_check_status), C(agg_check_status)
#define C(name) COL_##name
enum layer7_column { LAYER7_COLUMNS, LAYER7_COLS };
#undef C

enum layer7_kind { LAYER7_FRONTEND, LAYER7_BACKEND, LAYER7_SERVER }; /* as in column type */
struct layer7_row {
	enum layer7_kind kind;
	const struct server *srv; /* NULL but for servers */
	int64_t n[LAYER7_COLS];	  /* -1: empty */
	const char
	    *text[LAYER7_COLS]; /* NULL: the number counts; borrowed: from the view, or from addr */
	char addr[sizeof(((struct host *)0)->text) + sizeof("[]:65535")];
};

const char *layer7_name(unsigned column);
/* layer7_proxy - the process; NULL: it does not run. */
const struct view_daemon *layer7_proxy(const struct view *v);
/* layer7_service - put(arg, row) for each row of the service, in order. hide_down leaves out servers that are down. */
void layer7_service(struct view *v, const struct service *s, bool hide_down,
    void (*put)(void *arg, const struct layer7_row *r), void *arg);

#endif
