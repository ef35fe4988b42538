/* How the node stands: status on one screen, ha status, floating addresses. */
#include "views.h"
#include "watch.h"

#include "cert/cert.h"
#include "msg/client.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define NOTES_SHOWN 10

/* ---- status ------------------------------------------------------------------------------------------------------------ */

struct standing {
	struct view_totals t;
	const struct view_daemon *d;
	unsigned daemons, away, behind, faults;
	unsigned fips, held;
	unsigned ending; /* certificates that end within a month */
	uint32_t most;	 /* connections of lbd-proxy */
	bool full;	 /* and it is near that */
	struct trial trial;
	bool green;
};

static bool
is_ending(const struct cert *k, int64_t now)
{
	return k->chain[0] != '\0' && x509_ends(x509_until(k->chain), now) != X509_FAR;
}

static void
stand(struct ctl *c, struct standing *s)
{
	uint32_t head = snapshot_revision(c->snap, SCOPE_SHARED);
	const struct view_floating *f;
	struct err ignored;
	unsigned i;

	*s = (struct standing){ 0 };
	view_totals(c->view, &s->t);
	s->d = view_daemons(c->view, &s->daemons);
	for (i = 0; i < s->daemons; i++) {
		s->away += !s->d[i].running;
		s->behind += s->d[i].running && s->d[i].revision != head;
		s->faults += s->d[i].running && s->d[i].fault[0] != '\0';
	}
	for (f = view_floating(c->view); f != NULL; f = f->next) {
		s->fips++;
		s->held += f->held;
	}
	for (i = 0; i < snapshot_count(c->snap, KIND_cert); i++)
		s->ending += is_ending(snapshot_at(c->snap, KIND_cert, i), (int64_t)time(NULL));
	s->most = snapshot_setting(c->snap)->proxy_conns;
	s->full = view_near_limit(&s->t, s->most);
	if (store_trial(c->store, &s->trial, &ignored) != 0)
		s->trial.pending = false;
	s->green = s->t.services[ST_WARN] + s->t.services[ST_DOWN] + s->t.services[ST_UNK] == 0 &&
		   s->away == 0 && s->faults == 0 && s->behind == 0 && s->ending == 0 && !s->full;
}

static void
put_word(struct ctl *c, struct buf *out, enum status st, unsigned n)
{
	static const char *const codes[] = { "32", "33", "31", "34", "90" };

	if (n == 0 && st != ST_OK)
		return;
	buf_puts(out, out->len > 0 && out->p[out->len - 1] != ' ' ? ", " : "");
	if (c->style.colour && n > 0)
		buf_printf(out, "\033[%sm%u %s\033[0m", codes[st], n, status_colour(st));
	else
		buf_printf(out, "%u %s", n, status_colour(st));
}

static void
put_role(struct ctl *c, struct buf *out)
{
	const struct view_role *r = view_role(c->view);

	buf_puts(out, "role       ");
	if (!r->heard)
		buf_puts(out, "unknown: lbd-ha does not run\n");
	else
		buf_printf(out, "%s, %s, %s%s\n", r->master ? "master" : "slave",
		    r->active ? "active" : "passive", r->peer ? "link " : "no peer configured",
		    r->peer ? view_link_word(r->link) : "");
}

static void
put_daemons(struct ctl *c, const struct standing *s, struct buf *out)
{
	uint32_t head = snapshot_revision(c->snap, SCOPE_SHARED);
	char mem[24], cpu[24];
	unsigned i;

	for (i = 0; i < s->daemons; i++) {
		const struct view_daemon *d = &s->d[i];

		buf_printf(out, "%-10s ", i == 0 ? "daemons" : "");
		if (!d->running) {
			buf_printf(out, "%-9s  %s\n", d->name,
			    strstr(d->why, "in time") != NULL ? "does not answer" : "away");
			continue;
		}
		human_bytes((double)d->rss, mem);
		human_dur((int64_t)d->cpu, cpu);
		buf_printf(out,
		    "%-9s  up, revision %" PRIu32 "%s, pid %" PRIu32 ", %s memory, %s processor",
		    d->name, d->revision, d->revision != head ? " (not the newest)" : "", d->pid,
		    mem, cpu);
		if (d->fault[0] != '\0')
			buf_printf(out, "; fault: %s", d->fault);
		buf_puts(out, "\n");
	}
}

