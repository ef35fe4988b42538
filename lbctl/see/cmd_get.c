/* What there is: get, describe, explain. Rows come from the snapshot, interfaces from the kernel; how things stand comes
 * from the daemons, and is unknown when they are away. */
#include "operate/glob.h"
#include "views.h"
#include "watch.h"

#include "msg/client.h"
#include "sys/netlink.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* ---- interfaces: observed, not stored ------------------------------------------------------------------------------ */

enum { I_NAME, I_ADDRESS, I_UP, I_FLOATING };
static const struct column interface_columns[] = {
	[I_NAME] = { "name", NULL, COL_TEXT, COL_SHOW },
	[I_ADDRESS] = { "address", NULL, COL_TEXT, COL_SHOW },
	[I_UP] = { "up", NULL, COL_BOOL, COL_SHOW },
	[I_FLOATING] = { "floating", NULL, COL_BOOL, COL_SHOW },
};

static int
get_interfaces(struct ctl *c, struct err *err)
{
	struct iface_list l = { 0 };
	char text[ADDR_TEXT];
	struct table *t;
	unsigned i;
	int k, rc = netlink_addresses(&l, err);

	if (rc != 0)
		return rc;
	t = table_new(interface_columns, 4);
	for (i = 0; i < l.n; i++) {
		bool wanted = c->argc == 1;

		for (k = 1; k < c->argc; k++)
			wanted = wanted || glob_match(c->argv[k], l.a[i].name);
		if (!wanted)
			continue;
		table_row(t);
		addr_format(&l.a[i].addr, ADDR_CIDR, text);
		table_text(t, I_NAME, l.a[i].name);
		table_text(t, I_ADDRESS, text);
		table_num(t, I_UP, l.a[i].up);
		table_num(t, I_FLOATING, l.a[i].ours);
	}
	iface_list_fini(&l);
	if (table_rows(t) == 0 && c->argc > 1) {
		table_free(t);
		return err_set(err, ERR_UNKNOWN,
		    "interface \"%s\" does not exist, or has no address", c->argv[1]);
	}
	return ctl_table(c, t, err);
}

/* ---- get ---------------------------------------------------------------------------------------------------------------- */

/* Bytes at the start of now that are whole lines of before too: the heads that both rows stand under. */
static size_t
common_heads(const struct buf *before, const struct buf *now)
{
	size_t i, line = 0;

	for (i = 0; i < before->len && i < now->len && before->p[i] == now->p[i]; i++)
		if (now->p[i] == '\n')
			line = i + 1;
	return line;
}

/* YAML is what apply takes: each row once, under heads that are not repeated. */
static int
get_yaml(struct ctl *c, const struct object *o, const struct picked *rows, struct buf *out,
    struct err *err)
{
	struct buf before = { 0 };
	char path[160];
	uint32_t i;
	int rc = 0;

	for (i = 0; i < rows->n && rc == 0; i++) {
		struct buf one = { 0 };
		size_t skip;

		rc = snapshot_export(c->snap, EXPORT_YAML, o->kind,
		    snapshot_path(c->snap, o->kind, *(const uint32_t *)rows->row[i], path), false,
		    &one, err);
		skip = common_heads(&before, &one);
		buf_put(out, one.p + skip, one.len - skip);
		buf_fini(&before);
		before = one;
	}
	buf_fini(&before);
	return rc;
}

static int
render_get(struct ctl *c, void *arg, struct buf *out, struct err *err)
{
	const struct object *o = arg;
	struct picked rows;
	struct table *t;
	int rc = pick_rows(c, o, c->argc - 1, c->argv + 1, &rows, err);

	if (rc != 0)
		return rc;
	if (c->style.form == FORM_JSON && c->style.columns == NULL && c->style.sort == NULL) {
		views_json(c, o, &rows, false, out);
		return 0;
	}
	if (c->style.form == FORM_YAML && c->style.columns == NULL) {
		if (c->argc == 1 && !GIVEN(c, selector))
			return snapshot_export(
			    c->snap, EXPORT_YAML, o->kind, NULL, false, out, err);
		return get_yaml(c, o, &rows, out, err);
	}
	t = views_table(c, o, &rows);
	rc = table_print(t, &c->style, out, err);
	table_free(t);
	return rc;
}

