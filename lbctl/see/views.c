/* Rows of the snapshot as tables. Services and servers have columns of their own for how they stand; every other column
 * is a field of the schema, so a new field is a column without a line here. Fields that are not shown can be asked for
 * with --columns. */
#include "views.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define COLUMNS_ROOM 96
#define FIELDS_SHOWN 8

/* Live columns: a letter of "what", then fields of the schema. */
enum live {
	V_STATUS,
	V_NAME,
	V_CONNS,
	V_CONN_RATE,
	V_SERVERS,
	V_REQ_RATE,
	V_IN_RATE,
	V_OUT_RATE,
	V_QUEUE,
	V_REQUESTS,
	V_WEIGHT,
	V_CHECKED,
	V_SINCE,
	V_LATENCY,
	V_UNTIL,
	V_WHO,
	V_WHY,
	V_VIP,
	V_NOTE,
	V_FALLBACK,
	V_QUORUM,
	V_MASTER,
	V_SENT,
	V_RECEIVED,
	V_DISCARDED,
	V_PLACE,
	V_RESOLVED,
	V_DNS_FAULT,
	V_HITS,
	V_UNKNOWN_POOLS,
	V_FIELD /* and above: a field */
};
struct plan {
	const char *key, *head;
	uint8_t type, level, live;
	const char *field; /* V_FIELD: its name */
};