static void
put_services(struct ctl *c, const struct standing *s, struct buf *out)
{
	char conns[24], rate[24];
	struct buf line = { 0 };
	unsigned i;

	buf_puts(out, "services   ");
	for (i = ST_OK; i <= ST_UNK; i++)
		put_word(c, &line, i, s->t.services[i]);
	buf_put(out, line.p, line.len);
	buf_fini(&line);
	buf_printf(
	    out, "\nservers    %u up, %u down", s->t.servers[SRV_UP], s->t.servers[SRV_DOWN]);
	if (s->t.servers[SRV_WARN] > 0)
		buf_printf(out, ", %u up with a warning", s->t.servers[SRV_WARN]);
	if (s->t.servers[SRV_DRAIN] + s->t.servers[SRV_HALT] > 0)
		buf_printf(out, ", %u drained, %u halted", s->t.servers[SRV_DRAIN],
		    s->t.servers[SRV_HALT]);
	if (s->t.servers[SRV_UNKNOWN] > 0)
		buf_printf(out, ", %u unknown", s->t.servers[SRV_UNKNOWN]);
	human_count((double)s->t.conns, conns);
	human_count(s->t.rate.conns, rate);
	buf_printf(out, "\nclients    %s connections", conns);
	if (s->t.rate.conns > 0)
		buf_printf(out, ", %s new a second", rate);
	buf_puts(out, "\n");
}

static unsigned
put_full(const struct standing *s, struct buf *out)
{
	if (s->full)
		buf_printf(out,
		    "notes      lbd-proxy: %" PRIu64 " of %" PRIu32
		    " connections; above the most, new clients wait (setting proxy_conns)\n",
		    s->t.proxied, s->most);
	return s->full;
}

static unsigned
put_ending(struct ctl *c, unsigned shown, struct buf *out)
{
	int64_t now = (int64_t)time(NULL);
	uint32_t n;
	const void *const *rows = snapshot_by_name(c->snap, KIND_cert, &n);

	for (uint32_t i = 0; i < n && shown < NOTES_SHOWN; i++) {
		const struct cert *k = rows[i];
		int64_t until = x509_until(k->chain);
		char left[40];

		if (!is_ending(k, now))
			continue;
		cert_left(until, now, left);
		buf_printf(out, "%-10s cert %s: %s %s\n", shown++ == 0 ? "notes" : "", k->name,
		    until > now ? "ends" : "has expired", left);
	}
	return shown;
}

/* What is out of the ordinary beside servers that are down: the limit of connections, certificates that end, fallbacks, quorums, hints; a screen
 * has room for some. */
static void
put_notes(struct ctl *c, const struct standing *s, struct buf *out)
{
	char note[VIEW_NOTE], path[160];
	unsigned shown = put_ending(c, put_full(s, out), out);
	uint32_t i, n;
	const void *const *rows = snapshot_by_name(c->snap, KIND_service, &n);

	for (i = 0; i < n && shown < NOTES_SHOWN; i++) {
		const struct service *row = rows[i];

		if (!view_note(c->view, row, note))
			continue;
		buf_printf(out, "%-10s vip %s: %s\n", shown++ == 0 ? "notes" : "", row->name, note);
	}
	rows = snapshot_by_name(c->snap, KIND_server, &n);
	for (i = 0; i < n && shown < NOTES_SHOWN; i++) {
		const struct server *row = rows[i];

		if (view_server_state(c->view, row) != SRV_WARN)
			continue;
		buf_printf(out, "%-10s rip %s: %s\n", shown++ == 0 ? "notes" : "",
		    snapshot_path(c->snap, KIND_server, row->id, path), views_hint(c, row));
	}
	if (shown == NOTES_SHOWN)
		buf_puts(out, "           and perhaps more: lbctl get vip -o wide\n");
}

