/* /metrics in the text format 0.0.4 of Prometheus, written family by family, some hundred rows at a time: a store of
 * ten thousand services is never held as text. Counters come from counters.def; states are sets of 0 and 1, as in
 * other exporters, because a number that stands for a word cannot be read. Names are those of the row, after
 * lbd_vip_ or lbd_rip_; the five classes of HTTP answers are one family with a label. */
#include "base/mem.h"
#include "base/must.h"
#include "live/follow.h"
#include "metrics_priv.h"
#include "store/x509.h"
#include "web.h"

#include <stdio.h>
#include <string.h>

#define ROWS_AT_ONCE 400

/* ---- rows ---- */

void
metrics_label(struct buf *b, const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '\\' || *text == '"')
			buf_puts(b, "\\");
		if (*text == '\n')
			buf_puts(b, "\\n");
		else
			buf_put(b, text, 1);
	}
}

static void
of_vip(struct scrape *x, struct buf *b, const struct service *s)
{
	buf_printf(b, "%s{vip=\"%s\",layer=\"%u\"", x->name, s->name, service_layer(s));
}

static void
of_rip(struct scrape *x, struct buf *b, const struct server *r)
{
	const struct service *s = snapshot_find(x->s, KIND_service, r->vip);

	buf_printf(b, "%s{vip=\"%s\",rip=\"%s\"", x->name, s != NULL ? s->name : "?", r->name);
}

static void
value(struct buf *b, uint64_t v)
{
	buf_printf(b, "} %llu\n", (unsigned long long)v);
}

static void
cert_expiry(struct scrape *x, struct buf *b, const void *object)
{
	(void)object;
	for (uint32_t i = 0; i < snapshot_count(x->s, KIND_cert); i++) {
		const struct cert *k = snapshot_at(x->s, KIND_cert, i);

		if (k->chain[0] == '\0')
			continue;
		buf_printf(b, "%s{cert=\"%s\"", x->name, k->name);
		value(b, (uint64_t)x509_until(k->chain));
	}
}

static void
vip_state(struct scrape *x, struct buf *b, const void *object)
{
	enum status st = view_service_status(follow_view(x->w->follow), object, NULL);
	static const char *const words[] = { "healthy", "degraded", "down", "offline", "unknown" };

	for (int i = 0; i <= ST_UNK; i++) {
		of_vip(x, b, object);
		buf_printf(b, ",state=\"%s\"", words[i]);
		value(b, (int)st == i);
	}
}

static void
vip_rips(struct scrape *x, struct buf *b, const void *object)
{
	struct service_view t;
	unsigned n[SRV_UNKNOWN + 1];

	(void)view_service_status(follow_view(x->w->follow), object, &t);
	n[SRV_UP] = t.up;
	n[SRV_WARN] = t.warn;
	n[SRV_DOWN] = t.down;
	n[SRV_DRAIN] = t.drain;
	n[SRV_HALT] = t.halt;
	n[SRV_UNKNOWN] = t.unknown;
	for (int i = 0; i <= SRV_UNKNOWN; i++) {
		of_vip(x, b, object);
		buf_printf(b, ",state=\"%s\"", server_token((enum server_state)i));
		value(b, n[i]);
	}
}

static void
vip_quorum(struct scrape *x, struct buf *b, const void *object)
{
	const struct service *s = object;
	const struct view_service *q = view_quorum(follow_view(x->w->follow), s->id);

	if (q == NULL)
		return;
	of_vip(x, b, object);
	value(b, q->quorum_met);
}

static void
vip_weight(struct scrape *x, struct buf *b, const void *object)
{
	const struct service *s = object;
	const struct view_service *q = view_quorum(follow_view(x->w->follow), s->id);

	if (q == NULL)
		return;
	of_vip(x, b, object);
	value(b, q->quorum_weight);
}