/* clang-format off */
static const struct plan service_plan[] = {
	{ "status",    NULL,      COL_STATUS, COL_SHOW, V_STATUS,    NULL },
	{ "name",      NULL,      COL_TEXT,   COL_SHOW, V_NAME,      NULL },
	{ "address",   NULL,      COL_TEXT,   COL_SHOW, V_FIELD,     "address" },
	{ "ports",     NULL,      COL_TEXT,   COL_SHOW, V_FIELD,     "ports" },
	{ "conns",     NULL,      COL_NUM,    COL_SHOW, V_CONNS,     NULL },
	{ "conn_s",    "conn/s",  COL_RATE,   COL_SHOW, V_CONN_RATE, NULL },
	{ "protocol",  NULL,      COL_TEXT,   COL_SHOW, V_FIELD,     "protocol" },
	{ "method",    NULL,      COL_TEXT,   COL_SHOW, V_FIELD,     "scheduler" },
	{ "mode",      NULL,      COL_TEXT,   COL_SHOW, V_FIELD,     "mode" },
	{ "servers",   NULL,      COL_TEXT,   COL_SHOW, V_SERVERS,   NULL },
	{ "req_s",     "req/s",   COL_RATE,   COL_WIDE, V_REQ_RATE,  NULL },
	{ "in_s",      "in/s",    COL_BYTES,  COL_WIDE, V_IN_RATE,   NULL },
	{ "out_s",     "out/s",   COL_BYTES,  COL_WIDE, V_OUT_RATE,  NULL },
	{ "queue",     NULL,      COL_NUM,    COL_WIDE, V_QUEUE,     NULL },
	{ "requests",  NULL,      COL_NUM,    COL_WIDE, V_REQUESTS,  NULL },
	{ "on_fallback", "fallback", COL_BOOL, COL_WIDE, V_FALLBACK, NULL },
	{ "quorum_now", "quorum", COL_TEXT,   COL_WIDE, V_QUORUM,    NULL },
	{ "persistence", NULL,    COL_TEXT,   COL_WIDE, V_FIELD,     "persistence" },
	{ "check",     NULL,      COL_TEXT,   COL_WIDE, V_FIELD,     "check" },
	{ "labels",    NULL,      COL_TEXT,   COL_WIDE, V_FIELD,     "labels" },
	{ "note",      NULL,      COL_TEXT,   COL_WIDE, V_NOTE,      NULL },
};
static const struct plan server_plan[] = {
	{ "status",    NULL,      COL_STATUS, COL_SHOW, V_STATUS,    NULL },
	{ "name",      NULL,      COL_TEXT,   COL_SHOW, V_NAME,      NULL },
	{ "address",   NULL,      COL_TEXT,   COL_SHOW, V_FIELD,     "address" },
	{ "port",      NULL,      COL_ID,     COL_SHOW, V_FIELD,     "port" },
	{ "weight",    NULL,      COL_ID,     COL_SHOW, V_WEIGHT,    NULL },
	{ "conns",     NULL,      COL_NUM,    COL_SHOW, V_CONNS,     NULL },
	{ "conn_s",    "conn/s",  COL_RATE,   COL_SHOW, V_CONN_RATE, NULL },
	{ "check",     NULL,      COL_TEXT,   COL_SHOW, V_CHECKED,   NULL },
	{ "since",     NULL,      COL_TIME,   COL_WIDE, V_SINCE,     NULL },
	{ "latency",   NULL,      COL_DUR_US, COL_WIDE, V_LATENCY,   NULL },
	{ "req_s",     "req/s",   COL_RATE,   COL_WIDE, V_REQ_RATE,  NULL },
	{ "in_s",      "in/s",    COL_BYTES,  COL_WIDE, V_IN_RATE,   NULL },
	{ "out_s",     "out/s",   COL_BYTES,  COL_WIDE, V_OUT_RATE,  NULL },
	{ "queue",     NULL,      COL_NUM,    COL_WIDE, V_QUEUE,     NULL },
	{ "requests",  NULL,      COL_NUM,    COL_WIDE, V_REQUESTS,  NULL },
	{ "ordered_by", "by",     COL_TEXT,   COL_WIDE, V_WHO,       NULL },
	{ "until",     NULL,      COL_TIME,   COL_WIDE, V_UNTIL,     NULL },
	{ "why",       NULL,      COL_TEXT,   COL_WIDE, V_WHY,       NULL },
	{ "note",      NULL,      COL_TEXT,   COL_WIDE, V_NOTE,      NULL },
	{ "vip",       NULL,      COL_TEXT,   COL_HIDE, V_VIP,       NULL },
	{ "stands_for", NULL,     COL_TEXT,   COL_HIDE, V_PLACE,     NULL },
	{ "resolved",  NULL,      COL_TIME,   COL_HIDE, V_RESOLVED,  NULL },
	{ "dns_fault", NULL,      COL_TEXT,   COL_HIDE, V_DNS_FAULT, NULL },
};
static const struct plan router_plan[] = {
	{ "status",    NULL,      COL_TEXT,   COL_SHOW, V_STATUS,    NULL },
	{ "name",      NULL,      COL_TEXT,   COL_SHOW, V_NAME,      NULL },
	{ "interface", NULL,      COL_TEXT,   COL_SHOW, V_FIELD,     "interface" },
	{ "vrid",      NULL,      COL_ID,     COL_SHOW, V_FIELD,     "vrid" },
	{ "group",     NULL,      COL_ID,     COL_SHOW, V_FIELD,     "group" },
	{ "priority_now", "priority", COL_ID, COL_SHOW, V_WEIGHT,    NULL },
	{ "master",    NULL,      COL_TEXT,   COL_SHOW, V_MASTER,    NULL },
	{ "note",      NULL,      COL_TEXT,   COL_SHOW, V_NOTE,      NULL },
	{ "family",    NULL,      COL_TEXT,   COL_WIDE, V_FIELD,     "family" },
	{ "version",   NULL,      COL_ID,     COL_WIDE, V_FIELD,     "version" },
	{ "since",     NULL,      COL_TIME,   COL_WIDE, V_SINCE,     NULL },
	{ "sent",      NULL,      COL_NUM,    COL_WIDE, V_SENT,      NULL },
	{ "received",  NULL,      COL_NUM,    COL_WIDE, V_RECEIVED,  NULL },
	{ "discarded", NULL,      COL_TEXT,   COL_WIDE, V_DISCARDED, NULL },
};
static const struct plan rule_plan[] = {
	{ "name",      NULL,      COL_TEXT,   COL_SHOW, V_NAME,      NULL },
	{ "order",     NULL,      COL_ID,     COL_SHOW, V_FIELD,     "order" },
	{ "enabled",   NULL,      COL_BOOL,   COL_SHOW, V_FIELD,     "enabled" },
	{ "when",      NULL,      COL_TEXT,   COL_SHOW, V_FIELD,     "when" },
	{ "action",    NULL,      COL_TEXT,   COL_SHOW, V_FIELD,     "action" },
	{ "on",        NULL,      COL_TEXT,   COL_SHOW, V_FIELD,     "on" },
	{ "pool",      NULL,      COL_TEXT,   COL_SHOW, V_FIELD,     "pool" },
	{ "hits",      NULL,      COL_NUM,    COL_SHOW, V_HITS,      NULL },
	{ "status",    NULL,      COL_ID,     COL_WIDE, V_FIELD,     "status" },
	{ "location",  NULL,      COL_TEXT,   COL_WIDE, V_FIELD,     "location" },
	{ "header",    NULL,      COL_TEXT,   COL_WIDE, V_FIELD,     "header" },
	{ "value",     NULL,      COL_TEXT,   COL_WIDE, V_FIELD,     "value" },
	{ "pool_by",   NULL,      COL_TEXT,   COL_WIDE, V_FIELD,     "pool_by" },
	{ "unknown_pools", NULL,  COL_NUM,    COL_WIDE, V_UNKNOWN_POOLS, NULL },
	{ "comment",   NULL,      COL_TEXT,   COL_WIDE, V_FIELD,     "comment" },
};
/* clang-format on */

