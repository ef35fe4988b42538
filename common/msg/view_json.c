/* The "status" object of the API: printed here for lbctl and lbd-web, so that both show the same bytes.
 * Printed by hand, not through a tree: ten thousand services are one pass. */
#include "msg/view_priv.h"
#include "schema/json.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

void
view_json_text(struct buf *out, const char *text)
{
	json_quote(out, text, strlen(text));
}

void
view_json_member(struct buf *out, const char *key, const char *text)
{
	buf_printf(out, ",\"%s\":", key);
	view_json_text(out, text);
}

void
view_json_time(struct buf *out, int64_t seconds)
{
	time_t t = seconds;
	char text[32];
	struct tm tm;

	if (seconds == 0 || gmtime_r(&t, &tm) == NULL ||
	    strftime(text, sizeof(text), "\"%Y-%m-%dT%H:%M:%SZ\"", &tm) == 0)
		buf_puts(out, "null");
	else
		buf_puts(out, text);
}

static void
put_counters(
    struct buf *out, bool counted, const struct counter *rows, unsigned n, const void *values)
{
	uint64_t value;
	unsigned i;

	buf_puts(out, ",\"counters\":");
	if (!counted) {
		buf_puts(out, "null");
		return;
	}
	for (i = 0; i < n; i++) {
		memcpy(&value, (const char *)values + rows[i].offset, sizeof(value));
		buf_printf(out, "%s\"%s\":%" PRIu64, i > 0 ? "," : "{", rows[i].metric, value);
	}
	buf_puts(out, "}");
}

static void
put_quorum(const struct view *v, const struct service *s, struct buf *out)
{
	const struct view_service *q = view_quorum(v, s->id);

	if (q == NULL) {
		buf_puts(out, ",\"quorum\":null");
		return;
	}
	buf_printf(out,
	    ",\"quorum\":{\"met\":%s,\"weight\":%" PRIu64 ",\"needed\":%" PRIu32 ",\"since\":",
	    q->quorum_met ? "true" : "false", q->quorum_weight, s->quorum);
	view_json_time(out, q->quorum_since);
	buf_puts(out, "}");
}

static void
put_kernel(const struct view *v, const struct service *s, struct buf *out)
{
	const struct view_service *l4 = view_l4(v, s->id);

	buf_printf(out, ",\"fallback\":%s,\"kernel\":", view_fallback(v, s) ? "true" : "false");
	if (l4 == NULL || service_layer(s) != 4) {
		buf_puts(out, "null");
		return;
	}
	buf_printf(out,
	    "{\"loaded\":%s,\"mark\":%" PRIu32 ",\"fault\":", l4->loaded ? "true" : "false",
	    l4->mark);
	view_json_text(out, l4->fault != NULL ? l4->fault : "");
	buf_puts(out, "}");
}

static void
put_service(const struct view *v, const struct service *s, struct buf *out)
{
	const struct view_service *now = view_service(v, s->id);
	struct service_view t;
	enum status st = view_service_status(v, s, &t);
	char note[VIEW_NOTE];

	buf_printf(out,
	    "{\"state\":\"%s\",\"colour\":\"%s\",\"word\":\"%s\",\"note\":", status_class(st),
	    status_colour(st), status_word(st, &t));
	(void)view_note(v, s, note);
	view_json_text(out, note);
	buf_printf(out,
	    ",\"servers\":{\"total\":%u,\"up\":%u,\"warning\":%u,\"down\":%u,\"drain\":%u,\"halt\":%u,"
	    "\"unknown\":%u}",
	    service_servers(&t), t.up, t.warn, t.down, t.drain, t.halt, t.unknown);
	put_quorum(v, s, out);
	put_kernel(v, s, out);
	put_counters(out, now != NULL && now->counted, service_counters, service_counters_n,
	    now != NULL ? &now->counts : NULL);
	buf_puts(out, "}");
}

static void
put_check(
    const struct view *v, const struct server *srv, const struct view_server *now, struct buf *out)
{
	static const char *const words[] = { "unknown", "up", "down" };
	unsigned reason =
	    now != NULL && now->heard && now->reason < REASONS ? now->reason : REASON_none;

	buf_printf(
	    out, ",\"check\":{\"verdict\":\"%s\",\"reason\":", words[view_verdict(v, srv->id)]);
	view_json_text(out, reason_text[reason]);
	buf_puts(out, ",\"text\":");
	view_json_text(out, now != NULL && now->text != NULL ? now->text : "");
	buf_puts(out, ",\"since\":");
	view_json_time(out, now != NULL ? now->since : 0);
	buf_puts(out, ",\"at\":");
	view_json_time(out, now != NULL ? now->at : 0);
	buf_printf(out,
	    ",\"latency_us\":%" PRIu64 ",\"probes\":%" PRIu64 ",\"failed\":%" PRIu64
	    ",\"turns\":%u,\"by\":\"lbd-check\"}",
	    now != NULL ? now->latency_us : 0, now != NULL ? now->probes : 0,
	    now != NULL ? now->failed : 0, now != NULL ? now->turns : 0);
}