static void
put_text(struct ctl *c, const struct standing *s, struct buf *out)
{
	const struct view_floating *f;
	char left[24];

	buf_printf(out, "%s\n", s->green ? "All is green." : "Something needs attention.");
	put_role(c, out);
	buf_printf(out, "addresses  %u of %u floating addresses held\n", s->held, s->fips);
	for (f = view_floating(c->view); f != NULL; f = f->next)
		if (f->fault != NULL)
			buf_printf(out, "           %s: %s\n", f->address, f->fault);
	put_services(c, s, out);
	put_notes(c, s, out);
	buf_printf(out, "revision   %" PRIu32 "\n", snapshot_revision(c->snap, SCOPE_SHARED));
	if (s->trial.pending) {
		human_dur(s->trial.left_ms > 0 ? s->trial.left_ms * 1000 : 0, left);
		buf_printf(out,
		    "trial      revision %" PRIu32 " by %s reverts to %" PRIu32
		    " in %s unless \"lbctl confirm\"%s\n",
		    s->trial.revision[SCOPE_SHARED], s->trial.who, s->trial.base[SCOPE_SHARED],
		    left, s->trial.both ? ", on both nodes" : "");
	}
	put_daemons(c, s, out);
}

static void
json_daemons(struct ctl *c, const struct standing *s, struct buf *out)
{
	unsigned i;

	(void)c;
	buf_puts(out, ",\"daemons\":[");
	for (i = 0; i < s->daemons; i++) {
		const struct view_daemon *d = &s->d[i];

		buf_printf(out, "%s{\"name\":\"%s\",\"running\":%s", i > 0 ? "," : "", d->name,
		    d->running ? "true" : "false");
		if (d->running) {
			buf_printf(out,
			    ",\"pid\":%" PRIu32 ",\"revision\":%" PRIu32 ",\"local\":%" PRIu32
			    ",\"order\":%" PRIu32 ",\"rss\":%" PRIu64 ",\"cpu_us\":%" PRIu64
			    ",\"log_lines\":%" PRIu64 ",\"log_dropped\":%" PRIu64 ",\"release\":",
			    d->pid, d->revision, d->local, d->oper, d->rss, d->cpu, d->log_lines,
			    d->log_dropped);
			view_json_text(out, d->release);
			buf_puts(out, ",\"started\":");
			view_json_time(out, d->started);
			buf_puts(out, ",\"fault\":");
			view_json_text(out, d->fault);
		}
		buf_puts(out, "}");
	}
	buf_puts(out, "]");
}

static void
put_json(struct ctl *c, const struct standing *s, struct buf *out)
{
	const struct view_role *r = view_role(c->view);
	unsigned i;

	buf_printf(out, "{\"green\":%s,\"role\":", s->green ? "true" : "false");
	if (r->heard)
		buf_printf(out, "{\"master\":%s,\"active\":%s,\"peer\":%s}",
		    r->master ? "true" : "false", r->active ? "true" : "false",
		    r->peer ? "true" : "false");
	else
		buf_puts(out, "null");
	buf_printf(
	    out, ",\"addresses\":{\"held\":%u,\"total\":%u},\"services\":{", s->held, s->fips);
	for (i = ST_OK; i <= ST_UNK; i++)
		buf_printf(
		    out, "%s\"%s\":%u", i > 0 ? "," : "", status_colour(i), s->t.services[i]);
	buf_puts(out, "},\"servers\":{");
	for (i = SRV_UP; i <= SRV_UNKNOWN; i++)
		buf_printf(out, "%s\"%s\":%u", i > 0 ? "," : "", server_token(i), s->t.servers[i]);
	buf_printf(out,
	    "},\"connections\":%" PRIu64 ",\"proxied\":%" PRIu64 ",\"proxied_most\":%" PRIu32
	    ",\"certs_ending\":%u,\"revision\":%" PRIu32 ",\"trial\":",
	    s->t.conns, s->t.proxied, s->most, s->ending, snapshot_revision(c->snap, SCOPE_SHARED));
	if (s->trial.pending)
		buf_printf(out,
		    "{\"revision\":%" PRIu32 ",\"base\":%" PRIu32 ",\"left_ms\":%" PRId64
		    ",\"both\":%s}",
		    s->trial.revision[SCOPE_SHARED], s->trial.base[SCOPE_SHARED], s->trial.left_ms,
		    s->trial.both ? "true" : "false");
	else
		buf_puts(out, "null");
	json_daemons(c, s, out);
	buf_puts(out, "}\n");
}