static const struct plan *
plan_of(const struct object *o, unsigned *n_out)
{
	if (o->kind == KIND_vrouter) {
		*n_out = sizeof(router_plan) / sizeof(*router_plan);
		return router_plan;
	}
	if (o->kind == KIND_service) {
		*n_out = sizeof(service_plan) / sizeof(*service_plan);
		return service_plan;
	}
	if (o->kind == KIND_content_rule) {
		*n_out = sizeof(rule_plan) / sizeof(*rule_plan);
		return rule_plan;
	}
	*n_out = o->kind == KIND_server ? sizeof(server_plan) / sizeof(*server_plan) : 0;
	return o->kind == KIND_server ? server_plan : NULL;
}

unsigned
views_needs(const struct object *o)
{
	if (o->kind == KIND_vrouter)
		return VIEW_HA;
	if (o->kind == KIND_content_rule)
		return VIEW_COUNTS;
	return o->kind == KIND_service || o->kind == KIND_server ? VIEW_HEALTH | VIEW_COUNTS : 0;
}

bool
views_wants_rates(const struct ctl *c, const struct object *o)
{
	if (!(views_needs(o) & VIEW_COUNTS) || o->kind == KIND_content_rule ||
	    c->style.form == FORM_NAME || c->style.form == FORM_JSON || c->style.form == FORM_YAML)
		return false;
	return c->style.columns == NULL || strstr(c->style.columns, "_s") != NULL;
}

static uint8_t
type_of(const struct field *f)
{
	switch (f->type) {
	case VT_U16: return COL_ID;
	case VT_U32: return COL_NUM;
	case VT_TIME: return COL_TIME;
	case VT_BOOL: return COL_BOOL;
	default: return COL_TEXT;
	}
}

struct layout {
	struct column col[COLUMNS_ROOM];
	uint16_t what[COLUMNS_ROOM]; /* enum live, or V_FIELD + index */
	unsigned n;
};

static unsigned
field_index(const struct object *o, const char *name)
{
	return (unsigned)(field_find(o, name) - o->f);
}