static void
vip_fallback(struct scrape *x, struct buf *b, const void *object)
{
	of_vip(x, b, object);
	value(b, view_fallback(follow_view(x->w->follow), object));
}

static void
vip_loaded(struct scrape *x, struct buf *b, const void *object)
{
	const struct service *s = object;
	const struct view_service *l4 = view_l4(follow_view(x->w->follow), s->id);

	if (l4 == NULL)
		return;
	of_vip(x, b, object);
	value(b, l4->loaded);
}

static void
rip_hint(struct scrape *x, struct buf *b, const void *object)
{
	const struct server *r = object;
	const struct view_server *h = view_hint(follow_view(x->w->follow), r->id);

	if (h == NULL || h->hint >= FINDINGS || finding_name[h->hint] == NULL)
		return;
	of_rip(x, b, object);
	buf_printf(b, ",hint=\"%s\"", finding_name[h->hint]);
	value(b, 1);
}

static void
rip_state(struct scrape *x, struct buf *b, const void *object)
{
	enum server_state st = view_server_state(follow_view(x->w->follow), object);

	for (int i = 0; i <= SRV_UNKNOWN; i++) {
		of_rip(x, b, object);
		buf_printf(b, ",state=\"%s\"", server_token((enum server_state)i));
		value(b, (int)st == i);
	}
}

static void
rip_weight(struct scrape *x, struct buf *b, const void *object)
{
	of_rip(x, b, object);
	value(b, snapshot_weight(x->s, object));
}

static const struct view_server *
heard(struct scrape *x, const void *object)
{
	const struct view_server *v =
	    view_server(follow_view(x->w->follow), ((const struct server *)object)->id);

	return v != NULL && v->heard ? v : NULL;
}

static void
check_success(struct scrape *x, struct buf *b, const void *object)
{
	enum verdict v =
	    view_verdict(follow_view(x->w->follow), ((const struct server *)object)->id);

	if (v == VERDICT_UNKNOWN)
		return;
	of_rip(x, b, object);
	value(b, v == VERDICT_UP);
}

static void
check_seconds(struct scrape *x, struct buf *b, const void *object)
{
	const struct view_server *v = heard(x, object);

	if (v == NULL)
		return;
	of_rip(x, b, object);
	buf_printf(b, "} %.6f\n", (double)v->latency_us / 1e6);
}

static void
check_probes(struct scrape *x, struct buf *b, const void *object)
{
	const struct view_server *v = heard(x, object);

	if (v == NULL)
		return;
	of_rip(x, b, object);
	value(b, v->probes);
}

static void
check_failures(struct scrape *x, struct buf *b, const void *object)
{
	const struct view_server *v = heard(x, object);

	if (v == NULL)
		return;
	of_rip(x, b, object);
	value(b, v->failed);
}

static void
rip_turns(struct scrape *x, struct buf *b, const void *object)
{
	const struct view_server *v = heard(x, object);

	if (v == NULL)
		return;
	of_rip(x, b, object);
	value(b, v->turns);
}

/* ---- of the node ---- */

static void
build_info(struct scrape *x, struct buf *b, const void *object)
{
	(void)object;
	buf_printf(b, "%s{version=\"%s\"} 1\n", x->name, LBD_VERSION);
}

static void
daemon_up(struct scrape *x, struct buf *b, const void *object)
{
	unsigned n;
	const struct view_daemon *d = view_daemons(follow_view(x->w->follow), &n);

	(void)object;
	for (unsigned i = 0; i < n; i++)
		buf_printf(b, "%s{daemon=\"%s\"} %d\n", x->name, d[i].name, d[i].running);
}

/* One number of each daemon that runs. */
#define OF_DAEMONS(fn, form, number)                                                              \
	static void fn(struct scrape *x, struct buf *b, const void *object)                       \
	{                                                                                         \
		unsigned n;                                                                       \
		const struct view_daemon *d = view_daemons(follow_view(x->w->follow), &n);        \
                                                                                                  \
		(void)object;                                                                     \
		for (unsigned i = 0; i < n; i++)                                                  \
			if (d[i].running)                                                         \
				buf_printf(b, "%s{daemon=\"%s\"} " form "\n", x->name, d[i].name, \
				    number);                                                      \
	}