static int
render_status(struct ctl *c, void *arg, struct buf *out, struct err *err)
{
	struct standing s;

	(void)arg;
	(void)err;
	stand(c, &s);
	if (c->style.form == FORM_JSON)
		put_json(c, &s, out);
	else
		put_text(c, &s, out);
	return s.green ? EXIT_OK : EXIT_DIFFERS;
}

int
cmd_status(struct ctl *c, struct err *err)
{
	struct watch w = { .render = render_status,
		.what = VIEW_HEALTH | VIEW_COUNTS | VIEW_HA | VIEW_DAEMONS,
		.on = GIVEN(c, watch) };

	if (c->form_given && c->style.form != FORM_TABLE && c->style.form != FORM_JSON &&
	    c->style.form != FORM_WIDE)
		return err_set(err, ERR_USAGE, "status: prints a screen, or json");
	return watch_run(c, &w, err);
}

/* ---- floating addresses ------------------------------------------------------------------------------------------------- */

enum { F_STATUS, F_ADDRESS, F_IF, F_SERVICES, F_BY_HAND, F_FAULT, F_ROUTE, F_CAUSE, F_COLUMNS };
static const struct column fip_columns[] = {
	[F_STATUS] = { "status", NULL, COL_STATUS, COL_SHOW },
	[F_ADDRESS] = { "name", "address", COL_TEXT, COL_SHOW },
	[F_IF] = { "interface", NULL, COL_TEXT, COL_SHOW },
	[F_SERVICES] = { "services", NULL, COL_NUM, COL_SHOW },
	[F_BY_HAND] = { "by_hand", "by hand", COL_BOOL, COL_SHOW },
	[F_FAULT] = { "fault", NULL, COL_TEXT, COL_SHOW },
	[F_ROUTE] = { "route", NULL, COL_TEXT, COL_SHOW },
	[F_CAUSE] = { "route_cause", "because", COL_TEXT, COL_SHOW },
};

/* What the configuration asks for, while lbd-ha does not run to say what it holds. */
static void
configured_fips(struct ctl *c, struct table *t)
{
	const void *const *rows;
	char text[ADDR_TEXT];
	uint32_t n, i;

	rows = snapshot_by_name(c->snap, KIND_fip, &n);
	for (i = 0; i < n; i++) {
		const struct fip *f = rows[i];

		addr_format(&f->address, ADDR_CIDR, text);
		table_row(t);
		table_status(t, F_STATUS, ST_UNK, "unknown");
		table_text(t, F_ADDRESS, text);
		table_text(t, F_IF, f->interface);
		table_num(t, F_BY_HAND, 1);
		table_text(t, F_FAULT, "lbd-ha does not run");
	}
}

/* People see what routers are told where anybody tells them; programs always. */
static unsigned
fip_columns_of(const struct ctl *c)
{
	bool human = c->style.form == FORM_TABLE && c->style.columns == NULL;

	for (const struct view_floating *f = view_floating(c->view); f != NULL; f = f->next)
		human = human && f->route[0] == '\0';
	return human ? F_ROUTE : F_COLUMNS;
}

static struct table *
fip_table(struct ctl *c)
{
	unsigned n = fip_columns_of(c);
	struct table *t = table_new(fip_columns, n);
	const struct view_floating *f = view_floating(c->view);

	if (f == NULL && !view_role(c->view)->heard)
		configured_fips(c, t);
	for (; f != NULL; f = f->next) {
		table_row(t);
		table_status(t, F_STATUS, f->held ? ST_OK : ST_DOWN, f->held ? "held" : "not held");
		table_text(t, F_ADDRESS, f->address);
		table_text(t, F_IF, f->interface);
		table_num(t, F_SERVICES, f->services);
		table_num(t, F_BY_HAND, f->manual);
		table_text(t, F_FAULT, f->fault != NULL ? f->fault : "");
		if (n != F_COLUMNS)
			continue;
		table_text(t, F_ROUTE, f->route);
		table_text(t, F_CAUSE, f->cause != NULL ? f->cause : "");
	}
	return t;
}