int
cmd_get(struct ctl *c, struct err *err)
{
	struct watch w = { .render = render_get, .on = GIVEN(c, watch) };
	const struct object *o;
	int rc = ctl_kind(c->argv[0], &o, err);

	if (rc != 0)
		return rc;
	if (o->scope == SCOPE_OBSERVED)
		return get_interfaces(c, err);
	if (o->flags & O_NAMELESS)
		return err_set(err, ERR_USAGE,
		    "%s: orders are shown with their server: lbctl get rip -o wide", o->name);
	w.arg = (void *)(uintptr_t)o;
	w.what = c->style.form == FORM_YAML || c->style.form == FORM_NAME ? 0 : views_needs(o);
	w.rates = views_wants_rates(c, o);
	return watch_run(c, &w, err);
}

/* ---- describe ------------------------------------------------------------------------------------------------------------ */

static void
put_line(struct buf *out, const char *head, const char *text)
{
	buf_printf(out, "%-20s  %s\n", head, *text != '\0' ? text : "-");
}

/* A field that has no place in the layer or mode of its service: it has its default, which says nothing. */
static bool
of_other_layer(const struct ctl *c, const struct object *o, const void *row, const struct field *f)
{
	const struct service *s = o->kind == KIND_service ? row : NULL;

	if (o->kind == KIND_server)
		s = snapshot_find(c->snap, KIND_service, ((const struct server *)row)->vip);
	return s != NULL && ((f->flags & (service_layer(s) == 4 ? F_L7 : F_L4)) != 0 ||
				(s->mode == mode_tcp && (f->flags & F_HTTP) != 0));
}

static void
describe_fields(struct ctl *c, const struct object *o, const void *row, struct buf *out)
{
	unsigned i;

	for (i = 0; i < o->n; i++) {
		const struct field *f = &o->f[i];
		const char *text;

		if ((f->flags & F_PARENT) || ((f->flags & F_ADVANCED) && !GIVEN(c, advanced)) ||
		    of_other_layer(c, o, row, f))
			continue;
		text = f->type == VT_SECRET
			   ? (*views_field_text(c, c->snap, f, row) != '\0' ? "(set)" : "")
			   : views_field_text(c, c->snap, f, row);
		put_line(out, f->name, text);
	}
}

static void
describe_check(const struct view_server *now, struct buf *out)
{
	char t[24];

	if (now == NULL || !now->heard) {
		put_line(out, "last check", "not known: lbd-check says nothing");
		return;
	}
	put_line(out, "last check",
	    now->text != NULL	    ? now->text
	    : now->reason < REASONS ? reason_text[now->reason]
				    : "?");
	if (now->at != 0) {
		human_time(now->at, t);
		put_line(out, "checked at", t);
	}
	if (now->since != 0) {
		human_time(now->since, t);
		put_line(out, "so since", t);
	}
	buf_printf(out, "%-20s  %" PRIu64 ", %" PRIu64 " bad, %u changes\n", "probes", now->probes,
	    now->failed, now->turns);
}

static void
describe_order(const struct admin *a, struct buf *out)
{
	char t[24], u[24];

	if (a->state == admin_state_online && !a->weighted)
		return;
	human_time(a->since, t);
	buf_printf(out, "%-20s  %s", "order", word_text(&admin_state_list, a->state));
	if (a->weighted)
		buf_printf(out, ", weight %u", a->weight);
	buf_printf(out, " by %s (%s) at %s", a->who, a->origin, t);
	if (a->until != 0) {
		human_time(a->until, u);
		buf_printf(out, ", until %s", u);
	}
	if (a->why != NULL && *a->why != '\0')
		buf_printf(out, ": %s", a->why);
	buf_puts(out, "\n");
}