OF_DAEMONS(daemon_started, "%lld", (long long)d[i].started)
OF_DAEMONS(daemon_rss, "%llu", (unsigned long long)d[i].rss)
OF_DAEMONS(daemon_cpu, "%.6f", (double)d[i].cpu / 1e6)
OF_DAEMONS(log_lines, "%llu", (unsigned long long)d[i].log_lines)
OF_DAEMONS(log_dropped, "%llu", (unsigned long long)d[i].log_dropped)
OF_DAEMONS(staples, "%u", d[i].staples)
OF_DAEMONS(staples_missing, "%u", d[i].staples_missing)

static void
config_revision(struct scrape *x, struct buf *b, const void *object)
{
	static const char *const scopes[] = { "shared", "local", "orders" };

	(void)object;
	for (int i = 0; i < SCOPES; i++)
		buf_printf(b, "%s{scope=\"%s\"} %u\n", x->name, scopes[i],
		    snapshot_revision(x->s, (enum scope)i));
}

static void
config_pending(struct scrape *x, struct buf *b, const void *object)
{
	(void)object;
	buf_printf(b, "%s %d\n", x->name, web_trial(x->w)->pending);
}

static void
ha_role(struct scrape *x, struct buf *b, const void *object)
{
	const struct view_role *r = view_role(follow_view(x->w->follow));
	bool known = r != NULL && r->heard;

	(void)object;
	buf_printf(b, "%s{role=\"active\"} %d\n%s{role=\"passive\"} %d\n%s{role=\"unknown\"} %d\n",
	    x->name, known && r->active, x->name, known && !r->active, x->name, !known);
}

#define OF_NODE(fn, form, number)                                           \
	static void fn(struct scrape *x, struct buf *b, const void *object) \
	{                                                                   \
		(void)object;                                               \
		buf_printf(b, "%s " form "\n", x->name, number);            \
	}
OF_NODE(proxied, "%llu", (unsigned long long)web_totals(x->w)->proxied)
OF_NODE(proxied_most, "%u", web_setting(x->w)->proxy_conns)