/* The plan of the kind, then every field that the plan does not have. */
static void
lay_out(const struct object *o, struct layout *l)
{
	unsigned n, i, k, shown = 0;
	const struct plan *p = plan_of(o, &n);
	bool live = p != NULL;

	*l = (struct layout){ 0 };
	for (i = 0; i < n; i++) {
		l->col[l->n] = (struct column){ p[i].key, p[i].head, p[i].type, p[i].level };
		l->what[l->n++] =
		    (uint16_t)(p[i].live == V_FIELD ? V_FIELD + field_index(o, p[i].field)
						    : p[i].live);
	}
	for (i = 0; i < o->n; i++) {
		const struct field *f = &o->f[i];
		bool there = (f->flags & F_PARENT) != 0 || (live && (f->flags & F_KEY));

		for (k = 0; k < l->n; k++)
			there = there || strcmp(l->col[k].key, f->name) == 0 ||
				l->what[k] == V_FIELD + i;
		if (there || l->n == COLUMNS_ROOM)
			continue;
		l->col[l->n] = (struct column){ f->name, NULL, type_of(f), COL_HIDE };
		if (!live && !(f->flags & F_ADVANCED) && strcmp(f->name, "comment") != 0 &&
		    shown < FIELDS_SHOWN) {
			l->col[l->n].level = COL_SHOW;
			shown++;
		} else if (!live) {
			l->col[l->n].level = COL_WIDE;
		}
		l->what[l->n++] = (uint16_t)(V_FIELD + i);
	}
}

/* Nobody can see them: a hundred thousand rows need not fill them. */
static void
drop_hidden(struct layout *l)
{
	unsigned i, n = 0;

	for (i = 0; i < l->n; i++) {
		if (l->col[i].level == COL_HIDE)
			continue;
		l->col[n] = l->col[i];
		l->what[n++] = l->what[i];
	}
	l->n = n;
}

unsigned
views_columns(struct ctl *c, const struct object *o, const char **keys, unsigned most)
{
	struct layout *l = arena_alloc(c->arena, sizeof(*l));
	unsigned i;

	lay_out(o, l);
	for (i = 0; i < l->n && i < most; i++)
		keys[i] = l->col[i].key;
	return i;
}

const char *
views_field_text(struct ctl *c, const struct snapshot *s, const struct field *f, const void *row)
{
	struct names names;
	struct buf text = { 0 };
	struct cell cell;
	const char *out;

	snapshot_names(s, &names);
	value_save(f, row, c->arena, &cell);
	value_short(f, &cell, &names, &text);
	out = arena_text(c->arena, buf_text(&text), text.len);
	buf_fini(&text);
	return out;
}

static void
put_field(struct ctl *c, struct table *t, unsigned col, const struct field *f, const void *row)
{
	struct cell cell;

	if (f->type == VT_U16 || f->type == VT_U32 || f->type == VT_TIME || f->type == VT_BOOL) {
		value_save(f, row, c->arena, &cell);
		table_num(t, col, (double)cell.i);
	} else if (f->type == VT_SECRET) {
		value_save(f, row, c->arena, &cell);
		table_text(t, col, cell.i != 0 ? "set" : "");
	} else {
		table_text(t, col, views_field_text(c, c->snap, f, row));
	}
}

/* What services and servers are counted by alike. */
struct counted {
	uint64_t conns, queue, requests;
};

static void
put_counted(
    struct table *t, unsigned col, unsigned what, const struct view_rates *rate, struct counted n)
{
	switch (what) {
	case V_CONNS: table_num(t, col, (double)n.conns); break;
	case V_CONN_RATE: table_num(t, col, rate->conns); break;
	case V_REQ_RATE: table_num(t, col, rate->requests); break;
	case V_IN_RATE: table_num(t, col, rate->bytes_in); break;
	case V_OUT_RATE: table_num(t, col, rate->bytes_out); break;
	case V_QUEUE: table_num(t, col, (double)n.queue); break;
	case V_REQUESTS: table_num(t, col, (double)n.requests); break;
	default: break;
	}
}

static void
put_service(struct ctl *c, struct table *t, unsigned col, unsigned what, const struct service *s)
{
	const struct view_service *now = view_service(c->view, s->id);
	bool counted = now != NULL && now->counted;
	const struct view_service *quorum;
	char note[VIEW_NOTE];
	struct service_view v;
	enum status st;

	switch (what) {
	case V_STATUS:
		st = view_service_status(c->view, s, &v);
		table_status(t, col, st, status_word(st, &v));
		return;
	case V_NAME: table_text(t, col, s->name); return;
	case V_SERVERS:
		(void)view_service_status(c->view, s, &v);
		table_textf(t, col, "%u/%u", v.up + v.warn, service_servers(&v));
		return;
	case V_NOTE:
		if (view_note(c->view, s, note))
			table_text(t, col, note);
		return;
	case V_FALLBACK: table_num(t, col, view_fallback(c->view, s)); return;
	case V_QUORUM:
		quorum = view_quorum(c->view, s->id);
		if (quorum != NULL)
			table_textf(
			    t, col, "%" PRIu64 "/%" PRIu32, quorum->quorum_weight, s->quorum);
		return;
	default: break;
	}
	if (counted)
		put_counted(t, col, what, &now->rate,
		    (struct counted){
			now->counts.conns, now->counts.queue, now->counts.requests_total });
}