static int
render_fips(struct ctl *c, void *arg, struct buf *out, struct err *err)
{
	struct table *t = fip_table(c);
	int rc;

	(void)arg;
	rc = table_print(t, &c->style, out, err);
	table_free(t);
	return rc;
}

int
cmd_fip_list(struct ctl *c, struct err *err)
{
	struct watch w = { .render = render_fips, .what = VIEW_HA, .on = GIVEN(c, watch) };

	return watch_run(c, &w, err);
}

/* Who is active in each group that has addresses, and since when and why. */
static void
put_groups(const struct view *v, struct buf *out)
{
	const struct view_group *g = view_groups(v);
	char since[24];

	for (unsigned i = 0; i < VIEW_GROUPS; i++, g++) {
		if (g->group == 0 || g->addresses == 0)
			continue;
		human_time(g->since, since);
		buf_printf(out,
		    "group %u      %s since %s: %s; the other node: %s; %u addresses%s%s\n",
		    g->group, g->role, since, g->why, g->peer[0] != '\0' ? g->peer : "not heard",
		    g->addresses, g->conflict ? "; CONFLICT: both are active" : "",
		    g->answered ? "; the other node still answers for them" : "");
		if (g->missing[0] != '\0')
			buf_printf(out,
			    "             waits for %s before it takes over by itself\n",
			    g->missing);
		if (g->hold && g->peer[0] != '\0' && !g->peer_whole)
			buf_puts(out, "             the other node does not have everything yet\n");
	}
}

static void
put_carriers(const struct view *v, struct buf *out)
{
	const struct view_carrier *k = view_carriers(v);
	unsigned shown = 0;

	for (unsigned i = 0; i < VIEW_CARRIERS; i++, k++) {
		if (k->name[0] == '\0')
			continue;
		buf_printf(out, "%-12s %s: %s", shown++ == 0 ? "carriers" : "", k->name, k->state);
		if (k->heard_us != 0)
			buf_printf(out,
			    ", heard %.1f ms ago, lost %u.%u %%, round trip %.2f ms (worst %.2f)",
			    (double)k->heard_us / 1000, k->permille / 10u, k->permille % 10u,
			    (double)k->rtt_us / 1000, (double)k->worst_us / 1000);
		buf_printf(out, "%s%s\n", k->fault[0] != '\0' ? ": " : "", k->fault);
	}
	if (shown > 0)
		buf_puts(out, "\n");
}

/* Ping nodes, tracks and notify scripts. */
static void
put_checks(const struct view *v, struct buf *out)
{
	const struct view_check *k = view_checks(v);
	unsigned shown = 0;
	char since[24];

	for (unsigned i = 0; i < VIEW_CHECKS; i++, k++) {
		if (k->name[0] == '\0')
			continue;
		human_time(k->since, since);
		buf_printf(out, "%-12s %s %s: %s since %s%s%s\n", shown++ == 0 ? "checks" : "",
		    k->what, k->name, k->state, since, k->text[0] != '\0' ? ": " : "", k->text);
	}
	if (shown > 0)
		buf_puts(out, "\n");
}

static void
put_vrrps(const struct view *v, struct buf *out)
{
	const struct view_vrrp *k = view_vrrps(v);
	unsigned shown = 0;
	char since[24];

	for (unsigned i = 0; i < VIEW_VRRPS; i++, k++) {
		if (k->name[0] == '\0')
			continue;
		human_time(k->since, since);
		buf_printf(out, "%-12s %s: %s since %s, priority %u, %s %u (version %u, IPv%u)",
		    shown++ == 0 ? "vrrp" : "", k->name, k->state, since, k->priority, k->interface,
		    k->vrid, k->version, k->family);
		if (k->master[0] != '\0')
			buf_printf(out, "; master %s, priority %u, each %.0f ms", k->master,
			    k->master_priority, (double)k->interval_us / 1000);
		buf_printf(out, "\n%-12s addresses %u%s%s; sent %" PRIu64 ", received %" PRIu64, "",
		    k->addresses, k->mac[0] != '\0' ? " at " : "", k->mac, k->sent, k->received);
		buf_printf(
		    out, "%s%s\n", k->discarded[0] != '\0' ? "; discarded " : "", k->discarded);
		if (k->fault[0] != '\0')
			buf_printf(out, "%-12s fault: %s\n", "", k->fault);
		if (k->advice[0] != '\0')
			buf_printf(out, "%-12s %s\n", "", k->advice);
	}
	if (shown > 0)
		buf_puts(out, "\n");
}