/* What DNS said of the name of a server. */
static void
put_name(const struct view_server *now, struct buf *out)
{
	if (now == NULL || (now->resolved == 0 && now->resolve_fault == NULL)) {
		buf_puts(out, ",\"name\":null");
		return;
	}
	buf_puts(out, ",\"name\":{\"place\":");
	view_json_text(out, now->place != NULL ? now->place : "");
	buf_puts(out, ",\"resolved\":");
	view_json_time(out, now->resolved);
	view_json_member(out, "fault", now->resolve_fault != NULL ? now->resolve_fault : "");
	buf_puts(out, "}");
}

static void
put_hint(const struct view_server *h, struct buf *out)
{
	unsigned what = h != NULL && h->hint < FINDINGS ? h->hint : FINDING_none;

	if (h == NULL) {
		buf_puts(out, ",\"hint\":null");
		return;
	}
	buf_puts(out, ",\"hint\":{\"what\":");
	view_json_text(out, finding_name[what] != NULL ? finding_name[what] : "");
	buf_puts(out, ",\"means\":");
	view_json_text(out, finding_text[what] != NULL ? finding_text[what] : "");
	buf_puts(out, ",\"text\":");
	view_json_text(out, h->hint_text != NULL ? h->hint_text : "");
	buf_puts(out, ",\"since\":");
	view_json_time(out, h->hint_since);
	buf_puts(out, "}");
}

void
view_json_order(struct buf *out, const struct admin *a)
{
	buf_printf(out, "{\"state\":\"%s\",\"weight\":", word_text(&admin_state_list, a->state));
	if (a->weighted)
		buf_printf(out, "%u", a->weight);
	else
		buf_puts(out, "null");
	buf_puts(out, ",\"since\":");
	view_json_time(out, a->since);
	buf_puts(out, ",\"until\":");
	view_json_time(out, a->until);
	buf_puts(out, ",\"who\":");
	view_json_text(out, a->who);
	buf_puts(out, ",\"from\":");
	view_json_text(out, a->origin);
	buf_puts(out, ",\"why\":");
	view_json_text(out, a->why);
	buf_puts(out, "}");
}

/* Only one that says something: no order and "online" are the same. */
static void
put_order(const struct admin *a, struct buf *out)
{
	buf_puts(out, ",\"order\":");
	if (a->state == admin_state_online && !a->weighted)
		buf_puts(out, "null");
	else
		view_json_order(out, a);
}

static void
put_server(const struct view *v, const struct server *srv, struct buf *out)
{
	const struct view_server *now = view_server(v, srv->id);
	enum server_state st = view_server_state(v, srv);

	buf_printf(out,
	    "{\"state\":\"%s\",\"colour\":\"%s\",\"word\":\"%s\",\"weight\":%u,\"safe_to_power_off\":%s",
	    server_token(st), status_colour(server_status(st)), server_word(st),
	    snapshot_weight(v->snap, srv), view_safe_to_power_off(v, srv) ? "true" : "false");
	put_check(v, srv, now, out);
	put_name(now, out);
	put_hint(view_hint(v, srv->id), out);
	put_order(snapshot_admin(v->snap, srv->id), out);
	put_counters(out, now != NULL && now->counted, server_counters, server_counters_n,
	    now != NULL ? &now->counts : NULL);
	buf_puts(out, "}");
}

bool
view_json_status(const struct view *v, const struct object *o, const void *row, struct buf *out)
{
	if (o->kind == KIND_service)
		put_service(v, row, out);
	else if (o->kind == KIND_server)
		put_server(v, row, out);
	else if (o->kind == KIND_content_rule)
		view_json_rule(out, v, *(const uint32_t *)row);
	else if (o->kind == KIND_vrouter)
		return view_json_vrrp(out, v, ((const struct vrouter *)row)->name);
	else
		return false;
	return true;
}

const char *
view_json_live(const struct object *o)
{
	switch (o->kind) {
	case KIND_service:
	case KIND_server:
	case KIND_vrouter: return "status";
	case KIND_content_rule: return "counts"; /* its status is a field */
	default: return NULL;
	}
}

void
view_json_row(const struct view *v, const struct object *o, const void *row, struct buf *out)
{
	struct buf status = { 0 };

	snapshot_export_row(v->snap, o, row, out);
	while (out->len > 0 && (out->p[out->len - 1] == '\n' || out->p[out->len - 1] == ' '))
		out->len--;
	if (view_json_status(v, o, row, &status) && out->len > 0 && out->p[out->len - 1] == '}') {
		out->len--;
		buf_printf(
		    out, "%s\"%s\":", out->p[out->len - 1] == '{' ? "" : ",", view_json_live(o));
		buf_put(out, status.p, status.len);
		buf_puts(out, "}");
	}
	buf_fini(&status);
}