static void
put_order(struct ctl *c, struct table *t, unsigned col, unsigned what, const struct server *s)
{
	const struct admin *a = snapshot_admin(c->snap, s->id);

	if (a->state == admin_state_online && !a->weighted)
		return;
	if (what == V_WHO)
		table_text(t, col, a->who);
	else if (what == V_WHY)
		table_text(t, col, a->why);
	else if (a->until != 0)
		table_num(t, col, (double)a->until);
}

const char *
views_hint(const struct ctl *c, const struct server *s)
{
	const struct view_server *h = view_hint(c->view, s->id);

	if (h == NULL)
		return "";
	if (h->hint_text != NULL)
		return h->hint_text;
	return h->hint < FINDINGS && finding_text[h->hint] != NULL ? finding_text[h->hint] : "";
}

/* What DNS said of its name. */
static void
put_named(struct table *t, unsigned col, unsigned what, const struct view_server *now)
{
	if (now == NULL || now->resolved == 0)
		return;
	if (what == V_RESOLVED)
		table_num(t, col, (double)now->resolved);
	else if (what == V_PLACE && now->place != NULL)
		table_text(t, col, now->place);
	else if (what == V_DNS_FAULT && now->resolve_fault != NULL)
		table_text(t, col, now->resolve_fault);
}

static void
put_server(struct ctl *c, struct table *t, unsigned col, unsigned what, const struct server *s)
{
	const struct view_server *now = view_server(c->view, s->id);
	bool counted = now != NULL && now->counted, heard = now != NULL && now->heard;
	enum server_state st = view_server_state(c->view, s);
	const struct service *svc;
	char path[160];

	switch (what) {
	case V_STATUS: table_status(t, col, server_status(st), server_token(st)); return;
	case V_NAME: table_text(t, col, snapshot_path(c->snap, KIND_server, s->id, path)); return;
	case V_WEIGHT: table_num(t, col, snapshot_weight(c->snap, s)); return;
	case V_WHO:
	case V_WHY:
	case V_UNTIL: put_order(c, t, col, what, s); return;
	case V_VIP:
		svc = snapshot_find(c->snap, KIND_service, s->vip);
		table_text(t, col, svc != NULL ? svc->name : "");
		return;
	case V_NOTE: table_text(t, col, views_hint(c, s)); return;
	case V_PLACE:
	case V_RESOLVED:
	case V_DNS_FAULT: put_named(t, col, what, now); return;
	case V_CHECKED:
		if (heard)
			table_text(
			    t, col, now->text != NULL ? now->text : reason_text[now->reason]);
		return;
	case V_SINCE:
		if (heard && now->since != 0)
			table_num(t, col, (double)now->since);
		return;
	case V_LATENCY:
		if (heard && now->latency_us != 0)
			table_num(t, col, (double)now->latency_us);
		return;
	default: break;
	}
	if (counted)
		put_counted(t, col, what, &now->rate,
		    (struct counted){
			now->counts.conns, now->counts.queue, now->counts.requests_total });
}