/* Who else sends heartbeats here. */
static void
put_alarms(const struct view *v, struct buf *out)
{
	const struct view_alarm *k = view_alarms(v);
	char at[24];

	for (unsigned i = 0; i < VIEW_ALARMS; i++, k++) {
		if (k->frames == 0)
			continue;
		human_time(k->at, at);
		buf_printf(out, "%-12s %s (%016llx) from %s: %llu heartbeats, the last at %s\n",
		    i == VIEW_ALARM_SAME ? "ALARM" : "notice",
		    i == VIEW_ALARM_SAME ? "number of this pair, another key" : "another pair",
		    (unsigned long long)k->cluster, k->from[0] != '\0' ? k->from : "a serial line",
		    (unsigned long long)k->frames, at);
		if (k->now)
			buf_printf(
			    out, "%-12s %s\n", "", view_alarm_words(v, (enum view_alarm_kind)i));
		buf_puts(out, "\n");
	}
}

/* The other node, in some lines; nothing on a single node. */
static void
put_peer(const struct view_peer *p, struct buf *out)
{
	char since[24];

	if (p->paired || p->doubt) {
		human_time(p->since, since);
		buf_printf(out, "peer         %s at %s port %u\n", p->name, p->addresses, p->port);
		buf_printf(out, "channel      %s since %s", p->up ? "up" : "lost", since);
		if (p->up && p->rtt_us != 0)
			buf_printf(out, ", round trip %.1f ms", (double)p->rtt_us / 1000);
		buf_printf(out, "\nits key      %s\nthis node    %s\n", p->fingerprint, p->own);
	}
	if (p->doubt)
		buf_puts(out,
		    "unfinished   the pairing was interrupted; it counts when the other node says so (\"lbctl ha unpair "
		    "--local\" forgets it)\n");
	if (p->fault[0] != '\0')
		buf_printf(out, "fault        %s\n", p->fault);
	if (p->paired || p->doubt || p->fault[0] != '\0')
		buf_puts(out, "\n");
}

static int
render_ha(struct ctl *c, void *arg, struct buf *out, struct err *err)
{
	char words[100], advice[200];

	if (!view_role(c->view)->heard)
		return err_set(err, ERR_AWAY, "lbd-ha does not run, so nobody holds the role");
	if (c->style.form == FORM_JSON) {
		buf_puts(out, "{");
		view_json_ha(out, c->view);
		buf_puts(out, ",\"addresses\":");
		if (render_fips(c, arg, out, err) != 0)
			return err != NULL ? err->code : ERR_USAGE;
		while (out->len > 0 && out->p[out->len - 1] == '\n')
			out->len--;
		buf_puts(out, "}\n");
		return 0;
	}
	view_role_words(c->view, words, advice);
	buf_printf(out, "%s\n", words);
	if (advice[0] != '\0')
		buf_printf(out, "%s\n", advice);
	buf_puts(out, "\n");
	put_peer(view_peer(c->view), out);
	put_groups(c->view, out);
	put_carriers(c->view, out);
	put_checks(c->view, out);
	put_vrrps(c->view, out);
	put_alarms(c->view, out);
	return render_fips(c, arg, out, err);
}

int
cmd_ha_status(struct ctl *c, struct err *err)
{
	struct watch w = { .render = render_ha, .what = VIEW_HA, .on = GIVEN(c, watch) };

	return watch_run(c, &w, err);
}