static const struct family families[] = {
	{ "lbd_build_info", "gauge", "Version of lbd-web; always 1.", OVER_NODE, build_info },
	{ "lbd_daemon_up", "gauge", "Whether a daemon answers.", OVER_NODE, daemon_up },
	{ "lbd_process_start_time_seconds", "gauge",
	    "When a daemon started, in seconds since 1970.", OVER_NODE, daemon_started },
	{ "lbd_process_resident_memory_bytes", "gauge", "Resident memory of a daemon.", OVER_NODE,
	    daemon_rss },
	{ "lbd_process_cpu_seconds_total", "counter", "Processor time of a daemon.", OVER_NODE,
	    daemon_cpu },
	{ "lbd_log_lines_total", "counter", "Lines of access logs that were written.", OVER_NODE,
	    log_lines },
	{ "lbd_log_dropped_total", "counter", "Lines of access logs that were lost.", OVER_NODE,
	    log_dropped },
	{ "lbd_ocsp_staples", "gauge",
	    "Certificates that go out with a word of their responder (OCSP).", OVER_NODE, staples },
	{ "lbd_ocsp_staples_missing", "gauge",
	    "Certificates that should, and have none that counts.", OVER_NODE, staples_missing },
	{ "lbd_proxy_connections", "gauge", "Client connections of layer 7.", OVER_NODE, proxied },
	{ "lbd_proxy_connections_limit", "gauge", "The most of them (setting proxy_conns).",
	    OVER_NODE, proxied_most },
	{ "lbd_config_revision", "gauge", "Revision of the configuration in force.", OVER_NODE,
	    config_revision },
	{ "lbd_config_pending_confirm", "gauge",
	    "Whether a trial commit waits for its confirmation.", OVER_NODE, config_pending },
	{ "lbd_ha_role", "gauge", "Role of this node.", OVER_NODE, ha_role },
	{ "lbd_ha_group_role", "gauge", "Role of this node in a group of addresses.", OVER_NODE,
	    metrics_ha_role },
	{ "lbd_ha_generation", "gauge", "Highest generation of a group that is known.", OVER_NODE,
	    metrics_ha_generation },
	{ "lbd_ha_changes_total", "counter",
	    "How often this node became active, passive or unfit in a group.", OVER_NODE,
	    metrics_ha_changes },
	{ "lbd_ha_lease_seconds", "gauge",
	    "Time that the addresses may stay without another proof, while active.", OVER_NODE,
	    metrics_ha_lease },
	{ "lbd_ha_carrier_state", "gauge", "State of a way to the other node.", OVER_NODE,
	    metrics_ha_carrier },
	{ "lbd_ha_carrier_sent_total", "counter", "Heartbeats sent.", OVER_NODE, metrics_ha_sent },
	{ "lbd_ha_carrier_received_total", "counter", "Heartbeats received.", OVER_NODE,
	    metrics_ha_received },
	{ "lbd_ha_carrier_lost_total", "counter", "Heartbeats lost on the way here.", OVER_NODE,
	    metrics_ha_lost },
	{ "lbd_ha_carrier_rtt_seconds", "gauge", "Round trip of a heartbeat.", OVER_NODE,
	    metrics_ha_rtt },
	{ "lbd_ha_check_good", "gauge",
	    "Whether a ping node, track, notify script or fencing is good; absent while unknown.",
	    OVER_NODE, metrics_ha_check },
	{ "lbd_ha_peer_up", "gauge", "Whether the channel to the other node is up.", OVER_NODE,
	    metrics_ha_peer },
	{ "lbd_ha_config_in_sync", "gauge", "Whether both nodes have the same configuration.",
	    OVER_NODE, metrics_ha_in_sync },
	{ "lbd_ha_persistence_entries", "gauge", "Persistence entries of layer 7 that are kept.",
	    OVER_NODE, metrics_ha_entries },
	{ "lbd_ha_persistence_pending", "gauge",
	    "Whether some of them wait to be sent to the other node.", OVER_NODE,
	    metrics_ha_pending },
	{ "lbd_ha_foreign_heartbeats_total", "counter",
	    "Heartbeats of another pair, or with this pair's number and another key.", OVER_NODE,
	    metrics_ha_foreign },
	{ "lbd_fip_held", "gauge", "Whether a floating address is on this node.", OVER_NODE,
	    metrics_fip_held },
	{ "lbd_fip_route", "gauge",
	    "What routers are told of a floating address: announced, last resort, withdrawn or open.",
	    OVER_NODE, metrics_fip_route },
	{ "lbd_cert_expiry_timestamp_seconds", "gauge",
	    "When a certificate, or the first of its chain, ends.", OVER_NODE, cert_expiry },
	{ "lbd_vip_state", "gauge", "How a virtual service stands.", OVER_VIP, vip_state },
	{ "lbd_vip_rips", "gauge", "Real servers of a virtual service in each state.", OVER_VIP,
	    vip_rips },
	{ "lbd_vip_quorum_met", "gauge", "Whether enough servers are fit.", OVER_VIP, vip_quorum },
	{ "lbd_vip_fit_weight", "gauge", "Weights of fit servers, summed.", OVER_VIP, vip_weight },
	{ "lbd_vip_fallback", "gauge", "Whether the fallback takes the clients.", OVER_VIP,
	    vip_fallback },
	{ "lbd_vip_loaded", "gauge", "Layer 4: whether the kernel carries the service.", OVER_VIP,
	    vip_loaded },
	{ "lbd_request_duration_seconds", "histogram",
	    "Layer 7: how long requests waited, connected, waited for the answer, and took in all.",
	    OVER_VIP, metrics_phases },
	{ "lbd_rule_hits_total", "counter", "How often a content rule held.", OVER_VIP,
	    metrics_rule_hits },
	{ "lbd_rule_unknown_pools_total", "counter",
	    "How often a content rule named a pool that there is none of.", OVER_VIP,
	    metrics_rule_unknown },
	{ "lbd_rip_hint", "gauge",
	    "Layer 4: what connections betray of a server; 1 while it is so.", OVER_RIP, rip_hint },
	{ "lbd_rip_state", "gauge", "How a real server stands.", OVER_RIP, rip_state },
	{ "lbd_rip_weight", "gauge", "Weight in force.", OVER_RIP, rip_weight },
	{ "lbd_rip_transitions_total", "counter", "Changes of the verdict.", OVER_RIP, rip_turns },
	{ "lbd_check_success", "gauge", "Whether the check says that the server is fit.", OVER_RIP,
	    check_success },
	{ "lbd_check_duration_seconds", "gauge", "Time that the last probe took.", OVER_RIP,
	    check_seconds },
	{ "lbd_check_probes_total", "counter", "Probes so far.", OVER_RIP, check_probes },
	{ "lbd_check_failures_total", "counter", "Probes that failed.", OVER_RIP, check_failures },
};