static void
put_router(struct ctl *c, struct table *t, unsigned col, unsigned what, const struct vrouter *v)
{
	const struct view_vrrp *now = NULL, *all = view_vrrps(c->view);

	for (unsigned i = 0; i < VIEW_VRRPS; i++)
		if (strcmp(all[i].name, v->name) == 0)
			now = &all[i];
	if (what == V_NAME)
		table_text(t, col, v->name);
	else if (what == V_STATUS)
		table_text(t, col, now != NULL ? now->state : v->enabled ? "unknown" : "off");
	if (now == NULL)
		return;
	switch (what) {
	case V_WEIGHT: table_num(t, col, now->priority); break;
	case V_MASTER: table_text(t, col, now->master); break;
	case V_NOTE: table_text(t, col, now->fault[0] != '\0' ? now->fault : now->advice); break;
	case V_SINCE: table_num(t, col, (double)now->since); break;
	case V_SENT: table_num(t, col, (double)now->sent); break;
	case V_RECEIVED: table_num(t, col, (double)now->received); break;
	case V_DISCARDED: table_text(t, col, now->discarded); break;
	default: break;
	}
}

static void
put_rule(struct ctl *c, struct table *t, unsigned col, unsigned what, const struct content_rule *r)
{
	const struct view_rule *now = view_rule(c->view, r->id);
	char path[160];

	if (what == V_NAME)
		table_text(t, col, snapshot_path(c->snap, KIND_content_rule, r->id, path));
	else if (now != NULL)
		table_num(t, col, (double)(what == V_HITS ? now->held : now->unknown));
}

/* ---- the one row of settings or node: field by field ------------------------------------------------------------ */

enum { S_FIELD, S_VALUE, S_DEFAULT, S_HELP };
static const struct column single_columns[] = {
	[S_FIELD] = { "field", NULL, COL_TEXT, COL_SHOW },
	[S_VALUE] = { "value", NULL, COL_TEXT, COL_SHOW },
	[S_DEFAULT] = { "default", NULL, COL_TEXT, COL_SHOW },
	[S_HELP] = { "help", NULL, COL_TEXT, COL_WIDE },
};

static struct table *
single_table(struct ctl *c, const struct object *o, const void *row)
{
	struct table *t = table_new(single_columns, 4);
	unsigned i;

	for (i = 0; i < o->n; i++) {
		const struct field *f = &o->f[i];

		if (f->flags & F_KEY)
			continue;
		table_row(t);
		table_text(t, S_FIELD, f->name);
		table_text(t, S_VALUE, views_field_text(c, c->snap, f, row));
		table_text(t, S_DEFAULT, f->def != NULL ? f->def : "");
		table_text(t, S_HELP, f->help);
	}
	return t;
}

struct table *
views_table(struct ctl *c, const struct object *o, const struct picked *rows)
{
	struct layout *l;
	struct table *t;
	uint32_t r;
	unsigned i;

	if ((o->flags & O_SINGLE) && rows->n == 1)
		return single_table(c, o, rows->row[0]);
	l = arena_alloc(c->arena, sizeof(*l));
	lay_out(o, l);
	if (c->style.columns == NULL && c->style.sort == NULL)
		drop_hidden(l);
	t = table_new(l->col, l->n);
	for (r = 0; r < rows->n; r++) {
		table_row(t);
		for (i = 0; i < l->n; i++) {
			if (l->what[i] >= V_FIELD)
				put_field(c, t, i, &o->f[l->what[i] - V_FIELD], rows->row[r]);
			else if (o->kind == KIND_service)
				put_service(c, t, i, l->what[i], rows->row[r]);
			else if (o->kind == KIND_vrouter)
				put_router(c, t, i, l->what[i], rows->row[r]);
			else if (o->kind == KIND_content_rule)
				put_rule(c, t, i, l->what[i], rows->row[r]);
			else
				put_server(c, t, i, l->what[i], rows->row[r]);
		}
	}
	return t;
}

void
views_json(
    struct ctl *c, const struct object *o, const struct picked *rows, bool one, struct buf *out)
{
	uint32_t i;

	if (one && rows->n == 1) {
		view_json_row(c->view, o, rows->row[0], out);
		buf_puts(out, "\n");
		return;
	}
	buf_puts(out, "[");
	for (i = 0; i < rows->n; i++) {
		buf_puts(out, i > 0 ? ",\n" : "\n");
		view_json_row(c->view, o, rows->row[i], out);
	}
	buf_puts(out, rows->n > 0 ? "\n]\n" : "]\n");
}