static void
describe_counts(
    bool counted, const struct counter *rows, unsigned n, const void *values, struct buf *out)
{
	char human[24];
	unsigned i;

	if (!counted)
		return;
	for (i = 0; i < n; i++) {
		uint64_t v;

		memcpy(&v, (const char *)values + rows[i].offset, sizeof(v));
		if (v == 0 && strcmp(rows[i].name, "conns") != 0)
			continue;
		if (strncmp(rows[i].name, "bytes", 5) == 0)
			human_bytes((double)v, human);
		else
			human_count((double)v, human);
		put_line(out, rows[i].name, human);
	}
}

static void
describe_hint(struct ctl *c, const struct server *s, struct buf *out)
{
	const struct view_server *h = view_hint(c->view, s->id);
	char t[24];

	if (h == NULL)
		return;
	if (h->hint < FINDINGS && finding_text[h->hint] != NULL)
		put_line(out, "warning", finding_text[h->hint]);
	if (h->hint_text != NULL)
		put_line(out, "seen", h->hint_text);
	if (h->hint_since != 0) {
		human_time(h->hint_since, t);
		put_line(out, "seen since", t);
	}
}

static void
describe_server(struct ctl *c, const struct server *s, struct buf *out)
{
	const struct view_server *now = view_server(c->view, s->id);
	enum server_state st = view_server_state(c->view, s);

	buf_puts(out, "\n");
	put_line(out, "status", server_word(st));
	describe_hint(c, s, out);
	describe_order(snapshot_admin(c->snap, s->id), out);
	buf_printf(out, "%-20s  %u\n", "weight in force", snapshot_weight(c->snap, s));
	describe_check(now, out);
	if (view_safe_to_power_off(c->view, s))
		put_line(out, "safe to power off", "yes: no connection is left");
	describe_counts(
	    now != NULL && now->counted, server_counters, server_counters_n, &now->counts, out);
}

static void
describe_layer4(struct ctl *c, const struct service *s, struct buf *out)
{
	const struct view_service *l4 = view_l4(c->view, s->id),
				  *quorum = view_quorum(c->view, s->id);
	char note[VIEW_NOTE];

	if (view_note(c->view, s, note))
		put_line(out, "note", note);
	if (quorum != NULL)
		buf_printf(out, "%-20s  weight %" PRIu64 " of %" PRIu32 ", %s\n", "quorum now",
		    quorum->quorum_weight, s->quorum, quorum->quorum_met ? "met" : "not met");
	if (l4 != NULL && l4->mark != 0)
		buf_printf(out, "%-20s  %" PRIu32 "\n", "firewall mark", l4->mark);
}

static int
describe_service(struct ctl *c, const struct service *s, struct buf *out, struct err *err)
{
	const struct view_service *now = view_service(c->view, s->id);
	struct picked rows = { 0 };
	struct service_view v;
	enum status st = view_service_status(c->view, s, &v);
	struct table *t;
	int rc;

	rows.row =
	    (const void **)(uintptr_t)snapshot_children(c->snap, KIND_server, s->id, &rows.n);
	buf_puts(out, "\n");
	put_line(out, "status", status_word(st, &v));
	describe_layer4(c, s, out);
	describe_counts(
	    now != NULL && now->counted, service_counters, service_counters_n, &now->counts, out);
	buf_puts(out, "\n");
	t = views_table(c, object_of(KIND_server), &rows);
	rc = table_print(t, &c->style, out, err);
	table_free(t);
	return rc;
}

static void
describe_rule(struct ctl *c, const struct content_rule *r, struct buf *out)
{
	const struct view_rule *now = view_rule(c->view, r->id);

	if (now == NULL)
		return;
	buf_printf(out, "\n%-20s  %" PRIu64 "\n", "hits", now->held);
	if (now->unknown > 0)
		buf_printf(out, "%-20s  %" PRIu64 "\n", "unknown pools", now->unknown);
}

#define EVENTS_SHOWN 10
struct last_events {
	const char *kind_name, *name; /* "vip", "web" */
	char line[EVENTS_SHOWN][400];
	unsigned n;
};