/* ---- counters ---- */

/* "2xx" of http_2xx_total; NULL for other counters. */
static const char *
http_class(const struct counter *k, char out[4])
{
	if (strncmp(k->metric, "http_", 5) != 0 || strcmp(k->metric + 8, "_total") != 0)
		return NULL;
	memcpy(out, k->metric + 5, 3);
	out[3] = '\0';
	return out;
}

static uint64_t
number(const void *values, const struct counter *k)
{
	uint64_t v;

	memcpy(&v, (const char *)values + k->offset, sizeof(v));
	return v;
}

static void
counter_row(struct scrape *x, struct buf *b, enum over over, const void *object)
{
	const struct view *v = follow_view(x->w->follow);
	const struct counter *rows = over == OVER_VIP ? service_counters : server_counters;
	unsigned n = over == OVER_VIP ? service_counters_n : server_counters_n;
	const struct view_service *svc =
	    over == OVER_VIP ? view_service(v, ((const struct service *)object)->id) : NULL;
	const struct view_server *srv =
	    over == OVER_RIP ? view_server(v, ((const struct server *)object)->id) : NULL;
	const void *values = svc != NULL && svc->counted   ? (const void *)&svc->counts
			     : srv != NULL && srv->counted ? (const void *)&srv->counts
							   : NULL;
	char class[4];

	for (const struct counter *k = x->counter; values != NULL && k < rows + n; k++) {
		bool http = http_class(k, class) != NULL;

		if (k != x->counter && !(http && http_class(x->counter, (char[4]){ 0 }) != NULL))
			continue;
		if (over == OVER_VIP)
			of_vip(x, b, object);
		else
			of_rip(x, b, object);
		if (http)
			buf_printf(b, ",code=\"%s\"", class);
		value(b, number(values, k));
	}
}

static const void *
object_at(const struct scrape *x, enum over over, uint32_t at)
{
	unsigned kind = over == OVER_VIP ? KIND_service : KIND_server;

	return at < snapshot_count(x->s, kind) ? snapshot_at(x->s, kind, at) : NULL;
}

/* Which counter family number is; false: none is left. The later classes of HTTP answers belong to the first. */
static bool
counter_family(struct scrape *x, unsigned at, enum over *over, char *name, size_t room)
{
	char class[4];
	const struct counter *k;

	*over = at < service_counters_n ? OVER_VIP : OVER_RIP;
	if (at >= service_counters_n + server_counters_n)
		return false;
	k = *over == OVER_VIP ? &service_counters[at] : &server_counters[at - service_counters_n];
	x->counter = k;
	name[0] = '\0';
	if (http_class(k, class) == NULL)
		(void)snprintf(
		    name, room, "lbd_%s_%s", *over == OVER_VIP ? "vip" : "rip", k->metric);
	else if (k == service_counters || k == server_counters || http_class(k - 1, class) == NULL)
		(void)snprintf(
		    name, room, "lbd_%shttp_responses_total", *over == OVER_VIP ? "" : "rip_");
	return true;
}

/* ---- the stream ---- */

static bool
asked(const struct scrape *x, enum over over)
{
	return over == OVER_NODE ? x->node : over == OVER_VIP ? x->vip : x->rip;
}

static void
head(struct buf *b, const char *name, const char *type, const char *help)
{
	buf_printf(b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* Some rows of one family; true when it is complete. */
static bool
rows(struct scrape *x, struct buf *b, enum over over, const struct family *f)
{
	const void *object;

	for (unsigned n = 0; n < ROWS_AT_ONCE; n++) {
		object = object_at(x, over, x->at);
		if (object == NULL)
			return true;
		if (f != NULL)
			f->row(x, b, object);
		else
			counter_row(x, b, over, object);
		x->at++;
	}
	return false;
}

static bool
step(struct scrape *x, struct buf *b)
{
	const struct family *f = x->family < ARRAY_LEN(families) ? &families[x->family] : NULL;
	const char *type = f != NULL ? f->type : "gauge", *help = f != NULL ? f->help : "";
	enum over over = f != NULL ? f->over : OVER_VIP;
	char name[80] = "";

	if (f == NULL) {
		if (!counter_family(x, x->family - ARRAY_LEN(families), &over, name, sizeof(name)))
			return false;
		type = x->counter->kind == COUNTER_TOTAL ? "counter" : "gauge";
		help = strstr(name, "http_responses") != NULL ? "Answers by class of their status."
							      : x->counter->help;
	}
	x->name = f != NULL ? f->name : name;
	if (x->name[0] != '\0' && asked(x, over)) {
		if (x->at == 0)
			head(b, x->name, type, help);
		if (over == OVER_NODE)
			f->row(x, b, NULL);
		else if (!rows(x, b, over, f))
			return true;
	}
	x->family++;
	x->at = 0;
	return true;
}

static enum http_more
more(void *state, struct buf *out)
{
	struct scrape *x = state;

	while (out->len == 0)
		if (!step(x, out))
			return HTTP_END;
	return HTTP_MORE;
}

static void
fini(void *state)
{
	struct scrape *x = state;

	snapshot_unref(x->s);
	free(x);
}

void
metrics_get(struct call *c)
{
	static const struct http_pull pull = { more, fini };
	const char *scope = call_query(c, "scope");
	struct scrape *x;

	if (scope != NULL && strcmp(scope, "node") != 0 && strcmp(scope, "vip") != 0 &&
	    strcmp(scope, "rip") != 0) {
		reply_fail(c, 400, "scope: %s: allowed is node, vip or rip", scope);
		return;
	}
	x = mem_alloc(sizeof(*x));
	x->w = c->w;
	x->s = snapshot_ref(daemon_snapshot(c->w->d));
	x->node = scope == NULL || strcmp(scope, "node") == 0;
	x->vip = scope == NULL || strcmp(scope, "vip") == 0;
	x->rip = scope == NULL || strcmp(scope, "rip") == 0;
	follow_looked(c->w->follow);
	reply_headers(c);
	http_set(c->rq, "Content-Type", "text/plain; version=0.0.4; charset=utf-8");
	http_set(c->rq, "Cache-Control", "no-store");
	http_send_pull(c->rq, 200, &pull, x);
}