static int
on_event(void *arg, const struct msg_row *row, const union msg_any *m)
{
	struct last_events *l = arg;
	char name[160], type[40], from[40], to[40], why[200], at[24];
	size_t n = strlen(l->name);

	if (row->number != MSG_EVENT)
		return 0;
	span_text(m->event.name, name, sizeof(name));
	if (strncmp(name, l->name, n) != 0 || (name[n] != '\0' && name[n] != '/'))
		return 0;
	span_text(m->event.type, type, sizeof(type));
	span_text(m->event.from, from, sizeof(from));
	span_text(m->event.to, to, sizeof(to));
	span_text(m->event.reason, why, sizeof(why));
	human_time(m->event.at / 1000, at);
	(void)snprintf(l->line[l->n++ % EVENTS_SHOWN], sizeof(l->line[0]),
	    "%s  %s  %.60s  %s%s%s  %.100s", at, type, name, from, *from != '\0' ? " -> " : "", to,
	    why);
	return 0;
}

static void
describe_events(struct ctl *c, const char *path, struct buf *out)
{
	struct msg_events ask = { 0 };
	struct last_events *l = arena_alloc(c->arena, sizeof(*l));
	struct client *k;
	unsigned i, first;

	if (client_open(&c->paths, "lbd-web", &k, NULL) != 0)
		return;
	l->name = path;
	if (client_call(k, MSG_EVENTS, &ask, on_event, l, CTL_ANSWER, NULL) == 0 && l->n > 0) {
		buf_puts(out, "\nlast events\n");
		first = l->n > EVENTS_SHOWN ? l->n - EVENTS_SHOWN : 0;
		for (i = first; i < l->n; i++)
			buf_printf(out, "  %s\n", l->line[i % EVENTS_SHOWN]);
	}
	client_close(k);
}

int
cmd_describe(struct ctl *c, struct err *err)
{
	struct buf out = { 0 };
	const struct object *o;
	struct picked rows;
	char path[160];
	int rc = ctl_kind(c->argv[0], &o, err);

	if (rc == 0 && c->argc < 2 && !(o->flags & O_SINGLE))
		rc =
		    err_set(err, ERR_USAGE, "describe: NAME is missing (lbctl describe KIND NAME)");
	if (rc == 0 && (o->scope == SCOPE_OBSERVED || (o->flags & O_NAMELESS)))
		rc =
		    err_set(err, ERR_USAGE, "describe: a %s has nothing beside lbctl get", o->name);
	if (rc == 0)
		rc = ctl_look(c, views_needs(o), err);
	if (rc == 0)
		rc = pick_rows(c, o, c->argc - 1, c->argv + 1, &rows, err);
	if (rc != 0)
		return rc;
	if (rows.n != 1)
		return err_set(err, ERR_USAGE, "describe: one object at a time");
	if (c->style.form == FORM_JSON) {
		views_json(c, o, &rows, true, &out);
	} else {
		(void)snapshot_path(c->snap, o->kind, *(const uint32_t *)rows.row[0], path);
		buf_printf(&out, "%s %s\n", o->name, path);
		describe_fields(c, o, rows.row[0], &out);
		if (o->kind == KIND_server)
			describe_server(c, rows.row[0], &out);
		else if (o->kind == KIND_service)
			rc = describe_service(c, rows.row[0], &out, err);
		else if (o->kind == KIND_content_rule)
			describe_rule(c, rows.row[0], &out);
		describe_events(c, path, &out);
	}
	if (rc == 0)
		ctl_print(&out);
	buf_fini(&out);
	return rc;
}

/* ---- explain ------------------------------------------------------------------------------------------------------------- */

int
cmd_explain(struct ctl *c, struct err *err)
{
	const char *dot = strchr(c->argv[0], '.');
	struct buf out = { 0 };
	const struct object *o;
	char kind[64];
	int rc;

	(void)snprintf(kind, sizeof(kind), "%.*s", (int)strcspn(c->argv[0], "."), c->argv[0]);
	rc = ctl_kind(kind, &o, err);
	if (rc == 0 && dot != NULL)
		rc = help_field(o, dot + 1, &out, err);
	else if (rc == 0)
		help_object(o, GIVEN(c, advanced), &out);
	if (rc == 0)
		ctl_print(&out);
	buf_fini(&out);
	return rc == ERR_INVALID ? ERR_UNKNOWN : rc;
}
